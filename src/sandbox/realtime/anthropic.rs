//! Anthropic's messages: what a body asks for, and the shapes of answers. Written by its documents
//! and apart from the client.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::answer::Said;
use super::super::asked::{Asked, Message, image};
use super::super::form::Form;
use super::super::lines::Origin;
use super::super::refusal::Refusal;
use super::super::tokens::of_image;
use super::invalid;

/// Models that refuse sampling parameters, by how their names begin.
const WITHOUT_SAMPLING: [&str; 7] = [
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-haiku-5-5",
    "claude-fable",
    "claude-mythos",
];

/// Reads a body, or says what is wrong with it in the service's words.
pub(in crate::sandbox) fn read(body: &Value) -> Result<Asked, Refusal> {
    let Some(model) = body.get("model").and_then(Value::as_str).filter(|name| !name.is_empty())
    else {
        return Err(invalid("model: Field required"));
    };
    let max_tokens = match body.get("max_tokens") {
        None | Some(Value::Null) => return Err(invalid("max_tokens: Field required")),
        Some(value) => value
            .as_u64()
            .filter(|tokens| *tokens > 0)
            .ok_or_else(|| invalid("max_tokens: Input should be greater than or equal to 1"))?,
    };
    for name in ["temperature", "top_p", "top_k"] {
        let given = body.get(name).is_some_and(|value| !value.is_null());
        if given && WITHOUT_SAMPLING.iter().any(|start| model.starts_with(start)) {
            return Err(invalid(format!("{name}: this model does not take sampling parameters")));
        }
    }
    let mut asked = Asked {
        model: model.to_owned(),
        max_tokens: Some(max_tokens),
        form: form(body),
        beside: body.get("tools").map(Value::to_string).unwrap_or_default(),
        ..Asked::default()
    };
    if let Some(system) = body.get("system").filter(|system| !system.is_null()) {
        let mut message = Message { role: "system".to_owned(), ..Message::default() };
        take_content(&mut asked, system, "system", &mut message.texts)?;
        asked.messages.push(message);
    }
    take_messages(&mut asked, body)?;
    Ok(asked)
}

fn form(body: &Value) -> Form {
    let format = body.get("output_format").or_else(|| body.get("output_config")?.get("format"));
    let schema = format.and_then(|format| format.get("schema"));
    schema.map_or(Form::Text, |schema| Form::Schema(schema.clone()))
}

fn take_messages(asked: &mut Asked, body: &Value) -> Result<(), Refusal> {
    let Some(messages) = body.get("messages").and_then(Value::as_array) else {
        return Err(invalid("messages: Field required"));
    };
    if messages.is_empty() {
        return Err(invalid("messages: at least one message is required"));
    }
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages.{index}");
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if role != "user" && role != "assistant" {
            return Err(invalid(format!(
                "messages: Unexpected role \"{role}\". The Messages API accepts a top-level \
                 `system` parameter, not \"system\" as an input message role."
            )));
        }
        let mut read = Message { role: role.to_owned(), ..Message::default() };
        let Some(content) = message.get("content") else {
            return Err(invalid(format!("{place}.content: Field required")));
        };
        take_content(asked, content, &format!("{place}.content"), &mut read.texts)?;
        if role == "user" && read.texts.iter().all(String::is_empty) && asked.images.is_empty() {
            return Err(invalid(format!("{place}: user messages must have non-empty content")));
        }
        asked.messages.push(read);
    }
    Ok(())
}

fn take_content(
    asked: &mut Asked,
    content: &Value,
    place: &str,
    texts: &mut Vec<String>,
) -> Result<(), Refusal> {
    let blocks = match content {
        Value::String(text) => {
            texts.push(text.clone());
            return Ok(());
        }
        Value::Array(blocks) => blocks,
        _ => return Err(invalid(format!("{place}: Input should be a valid string or list"))),
    };
    for (index, block) in blocks.iter().enumerate() {
        let place = format!("{place}.{index}");
        match block.get("type").and_then(Value::as_str) {
            Some("text") => match block.get("text").and_then(Value::as_str) {
                Some("") => {
                    return Err(invalid(format!(
                        "{place}.text: text content blocks must be non-empty"
                    )));
                }
                Some(text) => texts.push(text.to_owned()),
                None => return Err(invalid(format!("{place}.text.text: Field required"))),
            },
            Some("image") => take_image(asked, block, &place)?,
            Some("thinking" | "tool_use" | "tool_result") => {}
            _ => {
                return Err(invalid(format!(
                    "{place}: Input tag does not match any of the expected tags: 'image', 'text'"
                )));
            }
        }
    }
    Ok(())
}

fn take_image(asked: &mut Asked, block: &Value, place: &str) -> Result<(), Refusal> {
    let source = &block["source"];
    let text = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default();
    let url = match text("type") {
        "url" => text("url").to_owned(),
        "base64" => {
            let kind = text("media_type");
            if !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&kind) {
                return Err(invalid(format!(
                    "{place}.image.source.base64.media_type: Input should be 'image/jpeg', \
                     'image/png', 'image/gif' or 'image/webp'"
                )));
            }
            if text("data").is_empty() || text("data").starts_with("data:") {
                return Err(invalid(format!("{place}.image.source.base64: invalid base64 data")));
            }
            format!("data:{kind};base64,{}", text("data"))
        }
        _ => return Err(invalid(format!("{place}.image.source: Field required"))),
    };
    asked.images.push(image(&url)?);
    asked.image_tokens += of_image(&asked.model, &url, None);
    Ok(())
}

