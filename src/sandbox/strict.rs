//! What the strict mode of `OpenAI` refuses in a schema, in that service's words. Written apart
//! from what the client knows of it: the one is held against the other by rehearsals.

use serde_json::{Map, Value};

/// Formats of texts that can be held to.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];
/// Keywords that are refused wherever they stand.
const NOT_PERMITTED: [&str; 22] = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "default",
    "minLength",
    "maxLength",
    "patternProperties",
    "unevaluatedProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "unevaluatedItems",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
];
const MOST_LEVELS: usize = 10;
const MOST_PROPERTIES: usize = 5_000;

/// The first thing that strict mode refuses in a schema, as the end of a sentence that begins with
/// the name of the format.
pub(super) fn strict_fault(schema: &Value) -> Option<String> {
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "object" => {}
        kind => {
            let kind = kind.and_then(Value::as_str).unwrap_or("None");
            return Some(format!(
                "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
            ));
        }
    }
    let mut walk = Walk { root: schema, properties: 0 };
    let fault = walk.schema(schema, &mut Vec::new(), 0).err();
    fault.or_else(|| {
        let count = walk.properties;
        (count > MOST_PROPERTIES)
            .then(|| format!("{count} parameters exceeds limit of {MOST_PROPERTIES}."))
    })
}

struct Walk<'a> {
    root: &'a Value,
    properties: usize,
}

impl<'a> Walk<'a> {
    fn schema(
        &mut self,
        schema: &'a Value,
        place: &mut Vec<String>,
        level: usize,
    ) -> Result<(), String> {
        let Some(keywords) = schema.as_object() else {
            return Err(within(place, "schema must be an object."));
        };
        if let Some(keyword) = NOT_PERMITTED.iter().find(|keyword| keywords.contains_key(**keyword))
        {
            return Err(within(place, &format!("'{keyword}' is not permitted.")));
        }
        if keywords.contains_key("$ref") {
            return self.reference(keywords, place);
        }
        if let Some(choices) = keywords.get("anyOf") {
            for (number, choice) in choices.as_array().into_iter().flatten().enumerate() {
                self.inside(choice, ["anyOf", &number.to_string()], place, level)?;
            }
        } else {
            self.plain(keywords, place, level)?;
        }
        for group in ["$defs", "definitions"] {
            for (name, inner) in
                keywords.get(group).and_then(Value::as_object).into_iter().flatten()
            {
                self.inside(inner, [group, name], place, 0)?;
            }
        }
        Ok(())
    }

    fn inside(
        &mut self,
        schema: &'a Value,
        steps: [&str; 2],
        place: &mut Vec<String>,
        level: usize,
    ) -> Result<(), String> {
        let depth = place.len();
        place.extend(steps.iter().filter(|step| !step.is_empty()).map(ToString::to_string));
        self.schema(schema, place, level)?;
        place.truncate(depth);
        Ok(())
    }

