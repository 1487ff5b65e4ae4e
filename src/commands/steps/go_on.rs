//! Driving a job on and telling how it stands: what `workflow`, `resume`, `watch`, `download`
//! and `cancel` have in common.

use std::time::Instant;

use super::finish::{End, report};
use super::follow::{Follow, follow};
use super::jobs::Found;
use super::tables::{Rewrite, Wrote, write_job_table};
use super::who::{Who, who_of_job};
use crate::commands::Context;
use crate::job::{Ending, copy_results};
use crate::store::{JobState, Store};
use crate::ui::{CommandError, ExitCode};

/// Drives a job of the ledger as far as asked, writes its table, reports.
pub(in crate::commands) fn go_on(
    context: &Context,
    store: &Store,
    found: &Found,
    how: Follow,
) -> Result<ExitCode, CommandError> {
    let who = who_of_job(context, found)?;
    go_on_with(context, store, found, &who, how)
}

/// The same with a provider that is open already.
pub(in crate::commands) fn go_on_with(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
    how: Follow,
) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    // Held to the end, so that the last table's time is counted from what came before it.
    let _reporter = context.reporter();
    let ending = match found.job.state.is_over() {
        true if found.job.state == JobState::Cancelled => Ending::Cancelled,
        true => Ending::Done,
        false => follow(context, store, found, who, how)?,
    };
    let wrote = if is_worth_a_table(store, found, &ending)? {
        write_job_table(context, store, found, &found.table()?, Rewrite::Final)?
    } else {
        Wrote::default()
    };
    let copied = match &found.spec.output.files_folder {
        Some(to) => Some(copy_results(store, &found.folder, &found.job.key, to)?),
        None => None,
    };
    let end = End { ending: &ending, waits: how.wait, wrote, copied, took: started.elapsed() };
    report(context, store, found, who, &end)
}

/// A table in which every row is pending tells nothing and may hide an older one.
fn is_worth_a_table(store: &Store, found: &Found, ending: &Ending) -> Result<bool, CommandError> {
    let goes_on = matches!(ending, Ending::Waiting | Ending::Stopped(_));
    Ok(!goes_on || !store.status_counts(&found.job.key)?.is_empty())
}