fn stop_reason(reason: &str) -> &str {
    match reason {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "content_filter" | "sensitive" => "refusal",
        "tool_calls" => "tool_use",
        other => other,
    }
}

/// The body of an answer.
#[derive(Debug, Serialize)]
pub(in crate::sandbox) struct Answer<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: String,
    content: [Block<'a>; 1],
    stop_reason: &'a str,
    stop_sequence: Option<&'static str>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the service")]
struct Usage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

/// The body of an answer.
pub(in crate::sandbox) fn message<'a>(
    origin: &Origin<'_>,
    model: String,
    text: &'a str,
    said: &'a Said,
) -> Answer<'a> {
    Answer {
        id: format!("msg_{}", origin.digits()),
        kind: "message",
        role: "assistant",
        model,
        content: [Block { kind: "text", text }],
        stop_reason: stop_reason(&said.finish_reason),
        stop_sequence: None,
        usage: Usage {
            input_tokens: said.prompt_tokens,
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: 0,
            output_tokens: said.completion_tokens,
        },
    }
}

/// The events of a stream that says the same as this body, in pieces of the text.
pub(super) fn events(body: &Value, pieces: &[&str]) -> Vec<String> {
    let event = |data: Value| {
        let name = data["type"].as_str().unwrap_or_default().to_owned();
        format!("event: {name}\ndata: {data}\n\n")
    };
    let mut start = body.clone();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = json!(1);
    let mut events = vec![
        event(json!({"type": "message_start", "message": start})),
        event(json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": ""}})),
        event(json!({"type": "ping"})),
    ];
    events.extend(pieces.iter().map(|piece| {
        event(json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": piece}}))
    }));
    events.push(event(json!({"type": "content_block_stop", "index": 0})));
    events.push(event(json!({"type": "message_delta",
        "delta": {"stop_reason": body["stop_reason"], "stop_sequence": null},
        "usage": {"output_tokens": body["usage"]["output_tokens"]}})));
    events.push(event(json!({"type": "message_stop"})));
    events
}

/// `GET /v1/models`
pub(super) fn models() -> Value {
    let names = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5"];
    let data: Vec<Value> = names
        .iter()
        .map(|id| {
            json!({"type": "model", "id": id, "display_name": id,
                "created_at": "2026-01-01T00:00:00Z"})
        })
        .collect();
    json!({"data": data, "has_more": false, "first_id": names[0], "last_id": names[2]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::asked::Image;

    #[test]
    fn what_a_body_asks_for() {
        let body = json!({
            "model": "claude-haiku-4-5", "max_tokens": 50, "temperature": 0,
            "system": [{"type": "text", "text": "be short"}],
            "messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                    "data": "aGVsbG8="}},
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
                {"type": "text", "text": "what is it?"}]}],
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        });
        let asked = read(&body).unwrap();
        assert_eq!(asked.question(), "what is it?");
        assert_eq!(asked.texts().collect::<Vec<_>>(), ["be short", "what is it?"]);
        let data = Image::Data { kind: "image/png".into(), bytes: 5 };
        assert_eq!(asked.images, [data, Image::Link]);
        assert_eq!(asked.form, Form::Schema(json!({"type": "object"})));
        assert_eq!(asked.max_tokens, Some(50));
    }

    #[test]
    fn what_the_service_refuses() {
        let good = json!({"model": "claude-haiku-4-5", "max_tokens": 5,
            "messages": [{"role": "user", "content": "a"}]});
        assert!(read(&good).is_ok());
        let image = |source: Value| json!([{"role": "user", "content": [{"type": "image", "source": source}]}]);
        let table = [
            ("model", Value::Null, "model: Field required"),
            ("max_tokens", Value::Null, "max_tokens: Field required"),
            ("max_tokens", json!(0), "greater than or equal to 1"),
            ("messages", json!([]), "at least one message"),
            ("messages", json!([{"role": "system", "content": "a"}]), "Unexpected role \"system\""),
            ("messages", json!([{"role": "user"}]), "messages.0.content: Field required"),
            ("messages", json!([{"role": "user", "content": ""}]), "non-empty content"),
            (
                "messages",
                json!([{"role": "user", "content": [{"type": "text", "text": ""}]}]),
                "non-empty",
            ),
            (
                "messages",
                json!([{"role": "user", "content": [{"type": "image_url"}]}]),
                "expected tags",
            ),
            (
                "messages",
                image(json!({"type": "base64", "media_type": "image/bmp", "data": "a"})),
                "media_type",
            ),
            (
                "messages",
                image(json!({"type": "base64", "media_type": "image/png", "data": "data:x"})),
                "base64",
            ),
        ];
        for (name, value, expected) in table {
            let mut body = good.clone();
            body[name] = value;
            let refusal = read(&body).unwrap_err();
            assert!(refusal.message.contains(expected), "{expected}: {}", refusal.message);
        }
        let mut body = good;
        body["model"] = json!("claude-opus-4-7");
        body["temperature"] = json!(0);
        assert!(read(&body).unwrap_err().message.contains("temperature"));
    }
}
