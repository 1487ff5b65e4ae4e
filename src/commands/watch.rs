//! `watch ID`: wait for a job with a progress bar.

use super::Context;
use super::flags::{Flags, JsonArg, PaceArgs, WriteArgs};
use super::steps::{Bare, Follow, find_job, go_on, open_store, watch_other, with_look};
use crate::config::Overrides;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `watch`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: the only unfinished job]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How long to wait.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        self.pace.lay(over);
        self.write.lay(over);
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::OnlyUnfinished)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    match go_on(context, &store, &found, Follow { submit: false, wait: true }) {
        // Another process drives it: look on until it is through.
        Err(error) if error.exit == ExitCode::Locked => watch_other(context, &store, &found),
        other => other,
    }
}
