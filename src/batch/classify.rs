//! The one rule that turns a provider's code, HTTP status and words into a [`FailureKind`].
//!
//! The code decides before the status, since `insufficient_quota` comes with 429 and Zhipu answers
//! errors with 200; the words decide only where neither says anything.

use super::FailureKind;
use super::refusal::is_storage_full;

/// What is known of a refusal; all of it may be absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signs<'a> {
    /// The provider's code.
    pub code: Option<&'a str>,
    /// The type beside the code.
    pub error_type: Option<&'a str>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The provider's words.
    pub message: &'a str,
}

impl Signs<'_> {
    /// The class: by code, then by type, then by HTTP status, then by words.
    pub fn kind(&self) -> FailureKind {
        let status = self.status.filter(|status| *status >= 300).or_else(|| self.code_as_status());
        self.code
            .and_then(by_code)
            .or_else(|| self.error_type.and_then(by_code))
            .or_else(|| by_queue_words(status, self.message))
            .or_else(|| by_storage_words(status, self.code, self.message))
            .or_else(|| status.and_then(by_status))
            .or_else(|| self.error_type.and_then(by_general_type))
            .or_else(|| by_words(self.message))
            // Something went wrong over there that nobody explained.
            .unwrap_or(FailureKind::Server)
    }

    /// Some services put the HTTP status into the code and answer with 200.
    fn code_as_status(&self) -> Option<u16> {
        self.code?.parse().ok().filter(|code| (300..600).contains(code))
    }
}

/// Whether a code says by itself what went wrong.
pub(super) fn is_telling(code: &str) -> bool {
    by_code(code).is_some()
}

/// Codes and types that mean the same whatever the HTTP status is.
fn by_code(code: &str) -> Option<FailureKind> {
    if let Ok(number) = code.parse() {
        return by_zhipu_code(number);
    }
    Some(match code.to_ascii_lowercase().as_str() {
        "invalid_api_key" | "api_key_invalid" | "authentication_error" | "unauthenticated" => {
            FailureKind::Credentials
        }
        "insufficient_quota"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "organization_usage_limit_exceeded"
        | "organization_spend_limit_exceeded"
        | "project_spend_limit_exceeded"
        | "contract_spend_limit_reached"
        | "enforced_spend_limit_reached"
        | "account_deactivated"
        | "insufficient_balance"
        | "billing_error" => FailureKind::Account,
        "token_limit_exceeded" => FailureKind::QueueFull,
        "rate_limited"
        | "rate_limit_exceeded"
        | "rate_limit_error"
        | "ramp_limit_exceeded"
        | "resource_exhausted" => FailureKind::RateLimited,
        "server"
        | "overloaded_error"
        | "server_error"
        | "internal_error"
        | "internal_server_error"
        | "api_error"
        | "service_unavailable"
        | "network_error" => FailureKind::Server,
        "content_filter" | "content_policy_violation" | "responsible_ai_policy_violation" => {
            FailureKind::Filtered
        }
        "batch_expired" | "request_expired" => FailureKind::Expired,
        "batch_cancelled" | "batch_canceled" => FailureKind::Cancelled,
        "not_found" | "not_found_error" | "file_not_found" | "batch_not_found" => {
            FailureKind::NotFound
        }
        "model_not_found"
        | "context_length_exceeded"
        | "string_above_max_length"
        | "duplicate_custom_id"
        | "invalid_json_line"
        | "mismatched_model"
        | "invalid_url"
        | "url_mismatch"
        | "empty_file"
        | "missing_required_parameter" => FailureKind::Invalid,
        // The words of this program, in lines of calls that got no reply.
        "network" | "timeout" => FailureKind::Network,
        "no_answer" => FailureKind::NoAnswer,
        _ => return None,
    })
}

/// Zhipu's codes are strings of digits from 1000 on.
fn by_zhipu_code(code: u32) -> Option<FailureKind> {
    Some(match code {
        1000..=1005 => FailureKind::Credentials,
        // 1113 no balance, 1220 no right, 1304 the day's cap, the rest plans and quotas used up.
        1110..=1113 | 1120 | 1121 | 1220 | 1304 | 1308..=1311 | 1313..=1321 => FailureKind::Account,
        // 1231 is a request id seen before: the next round has another one.
        1200 | 1230 | 1231 | 1234 => FailureKind::Server,
        1302 | 1303 | 1305 | 1312 => FailureKind::RateLimited,
        1301 => FailureKind::Filtered,
        1210..=1215 | 1221 | 1222 | 1261 => FailureKind::Invalid,
        _ => return None,
    })
}

/// A queue that is full is told with 400 or 429 and no code of its own by some services; both
/// statuses alone would say something else.
fn by_queue_words(status: Option<u16>, message: &str) -> Option<FailureKind> {
    let may_be_queue = matches!(status, None | Some(400 | 429));
    (may_be_queue && message.to_ascii_lowercase().contains("enqueued token"))
        .then_some(FailureKind::QueueFull)
}

/// Storage for files that is used up: no file is taken until some are removed, whatever the status.
fn by_storage_words(status: Option<u16>, code: Option<&str>, message: &str) -> Option<FailureKind> {
    let is_refusal = status.is_none_or(|status| status < 500 || status == 507);
    (is_refusal && is_storage_full(code, message)).then_some(FailureKind::Account)
}

fn by_status(status: u16) -> Option<FailureKind> {
    Some(match status {
        401 | 403 => FailureKind::Credentials,
        // 434 is Zhipu's file API without the right to it.
        402 | 434 => FailureKind::Account,
        404 => FailureKind::NotFound,
        408 | 499 => FailureKind::Network,
        409 | 425 | 500..=599 => FailureKind::Server,
        429 => FailureKind::RateLimited,
        300..=499 => FailureKind::Invalid,
        _ => return None,
    })
}

