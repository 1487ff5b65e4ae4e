//! A job: its rows from the ledger, the texts of their answers from its result files.

use super::Report;
use crate::batch::{Outcome, decode_line};
use crate::commands::steps::{Found, row_counts, spent_briefly};
use crate::result::{Artifacts, Place, Seen};
use crate::store::{OutcomeRecord, Store};
use crate::ui::{CommandError, ExitCode};

/// Outcomes read from the ledger at a time.
const PAGE: usize = 10_000;

/// Takes a job in. Its cost is what is stored with its rows.
pub(super) fn add_job(
    store: &Store,
    found: &Found,
    report: &mut Report,
) -> Result<(), CommandError> {
    let job = &found.job;
    let records = store.artifacts(&job.key)?;
    let mut artifacts =
        Artifacts::new(records.iter().map(|a| found.folder.results().join(&a.name)).collect());
    let number_of = |id: i64| records.iter().position(|record| record.id == id);
    let place = |record: &OutcomeRecord| {
        let (id, offset, length) = record.place?;
        Some(Place {
            artifact: u32::try_from(number_of(id)?).ok()?,
            offset,
            length: u32::try_from(length).ok()?,
        })
    };
    let mut next = 0;
    loop {
        let page = store.outcomes_from(&job.key, next, PAGE)?;
        let Some(last) = page.last() else { break };
        next = last.row + 1;
        for record in &page {
            add_row(record, place(record), &mut artifacts, report)?;
        }
    }
    let spent = spent_briefly(store, job, &row_counts(store, job)?)?;
    report.pay(spent.all, spent.currency, spent.is_charged);
    report.without_usage += spent.without_usage;
    Ok(())
}

fn add_row(
    record: &OutcomeRecord,
    place: Option<Place>,
    artifacts: &mut Artifacts,
    report: &mut Report,
) -> Result<(), CommandError> {
    let line = match place {
        Some(place) => {
            let bytes = artifacts.read(place);
            let bytes = bytes.map_err(|error| CommandError::new(ExitCode::Storage, error))?;
            decode_line(bytes).ok()
        }
        None => None,
    };
    let reply = line.as_ref().and_then(|line| match &line.outcome {
        Outcome::Answered(reply) => Some(reply),
        Outcome::Failed(_) => None,
    });
    report.analysis.add(&Seen {
        name: &format!("row {}", record.row),
        status: record.status,
        class: record.class,
        error: record.error.as_deref(),
        usage: record.usage,
        text: reply.map(|reply| reply.content.as_str()),
        finish_reason: reply.and_then(|reply| reply.finish_reason.as_deref()),
        model: line.as_ref().and_then(|line| line.model.as_deref()),
    });
    Ok(())
}
