//! What is said at the end, and the exit code that says it to a script.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::account::{Account, ErrorGroup};
use super::again_price::AgainPrice;
use super::asked::AskedDocument;
use super::counts::RowCounts;
use super::follow::{ROUNDS, rounds};
use super::hits::Hits;
use super::jobs::Found;
use super::next_steps::hints;
use super::spent::{about, spent};
use super::tables::Tabled;
use super::who::SANDBOX_URL;
use crate::answer::RowStatus;
use crate::batch::{Failure, FailureKind, Usage};
use crate::commands::Context;
use crate::config::key;
use crate::cost::CostDocument;
use crate::job::{Ending, Prices, StopCause, WantedRows, terms_of};
use crate::request::Mode;
use crate::store::{JobRecord, JobState, ShardState, Store};
use crate::table::Format;
use crate::ui::{CommandError, ExitCode, seconds};

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
    /// What the rows were that are `defaulted` now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    defaulted: BTreeMap<&'static str, u64>,
    /// Rows that they became in the table; `null` if none was written.
    rows_out: Option<u64>,
    usage: Usage,
    cost: CostDocument,
    /// Who was asked by calls; empty where all went in batches.
    calls: Vec<AskedDocument<'a>>,
    cache: Hits,
    errors: &'a [ErrorGroup],
    output: Option<String>,
    seconds: f64,
    sandbox: bool,
}

/// The exit code of a drive.
pub(in crate::commands) fn exit_of(
    ending: &Ending,
    counts: &BTreeMap<RowStatus, u64>,
    waits: bool,
    allow_partial: bool,
) -> ExitCode {
    match ending {
        Ending::Done | Ending::Cancelled | Ending::Leftovers(_) => {
            let all_good = counts.keys().all(|status| status.is_good());
            if all_good || allow_partial { ExitCode::Success } else { ExitCode::SomeRowsBad }
        }
        Ending::Unclear(_) => ExitCode::StillRunning,
        Ending::Waiting if waits => ExitCode::StillRunning,
        Ending::Waiting => ExitCode::Success,
        Ending::Stopped(StopCause::Interrupt) => ExitCode::Interrupted,
        Ending::Stopped(StopCause::Terminate) => ExitCode::Terminated,
        Ending::Refused(failure) if failure.kind == FailureKind::Credentials => {
            ExitCode::Credentials
        }
        Ending::OverBudget(_) => ExitCode::Limit,
        Ending::Refused(_)
        | Ending::Unreachable(_)
        | Ending::NeedsOperator(_)
        | Ending::Halted(_) => ExitCode::NothingAccepted,
    }
}

/// The code of a command that only looks at a job: what the job ended with, 6 while it may go on
/// by itself.
pub(in crate::commands) fn exit_of_job(
    store: &Store,
    job: &JobRecord,
    allow_partial: bool,
) -> Result<ExitCode, CommandError> {
    let counts = RowCounts::of(store, job)?.shown();
    Ok(match job.state {
        JobState::Done | JobState::Cancelled | JobState::NeedsOperator => {
            exit_of(&ending_of(job), &counts, true, allow_partial)
        }
        JobState::Prepared | JobState::Running => ExitCode::StillRunning,
        JobState::Waiting => {
            let last = store.job_history(&job.key)?.exit.and_then(ExitCode::of_number);
            last.filter(|exit| needs_help(*exit)).unwrap_or(ExitCode::StillRunning)
        }
    })
}

/// Whether a job that stopped so does not go on until somebody mends something.
fn needs_help(exit: ExitCode) -> bool {
    matches!(
        exit,
        ExitCode::Credentials | ExitCode::NothingAccepted | ExitCode::Limit | ExitCode::Storage
    )
}

/// Rows by status; they sum to the rows of the job.
pub(in crate::commands) fn row_counts(
    store: &Store,
    job: &JobRecord,
) -> Result<BTreeMap<RowStatus, u64>, CommandError> {
    let mut counts = store.status_counts(&job.key)?;
    let settled: u64 = counts.values().sum();
    if settled < job.rows {
        counts.insert(RowStatus::Pending, job.rows - settled);
    }
    Ok(counts)
}

