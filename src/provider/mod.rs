//! The services that are asked: what they are like (data), what can be asked of them in batches
//! ([`BatchApi`]) and at once ([`ChatApi`]), and the calls themselves over HTTP.
//!
//! Nothing here decides what to do next: a call reports exactly what is known about its effect, and
//! the job concludes. Only reads repeat themselves; a call that changes something is sent once.

mod anthropic;
mod api;
mod chat;
mod decode;
mod dialect;
mod error;
mod files;
mod gemini;
mod hosted;
mod http;
mod models;
mod openai;
mod queues;
mod realtime_only;
mod sandbox;
mod settings;
mod zhipu;

pub use anthropic::ANTHROPIC;
pub use api::{BatchApi, CreateBatch, Page, RemoteFile};
pub use chat::{
    Advice, Allowance, CallReply, CallRequest, ChatApi, ChatError, RateSigns, open_chat,
};
pub use decode::{decode_batch, decode_file};
pub use dialect::{Dialect, JsonMode, Shape};
pub use error::{CallClass, CallError, ProviderError};
pub use gemini::GEMINI;
pub use hosted::{
    DASHSCOPE, DASHSCOPE_INTL, GROQ, MOONSHOT, MOONSHOT_INTL, SILICONFLOW, SILICONFLOW_INTL,
};
pub use models::Vendor;
pub use openai::{COMPATIBLE, OPENAI};
pub use queues::{QUEUES_AS_OF, enqueued_tokens};
pub use sandbox::{KEY_PREFIX, SANDBOX, probe_sandbox};
pub use settings::{Address, ProviderSettings, Proxy, Timeouts, open};
pub use zhipu::{ZAI, ZHIPU};

/// Every built-in provider, in the order in which they are listed.
pub const PROVIDERS: &[Dialect] = &[
    OPENAI,
    ZHIPU,
    ZAI,
    ANTHROPIC,
    GEMINI,
    GROQ,
    DASHSCOPE,
    DASHSCOPE_INTL,
    MOONSHOT,
    MOONSHOT_INTL,
    SILICONFLOW,
    SILICONFLOW_INTL,
    SANDBOX,
];

const OTHERS: &[Dialect] = &[COMPATIBLE];

/// The built-in provider of this name, or the kind of a provider of the user's own
/// (`openai-compatible` besides the built-in names).
pub fn dialect(name: &str) -> Result<&'static Dialect, ProviderError> {
    let all = || PROVIDERS.iter().chain(OTHERS);
    all().find(|dialect| dialect.name == name).ok_or_else(|| ProviderError::UnknownProvider {
        name: name.to_owned(),
        known: all().map(|dialect| dialect.name).collect(),
    })
}

