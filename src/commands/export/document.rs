//! The JSON document: whose rows they are, what there is to say of all, then each row in order.

use std::io::{self, BufWriter, Seek, Write};

use serde::Serialize;

use super::Wrote;
use super::joined::Joined;
use super::place::Place;
use super::questions::Questions;
use crate::batch::Usage;
use crate::commands::Context;
use crate::commands::steps::{Answers, Found, row_counts, spent};
use crate::cost::CostDocument;
use crate::job::JobError;
use crate::result::{Statistics, export_rows};
use crate::store::Store;
use crate::ui::CommandError;

/// What stands before the rows.
#[derive(Serialize)]
struct Head<'a> {
    schema_version: u32,
    job: &'a str,
    state: &'static str,
    provider: &'a str,
    model: &'a str,
    /// The table as it was named.
    table: &'a str,
    statistics: All<'a>,
}

/// Of all selected rows, those that `--status` leaves out too.
#[derive(Serialize)]
struct All<'a> {
    #[serde(flatten)]
    statistics: Statistics<'a>,
    usage: Usage,
    cost: CostDocument,
}

/// Writes the document.
pub(super) fn write_document(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<Wrote, CommandError> {
    let spec = &found.spec;
    let path = spec.output.path.as_deref();
    let answers = Answers::of(store, found)?;
    let mut questions = Questions::of(store, found, &answers, |_| Ok(()))?;
    let joined = Joined::of(found)?;
    let join = joined.join(found);
    // The sums stand first and are known last.
    let folder = path.and_then(|path| path.parent()).filter(|path| path.is_dir());
    let spool = folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in)?;
    let mut spool = BufWriter::new(spool);
    let settled = answers.all(store, &found.job.key);
    let mut artifacts = answers.artifacts();
    let exported = export_rows(join, settled, &mut artifacts, &mut questions, &mut spool)?;
    let mut rows = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
    let spent = spent(store, &found.job, &row_counts(store, &found.job)?)?;
    let head = serde_json::to_string(&Head {
        schema_version: 1,
        job: found.job.short(),
        state: found.job.state.as_str(),
        provider: &spec.provider,
        model: &spec.question.model,
        table: &spec.source,
        statistics: All {
            statistics: exported.analysis.statistics(),
            usage: spent.all.usage,
            cost: spent.document(),
        },
    })?;
    let mut place = Place::create(path)?;
    let whole = |place: &mut Place| {
        rows.rewind()?;
        write!(place, "{},\n\"rows\":[", head.strip_suffix('}').unwrap_or(&head))?;
        io::copy(&mut rows, place)?;
        place.write_all(if exported.written == 0 { b"]}\n" } else { b"\n]}\n" })
    };
    written(whole, &mut place, path)?;
    place.finish(context, store, path)?;
    let rows = exported.analysis.total();
    Ok(Wrote { rows, written: exported.written, ..Wrote::default() })
}

/// Writes, and names the file where that fails.
pub(super) fn written<T>(
    write: impl FnOnce(&mut Place) -> io::Result<T>,
    place: &mut Place,
    path: Option<&std::path::Path>,
) -> Result<T, CommandError> {
    match (write(place), path) {
        (Ok(value), _) => Ok(value),
        (Err(error), Some(path)) => Err(JobError::file("write", path)(error).into()),
        // A closed pipe is a quiet success.
        (Err(error), None) => Err(error.into()),
    }
}
