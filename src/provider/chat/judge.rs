//! What a reply means: an answer, or a refusal with what is known of its effect and what to do
//! next.

use std::time::Duration;

use serde_json::Value;

use crate::batch::{ErrorWords, Failure, FailureKind};
use crate::provider::CallClass;
use crate::provider::http::{quote, words_of_redirect};

use super::advice::{Refusal, advise};
use super::api::Advice;
use super::look::{Look, look};

/// What came back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// The connection broke before the body ended.
    pub(super) is_cut: bool,
    pub(super) location: Option<&'a str>,
    pub(super) retry_after: Option<Duration>,
    pub(super) should_retry: Option<bool>,
}

/// What it means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judged {
    /// The body holds an answer, good or not.
    Answered,
    /// It does not.
    Failed {
        class: CallClass,
        failure: Failure,
        advice: Advice,
        /// Whether the body is JSON all the same.
        is_json: bool,
    },
}

impl Judged {
    /// Whether the body is a whole JSON object.
    pub(super) fn is_json(&self) -> bool {
        !matches!(self, Self::Failed { is_json: false, .. })
    }
}

/// Judges a reply.
pub(super) fn judge(told: &Told<'_>) -> Judged {
    let seen = look(told.body);
    let is_success = (200..300).contains(&told.status);
    if is_success && !told.is_cut {
        match seen {
            Some(Look { has_answer: true, is_doubtful: false }) => return Judged::Answered,
            None => return broken(told, format!("expected JSON, got {}", quote(told.body))),
            Some(_) => {}
        }
    }
    if told.is_cut {
        return broken(told, "the reply was cut off".to_owned());
    }
    let tree: Value = serde_json::from_slice(told.body).unwrap_or_default();
    match complaint(&tree, is_success) {
        Some(words) => refused(told, &tree, &words),
        None if is_success && seen.is_some_and(|seen| seen.has_answer) => Judged::Answered,
        None if is_success => {
            let words = format!("the reply holds no answer: {}", quote(told.body));
            failed(told, CallClass::Unknown, FailureKind::Server, words, Advice::Again(None))
        }
        None => {
            let message = match told.status {
                300..=399 => words_of_redirect(told.location),
                _ => quote(told.body),
            };
            refused(told, &tree, &ErrorWords { message, ..ErrorWords::default() })
        }
    }
}

/// A reply that is not whole: the answer may have been made and billed.
fn broken(told: &Told<'_>, words: String) -> Judged {
    failed(told, CallClass::Unknown, FailureKind::Network, words, Advice::Again(None))
}

fn failed(
    told: &Told<'_>,
    class: CallClass,
    kind: FailureKind,
    words: String,
    advice: Advice,
) -> Judged {
    let failure = Failure { status: Some(told.status), ..Failure::ours(kind, words) };
    Judged::Failed { class, failure, advice, is_json: look(told.body).is_some() }
}

/// The complaint in a body, wherever it stands.
fn complaint(tree: &Value, is_success: bool) -> Option<ErrorWords> {
    let choices = || tree.get("choices").and_then(Value::as_array).into_iter().flatten();
    let in_choice = || choices().find_map(|choice| ErrorWords::read(choice.get("error")?));
    let lost = || {
        let is_lost = choices().any(|choice| choice["finish_reason"] == "network_error");
        is_lost.then(|| ErrorWords {
            code: Some("network_error".to_owned()),
            error_type: None,
            message: "the provider lost its connection to the model".to_owned(),
        })
    };
    let bare = || (!is_success && tree.is_object()).then(|| ErrorWords::read(tree)).flatten();
    ErrorWords::in_reply(tree).or_else(in_choice).or_else(lost).or_else(bare)
}

fn refused(told: &Told<'_>, tree: &Value, words: &ErrorWords) -> Judged {
    let (told_in_body, is_used_up) = quota_details(&tree["error"]);
    let after = told.retry_after.or(told_in_body);
    let failure = words.clone().into_failure(Some(told.status), after);
    let advice = advise(&Refusal {
        status: told.status,
        code: words.code.as_deref(),
        error_type: words.error_type.as_deref(),
        message: &words.message,
        kind: failure.kind,
        after,
        should_retry: told.should_retry,
        is_used_up,
    });
    let is_explained = tree.is_object();
    let class = class_of(told.status, is_explained, words);
    Judged::Failed { class, failure, advice, is_json: is_explained }
}

/// What is known of the effect of a call that was refused. A gateway that gave up waiting says
/// nothing about the model behind it, nor does an error that the service did not word.
fn class_of(status: u16, is_explained: bool, words: &ErrorWords) -> CallClass {
    match status {
        408 | 499 | 502 | 504 => CallClass::Unknown,
        500..=599 if !is_explained => CallClass::Unknown,
        _ if words.code.as_deref() == Some("network_error") => CallClass::Unknown,
        _ => CallClass::Rejected,
    }
}

/// Gemini's word on how long to wait, and whether a quota of a day is used up: then waiting helps
/// nobody before tomorrow. A quota of the free tier counts as such where it names no minute.
fn quota_details(error: &Value) -> (Option<Duration>, bool) {
    let details = error.get("details").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let after = details.iter().find_map(|detail| duration(detail.get("retryDelay")?));
    let quotas = details.iter().filter_map(|detail| detail.get("violations")?.as_array());
    let mut names = quotas.flatten().filter_map(|violation| violation.get("quotaId")?.as_str());
    let is_used_up = names.any(|name| {
        name.contains("PerDay") || (name.contains("FreeTier") && !name.contains("PerMinute"))
    });
    (after, is_used_up)
}

/// `34s`, `0.5s`, or an object with seconds.
fn duration(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => text.trim().strip_suffix('s')?.parse::<f64>().ok()?,
        Value::Object(map) => map.get("seconds")?.as_f64()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
