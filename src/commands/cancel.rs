//! `cancel ID`: stop a job and collect what is done.

use super::Context;
use super::flags::{Flags, JsonArg, WriteArgs};
use crate::config::Overrides;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `cancel`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: the only unfinished job]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        self.write.lay(over);
    }
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
