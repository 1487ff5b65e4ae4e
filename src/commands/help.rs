//! `help [COMMAND|exit-codes|settings]`: help on a command or a topic.

use super::Context;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `help`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Command, or one of the topics exit-codes, settings
    #[arg(value_name = "COMMAND|TOPIC")]
    pub topic: Vec<String>,
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
