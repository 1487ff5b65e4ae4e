//! Made-up JSON of the right types: by a JSON schema, by an example, or by the names of fields.

use serde_json::{Map, Value, json};

/// Schemas may refer to themselves; deeper than this only nulls are made.
const DEPTH: u32 = 8;

/// Makes values. Equal seeds and texts make equal values.
pub(super) struct Maker<'a> {
    seed: u64,
    /// What stands in texts, after the mark of the sandbox.
    text: &'a str,
}

impl<'a> Maker<'a> {
    pub(super) fn new(seed: u64, text: &'a str) -> Self {
        Self { seed, text }
    }

    /// A value of the schema.
    pub(super) fn value(&self, schema: &Value) -> Value {
        self.make(schema, schema, "", DEPTH)
    }

    /// An object with these fields; `b.c` and `d[0]` are places further inside.
    pub(super) fn object(&self, fields: &[String]) -> Value {
        let mut object = Value::Object(Map::new());
        for field in fields {
            let steps: Vec<&str> =
                field.split(['.', '[', ']']).filter(|step| !step.is_empty()).collect();
            let name = steps.last().copied().unwrap_or_default();
            plant(&mut object, &steps, self.guess(name));
        }
        object
    }

    /// The example with other values of the same types; `a|b` in it is a choice.
    pub(super) fn fill(&self, example: &Value, name: &str) -> Value {
        match example {
            Value::Object(object) => {
                let filled = object.iter().map(|(key, value)| (key.clone(), self.fill(value, key)));
                Value::Object(filled.collect())
            }
            Value::Array(list) => {
                Value::Array(list.iter().map(|item| self.fill(item, name)).collect())
            }
            Value::String(text) if text.contains('|') => {
                let choices: Vec<Value> = text.split('|').map(|one| one.trim().into()).collect();
                self.pick(&choices, name)
            }
            Value::String(text) if text == "YYYY-MM-DD" => "2026-01-01".into(),
            Value::String(_) | Value::Null => self.guess(name),
            Value::Number(number) if number.is_f64() => json!(self.between(&Value::Null, name)),
            Value::Number(_) => json!(self.whole(&Value::Null, name)),
            Value::Bool(_) => json!(self.dice(name).is_multiple_of(2)),
        }
    }

