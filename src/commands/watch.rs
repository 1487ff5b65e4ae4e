//! `watch ID`: wait for a job with a progress bar.

use super::Context;
use super::flags::{JsonArg, PaceArgs, WriteArgs, lays};
use super::steps::{
    Bare, Follow, find_job, go_on, open_store, watch_other, with_look, with_on_done,
};
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

lays!(Args: pace, write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::OnlyUnfinished)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    let how = Follow { submit: false, wait: true };
    with_on_done(context, &store, &found.job, || match go_on(context, &store, &found, how) {
        // Another process drives it: look on until it is through.
        Err(error) if error.exit == ExitCode::Locked => watch_other(context, &store, &found),
        other => other,
    })
}
