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
/// Those of them that fine-tuned models do not take.
const NOT_TUNED: [&str; 9] = [
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "multipleOf",
    "pattern",
];
/// Formats of texts that are taken.
const FORMATS: [&str; 9] =
    ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"];
/// Deeper nesting of objects is refused.
const LEVELS: usize = 10;
/// More properties in all are refused.
const PROPERTIES: usize = 5_000;
/// More choices in all are refused.
const CHOICES: usize = 1_000;
/// More characters of names and choices in all are refused.
const CHARACTERS: usize = 120_000;
/// More than this many reasons help nobody.
const MOST: usize = 5;

impl Schema {
    /// Why strict mode would refuse this schema, each with its place; empty if it takes it.
    /// Fine-tuned models take fewer keywords.
    pub fn strict_faults(&self, is_fine_tuned: bool) -> Vec<String> {
        let mut walk = Walk { is_fine_tuned, ..Walk::default() };
        if !self.says_object() {
            walk.fault("/", "the top must say \"type\": \"object\"");
        }
        walk.schema(self.value(), "", 0);
        let sums = [
            (walk.properties, PROPERTIES, "properties"),
            (walk.choices, CHOICES, "choices"),
            (walk.characters, CHARACTERS, "characters in names and choices"),
        ];
        for (_, most, what) in sums.into_iter().filter(|(sum, most, _)| sum > most) {
            walk.fault("/", &format!("more than {most} {what}"));
        }
        walk.faults.truncate(MOST);
        walk.faults
    }
}

#[derive(Default)]
struct Walk {
    is_fine_tuned: bool,
    faults: Vec<String>,
    properties: usize,
    choices: usize,
    characters: usize,
}

impl Walk {
    fn fault(&mut self, place: &str, what: &str) {
        self.faults.push(format!("{place}: {what}"));
    }

    fn schema(&mut self, schema: &Value, place: &str, level: usize) {
        let shown = if place.is_empty() { "/" } else { place };
        let Some(keywords) = schema.as_object() else {
            self.fault(shown, "it must be an object");
            return;
        };
        let refused = |keyword: &&str| {
            !TAKEN.contains(keyword) || (self.is_fine_tuned && NOT_TUNED.contains(keyword))
        };
        let refused: Vec<&str> = keywords.keys().map(String::as_str).filter(refused).collect();
        for keyword in refused {
            self.fault(shown, &format!("`{keyword}` is not known to be taken"));
        }
        self.words(schema, shown);
        let is_object = keywords.contains_key("properties") || names(schema, "object");
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
                self.characters += name.chars().count();
                self.schema(inner, &format!("{place}/{group}/{}", escaped(name)), level);
            }
        }
        if let Some(items) = keywords.get("items") {
            self.schema(items, &format!("{place}/items"), level);
        }
        for (position, inner) in schema["anyOf"].as_array().into_iter().flatten().enumerate() {
            self.schema(inner, &format!("{place}/anyOf/{position}"), level);
        }
    }

    /// What holds of every kind of value.
    fn words(&mut self, schema: &Value, place: &str) {
        let has = |keyword: &str| schema.get(keyword).is_some();
        if has("$ref") {
            if schema.as_object().is_some_and(|keywords| keywords.len() > 1) && place != "/" {
                self.fault(place, "nothing may stand beside `$ref`");
            }
            return;
        }
        if !has("type") && !has("anyOf") {
            self.fault(place, "it must say its \"type\"");
        }
        if names(schema, "array") && !has("items") {
            self.fault(place, "it must say its \"items\"");
        }
        if let Some(format) = schema["format"].as_str().filter(|format| !FORMATS.contains(format)) {
            self.fault(place, &format!("the format `{format}` is not known to be taken"));
        }
        for choice in schema["enum"].as_array().into_iter().flatten().chain(schema.get("const")) {
            self.choices += 1;
            self.characters += choice.as_str().map_or(0, |text| text.chars().count());
        }
    }

    fn object(&mut self, schema: &Value, place: &str) {
        if schema["additionalProperties"] != Value::Bool(false) {
            self.fault(place, "it must say \"additionalProperties\": false");
        }
        let keys = schema["properties"].as_object().into_iter().flat_map(|object| object.keys());
        let keys: Vec<&str> = keys.map(String::as_str).collect();
        let required = schema["required"].as_array().into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Value::as_str).collect();
        self.properties += keys.len();
        let listed = |names: Vec<&str>| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let missing: Vec<&str> =
            keys.iter().copied().filter(|key| !required.contains(key)).collect();
        if !missing.is_empty() {
            let missing = listed(missing);
            self.fault(place, &format!("`required` must name {missing} (null may be a type)"));
        }
        let strange: Vec<&str> =
            required.iter().copied().filter(|key| !keys.contains(key)).collect();
        if !strange.is_empty() {
            let strange = listed(strange);
            self.fault(place, &format!("`required` names {strange}, which `properties` lacks"));
        }
    }
}

