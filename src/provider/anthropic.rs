//! Anthropic, whose calls have a shape of their own. Its batches have one too, which is not spoken
//! here.

use super::dialect::{Dialect, JsonMode, Shape};
use super::models::Vendor;
use super::openai::OPENAI;

/// Anthropic. The lines of a job stay in `OpenAI`'s shape: each call is put into its own.
pub const ANTHROPIC: Dialect = Dialect {
    name: "anthropic",
    shape: Shape::Anthropic,
    batches: false,
    base_url: "https://api.anthropic.com",
    base_url_variables: &["ANTHROPIC_BASE_URL"],
    key_variables: &["ANTHROPIC_API_KEY"],
    embeddings: None,
    responses: None,
    // The cheapest that takes a temperature and is not about to be switched off.
    default_model: Some("claude-haiku-4-5"),
    newer_token_field: false,
    // There is no JSON mode: the prompt asks for it.
    json_mode: JsonMode::Unknown,
    only_models_of: Some(Vendor::Anthropic),
    ..OPENAI
};
