//! Ready-made messages: cells that hold JSON arrays of them, and the texts inside any request
//! body, for counting tokens.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::foreign::read_object;
use super::{Skip, SkipKind};

/// One message as text, for counting its tokens. Images are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant`, …; empty for what stands beside the messages: the JSON of
    /// tools, of a schema and of calls, see [`beside`].
    pub role: String,
    /// The rarely given name of the speaker.
    pub name: Option<String>,
    /// Its text; the text parts of a message with several parts follow each other.
    pub text: String,
}

/// The forms a cell may have: an array of messages, or an object that holds one (S2.07).
#[derive(Deserialize)]
struct Holder<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    role: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    content: Option<&'a RawValue>,
}

/// Tells a member that is null from one that is not there.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The messages of a cell as JSON texts, each checked to have a role and a content. Errors name
/// the row and the message, which is counted from 1 (S2.08).
pub(super) fn split(cell: &str, row: u64) -> Result<Vec<&str>, Skip> {
    let refuse =
        |what: String| Skip::new(SkipKind::Messages, format!("messages of row {row}: {what}"));
    let read: Result<Vec<&RawValue>, _> = if cell.trim_start().starts_with('{') {
        serde_json::from_str::<Holder<'_>>(cell).map(|holder| holder.messages)
    } else {
        serde_json::from_str(cell)
    };
    let messages =
        read.map_err(|error| refuse(format!("not a JSON array of messages: {error}")))?;
    if messages.is_empty() {
        return Err(refuse("the array is empty".to_owned()));
    }
    for (number, message) in (1..).zip(&messages) {
        check(message).map_err(|what| refuse(format!("message {number} {what}")))?;
    }
    Ok(messages.into_iter().map(RawValue::get).collect())
}

fn check(message: &RawValue) -> Result<(), &'static str> {
    let Parts { role, content } = read_object(message.get()).map_err(|_| "is not an object")?;
    match role.map(|role| serde_json::from_str::<Cow<'_, str>>(role.get())) {
        None => return Err("has no role"),
        Some(Ok(role)) if !role.trim().is_empty() => {}
        Some(_) => return Err("has a role that is not a word"),
    }
    // A null content stands in assistant messages that call tools.
    let start = content.ok_or("has no content")?.get().as_bytes()[0];
    match start {
        b'"' | b'[' | b'n' => Ok(()),
        _ => Err("has a content that is neither text nor parts"),
    }
}

/// Appends JSON text without its line breaks, which may stand between the members of a value in
/// a cell but never inside of a line. Inside of JSON strings there are none.
pub(super) fn push_on_one_line(json: &str, out: &mut Vec<u8>) {
    for piece in json.split(['\n', '\r']) {
        out.extend_from_slice(piece.as_bytes());
    }
}

impl Message {
    /// A message of one text.
    pub fn spoken(role: &str, text: &str) -> Self {
        Self { role: role.to_owned(), name: None, text: text.to_owned() }
    }

    /// What stands beside the messages, if anything does.
    pub(super) fn beside(text: String) -> Option<Self> {
        (!text.is_empty()).then(|| Self { text, ..Self::default() })
    }

    /// Whether this is no message but what stands beside them.
    pub fn is_beside(&self) -> bool {
        self.role.is_empty()
    }
}

/// The texts of a request body of any endpoint.
pub(super) fn texts_of_body(body: &Value) -> Vec<Message> {
    let mut texts = Vec::new();
    if let Some(text) = body["instructions"].as_str() {
        texts.push(Message::spoken("system", text));
    }
    let input = if body["messages"].is_array() { &body["messages"] } else { &body["input"] };
    match input {
        Value::Array(items) => texts.extend(items.iter().filter(|item| speaks(item)).map(message)),
        Value::String(text) => texts.push(Message::spoken("user", text)),
        _ => {}
    }
    texts.extend(Message::beside(beside(body)));
    texts
}

/// Whether an item is a message; Responses also take calls of tools and what came of them.
fn speaks(item: &Value) -> bool {
    !item.is_object() || item["role"].is_string() || item.get("content").is_some()
}

fn message(item: &Value) -> Message {
    let mut text = String::new();
    let content = if item.is_object() { &item["content"] } else { item };
    match content {
        Value::String(content) => text.push_str(content),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).for_each(|t| text.push_str(t));
        }
        _ => {}
    }
    let role = item["role"].as_str().filter(|role| !role.is_empty()).unwrap_or("user").to_owned();
    Message { role, name: item["name"].as_str().map(str::to_owned), text }
}

