//! `login [PROVIDER]`: keep a key in the home folder.

use super::Context;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `login`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose key it is
    #[arg(value_name = "PROVIDER", default_value = "openai")]
    pub provider: String,
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
