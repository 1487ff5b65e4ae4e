//! Gemini's `generateContent`: what a body asks for, and the shapes of answers. Written by its
//! documents and apart from the client. Names come in camel case or in snake case.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::answer::Said;
use super::super::asked::{Asked, Message, image};
use super::super::family::Endpoint;
use super::super::form::Form;
use super::super::lines::Origin;
use super::super::refusal::Refusal;
use super::super::tokens::of_image;
use super::invalid;

/// A field by its name in camel case, or in snake case.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let found = value.get(name).or_else(|| {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        value.get(&snake)
    });
    found.filter(|value| !value.is_null())
}

/// Reads a body, into which the model of the address was put.
pub(in crate::sandbox) fn read(endpoint: Endpoint, body: &Value) -> Result<Asked, Refusal> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let mut asked = Asked { model: model.to_owned(), ..Asked::default() };
    if endpoint == Endpoint::Embeddings {
        return read_embedding(asked, body);
    }
    if let Some(config) = field(body, "generationConfig") {
        asked.max_tokens = field(config, "maxOutputTokens").and_then(Value::as_u64);
        asked.form = form(config)?;
    }
    asked.beside = body.get("tools").map(Value::to_string).unwrap_or_default();
    if let Some(system) = field(body, "systemInstruction") {
        take_content(&mut asked, system, "system", "system_instruction")?;
    }
    let contents = field(body, "contents").and_then(Value::as_array);
    let Some(contents) = contents.filter(|contents| !contents.is_empty()) else {
        return Err(invalid("* GenerateContentRequest.contents: contents is not specified\n"));
    };
    for (index, content) in contents.iter().enumerate() {
        let role = match content.get("role").and_then(Value::as_str) {
            None | Some("" | "user") => "user",
            Some("model") => "assistant",
            Some(_) => return Err(invalid("Please use a valid role: user, model.")),
        };
        take_content(&mut asked, content, role, &format!("contents[{index}]"))?;
    }
    Ok(asked)
}

fn read_embedding(mut asked: Asked, body: &Value) -> Result<Asked, Refusal> {
    let one = std::slice::from_ref(body);
    let requests = body.get("requests").and_then(Value::as_array).map_or(one, Vec::as_slice);
    for request in requests {
        let mut read = Asked::default();
        let content = field(request, "content");
        let content =
            content.ok_or_else(|| invalid("* EmbedContentRequest.content: required\n"))?;
        take_content(&mut read, content, "user", "content")?;
        asked.inputs.push(read.question());
        asked.dimensions = field(request, "outputDimensionality").and_then(Value::as_u64);
    }
    Ok(asked)
}

fn form(config: &Value) -> Result<Form, Refusal> {
    let kind = field(config, "responseMimeType").and_then(Value::as_str).unwrap_or("text/plain");
    let schema = field(config, "responseSchema").map(plain_schema);
    let schema = schema.or_else(|| field(config, "responseJsonSchema").cloned());
    match (kind, schema) {
        ("application/json", Some(schema)) => Ok(Form::Schema(schema)),
        ("application/json", None) => Ok(Form::Object),
        ("text/plain" | "text/x.enum", None) => Ok(Form::Text),
        _ => Err(invalid(
            "* GenerateContentRequest.generation_config.response_mime_type: only \
             application/json is allowed with a response schema\n",
        )),
    }
}

/// The service's own dialect of schemas as JSON schema: types in capitals, `nullable`.
fn plain_schema(schema: &Value) -> Value {
    let Some(object) = schema.as_object() else { return schema.clone() };
    let mut plain = Map::new();
    for (name, value) in object {
        let value = match (name.as_str(), value) {
            ("type", Value::String(kind)) => {
                let kind = kind.to_lowercase();
                let nullable = object.get("nullable").and_then(Value::as_bool) == Some(true);
                if nullable { json!([kind, "null"]) } else { json!(kind) }
            }
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, schema)| (name.clone(), plain_schema(schema)))
                .collect::<Map<_, _>>()
                .into(),
            ("items", value) => plain_schema(value),
            ("anyOf" | "any_of", Value::Array(each)) => each.iter().map(plain_schema).collect(),
            _ => value.clone(),
        };
        plain.insert(if name == "any_of" { "anyOf".to_owned() } else { name.clone() }, value);
    }
    plain.into()
}

