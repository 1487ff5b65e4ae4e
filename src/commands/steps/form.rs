//! What the settings want of each answer.

use crate::answer::Expected;
use crate::commands::Context;
use crate::config::key;
use crate::request::Form;
use crate::ui::{CommandError, ExitCode};

/// The form that the settings want.
pub(in crate::commands) fn form(context: &Context) -> Form {
    Form { fields: context.settings.get(key::JSON_FIELDS), schema: None }
}

/// A form as the user gave it, read.
pub(in crate::commands) fn expected(form: &Form) -> Result<Expected, CommandError> {
    Expected::read(form).map_err(|error| CommandError::new(ExitCode::Usage, error))
}