/// Types that say something only where there is no telling status.
fn by_general_type(error_type: &str) -> Option<FailureKind> {
    match error_type {
        "invalid_request_error" => Some(FailureKind::Invalid),
        "permission_error" => Some(FailureKind::Credentials),
        _ => None,
    }
}

fn by_words(message: &str) -> Option<FailureKind> {
    const WORDS: [(&str, FailureKind); 12] = [
        ("rate limit", FailureKind::RateLimited),
        ("too many requests", FailureKind::RateLimited),
        ("overloaded", FailureKind::Server),
        ("api key", FailureKind::Credentials),
        ("unauthorized", FailureKind::Credentials),
        ("quota", FailureKind::Account),
        ("balance", FailureKind::Account),
        ("content filter", FailureKind::Filtered),
        ("content policy", FailureKind::Filtered),
        ("expired", FailureKind::Expired),
        ("cancel", FailureKind::Cancelled),
        ("not found", FailureKind::NotFound),
    ];
    let message = message.to_ascii_lowercase();
    WORDS.iter().find(|(word, _)| message.contains(word)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::FailureKind::{
        Account, Cancelled, Credentials, Expired, Filtered, Invalid, Network, NotFound, QueueFull,
        RateLimited, Server,
    };
    use super::*;

    /// The whole policy in one place (providers.md has the sources): a change shows here.
    #[test]
    fn s4_codes_before_statuses_before_words() {
        let by_code = [
            ("invalid_api_key", 401, Credentials),
            ("insufficient_quota", 429, Account),
            ("billing_hard_limit_reached", 400, Account),
            ("billing_not_active", 429, Account),
            ("organization_usage_limit_exceeded", 429, Account),
            ("organization_spend_limit_exceeded", 429, Account),
            ("project_spend_limit_exceeded", 429, Account),
            ("enforced_spend_limit_reached", 429, Account),
            ("contract_spend_limit_reached", 429, Account),
            ("ramp_limit_exceeded", 429, RateLimited),
            ("API_KEY_INVALID", 400, Credentials),
            ("account_deactivated", 401, Account),
            ("token_limit_exceeded", 0, QueueFull),
            ("token_limit_exceeded", 429, QueueFull),
            ("rate_limit_exceeded", 429, RateLimited),
            ("model_not_found", 404, Invalid),
            ("context_length_exceeded", 400, Invalid),
            ("content_policy_violation", 400, Filtered),
            ("content_filter", 400, Filtered),
            ("batch_expired", 0, Expired),
            ("batch_cancelled", 0, Cancelled),
            ("duplicate_custom_id", 0, Invalid),
            ("RESOURCE_EXHAUSTED", 0, RateLimited),
            ("429", 200, RateLimited),
            ("503", 200, Server),
            ("some_new_word", 200, Server),
            ("some_new_word", 418, Invalid),
            ("1000", 401, Credentials),
            ("1003", 200, Credentials),
            ("1110", 400, Account),
            ("1113", 429, Account),
            ("1121", 400, Account),
            ("1200", 500, Server),
            ("1210", 400, Invalid),
            ("1211", 400, Invalid),
            ("1214", 400, Invalid),
            ("1220", 403, Account),
            ("1222", 400, Invalid),
            ("1231", 400, Server),
            ("1234", 500, Server),
            ("1261", 400, Invalid),
            ("1301", 400, Filtered),
            ("1302", 200, RateLimited),
            ("1302", 429, RateLimited),
            ("1303", 429, RateLimited),
            ("1304", 429, Account),
            ("1305", 429, RateLimited),
            ("1308", 429, Account),
            ("1309", 429, Account),
            ("1310", 429, Account),
            ("1311", 429, Account),
            ("1312", 429, RateLimited),
            ("1313", 429, Account),
            ("1314", 429, Account),
            ("1321", 429, Account),
        ];
        for (code, status, expected) in by_code {
            let signs = Signs { code: Some(code), status: Some(status), ..Signs::default() };
            assert_eq!(signs.kind(), expected, "{code} with {status}");
        }
        let by_status = [
            (0, Server),
            (200, Server),
            (302, Invalid),
            (400, Invalid),
            (401, Credentials),
            (402, Account),
            (403, Credentials),
            (404, NotFound),
            (408, Network),
            (409, Server),
            (413, Invalid),
            (422, Invalid),
            (425, Server),
            (429, RateLimited),
            (434, Account),
            (435, Invalid),
            (499, Network),
            (500, Server),
            (502, Server),
            (503, Server),
            (504, Server),
            (529, Server),
        ];
        for (status, expected) in by_status {
            let signs = Signs { status: Some(status), ..Signs::default() };
            assert_eq!(signs.kind(), expected, "{status}");
        }
    }

    #[test]
    fn types_and_words_where_nothing_else_speaks() {
        let table = [
            (Some("insufficient_quota"), Some(429), "", Account),
            (Some("invalid_request_error"), Some(429), "", RateLimited),
            (Some("invalid_request_error"), Some(409), "", Server),
            (Some("invalid_request_error"), None, "", Invalid),
            (Some("overloaded_error"), Some(529), "", Server),
            (None, Some(400), "Enqueued token limit reached", QueueFull),
            (None, Some(500), "Enqueued token limit reached", Server),
            (None, None, "This request expired", Expired),
            (None, None, "The batch was cancelled", Cancelled),
            (None, None, "Rate limit reached", RateLimited),
            (None, Some(400), "Rate limit reached", Invalid),
            (None, None, "?", Server),
        ];
        for (error_type, status, message, expected) in table {
            let signs = Signs { code: None, error_type, status, message };
            assert_eq!(signs.kind(), expected, "{error_type:?} {status:?} {message}");
        }
    }
}
