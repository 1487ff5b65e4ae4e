//! The one line that names the wanted keys, for prompts that do not name them all.

use serde_json::{Map, Value};

/// The line to add to a request so that the model knows the wanted keys, or `None` where prompt
/// and system text name every key already and say that JSON is wanted (JSON mode is refused by
/// some services where the word does not occur). Fields are paths as in `--json-fields`:
/// `a`, `b.c`, `d[0]`, each perhaps with a type behind a colon.
pub fn field_hint(fields: &[String], prompt: &str, system: Option<&str>) -> Option<String> {
    let paths: Vec<Vec<Step>> = fields.iter().map(|field| steps(field)).collect();
    if paths.iter().all(Vec::is_empty) {
        return None;
    }
    let texts = [prompt, system.unwrap_or_default()];
    let named = |key: &str| texts.iter().any(|text| names(text, key));
    let mut keys = paths.iter().flatten().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index => None,
    });
    if keys.all(named) && texts.iter().any(|text| text.to_lowercase().contains("json")) {
        return None;
    }
    let mut shape = Value::Null;
    for path in &paths {
        sketch(&mut shape, path);
    }
    Some(format!("Answer with one JSON object of this shape and nothing else: {shape}"))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index,
}

/// The keys and array places of a path, its type left away.
fn steps(field: &str) -> Vec<Step> {
    let path = field.split(':').next().unwrap_or_default();
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

/// Draws a path into an example value; `…` stands for what the model fills in.
fn sketch(value: &mut Value, path: &[Step]) {
    match path.split_first() {
        None if value.is_null() => *value = "…".into(),
        None => {}
        Some((Step::Key(key), rest)) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            sketch(&mut value[key.as_str()], rest);
        }
        Some((Step::Index, rest)) => {
            if !value.is_array() {
                *value = Value::Array(vec![Value::Null]);
            }
            sketch(&mut value[0], rest);
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
        let table: [Case<'_>; 10] = [
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
                Some(r#"{"a":"…","b":{"c":"…"},"d":["…"],"e":[{"f":"…"}],"score":"…"}"#),
            ),
            (&["nullable"], "", None, Some(r#"{"nullable":"…"}"#)),
            (&["b.c"], "JSON with b", None, Some(r#"{"b":{"c":"…"}}"#)),
        ];
        for (fields, prompt, system, expected) in table {
            let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
            let expected = expected.map(|shape| format!("{start}{shape}"));
            assert_eq!(field_hint(&fields, prompt, system), expected, "{fields:?} {prompt}");
        }
    }
}
