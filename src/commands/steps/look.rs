//! Looking at a job without driving it.

use std::time::Duration;

use super::finish::{ending_of, exit_of_job, report};
use super::follow::default_interval;
use super::go_on::Drove;
use super::jobs::Found;
use super::tables::Tabled;
use super::who::who_of_job;
use crate::commands::Context;
use crate::config::key;
use crate::job::{Event, Progress, last_seen};
use crate::store::{JobState, ShardState, Store};
use crate::ui::CommandError;

/// Asks the provider how a job's batches stand, if its last word is older than the interval and
/// nobody drives the job. A failure is said and changes nothing: the recorded state is shown.
pub(in crate::commands) fn look(context: &Context, store: &Store, found: &Found) {
    if let Err(error) = ask_again(context, store, found) {
        context.printer.warning(&format!("showing what was last heard: {}", error.error));
    }
}

fn ask_again(context: &Context, store: &Store, found: &Found) -> Result<(), CommandError> {
    let interval = context
        .settings
        .get(key::CHECK_INTERVAL)
        .unwrap_or_else(|| default_interval(&found.job.provider));
    let old = context.clock.unix() - i64::try_from(interval.as_secs()).unwrap_or(0);
    let running: Vec<_> = store
        .shards(&found.job.key)?
        .into_iter()
        .filter(|shard| shard.state == ShardState::Running)
        .map(|shard| shard.id)
        .collect();
    let stale = store
        .creates(&found.job.key)?
        .iter()
        .any(|create| running.contains(&create.shard) && create.updated < old);
    if !stale {
        return Ok(());
    }
    // Whoever holds the lock asks often enough.
    let Ok(_lock) = found.folder.try_lock() else { return Ok(()) };
    let who = who_of_job(context, found)?;
    super::follow::ask_once(context, store, found, &who)
}

/// Shows how a job stands until the process that drives it is through.
pub(in crate::commands) fn watch_other(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<Drove, CommandError> {
    let reporter = context.reporter();
    let pause = Duration::from_secs(2);
    loop {
        let now = Found::of(
            store,
            store.job_by_id(&found.job.key)?.expect("jobs are never removed while watched"),
        )?;
        let mut progress = Progress::default();
        let creates = store.creates(&now.job.key)?;
        for shard in store.shards(&now.job.key)? {
            let create = creates.iter().find(|create| create.shard == shard.id);
            progress.add(&shard, create.and_then(last_seen).as_ref());
        }
        reporter.report(&Event::Polled {
            job: now.job.short().to_owned(),
            batches: progress.batches.into_iter().collect(),
            completed: progress.completed,
            failed: progress.failed,
            total: progress.total,
            next_check: Some(pause),
            batch: progress.batch,
        });
        if now.job.state != JobState::Running && now.folder.try_lock().is_ok() {
            let ending = ending_of(&now.job);
            let path = now.job.output_path.as_ref().map(std::path::PathBuf::from);
            let table = Tabled { path, counts: None };
            let took = Duration::ZERO;
            report(context, store, &now, (&ending, true), Some(&table), took)?;
            let allow_partial = context.settings.get(key::ALLOW_PARTIAL);
            let exit = exit_of_job(store, &now.job, allow_partial)?;
            return Ok(Drove { ending, exit, table, took });
        }
        context.block_on(context.clock.sleep(pause))?;
    }
}
