//! The calls that answer at once, with the same answers that a batch would give.

use axum::body::Bytes;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::answer;
use super::family::{Endpoint, ZHIPU_BATCH_MODELS};
use super::lines::{self, Origin};
use super::refusal::Refusal;
use super::server::{Desk, blocking};
use super::settle::Bill;
use super::upstream::bill_of;
use super::{Answers, Family};

/// `POST /chat/completions`
pub(super) async fn chat(desk: Desk, body: Bytes) -> Response {
    desk.reply(call(&desk, Endpoint::Chat, &body).await)
}

/// `POST /embeddings`
pub(super) async fn embeddings(desk: Desk, body: Bytes) -> Response {
    desk.reply(call(&desk, Endpoint::Embeddings, &body).await)
}

/// `POST /responses`
pub(super) async fn responses(desk: Desk, body: Bytes) -> Response {
    if desk.family == Family::Zhipu {
        return desk.reply(Err(Refusal::new(404, "Invalid URL (POST /responses)")));
    }
    desk.reply(call(&desk, Endpoint::Responses, &body).await)
}

async fn call(desk: &Desk, endpoint: Endpoint, body: &[u8]) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("The body is not JSON: {error}")))?;
    if let Answers::Upstream(upstream) = &desk.shared.options.answers {
        let answer = upstream.ask(endpoint, &body).await?;
        return bill(desk.clone(), bill_of(&answer), answer).await;
    }
    let worker = desk.clone();
    blocking(move || {
        let said = answer(worker.family, endpoint, &body, &worker.shared.options.answers)?;
        let now = worker.now();
        let id = format!("call-{}", worker.shelf().stamp(now));
        let given = body.get("request_id").and_then(Value::as_str);
        let origin = Origin {
            family: worker.family,
            endpoint,
            batch: &id,
            custom_id: given.unwrap_or(&id),
            created: now / 1000,
            realtime: true,
        };
        let bill =
            Bill { prompt_tokens: said.prompt_tokens, completion_tokens: said.completion_tokens };
        write_bill(&worker, bill)?;
        Ok(lines::body(&origin, &said))
    })
    .await
}

async fn bill(desk: Desk, bill: Bill, answer: Value) -> Result<Value, Refusal> {
    blocking(move || write_bill(&desk, bill).map(|()| answer)).await
}

fn write_bill(desk: &Desk, bill: Bill) -> Result<(), Refusal> {
    let line = json!({
        "event": "realtime",
        "family": desk.family.name(),
        "at": desk.now() / 1000,
        "prompt_tokens": bill.prompt_tokens,
        "completion_tokens": bill.completion_tokens,
    });
    Ok(desk.shared.ledger.append(line.to_string().as_bytes())?)
}

/// `GET /models`: names to try; any other that the family would know is answered as well.
pub(super) async fn models(desk: Desk) -> Response {
    let names: &[&str] = match desk.family {
        Family::OpenAi => &["gpt-4o", "gpt-4o-mini", "gpt-5-mini", "text-embedding-3-small"],
        Family::Zhipu => &ZHIPU_BATCH_MODELS,
    };
    let data: Vec<Value> = names
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 0, "owned_by": "sandbox"}))
        .collect();
    desk.reply(Ok(json!({"object": "list", "data": data})))
}
