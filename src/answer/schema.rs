//! A JSON schema for the answers: read and compiled before any money is spent, then held against
//! each answer on this machine, whatever the provider promises.
//!
//! Nothing is fetched: a schema that refers to an address is refused.

use std::error::Error;
use std::fmt;

use boon::{Compiler, Draft, ErrorKind, Schemas, UrlLoader, ValidationError};
use serde_json::Value;

use super::circular::circular;
use super::fields::{Field, Fields, Step};
use super::mismatch::{Mismatch, gather, places};
use crate::base::nearest;

/// Where the schema stands for the compiler; no such address is ever asked.
const PLACE: &str = "answer:/schema.json";
/// Properties of other schemas that are followed to find the columns.
const REFERENCES: usize = 8;
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// A compiled schema. Equal if made from the same text.
pub struct Schema {
    name: String,
    given: Value,
    value: Value,
    schemas: Schemas,
    index: boon::SchemaIndex,
    fields: Option<Fields>,
    of_each: Option<Fields>,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The file is not JSON.
    #[error("the schema is not JSON: {0}")]
    NotJson(String),
    /// The top level is something that no provider takes.
    #[error(
        "the schema describes {0}; it must describe an object, with `\"type\": \"object\"` and `\"properties\"`"
    )]
    NotObject(String),
    /// A keyword has a value that it cannot have.
    #[error("the schema is wrong at `{place}`: {fault}")]
    Wrong {
        /// A JSON pointer into the schema.
        place: String,
        /// What is wrong, and what to write where that can be told.
        fault: String,
    },
    /// A reference that leads out of the schema.
    #[error("the schema refers to `{0}`, and nothing is fetched; copy it in under `$defs`")]
    Outside(String),
    /// No answer could be held against it.
    #[error(
        "the schema is circular at `{0}`: what stands there refers back to itself; a reference may only lead back below `properties` or `items`"
    )]
    Circular(String),
}

