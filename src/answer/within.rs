//! Whether a schema has a field at all: one that it does not describe would be an empty column in
//! every row, which is a slip of the pen and no wish.

use serde_json::Value;

use super::fields::{Field, Step};
use super::schema::Schema;
use crate::base::nearest;

/// Schemas of one place that are looked at; a schema may refer to itself.
const MOST: usize = 200;

/// A field that a schema does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stranger {
    /// The names that stand where the field's was looked for.
    pub(super) known: Vec<String>,
    /// The field as it may have been meant.
    pub(super) nearest: Option<String>,
}

impl Schema {
    /// Nothing if the schema has the field or leaves open what there is; with `of_each` looked for
    /// in each thing of its list.
    pub(super) fn stranger(&self, field: &Field, of_each: bool) -> Option<Stranger> {
        let root = self.each().filter(|_| of_each).unwrap_or(self.value());
        let mut at = self.unfolded(vec![root]);
        if at.iter().any(|schema| schema["properties"].get(&field.column).is_some()) {
            return None;
        }
        for (number, step) in field.path.iter().enumerate() {
            if at.iter().all(|schema| !is_closed(schema)) {
                return None;
            }
            let inside: Vec<&Value> = at.iter().flat_map(|schema| inner(schema, step)).collect();
            if inside.is_empty() {
                return Some(stranger(field, number, &at));
            }
            at = self.unfolded(inside);
        }
        None
    }

    /// These schemas with all that they refer to and choose from.
    fn unfolded<'s>(&'s self, schemas: Vec<&'s Value>) -> Vec<&'s Value> {
        let mut all: Vec<&Value> = Vec::new();
        let mut open = schemas;
        while let Some(schema) = open.pop() {
            if all.len() >= MOST || all.iter().any(|known| std::ptr::eq(*known, schema)) {
                continue;
            }
            all.push(schema);
            let path = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
            open.extend(path.and_then(|path| self.value().pointer(path)));
            for group in ["allOf", "anyOf", "oneOf"] {
                open.extend(schema[group].as_array().into_iter().flatten());
            }
            open.extend(["if", "then", "else"].iter().filter_map(|key| schema.get(key)));
        }
        all
    }
}

/// Whether a schema says what there is one step further in, so that anything else is a slip.
fn is_closed(schema: &Value) -> bool {
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => Vec::from_iter(one.as_str()),
    };
    let is_plain = !types.is_empty() && types.iter().all(|one| !matches!(*one, "object" | "array"));
    is_plain || ["properties", "items", "prefixItems"].iter().any(|key| schema.get(key).is_some())
}

/// The schemas of what is one step further in.
fn inner<'s>(schema: &'s Value, step: &Step) -> Vec<&'s Value> {
    let element = |index: usize| {
        schema["prefixItems"]
            .get(index)
            .or_else(|| schema.get("items"))
            .filter(|s| **s != Value::Bool(false))
    };
    match step {
        Step::Index(index) => element(*index).into_iter().collect(),
        Step::Key(key) => {
            let mut found: Vec<&Value> = schema["properties"].get(key).into_iter().collect();
            found.extend(key.parse().ok().and_then(element));
            let open = schema.get("additionalProperties").filter(|s| **s != Value::Bool(false));
            found.extend(open);
            found.extend(
                schema["patternProperties"].as_object().into_iter().flat_map(|all| all.values()),
            );
            found
        }
    }
}

fn stranger(field: &Field, number: usize, at: &[&Value]) -> Stranger {
    let known: Vec<String> = at
        .iter()
        .filter_map(|schema| schema["properties"].as_object())
        .flat_map(|object| object.keys().cloned())
        .collect();
    let is_list = at.iter().any(|schema| schema.get("items").is_some());
    let nearest = match &field.path[number] {
        Step::Key(key) => match nearest(key, known.iter().map(String::as_str)) {
            Some(near) => Some(written(field, number, near)),
            None if is_list && known.is_empty() => {
                Some(written(field, number, &format!("[0].{key}")))
            }
            None => None,
        },
        Step::Index(_) => None,
    };
    Stranger { known, nearest }
}

/// The field with another key at one of its steps, as it is typed.
fn written(field: &Field, number: usize, key: &str) -> String {
    let mut text = String::new();
    for (position, step) in field.path.iter().enumerate() {
        let step = match step {
            Step::Key(_) if position == number => key.to_owned(),
            Step::Key(own) => own.clone(),
            Step::Index(index) => format!("[{index}]"),
        };
        if !text.is_empty() && !step.starts_with('[') {
            text.push('.');
        }
        text.push_str(&step);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Fields;

    const SCHEMA: &str = r##"{
        "type": "object",
        "properties": {
            "mood": {"enum": ["good", "bad"]},
            "pay": {"$ref": "#/$defs/pay"},
            "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {}}}},
            "who": {"anyOf": [{"type": "null"}, {"properties": {"id": {"type": "string"}}}]},
            "rest": {"type": "object"},
            "open": {"properties": {"a": {}}, "additionalProperties": {"type": "number"}},
            "a.b": {"type": "string"},
            "self": {"$ref": "#"}
        },
        "$defs": {"pay": {"type": "object", "properties": {"amount": {"type": "number"}}}}
    }"##;

    #[test]
    fn fields_that_a_schema_does_not_have_are_told_with_the_nearest() {
        let schema = Schema::compile(SCHEMA).unwrap();
        let known = [
            "mood",
            "pay.amount",
            "tags[3].name",
            "tags.3.name",
            "who.id",
            "rest.x.y",
            "open.b",
            "a.b",
            "self.self.mood",
            "tags",
            "tags[0].name.deeper",
        ];
        for field in known {
            let fields = Fields::parse(field).unwrap();
            assert_eq!(schema.stranger(fields.iter().next().unwrap(), false), None, "{field}");
        }
        let strange = [
            ("moood", Some("mood")),
            ("zzz", None),
            ("pay.amonut", Some("pay.amount")),
            ("tags.name", Some("tags[0].name")),
            ("tags[0].nam", Some("tags[0].name")),
            ("pay.amount.x", None),
            ("who.di", Some("who.id")),
            ("[0].mood", None),
            ("self.modo", Some("self.mood")),
            ("open.b.c", None),
        ];
        for (field, nearest) in strange {
            let fields = Fields::parse(field).unwrap();
            let stranger = schema.stranger(fields.iter().next().unwrap(), false).expect(field);
            assert_eq!(stranger.nearest.as_deref(), nearest, "{field}");
        }
    }
}
