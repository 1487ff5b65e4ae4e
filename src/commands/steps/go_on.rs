//! Driving a job on and telling how it stands: what `workflow`, `resume`, `watch`, `download`
//! and `cancel` have in common.

use std::time::Instant;

use super::finish::report;
use super::follow::{Follow, follow};
use super::jobs::Found;
use super::tables::{Rewrite, write_job_table};
use super::who::{Who, who_of_job};
use crate::commands::Context;
use crate::job::{Ending, copy_results};
use crate::store::Store;
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
    let ending = match found.job.state.is_over() {
        true if found.job.state == crate::store::JobState::Cancelled => Ending::Cancelled,
        true => Ending::Done,
        false => follow(context, store, found, who, how)?,
    };
    if let Some(to) = &found.spec.output.files_folder
        && found.job.state.is_over()
    {
        copy_results(store, &found.job, &found.folder, to)?;
    }
    let table = found.table()?;
    let output = write_job_table(context, store, found, &table, Rewrite::Final)?;
    report(context, store, found, who, (&ending, how.wait), output.as_deref(), started.elapsed())
}