    fn reference(&self, keywords: &Map<String, Value>, place: &[String]) -> Result<(), String> {
        let others: Vec<String> =
            keywords.keys().filter(|key| *key != "$ref").map(|key| format!("'{key}'")).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            return Err(within(place, &format!("$ref cannot have keywords {{{others}}}.")));
        }
        let target = keywords["$ref"].as_str().unwrap_or_default();
        let found = target.strip_prefix('#').and_then(|path| self.root.pointer(path));
        let lost = || {
            within(
                place,
                &format!(
                    "reference can only point to definitions defined at the top level of the schema, got '{target}'."
                ),
            )
        };
        found.map(|_| ()).ok_or_else(lost)
    }

    fn plain(
        &mut self,
        keywords: &'a Map<String, Value>,
        place: &mut Vec<String>,
        level: usize,
    ) -> Result<(), String> {
        let Some(kinds) = keywords.get("type") else {
            return Err(within(place, "schema must have a 'type' key."));
        };
        let is = |kind: &str| {
            kinds.as_str() == Some(kind)
                || kinds.as_array().is_some_and(|all| all.iter().any(|one| one == kind))
        };
        if let Some(format) = keywords.get("format").and_then(Value::as_str)
            && !FORMATS.contains(&format)
        {
            return Err(within(place, &format!("'{format}' is not a valid format.")));
        }
        if is("array") {
            let Some(items) = keywords.get("items") else {
                return Err(within(place, "array schema missing items."));
            };
            self.inside(items, ["items", ""], place, level)?;
        }
        if is("object") {
            self.object(keywords, place, level)?;
        }
        Ok(())
    }

    fn object(
        &mut self,
        keywords: &'a Map<String, Value>,
        place: &mut Vec<String>,
        level: usize,
    ) -> Result<(), String> {
        if level >= MOST_LEVELS {
            let levels = level + 1;
            return Err(format!("{levels} levels of nesting exceeds limit of {MOST_LEVELS}."));
        }
        if keywords.get("additionalProperties") != Some(&Value::Bool(false)) {
            let fault = "'additionalProperties' is required to be supplied and to be false.";
            return Err(within(place, fault));
        }
        let properties = keywords.get("properties").and_then(Value::as_object);
        let names: Vec<&str> =
            properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let required = keywords.get("required").and_then(Value::as_array);
        let required: Vec<&str> =
            required.into_iter().flatten().filter_map(Value::as_str).collect();
        if let Some(missing) = names.iter().find(|name| !required.contains(*name)) {
            return Err(within(
                place,
                &format!(
                    "'required' is required to be supplied and to be an array including every \
                     key in properties. Missing '{missing}'."
                ),
            ));
        }
        if let Some(extra) = required.iter().find(|name| !names.contains(*name)) {
            let fault = format!(
                "'required' is required to be supplied and to be an array including every key in properties. Extra required key '{extra}' supplied."
            );
            return Err(within(place, &fault));
        }
        self.properties += names.len();
        for (name, inner) in properties.into_iter().flatten() {
            self.inside(inner, ["properties", name], place, level + 1)?;
        }
        Ok(())
    }
}

/// The fault with its place, as the service writes places: `In context=('properties', 'a'), …`.
fn within(place: &[String], fault: &str) -> String {
    let steps: Vec<String> = place.iter().map(|step| format!("'{step}'")).collect();
    let steps = match steps.as_slice() {
        [only] => format!("{only},"),
        many => many.join(", "),
    };
    format!("In context=({steps}), {fault}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_strict_mode_refuses_and_in_which_words() {
        let object = |properties: &Value, required: &[&str]| {
            json!({"type": "object", "additionalProperties": false,
                "properties": properties, "required": required})
        };
        let property = |schema: &Value| object(&json!({"a": schema}), &["a"]);
        let table = [
            (property(&json!({"type": ["string", "null"], "enum": ["x", null]})), ""),
            (property(&json!({"anyOf": [{"type": "null"}, {"type": "integer"}]})), ""),
            (property(&json!({"$ref": "#"})), ""),
            (
                json!({"type": "array", "items": {}}),
                "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
            ),
            (
                json!({"anyOf": []}),
                "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
            ),
            (
                json!({"type": "object", "properties": {}}),
                "In context=(), 'additionalProperties' is required to be supplied and to be false.",
            ),
            (
                object(&json!({"a": {"type": "string"}, "b": {"type": "string"}}), &["a"]),
                "In context=(), 'required' is required to be supplied and to be an array including \
                 every key in properties. Missing 'b'.",
            ),
            (
                property(&json!({"enum": ["x"]})),
                "In context=('properties', 'a'), schema must have a 'type' key.",
            ),
            (
                property(&json!({"type": "string", "minLength": 1})),
                "In context=('properties', 'a'), 'minLength' is not permitted.",
            ),
            (
                property(&json!({"type": "string", "format": "uri"})),
                "In context=('properties', 'a'), 'uri' is not a valid format.",
            ),
            (
                property(&json!({"type": "array"})),
                "In context=('properties', 'a'), array schema missing items.",
            ),
            (
                property(&json!({"type": "array", "items": {"oneOf": []}})),
                "In context=('properties', 'a', 'items'), 'oneOf' is not permitted.",
            ),
            (
                property(&json!({"$ref": "#", "description": "x"})),
                "In context=('properties', 'a'), $ref cannot have keywords {'description'}.",
            ),
        ];
        for (schema, expected) in table {
            assert_eq!(strict_fault(&schema).unwrap_or_default(), expected, "{schema}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |levels: usize| {
            (0..levels).fold(json!({"type": "string"}), |inner, _| {
                json!({"type": "object", "additionalProperties": false, "required": ["a"],
                    "properties": {"a": inner}})
            })
        };
        assert_eq!(strict_fault(&nested(10)), None);
        let fault = strict_fault(&nested(11)).unwrap();
        assert_eq!(fault, "11 levels of nesting exceeds limit of 10.");
    }
}
