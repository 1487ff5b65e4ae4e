//! Driving a job on and telling how it stands: what `workflow`, `resume`, `watch`, `download`
//! and `cancel` have in common.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::clean::{clean_remote, must_stay};
use super::counts::RowCounts;
use super::finish::{ending_of, exit_of, report};
use super::follow::{Follow, follow};
use super::jobs::Found;
use super::tables::{Rewrite, Tabled, write_job_table};
use super::who::{Who, who_of_job};
use crate::base::hex_of_file;
use crate::commands::{Context, is_storage, refine};
use crate::config::key;
use crate::job::Ending;
use crate::store::Store;
use crate::ui::{CommandError, ExitCode, moment};

/// What came of driving a job.
#[derive(Debug)]
pub(in crate::commands) struct Drove {
    /// How the drive ended.
    pub(in crate::commands) ending: Ending,
    /// What the process ends with if nothing else happens.
    pub(in crate::commands) exit: ExitCode,
    /// Its table.
    pub(in crate::commands) table: Tabled,
    /// How long it took.
    pub(in crate::commands) took: Duration,
}

/// Drives a job of the ledger as far as asked, writes its table, reports.
pub(in crate::commands) fn go_on(
    context: &Context,
    store: &Store,
    found: &Found,
    how: Follow,
) -> Result<Drove, CommandError> {
    let drove = drive_job(context, store, found, how)?;
    tell(context, store, found, drove, how)
}

/// The same with a provider that is open already.
pub(in crate::commands) fn go_on_with(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
    how: Follow,
) -> Result<Drove, CommandError> {
    let drove = remembered(store, found, drive(context, store, found, Some(who), how))?;
    tell(context, store, found, drove, how)
}

/// Drives a job and writes its table without a word about it.
pub(in crate::commands) fn drive_job(
    context: &Context,
    store: &Store,
    found: &Found,
    how: Follow,
) -> Result<Drove, CommandError> {
    // What is over is only written down: that needs neither key nor address.
    if found.job.state.is_over() {
        return remembered(store, found, drive(context, store, found, None, how));
    }
    let who = who_of_job(context, found);
    remembered(store, found, who.and_then(|who| drive(context, store, found, Some(&who), how)))
}

fn tell(
    context: &Context,
    store: &Store,
    found: &Found,
    drove: Drove,
    how: Follow,
) -> Result<Drove, CommandError> {
    let about = (&drove.ending, how.wait);
    report(context, store, found, about, Some(&drove.table), drove.took)?;
    Ok(drove)
}

/// Keeps the exit code with the job, for those who look at it later. A process that found the job
/// held by another says nothing about it.
fn remembered(
    store: &Store,
    found: &Found,
    drove: Result<Drove, CommandError>,
) -> Result<Drove, CommandError> {
    let drove = drove.map_err(|error| refine(error, None));
    let exit = match &drove {
        Ok(drove) => drove.exit,
        Err(error) => error.exit,
    };
    if exit != ExitCode::Locked {
        // A ledger that cannot be written has been said by then, or will be by the next command.
        let _ = store.set_exit(&found.job.key, exit.code());
    }
    drove
}

fn drive(
    context: &Context,
    store: &Store,
    found: &Found,
    who: Option<&Who>,
    how: Follow,
) -> Result<Drove, CommandError> {
    let started = Instant::now();
    let allow_partial = context.settings.get(key::ALLOW_PARTIAL);
    let ended = |ending: Ending, table: Tabled| -> Result<Drove, CommandError> {
        let shown = match &table.counts {
            Some(counts) => counts.shown(),
            None => RowCounts::of(store, &found.job)?.shown(),
        };
        let exit = exit_of(&ending, &shown, how.wait, allow_partial);
        Ok(Drove { ending, exit, table, took: started.elapsed() })
    };
    if let Some(words) = if_pruned(store, found)? {
        context.printer.note(&format!("{words}; nothing is sent, --again pays for all of it anew"));
        let path = written_before(store, found)?;
        return ended(ending_of(&found.job), Tabled { path, counts: None });
    }
    let ending = match who.filter(|_| !found.job.state.is_over()) {
        None => ending_of(&found.job),
        Some(who) => {
            follow(context, store, found, who, how).map_err(|error| resumable(error, found))?
        }
    };
    let table = found.written_table()?;
    let tabled = write_job_table(context, store, found, &table, Rewrite::Final)
        .map_err(|error| resumable(error, found))?;
    tell_of_the_original(context, found);
    if matches!(ending, Ending::Done | Ending::Cancelled) {
        store.set_written(&found.job.key, context.clock.unix())?;
        if let Some(who) = who {
            clean_if_wanted(context, store, found, who);
        }
    }
    ended(ending, tabled)
}

