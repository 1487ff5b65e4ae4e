//! The shapes of answers and of result lines, by family. Pure.

use serde_json::{Value, json};

use super::answer::{Content, Said};
use super::family::{Endpoint, Family};
use super::realtime::{anthropic, gemini};
use super::refusal::Refusal;

/// Whose answer a body is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) family: Family,
    pub(super) endpoint: Endpoint,
    /// The batch, or an id of its own for a realtime call.
    pub(super) batch: &'a str,
    pub(super) custom_id: &'a str,
    /// Unix seconds.
    pub(super) created: i64,
    /// A realtime answer carries a few keys that the lines of a batch do without.
    pub(super) realtime: bool,
}

impl Origin<'_> {
    /// 24 hex digits that belong to this request alone.
    pub(super) fn digits(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.batch.as_bytes()).update(&[0]).update(self.custom_id.as_bytes());
        hasher.finalize().to_hex()[..24].to_owned()
    }

    /// Zhipu's inner request id: the `custom_id` with a number and a dash in front.
    fn zhipu_request_id(&self) -> String {
        let number = u16::from_str_radix(&self.digits()[..4], 16).unwrap_or_default();
        format!("{}-{}", 100 + number % 900, self.custom_id)
    }
}

/// The body of an answer.
pub(super) fn body(origin: &Origin<'_>, said: &Said) -> Value {
    let model = format!("sandbox-{}", said.model);
    match (&said.content, origin.endpoint) {
        (Content::Vectors(vectors), _) if origin.family == Family::Gemini => {
            gemini::embeddings(vectors)
        }
        (Content::Vectors(vectors), _) => embeddings(&model, vectors, said.prompt_tokens),
        (Content::Text(text), Endpoint::Responses) => response(origin, &model, text, said),
        (Content::Text(text), _) => chat(origin, &model, text, said),
    }
}

fn chat(origin: &Origin<'_>, model: &str, text: &str, said: &Said) -> Value {
    let message = json!({"role": "assistant", "content": text});
    let total = said.prompt_tokens + said.completion_tokens;
    match origin.family {
        Family::OpenAi => {
            let mut body = json!({
                "id": format!("chatcmpl-{}", origin.digits()),
                "object": "chat.completion",
                "model": model,
                "choices": [
                    {"index": 0, "message": message, "finish_reason": said.finish_reason}],
                "usage": {
                    "prompt_tokens": said.prompt_tokens,
                    "completion_tokens": said.completion_tokens,
                    "total_tokens": total,
                },
            });
            if origin.realtime {
                body["created"] = json!(origin.created);
            }
            body
        }
        Family::Zhipu => json!({
            "created": origin.created,
            "usage": {
                "completion_tokens": said.completion_tokens,
                "prompt_tokens": said.prompt_tokens,
                "total_tokens": total,
            },
            "model": model,
            "id": format!("8{}", &origin.digits()[..16]),
            "choices": [
                {"finish_reason": said.finish_reason, "index": 0, "message": message}],
            "request_id": origin.zhipu_request_id(),
        }),
        Family::Anthropic => anthropic::message(origin, model, text, said),
        Family::Gemini => gemini::content(origin, model, text, said),
    }
}

fn response(origin: &Origin<'_>, model: &str, text: &str, said: &Said) -> Value {
    let cut_off = said.finish_reason == "length";
    let status = if cut_off { "incomplete" } else { "completed" };
    json!({
        "id": format!("resp_{}", origin.digits()),
        "object": "response",
        "created_at": origin.created,
        "status": status,
        "error": null,
        "incomplete_details": cut_off.then(|| json!({"reason": "max_output_tokens"})),
        "model": model,
        "output": [{
            "type": "message",
            "id": format!("msg_{}", origin.digits()),
            "status": status,
            "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }],
        "usage": {
            "input_tokens": said.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.prompt_tokens + said.completion_tokens,
        },
    })
}

fn embeddings(model: &str, vectors: &[Vec<f32>], tokens: u64) -> Value {
    let data: Vec<Value> = vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector}))
        .collect();
    json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

/// A line of a result file for a request that was run.
pub(super) fn line(origin: &Origin<'_>, status: u16, body: &Value) -> Value {
    match origin.family {
        Family::Zhipu => json!({
            "response": {"status_code": status, "body": body},
            "custom_id": origin.custom_id,
            "id": origin.batch,
        }),
        _ => json!({
            "id": format!("batch_req_{}", origin.digits()),
            "custom_id": origin.custom_id,
            "response": {
                "status_code": status,
                "request_id": format!("req_{}", origin.digits()),
                "body": body,
            },
            "error": null,
        }),
    }
}

/// A line of the error file for a request that was refused.
pub(super) fn refused(origin: &Origin<'_>, refusal: &Refusal) -> Value {
    line(origin, refusal.status, &refusal.body(origin.family))
}

/// A line of the error file for a request that was never run, or that no server answered.
/// Zhipu writes none: such rows are in neither file.
pub(super) fn unrun(origin: &Origin<'_>, code: &str, message: &str) -> Option<Value> {
    match origin.family {
        Family::Zhipu => None,
        _ => Some(json!({
            "id": format!("batch_req_{}", origin.digits()),
            "custom_id": origin.custom_id,
            "response": null,
            "error": {"code": code, "message": message},
        })),
    }
}
