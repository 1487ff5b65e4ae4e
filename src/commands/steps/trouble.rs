//! What went wrong with a call, for people: in one line, and with what to do about it.

use std::time::Duration;

use crate::batch::{Failure, FailureKind};

/// What went wrong, in the provider's words.
pub(in crate::commands) fn words(failure: &Failure) -> String {
    let class = failure.kind.as_str().replace('_', " ");
    let message = failure.message.lines().next().unwrap_or_default();
    match (failure.status, &failure.code) {
        (Some(status), Some(code)) => format!("{class}: {message} (HTTP {status}, {code})"),
        (Some(status), None) => format!("{class}: {message} (HTTP {status})"),
        (None, Some(code)) => format!("{class}: {message} ({code})"),
        (None, None) => format!("{class}: {message}"),
    }
}

/// What a person can do about it, where there is something; the call was waited for so long.
pub(in crate::commands) fn remedy(
    provider: &str,
    failure: &Failure,
    waited: Duration,
) -> Option<String> {
    Some(match failure.kind {
        FailureKind::Credentials => format!("batchctl login {provider}"),
        FailureKind::Account => format!("look at the account at {provider}: money, quota, rights"),
        FailureKind::RateLimited => "wait a little, or name another service too".to_owned(),
        FailureKind::NotFound => "name another model with --model".to_owned(),
        FailureKind::Network if is_timeout(failure) => {
            // Never what was typed already.
            let minutes = (waited.as_secs() / 30).max(2);
            format!("more time: --timeout {minutes}m")
        }
        _ => return None,
    })
}

fn is_timeout(failure: &Failure) -> bool {
    let code = failure.code.as_deref().unwrap_or_default();
    code == "timeout" || failure.message.to_ascii_lowercase().contains("timed out")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What helps is more than what was waited.
    #[test]
    fn more_time_is_more_than_was_given() {
        let late = Failure {
            code: Some("timeout".to_owned()),
            ..Failure::ours(FailureKind::Network, "it did not answer".to_owned())
        };
        for (waited, expected) in [(2, 2), (30, 2), (60, 2), (119, 3), (120, 4), (600, 20)] {
            let hint = remedy("openai", &late, Duration::from_secs(waited)).unwrap();
            assert_eq!(hint, format!("more time: --timeout {expected}m"), "{waited} s");
        }
    }
}
