//! The line that tells the model which JSON is wanted, for prompts that do not say all of it.

use serde_json::{Map, Value, json};

/// How both hints begin.
const ONE_OBJECT: &str = "Answer with one JSON object";

/// The line to add to a request so that the model knows the wanted keys, or `None` where prompt
/// and system text say it all: every key, every choice, and that JSON is wanted (JSON mode is
/// refused by some services where the word does not occur). Fields are as in `--json-fields`:
/// `a`, `b.c`, `d[0]`, `score:number`, `mood:good|bad`.
pub fn field_hint(fields: &[String], prompt: &str, system: Option<&str>) -> Option<String> {
    let (shape, types) = unsaid(fields, prompt, system)?;
    Some(format!("{ONE_OBJECT} of this shape and nothing else: {shape}{types}"))
}

/// The same where an answer may hold several things with these fields. They are asked for as a
/// list in an object, since JSON mode knows no list at the top.
pub fn list_hint(fields: &[String], prompt: &str, system: Option<&str>) -> Option<String> {
    let (shape, types) = unsaid(fields, prompt, system)?;
    let shape = json!({ "items": [shape] });
    Some(format!(
        "{ONE_OBJECT} of this shape and nothing else: {shape}{types}, with as many items as there \
         are, or none"
    ))
}

/// The shape that is wanted and its types in words, unless the texts say it all.
fn unsaid(fields: &[String], prompt: &str, system: Option<&str>) -> Option<(Value, String)> {
    let fields: Vec<Wanted<'_>> = fields.iter().map(|field| Wanted::read(field)).collect();
    if fields.iter().all(|field| field.path.is_empty()) {
        return None;
    }
    let texts = [prompt, system.unwrap_or_default()];
    let named = |word: &str| texts.iter().any(|text| names(text, word));
    let is_json_named = texts.iter().any(|text| text.to_lowercase().contains("json"));
    if is_json_named && fields.iter().all(|field| field.is_said(&named)) {
        return None;
    }
    let mut shape = Value::Null;
    for field in &fields {
        sketch(&mut shape, &field.path, &field.example());
    }
    let types: Vec<String> = fields.iter().filter_map(Wanted::in_words).collect();
    let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join("; ")) };
    Some((shape, types))
}

/// The line for a service that cannot be given the schema apart from the prompt.
pub fn schema_hint(schema: &Value) -> String {
    format!("{ONE_OBJECT} that fits this JSON schema and nothing else: {schema}")
}

/// A wanted field, as far as its words tell. Whether they make sense was checked before.
struct Wanted<'a> {
    column: &'a str,
    path: Vec<Step>,
    /// What stands behind the colon, without the mark of optional fields.
    typed: Option<&'a str>,
    is_optional: bool,
}

impl<'a> Wanted<'a> {
    fn read(field: &'a str) -> Self {
        let (column, typed) = match field.split_once(':') {
            Some((column, typed)) => (column.trim(), Some(typed.trim())),
            None => (field.trim(), None),
        };
        let word = typed.map(|typed| typed.trim_end_matches('?').trim());
        Self { column, path: steps(column), typed: word, is_optional: word != typed }
    }

    fn choices(&self) -> Vec<&'a str> {
        let typed = self.typed.filter(|typed| typed.contains('|')).unwrap_or_default();
        typed.split('|').map(str::trim).filter(|choice| !choice.is_empty()).collect()
    }

    /// Whether the texts say all that is known of the field.
    fn is_said(&self, named: &dyn Fn(&str) -> bool) -> bool {
        let mut keys = self.path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index => None,
        });
        let choices = self.choices();
        keys.all(named)
            && choices.iter().all(|choice| named(choice))
            && (self.typed.is_none() || !choices.is_empty())
    }

    /// What stands in the shape; `…` is for the model to fill in.
    fn example(&self) -> Value {
        match self.type_word().as_deref() {
            Some("number" | "float" | "integer" | "int") => json!(0),
            Some("boolean" | "bool") => json!(true),
            Some("list" | "array") => json!(["…"]),
            Some("object") => json!({}),
            Some("date") => json!("YYYY-MM-DD"),
            _ if self.choices().is_empty() => json!("…"),
            _ => json!(self.choices().join("|")),
        }
    }

    fn in_words(&self) -> Option<String> {
        let words = match self.type_word().as_deref()? {
            "number" | "float" => "a number".to_owned(),
            "integer" | "int" => "a whole number".to_owned(),
            "boolean" | "bool" => "true or false".to_owned(),
            "list" | "array" => "a list".to_owned(),
            "object" => "an object".to_owned(),
            "date" => "a date".to_owned(),
            _ if self.choices().is_empty() => "a text".to_owned(),
            _ => format!("one of {}", self.choices().join(", ")),
        };
        let or_null = if self.is_optional { ", or null" } else { "" };
        Some(format!("{}: {words}{or_null}", self.column))
    }

    fn type_word(&self) -> Option<String> {
        self.typed.map(str::to_lowercase).filter(|word| word != "any")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index,
}

