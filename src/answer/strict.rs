//! What the strict mode of `OpenAI` refuses in a schema. It is told before anything is sent, and
//! such a schema is sent without strict mode: the answers are held against it here all the same.

use serde_json::Value;

use super::schema::Schema;

/// Keywords that strict mode is known to take; what others do there nobody promises.
const TAKEN: [&str; 23] = [
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "definitions",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "multipleOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
];
/// Deeper nesting of objects is refused.
const LEVELS: usize = 10;
/// More properties in all are refused.
const PROPERTIES: usize = 5_000;
/// More than this many reasons help nobody.
const MOST: usize = 5;

impl Schema {
    /// Why strict mode would refuse this schema, each with its place; empty if it takes it.
    pub fn strict_faults(&self) -> Vec<String> {
        let mut walk = Walk::default();
        let top = self.value();
        if !self.says_object() {
            walk.fault("/", "the top must say \"type\": \"object\"");
        }
        walk.schema(top, "", 0);
        if walk.properties > PROPERTIES {
            walk.fault("/", &format!("more than {PROPERTIES} properties"));
        }
        walk.faults.truncate(MOST);
        walk.faults
    }
}

#[derive(Default)]
struct Walk {
    faults: Vec<String>,
    properties: usize,
}

impl Walk {
    fn fault(&mut self, place: &str, what: &str) {
        self.faults.push(format!("{place}: {what}"));
    }

    fn schema(&mut self, schema: &Value, place: &str, level: usize) {
        let Some(keywords) = schema.as_object() else { return };
        let shown = if place.is_empty() { "/" } else { place };
        for keyword in keywords.keys().filter(|keyword| !TAKEN.contains(&keyword.as_str())) {
            self.fault(shown, &format!("`{keyword}` is not known to be taken"));
        }
        let is_object = keywords.contains_key("properties") || names_object(schema);
        if is_object {
            self.object(schema, shown);
            if level >= LEVELS {
                self.fault(shown, &format!("objects are more than {LEVELS} levels deep"));
                return;
            }
        }
        let level = level + usize::from(is_object);
        for group in ["properties", "$defs", "definitions"] {
            // Definitions are counted where they stand, which is less deep than where they are used.
            let level = if group == "properties" { level } else { 0 };
            for (name, inner) in schema[group].as_object().into_iter().flatten() {
                self.schema(inner, &format!("{place}/{group}/{}", escaped(name)), level);
            }
        }
        self.schema(&schema["items"], &format!("{place}/items"), level);
        for (position, inner) in schema["anyOf"].as_array().into_iter().flatten().enumerate() {
            self.schema(inner, &format!("{place}/anyOf/{position}"), level);
        }
    }

    fn object(&mut self, schema: &Value, place: &str) {
        if schema["additionalProperties"] != Value::Bool(false) {
            self.fault(place, "it must say \"additionalProperties\": false");
        }
        let names = schema["properties"].as_object().into_iter().flat_map(|object| object.keys());
        let required = schema["required"].as_array();
        let is_required = |name: &&String| {
            required.is_some_and(|list| list.iter().any(|known| known.as_str() == Some(name)))
        };
        self.properties += names.clone().count();
        let missing: Vec<String> =
            names.filter(|name| !is_required(name)).map(|name| format!("`{name}`")).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            self.fault(place, &format!("`required` must name {missing} (null may be a type)"));
        }
    }
}

fn names_object(schema: &Value) -> bool {
    match &schema["type"] {
        Value::String(kind) => kind == "object",
        Value::Array(kinds) => kinds.iter().any(|kind| kind.as_str() == Some("object")),
        _ => false,
    }
}

/// A name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strict_mode_refuses_is_told_with_its_place() {
        let good = r##"{"type": "object", "additionalProperties": false, "required": ["a", "b"],
            "properties": {"a": {"type": ["string", "null"]}, "b": {"$ref": "#/$defs/b"}},
            "$defs": {"b": {"type": "array", "items": {"enum": [1, 2]}}}}"##;
        let table: [(&str, &[&str]); 5] = [
            (good, &[]),
            (
                r#"{"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}"#,
                &[
                    "/: it must say \"additionalProperties\": false",
                    "/: `required` must name `a` (null may be a type)",
                ],
            ),
            (
                r#"{"type": "object", "additionalProperties": false, "required": ["a"],
                    "properties": {"a": {"type": "array", "items": {"properties": {}}}}}"#,
                &["/properties/a/items: it must say \"additionalProperties\": false"],
            ),
            (
                r#"{"type": "object", "additionalProperties": false, "required": ["a/b"],
                    "properties": {"a/b": {"type": "string", "minLength": 2, "default": ""}}}"#,
                &[
                    "/properties/a~1b: `minLength` is not known to be taken",
                    "/properties/a~1b: `default` is not known to be taken",
                ],
            ),
            (
                r#"{"anyOf": [{"type": "object", "additionalProperties": false}]}"#,
                &["/: the top must say \"type\": \"object\""],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(Schema::compile(text).unwrap().strict_faults(), expected, "{text}");
        }
    }

    #[test]
    fn schemas_too_deep_are_told() {
        let mut text = r#"{"type": "string"}"#.to_owned();
        for _ in 0..12 {
            text = format!(
                r#"{{"type": "object", "additionalProperties": false, "required": ["a"],
                    "properties": {{"a": {text}}}}}"#
            );
        }
        let faults = Schema::compile(&text).unwrap().strict_faults();
        assert!(faults[0].ends_with("objects are more than 10 levels deep"), "{faults:?}");
    }
}
