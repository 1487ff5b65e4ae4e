//! One line of an output or error file, read loosely: keys may be absent, null, or of another
//! type; what matters is whether there is an answer.

use std::time::Duration;

use serde_json::value::RawValue;

use super::failure::shorten;
use super::loose::{Content, Loose};
use super::other_shapes::{blocked_reply, candidate_reply, message_reply};
use super::wire::{
    Body, Choice, Embedding, Incomplete, Line, Message, Note, OutputItem, Response, usage,
};
use super::{ErrorWords, Failure, FailureKind, Usage};

/// Of a line that cannot be read, or says only what went wrong, this much is quoted.
const LONGEST_QUOTE: usize = 300;

/// What one line of a result file says.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultLine {
    /// Whose answer it is; integers are read as text.
    pub custom_id: String,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// Tokens, where given (a failed request may have been billed too).
    pub usage: Option<Usage>,
    /// The answer or the failure.
    pub outcome: Outcome,
    /// Who was asked, on a line that this program wrote.
    pub by: Option<By>,
}

/// Who answered a call, as this program noted it beside the reply.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct By {
    /// The provider, as the user names it.
    pub provider: String,
    /// The model that was asked for.
    pub model: String,
    /// How long the last try took.
    pub seconds: f64,
    /// How often it was asked, by all services together.
    pub tries: u32,
    /// When the reply came, in Unix seconds by our clock.
    pub at: Option<i64>,
}

/// What became of one request on the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The model answered; that says nothing yet about whether the answer is good.
    Answered(Reply),
    /// It did not.
    Failed(Failure),
}

/// A model's answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The text; for embeddings the vector as JSON text.
    pub content: String,
    /// The refusal text of models that give one apart from the content.
    pub refusal: Option<String>,
    /// Why the model stopped: `stop`, `length`, `content_filter`, `sensitive`, …
    pub finish_reason: Option<String>,
    /// When the answer was made, in Unix seconds by the provider's clock.
    pub created_at: Option<i64>,
    /// What the model gave beside its text, or instead of it.
    pub instead: Option<Instead>,
}

/// What a model gives that is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// It called a tool of this name.
    ToolCall(String),
    /// It thought aloud.
    Thoughts,
}

/// Why a line could not be read; it is set aside and counted, never fatal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not a JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// Nothing to match it by.
    #[error("no custom_id")]
    NoCustomId,
    /// The file ends in the middle of this line: the download was cut.
    #[error("the file ends in the middle of a line")]
    Unfinished,
}

/// Reads one line of a result file of `OpenAI`'s shape, Zhipu's variant included: chat,
/// embeddings, Responses; its body may also be one of Anthropic or Gemini. Anything but a status of 200 (or none) with an answer in the body and
/// no error anywhere is a failure.
pub fn decode_line(line: &[u8]) -> Result<ResultLine, BadLine> {
    let text = std::str::from_utf8(line)
        .map_err(|error| BadLine::NotJson(format!("byte {} is not UTF-8", error.valid_up_to())))?;
    if !text.trim_start().starts_with('{') {
        return Err(BadLine::NotJson(quote(text)));
    }
    let mut wire = read(text)?;
    let custom_id = wire.custom_id.0.take().filter(|id| !id.is_empty());
    let custom_id = custom_id.ok_or(BadLine::NoCustomId)?;
    let mut response = wire.response.0.take().unwrap_or_default();
    let mut body = response.body.0.take();
    let usage = body.as_deref_mut().and_then(usage);
    let model = body.as_mut().and_then(|body| body.model.0.take().or(body.model_version.0.take()));
    let by = wire.batchctl.0.take().map(by);
    let status = response.status_code.0.map(|code| u16::try_from(code).unwrap_or(0));

    let complaint = complaint(&mut wire, &mut response, body.as_deref_mut());
    let outcome = match (complaint, body) {
        (None, Some(body)) if status.is_none_or(|status| status == 200) => reply(*body)
            .map_or_else(|| Outcome::Failed(nothing_in(status, text)), Outcome::Answered),
        (Some(words), _) => Outcome::Failed(words.into_failure(status, None)),
        (None, _) => Outcome::Failed(nothing_in(status, text)),
    };
    Ok(ResultLine { custom_id, model, usage, outcome, by })
}

fn read(text: &str) -> Result<Line, BadLine> {
    serde_json::from_str(text).or_else(|error| {
        // A key that stands twice is legal JSON but not for typed reading; the last one counts.
        let not_json = |_| BadLine::NotJson(format!("{error}: {}", quote(text)));
        let tree: serde_json::Value = serde_json::from_str(text).map_err(not_json)?;
        serde_json::from_str(&tree.to_string()).map_err(not_json)
    })
}

/// The first error that the line holds, innermost first, as the message there says the most.
fn complaint(
    wire: &mut Line,
    response: &mut Response,
    body: Option<&mut Body>,
) -> Option<ErrorWords> {
    let in_body = body.and_then(|body| {
        let in_choice =
            |body: &mut Body| body.choices.0.iter_mut().find_map(|choice| choice.error.0.take());
        body.error.0.take().or_else(|| in_choice(body)).or_else(|| bare_words(body))
    });
    let outer = wire.error.0.take();
    let mut words = in_body.or_else(|| outer.clone()).or_else(|| response.error.0.take())?;
    if words.code.is_none() {
        words.code = outer.and_then(|outer| outer.code);
    }
    if words.message.is_empty() {
        words.message = wire.message.0.take().unwrap_or_default();
    }
    Some(words)
}

