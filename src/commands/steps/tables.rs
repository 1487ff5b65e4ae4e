//! Writing a job's table from the account and the result files.

use std::io;
use std::path::{Path, PathBuf};

use super::answers::Answers;
use super::copies::copy_results;
use super::jobs::Found;
use super::output::{beside, digest_at};
use crate::answer::{Expected, RowStatus, Wanted};
use crate::commands::Context;
use crate::job::{Event, JobError, OutputSpec};
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

/// Writes the job's table, `pending` for what is open, and records what was written. Returns
/// where it is; `None` for standard output in between, which is written only once.
pub(in crate::commands) fn write_job_table(
    context: &Context,
    store: &Store,
    found: &Found,
    table: &Table,
    why: Rewrite,
) -> Result<Option<PathBuf>, CommandError> {
    let lock = found.folder.lock_table().map_err(JobError::lock(found.job.short()))?;
    copy_results(context, store, found)?;
    let spec = &found.spec.output;
    let Some(path) = &spec.path else {
        // A pipe that nobody reads must not keep others from a file.
        drop(lock);
        if why == Rewrite::Final {
            write_to(context, store, found, table, (Target::Stdout, |_| Ok(())))?;
        }
        return Ok(None);
    };
    let (path, earlier) = place(context, store, found, path)?;
    // Marked before it gets its name: a kill in between leaves a table that is known as ours.
    let mark = |digest: &str| {
        let digests = (digest, earlier.as_deref());
        let now = context.clock.unix();
        store
            .mark_output(&path.to_string_lossy(), digests, Some(&found.job.key), now)
            .map_err(io::Error::other)
    };
    write_to(context, store, found, table, (Target::Path(path.clone()), mark))?;
    context.reporter().report(&Event::Written {
        path: path.to_string_lossy().into_owned(),
        rows: found.job.rows,
    });
    Ok(Some(path))
}

/// The place asked for, or one beside it if somebody edited the table that stands there; with the
/// digest of what stands there.
fn place(
    context: &Context,
    store: &Store,
    found: &Found,
    path: &Path,
) -> Result<(PathBuf, Option<String>), CommandError> {
    let now = digest_at(path).map_err(JobError::file("read", path))?;
    let Some(digest) = now else { return Ok((path.to_owned(), None)) };
    let mark = store.output_mark(&path.to_string_lossy())?;
    if found.spec.output.overwrite || mark.is_some_and(|mark| mark.is_ours(&digest)) {
        return Ok((path.to_owned(), Some(digest)));
    }
    let other = beside(path, found.job.short());
    context.printer.warning(&format!(
        "{} was changed meanwhile; writing {} instead",
        path.display(),
        other.display()
    ));
    let earlier = digest_at(&other).map_err(JobError::file("read", &other))?;
    Ok((other, earlier))
}

fn write_to(
    context: &Context,
    store: &Store,
    found: &Found,
    table: &Table,
    (target, before): (Target, impl FnOnce(&str) -> io::Result<()>),
) -> Result<Summary, CommandError> {
    let spec = &found.spec;
    let answers = Answers::of(store, found)?;
    let mut artifacts = answers.artifacts();
    let settled = answers.all(store, &found.job.key);
    let expected = Expected::read(&spec.form);
    let expected = expected.map_err(|error| CommandError::new(ExitCode::Unexpected, error))?;
    let wanted = expected.wanted();
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
        only: &spec.output.only,
        provider: &spec.provider,
    };
    let summary = write_table(join, settled, &mut artifacts, &mut writer)?;
    let written = writer.finish_after(before).map_err(JobError::from)?;
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
    let Some(path) = &found.spec.output.path else {
        return write_to(context, store, found, &table, (Target::Stdout, |_| Ok(())));
    };
    let earlier = digest_at(path).map_err(JobError::file("read", path))?;
    let mark = |digest: &str| mark_export(context, store, path, (digest, earlier.as_deref()));
    write_to(context, store, found, &table, (Target::Path(path.clone()), mark))
}

/// Records a file that is ours, and no job's own table: it may be written anew without being asked
/// for. Called before the file gets its name.
pub(in crate::commands) fn mark_export(
    context: &Context,
    store: &Store,
    path: &Path,
    digests: (&str, Option<&str>),
) -> io::Result<()> {
    let marked = store.mark_output(&path.to_string_lossy(), digests, None, context.clock.unix());
    marked.map_err(io::Error::other)
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
