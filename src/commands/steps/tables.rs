//! Writing a job's table from the account and the result files.

use std::io;
use std::path::PathBuf;

use super::copies::copy_results;
use super::counts::RowCounts;
use super::jobs::Found;
use super::place::place;
use super::reshape::defaults;
use crate::answer::{Expected, RowStatus, Wanted};
use crate::commands::Context;
use crate::job::{Event, JobError, OutputSpec, Spec};
use crate::result::{
    Artifacts, ColumnOptions, Columns, Join, Place, Settled, Summary, write_table,
};
use crate::store::{OutcomeRecord, Store};
use crate::table::{Format, Table, Target, WriteOptions, Writer};
use crate::ui::{CommandError, ExitCode};

/// Outcomes read from the ledger at a time.
const PAGE: usize = 10_000;

/// Why a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Rewrite {
    /// The run goes on.
    InBetween,
    /// The run ended or stops waiting.
    Final,
}

/// A table that was written.
#[derive(Debug)]
pub(in crate::commands) struct Tabled {
    /// Where it is; `None` for standard output.
    pub(in crate::commands) path: Option<PathBuf>,
    /// What it says of the rows; `None` if it was not written just now.
    pub(in crate::commands) counts: Option<RowCounts>,
}

/// Writes the job's table, `pending` for what is open, and records what was written. Standard
/// output is written only once, not in between. What the user put in for rows without a good
/// answer is filled in once the job is over: until then a row may still be answered.
pub(in crate::commands) fn write_job_table(
    context: &Context,
    store: &Store,
    found: &Found,
    table: &Table,
    why: Rewrite,
) -> Result<Tabled, CommandError> {
    let lock = found.folder.lock_table().map_err(JobError::lock(found.job.short()))?;
    copy_results(context, store, found)?;
    let spec = &found.spec.output;
    let Some(path) = &spec.path else {
        // A pipe that nobody reads must not keep others from a file.
        drop(lock);
        let mut counts = None;
        if why == Rewrite::Final {
            let summary = write_to(context, store, found, table, (Target::Stdout, |_| Ok(())))?;
            counts = Some(told(store, found, &summary)?);
        }
        return Ok(Tabled { path: None, counts });
    };
    let Some((path, earlier)) = place(context, store, found, (path, why))? else {
        return Ok(Tabled { path: None, counts: None });
    };
    // Marked before it gets its name: a kill in between leaves a table that is known as ours.
    let mark = |digest: &str| {
        let digests = (digest, earlier.as_deref());
        let now = context.clock.unix();
        store
            .mark_output(&path.to_string_lossy(), digests, Some(&found.job.key), now)
            .map_err(io::Error::other)
    };
    let target = (Target::Path(path.clone()), mark);
    let summary = write_to(context, store, found, table, target)?;
    let counts = told(store, found, &summary)?;
    context.reporter().report(&Event::Written {
        path: path.to_string_lossy().into_owned(),
        rows: counts.rows_out.unwrap_or(found.job.rows),
    });
    Ok(Tabled { path: Some(path), counts: Some(counts) })
}

/// What a table that was written says of the rows. Of the job's own table it is kept; a line may
/// have asked for another look for once.
fn told(store: &Store, found: &Found, summary: &Summary) -> Result<RowCounts, CommandError> {
    let counts = RowCounts::of_table(summary);
    let own = Spec::of(&found.job)?;
    if own.form == found.spec.form && own.output.defaults == found.spec.output.defaults {
        counts.keep(store, &found.job)?;
    }
    Ok(counts)
}

fn write_to(
    context: &Context,
    store: &Store,
    found: &Found,
    table: &Table,
    (target, before): (Target, impl FnOnce(&str) -> io::Result<()>),
) -> Result<Summary, CommandError> {
    let spec = &found.spec;
    let records = store.artifacts(&found.job.key)?;
    let mut artifacts =
        Artifacts::new(records.iter().map(|a| found.folder.results().join(&a.name)).collect());
    let number_of = |id: i64| records.iter().position(|record| record.id == id);
    let settled = Pages::new(store, &found.job.key).map(|record| {
        record.map(|record| Settled {
            place: record.place.and_then(|(id, offset, length)| {
                Some(Place {
                    artifact: u32::try_from(number_of(id)?).ok()?,
                    offset,
                    length: u32::try_from(length).ok()?,
                })
            }),
            error: record.error,
            cost: record.cost,
            rounds: record.round,
            is_shared: record.usage.is_none(),
            ..Settled::new(record.row, Some(record.status))
        })
    });
    let expected = Expected::read(&spec.form);
    let expected = expected.map_err(|error| CommandError::new(ExitCode::Unexpected, error))?;
    let wanted = expected.wanted();
    let is_over = store.job_by_id(&found.job.key)?.is_some_and(|job| job.state.is_over());
    let defaults = defaults(wanted, &spec.output)?.filter(|_| is_over);
    let columns = columns(wanted, &spec.output);
    let mut options = write_options(&spec.output, &target, table);
    options.fill = found.written_selection().filled_column();
    let mut writer =
        Writer::create(target, table, columns.names(), &options).map_err(JobError::from)?;
    let join = Join {
        table,
        selection: found.written_selection(),
        columns: &columns,
        wanted,
        unsettled: RowStatus::Pending,
        all_rows: spec.output.all_rows,
        defaults: defaults.as_ref(),
        provider: &spec.provider,
        is_same_row: None,
    };
    let summary = write_table(join, settled, &mut artifacts, &mut writer)?;
    let written = writer.finish_after(before).map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    Ok(summary)
}

/// Which columns the answers become.
pub(in crate::commands) fn columns(wanted: Wanted<'_>, spec: &OutputSpec) -> Columns {
    let options =
        ColumnOptions { details: spec.details, response_column: spec.response_column.clone() };
    Columns::new(wanted, &options)
}

/// How the table is written: as it came, but for what was asked.
pub(in crate::commands) fn write_options(
    spec: &OutputSpec,
    target: &Target,
    table: &Table,
) -> WriteOptions {
    let named = match target {
        Target::Path(path) => Format::from_name(path),
        _ => None,
    };
    WriteOptions {
        format: Format::of_output(named, table.shape().format),
        bom: spec.bom.then_some(true),
        row_index: spec.row_index,
        raw_formulas: spec.raw_formulas,
        fill: None,
        encoding: None,
        delimiter: None,
    }
}

/// The outcomes of a job, read page by page so that they are never all in memory.
struct Pages<'a> {
    store: &'a Store,
    job: &'a str,
    page: std::vec::IntoIter<OutcomeRecord>,
    next: u64,
}

impl<'a> Pages<'a> {
    fn new(store: &'a Store, job: &'a str) -> Self {
        Self { store, job, page: Vec::new().into_iter(), next: 0 }
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<OutcomeRecord, crate::store::StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.page.next() {
            return Some(Ok(record));
        }
        match self.store.outcomes_from(self.job, self.next, PAGE) {
            Ok(page) => {
                self.next = page.last()?.row + 1;
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }
}
