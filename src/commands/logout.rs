//! `logout [PROVIDER]`: forget a key that `login` kept.

use super::Context;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `logout`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose key is forgotten
    #[arg(value_name = "PROVIDER", default_value = "openai")]
    pub provider: String,
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
