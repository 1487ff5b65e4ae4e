//! What the headers of a reply tell of a service's limits.

use std::time::Duration;

use reqwest::header::HeaderMap;

use super::api::{Allowance, RateSigns};

/// The names of the three headers of one allowance.
struct Names {
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
}

const REQUESTS: [Names; 2] = [
    Names {
        limit: "x-ratelimit-limit-requests",
        remaining: "x-ratelimit-remaining-requests",
        reset: "x-ratelimit-reset-requests",
    },
    Names {
        limit: "anthropic-ratelimit-requests-limit",
        remaining: "anthropic-ratelimit-requests-remaining",
        reset: "anthropic-ratelimit-requests-reset",
    },
];
const TOKENS: [Names; 2] = [
    Names {
        limit: "x-ratelimit-limit-tokens",
        remaining: "x-ratelimit-remaining-tokens",
        reset: "x-ratelimit-reset-tokens",
    },
    Names {
        limit: "anthropic-ratelimit-tokens-limit",
        remaining: "anthropic-ratelimit-tokens-remaining",
        reset: "anthropic-ratelimit-tokens-reset",
    },
];

/// Reads the headers; `now` is our clock in Unix seconds, for resets that are a moment.
pub(super) fn rate_signs(headers: &HeaderMap, now: impl Fn() -> i64) -> RateSigns {
    let first = |names: &[Names; 2]| names.iter().find_map(|names| allowance(headers, names, &now));
    RateSigns { requests: first(&REQUESTS), tokens: first(&TOKENS) }
}

fn allowance(headers: &HeaderMap, names: &Names, now: impl Fn() -> i64) -> Option<Allowance> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    Some(Allowance {
        limit: text(names.limit)?.parse().ok()?,
        remaining: text(names.remaining).and_then(|text| text.parse().ok()),
        reset: text(names.reset).and_then(|text| reset(text, now)),
    })
}

/// `20ms`, `1s`, `6m0s`, `1h2m3s`, bare seconds, or a moment in RFC 3339.
fn reset(text: &str, now: impl Fn() -> i64) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    if text.contains('T') {
        let then = text.parse::<jiff::Timestamp>().ok()?.as_second();
        return Some(Duration::from_secs(u64::try_from(then - now()).unwrap_or(0)));
    }
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut whole = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit_end =
            rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| end + at);
        let seconds = match &rest[end..unit_end] {
            "ms" => number / 1e3,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            "d" => number * 86_400.0,
            "us" | "µs" => number / 1e6,
            _ => return None,
        };
        whole = whole.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = &rest[unit_end..];
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_in_every_spelling() {
        let milliseconds = |count| Some(Duration::from_millis(count));
        let table = [
            ("20ms", milliseconds(20)),
            ("1s", milliseconds(1000)),
            ("1.5s", milliseconds(1500)),
            ("6m0s", milliseconds(360_000)),
            ("1h2m3s", milliseconds(3_723_000)),
            ("1d", milliseconds(86_400_000)),
            ("12", milliseconds(12_000)),
            ("2023-11-14T22:13:30Z", milliseconds(10_000)),
            ("2023-11-14T22:13:10Z", milliseconds(0)),
            ("soon", None),
            ("6m0", None),
            ("1x", None),
            ("1e300", None),
            ("-1", None),
        ];
        for (text, expected) in table {
            assert_eq!(reset(text, || 1_700_000_000), expected, "{text}");
        }
        assert_eq!(reset("", || 0), None);
    }

    #[test]
    fn limits_of_both_families_and_of_nobody() {
        let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect()
        };
        let openai = headers(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", "30000"),
        ]);
        let signs = rate_signs(&openai, || 0);
        let reset = Some(Duration::from_millis(120));
        assert_eq!(signs.requests, Some(Allowance { limit: 500, remaining: Some(499), reset }));
        assert_eq!(signs.tokens, Some(Allowance { limit: 30_000, remaining: None, reset: None }));
        let anthropic = headers(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2023-11-14T22:14:20Z"),
            ("anthropic-ratelimit-tokens-limit", "many"),
        ]);
        let signs = rate_signs(&anthropic, || 1_700_000_000);
        let reset = Some(Duration::from_secs(60));
        assert_eq!(signs.requests, Some(Allowance { limit: 50, remaining: Some(0), reset }));
        assert_eq!(signs.tokens, None);
        assert_eq!(rate_signs(&HeaderMap::new(), || 0), RateSigns::default());
    }
}
