//! Services that carry several makers' models behind a Batch API of `OpenAI`'s shape, from their
//! documentation; none of them was tried with a real key.

use crate::shard::Limits;

use super::dialect::{Dialect, JsonMode};
use super::models::Vendor;
use super::openai::OPENAI;

/// Groq. Its own material says 100 MB and 200 MB; the smaller one is safe.
pub const GROQ: Dialect = Dialect {
    name: "groq",
    base_url: "https://api.groq.com/openai/v1",
    base_url_variables: &["GROQ_BASE_URL"],
    key_variables: &["GROQ_API_KEY"],
    embeddings: None,
    responses: None,
    limits: Limits { max_requests: 50_000, max_bytes: 100_000_000, max_line_bytes: None },
    default_model: None,
    json_mode: JsonMode::Object,
    only_models_of: None,
    ..OPENAI
};

/// `DashScope`, Alibaba's service, at Beijing.
pub const DASHSCOPE: Dialect = Dialect {
    name: "dashscope",
    base_url: "https://dashscope.aliyuncs.com/compatible-mode/v1",
    base_url_variables: &[],
    key_variables: &["DASHSCOPE_API_KEY"],
    responses: None,
    limits: Limits {
        max_requests: 50_000,
        max_bytes: 500_000_000,
        max_line_bytes: Some(6_000_000),
    },
    currency: "CNY",
    default_model: None,
    newer_token_field: false,
    json_mode: JsonMode::Object,
    only_models_of: None,
    ..OPENAI
};

/// `DashScope` at Singapore.
pub const DASHSCOPE_INTL: Dialect = Dialect {
    name: "dashscope-intl",
    base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    currency: "USD",
    ..DASHSCOPE
};

/// Moonshot. No number of requests is published; a batch line must not set sampling parameters.
pub const MOONSHOT: Dialect = Dialect {
    name: "moonshot",
    base_url: "https://api.moonshot.cn/v1",
    base_url_variables: &[],
    key_variables: &["MOONSHOT_API_KEY"],
    embeddings: None,
    responses: None,
    completion_window: "1d",
    limits: Limits { max_requests: 50_000, max_bytes: 100_000_000, max_line_bytes: None },
    currency: "CNY",
    default_model: None,
    newer_token_field: false,
    json_mode: JsonMode::Object,
    forbidden_parameters: &[
        "stream",
        "temperature",
        "top_p",
        "n",
        "presence_penalty",
        "frequency_penalty",
    ],
    only_models_of: Some(Vendor::Moonshot),
    ..OPENAI
};

/// Moonshot abroad.
pub const MOONSHOT_INTL: Dialect = Dialect {
    name: "moonshot-intl",
    base_url: "https://api.moonshot.ai/v1",
    currency: "USD",
    ..MOONSHOT
};

/// `SiliconFlow`. Its output file may be named by a link instead of an id.
pub const SILICONFLOW: Dialect = Dialect {
    name: "siliconflow",
    base_url: "https://api.siliconflow.cn/v1",
    base_url_variables: &[],
    key_variables: &["SILICONFLOW_API_KEY"],
    embeddings: None,
    responses: None,
    limits: Limits { max_requests: 5_000, max_bytes: 1_000_000_000, max_line_bytes: None },
    currency: "CNY",
    default_model: None,
    newer_token_field: false,
    json_mode: JsonMode::Object,
    only_models_of: None,
    ..OPENAI
};

/// `SiliconFlow` abroad.
pub const SILICONFLOW_INTL: Dialect = Dialect {
    name: "siliconflow-intl",
    base_url: "https://api.siliconflow.com/v1",
    currency: "USD",
    ..SILICONFLOW
};
