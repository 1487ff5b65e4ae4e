//! `--default` and `--explode`: whether they make sense for what is asked, decided before anything
//! is sent.

use crate::answer::{DefaultError, Defaults, Wanted};
use crate::job::OutputSpec;
use crate::ui::{CommandError, ExitCode};

/// What the settings put in the cells of rows without a good answer.
pub(in crate::commands) fn defaults(
    wanted: Wanted<'_>,
    output: &OutputSpec,
) -> Result<Option<Defaults>, CommandError> {
    if output.defaults.is_empty() {
        return Ok(None);
    }
    if wanted.fields().is_none() {
        return Err(CommandError::usage(
            "--default fills the columns of wanted fields, and no field is wanted",
        )
        .hint("name them: --json-fields label,score --default label=unknown"));
    }
    Defaults::parse(&output.defaults, wanted).map(Some).map_err(|error| refused(&error))
}

fn refused(error: &DefaultError) -> CommandError {
    CommandError::new(ExitCode::Usage, error.clone()).context("--default")
}

/// Leaves out the defaults of a job that the fields of this line do not have.
pub(in crate::commands) fn keep_fitting(defaults: &mut Vec<String>, wanted: Wanted<'_>) {
    let fits = |text: &String| {
        let text = std::slice::from_ref(text);
        let parsed = Defaults::parse(text, wanted);
        wanted.fields().is_some() && parsed.and_then(|it| it.require_fit(text, wanted)).is_ok()
    };
    defaults.retain(fits);
}

/// Refuses what cannot be meant. `is_filling` says that answers go into a column of the table.
pub(in crate::commands) fn require_shape(
    wanted: Wanted<'_>,
    output: &OutputSpec,
    is_filling: bool,
) -> Result<(), CommandError> {
    if let Some(defaults) = defaults(wanted, output)? {
        defaults.require_fit(&output.defaults, wanted).map_err(|error| refused(&error))?;
    }
    if !wanted.is_of_each() {
        return Ok(());
    }
    if wanted.fields().is_none() {
        return Err(CommandError::usage(
            "--explode makes a row of each thing in an answer, and nothing says what they hold",
        )
        .hint("name their fields: --json-fields name,price --explode"));
    }
    if is_filling {
        return Err(CommandError::usage(
            "--explode makes several rows of one, and an answer that goes into a column of the \
             table has one cell",
        )
        .hint("leave out --explode, or write a table of its own with all rows"));
    }
    Ok(())
}