/// The provider that a well-known model name stands for, when the user names none.
pub fn provider_of_model(model: &str) -> Option<&'static Dialect> {
    let maker = Vendor::of_model(model)?.provider_name();
    PROVIDERS.iter().find(|dialect| dialect.name == maker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Endpoint;

    /// The promises of a dialect that can be checked without a call.
    #[test]
    fn every_dialect_is_complete() {
        for dialect in PROVIDERS.iter().chain(OTHERS) {
            let name = dialect.name;
            assert!(dialect.chat.ends_with("/chat/completions"), "{name}");
            assert!(dialect.custom_id_min <= 18, "{name}: our ids have 18 characters");
            assert!(dialect.forbidden_parameters.contains(&"stream"), "{name}");
            assert!(["USD", "CNY"].contains(&dialect.currency), "{name}");
            assert!(
                PROVIDERS.iter().filter(|other| other.name == name).count() <= 1,
                "{name} stands twice"
            );
            if !dialect.base_url.is_empty() {
                assert!(dialect.base_url.starts_with("https://"), "{name}");
                assert!(!dialect.key_variables.is_empty(), "{name}");
                assert!(Address::parse(dialect.base_url).is_ok(), "{name}");
            }
        }
    }

    /// `S3.01`: three makers, each asked with its own key.
    #[test]
    fn s3_01_services_that_are_only_called() {
        assert_eq!(OPENAI.key_variables, ["OPENAI_API_KEY"]);
        assert_eq!(ANTHROPIC.key_variables, ["ANTHROPIC_API_KEY"]);
        assert_eq!(GEMINI.key_variables, ["GEMINI_API_KEY", "GOOGLE_API_KEY"]);
        for dialect in [ANTHROPIC, GEMINI] {
            assert!(!dialect.batches && dialect.shape != Shape::OpenAi, "{}", dialect.name);
            assert!(dialect.images && dialect.default_model.is_some(), "{}", dialect.name);
            assert_eq!(dialect.line_url(Endpoint::Chat), Some("/v1/chat/completions"));
            assert_eq!(dialect.line_url(Endpoint::Embeddings), None);
        }
        let is_odd = |dialect: &&Dialect| dialect.shape != Shape::OpenAi || !dialect.batches;
        let odd: Vec<&str> = PROVIDERS.iter().filter(is_odd).map(|dialect| dialect.name).collect();
        assert_eq!(odd, ["anthropic", "gemini"]);
    }

    #[test]
    fn s1_what_differs_between_openai_and_zhipu() {
        assert_eq!(OPENAI.line_url(Endpoint::Responses), Some("/v1/responses"));
        assert_eq!(ZHIPU.line_url(Endpoint::Responses), None);
        assert_eq!(ZHIPU.line_url(Endpoint::Chat), Some("/v4/chat/completions"));
        assert_eq!(ZHIPU.limits(Endpoint::Embeddings).max_requests, 10_000);
        assert_eq!(ZAI.limits(Endpoint::Chat).max_bytes, 100_000_000);
        assert_eq!(ZAI.auto_delete_input_file, Some(false));
        let field = |dialect: Dialect, endpoint, model| dialect.max_tokens_field(endpoint, model);
        assert_eq!(field(OPENAI, Endpoint::Chat, "gpt-5-mini"), "max_completion_tokens");
        assert_eq!(field(OPENAI, Endpoint::Chat, "gpt-4o"), "max_tokens");
        assert_eq!(field(OPENAI, Endpoint::Responses, "gpt-4o"), "max_output_tokens");
        assert_eq!(field(ZHIPU, Endpoint::Chat, "glm-5"), "max_tokens");
    }

    /// `B13`: who pays is never guessed, and a foreign model is refused before an upload.
    #[test]
    fn models_choose_their_provider_and_are_refused_elsewhere() {
        let chosen = |model| provider_of_model(model).map(|dialect| dialect.name);
        assert_eq!(chosen("glm-4-flash"), Some("zhipu"));
        assert_eq!(chosen("gpt-4o"), Some("openai"));
        assert_eq!(chosen("claude-haiku-4-5"), Some("anthropic"));
        assert_eq!(chosen("gemini-2.5-flash"), Some("gemini"));
        assert_eq!(chosen("mistral-large-latest"), None);
        assert_eq!(chosen("my-model"), None);
        assert_eq!(OPENAI.refuses_model("glm-4"), Some(Vendor::Zhipu));
        assert_eq!(ZAI.refuses_model("glm-4"), None);
        assert_eq!(ZHIPU.refuses_model("gpt-4o"), Some(Vendor::OpenAi));
        assert_eq!(ANTHROPIC.refuses_model("gpt-4o"), Some(Vendor::OpenAi));
        assert_eq!(GEMINI.refuses_model("claude-haiku-4-5"), Some(Vendor::Anthropic));
        assert_eq!(OPENAI.refuses_model("my-model"), None);
        assert_eq!(GROQ.refuses_model("qwen3-32b"), None);
        assert_eq!(COMPATIBLE.refuses_model("claude-haiku-4-5"), None);
        assert!(matches!(dialect("opanai"), Err(ProviderError::UnknownProvider { .. })));
        assert_eq!(dialect("openai-compatible").map(|found| found.base_url), Ok(""));
    }
}
