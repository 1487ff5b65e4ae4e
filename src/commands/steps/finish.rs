//! The end of a run: its account for programs, and the exit code that says it to a script.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::account::{Account, ErrorGroup};
use super::jobs::Found;
use super::tables::Wrote;
use super::who::Who;
use crate::answer::RowStatus;
use crate::batch::{FailureKind, Usage};
use crate::commands::Context;
use crate::config::key;
use crate::job::{Ending, StopCause};
use crate::store::{ShardState, Store};
use crate::ui::{CommandError, ExitCode};

/// Groups of errors that are shown.
const ERROR_GROUPS: u64 = 5;

/// The account of a run, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    job: &'a str,
    provider: &'a str,
    model: &'a str,
    ending: &'a str,
    reason: Option<String>,
    exit_code: u8,
    rows: u64,
    /// Rows by status; sums to `rows`.
    statuses: BTreeMap<&'static str, u64>,
    /// Rows whose wanted fields were found; `null` if none are wanted.
    parsed: Option<u64>,
    usage: Usage,
    /// `null` = unknown.
    cost: Option<f64>,
    errors: &'a [ErrorGroup],
    output: Option<String>,
    /// From the start of the job.
    seconds: f64,
    sandbox: bool,
}

/// How a run ended and what it left.
#[derive(Debug)]
pub(in crate::commands) struct End<'a> {
    /// How the drive ended.
    pub(in crate::commands) ending: &'a Ending,
    /// Whether the command was to wait for the end.
    pub(in crate::commands) waits: bool,
    /// The table.
    pub(in crate::commands) wrote: Wrote,
    /// Result files copied for the user.
    pub(in crate::commands) copied: Option<u64>,
    /// How long this process took.
    pub(in crate::commands) took: Duration,
}

/// The exit code of a drive.
pub(in crate::commands) fn exit_of(
    ending: &Ending,
    counts: &BTreeMap<RowStatus, u64>,
    waits: bool,
    allow_partial: bool,
) -> ExitCode {
    match ending {
        Ending::Done | Ending::Cancelled => {
            let all_good = counts.keys().all(|status| status.is_good());
            if all_good || allow_partial { ExitCode::Success } else { ExitCode::SomeRowsBad }
        }
        Ending::Waiting if waits => ExitCode::StillRunning,
        Ending::Waiting => ExitCode::Success,
        Ending::Stopped(StopCause::Interrupt) => ExitCode::Interrupted,
        Ending::Stopped(StopCause::Terminate) => ExitCode::Terminated,
        Ending::Refused(failure) if failure.kind == FailureKind::Credentials => {
            ExitCode::Credentials
        }
        Ending::Refused(_) | Ending::Unreachable(_) | Ending::NeedsOperator(_) => {
            ExitCode::NothingAccepted
        }
    }
}

/// Prints the account of a run and returns its exit code.
pub(in crate::commands) fn report(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
    end: &End<'_>,
) -> Result<ExitCode, CommandError> {
    let key = &found.job.key;
    let mut counts = store.status_counts(key)?;
    let settled: u64 = counts.values().sum();
    if settled < found.job.rows {
        counts.insert(RowStatus::Pending, found.job.rows - settled);
    }
    let exit = exit_of(end.ending, &counts, end.waits, context.settings.get(key::ALLOW_PARTIAL));
    let errors = store.error_groups(key, ERROR_GROUPS)?;
    let account = Account {
        job: found.job.short(),
        provider: &who.name,
        ending: end.ending,
        runs_on: store.shards(key)?.iter().any(|shard| shard.state == ShardState::Running),
        rows: found.job.rows,
        counts,
        parsed: end.wrote.parsed,
        errors: errors.into_iter().map(|(error, rows)| ErrorGroup { error, rows }).collect(),
        usage: store.usage(key)?,
        took: since_the_start(context, store, found, end.took)?,
        is_sandbox: who.is_sandbox,
        output: end.wrote.path.as_deref(),
        copies: end.copied.zip(found.spec.output.files_folder.as_deref()),
        folder: &context.folder,
        shell: context.shell,
    };
    if context.json {
        context.printer.json(&Report {
            schema_version: 1,
            job: account.job,
            provider: account.provider,
            model: &found.spec.question.model,
            ending: word(end.ending),
            reason: reason(end.ending),
            exit_code: exit.code(),
            rows: account.rows,
            statuses: account.counts.iter().map(|(status, n)| (status.as_str(), *n)).collect(),
            parsed: account.parsed,
            usage: account.usage,
            cost: None,
            errors: &account.errors,
            output: account.output.map(|path| path.display().to_string()),
            seconds: account.took.as_secs_f64(),
            sandbox: account.is_sandbox,
        })?;
    } else {
        for line in account.lines() {
            context.printer.note(&line);
        }
    }
    for line in account.next_steps() {
        context.printer.note(&line);
    }
    Ok(exit)
}

/// How long the job took from its start, waits between two processes included.
fn since_the_start(
    context: &Context,
    store: &Store,
    found: &Found,
    took: Duration,
) -> Result<Duration, CommandError> {
    let job = store.job_by_id(&found.job.key)?;
    let until = match job {
        Some(job) if job.state.is_over() => job.updated,
        _ => context.clock.unix(),
    };
    let whole = Duration::from_secs(u64::try_from(until - found.job.created).unwrap_or(0));
    // The ledger knows whole seconds only.
    let is_same_run = whole.abs_diff(took) < Duration::from_secs(2);
    Ok(if is_same_run { took } else { whole })
}

pub(super) fn word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Cancelled => "cancelled",
        Ending::Waiting => "still running",
        Ending::Stopped(_) => "stopped",
        Ending::Refused(_) => "refused",
        Ending::Unreachable(_) => "not reachable",
        Ending::NeedsOperator(_) => "needs a person",
    }
}

pub(super) fn reason(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Refused(failure) | Ending::Unreachable(failure) => Some(failure.message.clone()),
        Ending::NeedsOperator(why) => Some(why.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Failure;

    #[test]
    fn exit_codes_by_ending_and_rows() {
        let good = BTreeMap::from([(RowStatus::Ok, 3), (RowStatus::Cached, 1)]);
        let bad = BTreeMap::from([(RowStatus::Ok, 3), (RowStatus::Skipped, 1)]);
        let refused = |kind| Ending::Refused(Failure::ours(kind, "no"));
        let table = [
            (Ending::Done, &good, true, false, ExitCode::Success),
            (Ending::Done, &bad, true, false, ExitCode::SomeRowsBad),
            (Ending::Done, &bad, true, true, ExitCode::Success),
            (Ending::Cancelled, &bad, true, false, ExitCode::SomeRowsBad),
            (Ending::Waiting, &bad, true, false, ExitCode::StillRunning),
            (Ending::Waiting, &bad, false, false, ExitCode::Success),
            (Ending::Stopped(StopCause::Interrupt), &bad, true, true, ExitCode::Interrupted),
            (Ending::Stopped(StopCause::Terminate), &bad, true, true, ExitCode::Terminated),
            (refused(FailureKind::Credentials), &bad, true, false, ExitCode::Credentials),
            (refused(FailureKind::Invalid), &bad, true, false, ExitCode::NothingAccepted),
            (Ending::NeedsOperator("?".into()), &bad, true, true, ExitCode::NothingAccepted),
        ];
        for (ending, counts, waits, partial, expected) in table {
            assert_eq!(exit_of(&ending, counts, waits, partial), expected, "{ending:?}");
        }
    }
}
