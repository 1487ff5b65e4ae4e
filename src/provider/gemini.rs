//! Gemini's developer API, whose calls have a shape of their own. Its batches have one too, which is
//! not spoken here.

use super::dialect::{Dialect, JsonMode, Shape};
use super::models::Vendor;
use super::openai::OPENAI;

/// Gemini. The lines of a job stay in `OpenAI`'s shape: each call is put into its own.
pub const GEMINI: Dialect = Dialect {
    name: "gemini",
    shape: Shape::Gemini,
    batches: false,
    base_url: "https://generativelanguage.googleapis.com",
    base_url_variables: &["GEMINI_BASE_URL"],
    key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    embeddings: None,
    responses: None,
    default_model: Some("gemini-2.5-flash"),
    newer_token_field: false,
    json_mode: JsonMode::Schema,
    only_models_of: Some(Vendor::Google),
    ..OPENAI
};