fn take_content(
    asked: &mut Asked,
    content: &Value,
    role: &str,
    place: &str,
) -> Result<(), Refusal> {
    let mut message = Message { role: role.to_owned(), ..Message::default() };
    let parts = content.get("parts");
    let one = parts.map(std::slice::from_ref).unwrap_or_default();
    let parts = parts.and_then(Value::as_array).map_or(one, Vec::as_slice);
    if parts.is_empty() {
        return Err(invalid(format!(
            "* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n"
        )));
    }
    for part in parts {
        if let Some(text) = part.get("text").and_then(Value::as_str) {
            message.texts.push(text.to_owned());
            continue;
        }
        let text = |value: &Value, name: &str| {
            field(value, name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let url = match (field(part, "inlineData"), field(part, "fileData")) {
            (Some(data), _) => {
                let (kind, data) = (text(data, "mimeType"), text(data, "data"));
                if kind.is_empty() || data.is_empty() || data.starts_with("data:") {
                    return Err(invalid("Unable to process input image. Base64 decoding failed."));
                }
                format!("data:{kind};base64,{data}")
            }
            (None, Some(file)) => text(file, "fileUri"),
            (None, None) => {
                return Err(invalid(format!(
                    "* GenerateContentRequest.{place}.parts: required oneof field 'data' must \
                     have one initialized field\n"
                )));
            }
        };
        asked.images.push(image(&url)?);
        asked.image_tokens += of_image(&asked.model, &url, None);
    }
    asked.messages.push(message);
    Ok(())
}

fn finish_reason(reason: &str) -> Cow<'static, str> {
    match reason {
        "stop" => "STOP".into(),
        "length" => "MAX_TOKENS".into(),
        "content_filter" | "sensitive" => "SAFETY".into(),
        other => other.to_uppercase().into(),
    }
}

/// The body of an answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sandbox) struct Answer<'a> {
    candidates: [Candidate<'a>; 1],
    usage_metadata: Usage,
    model_version: String,
    response_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    /// What was blocked has none at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content<'a>>,
    finish_reason: Cow<'static, str>,
    index: u32,
}

#[derive(Debug, Serialize)]
struct Content<'a> {
    parts: [Part<'a>; 1],
    role: &'static str,
}

#[derive(Debug, Serialize)]
struct Part<'a> {
    text: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: u64,
    candidates_token_count: u64,
    total_token_count: u64,
    prompt_tokens_details: [Detail; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    modality: &'static str,
    token_count: u64,
}

/// The body of an answer.
pub(in crate::sandbox) fn content<'a>(
    origin: &Origin<'_>,
    model: String,
    text: &'a str,
    said: &Said,
) -> Answer<'a> {
    let content = (!text.is_empty()).then_some(Content { parts: [Part { text }], role: "model" });
    Answer {
        candidates: [Candidate {
            content,
            finish_reason: finish_reason(&said.finish_reason),
            index: 0,
        }],
        usage_metadata: Usage {
            prompt_token_count: said.prompt_tokens,
            candidates_token_count: said.completion_tokens,
            total_token_count: said.prompt_tokens + said.completion_tokens,
            prompt_tokens_details: [Detail { modality: "TEXT", token_count: said.prompt_tokens }],
        },
        model_version: model,
        response_id: origin.digits(),
    }
}

/// Vectors; `embedContent` takes the first of them.
pub(in crate::sandbox) fn embeddings(vectors: &[Vec<f32>]) -> Value {
    let each: Vec<Value> = vectors.iter().map(|vector| json!({"values": vector})).collect();
    json!({"embeddings": each})
}

/// The pieces of a stream that says the same as this body: each a whole answer.
pub(super) fn pieces(body: &Value, pieces: &[&str]) -> Vec<Value> {
    let last = pieces.len().saturating_sub(1);
    let one = |(number, text): (usize, &&str)| {
        let mut piece = body.clone();
        piece["candidates"][0]["content"] = json!({"parts": [{"text": text}], "role": "model"});
        if let (true, Some(candidate)) = (number < last, piece["candidates"][0].as_object_mut()) {
            candidate.remove("finishReason");
        }
        piece
    };
    if pieces.is_empty() {
        return vec![body.clone()];
    }
    pieces.iter().enumerate().map(one).collect()
}

/// `GET /v1beta/models`
pub(super) fn models() -> Value {
    let names = [
        ("gemini-2.5-flash", "generateContent"),
        ("gemini-2.5-pro", "generateContent"),
        ("gemini-embedding-001", "embedContent"),
    ];
    let models: Vec<Value> = names
        .iter()
        .map(|(name, method)| {
            json!({
                "name": format!("models/{name}"),
                "version": "001",
                "displayName": name,
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": [method],
            })
        })
        .collect();
    json!({"models": models})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::asked::Image;

    #[test]
    fn what_a_body_asks_for_in_both_spellings() {
        let camel = json!({
            "model": "gemini-2.5-flash",
            "systemInstruction": {"parts": [{"text": "be short"}]},
            "contents": [{"role": "user", "parts": [
                {"text": "what is it?"},
                {"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}}]}],
            "generationConfig": {"maxOutputTokens": 9, "responseMimeType": "application/json",
                "responseSchema": {"type": "OBJECT", "properties": {
                    "mood": {"type": "STRING", "nullable": true}}}},
        });
        let snake = json!({
            "model": "gemini-2.5-flash",
            "system_instruction": {"parts": {"text": "be short"}},
            "contents": [{"parts": [
                {"text": "what is it?"},
                {"inline_data": {"mime_type": "image/png", "data": "aGVsbG8="}}]}],
            "generation_config": {"max_output_tokens": 9, "response_mime_type": "application/json",
                "response_schema": {"type": "OBJECT", "properties": {
                    "mood": {"type": "STRING", "nullable": true}}}},
        });
        for body in [camel, snake] {
            let asked = read(Endpoint::Chat, &body).unwrap();
            assert_eq!(asked.texts().collect::<Vec<_>>(), ["be short", "what is it?"]);
            assert_eq!(asked.images, [Image::Data { kind: "image/png".into(), bytes: 5 }]);
            let schema = json!({"type": "object", "properties": {
                "mood": {"type": ["string", "null"], "nullable": true}}});
            assert_eq!((asked.form, asked.max_tokens), (Form::Schema(schema), Some(9)));
        }
    }

    #[test]
    fn what_the_service_refuses() {
        let text = json!([{"parts": [{"text": "a"}]}]);
        let table = [
            (json!({}), "contents is not specified"),
            (json!({"contents": [{"parts": []}]}), "must not be empty"),
            (json!({"contents": [{"parts": [{}]}]}), "required oneof field 'data'"),
            (json!({"contents": [{"role": "system", "parts": [{"text": "a"}]}]}), "valid role"),
            (
                json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "data:a"}}]}]}),
                "Base64",
            ),
            (
                json!({"contents": text, "generationConfig": {"responseSchema": {"type": "STRING"}}}),
                "response_mime_type",
            ),
        ];
        for (body, expected) in table {
            let refusal = read(Endpoint::Chat, &body).unwrap_err();
            assert!(refusal.message.contains(expected), "{body}: {}", refusal.message);
        }
    }
}
