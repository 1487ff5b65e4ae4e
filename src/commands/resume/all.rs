//! `resume --all`: every unfinished job of this home. First each one is moved on without waiting,
//! so that all of them run remotely at the same time; then each is waited for, oldest first.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::commands::Context;
use crate::commands::steps::{
    Drove, Follow, Found, RowCounts, drive_job, open_store, send_job_now,
};
use crate::config::{Value, key};
use crate::job::{Ending, StopCause};
use crate::store::{JobRecord, JobState, Store};
use crate::ui::{CommandError, ExitCode};

/// What became of one job.
#[derive(Debug, Serialize)]
struct Line {
    job: String,
    state: JobState,
    exit_code: u8,
    folder: String,
    rows: u64,
    good: u64,
    /// Why it does not go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip)]
    exit: ExitCode,
}

/// Drives all unfinished jobs and says of each how it stands.
pub(super) fn resume_all(context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let jobs = unfinished(&store)?;
    let mut known: HashSet<String> = jobs.iter().map(|job| job.key.clone()).collect();
    let waits = !context.settings.get(key::NO_WAIT);
    let deadline = context.settings.get(key::MAX_WAIT).map(|wait| {
        // `max_wait` is in the time that waits are scaled by.
        Instant::now() + wait.div_f64(context.settings.get(key::TIME_SCALE).max(1.0))
    });
    let mut lines: Vec<Line> = Vec::new();
    let mut waiting = VecDeque::new();
    for job in jobs {
        let line = step(context, &store, &job, false)?;
        if line.is_interrupt() {
            lines.push(line);
            return tell(context, &lines);
        }
        if line.exit == ExitCode::StillRunning && waits {
            waiting.push_back(job);
        } else {
            lines.push(line);
        }
    }
    while let Some(job) = waiting.pop_front() {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limited = left.map(|left| limit(context, left));
        let line = step(limited.as_ref().unwrap_or(context), &store, &job, true)?;
        let is_interrupt = line.is_interrupt();
        lines.push(line);
        if is_interrupt {
            break;
        }
        if waiting.is_empty() {
            waiting.extend(opened(&store, &mut known)?);
        }
    }
    tell(context, &lines)
}

/// The unfinished jobs, oldest first.
fn unfinished(store: &Store) -> Result<Vec<JobRecord>, CommandError> {
    Ok(store.jobs()?.into_iter().rev().filter(|job| !job.state.is_over()).collect())
}

/// Jobs that were done until the listing of their account showed batches that nobody knew.
fn opened(store: &Store, known: &mut HashSet<String>) -> Result<Vec<JobRecord>, CommandError> {
    let mut opened = Vec::new();
    for job in unfinished(store)? {
        if known.insert(job.key.clone()) && store.open_surplus(&job.key)? > 0 {
            opened.push(job);
        }
    }
    Ok(opened)
}

/// The surroundings with what is left of the time to wait.
fn limit(context: &Context, left: Duration) -> Context {
    let scale: f64 = context.settings.get(key::TIME_SCALE);
    context.with_settings(|over| {
        over.set(key::MAX_WAIT, Some(Value::Duration(left.mul_f64(scale.max(1.0)))));
    })
}

/// Moves one job on. One that needs a person is only named, and so is one that cannot go on for
/// want of a key, an address or a lock: the others must not wait for it.
fn step(
    context: &Context,
    store: &Store,
    job: &JobRecord,
    wait: bool,
) -> Result<Line, CommandError> {
    if job.state == JobState::NeedsOperator {
        let why = job.reason.clone().unwrap_or_else(|| "a person must decide".to_owned());
        return Line::of(store, job, ExitCode::NothingAccepted, Some(why));
    }
    let drove = Found::of(store, job.clone()).and_then(|mut found| {
        let context = found.as_begun(context)?;
        send_job_now(&context, store, &mut found)?;
        let how = Follow { submit: true, wait };
        drive_job(&context, store, &found, how)
    });
    match drove {
        Ok(Drove { ending: Ending::Waiting, .. }) => {
            Line::of(store, job, ExitCode::StillRunning, None)
        }
        Ok(drove) => Line::of(store, job, drove.exit, why(&drove.ending)),
        Err(error) => Line::of(store, job, error.exit, Some(format!("{:#}", error.error))),
    }
}

fn why(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Stopped(StopCause::Interrupt) => Some("interrupted".to_owned()),
        Ending::Stopped(StopCause::Terminate) => Some("terminated".to_owned()),
        ending => crate::commands::steps::reason(ending),
    }
}

impl Line {
    fn of(
        store: &Store,
        job: &JobRecord,
        exit: ExitCode,
        why: Option<String>,
    ) -> Result<Self, CommandError> {
        let job = store.job_by_id(&job.key)?.unwrap_or_else(|| job.clone());
        let counts = RowCounts::of(store, &job)?.shown();
        Ok(Self {
            job: job.short().to_owned(),
            state: job.state,
            exit_code: exit.code(),
            folder: job.folder.clone(),
            rows: job.rows,
            good: counts.iter().filter(|(status, _)| status.is_good()).map(|(_, n)| n).sum(),
            why,
            exit,
        })
    }

    fn is_interrupt(&self) -> bool {
        matches!(self.exit, ExitCode::Interrupted | ExitCode::Terminated)
    }

    fn text(&self) -> String {
        let why = self.why.as_ref().map(|why| format!("   {why}")).unwrap_or_default();
        let (job, state, exit) = (&self.job, self.state, self.exit_code);
        format!("job {job}   {state}   {}/{} rows good   exit {exit}{why}", self.good, self.rows)
    }
}

fn tell(context: &Context, lines: &[Line]) -> Result<ExitCode, CommandError> {
    let worst = lines.iter().map(|line| line.exit).max_by_key(|exit| badness(*exit));
    let worst = worst.unwrap_or(ExitCode::Success);
    if context.json {
        let document = serde_json::json!({
            "schema_version": 1, "exit_code": worst.code(), "jobs": lines,
        });
        context.printer.json(&document)?;
        return Ok(worst);
    }
    if lines.is_empty() {
        context.printer.note("no job is unfinished");
    }
    for line in lines {
        context.printer.note(&line.text());
    }
    Ok(worst)
}

/// How bad an end is: what stops everything, what a person must mend, what passes by itself,
/// what is only not good.
fn badness(exit: ExitCode) -> u8 {
    match exit {
        ExitCode::Success => 0,
        ExitCode::SomeRowsBad => 1,
        ExitCode::StillRunning => 2,
        ExitCode::Locked => 3,
        ExitCode::Limit => 4,
        ExitCode::NothingAccepted => 5,
        ExitCode::Credentials => 6,
        ExitCode::Usage => 7,
        ExitCode::Storage => 8,
        ExitCode::Unexpected => 9,
        ExitCode::Interrupted | ExitCode::Terminated => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_own_place_but_the_signals() {
        let mut places: Vec<_> = ExitCode::ALL.iter().map(|exit| badness(*exit)).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]);
    }
}
