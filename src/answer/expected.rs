//! The form that each answer is to have, read.

use super::fields::{FieldError, Fields};
use super::schema::{Schema, SchemaError};
use super::wanted::Wanted;
use crate::request::Form;

/// A form that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The fields.
    #[error(transparent)]
    Fields(#[from] FieldError),
    /// The schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A field that the schema does not have.
    #[error("field `{field}`: the schema does not have it; {remedy}")]
    NotInSchema {
        /// As it was typed, without its type.
        field: String,
        /// What to write instead.
        remedy: String,
    },
}

/// A form that was read: held for a whole run and lent to each judgement as [`Wanted`].
#[derive(Debug, Default, PartialEq)]
pub struct Expected {
    fields: Option<Fields>,
    schema: Option<Schema>,
    explodes: bool,
}

impl Expected {
    /// Reads and compiles a form.
    pub fn read(form: &Form) -> Result<Self, FormError> {
        let read = Self {
            fields: form.fields.as_deref().map(Fields::parse).transpose()?,
            schema: form.schema.as_deref().map(Schema::compile).transpose()?,
            explodes: form.explode,
        };
        if let (Some(fields), Some(schema)) = (&read.fields, &read.schema) {
            require_known(fields, schema, form.explode)?;
        }
        Ok(read)
    }

    /// What is wanted of one answer.
    pub fn wanted(&self) -> Wanted<'_> {
        let (fields, schema) = (self.fields.as_ref(), self.schema.as_ref());
        if self.explodes { Wanted::of_each(fields, schema) } else { Wanted::new(fields, schema) }
    }

    /// The schema, if there is one.
    pub fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }
}

impl From<Option<Fields>> for Expected {
    fn from(fields: Option<Fields>) -> Self {
        Self { fields, ..Self::default() }
    }
}

/// `of_each` says that the fields are those of the things in the schema's list.
fn require_known(fields: &Fields, schema: &Schema, of_each: bool) -> Result<(), FormError> {
    for field in fields {
        let Some(stranger) = schema.stranger(field, of_each) else { continue };
        let remedy = match stranger.nearest {
            Some(near) => format!("did you mean `{near}`?"),
            None if stranger.known.is_empty() => "there is nothing further in".to_owned(),
            None => format!("there it has {}", stranger.known.join(", ")),
        };
        return Err(FormError::NotInSchema { field: field.column.clone(), remedy });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_before_those_of_the_schema() {
        let schema = r#"{"type": "object", "properties": {"mood": {"type": "string"}}}"#;
        let list = r#"{"type": "object", "properties": {"things": {"type": "array",
            "items": {"type": "object", "properties": {"name": {}, "price": {}}}}}}"#;
        let not_json = "the schema is not JSON: EOF while parsing an object at line 1 column 1";
        let table = [
            (None, None, false, Ok("")),
            (Some("a,b"), None, false, Ok("a,b")),
            (None, Some(schema), false, Ok("mood")),
            (None, Some(schema), true, Ok("mood")),
            (None, Some(list), false, Ok("things")),
            (None, Some(list), true, Ok("name,price")),
            (Some("price"), Some(list), true, Ok("price")),
            (
                Some("nam"),
                Some(list),
                true,
                Err("field `nam`: the schema does not have it; did you mean `name`?"),
            ),
            (Some("mood:good|bad"), Some(schema), false, Ok("mood")),
            (
                Some("mood, modo"),
                Some(schema),
                false,
                Err("field `modo`: the schema does not have it; did you mean `mood`?"),
            ),
            (
                Some("zzz"),
                Some(schema),
                false,
                Err("field `zzz`: the schema does not have it; there it has mood"),
            ),
            (
                Some("mood.x"),
                Some(schema),
                false,
                Err("field `mood.x`: the schema does not have it; there is nothing further in"),
            ),
            (None, Some("{"), false, Err(not_json)),
        ];
        for (fields, schema, explode, expected) in table {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let form = Form { fields: text(fields), schema: text(schema), explode };
            let columns = Expected::read(&form).map(|expected| {
                let fields = expected.wanted().fields();
                fields.map(|f| f.columns().collect::<Vec<_>>().join(",")).unwrap_or_default()
            });
            let columns = columns.map_err(|error| error.to_string());
            assert_eq!(columns.as_deref().map_err(String::as_str), expected);
        }
    }
}
