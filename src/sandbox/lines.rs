//! The shapes of answers and of result lines, by family. Pure.

use serde::Serialize;
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
        let digest = hasher.finalize();
        digest.as_bytes()[..12].iter().fold(String::with_capacity(24), |mut digits, byte| {
            let digit = |four: u8| char::from_digit(four.into(), 16).expect("four bits");
            digits.extend([digit(byte >> 4), digit(byte & 15)]);
            digits
        })
    }

    /// Zhipu's inner request id: the `custom_id` with a number and a dash in front.
    fn zhipu_request_id(&self) -> String {
        let number = u16::from_str_radix(&self.digits()[..4], 16).unwrap_or_default();
        format!("{}-{}", 100 + number % 900, self.custom_id)
    }
}

/// The body of an answer, in the shape of its family. Written straight to text for a call that is
/// answered at once, and made a [`Value`] where something is changed in it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body<'a> {
    OpenAi(OpenAiChat<'a>),
    Zhipu(ZhipuChat<'a>),
    Anthropic(anthropic::Answer<'a>),
    Gemini(gemini::Answer<'a>),
    Other(Value),
}

#[derive(Debug, Serialize)]
pub(super) struct OpenAiChat<'a> {
    id: String,
    object: &'static str,
    model: String,
    choices: [OpenAiChoice<'a>; 1],
    usage: OpenAiUsage,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<i64>,
}

#[derive(Debug, Serialize)]
struct OpenAiChoice<'a> {
    index: u32,
    message: Message<'a>,
    finish_reason: &'a str,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the service")]
struct OpenAiUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct ZhipuChat<'a> {
    created: i64,
    usage: ZhipuUsage,
    model: String,
    id: String,
    choices: [ZhipuChoice<'a>; 1],
    request_id: String,
}

#[derive(Debug, Serialize)]
struct ZhipuChoice<'a> {
    finish_reason: &'a str,
    index: u32,
    message: Message<'a>,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the service")]
struct ZhipuUsage {
    completion_tokens: u64,
    prompt_tokens: u64,
    total_tokens: u64,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl Body<'_> {
    pub(super) fn value(&self) -> Value {
        serde_json::to_value(self).expect("all names are strings and all numbers are finite")
    }
}

/// The body of an answer.
pub(super) fn body<'a>(origin: &Origin<'_>, said: &'a Said) -> Body<'a> {
    let model = format!("sandbox-{}", said.model);
    match (&said.content, origin.endpoint) {
        (Content::Vectors(vectors), _) if origin.family == Family::Gemini => {
            Body::Other(gemini::embeddings(vectors))
        }
        (Content::Vectors(vectors), _) => {
            Body::Other(embeddings(&model, vectors, said.prompt_tokens))
        }
        (Content::Text(text), Endpoint::Responses) => {
            Body::Other(response(origin, &model, text, said))
        }
        (Content::Text(text), _) => chat(origin, model, text, said),
    }
}

fn chat<'a>(origin: &Origin<'_>, model: String, text: &'a str, said: &'a Said) -> Body<'a> {
    let message = Message { role: "assistant", content: text };
    let finish_reason = said.finish_reason.as_str();
    let Said { prompt_tokens, completion_tokens, .. } = *said;
    let total_tokens = prompt_tokens + completion_tokens;
    match origin.family {
        Family::OpenAi => Body::OpenAi(OpenAiChat {
            id: format!("chatcmpl-{}", origin.digits()),
            object: "chat.completion",
            model,
            choices: [OpenAiChoice { index: 0, message, finish_reason }],
            usage: OpenAiUsage { prompt_tokens, completion_tokens, total_tokens },
            created: origin.realtime.then_some(origin.created),
        }),
        Family::Zhipu => Body::Zhipu(ZhipuChat {
            created: origin.created,
            usage: ZhipuUsage { completion_tokens, prompt_tokens, total_tokens },
            model,
            id: format!("8{}", &origin.digits()[..16]),
            choices: [ZhipuChoice { finish_reason, index: 0, message }],
            request_id: origin.zhipu_request_id(),
        }),
        Family::Anthropic => Body::Anthropic(anthropic::message(origin, model, text, said)),
        Family::Gemini => Body::Gemini(gemini::content(origin, model, text, said)),
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
