//! Another look for a job's table: flags about columns and places that come with a later
//! command, when the questions have long been asked.

use std::path::Path;

use super::begin::save_output;
use super::jobs::Found;
use super::output::{Destination, require_writable};
use crate::answer::Fields;
use crate::commands::Context;
use crate::commands::flags::{AnswerArgs, WriteArgs};
use crate::config::key;
use crate::store::Store;
use crate::ui::{CommandError, ExitCode};

/// Takes over what this command's flags say about the table and its place, and keeps it with
/// the job. What no flag names stays as the job was started with.
pub(in crate::commands) fn relook(
    context: &Context,
    store: &Store,
    found: &mut Found,
    write: &WriteArgs,
    answer: Option<&AnswerArgs>,
) -> Result<(), CommandError> {
    let before = (found.spec.output.clone(), found.spec.fields.clone());
    let output = &mut found.spec.output;
    output.overwrite |= write.overwrite;
    output.bom |= write.bom;
    output.row_index |= write.row_index;
    if let Some(folder) = context.settings.get(key::OUTPUT_DIR) {
        output.files_folder = Some(context.folder.join(folder));
    }
    if let Some(answer) = answer {
        output.details |= answer.details;
        output.all_rows |= answer.all_rows;
        output.response_column = answer.response_column.clone().or(output.response_column.take());
        if let Some(fields) = &answer.json_fields {
            Fields::parse(fields).map_err(|error| CommandError::new(ExitCode::Usage, error))?;
            found.spec.fields = Some(fields.clone());
        }
    }
    if let Some(named) = &write.output {
        let place = Destination::choose(Some(named), found.spec.source.as_ref(), context)?;
        require_writable(&place, write.overwrite, store, None)?;
        found.spec.output.path = place.path().map(Path::to_owned);
    }
    make_files_folder(found.spec.output.files_folder.as_deref())?;
    if before != (found.spec.output.clone(), found.spec.fields.clone()) {
        save_output(store, found)?;
    }
    Ok(())
}

/// Makes the folder for copies of result files before anything is sent: afterwards it would
/// stand between a paid answer and its table.
pub(super) fn make_files_folder(folder: Option<&Path>) -> Result<(), CommandError> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| {
        CommandError::usage(format!("cannot make the folder {}: {error}", folder.display()))
            .hint("name another folder in --output-dir")
    })
}
