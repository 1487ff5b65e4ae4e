//! How an answer is handed over: whole, or in the pieces of the family's streams.

use std::convert::Infallible;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::{anthropic, gemini};
use crate::sandbox::Family;
use crate::sandbox::lines;

/// Characters of a piece.
const PIECE: usize = 12;
/// Bytes that most answers have room in.
const USUAL: usize = 512;
const EVENTS: &str = "text/event-stream; charset=utf-8";

/// Marks a reply whose body comes in pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct InPieces;

/// The way an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Whole,
    /// Chunks in OpenAI's shape, with the usage in one of its own where that is wanted.
    Chunks {
        usage: bool,
    },
    /// Anthropic's events.
    Events,
    /// Gemini's pieces: as events, or as a list.
    Pieces {
        is_sse: bool,
    },
    /// The first of Gemini's vectors.
    First,
}

impl Manner {
    pub(super) fn reply(self, family: Family, body: &lines::Body<'_>) -> Response {
        if self == Self::Whole {
            return whole(body);
        }
        self.of_value(family, body.value())
    }

    /// The same, for a body from elsewhere.
    pub(super) fn of_value(self, family: Family, mut body: Value) -> Response {
        match self {
            Self::Whole => Json(body).into_response(),
            Self::First => Json(json!({"embedding": body["embeddings"][0].take()})).into_response(),
            Self::Chunks { usage } => {
                let text = text_at(&body, "/choices/0/message/content");
                in_pieces(EVENTS, chunks(family, &body, &pieces(&text), usage))
            }
            Self::Events => {
                let text = text_at(&body, "/content/0/text");
                in_pieces(EVENTS, anthropic::events(&body, &pieces(&text)))
            }
            Self::Pieces { is_sse } => {
                let text = text_at(&body, "/candidates/0/content/parts/0/text");
                let pieces = gemini::pieces(&body, &pieces(&text));
                if !is_sse {
                    return in_pieces("application/json; charset=utf-8", list(&pieces));
                }
                let events = pieces.iter().map(|piece| format!("data: {piece}\r\n\r\n"));
                in_pieces(EVENTS, events.collect())
            }
        }
    }
}

fn whole(body: &lines::Body<'_>) -> Response {
    let mut text = Vec::with_capacity(USUAL);
    if let Err(error) = serde_json::to_writer(&mut text, body) {
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    let mut reply = Response::new(text.into());
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn text_at(body: &Value, place: &str) -> String {
    body.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn pieces(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = text.char_indices().step_by(PIECE).map(|(at, _)| at).collect();
    starts.push(text.len());
    starts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect()
}

fn list(pieces: &[Value]) -> Vec<String> {
    let start = |number| if number == 0 { "[" } else { ",\r\n" };
    let each = pieces.iter().enumerate().map(|(number, piece)| format!("{}{piece}", start(number)));
    each.chain(["]".to_owned()]).collect()
}

/// `OpenAI`'s chunks; Zhipu's carry the usage in the last one.
fn chunks(family: Family, body: &Value, pieces: &[&str], usage: bool) -> Vec<String> {
    let is_zhipu = family == Family::Zhipu;
    let chunk = |choices: Value, tokens: Option<&Value>| {
        let mut chunk = json!({"id": body["id"], "created": body["created"],
            "model": body["model"], "choices": choices});
        if !is_zhipu {
            chunk["object"] = json!("chat.completion.chunk");
        }
        match tokens {
            Some(tokens) => chunk["usage"] = tokens.clone(),
            None if usage && !is_zhipu => chunk["usage"] = Value::Null,
            None => {}
        }
        format!("data: {chunk}\n\n")
    };
    let choice = |delta: Value, reason: &Value| {
        let mut choice = json!({"index": 0, "delta": delta});
        if !is_zhipu || !reason.is_null() {
            choice["finish_reason"] = reason.clone();
        }
        json!([choice])
    };
    let delta = |text: &str| {
        if is_zhipu {
            json!({"role": "assistant", "content": text})
        } else {
            json!({"content": text})
        }
    };
    let mut chunks = Vec::with_capacity(pieces.len() + 4);
    if !is_zhipu {
        let first = json!({"role": "assistant", "content": ""});
        chunks.push(chunk(choice(first, &Value::Null), None));
    }
    chunks.extend(pieces.iter().map(|text| chunk(choice(delta(text), &Value::Null), None)));
    let reason = &body["choices"][0]["finish_reason"];
    if is_zhipu {
        chunks.push(chunk(choice(delta(""), reason), Some(&body["usage"])));
    } else {
        chunks.push(chunk(choice(json!({}), reason), None));
        if usage {
            chunks.push(chunk(json!([]), Some(&body["usage"])));
        }
    }
    chunks.push("data: [DONE]\n\n".to_owned());
    chunks
}

fn in_pieces(kind: &'static str, frames: Vec<String>) -> Response {
    let frames = frames.into_iter().map(Ok::<_, Infallible>);
    let mut reply = Response::new(Body::from_stream(stream::iter(frames)));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply.extensions_mut().insert(InPieces);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_together_are_the_text() {
        for text in ["", "a", "twelve chars", "twelve chars and more", "一二三四五六七八九十一二三"]
        {
            assert_eq!(pieces(text).concat(), text);
            assert!(pieces(text).iter().all(|piece| !piece.is_empty()), "{text}");
        }
    }
}
