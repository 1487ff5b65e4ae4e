//! Writing a job's table from the account and the result files.

use std::path::PathBuf;

use super::answers::Answers;
use super::copies::copy_results;
use super::counts::RowCounts;
use super::jobs::Found;
use super::marks::Marks;
use super::place::place;
use super::reshape::defaults;
use crate::answer::{Expected, RowStatus, Wanted};
use crate::commands::Context;
use crate::job::{Event, JobError, OutputSpec, Spec};
use crate::result::{ColumnOptions, Columns, Join, Summary, write_table};
use crate::store::Store;
use crate::table::{Format, Table, Target, WriteOptions, Writer};
use crate::ui::{CommandError, ExitCode};

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
    let marks = || marks_of(context, store, found);
    let Some(path) = &spec.path else {
        // A pipe that nobody reads must not keep others from a file.
        drop(lock);
        let mut counts = None;
        if why == Rewrite::Final {
            let summary = write_to(context, store, found, table, (Target::Stdout, marks()))?;
            counts = Some(told(store, found, &summary)?);
        }
        return Ok(Tabled { path: None, counts });
    };
    let Some(path) = place(context, store, found, (path, why))? else {
        return Ok(Tabled { path: None, counts: None });
    };
    // Marked before it gets its name: a kill in between leaves a table that is known as ours.
    let target = (Target::Path(path.clone()), marks().of_job(&found.job.key, &path));
    let summary = write_to(context, store, found, table, target)?;
    let counts = told(store, found, &summary)?;
    context.reporter().report(&Event::Written {
        path: path.to_string_lossy().into_owned(),
        rows: summary.written,
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
    (target, marks): (Target, Marks<'_>),
) -> Result<Summary, CommandError> {
    let spec = &found.spec;
    let answers = Answers::of(store, found)?;
    let mut artifacts = answers.artifacts();
    let settled = answers.all(store, &found.job.key);
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
        only: &spec.output.only,
        provider: &spec.provider,
    };
    let summary = write_table(join, settled, &mut artifacts, &mut writer)?;
    let written = writer.finish_for(&marks).map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    Ok(summary)
}

/// Writes the job's table in another place or look, beside its own: the same way, but it is not
/// the table that the job keeps up to date.
pub(in crate::commands) fn export_table(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<Summary, CommandError> {
    let table = found.written_table()?;
    let target = found.spec.output.path.clone().map_or(Target::Stdout, Target::Path);
    write_to(context, store, found, &table, (target, marks_of(context, store, found)))
}

/// The marks of a table of this job, which replaces its input least of all.
fn marks_of<'a>(context: &'a Context, store: &'a Store, found: &Found) -> Marks<'a> {
    let inputs = vec![context.folder.join(&found.spec.source)];
    Marks::new(context, store).replacing(found.spec.output.overwrite, inputs)
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
        Target::Path(path) => spec.format.or_else(|| Format::from_name(path)),
        _ => spec.format,
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