    fn make(&self, root: &Value, schema: &Value, name: &str, depth: u32) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|path| root.pointer(path));
            return target.map_or(Value::Null, |s| self.make(root, s, name, depth - 1));
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            return self.pick(choices, name);
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            return self.make(root, &together(root, schema, all), name, depth - 1);
        }
        for key in ["anyOf", "oneOf"] {
            let first = schema.get(key).and_then(Value::as_array);
            let first =
                first.and_then(|list| list.iter().find(|s| s["type"] != "null").or(list.first()));
            if let Some(first) = first {
                return self.make(root, first, name, depth - 1);
            }
        }
        match kind(schema) {
            "object" => self.properties(root, schema, depth),
            "array" => self.list(root, schema, name, depth),
            "integer" => json!(self.whole(schema, name)),
            "number" => json!(self.between(schema, name)),
            "boolean" => json!(self.dice(name).is_multiple_of(2)),
            "null" => Value::Null,
            _ => Value::String(self.string(schema, name)),
        }
    }

    fn list(&self, root: &Value, schema: &Value, name: &str, depth: u32) -> Value {
        let first = schema["prefixItems"].as_array().map(Vec::as_slice).unwrap_or_default();
        let least = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 100);
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        let count = usize::try_from(least.max(first.len() as u64).min(most)).unwrap_or(1);
        let is_unique = schema["uniqueItems"].as_bool() == Some(true);
        let item = |place: usize| {
            let inner = first.get(place).unwrap_or(&schema["items"]);
            let name = if is_unique { format!("{name} {place}") } else { name.to_owned() };
            match (is_unique, inner["enum"].as_array()) {
                (true, Some(choices)) => choices.get(place).cloned().unwrap_or_default(),
                _ => self.make(root, inner, &name, depth - 1),
            }
        };
        Value::Array((0..count).map(item).collect())
    }

    fn properties(&self, root: &Value, schema: &Value, depth: u32) -> Value {
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.make(root, property, name, depth - 1));
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let is_there = object.contains_key(name);
            if !is_there {
                object.insert(
                    name.to_owned(),
                    self.make(root, &schema["additionalProperties"], name, depth - 1),
                );
            }
        }
        Value::Object(object)
    }

    fn between(&self, schema: &Value, name: &str) -> f64 {
        let lowest = schema["minimum"].as_f64().or_else(|| schema["exclusiveMinimum"].as_f64());
        let highest = schema["maximum"].as_f64().or_else(|| schema["exclusiveMaximum"].as_f64());
        let lowest = lowest.unwrap_or_else(|| highest.map_or(0.0, |high| high.min(0.0)));
        let highest = highest.unwrap_or(lowest.max(0.0) + 10.0).max(lowest);
        // Never on a bound, which may be exclusive: from a tenth to nine tenths of the way.
        let tenths = f64::from(u8::try_from(self.dice(name) % 9).unwrap_or(0)) + 1.0;
        let value = lowest + (highest - lowest) * tenths / 10.0;
        let value = match schema["multipleOf"].as_f64() {
            Some(step) if step > 0.0 => (value / step).floor() * step,
            _ => (value * 100.0).round() / 100.0,
        };
        if value > lowest && value < highest { value } else { f64::midpoint(lowest, highest) }
    }

    fn whole(&self, schema: &Value, name: &str) -> i64 {
        let above = schema["exclusiveMinimum"].as_i64().map(|n| n.saturating_add(1));
        let below = schema["exclusiveMaximum"].as_i64().map(|n| n.saturating_sub(1));
        let highest = schema["maximum"].as_i64().or(below);
        let lowest = schema["minimum"].as_i64().or(above);
        let lowest = lowest.unwrap_or_else(|| highest.map_or(0, |high| high.min(0)));
        let highest = highest.unwrap_or(lowest.saturating_add(10)).max(lowest);
        let span = u64::try_from(highest.saturating_sub(lowest)).unwrap_or(0).saturating_add(1);
        lowest.saturating_add(i64::try_from(self.dice(name) % span).unwrap_or(0))
    }

    fn string(&self, schema: &Value, name: &str) -> String {
        match schema["format"].as_str() {
            Some("date") => return "2026-01-01".into(),
            Some("date-time") => return "2026-01-01T00:00:00Z".into(),
            Some("time") => return "00:00:00Z".into(),
            Some("email") => return "sandbox@example.org".into(),
            Some("uri") => return "https://example.org/sandbox".into(),
            Some("uuid") => return "00000000-0000-4000-8000-000000000000".into(),
            _ => {}
        }
        let mut text = self.says(name);
        let length = text.chars().count();
        if let Some(most) = schema["maxLength"].as_u64().and_then(|n| usize::try_from(n).ok()) {
            text = text.chars().take(most).collect();
        }
        if let Some(least) = schema["minLength"].as_u64().and_then(|n| usize::try_from(n).ok()) {
            text.extend(std::iter::repeat_n('.', least.saturating_sub(length).min(10_000)));
        }
        text
    }

    /// A text that says where it comes from and which row it belongs to.
    fn says(&self, name: &str) -> String {
        let excerpt: String = self.text.chars().take(120).collect();
        let excerpt = excerpt.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("[sandbox] {name}: {excerpt}")
    }

    /// A value for a field of which only the name is known.
    fn guess(&self, name: &str) -> Value {
        let lower = name.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if has(&["score", "rating", "confidence", "probability", "评分", "得分", "置信"]) {
            json!(self.between(&json!({"minimum": 0, "maximum": 1}), name))
        } else if lower.starts_with("is_") || lower.starts_with("has_") {
            json!(self.dice(name).is_multiple_of(2))
        } else {
            Value::String(self.says(name))
        }
    }

    fn pick(&self, choices: &[Value], name: &str) -> Value {
        let count = choices.len().max(1) as u64;
        let index = usize::try_from(self.dice(name) % count).unwrap_or(0);
        choices.get(index).cloned().unwrap_or(Value::Null)
    }

    /// A number that differs by row and by field.
    fn dice(&self, name: &str) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes()).update(name.as_bytes());
        crate::base::short_hash(&hasher.finalize())
    }
}

/// Schemas that all hold, as one: keys that stand in several are taken from the last, properties
/// from all.
fn together(root: &Value, schema: &Value, all: &[Value]) -> Value {
    let mut whole = schema.clone();
    whole.as_object_mut().map(|keywords| keywords.remove("allOf"));
    for one in all {
        let path = one["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        let one = path.and_then(|path| root.pointer(path)).unwrap_or(one);
        for (key, value) in one.as_object().into_iter().flatten() {
            match (&mut whole[key.as_str()], value) {
                (Value::Object(known), Value::Object(more)) => {
                    known.extend(more.iter().map(|(name, inner)| (name.clone(), inner.clone())));
                }
                (Value::Array(known), Value::Array(more)) if key == "required" => {
                    known.extend(more.iter().cloned());
                }
                (known, value) => *known = value.clone(),
            }
        }
    }
    whole
}

fn kind(schema: &Value) -> &str {
    let named = match &schema["type"] {
        Value::String(kind) => Some(kind.as_str()),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|k| *k != "null"),
        _ => None,
    };
    named.unwrap_or(if schema.get("properties").is_some() { "object" } else { "string" })
}