/// Whether a schema has this type, alone or among others.
fn names(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == kind,
        Value::Array(kinds) => kinds.iter().any(|one| one.as_str() == Some(kind)),
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
            "$defs": {"b": {"type": "array", "items": {"type": "integer", "enum": [1, 2]}}}}"##;
        let table: [(&str, &[&str]); 6] = [
            (good, &[]),
            (
                r#"{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "null"}},
                    "required": ["b", "c"]}"#,
                &[
                    "/: it must say \"additionalProperties\": false",
                    "/: `required` must name `a` (null may be a type)",
                    "/: `required` names `c`, which `properties` lacks",
                ],
            ),
            (
                r#"{"type": "object", "additionalProperties": false, "required": ["a"],
                    "properties": {"a": {"type": "array", "items": {"properties": {}}}}}"#,
                &[
                    "/properties/a/items: it must say its \"type\"",
                    "/properties/a/items: it must say \"additionalProperties\": false",
                ],
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
                r##"{"type": "object", "additionalProperties": false, "required": ["a", "b", "c"],
                    "properties": {"a": {"type": "array"}, "b": {"$ref": "#", "title": "x"},
                    "c": {"type": "string", "format": "uri"}}}"##,
                &[
                    "/properties/a: it must say its \"items\"",
                    "/properties/b: nothing may stand beside `$ref`",
                    "/properties/c: the format `uri` is not known to be taken",
                ],
            ),
            (
                r#"{"anyOf": [{"type": "object", "additionalProperties": false}]}"#,
                &["/: the top must say \"type\": \"object\""],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(Schema::compile(text).unwrap().strict_faults(false), expected, "{text}");
        }
    }

    #[test]
    fn fine_tuned_models_take_less() {
        let text = r#"{"type": "object", "additionalProperties": false, "required": ["a"],
            "properties": {"a": {"type": "number", "minimum": 0}}}"#;
        let schema = Schema::compile(text).unwrap();
        assert_eq!(schema.strict_faults(false), [""; 0]);
        assert_eq!(
            schema.strict_faults(true),
            ["/properties/a: `minimum` is not known to be taken"]
        );
    }

    #[test]
    fn schemas_too_large_are_told() {
        let choices: Vec<String> = (0..1_001).map(|n| format!("\"{n:0>130}\"")).collect();
        let text = format!(
            r#"{{"type": "object", "additionalProperties": false, "required": ["a"],
                "properties": {{"a": {{"type": "string", "enum": [{}]}}}}}}"#,
            choices.join(",")
        );
        assert_eq!(
            Schema::compile(&text).unwrap().strict_faults(false),
            ["/: more than 1000 choices", "/: more than 120000 characters in names and choices"]
        );
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
        let faults = Schema::compile(&text).unwrap().strict_faults(false);
        assert!(faults[0].ends_with("objects are more than 10 levels deep"), "{faults:?}");
    }
}