/// A code at the top level of a body that holds no answer, or a stop that is no answer.
fn bare_words(body: &mut Body) -> Option<ErrorWords> {
    let lost = |choice: &Choice| choice.finish_reason.0.as_deref() == Some("network_error");
    if body.choices.0.first().is_some_and(lost) {
        return Some(ErrorWords {
            code: Some("network_error".to_owned()),
            error_type: None,
            message: "the provider lost its connection to the model".to_owned(),
        });
    }
    if !(body.choices.0.is_empty() && body.data.0.is_empty() && body.output.0.is_empty()) {
        return None;
    }
    let code = body.code.0.take()?;
    let message = body.message.0.take().or_else(|| body.msg.0.take()).unwrap_or_default();
    Some(ErrorWords { code: Some(code), error_type: None, message })
}

/// The failure of a line that neither answers nor complains.
fn nothing_in(status: Option<u16>, line: &str) -> Failure {
    let message = format!("the result line holds no answer: {}", quote(line));
    let words = ErrorWords { code: None, error_type: None, message };
    let mut failure = words.into_failure(status, None);
    match status {
        // Status and all, as a request that was run: nothing says that it is not billed.
        Some(200) => failure.kind = FailureKind::NoAnswer,
        None | Some(0..300) => failure.kind = FailureKind::Server,
        Some(_) => {}
    }
    failure
}

/// The answer in a body, if there is one.
fn reply(body: Body) -> Option<Reply> {
    let created_at = body.created.0.or(body.created_at.0);
    if let Some(choice) = body.choices.0.into_iter().next() {
        return chat_reply(choice, created_at);
    }
    if !body.output.0.is_empty() {
        let finish_reason = responses_finish(body.status.0, body.incomplete_details);
        return Some(responses_reply(body.output.0, finish_reason, created_at));
    }
    if body.r#type.0.as_deref() == Some("message") {
        return Some(message_reply(body.content.0, body.stop_reason.0));
    }
    if let Some(candidate) = body.candidates.0.into_iter().next() {
        return Some(candidate_reply(candidate));
    }
    if let Some(blocked) = body.prompt_feedback.0.and_then(blocked_reply) {
        return Some(blocked);
    }
    embeddings_reply(body.data.0, created_at)
}

fn chat_reply(choice: Choice, created_at: Option<i64>) -> Option<Reply> {
    let finish_reason = choice.finish_reason.0;
    if let Some(message) = choice.message.0 {
        let instead = instead(&message);
        let refusal = message.refusal.0.or(message.content.refusal).filter(|text| !text.is_empty());
        let content = message.content.text.unwrap_or_default();
        return Some(Reply { content, refusal, finish_reason, created_at, instead });
    }
    let content = choice.text.0?;
    Some(Reply { content, finish_reason, created_at, ..Reply::default() })
}

fn instead(message: &Message) -> Option<Instead> {
    let called = message.tool_calls.0.first().map(|call| &call.function);
    let called = called.or(message.function_call.0.is_some().then_some(&message.function_call));
    if let Some(called) = called {
        let name = called.0.as_ref().and_then(|called| called.name.0.clone());
        return Some(Instead::ToolCall(name.unwrap_or_default()));
    }
    let has_text = |content: &Content| content.text.as_ref().is_some_and(|text| !text.is_empty());
    let has_thoughts = has_text(&message.reasoning_content)
        || has_text(&message.reasoning)
        || message.content.has_thoughts;
    has_thoughts.then_some(Instead::Thoughts)
}

fn responses_reply(
    output: Vec<OutputItem>,
    finish_reason: Option<String>,
    created_at: Option<i64>,
) -> Reply {
    let mut reply = Reply { finish_reason, created_at, ..Reply::default() };
    for item in output {
        match item.r#type.0.as_deref() {
            None | Some("message") => {
                reply.content.push_str(&item.content.text.unwrap_or_default());
                reply.refusal = reply.refusal.or(item.content.refusal);
            }
            Some("reasoning") => {
                reply.instead.get_or_insert(Instead::Thoughts);
            }
            Some(kind) if kind.ends_with("_call") => {
                let name = item.name.0.unwrap_or_else(|| kind.to_owned());
                reply.instead = Some(Instead::ToolCall(name));
            }
            Some(_) => {}
        }
    }
    reply
}

/// The words of chat for how a response ended.
fn responses_finish(status: Option<String>, incomplete: Loose<Incomplete>) -> Option<String> {
    let reason = incomplete.0.and_then(|incomplete| incomplete.reason.0);
    Some(match (reason, status?.as_str()) {
        (Some(reason), _) if reason == "max_output_tokens" => "length".to_owned(),
        (Some(reason), _) => reason,
        (None, "completed") => "stop".to_owned(),
        (None, other) => other.to_owned(),
    })
}

/// The vector as the provider wrote it; of several inputs, an array of vectors by their index.
fn embeddings_reply(mut data: Vec<Embedding>, created_at: Option<i64>) -> Option<Reply> {
    data.sort_by_key(|item| item.index.0);
    let vectors: Vec<Box<RawValue>> = data.into_iter().filter_map(|item| item.embedding).collect();
    let content = match vectors.as_slice() {
        [] => return None,
        [vector] => vector.get().to_owned(),
        several => {
            let texts: Vec<&str> = several.iter().map(|vector| vector.get()).collect();
            format!("[{}]", texts.join(","))
        }
    };
    Some(Reply { content, created_at, ..Reply::default() })
}

fn by(note: Note) -> By {
    By {
        provider: note.provider.0.unwrap_or_default(),
        model: note.model.0.unwrap_or_default(),
        seconds: Duration::from_millis(note.ms.count()).as_secs_f64(),
        tries: u32::try_from(note.tries.count()).unwrap_or(u32::MAX),
        at: note.at.0,
    }
}

fn quote(text: &str) -> String {
    shorten(text, LONGEST_QUOTE)
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
