//! What the settings want of each answer, read and checked before anything else is done.

use std::path::Path;

use crate::answer::{Expected, FormError, Schema};
use crate::commands::Context;
use crate::config::{Key, Source, key};
use crate::request::Form;
use crate::table::read_text;
use crate::ui::{CommandError, ExitCode};

/// What a schema of the line begins with, where a file would be named.
const TEXT: &str = "{";

/// Whether the settings want JSON at all; reads no file.
pub(super) fn wants_json(context: &Context) -> bool {
    context.settings.get(key::JSON_FIELDS).is_some()
        || context.settings.get(key::JSON_SCHEMA).is_some()
}

/// The form that the settings want.
pub(super) fn form(context: &Context) -> Result<Form, CommandError> {
    let settings = &context.settings;
    let schema = settings.get(key::JSON_SCHEMA);
    Ok(Form {
        fields: settings.get(key::JSON_FIELDS),
        schema: schema.map(|given| schema_text(context, &given)).transpose()?,
        explode: settings.get(key::EXPLODE),
    })
}

/// A form that was asked for before, with what the line wants on top: fields that are named choose
/// among those of the schema that was given before. Files of settings give only what was not
/// asked for at all: they may be meant for another table.
pub(in crate::commands) fn form_on(before: &Form, context: &Context) -> Result<Form, CommandError> {
    let is_said = [is_on_line(context, key::JSON_FIELDS), is_on_line(context, key::JSON_SCHEMA)]
        .contains(&true);
    if before.is_json() && !is_said {
        let explode = before.explode || is_on_line(context, key::EXPLODE);
        return Ok(Form { explode, ..before.clone() });
    }
    let asked = form(context)?;
    Ok(Form {
        fields: asked.fields.or_else(|| before.fields.clone()),
        schema: asked.schema.or_else(|| before.schema.clone()),
        explode: asked.explode || before.explode,
    })
}

/// Whether a setting was given on the command line.
pub(super) fn is_on_line<T>(context: &Context, key: Key<T>) -> bool {
    context.settings.source(key) == Some(&Source::Flag)
}

/// A form as the user gave it, read.
pub(in crate::commands) fn expected(form: &Form) -> Result<Expected, CommandError> {
    Expected::read(form).map_err(|error| {
        let flag = match &error {
            FormError::Fields(_) | FormError::NotInSchema { .. } => "--json-fields",
            FormError::Schema(_) => "--json-schema",
        };
        CommandError::new(ExitCode::Usage, error).context(flag)
    })
}

/// A schema on one line, so that its line breaks and spaces make no other run of it.
fn schema_text(context: &Context, given: &str) -> Result<String, CommandError> {
    let given = given.trim();
    let (place, text) = if given.starts_with(TEXT) {
        ("--json-schema".to_owned(), given.to_owned())
    } else {
        let path = given.strip_prefix('@').unwrap_or(given);
        (format!("--json-schema {path}"), file_text(context, path)?)
    };
    Schema::compile(&text)
        .map(|schema| schema.given().to_string())
        .map_err(|error| CommandError::new(ExitCode::Usage, error).context(place))
}

fn file_text(context: &Context, path: &str) -> Result<String, CommandError> {
    let file = context.folder.join(path);
    if !file.is_file() {
        return Err(CommandError::usage(format!("the schema file {path} is not there")).hint(
            "name a file with a JSON schema, or write the schema itself, beginning with `{`",
        ));
    }
    read_text(Path::new(&file), None).map_err(|error| CommandError::new(ExitCode::Usage, error))
}
