//! Schemas that lead back to themselves before a value is looked into. Such a schema compiles, and
//! then no answer can ever be checked: it must be found before money is spent.

use std::collections::HashSet;

use serde_json::Value;

/// Keywords with schemas for the very value that the schema itself is for.
const ONE: [&str; 4] = ["not", "if", "then", "else"];
const SEVERAL: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords that hold values, not schemas.
const VALUES: [&str; 4] = ["const", "enum", "default", "examples"];

/// The place of a schema that is its own part, as a JSON pointer. A list of lists, where each step
/// goes a level down into the value, is none.
pub(super) fn circular(schema: &Value) -> Option<String> {
    let mut done = HashSet::new();
    let mut places = Vec::new();
    every_place(schema, String::new(), &mut places);
    places.into_iter().find(|place| leads_back(schema, place, &mut Vec::new(), &mut done))
}

/// Every place where a schema may stand.
fn every_place(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter().filter(|(key, _)| !VALUES.contains(&key.as_str())) {
                every_place(value, below(&place, key), places);
            }
            places.push(place);
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                every_place(value, format!("{place}/{number}"), places);
            }
        }
        _ => {}
    }
}

fn leads_back(
    schema: &Value,
    place: &str,
    way: &mut Vec<String>,
    done: &mut HashSet<String>,
) -> bool {
    if way.iter().any(|passed| passed == place) {
        return true;
    }
    if done.contains(place) {
        return false;
    }
    way.push(place.to_owned());
    let found = parts(schema, place).iter().any(|part| leads_back(schema, part, way, done));
    way.pop();
    done.insert(place.to_owned());
    found
}

/// The places of the schemas that a value must be held against because of the one at a place.
fn parts(schema: &Value, place: &str) -> Vec<String> {
    let Some(Value::Object(object)) = schema.pointer(place) else { return Vec::new() };
    let mut parts: Vec<String> = Vec::new();
    if let Some(target) = object.get("$ref").and_then(Value::as_str) {
        // Only what is referred to by its place; anchors are left to the compiler.
        parts.extend(target.strip_prefix('#').map(str::to_owned));
    }
    parts.extend(ONE.iter().filter(|key| object.contains_key(**key)).map(|key| below(place, key)));
    for key in SEVERAL {
        let list = object.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        parts.extend((0..list).map(|number| format!("{}/{number}", below(place, key))));
    }
    parts
}

fn below(place: &str, key: &str) -> String {
    format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_never_goes_down_is_circular() {
        let to = |place: &str| json!({"$ref": place});
        let table = [
            (json!({"type": "object"}), None),
            (to("#"), Some("")),
            (json!({"$defs": {"x": to("#/$defs/x")}}), Some("/$defs/x")),
            (
                json!({"$defs": {"x": to("#/$defs/y~1z"), "y/z": {"anyOf": [{}, to("#/$defs/x")]}}}),
                Some("/$defs/x"),
            ),
            (
                json!({"properties": {"a": {"not": to("#/properties/a")}}}),
                Some("/properties/a/not"),
            ),
            // A tree: each step goes down into the value.
            (json!({"properties": {"kids": {"type": "array", "items": to("#")}}}), None),
            (json!({"properties": {"next": {"anyOf": [to("#"), {"type": "null"}]}}}), None),
            // Two ways to one place are no circle.
            (json!({"allOf": [to("#/$defs/x"), to("#/$defs/x")], "$defs": {"x": {}}}), None),
            // A value that looks like a schema.
            (json!({"const": {"$ref": "#/const"}}), None),
        ];
        for (schema, expected) in table {
            assert_eq!(circular(&schema).as_deref(), expected, "{schema}");
        }
    }
}
