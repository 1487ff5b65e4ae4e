//! The calls that answer at once, with the same answers that a batch would give: chat in the
//! shapes of four families, whole or in pieces, embeddings, responses, and lists of models.
//!
//! A call is answered, counted against the limits, billed, and then waits for the time that calls
//! take here; what the client does meanwhile is watched in [`seen`]. Nothing on this way waits for
//! a disk or another thread, unless the body is large.

pub(super) mod anthropic;
pub(super) mod gemini;
mod limits;
mod seen;
mod stream;

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Said, answer};
use super::family::{Endpoint, ZHIPU_BATCH_MODELS};
use super::guard::asked_family;
use super::lines::{self, Origin};
use super::refusal::Refusal;
use super::server::{Desk, blocking};
use super::settle::Bill;
use super::upstream::bill_of;
use super::{Answers, Family, Upstream};
pub use limits::CallLimits;
pub(super) use limits::Limiter;
use limits::{Open, Standings};
pub(super) use seen::{Calls, body_of, routes, watch, watched};
use stream::Manner;

/// Bodies from here on (bytes) are answered on another thread.
const LARGE: usize = 256 << 10;

/// `POST /chat/completions`
pub(super) async fn chat(desk: Desk, body: Bytes) -> Response {
    let mut body = match json_of(&body) {
        Ok(body) => body,
        Err(refusal) => return refusal.response(desk.family),
    };
    let streams = taken(&mut body, "stream") == Some(Value::Bool(true));
    let usage = taken(&mut body, "stream_options")
        .is_some_and(|options| options["include_usage"] == Value::Bool(true));
    let manner = if streams { Manner::Chunks { usage } } else { Manner::Whole };
    call(desk, Endpoint::Chat, body, manner).await
}

/// `POST /embeddings`
pub(super) async fn embeddings(desk: Desk, body: Bytes) -> Response {
    plain(desk, Endpoint::Embeddings, &body).await
}

/// `POST /responses`
pub(super) async fn responses(desk: Desk, body: Bytes) -> Response {
    if desk.family == Family::Zhipu {
        return desk.reply(Err(Refusal::new(404, "Invalid URL (POST /responses)")));
    }
    plain(desk, Endpoint::Responses, &body).await
}

/// `POST /v1/messages`
pub(super) async fn messages(desk: Desk, headers: HeaderMap, body: Bytes) -> Response {
    message(desk, &headers, body).await
}

/// The same, for a caller that keeps the headers.
pub(super) async fn message(desk: Desk, headers: &HeaderMap, body: Bytes) -> Response {
    if !headers.contains_key("anthropic-version") {
        return invalid("anthropic-version: header is required").response(desk.family);
    }
    let mut body = match json_of(&body) {
        Ok(body) => body,
        Err(refusal) => return refusal.response(desk.family),
    };
    let streams = taken(&mut body, "stream") == Some(Value::Bool(true));
    let manner = if streams { Manner::Events } else { Manner::Whole };
    call(desk, Endpoint::Chat, body, manner).await
}

/// `POST /v1/messages/count_tokens`: a count costs nothing.
pub(super) async fn count_tokens(desk: Desk, body: Bytes) -> Response {
    let counted = json_of(&body).and_then(|mut body| {
        // A count needs no limit, and the text of the answer does not matter.
        body["max_tokens"] = json!(1);
        answer(desk.family, Endpoint::Chat, &body, &Answers::Echo)
    });
    desk.reply(counted.map(|said| json!({"input_tokens": said.prompt_tokens})))
}

/// How pieces of a stream are to come.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Alt {
    alt: Option<String>,
}

/// `POST /v1beta/models/{model}:generateContent` and its kin.
pub(super) async fn gemini_call(
    desk: Desk,
    Path(name): Path<String>,
    Query(query): Query<Alt>,
    body: Bytes,
) -> Response {
    let (model, method) = name.split_once(':').unwrap_or((&name, ""));
    let is_sse = query.alt.as_deref() == Some("sse");
    let (endpoint, manner) = match method {
        "generateContent" => (Endpoint::Chat, Manner::Whole),
        "streamGenerateContent" => (Endpoint::Chat, Manner::Pieces { is_sse }),
        "embedContent" => (Endpoint::Embeddings, Manner::First),
        "batchEmbedContents" => (Endpoint::Embeddings, Manner::Whole),
        _ => {
            let text = format!("The requested URL /v1beta/models/{name} was not found.");
            return Refusal::new(404, text).response(desk.family);
        }
    };
    let mut body = match json_of(&body) {
        Ok(body) => body,
        Err(refusal) => return refusal.response(desk.family),
    };
    body["model"] = json!(model);
    call(desk, endpoint, body, manner).await
}

/// A refusal of what a request says.
fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::bad(text)
}

fn json_of(body: &[u8]) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("The body is not JSON: {error}")))?;
    if body.is_object() { Ok(body) } else { Err(Refusal::bad("The body is not a JSON object.")) }
}

fn taken(body: &mut Value, name: &str) -> Option<Value> {
    body.as_object_mut()?.remove(name)
}

async fn plain(desk: Desk, endpoint: Endpoint, body: &[u8]) -> Response {
    match json_of(body) {
        Ok(body) => call(desk, endpoint, body, Manner::Whole).await,
        Err(refusal) => refusal.response(desk.family),
    }
}

