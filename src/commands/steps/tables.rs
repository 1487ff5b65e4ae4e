//! Writing a job's table from the account and the result files.

use std::path::{Path, PathBuf};

use super::jobs::Found;
use super::output::{beside, is_untouched};
use crate::answer::{Fields, RowStatus};
use crate::commands::Context;
use crate::job::{Event, JobError, OutputSpec};
use crate::result::{Artifacts, ColumnOptions, Columns, Join, Place, Settled, write_table};
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

/// A table as it was written.
#[derive(Debug, Default)]
pub(in crate::commands) struct Wrote {
    /// Where it is; `None` for standard output.
    pub(in crate::commands) path: Option<PathBuf>,
    /// Rows whose wanted fields were found; `None` if no fields are wanted.
    pub(in crate::commands) parsed: Option<u64>,
}

/// Writes the job's table, `pending` for what is open, and records what was written. Standard
/// output is written only once, at the end.
pub(in crate::commands) fn write_job_table(
    context: &Context,
    store: &Store,
    found: &Found,
    table: &Table,
    why: Rewrite,
) -> Result<Wrote, CommandError> {
    let spec = &found.spec.output;
    let Some(path) = &spec.path else {
        if why == Rewrite::InBetween {
            return Ok(Wrote::default());
        }
        let (_, parsed) = write_to(context, store, found, table, Target::Stdout)?;
        return Ok(Wrote { path: None, parsed });
    };
    let path = place(context, store, found, path)?;
    let (digest, parsed) = write_to(context, store, found, table, Target::Path(path.clone()))?;
    let now = context.clock.unix();
    store.mark_output(&path.to_string_lossy(), &digest, Some(&found.job.key), now)?;
    context.reporter().report(&Event::Written {
        path: path.to_string_lossy().into_owned(),
        rows: found.job.rows,
    });
    Ok(Wrote { path: Some(path), parsed })
}

/// The place asked for, or one beside it if somebody edited the table that stands there.
fn place(
    context: &Context,
    store: &Store,
    found: &Found,
    path: &Path,
) -> Result<PathBuf, CommandError> {
    if found.spec.output.overwrite {
        return Ok(path.to_owned());
    }
    let mark = store.output_mark(&path.to_string_lossy())?;
    let ours = mark.as_ref().map(|mark| mark.digest.as_str());
    if is_untouched(path, ours).map_err(JobError::file("look at", path))? {
        return Ok(path.to_owned());
    }
    let other = beside(path, found.job.short());
    context.printer.warning(&format!(
        "{} was changed meanwhile; writing {} instead",
        path.display(),
        other.display()
    ));
    Ok(other)
}

fn write_to(
    context: &Context,
    store: &Store,
    found: &Found,
    table: &Table,
    target: Target,
) -> Result<(String, Option<u64>), CommandError> {
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
            rounds: record.round,
            ..Settled::new(record.row, Some(record.status))
        })
    });
    let fields = spec.fields.as_deref().map(Fields::parse).transpose();
    let fields = fields.map_err(|error| CommandError::new(ExitCode::Unexpected, error))?;
    let columns = columns(fields.as_ref(), &spec.output);
    let options = write_options(&spec.output, &target, table);
    let mut writer =
        Writer::create(target, table, columns.names(), &options).map_err(JobError::from)?;
    let join = Join {
        table,
        selection: &spec.selection,
        columns: &columns,
        fields: fields.as_ref(),
        unsettled: RowStatus::Pending,
        all_rows: spec.output.all_rows,
        provider: &spec.provider,
        is_same_row: None,
    };
    let summary = write_table(join, settled, &mut artifacts, &mut writer)?;
    let written = writer.finish().map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    Ok((written.digest, summary.parsed))
}

/// Which columns the answers become.
pub(in crate::commands) fn columns(fields: Option<&Fields>, spec: &OutputSpec) -> Columns {
    let options =
        ColumnOptions { details: spec.details, response_column: spec.response_column.clone() };
    Columns::new(fields, &options)
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
        format: named.unwrap_or(table.shape().format),
        bom: spec.bom.then_some(true),
        row_index: spec.row_index,
        raw_formulas: spec.raw_formulas,
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
