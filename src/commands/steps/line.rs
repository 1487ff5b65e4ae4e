//! What the line of `resume`, `watch`, `download` or `cancel` says about the table of a job that
//! another line made. It holds for this run; the job keeps what it was made with.

use std::path::Path;

use super::jobs::Found;
use super::output::{Destination, require_files_folder, require_folder};
use super::plan::output_spec;
use crate::answer::Fields;
use crate::commands::Context;
use crate::config::{Key, Source, key};
use crate::ui::{CommandError, ExitCode};

/// Lays what the flags of this line say over what the job was made with. `named` is the value of
/// `--output`. Settings of files and of the environment are those of new jobs and count for
/// nothing here.
pub(in crate::commands) fn as_this_line_says(
    context: &Context,
    found: &mut Found,
    named: Option<&Path>,
) -> Result<(), CommandError> {
    if let Some(named) = named {
        let source = Path::new(&found.spec.source);
        let destination = Destination::choose(Some(named), source, context)?;
        destination.path().map_or(Ok(()), require_folder)?;
        found.spec.output.path = destination.path().map(Path::to_owned);
    }
    if said(context, key::JSON_FIELDS) {
        let fields = context.settings.get(key::JSON_FIELDS);
        let parsed = fields.as_deref().map(Fields::parse).transpose();
        parsed.map_err(|error| CommandError::new(ExitCode::Usage, error))?;
        found.spec.fields = fields;
    }
    let wanted = output_spec(context);
    let output = &mut found.spec.output;
    if said(context, key::RESPONSE_COLUMN) {
        output.response_column = wanted.response_column;
    }
    if said(context, key::OUTPUT_DIR) {
        wanted.files_folder.as_deref().map_or(Ok(()), require_files_folder)?;
        output.files_folder = wanted.files_folder;
    }
    for (is_said, ours, wanted) in [
        (said(context, key::DETAILS), &mut output.details, wanted.details),
        (said(context, key::ALL_ROWS), &mut output.all_rows, wanted.all_rows),
        (said(context, key::ROW_INDEX), &mut output.row_index, wanted.row_index),
        (said(context, key::BOM), &mut output.bom, wanted.bom),
        (said(context, key::CSV_RAW), &mut output.raw_formulas, wanted.raw_formulas),
        (said(context, key::OVERWRITE), &mut output.overwrite, wanted.overwrite),
    ] {
        if is_said {
            *ours = wanted;
        }
    }
    Ok(())
}

/// Whether a flag of this line set it.
fn said<T>(context: &Context, key: Key<T>) -> bool {
    context.settings.source(key) == Some(&Source::Flag)
}