/// Puts a value at a place inside, making objects and lists on the way.
fn plant(at: &mut Value, steps: &[&str], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *at = value;
        return;
    };
    if let Ok(index) = step.parse::<usize>() {
        let index = index.min(99);
        if !at.is_array() {
            *at = Value::Array(Vec::new());
        }
        let list = at.as_array_mut().expect("made an array above");
        if list.len() <= index {
            list.resize(index + 1, Value::Null);
        }
        plant(&mut list[index], rest, value);
    } else {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let object = at.as_object_mut().expect("made an object above");
        plant(object.entry(*step).or_insert(Value::Null), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_types_of_the_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "mood": {"enum": ["good", "bad"]},
                "score": {"type": "number", "minimum": 1, "maximum": 5},
                "count": {"type": ["integer", "null"]},
                "sure": {"type": "boolean"},
                "tags": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/tag"}},
                "name": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 12}]},
                "self": {"$ref": "#"},
            },
            "$defs": {"tag": {"type": "object", "properties": {"id": {"const": 3}}}},
        });
        let made = Maker::new(1, "row 41").value(&schema);
        assert!(["good", "bad"].contains(&made["mood"].as_str().unwrap()));
        assert!((1.0..=5.0).contains(&made["score"].as_f64().unwrap()));
        assert!(made["count"].as_f64().unwrap().fract() == 0.0);
        assert!(made["sure"].is_boolean());
        assert_eq!(made["tags"], json!([{"id": 3}, {"id": 3}]));
        assert_eq!(made["name"].as_str().unwrap().chars().count(), 12);
        assert_eq!(made, Maker::new(1, "row 41").value(&schema), "equal seeds, equal values");
    }

    #[test]
    fn what_holds_together_and_what_must_differ() {
        let schema = json!({
            "allOf": [
                {"$ref": "#/$defs/a"},
                {"properties": {"b": {"type": "integer", "minimum": 7, "maximum": 7}}},
            ],
            "required": ["b"],
            "$defs": {"a": {"type": "object", "required": ["a", "c"], "properties": {
                "a": {"type": "array", "minItems": 2, "uniqueItems": true,
                    "items": {"type": "string", "enum": ["x", "y", "z"]}}}}},
        });
        let made = Maker::new(1, "row").value(&schema);
        assert_eq!((&made["a"], &made["b"]), (&json!(["x", "y"]), &json!(7)));
        assert!(made["c"].is_string(), "{made}");
        for (schema, low, high) in [
            (json!({"type": "number", "minimum": 0.001, "maximum": 0.002}), 0.001, 0.002),
            (json!({"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25}), 0.0, 1.0),
        ] {
            for seed in 0..20 {
                let number = Maker::new(seed, "").value(&schema).as_f64().unwrap();
                assert!((low..=high).contains(&number), "{number}");
                assert!(
                    schema["multipleOf"].is_null() || (number * 4.0).fract() == 0.0,
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn integers_are_written_without_a_fraction() {
        for seed in 0..50 {
            let schema = json!({"type": "integer", "minimum": -3, "exclusiveMaximum": 2});
            let made = Maker::new(seed, "").value(&schema);
            assert!((-3..2).contains(&made.as_i64().unwrap()), "{made}");
        }
    }

    #[test]
    fn places_inside_and_examples_are_filled() {
        let maker = Maker::new(1, "x");
        let made = maker.object(&["b.c".into(), "d[1]".into(), "score".into()]);
        assert!(made["b"]["c"].as_str().unwrap().starts_with("[sandbox] "));
        assert!(made["d"][0].is_null() && made["d"][1].is_string() && made["score"].is_number());
        let made = maker.fill(&json!({"a": "…", "d": ["…"], "n": 3, "m": "good|bad"}), "");
        assert!(made["a"].is_string() && made["d"][0].is_string() && made["n"].is_number());
        assert!(["good", "bad"].contains(&made["m"].as_str().unwrap()));
    }
}
