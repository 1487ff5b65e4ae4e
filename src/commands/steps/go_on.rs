//! Driving a job on and telling how it stands: what `workflow`, `resume`, `watch`, `download`
//! and `cancel` have in common.

use std::time::Instant;

use super::finish::{ending_of, report};
use super::follow::{Follow, follow};
use super::jobs::Found;
use super::tables::{Rewrite, write_job_table};
use super::who::{Who, who_asked, who_of_job};
use crate::commands::{Context, is_storage};
use crate::store::Store;
use crate::ui::{CommandError, ExitCode};

/// Drives a job of the ledger as far as asked, writes its table, reports.
pub(in crate::commands) fn go_on(
    context: &Context,
    store: &Store,
    found: &Found,
    how: Follow,
) -> Result<ExitCode, CommandError> {
    // What is over is only written down: that needs neither key nor address.
    let who = if found.job.state.is_over() {
        who_asked(context, found)?
    } else {
        who_of_job(context, found)?
    };
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
    let ending = if found.job.state.is_over() {
        ending_of(&found.job)
    } else {
        follow(context, store, found, who, how).map_err(|error| resumable(error, found))?
    };
    let table = found.written_table()?;
    let output = write_job_table(context, store, found, &table, Rewrite::Final)
        .map_err(|error| resumable(error, found))?;
    report(context, store, found, (&ending, how.wait), output.as_deref(), started.elapsed())
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