/// A call from its body to its reply.
async fn call(desk: Desk, endpoint: Endpoint, body: Value, manner: Manner) -> Response {
    let mut standings = Standings::default();
    let number = desk.shared.calls.next_number();
    let outcome = made(&desk, endpoint, body, (number, manner), &mut standings).await;
    let mut reply = outcome.unwrap_or_else(|refusal| refusal.response(desk.family));
    let headers = reply.headers_mut();
    standings.tell(desk.family, desk.now(), headers);
    let name = match desk.family {
        Family::OpenAi => "x-request-id",
        Family::Anthropic => "request-id",
        Family::Zhipu | Family::Gemini => return reply,
    };
    if let Ok(id) = HeaderValue::try_from(format!("req_{number:016x}")) {
        headers.insert(name, id);
    }
    reply
}

async fn made(
    desk: &Desk,
    endpoint: Endpoint,
    body: Value,
    (number, manner): (u64, Manner),
    standings: &mut Standings,
) -> Result<Response, Refusal> {
    if let Answers::Upstream(upstream) = &desk.shared.options.answers {
        // In a box: what the ways of most calls need is small, and cheap to put somewhere.
        let answer = Box::pin(passed_on(desk, endpoint, &body, upstream)).await?;
        return Ok(manner.of_value(desk.family, answer));
    }
    refuse_foreign_model(desk, &body)?;
    let given = body.get("request_id").and_then(Value::as_str).map(str::to_owned);
    let said = said(desk, endpoint, body).await?;
    let tokens = said.prompt_tokens + said.completion_tokens;
    let _open = admitted(desk, tokens, standings)?;
    let bill =
        Bill { prompt_tokens: said.prompt_tokens, completion_tokens: said.completion_tokens };
    write_bill(desk, &said.model, bill);
    let id = format!("call-{}-{number}", desk.shared.started);
    let origin = Origin {
        family: desk.family,
        endpoint,
        batch: &id,
        custom_id: given.as_deref().unwrap_or(&id),
        created: desk.now() / 1000,
        realtime: true,
    };
    let reply = manner.reply(desk.family, &lines::body(&origin, &said));
    let latency = desk.shared.options.latency;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    Ok(reply)
}

/// What another server answers.
async fn passed_on(
    desk: &Desk,
    endpoint: Endpoint,
    body: &Value,
    upstream: &Upstream,
) -> Result<Value, Refusal> {
    if matches!(desk.family, Family::Anthropic | Family::Gemini) {
        return Err(Refusal::bad("the upstream server takes calls in OpenAI's shape only"));
    }
    let answer = upstream.ask(endpoint, body).await?;
    write_bill(desk, &answer["model"], bill_of(&answer));
    Ok(answer)
}

/// Whether the limits let the call through; it is open until the value is dropped.
fn admitted(desk: &Desk, tokens: u64, standings: &mut Standings) -> Result<Option<Open>, Refusal> {
    let taken = desk.shared.limiter.take((desk.family, &desk.account), tokens, desk.now());
    match taken {
        Ok(None) => Ok(None),
        Ok(Some((open, stands))) => {
            *standings = stands;
            Ok(Some(open))
        }
        Err(refused) => {
            *standings = refused.1;
            Err(refused.0)
        }
    }
}

async fn said(desk: &Desk, endpoint: Endpoint, body: Value) -> Result<Said, Refusal> {
    let (family, answers) = (desk.family, &desk.shared.options.answers);
    if size(&body) < LARGE {
        return answer(family, endpoint, &body, answers);
    }
    let worker = desk.clone();
    let work = move || answer(family, endpoint, &body, &worker.shared.options.answers);
    Box::pin(blocking(work)).await
}

/// About the bytes of all texts in a body.
fn size(body: &Value) -> usize {
    match body {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(pairs) => pairs.values().map(size).sum(),
        _ => 0,
    }
}

/// OpenAI's family takes any name at once; the others say what they do not sell.
fn refuse_foreign_model(desk: &Desk, body: &Value) -> Result<(), Refusal> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if !desk.shared.options.checks_models() || desk.family.takes_model(model) {
        return Ok(());
    }
    match desk.family {
        Family::Anthropic => Err(Refusal::new(404, format!("model: {model}"))),
        Family::Gemini => Err(Refusal::new(
            404,
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for \
                 generateContent."
            ),
        )),
        Family::OpenAi | Family::Zhipu => Ok(()),
    }
}

/// A line of the bill.
#[derive(Serialize)]
struct Line<'a, M> {
    event: &'static str,
    family: &'static str,
    account: &'a str,
    model: &'a M,
    /// Unix seconds.
    at: i64,
    prompt_tokens: u64,
    completion_tokens: u64,
}

fn write_bill<M: Serialize>(desk: &Desk, model: &M, bill: Bill) {
    let Bill { prompt_tokens, completion_tokens } = bill;
    desk.shared.ledger.append_soon(&Line {
        event: "realtime",
        family: desk.family.name(),
        account: &desk.account,
        model,
        at: desk.now() / 1000,
        prompt_tokens,
        completion_tokens,
    });
}

/// `GET /models`: names to try; any other that the family would know is answered as well.
pub(super) async fn models(desk: Desk, headers: HeaderMap, uri: Uri) -> Response {
    let names: &[&str] = match asked_family(desk.family, &headers, &uri) {
        Family::OpenAi => &["gpt-4o", "gpt-4o-mini", "gpt-5-mini", "text-embedding-3-small"],
        Family::Anthropic => return axum::Json(anthropic::models()).into_response(),
        Family::Zhipu => &ZHIPU_BATCH_MODELS,
        Family::Gemini => return axum::Json(gemini::models()).into_response(),
    };
    let data: Vec<Value> = names
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 0, "owned_by": "sandbox"}))
        .collect();
    desk.reply(Ok(json!({"object": "list", "data": data})))
}