/// How a job that nobody drives stands.
pub(in crate::commands) fn ending_of(job: &JobRecord) -> Ending {
    match job.state {
        JobState::Done => Ending::Done,
        JobState::Cancelled => Ending::Cancelled,
        JobState::NeedsOperator => Ending::NeedsOperator(job.reason.clone().unwrap_or_default()),
        JobState::Prepared | JobState::Running | JobState::Waiting => Ending::Waiting,
    }
}

/// Prints the account of a run and returns its exit code.
pub(in crate::commands) fn report(
    context: &Context,
    store: &Store,
    found: &Found,
    (ending, waits): (&Ending, bool),
    table: Option<&Tabled>,
    took: Duration,
) -> Result<ExitCode, CommandError> {
    let key = &found.job.key;
    let counts = match table.and_then(|table| table.counts.as_ref()) {
        Some(counts) => counts.clone(),
        None => RowCounts::of(store, &found.job)?,
    };
    let output = table.and_then(|table| table.path.as_deref());
    let exit = exit_of(ending, &counts.shown(), waits, context.settings.get(key::ALLOW_PARTIAL));
    let errors = store.error_groups(key, ERROR_GROUPS)?;
    // Only where all places are taken there may be more: counting them takes a look at every row.
    let more_errors = if (errors.len() as u64) < ERROR_GROUPS {
        0
    } else {
        store.count_errors(key)?.saturating_sub(errors.len() as u64)
    };
    let states = store.shard_counts(key)?;
    // As it stands now: what was found before the drive still says that it runs.
    let job = store.job_by_id(key)?.unwrap_or_else(|| found.job.clone());
    let spent = spent(store, &job, &counts.ended)?;
    let again = rows_to_ask_again(store, key)?;
    let prices = Prices::of(store, &found.job)?;
    let forecast = terms_of(&found.job).forecast;
    let again_cost = {
        let price = prices.of_ask(None).map(|price| (price, found.spec.mode));
        about(spent.all, forecast.as_ref(), price, again)
    };
    let again_cost = with_reasks(store, found, again_cost, again)?;
    let account = Account {
        job: found.job.short(),
        provider: &found.job.provider,
        ending,
        runs_on: states.contains_key(&ShardState::Running),
        is_pruned: store.job_history(key)?.pruned.is_some(),
        is_collecting: [ShardState::Ended, ShardState::Stored]
            .iter()
            .any(|state| states.contains_key(state)),
        is_searching: [ShardState::Creating, ShardState::Unknown]
            .iter()
            .any(|state| states.contains_key(state)),
        rows: found.job.rows,
        counts,
        wants_fields: found.spec.form.is_json(),
        wants_schema: found.spec.form.schema.is_some(),
        more_errors,
        skipped_images: store.count_skipped_images(key)?,
        stays: statuses_that_stay(store, key)?,
        max_tokens: found.spec.question.max_tokens,
        errors: errors.into_iter().map(|(error, rows)| ErrorGroup { error, rows }).collect(),
        spent,
        took,
        is_sandbox: found.job.base_url == SANDBOX_URL,
        output,
        folder: &context.folder,
        again,
        again_cost,
        mode: found.spec.mode,
        has_batches: store.has_mode(key, Mode::Batch)?,
        asked: store.asked(key)?,
        can_mend: found.spec.shape.format != Format::Requests,
        rounds: rounds(context).or(found.spec.rounds).unwrap_or(ROUNDS),
    };
    if context.json {
        context.printer.json(&Report {
            schema_version: 1,
            job: account.job,
            provider: account.provider,
            model: &found.spec.question.model,
            ending: word(ending),
            reason: reason(ending),
            exit_code: exit.code(),
            rows: account.rows,
            statuses: account.counts.by_name(),
            defaulted: account.counts.filled_by_name(),
            rows_out: account.counts.rows_out,
            usage: account.spent.all.usage,
            cost: account.spent.document(),
            calls: account.asked.iter().map(AskedDocument::of).collect(),
            cache: account.hits(),
            errors: &account.errors,
            output: output.map(|path| path.display().to_string()),
            seconds: seconds(took),
            sandbox: account.is_sandbox,
        })?;
    } else {
        for line in account.lines() {
            context.printer.note(&line);
        }
    }
    for hint in hints(context, &account, found) {
        context.printer.note(&hint);
    }
    Ok(exit)
}

