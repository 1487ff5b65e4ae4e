//! What went wrong with one request or one call, as a fact and not as an error of ours.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The classes that decide what may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No answer, or a connection that broke.
    Network,
    /// Too much at once: wait and repeat.
    RateLimited,
    /// The provider had a fault of its own.
    Server,
    /// The key is missing, wrong or not allowed.
    Credentials,
    /// No money, no quota, no such right: stop and tell the user.
    Account,
    /// The request itself is wrong and will stay wrong.
    Invalid,
    /// The request was filtered or refused for its content.
    Filtered,
    /// Queue of tokens or requests full: nothing ran, try later.
    QueueFull,
    /// What was asked for does not exist.
    NotFound,
    /// It was never run because the batch expired.
    Expired,
    /// It was never run because the batch was cancelled.
    Cancelled,
}

/// One failure, with the provider's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its class.
    pub kind: FailureKind,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The provider's code (`insufficient_quota`, `1113`, …).
    pub code: Option<String>,
    /// The provider's words, or ours for transport faults.
    pub message: String,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// Whether the same request may succeed when sent again.
    pub fn is_repeatable(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Network
                | FailureKind::RateLimited
                | FailureKind::Server
                | FailureKind::QueueFull
                | FailureKind::Expired
        )
    }

    /// Whether nothing else may be sent to this account before a person acts.
    pub fn stops_the_account(&self) -> bool {
        matches!(self.kind, FailureKind::Credentials | FailureKind::Account)
    }
}
