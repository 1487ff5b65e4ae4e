//! `status [ID]`: all jobs, or one.

use super::Context;
use super::flags::JsonArg;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: all jobs]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
