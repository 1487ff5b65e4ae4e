//! `cancel ID`: stop a job and collect what is done.

use std::path::PathBuf;
use std::time::Duration;

use super::Context;
use super::flags::{JsonArg, WriteArgs, lays};
use super::steps::{
    Bare, Follow, Found, Need, Tabled, ending_of, find_job, go_on, open_store, report, with_driver,
    with_look,
};
use crate::job::cancel_unsent;
use crate::store::{JobRecord, ShardState, Store};
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

lays!(Args: write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::OnlyUnfinished)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    let short = found.job.short();
    if found.job.state.is_over() {
        let state = found.job.state;
        context.printer.note(&format!("job {short} is {state} already: nothing is stopped"));
        let path = found.job.output_path.as_deref().map(PathBuf::from);
        let table = Tabled { path, counts: None };
        let ending = ending_of(&found.job);
        return report(context, &store, &found, (&ending, false), Some(&table), Duration::ZERO);
    }
    store.wish_cancel(&found.job.key, context.clock.unix())?;
    let found = Found::of(&store, cancelled_here(context, &store, &found)?.unwrap_or(found.job))?;
    let short = found.job.short();
    let follow = Follow { submit: false, wait: true };
    match go_on(context, &store, &found, follow) {
        Err(error) if error.exit == ExitCode::Locked => {
            context.printer.note(&format!(
                "job {short} is driven by another process, which stops it now and collects what \
                 is done"
            ));
            Ok(ExitCode::Success)
        }
        other => Ok(other?.exit),
    }
}

/// Stops a job of which no batch runs and whose calls nobody makes: that needs neither the provider's address nor a key.
fn cancelled_here(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<Option<JobRecord>, CommandError> {
    // Whoever holds the lock sees the wish.
    let Ok(lock) = found.folder.lock() else { return Ok(None) };
    let is_over = if store.shards_in(&found.job.key, &[ShardState::Calling], 1)?.is_empty() {
        cancel_unsent(store, &found.folder, &found.job, context.clock.unix())?
    } else {
        // What calls brought is read before the rest is cancelled.
        drop(lock);
        with_driver(context, store, found, Need::NoKey, |driver| Ok(driver.cancel_here()?))?
    };
    if !is_over {
        return Ok(None);
    }
    let job = found.job.short();
    context.printer.note(&format!("no batch of job {job} runs: stopped here, nobody was asked"));
    Ok(store.job_by_id(&found.job.key)?)
}
