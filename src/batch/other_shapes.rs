//! Answers in the shapes of Anthropic and Gemini, read from the members that `OpenAI`'s shape does
//! not have. Their words for how an answer ended become those of the field where they differ.

use serde::Deserialize;

use super::Usage;
use super::line::{Instead, Reply};
use super::loose::{List, Loose, Number, Text};

/// A block of an Anthropic message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Block {
    r#type: Text,
    text: Text,
    name: Text,
}

/// One answer of Gemini.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Candidate {
    content: Loose<CandidateContent>,
    finish_reason: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CandidateContent {
    parts: List<Part>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part {
    text: Text,
    /// Whether the text is what the model thought: `true`.
    thought: Text,
    function_call: Loose<Called>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Called {
    name: Text,
}

/// Gemini's word on a prompt that it does not answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    block_reason: Text,
}

/// Gemini's count of tokens.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "Gemini's words")]
pub(super) struct UsageMetadata {
    prompt_token_count: Number,
    tool_use_prompt_token_count: Number,
    candidates_token_count: Number,
    thoughts_token_count: Number,
    cached_content_token_count: Number,
}

impl UsageMetadata {
    /// Thoughts are billed as output and stand beside the answer's tokens.
    pub(super) fn usage(&self) -> Usage {
        let thoughts = self.thoughts_token_count.count();
        Usage {
            prompt_tokens: self
                .prompt_token_count
                .count()
                .saturating_add(self.tool_use_prompt_token_count.count()),
            completion_tokens: self.candidates_token_count.count().saturating_add(thoughts),
            cached_tokens: self.cached_content_token_count.count(),
            reasoning_tokens: thoughts,
        }
    }
}

/// The answer in an Anthropic message.
pub(super) fn message_reply(blocks: Vec<Block>, stop_reason: Option<String>) -> Reply {
    let finish_reason = stop_reason.map(|reason| {
        match reason.as_str() {
            "end_turn" | "stop_sequence" => "stop",
            "max_tokens" => "length",
            "tool_use" => "tool_calls",
            _ => return reason,
        }
        .to_owned()
    });
    let mut reply = Reply { finish_reason, ..Reply::default() };
    for block in blocks {
        match block.r#type.0.as_deref() {
            None | Some("text") => reply.content.push_str(&block.text.0.unwrap_or_default()),
            Some("thinking" | "redacted_thinking") => {
                reply.instead.get_or_insert(Instead::Thoughts);
            }
            Some(kind) if kind.ends_with("tool_use") => {
                reply.instead = Some(Instead::ToolCall(block.name.0.unwrap_or_default()));
            }
            Some(_) => {}
        }
    }
    forget_thoughts(&mut reply);
    reply
}

/// The first answer of Gemini.
pub(super) fn candidate_reply(candidate: Candidate) -> Reply {
    let finish_reason = candidate.finish_reason.0.map(|reason| match reason.as_str() {
        "MAX_TOKENS" => "length".to_owned(),
        _ => reason.to_ascii_lowercase(),
    });
    let mut reply = Reply { finish_reason, ..Reply::default() };
    for part in candidate.content.0.unwrap_or_default().parts.0 {
        if let Some(called) = part.function_call.0 {
            reply.instead = Some(Instead::ToolCall(called.name.0.unwrap_or_default()));
        } else if part.thought.0.as_deref() == Some("true") {
            reply.instead.get_or_insert(Instead::Thoughts);
        } else {
            reply.content.push_str(&part.text.0.unwrap_or_default());
        }
    }
    forget_thoughts(&mut reply);
    reply
}

/// A prompt that was not answered for what it holds; `None` where nothing says so.
pub(super) fn blocked_reply(feedback: PromptFeedback) -> Option<Reply> {
    feedback.block_reason.0.filter(|reason| reason != "BLOCK_REASON_UNSPECIFIED")?;
    Some(Reply { finish_reason: Some("content_filter".to_owned()), ..Reply::default() })
}

/// Thoughts beside an answer are of no interest.
fn forget_thoughts(reply: &mut Reply) {
    if !reply.content.is_empty() && reply.instead == Some(Instead::Thoughts) {
        reply.instead = None;
    }
}
