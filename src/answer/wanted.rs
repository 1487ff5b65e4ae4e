//! What is wanted of an answer beyond its text, and whether a value gives it.

use serde_json::Value;

use super::fields::{Field, Fields, Step};
use super::kind::{Kind, named};
use super::mismatch::Mismatch;
use super::repair::{Repair, Repairs};
use super::schema::Schema;
use super::spelling::{has_accents, respelt};
use crate::base::redact;

/// An element beyond this of a list is not held against a schema alone.
const FARTHEST: usize = 1_000;

/// What an answer must hold. The default wants nothing: the text as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    fields: Option<&'a Fields>,
    schema: Option<&'a Schema>,
    is_of_each: bool,
}

impl<'a> Wanted<'a> {
    /// These fields, and JSON of this schema. Without fields those of the schema are wanted.
    pub fn new(fields: Option<&'a Fields>, schema: Option<&'a Schema>) -> Self {
        let fields = fields.or_else(|| schema.and_then(Schema::fields));
        Self { fields, schema, is_of_each: false }
    }

    /// The same, where an answer may hold several things, each with these fields. Without fields
    /// those are wanted that the schema has for each element of its list.
    pub fn of_each(fields: Option<&'a Fields>, schema: Option<&'a Schema>) -> Self {
        let fields = fields.or_else(|| schema.and_then(Schema::fields_of_each));
        Self { is_of_each: true, ..Self::new(fields, schema) }
    }

    /// Whether an answer may hold several things, of which each becomes a row.
    pub fn is_of_each(self) -> bool {
        self.is_of_each
    }

    /// The fields that become columns.
    pub fn fields(self) -> Option<&'a Fields> {
        self.fields
    }

    /// How many columns they become.
    pub(super) fn len(self) -> usize {
        self.fields.map_or(0, Fields::len)
    }

    /// Whether JSON is wanted at all.
    pub fn is_json(self) -> bool {
        self.fields.is_some() || self.schema.is_some()
    }

    /// The value with its keys as they are spelled in what is wanted, where only the spelling of
    /// accents keeps them apart.
    pub(super) fn respelt(self, value: Value) -> Value {
        if !has_accents(&value) {
            return value;
        }
        let mut names: Vec<&str> = Vec::new();
        for field in self.iter() {
            names.push(&field.column);
            names.extend(field.path.iter().filter_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            }));
        }
        if let Some(schema) = self.schema {
            keys_within(schema.value(), &mut names);
        }
        names.retain(|name| !name.is_ascii());
        if names.is_empty() { value } else { respelt(value, &names) }
    }

    /// How much of what is wanted a value holds: whether it fits the schema, and how many of the
    /// fields it has. `None` if it cannot be the answer.
    pub(super) fn worth(self, value: &Value) -> Option<(bool, usize)> {
        let hits = self.iter().filter(|field| field.find(value).is_some()).count();
        let fits = self.schema.is_some_and(|schema| held(schema, value).is_ok());
        let is_any = self.fields.is_none() && (value.is_object() || value.is_array());
        (hits > 0 || fits || is_any).then_some((fits, hits))
    }

    /// What a value says of what is wanted, to hold two answers against each other.
    pub(super) fn said(self, value: &Value) -> Vec<Option<Value>> {
        if self.fields.is_none() {
            return vec![Some(value.clone())];
        }
        let said = |field: &Field| {
            let value = field.find(value)?;
            Some(field.kind.take(value).map_or_else(|| value.clone(), |(value, _)| value))
        };
        self.iter().map(said).collect()
    }

    /// What is against the schema, as it reads after "the answer is not as wanted".
    pub(super) fn against_schema(self, value: &Value) -> Vec<String> {
        let checked = self.schema.map_or(Ok(()), |schema| held(schema, value));
        checked.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    /// The places in an answer whose values are against the schema.
    pub(super) fn misfits(self, value: &Value) -> Vec<Vec<Step>> {
        let Some(schema) = self.schema else { return Vec::new() };
        match (held(schema, value), value.as_array().map(Vec::as_slice)) {
            (Ok(()), _) => Vec::new(),
            (Err(_), Some([only])) => schema.misfits(only),
            (Err(_), _) => schema.misfits(value),
        }
    }

    /// What the schema has against a value in the place of a field, as it reads behind the field's
    /// name. What it says of several fields together is not asked.
    pub(super) fn against(self, field: &Field, value: &Value) -> Option<String> {
        let schema = self.schema?;
        let is_far = |step: &Step| matches!(step, Step::Index(index) if *index > FARTHEST);
        // A list as long as that would have to be built.
        (!field.path.iter().any(is_far)).then_some(())?;
        let is_exact = |of: &Value| of["properties"].get(&field.column).is_some();
        let each = if self.is_of_each { schema.each() } else { None };
        let exact = is_exact(each.unwrap_or(schema.value()));
        let mut path =
            if exact { vec![Step::Key(field.column.clone())] } else { field.path.clone() };
        if each.is_some() {
            let list = schema.list_key().map(|key| Step::Key(key.to_owned()));
            path.splice(0..0, list.into_iter().chain([Step::Index(0)]));
        }
        let answer = path.iter().rev().fold(value.clone(), standing_at);
        let misfits = schema.misfits(&answer);
        misfits.iter().any(|place| place.starts_with(&path)).then_some(())?;
        let pointer: String = path.iter().map(pointer_of).collect();
        let is_there = |place: &str| place.starts_with(&pointer);
        let told = schema.check(&answer).err().unwrap_or_default();
        let told = told.into_iter().find(|mismatch| is_there(&mismatch.place));
        Some(told.map_or_else(|| "is against it".to_owned(), |mismatch| mismatch.fault))
    }

    /// Empties the values that stand at such places, as those against their field's type are.
    pub(super) fn blank(self, values: &mut [Option<Value>], misfits: &[Vec<Step>]) {
        for (field, value) in self.iter().zip(values) {
            if misfits.iter().any(|place| field.holds(place)) {
                *value = None;
            }
        }
    }

    fn iter(self) -> impl Iterator<Item = &'a Field> {
        self.fields.into_iter().flat_map(Fields::iter)
    }
}

