//! When a read is sent again, and how long to wait before: pure, so that the policy is a table.

use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::batch::Failure;

/// Tries of one read, the first included.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A provider that asks for more is obeyed by giving up: the caller may park the work.
const LONGEST_ASKED: Duration = Duration::from_secs(120);

/// The pause before the next try; `None` if there is none. `jitter` is between 0 and 1: many
/// clients that failed together must not come back together.
pub(super) fn before_retry(
    failure: &Failure,
    should_retry: Option<bool>,
    tries: u32,
    jitter: f64,
) -> Option<Duration> {
    if tries >= TRIES || !failure.is_repeatable() || should_retry == Some(false) {
        return None;
    }
    if let Some(asked) = failure.retry_after {
        return (asked <= LONGEST_ASKED).then_some(asked);
    }
    let most = FIRST_PAUSE.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE);
    Some(most.mul_f64(jitter.clamp(0.0, 1.0)))
}

/// A number from 0 to 1.
pub(super) fn jitter() -> f64 {
    // Without randomness from the system the longest pause is right.
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}

/// How long the provider asks to wait: `retry-after-ms`, else `retry-after` in seconds (also
/// fractions) or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let number = |name: &str| -> Option<f64> { header(headers, name)?.trim().parse().ok() };
    let positive = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    if let Some(milliseconds) = number("retry-after-ms") {
        return positive(milliseconds / 1000.0);
    }
    if let Some(seconds) = number("retry-after") {
        return positive(seconds);
    }
    let then = parse_date(header(headers, "retry-after")?)?;
    Some(Duration::from_secs(u64::try_from(then - now).unwrap_or(0)))
}

/// Whether the provider says that trying again makes sense.
pub(super) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match header(headers, "x-should-retry")? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The provider's clock in Unix seconds.
pub(super) fn server_time(headers: &HeaderMap) -> Option<i64> {
    parse_date(header(headers, "date")?)
}

fn parse_date(text: &str) -> Option<i64> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(parsed.as_second())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::FailureKind;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn waits_that_are_asked_for() {
        let seconds = Duration::from_secs;
        let table = [
            (headers(&[("retry-after", "2")]), Some(seconds(2))),
            (headers(&[("retry-after", "1.5")]), Some(Duration::from_millis(1500))),
            (
                headers(&[("retry-after", "9"), ("retry-after-ms", "250")]),
                Some(Duration::from_millis(250)),
            ),
            (headers(&[("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT")]), Some(seconds(10))),
            (headers(&[("retry-after", "Tue, 14 Nov 2023 22:13:10 GMT")]), Some(seconds(0))),
            (headers(&[("retry-after", "-3")]), Some(seconds(0))),
            (headers(&[("retry-after", "soon")]), None),
            (headers(&[("retry-after", "1e300")]), None),
            (headers(&[]), None),
        ];
        for (headers, expected) in table {
            assert_eq!(retry_after(&headers, 1_700_000_000), expected, "{headers:?}");
        }
        let date = headers(&[("date", "Tue, 14 Nov 2023 22:13:20 GMT")]);
        assert_eq!(server_time(&date), Some(1_700_000_000));
    }

    #[test]
    fn which_reads_are_sent_again_and_when() {
        let failure = |kind, after| Failure { retry_after: after, ..Failure::ours(kind, "") };
        let seconds = |n| Some(Duration::from_secs(n));
        let half = Duration::from_millis(500);
        let table = [
            (failure(FailureKind::Network, None), None, 1, Some(half)),
            (failure(FailureKind::Server, None), None, 2, Some(half * 2)),
            (failure(FailureKind::Server, None), None, 4, Some(half * 8)),
            (failure(FailureKind::Server, None), None, 5, None),
            (failure(FailureKind::Server, None), Some(false), 1, None),
            (failure(FailureKind::Account, None), Some(true), 1, None),
            (failure(FailureKind::Credentials, None), None, 1, None),
            (failure(FailureKind::Invalid, None), None, 1, None),
            (failure(FailureKind::NotFound, None), None, 1, None),
            (failure(FailureKind::RateLimited, seconds(7)), None, 1, seconds(7)),
            (failure(FailureKind::RateLimited, seconds(121)), None, 1, None),
        ];
        for (failure, should, tries, expected) in table {
            assert_eq!(before_retry(&failure, should, tries, 0.5), expected, "{failure:?} {tries}");
        }
    }
}
