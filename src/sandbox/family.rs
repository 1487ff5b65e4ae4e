//! The families of services that are played here, as data: addresses, limits, models, ids. Two of
//! them have batches; all answer at once.

use serde::{Deserialize, Serialize};

/// Which service's manners a base address has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// OpenAI and those that copy it.
    #[serde(rename = "openai")]
    OpenAi,
    /// Zhipu BigModel.
    #[serde(rename = "zhipu")]
    Zhipu,
    /// Anthropic: calls that answer at once only.
    #[serde(rename = "anthropic")]
    Anthropic,
    /// Gemini: calls that answer at once only.
    #[serde(rename = "gemini")]
    Gemini,
}

/// What one input file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines.
    pub max_requests: u64,
    /// Bytes.
    pub max_bytes: u64,
}

/// What a request line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Embeddings,
    Responses,
}

/// No file of any purpose may be larger, at either service.
pub(super) const MAX_FILE_BYTES: u64 = 512 << 20;

/// The models Zhipu takes in batches.
pub(super) const ZHIPU_BATCH_MODELS: [&str; 19] = [
    "glm-5.1",
    "glm-5-turbo",
    "glm-4-plus",
    "glm-4-air",
    "glm-4-air-250414",
    "glm-4-flash",
    "glm-4-flash-250414",
    "glm-4-flashx-250414",
    "glm-4-long",
    "glm-4-0520",
    "glm-4",
    "glm-3-turbo",
    "glm-4v",
    "glm-4v-plus",
    "glm-4v-plus-0111",
    "embedding-2",
    "embedding-3",
    "cogview-3-plus",
    "cogvideox-2",
];

/// Beginnings of model names that no service of OpenAI's family sells.
const FOREIGN_TO_OPENAI: [&str; 3] = ["glm-", "claude-", "gemini-"];

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Zhipu, Self::Anthropic, Self::Gemini];
    /// Those with files and batches.
    pub const WITH_BATCHES: [Self; 2] = [Self::OpenAi, Self::Zhipu];

    /// The path in front of all its routes; with scheme, host and port it is the base address.
    /// The clients of the last two put the version into each path themselves.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1",
            Self::Zhipu => "/api/paas/v4",
            Self::Anthropic | Self::Gemini => "",
        }
    }

    /// Its folder in the state folder and its name in the ledger.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Zhipu => "zhipu",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    pub(super) fn limits(self) -> Limits {
        let max_bytes = match self {
            Self::Zhipu => 100_000_000,
            _ => 200_000_000,
        };
        Limits { max_requests: 50_000, max_bytes }
    }

    /// What a line's `url`, or a batch's `endpoint`, stands for.
    pub(super) fn endpoint(self, url: &str) -> Option<Endpoint> {
        match (self, url) {
            (Self::OpenAi, "/v1/chat/completions") | (Self::Zhipu, "/v4/chat/completions") => {
                Some(Endpoint::Chat)
            }
            (Self::OpenAi, "/v1/embeddings") | (Self::Zhipu, "/v4/embeddings") => {
                Some(Endpoint::Embeddings)
            }
            (Self::OpenAi, "/v1/responses") => Some(Endpoint::Responses),
            _ => None,
        }
    }

    pub(super) fn endpoints(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions, /v1/embeddings, /v1/responses",
            Self::Zhipu => "/v4/chat/completions, /v4/embeddings",
            Self::Anthropic => "/v1/messages",
            Self::Gemini => "/v1beta/models/{model}:generateContent",
        }
    }

    /// Whether the service would know this model, in a batch where it has batches.
    pub(super) fn takes_model(self, model: &str) -> bool {
        let begins = |starts: &[&str]| starts.iter().any(|start| model.starts_with(start));
        match self {
            Self::OpenAi => !begins(&FOREIGN_TO_OPENAI),
            Self::Zhipu => ZHIPU_BATCH_MODELS.contains(&model),
            Self::Anthropic => !begins(&["gpt-", "glm-", "gemini-"]),
            Self::Gemini => !begins(&["gpt-", "glm-", "claude-"]),
        }
    }

    /// An id for a file; ids of one family sort by their stamp (microseconds).
    pub(super) fn file_id(self, stamp: u64, salt: u64) -> String {
        match self {
            Self::Zhipu => format!("{stamp:017}_{salt:016x}"),
            _ => format!("file-{stamp:014x}{salt:016x}"),
        }
    }

    /// An id for a batch; ids of one family sort by their stamp (microseconds).
    pub(super) fn batch_id(self, stamp: u64, salt: u64) -> String {
        match self {
            Self::Zhipu => format!("batch_{stamp:017}{:04}", salt % 10_000),
            _ => format!("batch_{stamp:014x}{salt:016x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_stamp_and_endpoints_belong_to_one_family() {
        for family in Family::WITH_BATCHES {
            assert!(family.file_id(9, 5) < family.file_id(10, 1));
            assert!(family.batch_id(999, 5) < family.batch_id(1_792_000_000_000_000, 1));
        }
        assert_eq!(Family::OpenAi.endpoint("/v1/chat/completions"), Some(Endpoint::Chat));
        assert_eq!(Family::Zhipu.endpoint("/v1/chat/completions"), None);
        assert!(!Family::OpenAi.takes_model("glm-4-flash"));
        assert!(!Family::Zhipu.takes_model("gpt-4o-mini"));
    }
}
