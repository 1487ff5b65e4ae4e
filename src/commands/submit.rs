//! `submit FILE.jsonl...`: upload request files and create their batches.

use std::path::PathBuf;

use super::Context;
use super::flags::{Flags, JsonArg, RunningArgs, SpendArgs, WhoArgs, WriteArgs};
use crate::config::Overrides;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `submit`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Request files: of `convert`, or any JSONL with custom_id and body
    #[arg(value_name = "FILE.jsonl", required = true)]
    pub files: Vec<PathBuf>,
    /// Go on to the results instead of returning
    #[arg(long, conflicts_with = "no_wait")]
    pub wait: bool,
    /// Who is asked.
    #[command(flatten)]
    pub who: WhoArgs,
    /// How it runs.
    #[command(flatten)]
    pub running: RunningArgs,
    /// What it may spend.
    #[command(flatten)]
    pub spend: SpendArgs,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        self.who.lay(over);
        self.running.lay(over);
        self.spend.lay(over);
        self.write.lay(over);
    }
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
