//! What is to be done after a refusal: the retry table as one pure function. Codes that do not pass
//! decide first, then the service's own word on trying again, then codes that pass, then the HTTP
//! status; the words of the message decide only where nothing else does.

use std::time::Duration;

use crate::batch::FailureKind;

use super::api::Advice;

/// A model that all ask too much of is asked again after this time where nothing is said.
const OVERLOADED: Duration = Duration::from_secs(30);

/// Codes and types of what stays as it is until a person acts: key, money, right, model.
const NOT_HERE: [&str; 26] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "organization_usage_limit_exceeded",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "contract_spend_limit_reached",
    "enforced_spend_limit_reached",
    "exceeded_current_quota_error",
    "insufficient_balance",
    "arrearage",
    "account_deactivated",
    "invalid_api_key",
    "api_key_invalid",
    "authentication_error",
    "unauthenticated",
    "permission_error",
    "permission_denied",
    "billing_error",
    "failed_precondition",
    "unsupported_country_region_territory",
    "model_not_found",
    "not_found_error",
    "not_found",
    "mismatched_model",
    "invalid_url",
];
/// Codes and types of what is wrong with one request.
const NOT_THIS_ROW: [&str; 11] = [
    "context_length_exceeded",
    "string_above_max_length",
    "content_policy_violation",
    "content_filter",
    "responsible_ai_policy_violation",
    "data_inspection_failed",
    "missing_required_parameter",
    "invalid_image",
    "invalid_argument",
    "request_too_large",
    "out_of_range",
];
/// Codes and types of too much at once.
const TOO_MUCH: [&str; 11] = [
    "rate_limit_exceeded",
    "rate_limit_error",
    "rate_limit_reached_error",
    "resource_exhausted",
    "ramp_limit_exceeded",
    "too_many_requests",
    "overloaded_error",
    "engine_overloaded_error",
    "limit_requests",
    "requests",
    "tokens",
];
/// Words of too much at once. "capacity" is none of them: it stands in all sorts of messages.
const TOO_MUCH_IN_WORDS: [&str; 6] =
    ["rate limit", "ratelimit", "rate_limit", "too many requests", "throttl", "quota exceeded"];

/// What is known of a refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) code: Option<&'a str>,
    pub(super) error_type: Option<&'a str>,
    pub(super) message: &'a str,
    /// How its code, status and words are classified for results.
    pub(super) kind: FailureKind,
    /// How long to wait, from the headers or the body.
    pub(super) after: Option<Duration>,
    /// The service's word on trying again.
    pub(super) should_retry: Option<bool>,
    /// Whether the details name a quota of a day.
    pub(super) is_used_up: bool,
}

/// What to do after a refusal.
pub(super) fn advise(refusal: &Refusal<'_>) -> Advice {
    if let Some(advice) = permanent(refusal) {
        return advice;
    }
    let passing = passing(refusal);
    match refusal.should_retry {
        Some(true) => passing.unwrap_or(match refusal.status {
            429 | 529 => Advice::SlowDown(refusal.after),
            _ => Advice::Again(refusal.after),
        }),
        // It says that waiting changes nothing.
        Some(false) => match refusal.status {
            401..=405 | 429 => Advice::NotThisProvider,
            _ => Advice::NotThisRow,
        },
        None => passing.unwrap_or_else(|| by_status(refusal.status, refusal)),
    }
}

/// What does not pass, whatever the HTTP status is, and against `x-should-retry: true`.
fn permanent(refusal: &Refusal<'_>) -> Option<Advice> {
    if refusal.is_used_up {
        return Some(Advice::NotThisProvider);
    }
    for code in codes(refusal) {
        if let Some(advice) = permanent_code(&code) {
            return Some(advice);
        }
    }
    let message = refusal.message;
    // More tokens in one request than a minute allows: it comes as a rate limit and stays one.
    if message.starts_with("Request too large for") {
        return Some(Advice::NotThisRow);
    }
    if codes(refusal).any(|code| code == "invalid_request_error") {
        return match refusal.status {
            // Anthropic has no code of its own for an account without money.
            _ if message.contains("credit balance is too low") => Some(Advice::NotThisProvider),
            401..=405 => Some(Advice::NotThisProvider),
            408 | 409 | 429 => None,
            _ => Some(Advice::NotThisRow),
        };
    }
    None
}

fn codes<'a>(refusal: &Refusal<'a>) -> impl Iterator<Item = String> + use<'a> {
    [refusal.code, refusal.error_type].into_iter().flatten().map(str::to_ascii_lowercase)
}

fn permanent_code(code: &str) -> Option<Advice> {
    match code.parse() {
        Ok(1000..=1005 | 1110..=1113 | 1120 | 1121 | 1211 | 1220..=1222) => {
            Some(Advice::NotThisProvider)
        }
        Ok(1304 | 1308..=1311 | 1313..=1321) => Some(Advice::NotThisProvider),
        Ok(1210 | 1212..=1215 | 1261 | 1301) => Some(Advice::NotThisRow),
        Err(_) if NOT_HERE.contains(&code) => Some(Advice::NotThisProvider),
        Err(_) if NOT_THIS_ROW.contains(&code) => Some(Advice::NotThisRow),
        Ok(_) | Err(_) => None,
    }
}

/// Codes of what passes.
fn passing(refusal: &Refusal<'_>) -> Option<Advice> {
    let after = refusal.after;
    codes(refusal).find_map(|code| match code.parse::<u32>() {
        Ok(1302 | 1303 | 1312) => Some(Advice::SlowDown(after)),
        Ok(1305) => Some(Advice::SlowDown(after.or(Some(OVERLOADED)))),
        Ok(1200 | 1230 | 1231 | 1234) => Some(Advice::Again(after)),
        Ok(_) => None,
        Err(_) => {
            let is_much = TOO_MUCH.contains(&code.as_str()) || code.starts_with("throttling");
            is_much.then_some(Advice::SlowDown(after))
        }
    })
}

fn by_status(status: u16, refusal: &Refusal<'_>) -> Advice {
    let after = refusal.after;
    match status {
        429 | 529 => Advice::SlowDown(after),
        // A service that says when it is back says so for all calls.
        503 if after.is_some() => Advice::SlowDown(after),
        408 | 409 | 425 | 499 | 500.. => Advice::Again(after),
        // Redirected, or no such address: the same for every call.
        300..=399 | 401..=405 | 434 => Advice::NotThisProvider,
        400..=498 => Advice::NotThisRow,
        _ => by_code_or_words(refusal),
    }
}

/// An error that came with a status of success.
fn by_code_or_words(refusal: &Refusal<'_>) -> Advice {
    let number = refusal.code.and_then(|code| code.parse().ok());
    if let Some(status) = number.filter(|status| (300..600).contains(status)) {
        return by_status(status, refusal);
    }
    let words = refusal.message.to_lowercase();
    if TOO_MUCH_IN_WORDS.iter().any(|word| words.contains(word)) {
        return Advice::SlowDown(refusal.after);
    }
    match refusal.kind {
        FailureKind::Credentials | FailureKind::Account => Advice::NotThisProvider,
        FailureKind::Filtered | FailureKind::Invalid => Advice::NotThisRow,
        _ => Advice::Again(refusal.after),
    }
}
