//! A JSON schema in the words that Gemini's `responseSchema` knows. What it does not know only
//! narrows what may be answered, and every answer is held against the whole schema here, so that is
//! left out; where leaving out would ask for something else, no schema is sent at all.

use serde_json::{Map, Value};

/// Keywords it knows whose value is no schema.
const PLAIN: [&str; 15] = [
    "title",
    "description",
    "format",
    "pattern",
    "enum",
    "required",
    "propertyOrdering",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
];
/// Keywords without which a schema says something else.
const BINDING: [&str; 8] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "not",
    "if",
    "prefixItems",
    "patternProperties",
    "dependentSchemas",
];
/// The formats of texts that it takes; others are refused there.
const FORMATS: [&str; 5] = ["date-time", "enum", "int32", "int64", "double"];

/// The schema for `responseSchema`; `None` where it cannot be said.
pub(super) fn response_schema(schema: &Value) -> Option<Value> {
    let map = schema.as_object()?;
    if BINDING.iter().any(|keyword| map.contains_key(*keyword)) {
        return None;
    }
    let mut out = Map::new();
    for (keyword, value) in map {
        match keyword.as_str() {
            "type" => types(value, &mut out)?,
            "const" => {
                drop(out.insert("enum".to_owned(), only_texts(std::slice::from_ref(value))?));
            }
            "enum" => {
                let (values, is_nullable) = without_null(value.as_array()?);
                if is_nullable {
                    out.insert("nullable".to_owned(), true.into());
                }
                out.insert("enum".to_owned(), only_texts(&values)?);
            }
            "properties" => {
                let properties = value.as_object()?.iter();
                let inner =
                    properties.map(|(name, inner)| Some((name.clone(), response_schema(inner)?)));
                out.insert(keyword.clone(), Value::Object(inner.collect::<Option<_>>()?));
            }
            "items" => drop(out.insert(keyword.clone(), response_schema(value)?)),
            "anyOf" | "oneOf" => any_of(value.as_array()?, &mut out)?,
            "format" if !value.as_str().is_some_and(|format| FORMATS.contains(&format)) => {}
            other if PLAIN.contains(&other) => drop(out.insert(keyword.clone(), value.clone())),
            _ => {}
        }
    }
    Some(Value::Object(out))
}

/// One type; `null` beside it is told in another word.
fn types(value: &Value, out: &mut Map<String, Value>) -> Option<()> {
    let Value::Array(several) = value else {
        out.insert("type".to_owned(), value.clone());
        return Some(());
    };
    let mut named: Vec<&Value> = several.iter().filter(|one| *one != "null").collect();
    if named.len() < several.len() {
        out.insert("nullable".to_owned(), true.into());
    }
    let one = named.pop()?;
    if !named.is_empty() {
        return None;
    }
    out.insert("type".to_owned(), one.clone());
    Some(())
}

/// A choice between schemas; `null` among them is told in another word.
fn any_of(choices: &[Value], out: &mut Map<String, Value>) -> Option<()> {
    let is_null = |choice: &&Value| choice.get("type").is_some_and(|kind| kind == "null");
    let schemas: Vec<Value> = choices
        .iter()
        .filter(|choice| !is_null(choice))
        .map(response_schema)
        .collect::<Option<_>>()?;
    if schemas.len() < choices.len() {
        out.insert("nullable".to_owned(), true.into());
    }
    match <[Value; 1]>::try_from(schemas) {
        Ok([Value::Object(only)]) => out.extend(only),
        Ok(_) => return None,
        Err(several) => drop(out.insert("anyOf".to_owned(), several.into())),
    }
    Some(())
}

fn without_null(values: &[Value]) -> (Vec<Value>, bool) {
    let kept: Vec<Value> = values.iter().filter(|value| !value.is_null()).cloned().collect();
    let is_nullable = kept.len() < values.len();
    (kept, is_nullable)
}

/// It has choices of texts alone.
fn only_texts(values: &[Value]) -> Option<Value> {
    values.iter().all(Value::is_string).then(|| values.to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn s3_01_schemas_in_geminis_words() {
        let text = json!({ "type": "string" });
        let table = [
            (
                json!({ "type": "object", "additionalProperties": false, "$schema": "x" }),
                Some(json!({ "type": "object" })),
            ),
            (
                json!({ "type": ["string", "null"] }),
                Some(json!({ "nullable": true, "type": "string" })),
            ),
            (json!({ "type": ["string", "number"] }), None),
            (
                json!({ "enum": ["a", "b", null] }),
                Some(json!({ "nullable": true, "enum": ["a", "b"] })),
            ),
            (json!({ "enum": [1, 2] }), None),
            (json!({ "const": "a" }), Some(json!({ "enum": ["a"] }))),
            (json!({ "type": "array", "items": { "$ref": "#/a" } }), None),
            (
                json!({ "type": "array", "items": text, "minItems": 1 }),
                Some(json!({ "type": "array", "items": text, "minItems": 1 })),
            ),
            (
                json!({ "anyOf": [text, { "type": "null" }] }),
                Some(json!({ "nullable": true, "type": "string" })),
            ),
            (
                json!({ "oneOf": [text, { "type": "number" }] }),
                Some(json!({ "anyOf": [text, { "type": "number" }] })),
            ),
            (json!({ "type": "string", "format": "email" }), Some(text.clone())),
            (
                json!({ "type": "string", "format": "date-time" }),
                Some(json!({ "type": "string", "format": "date-time" })),
            ),
            (json!({ "properties": { "a": { "allOf": [] } } }), None),
            (json!(true), None),
        ];
        for (schema, expected) in table {
            assert_eq!(response_schema(&schema), expected, "{schema}");
        }
    }
}
