//! Zhipu `BigModel`, and Z.ai, its service abroad.
//!
//! What differs from `OpenAI`: lines and endpoint say `/v4/…`, the input file is deleted by default,
//! a `custom_id` has at least six characters, files hold 100 MB, and errors may come with HTTP 200.

use crate::shard::Limits;

use super::dialect::{Dialect, JsonMode};
use super::models::Vendor;
use super::openai::OPENAI;

/// Zhipu `BigModel`.
pub const ZHIPU: Dialect = Dialect {
    name: "zhipu",
    base_url: "https://open.bigmodel.cn/api/paas/v4",
    base_url_variables: &["ZHIPUAI_BASE_URL"],
    key_variables: &["ZHIPUAI_API_KEY"],
    chat: "/v4/chat/completions",
    embeddings: Some("/v4/embeddings"),
    responses: None,
    limits: Limits { max_requests: 50_000, max_bytes: 100_000_000, max_line_bytes: None },
    max_embeddings: 10_000,
    // Deleted by default after processing: then a vanished file would prove nothing about a create.
    auto_delete_input_file: Some(false),
    custom_id_min: 6,
    currency: "CNY",
    // Free, also in batches; S4.02.
    default_model: Some("glm-4-flash"),
    newer_token_field: false,
    json_mode: JsonMode::Object,
    only_models_of: Some(Vendor::Zhipu),
    ..OPENAI
};

/// Z.ai.
pub const ZAI: Dialect = Dialect {
    name: "zai",
    base_url: "https://api.z.ai/api/paas/v4",
    base_url_variables: &["ZAI_BASE_URL"],
    key_variables: &["ZAI_API_KEY"],
    currency: "USD",
    ..ZHIPU
};
