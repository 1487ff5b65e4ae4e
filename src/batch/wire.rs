//! The types of a result line as it stands on the wire, each member read loosely.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Usage;
use super::loose::{Content, Fault, List, Loose, Number, Text};
use super::other_shapes::{Block, Candidate, PromptFeedback, UsageMetadata};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    pub(super) custom_id: Text,
    pub(super) response: Loose<Response>,
    pub(super) error: Fault,
    pub(super) message: Text,
    pub(super) batchctl: Loose<Note>,
}

/// What this program writes beside a reply.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    pub(super) provider: Text,
    pub(super) model: Text,
    pub(super) ms: Number,
    pub(super) tries: Number,
    pub(super) at: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Response {
    pub(super) status_code: Number,
    /// In a box, as the message is: they are large, and are handed on through every level of reading.
    pub(super) body: Loose<Box<Body>>,
    pub(super) error: Fault,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    pub(super) model: Text,
    pub(super) created: Number,
    pub(super) created_at: Number,
    pub(super) usage: Loose<UsageWire>,
    pub(super) error: Fault,
    pub(super) code: Text,
    pub(super) message: Text,
    pub(super) msg: Text,
    pub(super) choices: List<Choice>,
    pub(super) data: List<Embedding>,
    pub(super) output: List<OutputItem>,
    pub(super) status: Text,
    pub(super) incomplete_details: Loose<Incomplete>,
    pub(super) r#type: Text,
    pub(super) content: List<Block>,
    pub(super) stop_reason: Text,
    pub(super) candidates: List<Candidate>,
    #[serde(rename = "promptFeedback")]
    pub(super) prompt_feedback: Loose<PromptFeedback>,
    #[serde(rename = "usageMetadata")]
    pub(super) usage_metadata: Loose<UsageMetadata>,
    #[serde(rename = "modelVersion")]
    pub(super) model_version: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub(super) message: Loose<Box<Message>>,
    pub(super) text: Text,
    pub(super) finish_reason: Text,
    pub(super) error: Fault,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) content: Content,
    pub(super) refusal: Text,
    pub(super) reasoning_content: Content,
    pub(super) reasoning: Content,
    pub(super) tool_calls: List<ToolCall>,
    pub(super) function_call: Loose<Called>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolCall {
    pub(super) function: Loose<Called>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Called {
    pub(super) name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Embedding {
    pub(super) index: Number,
    pub(super) embedding: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OutputItem {
    pub(super) r#type: Text,
    pub(super) content: Content,
    pub(super) name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incomplete {
    pub(super) reason: Text,
}

/// Chat names them prompt and completion, Responses and Anthropic input and output.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UsageWire {
    pub(super) prompt_tokens: Number,
    pub(super) completion_tokens: Number,
    pub(super) input_tokens: Number,
    pub(super) output_tokens: Number,
    pub(super) prompt_tokens_details: Loose<TokenDetails>,
    pub(super) completion_tokens_details: Loose<TokenDetails>,
    pub(super) input_tokens_details: Loose<TokenDetails>,
    pub(super) output_tokens_details: Loose<TokenDetails>,
    pub(super) cache_read_input_tokens: Number,
    pub(super) cache_creation_input_tokens: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenDetails {
    pub(super) cached_tokens: Number,
    pub(super) reasoning_tokens: Number,
}

/// The tokens of a body, in whichever naming.
pub(super) fn usage(body: &mut Body) -> Option<Usage> {
    let own = body.usage.0.take().map(tokens);
    own.or_else(|| body.usage_metadata.0.take().map(|counts| counts.usage()))
}

fn tokens(wire: UsageWire) -> Usage {
    let prompt = wire.prompt_tokens_details.0.or(wire.input_tokens_details.0);
    let completion = wire.completion_tokens_details.0.or(wire.output_tokens_details.0);
    // Anthropic counts what its cache read and wrote apart from its input tokens.
    let read = wire.cache_read_input_tokens.count();
    let apart = read.saturating_add(wire.cache_creation_input_tokens.count());
    let (prompt_tokens, input) = (wire.prompt_tokens, wire.input_tokens.count());
    let output = if wire.completion_tokens.0.is_some() {
        wire.completion_tokens
    } else {
        wire.output_tokens
    };
    Usage {
        prompt_tokens: match prompt_tokens.0 {
            Some(_) => prompt_tokens.count(),
            None => input.saturating_add(apart),
        },
        completion_tokens: output.count(),
        cached_tokens: prompt.map_or(read, |details| details.cached_tokens.count()),
        reasoning_tokens: completion.map_or(0, |details| details.reasoning_tokens.count()),
    }
}
