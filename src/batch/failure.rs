//! What went wrong with one request or one call, as a fact and not as an error of ours.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::classify::{Signs, is_telling};
use crate::base::redact;

/// Longer words of a provider are cut; a list of accepted models must still fit.
const LONGEST_MESSAGE: usize = 4000;

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
    /// The request ran and may have been billed, and its line holds no answer.
    NoAnswer,
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

impl FailureKind {
    const ALL: [Self; 12] = [
        Self::Network,
        Self::RateLimited,
        Self::Server,
        Self::NoAnswer,
        Self::Credentials,
        Self::Account,
        Self::Invalid,
        Self::Filtered,
        Self::QueueFull,
        Self::NotFound,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word it is stored and shown as.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::NoAnswer => "no_answer",
            Self::Credentials => "credentials",
            Self::Account => "account",
            Self::Invalid => "invalid",
            Self::Filtered => "filtered",
            Self::QueueFull => "queue_full",
            Self::NotFound => "not_found",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The kinds after which the same request may succeed when sent again.
    pub fn repeatable() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.is_repeatable())
    }

    /// Whether the same request may succeed when sent again.
    pub fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::Network
                | Self::RateLimited
                | Self::Server
                | Self::NoAnswer
                | Self::QueueFull
                | Self::Expired
        )
    }

    /// Whether nothing else may be sent to this account before a person acts.
    pub fn stops_the_account(self) -> bool {
        matches!(self, Self::Credentials | Self::Account)
    }
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
    /// A failure in our own words, without status or code.
    pub fn ours(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, status: None, code: None, message: message.into(), retry_after: None }
    }

    /// Whether the same request may succeed when sent again.
    pub fn is_repeatable(&self) -> bool {
        self.kind.is_repeatable()
    }

    /// Whether nothing else may be sent to this account before a person acts.
    pub fn stops_the_account(&self) -> bool {
        self.kind.stops_the_account()
    }
}

/// What an error object of a provider says, whatever its shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorWords {
    /// The code; numbers as text.
    pub code: Option<String>,
    /// The type, at services that have one beside the code.
    pub error_type: Option<String>,
    /// The words; empty where there are none.
    pub message: String,
}

impl ErrorWords {
    /// Reads the value of an `error` key. `null`, `false`, `""` and `{}` are no error.
    pub fn read(error: &Value) -> Option<Self> {
        match error {
            Value::Null | Value::Bool(false) => None,
            Value::String(text) if text.trim().is_empty() => None,
            Value::Object(map) if map.is_empty() => None,
            Value::Object(map) => {
                let words =
                    ["message", "msg", "detail"].iter().find_map(|key| text_of(map.get(*key)));
                Some(Self {
                    code: telling_reason(map)
                        .or_else(|| text_of(map.get("error_code")))
                        .or_else(|| text_of(map.get("code"))),
                    error_type: text_of(map.get("type")).or_else(|| text_of(map.get("status"))),
                    message: words.unwrap_or_else(|| error.to_string()),
                })
            }
            Value::String(text) => Some(Self { message: text.clone(), ..Self::default() }),
            other => Some(Self { message: other.to_string(), ..Self::default() }),
        }
    }

    /// Reads a whole reply: its `error` key, or a code and words at its top level, as some services
    /// answer even with HTTP 200. `None` where the reply is no complaint.
    pub fn in_reply(reply: &Value) -> Option<Self> {
        if let Some(words) = reply.get("error").and_then(Self::read) {
            return Some(words);
        }
        let code = text_of(reply.get("code")).filter(|code| code != "0" && code != "200")?;
        let message = text_of(reply.get("message")).or_else(|| text_of(reply.get("msg")))?;
        Some(Self { code: Some(code), error_type: None, message })
    }

    /// The failure these words stand for, classified, with loaded keys taken out of the text.
    pub fn into_failure(self, status: Option<u16>, retry_after: Option<Duration>) -> Failure {
        let signs = Signs {
            code: self.code.as_deref(),
            error_type: self.error_type.as_deref(),
            status,
            message: &self.message,
        };
        Failure {
            kind: signs.kind(),
            status,
            code: self.code.or(self.error_type).map(|code| redact(&code).into_owned()),
            message: redact(&shorten(&self.message, LONGEST_MESSAGE)).into_owned(),
            retry_after,
        }
    }
}

/// Gemini's own word for what went wrong, which stands among the details: the code beside it is
/// only the HTTP status. `None` where it says no more than that.
fn telling_reason(error: &Map<String, Value>) -> Option<String> {
    let details = error.get("details")?.as_array()?;
    let mut reasons = details.iter().filter_map(|detail| detail.get("reason")?.as_str());
    reasons.find(|reason| is_telling(reason)).map(str::to_owned)
}

/// A scalar as text; empty text, `null`, arrays and empty objects are absent.
fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(map) if !map.is_empty() => Some(Value::Object(map.clone()).to_string()),
        _ => None,
    }
}

/// The text without surrounding blanks, cut after so many bytes at a character.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.len() <= most {
        return text.to_owned();
    }
    let fits = |(start, c): &(usize, char)| start + c.len_utf8() <= most;
    let kept: String = text.char_indices().take_while(fits).map(|(_, c)| c).collect();
    kept + " …"
}
