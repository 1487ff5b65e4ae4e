//! `demo`: a small table through the sandbox, in seconds, without a key.

use std::path::PathBuf;

use super::Context;
use super::flags::JsonArg;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder to work in; made if missing [default: batchctl-demo]
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
