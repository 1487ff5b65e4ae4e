//! A glance at the body of a reply, in one pass and without a tree: is it a whole JSON object, is
//! there an answer in it, does it complain.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is seen of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// There is a member that holds an answer, in any of the shapes.
    pub(super) has_answer: bool,
    /// Something in it may be a complaint: it must be read in full.
    pub(super) is_doubtful: bool,
}

/// Looks at a body; `None` if it is no whole JSON object.
pub(super) fn look(body: &[u8]) -> Option<Look> {
    serde_json::from_slice(body).ok()
}

/// A JSON text on one line. Line ends can only stand between tokens, so they and the indents after
/// them are taken out.
pub(super) fn on_one_line(json: Vec<u8>) -> Vec<u8> {
    if !json.contains(&b'\n') && !json.contains(&b'\r') {
        return json;
    }
    let mut out = Vec::with_capacity(json.len());
    for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(line.trim_ascii());
    }
    out
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    Error,
    Choices,
    Data,
    Output,
    Content,
    Candidates,
    PromptFeedback,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Look {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Look;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Look, A::Error> {
                let mut look = Look::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Other => drop(map.next_value::<IgnoredAny>()?),
                        Key::Error => {
                            let error = map.next_value::<&RawValue>()?.get();
                            look.is_doubtful |= !matches!(error, "null" | "{}" | "\"\"" | "false");
                        }
                        _ => {
                            let value = map.next_value::<&RawValue>()?.get();
                            look.has_answer |= value.starts_with(['[', '{']);
                            look.is_doubtful |= matches!(key, Key::Choices)
                                && (value.contains("\"network_error\"")
                                    || value.contains("\"error\""));
                        }
                    }
                }
                Ok(look)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_glance_tells() {
        let table = [
            (r#"{"choices":[{"message":{"content":"a"}}]}"#, Some((true, false))),
            (r#"{"choices":[],"error":null}"#, Some((true, false))),
            (r#"{"error":{"code":"1302"}}"#, Some((false, true))),
            (r#"{"choices":[{"finish_reason":"network_error"}]}"#, Some((true, true))),
            (r#"{"choices":[{"error":{"code":429}}]}"#, Some((true, true))),
            (r#"{"type":"message","content":[]}"#, Some((true, false))),
            (r#"{"candidates":[]}"#, Some((true, false))),
            (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, Some((true, false))),
            (r#"{"data":[]}"#, Some((true, false))),
            (r#"{"code":500,"msg":"x"}"#, Some((false, false))),
            (r#"{"choices":null}"#, Some((false, false))),
            (r#"{"choices":[{"#, None),
            (r#"{"choices":[]} x"#, None),
            ("[]", None),
            ("", None),
            ("<html>", None),
        ];
        for (body, expected) in table {
            let seen = look(body.as_bytes()).map(|look| (look.has_answer, look.is_doubtful));
            assert_eq!(seen, expected, "{body}");
        }
    }

    /// `OpenAI` answers in many lines; a line of the ledger's file is one.
    #[test]
    fn bodies_come_to_stand_on_one_line() {
        let table = [
            ("{\"a\":1}", "{\"a\":1}"),
            ("{\n  \"a\": \"x  y\",\r\n\t\"b\": [\n 1 ] }\n", "{\"a\": \"x  y\",\"b\": [1 ] }"),
        ];
        for (body, expected) in table {
            let line = on_one_line(body.as_bytes().to_vec());
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
