//! What differs between services: plain data, no calls.

use std::time::Duration;

use crate::request::Endpoint;
use crate::shard::Limits;

use super::models::{self, Vendor};

/// How far a service can hold a model to JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonMode {
    /// Not known to: the prompt alone must ask for it.
    Unknown,
    /// `response_format` of type `json_object`.
    Object,
    /// `json_object` and `json_schema`.
    Schema,
}

/// The shape of calls that are answered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `OpenAI`'s, which most services speak.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
}

/// One service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The name for `--provider`.
    pub name: &'static str,
    /// The shape of its calls.
    pub shape: Shape,
    /// Whether batches can be run here.
    pub batches: bool,
    /// The default address; empty where the user must give one.
    pub base_url: &'static str,
    /// Environment variables that may hold another address.
    pub base_url_variables: &'static [&'static str],
    /// Environment variables that may hold the key, the first one is the usual one.
    pub key_variables: &'static [&'static str],
    /// The `url` of a chat line, which is also the batch's `endpoint`.
    pub chat: &'static str,
    /// The same for embeddings, where the service takes them in a batch.
    pub embeddings: Option<&'static str>,
    /// The same for Responses.
    pub responses: Option<&'static str>,
    /// What is sent as completion window when the user says nothing.
    pub completion_window: &'static str,
    /// What one input file may hold.
    pub limits: Limits,
    /// Requests in a file of embeddings, where fewer are allowed.
    pub max_embeddings: u64,
    /// Whether `auto_delete_input_file` is sent, and as what.
    pub auto_delete_input_file: Option<bool>,
    /// The shortest `custom_id` that is taken, in characters.
    pub custom_id_min: usize,
    /// The currency of its bills.
    pub currency: &'static str,
    /// The model that is asked when the user names none.
    pub default_model: Option<&'static str>,
    /// Whether OpenAI's newer models want `max_completion_tokens` here.
    pub newer_token_field: bool,
    /// Whether and how JSON can be asked for.
    pub json_mode: JsonMode,
    /// Whether requests may carry images.
    pub images: bool,
    /// Parameters the service refuses in a batch line.
    pub forbidden_parameters: &'static [&'static str],
    /// The maker whose models alone are served at the service's own address.
    pub only_models_of: Option<Vendor>,
    /// Whether a deleted input file is known to stop a late create.
    pub fence_trusted: bool,
}

impl Dialect {
    /// The `url` of a request line and the batch's `endpoint`; `None` if the service does not take
    /// such requests in a batch.
    pub fn line_url(&self, endpoint: Endpoint) -> Option<&'static str> {
        match endpoint {
            Endpoint::Chat => Some(self.chat),
            Endpoint::Embeddings => self.embeddings,
            Endpoint::Responses => self.responses,
        }
    }

    /// What one input file of such requests may hold, exactly as published: callers keep a margin.
    pub fn limits(&self, endpoint: Endpoint) -> Limits {
        let most = match endpoint {
            Endpoint::Embeddings => self.max_embeddings,
            Endpoint::Chat | Endpoint::Responses => self.limits.max_requests,
        };
        Limits { max_requests: most.min(self.limits.max_requests), ..self.limits }
    }

    /// How long results stay after their batch ended; `None` where nothing is published.
    pub fn retention(&self) -> Option<Duration> {
        let days = match self.name {
            "openai" | "zhipu" | "zai" | "dashscope" | "dashscope-intl" => 30,
            _ => return None,
        };
        Some(Duration::from_secs(days * 24 * 60 * 60))
    }

    /// The name of the parameter that limits the length of an answer.
    pub fn max_tokens_field(&self, endpoint: Endpoint, model: &str) -> &'static str {
        match endpoint {
            Endpoint::Responses => "max_output_tokens",
            _ if self.newer_token_field && models::refuses_max_tokens(model) => {
                "max_completion_tokens"
            }
            _ => "max_tokens",
        }
    }

    /// Whether a model takes temperature and its like; some answer such a request with an error.
    pub fn takes_sampling(&self, model: &str) -> bool {
        self.shape == Shape::OpenAi || !models::refuses_sampling(model)
    }

    /// How far a model can be held to JSON here.
    pub fn json_mode_of(&self, model: &str) -> JsonMode {
        models::older_json_mode(model).map_or(self.json_mode, |mode| mode.min(self.json_mode))
    }

    /// The maker of this model, if it is known to be another than the one whose models this service
    /// serves at its own address. Such a request is a mistake that would cost an upload.
    pub fn refuses_model(&self, model: &str) -> Option<Vendor> {
        let own = self.only_models_of?;
        Vendor::of_model(model).filter(|maker| *maker != own)
    }
}