/// A value as the member or element that a step leads to.
fn standing_at(value: Value, step: &Step) -> Value {
    match step {
        Step::Key(key) => Value::Object([(key.clone(), value)].into_iter().collect()),
        Step::Index(index) => {
            let mut items = vec![Value::Null; *index];
            items.push(value);
            Value::Array(items)
        }
    }
}

/// A step as a part of a JSON pointer.
fn pointer_of(step: &Step) -> String {
    match step {
        Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Step::Index(index) => format!("/{index}"),
    }
}

/// All keys in a value: in a schema the names of its properties are among them.
fn keys_within<'v>(value: &'v Value, names: &mut Vec<&'v str>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                names.push(key);
                keys_within(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys_within(item, names)),
        _ => {}
    }
}

/// Holds a value against a schema. Of a list with one element that element counts as the answer,
/// as it does for fields.
fn held(schema: &Schema, value: &Value) -> Result<(), Vec<Mismatch>> {
    schema.check(value).or_else(|mismatches| match value.as_array().map(Vec::as_slice) {
        Some([only]) => schema.check(only),
        _ => Err(mismatches),
    })
}

impl<'a> From<Option<&'a Fields>> for Wanted<'a> {
    fn from(fields: Option<&'a Fields>) -> Self {
        Self::new(fields, None)
    }
}

/// The values of the fields, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) values: Vec<Option<Value>>,
    /// Wanted top-level keys of any type that are not there.
    pub(super) absent: Vec<String>,
    /// Values against their type. Their cells stay empty.
    pub(super) faults: Vec<String>,
}

/// Takes the values of the fields out of an answer.
pub(super) fn take(wanted: Wanted<'_>, answer: &Value, repairs: &mut Repairs) -> Taken {
    let mut taken = Taken::default();
    for field in wanted.iter() {
        let value = if let Some(value) = field.find(answer) {
            typed(field, value, repairs, &mut taken.faults)
        } else {
            missing(field, answer, &mut taken);
            None
        };
        taken.values.push(value);
    }
    taken
}

fn typed(
    field: &Field,
    value: &Value,
    repairs: &mut Repairs,
    faults: &mut Vec<String>,
) -> Option<Value> {
    let is_blank = value.as_str().is_some_and(|text| text.trim().is_empty());
    let taken = match field.kind.take(value) {
        None if field.is_optional && (value.is_null() || is_blank) => Some((Value::Null, is_blank)),
        taken => taken,
    };
    let came = || redact(&named(value)).into_owned();
    let Some((value, is_converted)) = taken else {
        let fault = format!("`{}` is {} where {} is wanted", field.column, came(), field.kind);
        faults.push(fault);
        return None;
    };
    if is_converted {
        repairs.note(Repair::Converted { column: field.column.clone(), from: came() });
    }
    Some(value)
}

/// Names a key that is not there at all. A path that ends early below an existing key is no
/// complaint unless it has a type: lists are of different lengths.
fn missing(field: &Field, answer: &Value, taken: &mut Taken) {
    if field.is_optional {
        return;
    }
    if field.kind != Kind::Any {
        taken.faults.push(format!("`{}` is missing where {} is wanted", field.column, field.kind));
        return;
    }
    if let (Some(Step::Key(key)), Value::Object(object)) = (field.path.first(), answer)
        && !object.contains_key(key)
        && !taken.absent.contains(key)
    {
        taken.absent.push(key.clone());
    }
}