/// The keys and array places of a path.
fn steps(path: &str) -> Vec<Step> {
    path.split(['.', '[', ']'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                Step::Index
            } else {
                Step::Key(part.to_owned())
            }
        })
        .collect()
}

/// Draws a path into an example value.
fn sketch(value: &mut Value, path: &[Step], leaf: &Value) {
    match path.split_first() {
        None if value.is_null() => *value = leaf.clone(),
        None => {}
        Some((Step::Key(key), rest)) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            sketch(&mut value[key.as_str()], rest, leaf);
        }
        Some((Step::Index, rest)) => {
            if !value.is_array() {
                *value = Value::Array(vec![Value::Null]);
            }
            sketch(&mut value[0], rest, leaf);
        }
    }
}

/// Whether the text holds the key as a word of its own, and not only as a placeholder.
fn names(text: &str, key: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(key).any(|(at, _)| {
        let (before, after) =
            (text[..at].chars().next_back(), text[at + key.len()..].chars().next());
        let glued = |near: Option<char>, edge: Option<char>| {
            near.is_some_and(is_word) && edge.is_some_and(is_word)
        };
        !glued(before, key.chars().next())
            && !glued(after, key.chars().next_back())
            && (before, after) != (Some('{'), Some('}'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a [&'a str], &'a str, Option<&'a str>, Option<&'a str>);

    #[test]
    fn the_hint_comes_only_where_a_key_is_not_named() {
        let start = "Answer with one JSON object of this shape and nothing else: ";
        let table: [Case<'_>; 15] = [
            (&[], "anything", None, None),
            (&["mood"], "Give JSON with mood.", None, None),
            (&["mood"], "Give the mood.", None, Some(r#"{"mood":"…"}"#)),
            (&["mood"], "Give it.", Some("JSON: mood"), None),
            (&["a"], "JSON, say what", None, Some(r#"{"a":"…"}"#)),
            (&["text"], "JSON of {text}", None, Some(r#"{"text":"…"}"#)),
            (&["情绪"], "用JSON给出情绪和原因", None, None),
            (
                &["a", "b.c", "d[0]", "e.0.f", "score:number"],
                "",
                None,
                Some(
                    r#"{"a":"…","b":{"c":"…"},"d":["…"],"e":[{"f":"…"}],"score":0} (score: a number)"#,
                ),
            ),
            (&["nullable"], "", None, Some(r#"{"nullable":"…"}"#)),
            (&["b.c"], "JSON with b", None, Some(r#"{"b":{"c":"…"}}"#)),
            (&["score:number"], "JSON: score", None, Some(r#"{"score":0} (score: a number)"#)),
            (
                &["mood:good|bad"],
                "JSON: mood",
                None,
                Some(r#"{"mood":"good|bad"} (mood: one of good, bad)"#),
            ),
            (&["mood:good|bad"], "JSON: mood, good or bad", None, None),
            (&["情感:正面|负面"], "用JSON回答情感，正面或者负面", None, None),
            (
                &["n:int?", "ok:bool", "tags:list", "o:object", "day:date", "t:text", "x:any"],
                "",
                None,
                Some(
                    "{\"n\":0,\"ok\":true,\"tags\":[\"…\"],\"o\":{},\"day\":\"YYYY-MM-DD\",\"t\":\"…\",\
                     \"x\":\"…\"} (n: a whole number, or null; ok: true or false; tags: a list; \
                     o: an object; day: a date; t: a text)",
                ),
            ),
        ];
        for (fields, prompt, system, expected) in table {
            let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
            let expected = expected.map(|shape| format!("{start}{shape}"));
            assert_eq!(field_hint(&fields, prompt, system), expected, "{fields:?} {prompt}");
        }
    }
}