/// The price of asking rows again with that of the second questions which their answers may need.
fn with_reasks(
    store: &Store,
    found: &Found,
    first: Option<u64>,
    rows: u64,
) -> Result<Option<u64>, CommandError> {
    if found.spec.reask == 0 || rows == 0 {
        return Ok(first);
    }
    let reasks = AgainPrice::own(store, found)?.likely_reasks(rows);
    Ok(first.zip(reasks).map(|(first, reasks)| first.saturating_add(reasks)))
}

pub(super) fn word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Cancelled => "cancelled",
        Ending::Leftovers(_) => "collected",
        Ending::Waiting => "still running",
        Ending::Unclear(_) => "unclear",
        Ending::Halted(_) => "stopped itself",
        Ending::OverBudget(_) => "stopped at a limit",
        Ending::Stopped(_) => "stopped",
        Ending::Refused(_) => "refused",
        Ending::Unreachable(_) => "not reachable",
        Ending::NeedsOperator(_) => "needs a person",
    }
}

pub(in crate::commands) fn reason(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Refused(failure) | Ending::Unreachable(failure) => Some(words(failure)),
        Ending::NeedsOperator(why) | Ending::Unclear(why) | Ending::Halted(why) => {
            Some(why.clone())
        }
        Ending::OverBudget(over) => Some(over.why.clone()),
        _ => None,
    }
}

/// The provider's words with its status and code.
fn words(failure: &Failure) -> String {
    let status = failure.status.map(|status| format!("HTTP {status}"));
    let code = failure.code.clone().filter(|code| !failure.message.contains(code.as_str()));
    let signs: Vec<_> = status.into_iter().chain(code).collect();
    if signs.is_empty() {
        return failure.message.clone();
    }
    format!("{} ({})", failure.message, signs.join(", "))
}

/// Rows that are not good and may be when asked again as they are.
fn rows_to_ask_again(store: &Store, job: &str) -> Result<u64, CommandError> {
    let wanted = WantedRows::default();
    let classes = store.open_classes(job)?.into_iter();
    Ok(classes.filter(|(status, class, _)| wanted.takes(*status, *class)).map(|(_, _, n)| n).sum())
}

/// Statuses of rows that would end the same way when asked again as they are.
fn statuses_that_stay(store: &Store, job: &str) -> Result<Vec<RowStatus>, CommandError> {
    let wanted = WantedRows::default();
    let classes = store.open_classes(job)?.into_iter();
    let mut stays: Vec<RowStatus> = classes
        .filter(|(status, class, _)| !wanted.takes(*status, *class))
        .map(|(status, ..)| status)
        .collect();
    stays.dedup();
    Ok(stays)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{OverBudget, Raise};

    #[test]
    fn exit_codes_by_ending_and_rows() {
        let good = BTreeMap::from([(RowStatus::Ok, 3), (RowStatus::Cached, 1)]);
        let bad = BTreeMap::from([(RowStatus::Ok, 3), (RowStatus::Skipped, 1)]);
        let refused = |kind| Ending::Refused(Failure::ours(kind, "no"));
        let over_budget =
            || Ending::OverBudget(OverBudget { why: "spent".into(), raise: Raise::Nothing });
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
            (over_budget(), &good, true, true, ExitCode::Limit),
            (over_budget(), &bad, false, true, ExitCode::Limit),
        ];
        for (ending, counts, waits, partial, expected) in table {
            assert_eq!(exit_of(&ending, counts, waits, partial), expected, "{ending:?}");
        }
    }
}
