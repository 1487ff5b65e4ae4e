//! What a reply means and what to do next: the retry table as one pure function.

use std::time::Duration;

use serde_json::Value;

use crate::batch::{ErrorWords, Failure, FailureKind};
use crate::provider::CallClass;

use super::api::Advice;
use super::look::look;

/// What came back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// The connection broke before the body ended.
    pub(super) is_cut: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) should_retry: Option<bool>,
}

/// What it means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judged {
    /// The body holds an answer, good or not.
    Answered,
    /// It does not.
    Failed { class: CallClass, failure: Failure, advice: Advice },
}

/// Judges a reply.
pub(super) fn judge(told: &Told<'_>) -> Judged {
    if told.is_cut {
        let failure = Failure {
            status: Some(told.status),
            ..Failure::ours(FailureKind::Network, "the reply was cut off")
        };
        return Judged::Failed { class: CallClass::Unknown, failure, advice: Advice::Again(None) };
    }
    let seen = look(told.body);
    if (200..300).contains(&told.status)
        && seen.is_some_and(|seen| seen.has_answer && !seen.is_doubtful)
    {
        return Judged::Answered;
    }
    let tree: Option<Value> = serde_json::from_slice(told.body).ok();
    let words = tree.as_ref().and_then(ErrorWords::in_reply).unwrap_or_else(|| ErrorWords {
        message: String::from_utf8_lossy(&told.body[..told.body.len().min(200)]).into_owned(),
        ..ErrorWords::default()
    });
    let failure = words.into_failure(Some(told.status), told.retry_after);
    let advice = match failure.kind {
        FailureKind::Credentials | FailureKind::Account | FailureKind::NotFound => {
            Advice::NotThisProvider
        }
        FailureKind::RateLimited => Advice::SlowDown(told.retry_after),
        FailureKind::Invalid | FailureKind::Filtered => Advice::NotThisRow,
        _ => Advice::Again(told.retry_after),
    };
    Judged::Failed { class: CallClass::Rejected, failure, advice }
}
