//! What the settings want of each answer.

use crate::answer::Expected;
use crate::commands::Context;
use crate::config::{Key, Source, key};
use crate::request::Form;
use crate::ui::{CommandError, ExitCode};

/// The form that the settings want.
pub(super) fn form(context: &Context) -> Form {
    let settings = &context.settings;
    Form {
        fields: settings.get(key::JSON_FIELDS),
        schema: None,
        explode: settings.get(key::EXPLODE),
    }
}

/// A form that was asked for before, with what the line wants on top. Files of settings give only
/// what was not asked for at all: they may be meant for another table.
pub(in crate::commands) fn form_on(before: &Form, context: &Context) -> Form {
    let asked = form(context);
    let is_new = is_on_line(context, key::JSON_FIELDS) || !before.is_json();
    let explode = before.explode || asked.explode && is_on_line(context, key::EXPLODE);
    let what = if is_new && asked.is_json() { asked } else { before.clone() };
    Form { explode, ..what }
}

/// Whether a setting was given on the command line.
pub(super) fn is_on_line<T>(context: &Context, key: Key<T>) -> bool {
    context.settings.source(key) == Some(&Source::Flag)
}

/// A form as the user gave it, read.
pub(in crate::commands) fn expected(form: &Form) -> Result<Expected, CommandError> {
    Expected::read(form).map_err(|error| CommandError::new(ExitCode::Usage, error))
}
