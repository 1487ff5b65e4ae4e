//! `config show|path|validate`: what is set, and where.

use super::Context;
use super::flags::JsonArg;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `config`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What `config` can do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Print every setting with its value and where it came from
    Show(JsonArg),
    /// Print the names of the files that are read
    Path,
    /// Read all files and say what is wrong with them
    Validate,
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
