//! `resume [ID|--all]`: go on with unfinished jobs, inside what was approved.

mod all;

use super::Context;
use super::flags::{JsonArg, LimitArgs, RunningArgs, WriteArgs, YesArgs, lays};
use super::steps::{
    Bare, Change, Follow, find_job, go_on, look_for_late, open_store, retry, send_job_now, waits,
    wants_rest_now, with_look, with_on_done,
};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `resume`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: the only unfinished job]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Go on with every unfinished job of this home; one line for each and the worst exit code
    #[arg(long, conflicts_with_all = ["id", "output_flag"])]
    pub all: bool,
    /// What it may spend.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// What goes unasked.
    #[command(flatten)]
    pub yes: YesArgs,
    /// How it runs.
    #[command(flatten)]
    pub running: RunningArgs,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

lays!(Args: limit, yes, running, write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    if args.all {
        return all::resume_all(context);
    }
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::OnlyUnfinished)?;
    let context = &found.as_begun(context)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    if found.job.state.is_over() {
        context.printer.note(&format!("job {} is {}", found.job.short(), found.job.state));
    }
    let mut found = look_for_late(context, &store, found)?;
    if wants_rest_now(context, &store, &found)? {
        let job = found.job.clone();
        return with_on_done(context, &store, &job, || {
            retry(context, &store, found, &Change::REST)
        });
    }
    send_job_now(context, &store, &mut found)?;
    let how = Follow { submit: true, wait: waits(context) };
    with_on_done(context, &store, &found.job, || go_on(context, &store, &found, how))
}
