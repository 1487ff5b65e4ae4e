//! One line of an output or error file, read loosely: keys may be absent, null, or of another
//! type; what matters is whether there is an answer.

use super::{Failure, Usage};

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
}

/// Reads one line of a result file of the OpenAI shape, Zhipu's variant included.
pub fn decode_line(_line: &[u8]) -> Result<ResultLine, BadLine> {
    Err(BadLine::NoCustomId)
}
