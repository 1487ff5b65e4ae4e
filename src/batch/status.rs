//! The batch as a provider describes it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The eight states of a batch, in the words of `OpenAI`'s API; other services' words are mapped
/// onto them where they are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// The input file is being checked.
    Validating,
    /// Requests are running.
    InProgress,
    /// Results are being written.
    Finalizing,
    /// Output and error file are ready.
    Completed,
    /// The check refused the file; nothing ran and nothing was billed.
    Failed,
    /// The completion window passed; finished requests are in the output file.
    Expired,
    /// A cancel was accepted and is under way.
    Cancelling,
    /// Stopped; finished requests are in the output file and were billed.
    Cancelled,
}

impl BatchStatus {
    /// All states, in the order in which a batch may pass them.
    pub const ALL: [Self; 8] = [
        Self::Validating,
        Self::InProgress,
        Self::Finalizing,
        Self::Completed,
        Self::Failed,
        Self::Expired,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// The state a provider's word stands for; `None` for an unknown word, which callers keep,
    /// report once, and wait on. Case and the prefixes `BATCH_STATE_` and `JOB_STATE_` do not
    /// matter. The words are those seen at the services with an OpenAI-shaped Batch API.
    pub fn read(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase();
        let word = word
            .strip_prefix("batch_state_")
            .or_else(|| word.strip_prefix("job_state_"))
            .unwrap_or(&word);
        Some(match word {
            "validating" | "queued" | "pending" | "created" => Self::Validating,
            "in_progress" | "running" | "progress" | "processing" => Self::InProgress,
            "finalizing" => Self::Finalizing,
            "completed" | "succeeded" | "success" | "ended" | "partially_succeeded" => {
                Self::Completed
            }
            "failed" => Self::Failed,
            "expired" | "timeout_exceeded" => Self::Expired,
            "cancelling" | "canceling" | "cancellation_requested" => Self::Cancelling,
            "cancelled" | "canceled" => Self::Cancelled,
            _ => return None,
        })
    }

    /// Whether nothing will change any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Expired | Self::Cancelled)
    }

    /// The word of `OpenAI`'s API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::InProgress => "in_progress",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for BatchStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many requests a batch holds and what became of them; each may be absent, and all may be
/// wrong: they are for progress, never for accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    /// Requests in the input file.
    pub total: Option<u64>,
    /// Requests answered.
    pub completed: Option<u64>,
    /// Requests that failed.
    pub failed: Option<u64>,
}

/// One complaint of the check of an input file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchError {
    /// The provider's code, e.g. `duplicate_custom_id`, `token_limit_exceeded`.
    pub code: Option<String>,
    /// The provider's words.
    pub message: String,
    /// The line of the input file, from 1, where the provider names one.
    pub line: Option<u64>,
}

/// Tokens of one request or of a whole batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of the completion, reasoning ones included.
    pub completion_tokens: u64,
    /// Prompt tokens served from the provider's prompt cache.
    pub cached_tokens: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Both sums together.
    pub fn total(self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cached_tokens += other.cached_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
    }
}

/// A batch as the provider last described it. Only `id` and the status word are sure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The provider's id.
    pub id: String,
    /// The state, `None` where the provider's word is unknown (wait on it).
    pub status: Option<BatchStatus>,
    /// The provider's own word.
    pub status_word: String,
    /// The uploaded file this batch reads.
    pub input_file_id: Option<String>,
    /// Answers; an id, or at some services a link.
    pub output_file_id: Option<String>,
    /// Refused requests; an id, or at some services a link.
    pub error_file_id: Option<String>,
    /// Progress.
    pub counts: RequestCounts,
    /// What the check of the input file complained of.
    pub errors: Vec<BatchError>,
    /// Key and value pairs given at creation.
    pub metadata: BTreeMap<String, String>,
    /// When it was created, in Unix seconds by the provider's clock.
    pub created_at: Option<i64>,
    /// When it will expire, in Unix seconds by the provider's clock.
    pub expires_at: Option<i64>,
    /// When it reached its final state, in Unix seconds by the provider's clock.
    pub ended_at: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_words_in_any_spelling_and_unknown_ones() {
        let table = [
            ("validating", Some(BatchStatus::Validating)),
            ("BATCH_STATE_RUNNING", Some(BatchStatus::InProgress)),
            ("JOB_STATE_SUCCEEDED", Some(BatchStatus::Completed)),
            ("Canceled", Some(BatchStatus::Cancelled)),
            ("TIMEOUT_EXCEEDED", Some(BatchStatus::Expired)),
            ("paused_for_tea", None),
        ];
        for (word, expected) in table {
            assert_eq!(BatchStatus::read(word), expected, "{word}");
        }
        for status in BatchStatus::ALL {
            assert_eq!(BatchStatus::read(status.as_str()), Some(status), "S4.18");
        }
    }
}
