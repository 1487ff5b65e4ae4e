//! Which rows the settings choose, and whether the answers can go where they should.

use super::tables::columns;
use crate::answer::Wanted;
use crate::commands::Context;
use crate::config::key;
use crate::job::{JobError, OutputSpec};
use crate::table::{Condition, RowRange, Selection, Table};
use crate::ui::{CommandError, ExitCode};

/// The rows that the settings select.
pub(in crate::commands) fn selection(
    context: &Context,
    table: &Table,
) -> Result<Selection, CommandError> {
    selection_for(context, table, "--skip-filled")
}

/// The rows that the settings select, where the column to fill was named by this flag.
pub(in crate::commands) fn selection_for(
    context: &Context,
    table: &Table,
    fill: &str,
) -> Result<Selection, CommandError> {
    let (settings, headers) = (&context.settings, table.headers());
    let range = RowRange { start: settings.get(key::START_ROW), end: settings.get(key::END_ROW) };
    let usage = |error| CommandError::new(ExitCode::Usage, error);
    let condition = |text: &String| {
        Condition::parse(text, headers)
            .map_err(|error| usage(error).context(format!("--where '{text}'")))
    };
    let conditions: Result<Vec<Condition>, _> =
        settings.get(key::WHERE).iter().map(condition).collect();
    let mut selection =
        Selection::new(range, conditions?, settings.get(key::MAX_ROWS), headers).map_err(usage)?;
    if let Some(column) = settings.get(key::SKIP_FILLED) {
        let filling = |error| usage(error).context(format!("{fill} '{column}'"));
        selection = selection.skipping_filled(&column, headers).map_err(filling)?;
    }
    if let Some(rows) = settings.get(key::SAMPLE) {
        selection =
            selection.sampling(rows, settings.get(key::SEED), table).map_err(JobError::from)?;
    }
    Ok(selection)
}

/// Makes sure before money is spent that the column of `--skip-filled` (or `--fill`) is one that
/// the answers have. `line` is the one to type instead, where it is known.
pub(in crate::commands) fn require_fillable(
    (flag, line): (&str, Option<String>),
    selection: &Selection,
    headers: &[String],
    wanted: Wanted<'_>,
    output: &OutputSpec,
) -> Result<(), CommandError> {
    let Some(column) = selection.filled_column() else { return Ok(()) };
    let name = headers[column].trim();
    let columns = columns(wanted, output);
    if columns.names().iter().any(|added| added.trim() == name) {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "{flag} {name} fills a column that the answers do not have: they have {}",
        columns.names().join(", ")
    ))
    .hint(line.unwrap_or_else(|| {
        if wanted.is_json() {
            format!("name one of --json-fields `{name}`")
        } else {
            "leave out --response-column".to_owned()
        }
    })))
}