/// What to say of a job whose answers were removed by `prune`, and where its table is.
pub(in crate::commands) fn if_pruned(
    store: &Store,
    found: &Found,
) -> Result<Option<String>, CommandError> {
    let Some(at) = store.job_history(&found.job.key)?.pruned else { return Ok(None) };
    let place = match written_before(store, found)? {
        Some(path) if path.is_file() => format!("they are in {}", path.display()),
        Some(path) => format!("their table was {}, which is not there now", path.display()),
        // Another command wrote to its place since, so the table there is no longer marked as its.
        None => match &found.spec.output.path {
            Some(path) => format!("their table was written to {}", path.display()),
            None => "their table went to standard output".to_owned(),
        },
    };
    let (job, at) = (found.job.short(), moment(at));
    Ok(Some(format!("the answers of job {job} were pruned at {at}: {place}")))
}

/// The newest table of a job that is still known as its own.
fn written_before(store: &Store, found: &Found) -> Result<Option<PathBuf>, CommandError> {
    let tables = store.outputs_of(&found.job.key)?;
    let there = tables.iter().find(|path| Path::new(path).is_file());
    Ok(there.or(tables.first()).map(PathBuf::from))
}

/// Removes the job's files at the provider where the settings ask for that. The run is over and
/// good; a failure is only said, and `prune --remote` tries again.
fn clean_if_wanted(context: &Context, store: &Store, found: &Found, who: &Who) {
    if !context.settings.get(key::REMOTE_CLEANUP) || found.job.state.is_over() {
        return;
    }
    let cleaned = store
        .job_by_id(&found.job.key)
        .map_err(CommandError::from)
        .and_then(|job| Found::of(store, job.unwrap_or_else(|| found.job.clone())))
        .and_then(|now| match must_stay(store, &now, false)? {
            Some(why) => Err(CommandError::message(ExitCode::Unexpected, why)),
            None => clean_remote(context, store, &now, who),
        });
    if let Err(error) = cleaned {
        let text = format!("files stay at {}: {:#}", who.name, error.error);
        context.printer.warning(&text);
        let job = found.job.short();
        context.printer.note(&format!("try again: batchctl prune {job} --remote"));
    }
}

/// People edit their table while a batch runs. That costs nothing, since a job reads its own copy,
/// but whoever looks at both files must know.
fn tell_of_the_original(context: &Context, found: &Found) {
    let spec = &found.spec;
    if spec.output.onto.is_some() || spec.source == "-" {
        return;
    }
    let source = Path::new(&spec.source);
    let what = match written_at(source) {
        // The digest is of the decoded text, so it tells only together with the time.
        Ok(at) if at > found.job.created => match hex_of_file(source) {
            Ok(digest) if digest != spec.source_digest => "has changed since",
            _ => return,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => "is gone",
        _ => return,
    };
    context
        .printer
        .note(&format!("{} {what}: the answers stand beside the job's copy of it", spec.source));
}

/// When a file was last written to, in Unix seconds.
fn written_at(path: &Path) -> io::Result<i64> {
    let since = path.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Says how a job goes on whose disk failed; nothing of it is lost.
fn resumable(error: CommandError, found: &Found) -> CommandError {
    if !error.error.chain().any(is_storage) {
        return error;
    }
    let job = found.job.short();
    error
        .hint(format!("mend that, then go on: batchctl resume {job}"))
        .hint(format!("job: {job} is kept with every answer it has"))
}
