//! `OpenAI`, and servers of its shape that the user names.

use crate::shard::Limits;

use super::dialect::{Dialect, JsonMode, Shape};
use super::models::Vendor;

/// `OpenAI`.
pub const OPENAI: Dialect = Dialect {
    name: "openai",
    shape: Shape::OpenAi,
    batches: true,
    base_url: "https://api.openai.com/v1",
    base_url_variables: &["OPENAI_BASE_URL"],
    key_variables: &["OPENAI_API_KEY"],
    chat: "/v1/chat/completions",
    embeddings: Some("/v1/embeddings"),
    responses: Some("/v1/responses"),
    completion_window: "24h",
    limits: Limits { max_requests: 50_000, max_bytes: 200_000_000, max_line_bytes: None },
    max_embeddings: 50_000,
    auto_delete_input_file: None,
    custom_id_min: 1,
    currency: "USD",
    // The seed of this program asked gpt-4o; S1.02.
    default_model: Some("gpt-4o"),
    newer_token_field: true,
    json_mode: JsonMode::Schema,
    images: true,
    forbidden_parameters: &["stream"],
    only_models_of: Some(Vendor::OpenAi),
    fence_trusted: false,
};

/// Any other server of this shape; the user gives the address and the variable of the key.
pub const COMPATIBLE: Dialect = Dialect {
    name: "openai-compatible",
    base_url: "",
    base_url_variables: &[],
    key_variables: &[],
    json_mode: JsonMode::Unknown,
    only_models_of: None,
    ..OPENAI
};