impl Schema {
    /// Reads and compiles a schema of JSON Schema 2020-12 (or of the draft that its `$schema`
    /// names). The wrappings in which providers take schemas are taken off.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        let text = text.trim_start_matches('\u{feff}');
        let given: Value =
            serde_json::from_str(text).map_err(|error| SchemaError::NotJson(error.to_string()))?;
        let (name, value) = unwrapped(given.clone());
        refuse_other_than_object(&value)?;
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.use_loader(Box::new(NothingOutside));
        let mut schemas = Schemas::new();
        compiler.add_resource(PLACE, value.clone()).map_err(|error| refusal(&error, &value))?;
        let index =
            compiler.compile(PLACE, &mut schemas).map_err(|error| refusal(&error, &value))?;
        if let Some(place) = circular(&value) {
            return Err(SchemaError::Circular(if place.is_empty() { "/".into() } else { place }));
        }
        let fields = |of: &Value| Fields::of(properties(&value, of).map(Field::of_key).collect());
        let of_each = only_list(&value).and_then(fields);
        let fields = fields(&value);
        Ok(Self { name, given, value, schemas, index, fields, of_each })
    }

    /// The schema itself, without a wrapping.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What was given, with its wrapping.
    pub fn given(&self) -> &Value {
        &self.given
    }

    /// Whether what was given says itself that strict mode is not wanted, as the wrapping of a
    /// provider can.
    pub fn declines_strict(&self) -> bool {
        let places = ["", "/json_schema", "/response_format/json_schema", "/format"];
        let said = |place: &str| self.given.pointer(place).and_then(|given| given.get("strict"));
        places.into_iter().filter_map(said).any(|strict| *strict == Value::Bool(false))
    }

    /// Whether its top says in plain words that it is an object, as services want to see it.
    pub fn says_object(&self) -> bool {
        self.value.get("type").and_then(Value::as_str) == Some("object")
    }

    /// What it is called on the wire: the name in its wrapping or its title, as far as providers
    /// take its letters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One field for each property at its top level, if there are any.
    pub fn fields(&self) -> Option<&Fields> {
        self.fields.as_ref()
    }

    /// One field for each property of the things in its list: at its top stands a single list of
    /// objects.
    pub fn fields_of_each(&self) -> Option<&Fields> {
        self.of_each.as_ref()
    }

    /// What it says of each thing in its list.
    pub(super) fn each(&self) -> Option<&Value> {
        only_list(&self.value)
    }

    /// The name of that list.
    pub(super) fn list_key(&self) -> Option<&str> {
        let each = self.each()?;
        let properties = followed(&self.value, &self.value)["properties"].as_object()?;
        let is_it = |property| {
            let items = followed(&self.value, property).get("items");
            items.is_some_and(|items| std::ptr::eq(followed(&self.value, items), each))
        };
        properties.iter().find(|(_, property)| is_it(property)).map(|(key, _)| key.as_str())
    }

    /// Holds an answer against it; the first differences, innermost first told.
    pub fn check(&self, answer: &Value) -> Result<(), Vec<Mismatch>> {
        self.schemas.validate(answer, self.index).map_err(|error| gather(&error))
    }

    /// The places of the values in an answer that do not fit, each as the steps to it.
    pub(super) fn misfits(&self, answer: &Value) -> Vec<Vec<Step>> {
        let checked = self.schemas.validate(answer, self.index);
        checked.err().map(|error| places(&error)).unwrap_or_default()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("value", &self.value).finish_non_exhaustive()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

struct NothingOutside;

impl UrlLoader for NothingOutside {
    fn load(&self, _: &str) -> Result<Value, Box<dyn Error>> {
        Err("nothing is fetched".into())
    }
}

/// Takes off `{"name": …, "schema": {…}}` and `{"type": "json_schema", "json_schema": {…}}`.
fn unwrapped(value: Value) -> (String, Value) {
    let mut name = None;
    let mut value = value;
    for key in ["response_format", "format", "json_schema", "schema"] {
        let has_own_keywords = value.get("properties").is_some() || value.get("$ref").is_some();
        if has_own_keywords || !value.get(key).is_some_and(Value::is_object) {
            continue;
        }
        name = value["name"].as_str().map(str::to_owned).or(name);
        value = value[key].take();
    }
    let name = name.or_else(|| value["title"].as_str().map(str::to_owned)).unwrap_or_default();
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = name.replace(' ', "_").chars().filter(allowed).take(64).collect();
    (if name.is_empty() { "answer".to_owned() } else { name }, value)
}

/// Providers take only objects at the top.
fn refuse_other_than_object(value: &Value) -> Result<(), SchemaError> {
    let Value::Object(schema) = value else {
        return Err(SchemaError::NotObject(super::kind::named(value)));
    };
    if schema.is_empty() {
        return Err(SchemaError::NotObject("nothing".to_owned()));
    }
    match schema.get("type") {
        Some(Value::String(kind)) if kind != "object" && TYPES.contains(&kind.as_str()) => {
            Err(SchemaError::NotObject(format!("`{kind}`")))
        }
        None if schema.keys().all(|key| !is_keyword(key)) => {
            // `{"label": "good|bad"}` is what people write who know examples and no schemas.
            let keys: Vec<&str> = schema.keys().map(String::as_str).collect();
            Err(SchemaError::NotObject(format!("nothing by its keys ({})", keys.join(", "))))
        }
        _ => Ok(()),
    }
}

fn is_keyword(key: &str) -> bool {
    key.starts_with('$')
        || matches!(key, "properties" | "required" | "additionalProperties" | "patternProperties")
        || matches!(key, "allOf" | "anyOf" | "oneOf" | "enum" | "const" | "if" | "not")
}

/// Why the compiler refused, in our words.
fn refusal(error: &boon::CompileError, schema: &Value) -> SchemaError {
    use boon::CompileError as E;
    let wrong = |place: &str, fault: String| SchemaError::Wrong { place: pointer(place), fault };
    match error {
        E::ValidationError { src, .. } => {
            let inner = deepest(src);
            let place = inner.instance_location.to_string();
            let found = schema.pointer(&place).unwrap_or(&Value::Null);
            let near = found.as_str().filter(|_| place.contains("type"));
            match near.and_then(|word| nearest(word, TYPES)) {
                Some(near) => {
                    wrong(&place, format!("{found} is no type; did you mean \"{near}\"?"))
                }
                None if matches!(inner.kind, ErrorKind::Format { want: "regex", .. }) => {
                    wrong(&place, bad_pattern(found.as_str().unwrap_or_default()))
                }
                None => wrong(&place, inner.kind.to_string()),
            }
        }
        E::InvalidRegex { url, regex, .. } => wrong(url, bad_pattern(regex)),
        E::JsonPointerNotFound(url) | E::InvalidJsonPointer(url) => {
            wrong("", format!("`$ref` to `{}` leads nowhere", pointer(url)))
        }
        E::AnchorNotFound { reference, .. } => {
            wrong("", format!("`$ref` to `{reference}` leads nowhere"))
        }
        E::LoadUrlError { url, .. }
        | E::UnsupportedUrlScheme { url }
        | E::ParseUrlError { url, .. } => SchemaError::Outside(url.replace("answer:/", "")),
        other => wrong("", other.to_string().replace(PLACE, "the schema")),
    }
}

/// The place within the schema that an address of ours names.
fn pointer(url: &str) -> String {
    let place = url.split_once('#').map_or(url, |(_, place)| place);
    let place = place.strip_prefix(PLACE).unwrap_or(place);
    if place.is_empty() { "/".to_owned() } else { place.to_owned() }
}

fn bad_pattern(pattern: &str) -> String {
    format!("the pattern `{pattern}` cannot be used (no look-around, no back references)")
}

/// The innermost complaint of the schema of schemas: the outer ones say only that there is one.
fn deepest<'e, 's, 'v>(error: &'e ValidationError<'s, 'v>) -> &'e ValidationError<'s, 'v> {
    let mut error = error;
    let depth = |error: &ValidationError<'_, '_>| error.instance_location.to_string().len();
    while let Some(cause) = error.causes.iter().max_by_key(|cause| depth(cause)) {
        error = cause;
    }
    error
}

/// The names of an object's properties, also where it is a reference.
fn properties<'a>(schema: &'a Value, object: &'a Value) -> impl Iterator<Item = &'a str> {
    let properties = followed(schema, object)["properties"].as_object();
    properties.into_iter().flat_map(|object| object.keys().map(String::as_str))
}

/// What the elements are of the only list of objects among the properties at the top.
fn only_list(schema: &Value) -> Option<&Value> {
    let of_list = |property| {
        let items = followed(schema, followed(schema, property).get("items")?);
        items["properties"].is_object().then_some(items)
    };
    let properties = followed(schema, schema)["properties"].as_object()?;
    let mut lists = properties.values().filter_map(of_list);
    lists.next().filter(|_| lists.next().is_none())
}

/// The part of a schema that a part refers to, or the part itself.
fn followed<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let mut part = part;
    for _ in 0..REFERENCES {
        let reference = part["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        let Some(target) = reference.and_then(|path| schema.pointer(path)) else { break };
        part = target;
    }
    part
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
