//! A job: its rows from the ledger, the texts of their answers from its result files.

use super::Report;
use crate::answer::{Judged, Wanted, judge};
use crate::batch::{Outcome, decode_line};
use crate::commands::steps::{Answers, Found, Pages, expected, row_counts, spent_briefly};
use crate::result::{Artifacts, Seen};
use crate::store::{OutcomeRecord, Store};
use crate::ui::{CommandError, ExitCode};

/// Takes a job in, its rows named with the job where there are several. Its cost is what is stored
/// with its rows.
pub(super) fn add_job(
    store: &Store,
    found: &Found,
    names_job: bool,
    report: &mut Report,
) -> Result<(), CommandError> {
    let job = &found.job;
    let answers = Answers::of(store, found)?;
    let mut artifacts = answers.artifacts();
    let owner = if names_job { format!("{} ", job.short()) } else { String::new() };
    let expected = expected(&found.spec.form)?;
    let mut known = 0;
    for record in Pages::new(store, &job.key) {
        add_row(&record?, (&answers, &mut artifacts), (&owner, expected.wanted()), report)?;
        known += 1;
    }
    // Statuses sum to the rows of the job.
    let open = job.rows.saturating_sub(known);
    report.analysis.add_pending(open);
    if !job.state.is_over() {
        report.unfinished.push((job.short().to_owned(), open));
    }
    let spent = spent_briefly(store, job, &row_counts(store, job)?)?;
    report.called += spent.by_calls.rows;
    report.pay(spent.all, spent.currency, spent.is_charged);
    report.without_usage += spent.without_usage;
    Ok(())
}

fn add_row(
    record: &OutcomeRecord,
    (answers, artifacts): (&Answers, &mut Artifacts),
    (owner, wanted): (&str, Wanted<'_>),
    report: &mut Report,
) -> Result<(), CommandError> {
    let place = answers.place(record);
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
    let judged: Option<Judged<'_>> =
        line.as_ref().filter(|_| wanted.is_json()).map(|line| judge(line, wanted));
    let values = judged.as_ref().map(|judged| judged.values.as_slice());
    let answered = reply.and_then(|reply| reply.created_at);
    report.analysis.add(&Seen {
        name: &format!("{owner}row {}", record.row),
        status: record.status,
        class: record.class,
        error: record.error.as_deref(),
        usage: record.usage,
        text: reply.map(|reply| reply.content.as_str()),
        finish_reason: reply.and_then(|reply| reply.finish_reason.as_deref()),
        model: line.as_ref().and_then(|line| line.model.as_deref()),
        parse_status: judged.as_ref().and_then(|judged| judged.parse_status),
        values: wanted.fields().zip(values),
        seconds: place.and_then(|place| answers.seconds(place, answered)),
    });
    Ok(())
}
