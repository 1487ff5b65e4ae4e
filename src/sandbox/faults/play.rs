//! Replies that a fault makes up, cuts or holds back.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::rule::{Answer, Body as Filling, Framing, Share, Span, Words};
use super::wire::{Ending, Wire};
use crate::sandbox::Family;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::server::Desk;

const HTML: &str = "<!doctype html>\n<html><head><title>Gateway</title></head>\
                    <body><h1>The sandbox plays a proxy</h1></body></html>\n";

/// In a reply: nothing of it goes out, or not all.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Broken;

/// What is played on the wire goes out in its place.
fn played() -> Response {
    let mut reply = StatusCode::OK.into_response();
    reply.extensions_mut().insert(Broken);
    reply
}

/// A whole body in memory; as much of it as came.
pub(super) async fn collected(body: Body) -> Bytes {
    let (mut chunks, mut whole) = (body.into_data_stream(), Vec::new());
    while let Some(Ok(chunk)) = chunks.next().await {
        whole.extend_from_slice(&chunk);
    }
    whole.into()
}

/// Gives this answer.
pub(super) async fn answer(desk: &Desk, wire: &Wire, answer: &Answer) -> Response {
    match answer {
        Answer::Close => wire.play(Vec::new(), Ending::Close),
        Answer::Reset => wire.play(Vec::new(), Ending::Reset),
        Answer::Hang(time) => {
            desk.pause(*time).await;
            wire.play(Vec::new(), Ending::Close);
        }
        Answer::Say(words) => {
            let reply = said(desk, words);
            if !words.reset {
                return reply;
            }
            let (head, body) = taken_apart(reply, Framing::Length).await;
            wire.play([head, body.to_vec()].concat(), Ending::Reset);
        }
    }
    played()
}

fn said(desk: &Desk, words: &Words) -> Response {
    let status = StatusCode::from_u16(words.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = match &words.body {
        Filling::Given(body) => body.clone().into_response(),
        Filling::Html => {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], HTML).into_response()
        }
        Filling::Empty => ().into_response(),
        Filling::Error if status.is_redirection() => ().into_response(),
        Filling::Error => error(desk, words),
        Filling::Overloaded => {
            let mut refusal = Refusal::overloaded(desk.family);
            refusal.retry = told_in_body(desk, words);
            refusal.response(desk.family)
        }
    };
    if matches!(words.body, Filling::Given(_)) {
        let json = HeaderValue::from_static("application/json");
        reply.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    if words.body != Filling::Overloaded {
        *reply.status_mut() = status;
    }
    let batch = desk.shared.faults.batch();
    let seconds = |time: Span| (time.millis(batch) + 999) / 1000;
    let mut put = |name, value: String| {
        // What no header may hold is left out.
        if let Ok(value) = HeaderValue::from_str(&value) {
            reply.headers_mut().insert(name, value);
        }
    };
    if let Some(time) = words.retry_after.filter(|_| told_in_body(desk, words).is_none()) {
        put(header::RETRY_AFTER, seconds(time).to_string());
    }
    if let Some(time) = words.retry_date {
        put(header::RETRY_AFTER, http_date(desk.now() / 1000 + seconds(time)));
    }
    if let Some(location) = &words.location {
        put(header::LOCATION, location.clone());
    }
    for (name, value) in &words.headers {
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            put(name, value.clone());
        }
    }
    reply
}

fn error(desk: &Desk, words: &Words) -> Response {
    let text = words.text.clone();
    let text =
        text.unwrap_or_else(|| format!("The sandbox was told to answer with {}.", words.status));
    let usual = match words.status {
        401 => Some("invalid_api_key"),
        429 => Some("rate_limit_exceeded"),
        500.. => Some("server_error"),
        _ => None,
    };
    let mut refusal = Refusal::new(words.status, text);
    if let Some(code) = words.code.as_deref().or(usual) {
        refusal = refusal.code(code);
    }
    refusal.retry = told_in_body(desk, words);
    axum::Json(refusal.body(desk.family)).into_response()
}

/// When to come again, where the family says it in the body in place of a header.
fn told_in_body(desk: &Desk, words: &Words) -> Option<Duration> {
    let time = words.retry_after.filter(|_| desk.family == Family::Gemini)?;
    u64::try_from(time.millis(desk.shared.faults.batch())).ok().map(Duration::from_millis)
}

/// Such as `Sun, 06 Nov 1994 08:49:37 GMT`; empty for a time that has no date.
fn http_date(seconds: i64) -> String {
    let timestamp = jiff::Timestamp::from_second(seconds).ok();
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    let date = timestamp.and_then(|time| printer.timestamp_to_rfc9110_string(&time).ok());
    date.unwrap_or_default()
}

/// Lets the reply end within its body.
pub(super) async fn cut(
    desk: &Desk,
    wire: &Wire,
    reply: Response,
    share: &Share,
    framing: Framing,
) -> Response {
    let (head, body) = taken_apart_at(desk, reply, framing).await;
    let kept = part_of(&body, share);
    let sent = match framing {
        Framing::Chunked if !kept.is_empty() => {
            [format!("{:x}\r\n", kept.len()).as_bytes(), kept, b"\r\n"].concat()
        }
        _ => kept.to_vec(),
    };
    wire.play([head, sent].concat(), Ending::Close);
    played()
}

/// Lets the reply stop within its body without an end.
pub(super) async fn stall(
    desk: &Desk,
    wire: &Wire,
    reply: Response,
    share: &Share,
    time: Span,
) -> Response {
    let (head, body) = taken_apart_at(desk, reply, Framing::Length).await;
    let pause = u64::try_from(time.millis(desk.shared.faults.batch())).unwrap_or(0);
    let sent = [head, part_of(&body, share).to_vec()].concat();
    wire.play(sent, Ending::Stall(Duration::from_millis(pause)));
    played()
}

fn part_of<'a>(body: &'a [u8], share: &Share) -> &'a [u8] {
    let kept = usize::try_from(share.of(body.len() as u64)).unwrap_or(usize::MAX);
    &body[..kept.min(body.len())]
}

async fn taken_apart_at(desk: &Desk, mut reply: Response, framing: Framing) -> (Vec<u8>, Bytes) {
    if let Ok(date) = HeaderValue::from_str(&http_date(desk.now() / 1000)) {
        reply.headers_mut().insert(header::DATE, date);
    }
    taken_apart(reply, framing).await
}

/// The head of a reply as bytes, which announces the whole body in this way; and the body.
async fn taken_apart(reply: Response, framing: Framing) -> (Vec<u8>, Bytes) {
    let (parts, body) = reply.into_parts();
    let body = collected(body).await;
    let reason = parts.status.canonical_reason().unwrap_or("Reason");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16()).into_bytes();
    let own = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
    for (name, value) in parts.headers.iter().filter(|(name, _)| !own.contains(name)) {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    match framing {
        Framing::Length => head.extend(format!("content-length: {}\r\n", body.len()).bytes()),
        Framing::Chunked => head.extend(b"transfer-encoding: chunked\r\n"),
        Framing::NoLength => {}
    }
    head.extend(b"connection: close\r\n\r\n");
    (head, body)
}
