//! The part of a request line that is the same for every row, serialised once: what stands
//! before the id, between the id and the row's own content, and after it.

use serde_json::{Value, json};

use super::escape::quote;
use super::question::RULES;
use super::{Endpoint, JsonSchema, Question, RequestError, SchemaWay, Source};

/// Members of a body that have another place to be set, or none.
const RESERVED: [(&str, &str); 5] = [
    ("model", "use --model"),
    ("messages", "the rows make the messages; use --prompt and --system"),
    ("input", "the rows make the input; use --prompt"),
    ("instructions", "use --system"),
    ("stream", "the program decides whether an answer is streamed"),
];

/// The constant pieces of a line, in the order in which they stand there:
/// `before_id` id `after_id` `head` content `tail`.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) before_id: &'static [u8],
    pub(super) after_id: Vec<u8>,
    /// The body up to the row's content.
    pub(super) head: Vec<u8>,
    /// The rest of the body and of the line, with its line feed.
    pub(super) tail: Vec<u8>,
    /// The digest of all that decides an answer besides the row's content.
    pub(super) digest: [u8; 32],
}

impl Frame {
    /// Serialises the constant pieces.
    pub(super) fn new(question: &Question) -> Result<Self, RequestError> {
        check(question)?;
        let (head, mut tail) = match question.source {
            Source::Foreign => (Vec::new(), Vec::new()),
            _ => (head(question), tail(question)),
        };
        let digest = digest(question, &head, &tail);
        let mut after_id = b"\",\"method\":\"POST\",\"url\":".to_vec();
        quote(&question.line_url, &mut after_id);
        after_id.extend_from_slice(b",\"body\":");
        tail.extend_from_slice(b"}\n");
        Ok(Self { before_id: b"{\"custom_id\":\"", after_id, head, tail, digest })
    }

    /// The bytes of all pieces together.
    pub(super) fn bytes(&self) -> usize {
        self.before_id.len() + self.after_id.len() + self.head.len() + self.tail.len()
    }
}

/// A body up to its first message, and what follows its last one.
pub(super) fn around_messages(question: &Question) -> Result<(Vec<u8>, Vec<u8>), RequestError> {
    check(question)?;
    Ok((head(question), tail(question)))
}

/// The system text as sent. Ready-made messages cannot be added to without parsing them, so
/// there the line naming the keys goes into the system text; else it ends the user's message.
pub(super) fn system_text(question: &Question) -> Option<String> {
    let hint = match question.source {
        Source::Messages { .. } => question.json_hint.as_deref(),
        _ => None,
    };
    let parts: Vec<&str> = question.system.as_deref().into_iter().chain(hint).collect();
    let text = parts.join("\n\n");
    (!text.trim().is_empty()).then_some(text)
}

/// Refuses what this endpoint or source cannot carry, before anything is built.
fn check(question: &Question) -> Result<(), RequestError> {
    for (name, _) in &question.parameters {
        if let Some((_, reason)) = RESERVED.iter().find(|(reserved, _)| reserved == name) {
            return Err(RequestError::ReservedParameter { name: name.clone(), reason });
        }
    }
    let images = !question.images.columns.is_empty();
    let (what, parts): (_, &[(bool, &'static str)]) = match (&question.source, question.endpoint) {
        (Source::Messages { .. }, Endpoint::Embeddings) => ("embeddings", &[(true, "messages")]),
        (_, Endpoint::Embeddings) => (
            "embeddings",
            &[
                (images, "images"),
                (question.system.is_some(), "system text"),
                (question.max_tokens.is_some(), "limit on the answer"),
                (question.temperature.is_some(), "temperature"),
                (question.json_hint.is_some() || question.json_mode, "JSON fields"),
                (question.json_schema.is_some(), "JSON schema"),
            ],
        ),
        (Source::Messages { .. }, _) => ("message columns", &[(images, "image columns")]),
        _ => return Ok(()),
    };
    match parts.iter().find(|(given, _)| *given) {
        Some((_, part)) => Err(RequestError::NotTogether { what, part }),
        None => Ok(()),
    }
}

fn head(question: &Question) -> Vec<u8> {
    let mut out = b"{\"model\":".to_vec();
    quote(&question.model, &mut out);
    let system = system_text(question);
    match question.endpoint {
        Endpoint::Chat => {
            out.extend_from_slice(b",\"messages\":[");
            if let Some(system) = system {
                out.extend_from_slice(b"{\"role\":\"system\",\"content\":");
                quote(&system, &mut out);
                out.extend_from_slice(b"},");
            }
            if !matches!(question.source, Source::Messages { .. }) {
                out.extend_from_slice(b"{\"role\":\"user\",\"content\":");
            }
        }
        Endpoint::Embeddings => out.extend_from_slice(b",\"input\":"),
        Endpoint::Responses => {
            if let Some(system) = system {
                out.extend_from_slice(b",\"instructions\":");
                quote(&system, &mut out);
            }
            out.extend_from_slice(b",\"input\":");
        }
    }
    out
}

fn tail(question: &Question) -> Vec<u8> {
    let mut out = match (question.endpoint, &question.source) {
        (Endpoint::Chat, Source::Messages { .. }) => b"]".to_vec(),
        (Endpoint::Chat, _) => b"}]".to_vec(),
        _ => Vec::new(),
    };
    for (name, value) in members(question) {
        out.push(b',');
        quote(&name, &mut out);
        out.push(b':');
        serde_json::to_writer(&mut out, &value).expect("a vector takes every byte");
    }
    out.push(b'}');
    out
}

/// The further members of a body. What `--param` sets stands in place of what a flag sets, as
/// no member may come twice.
pub(super) fn members(question: &Question) -> Vec<(String, Value)> {
    let responses = question.endpoint == Endpoint::Responses;
    let mut members: Vec<(String, Value)> = Vec::new();
    if let Some(limit) = question.max_tokens {
        let name = if responses { "max_output_tokens" } else { &question.max_tokens_field };
        members.push((name.to_owned(), limit.into()));
    }
    if let Some(temperature) = question.temperature {
        members.push(("temperature".to_owned(), temperature.into()));
    }
    members.extend(json_form(question, responses));
    for (name, value) in &question.parameters {
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.clone(),
            None => members.push((name.clone(), value.clone())),
        }
    }
    members
}

/// The member that holds the model to JSON, if one is asked for.
fn json_form(question: &Question, responses: bool) -> Option<(String, Value)> {
    let schema = question.json_schema.as_ref();
    let is_object =
        question.json_mode || schema.is_some_and(|schema| schema.way == SchemaWay::Object);
    let format = match schema.and_then(JsonSchema::format) {
        Some(mut format) if responses => {
            format["type"] = "json_schema".into();
            format
        }
        Some(format) => json!({"type": "json_schema", "json_schema": format}),
        None if is_object => json!({"type": "json_object"}),
        None => return None,
    };
    Some(if responses {
        ("text".to_owned(), json!({"format": format}))
    } else {
        ("response_format".to_owned(), format)
    })
}

fn digest(question: &Question, head: &[u8], tail: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&RULES.to_le_bytes());
    for part in [question.endpoint.as_str().as_bytes(), question.base_url.as_bytes(), head, tail] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}
