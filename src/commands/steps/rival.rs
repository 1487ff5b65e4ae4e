//! A live job that writes to the same table and asks something else: a typo was mended, and both
//! would be paid for.

use std::path::Path;
use std::time::Duration;

use super::follow::{Follow, follow};
use super::jobs::Found;
use super::who::who_of_job;
use crate::commands::Context;
use crate::config::key;
use crate::job::Event;
use crate::store::{JobRecord, JobState, ShardState, Store};
use crate::ui::{CommandError, ExitCode};

/// Between two looks at a job that another process stops.
const LOOK: Duration = Duration::from_secs(1);

/// The newest job that writes to this place and of which anything is, or may be, at the provider.
pub(super) fn rival(store: &Store, path: Option<&Path>) -> Result<Option<JobRecord>, CommandError> {
    let Some(path) = path else { return Ok(None) };
    for job in store.live_jobs_for_output(&path.to_string_lossy())? {
        if is_sent(store, &job)? {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// One that was refused or never got there costs nothing and stands in nobody's way.
fn is_sent(store: &Store, job: &JobRecord) -> Result<bool, CommandError> {
    let unsent =
        [ShardState::Planned, ShardState::Uploaded, ShardState::Rejected, ShardState::Deferred];
    let shards = store.shards(&job.key)?;
    Ok(job.state == JobState::Running || shards.iter().any(|shard| !unsent.contains(&shard.state)))
}

/// Where the table of a new job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where the line says.
    AsNamed,
    /// Beside it, as another job writes there.
    Beside,
}

/// Lets a person choose between the two jobs; a script must have given the new one a name.
pub(super) fn decide(
    context: &Context,
    store: &Store,
    rival: JobRecord,
    path: &Path,
) -> Result<Place, CommandError> {
    let short = rival.short().to_owned();
    let path = path.display();
    let text = if context.settings.get(key::AGAIN) {
        format!("job {short} is unfinished and writes to {path} too; --again would pay beside it")
    } else {
        format!("job {short} is unfinished and writes to {path} too, but asks something else")
    };
    if !context.is_interactive {
        return Err(CommandError::usage(text)
            .hint(format!("batchctl cancel {short}   stops it and collects what is done"))
            .hint("or keep both: the same line with --name and a name for this one"));
    }
    context.printer.important(&text);
    let question = "[c]ancel it and go on, [k]eep both, or [S]top?";
    match context.printer.choose(question, &['c', 'k'])? {
        Some('c') => cancel(context, store, rival).map(|()| Place::AsNamed),
        Some(_) => Ok(Place::Beside),
        None => Err(CommandError::message(ExitCode::Usage, "stopped; nothing was sent")),
    }
}

/// Stops a job and waits until what it had done is collected, whoever drives it.
fn cancel(context: &Context, store: &Store, rival: JobRecord) -> Result<(), CommandError> {
    store.wish_cancel(&rival.key, context.clock.unix())?;
    let found = Found::of(store, rival)?;
    let who = who_of_job(context, &found)?;
    let text = format!("cancelling job {}", found.job.short());
    context.reporter().report(&Event::Note { text });
    match follow(context, store, &found, &who, Follow { submit: false, wait: true }) {
        Err(error) if error.exit == ExitCode::Locked => {}
        other => return other.map(drop),
    }
    while store.job_by_id(&found.job.key)?.is_some_and(|job| !job.state.is_over()) {
        context.block_on(context.clock.sleep(LOOK))?;
    }
    Ok(())
}