/// What a model reads of a body besides its messages, as JSON text: tools, the schema of the
/// answer, calls of tools and what came of them. Services write it into the prompt in a form of
/// their own that is not published, so that its tokens are an estimate.
pub fn beside(body: &Value) -> String {
    let formats = [&body["response_format"], &body["text"]["format"]];
    let schemas = formats.into_iter().filter(|format| format["type"] == "json_schema");
    let schemas = schemas.map(|format| format.get("json_schema").unwrap_or(format));
    let items = [&body["messages"], &body["input"]].into_iter().filter_map(Value::as_array);
    let items = items.flatten().filter(|item| item.is_object()).flat_map(|item| {
        let parts = [&item["tool_calls"], &item["function_call"]];
        parts.into_iter().chain((!speaks(item)).then_some(item))
    });
    ([&body["tools"], &body["functions"]].into_iter().chain(schemas).chain(items))
        .filter(|value| value.is_object() || value.is_array())
        .map(Value::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_cells_are_split_or_refused_by_row_and_number() {
        let good = [
            (r#"[{"role":"user","content":"a"}]"#, 1),
            (r#" {"messages": [{"role":"system","content":""},{"role":"user","content":[]}]}"#, 2),
            (
                r#"[{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"1"}]"#,
                2,
            ),
        ];
        for (cell, count) in good {
            assert_eq!(split(cell, 7).map(|messages| messages.len()), Ok(count), "{cell}");
        }
        let bad = [
            ("hello", "messages of row 7: not a JSON array of messages"),
            ("[]", "messages of row 7: the array is empty"),
            (r#"{"message": []}"#, "messages of row 7: not a JSON array of messages"),
            (
                r#"[{"role":"user","content":"a"},{"content":"a"}]"#,
                "messages of row 7: message 2 has no role",
            ),
            (r#"[{"role":"user"}]"#, "messages of row 7: message 1 has no content"),
            (r#"[{"role":5,"content":"a"}]"#, "messages of row 7: message 1 has a role that"),
            (r#"[{"role":"","content":"a"}]"#, "messages of row 7: message 1 has a role that"),
            (r#"[{"role":"user","content":5}]"#, "messages of row 7: message 1 has a content"),
            (r#"[["user","hi"]]"#, "messages of row 7: message 1 is not an object"),
            (r#"["hi"]"#, "messages of row 7: message 1 is not an object"),
        ];
        for (cell, expected) in bad {
            let reason = split(cell, 7).unwrap_err().reason;
            assert!(reason.starts_with(expected), "{cell}: {reason}");
        }
    }

    #[test]
    fn texts_are_found_in_bodies_of_every_endpoint() {
        let texts = |json: &str| -> Vec<(String, String)> {
            texts_of_body(&serde_json::from_str(json).unwrap())
                .into_iter()
                .map(|message| (message.role, message.text))
                .collect()
        };
        let pair = |role: &str, text: &str| (role.to_owned(), text.to_owned());
        assert_eq!(
            texts(
                r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"},{"type":"text","text":"b"}]}]}"#
            ),
            [pair("system", "s"), pair("user", "ab")]
        );
        assert_eq!(texts(r#"{"input":"x"}"#), [pair("user", "x")]);
        assert_eq!(texts(r#"{"input":["x","y"]}"#), [pair("user", "x"), pair("user", "y")]);
        assert_eq!(
            texts(
                r#"{"instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"t"}]}]}"#
            ),
            [pair("system", "i"), pair("user", "t")]
        );
        let empty: [(String, String); 0] = [];
        assert_eq!(texts(r#"{"tools":null,"response_format":{"type":"json_object"}}"#), empty);
    }

    /// Tools, schemas and calls of tools are part of the prompt, whatever the endpoint.
    #[test]
    fn what_stands_beside_the_messages_is_found() {
        let table = [
            (r#"{"tools":[{"type":"function"}]}"#, r#"[{"type":"function"}]"#),
            (r#"{"functions":[{"name":"f"}]}"#, r#"[{"name":"f"}]"#),
            (
                r#"{"response_format":{"type":"json_schema","json_schema":{"name":"n"}}}"#,
                r#"{"name":"n"}"#,
            ),
            (
                r#"{"text":{"format":{"type":"json_schema","schema":{}}}}"#,
                r#"{"type":"json_schema","schema":{}}"#,
            ),
            (
                r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}]}"#,
                r#"[{"id":"1"}]"#,
            ),
            (
                r#"{"input":[{"role":"user","content":"x"},{"type":"function_call","arguments":"{}"}]}"#,
                r#"{"type":"function_call","arguments":"{}"}"#,
            ),
            (r#"{"input":["x"],"temperature":0,"response_format":{"type":"text"}}"#, ""),
        ];
        for (body, expected) in table {
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(beside(&body), expected, "{body}");
            let texts = texts_of_body(&body);
            let found: String = texts.iter().filter(|m| m.is_beside()).map(|m| &*m.text).collect();
            assert_eq!(found, expected, "{body}");
        }
        let named = r#"{"messages":[{"role":"user","name":"ada","content":"x"}]}"#;
        let named = texts_of_body(&serde_json::from_str(named).unwrap());
        assert_eq!(named[0].name.as_deref(), Some("ada"));
    }
}
