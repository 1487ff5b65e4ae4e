//! The rate limits of calls that answer at once: requests and tokens a minute, and calls at the
//! same time, by family and account. Buckets that fill up evenly, as the services describe theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::sandbox::Family;
use crate::sandbox::refusal::Refusal;

/// What one account of one family may do. `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallLimits {
    /// Requests a minute; so many at once after a minute's rest.
    pub rpm: Option<u64>,
    /// Tokens a minute, prompt and answer.
    pub tpm: Option<u64>,
    /// Calls that have not been answered.
    pub at_once: Option<u64>,
}

/// The limits and what has been used of them.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Limiter {
    limits: CallLimits,
    accounts: Mutex<HashMap<(Family, Arc<str>), Account>>,
}

#[derive(Debug)]
struct Account {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    open: u64,
}

/// Full after a minute.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    limit: u64,
    level: f64,
    /// When the level was right (milliseconds).
    at: i64,
}

const MINUTE: f64 = 60_000.0;
const LIMITED: &str = "rate_limit_exceeded";

/// How a limit stands, for headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    limit: u64,
    remaining: u64,
    /// Milliseconds until it is full again.
    full_in: u64,
}

/// How both limits stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standings {
    requests: Option<Standing>,
    tokens: Option<Standing>,
}

/// What comes of taking a call.
type Taken = Result<Option<(Open, Standings)>, Box<(Refusal, Standings)>>;

/// A call that counts as open until this is dropped.
#[derive(Debug)]
pub(super) struct Open {
    limiter: Arc<Limiter>,
    key: (Family, Arc<str>),
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(account) = self.limiter.locked().get_mut(&self.key) {
            account.open = account.open.saturating_sub(1);
        }
    }
}

impl Bucket {
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
    fn new(limit: u64, now: i64) -> Self {
        Self { limit, level: limit as f64, at: now }
    }

    #[expect(clippy::cast_precision_loss, reason = "limits and minutes are far below 2^52")]
    fn fill(&mut self, now: i64) {
        let (limit, passed) = (self.limit as f64, (now - self.at).max(0) as f64);
        self.level = (self.level + limit * passed / MINUTE).min(limit);
        self.at = now;
    }

    /// Milliseconds until so much is there.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    #[expect(clippy::cast_sign_loss, reason = "times below an hour")]
    fn wait(&self, wanted: f64) -> u64 {
        let lacks = (wanted - self.level).max(0.0);
        (lacks * MINUTE / self.limit.max(1) as f64).ceil() as u64
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    #[expect(clippy::cast_sign_loss, reason = "a level is not below 0")]
    fn standing(&self) -> Standing {
        let full_in = self.wait(self.limit as f64);
        Standing { limit: self.limit, remaining: self.level.max(0.0) as u64, full_in }
    }
}

impl Limiter {
    pub(in crate::sandbox) fn new(limits: CallLimits) -> Self {
        Self { limits, accounts: Mutex::default() }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<(Family, Arc<str>), Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call of so many tokens at this time (milliseconds), or refuses it; then it is not
    /// counted. `None` where there are no limits at all.
    pub(super) fn take(
        self: &Arc<Self>,
        (family, account): (Family, &Arc<str>),
        tokens: u64,
        now: i64,
    ) -> Taken {
        let limits = self.limits;
        if limits == CallLimits::default() {
            return Ok(None);
        }
        let key = (family, Arc::clone(account));
        let mut accounts = self.locked();
        let account = accounts.entry(key.clone()).or_insert_with(|| Account {
            requests: limits.rpm.map(|limit| Bucket::new(limit, now)),
            tokens: limits.tpm.map(|limit| Bucket::new(limit, now)),
            open: 0,
        });
        let taken = account.take(limits, tokens, now);
        let standings = account.standings();
        match taken {
            Ok(()) => Ok(Some((Open { limiter: Arc::clone(self), key }, standings))),
            Err(refusal) => Err(Box::new((refusal, standings))),
        }
    }
}

impl Account {
    #[expect(clippy::cast_precision_loss, reason = "tokens of one call")]
    fn take(&mut self, limits: CallLimits, tokens: u64, now: i64) -> Result<(), Refusal> {
        if let Some(limit) = limits.at_once.filter(|limit| self.open >= *limit) {
            let text = format!("Rate limit reached for concurrent requests: Limit {limit}.");
            return Err(Refusal::new(429, text).code(LIMITED));
        }
        let tokens = tokens as f64;
        let wanted = [("requests", &mut self.requests, 1.0), ("tokens", &mut self.tokens, tokens)];
        for (kind, bucket, wanted) in wanted {
            let Some(bucket) = bucket else { continue };
            bucket.fill(now);
            if bucket.level < wanted {
                return Err(refused(kind, bucket, wanted));
            }
        }
        if let Some(bucket) = &mut self.requests {
            bucket.level -= 1.0;
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.level -= tokens;
        }
        self.open += 1;
        Ok(())
    }

    fn standings(&self) -> Standings {
        Standings {
            requests: self.requests.map(|bucket| bucket.standing()),
            tokens: self.tokens.map(|bucket| bucket.standing()),
        }
    }
}

fn refused(kind: &'static str, bucket: &Bucket, wanted: f64) -> Refusal {
    let (limit, short) = (bucket.limit, if kind == "tokens" { "TPM" } else { "RPM" });
    let used = limit.saturating_sub(bucket.standing().remaining);
    let start = format!("on {kind} per min ({short}): Limit {limit}");
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
    if wanted > limit as f64 {
        let message = format!("Request too large for organization org-sandbox {start}.");
        return Refusal::new(429, message).code(LIMITED).of_tokens(kind == "tokens");
    }
    let wait = bucket.wait(wanted).max(1);
    let message = format!(
        "Rate limit reached in organization org-sandbox {start}, Used {used}, Requested {wanted}. \
         Please try again in {}.",
        duration(wait)
    );
    let refusal = Refusal::new(429, message).code(LIMITED).of_tokens(kind == "tokens");
    refusal.retry(Duration::from_millis(wait))
}

/// As OpenAI writes times: `20ms`, `1.5s`, `6m0s`.
fn duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..60_000 if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        1_000..60_000 => format!("{}.{:03}s", millis / 1_000, millis % 1_000),
        _ => format!("{}m{}s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

impl Standings {
    /// Puts the headers of the family into a reply. Gemini and Zhipu have none.
    pub(super) fn tell(&self, family: Family, now: i64, headers: &mut HeaderMap) {
        for (kind, standing) in [("requests", self.requests), ("tokens", self.tokens)] {
            let Some(standing) = standing else { continue };
            match family {
                Family::OpenAi => standing.tell_as_openai(kind, headers),
                Family::Anthropic => {
                    standing.tell_as_anthropic(kind, now, headers);
                    if kind == "tokens" {
                        standing.tell_as_anthropic("input-tokens", now, headers);
                    }
                }
                Family::Zhipu | Family::Gemini => {}
            }
        }
    }
}

impl Standing {
    fn tell_as_openai(self, kind: &str, headers: &mut HeaderMap) {
        put(headers, &format!("x-ratelimit-limit-{kind}"), &self.limit.to_string());
        put(headers, &format!("x-ratelimit-remaining-{kind}"), &self.remaining.to_string());
        put(headers, &format!("x-ratelimit-reset-{kind}"), &duration(self.full_in));
    }

    fn tell_as_anthropic(self, kind: &str, now: i64, headers: &mut HeaderMap) {
        let full_at = now.saturating_add(i64::try_from(self.full_in).unwrap_or(i64::MAX));
        let full_at = jiff::Timestamp::from_millisecond(full_at).unwrap_or_default();
        let full_at = full_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        put(headers, &format!("anthropic-ratelimit-{kind}-limit"), &self.limit.to_string());
        put(headers, &format!("anthropic-ratelimit-{kind}-remaining"), &self.remaining.to_string());
        put(headers, &format!("anthropic-ratelimit-{kind}-reset"), &full_at);
    }
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second, the tokens of a call, and the wait (milliseconds) that it is refused with.
    type Step = (i64, u64, Option<u64>);

    /// Each step: at this second a call of so many tokens, and what becomes of it.
    #[test]
    fn buckets_fill_evenly_and_what_is_refused_is_not_counted() {
        let account: Arc<str> = "".into();
        let limits = |rpm, tpm| CallLimits { rpm, tpm, at_once: None };
        let table: [(CallLimits, &[Step]); 3] = [
            (
                limits(Some(2), None),
                &[
                    (0, 9, None),
                    (0, 9, None),
                    (0, 9, Some(30_000)),
                    (29, 9, Some(1_000)),
                    (30, 9, None),
                ],
            ),
            (limits(None, Some(60)), &[(0, 60, None), (10, 11, Some(1_000)), (11, 11, None)]),
            (limits(Some(60), Some(60)), &[(0, 60, None), (0, 1, Some(1_000)), (1, 1, None)]),
        ];
        for (limits, steps) in table {
            let limiter = Arc::new(Limiter::new(limits));
            for (second, tokens, expected) in steps {
                let taken = limiter.take((Family::OpenAi, &account), *tokens, second * 1000);
                let wait = taken.err().map(|refused| refused.0.retry.unwrap().as_millis());
                assert_eq!(wait, expected.map(u128::from), "{limits:?} at {second}");
            }
            let other = limiter.take((Family::Gemini, &account), 1, 0);
            assert!(other.is_ok_and(|taken| taken.is_some()), "families are apart");
        }
        let limiter = Arc::new(Limiter::new(limits(None, Some(60))));
        let (refusal, _) = *limiter.take((Family::OpenAi, &account), 61, 0).unwrap_err();
        assert_eq!((refusal.status, refusal.retry), (429, None), "never fits");
    }

    #[test]
    fn calls_at_once_are_open_until_they_are_dropped() {
        let limits = CallLimits { at_once: Some(1), ..CallLimits::default() };
        let (limiter, account) = (Arc::new(Limiter::new(limits)), Arc::from("a"));
        let take = || limiter.take((Family::Zhipu, &account), 1, 0);
        let first = take().unwrap();
        assert!(take().is_err());
        drop(first);
        assert!(take().is_ok());
    }

    #[test]
    fn headers_are_those_of_the_family() {
        let standing = |limit, remaining, full_in| Some(Standing { limit, remaining, full_in });
        let standings =
            Standings { requests: standing(500, 499, 120), tokens: standing(30_000, 0, 360_000) };
        let table = [
            (Family::OpenAi, "x-ratelimit-remaining-requests", Some("499")),
            (Family::OpenAi, "x-ratelimit-reset-requests", Some("120ms")),
            (Family::OpenAi, "x-ratelimit-reset-tokens", Some("6m0s")),
            (Family::Anthropic, "anthropic-ratelimit-requests-limit", Some("500")),
            (
                Family::Anthropic,
                "anthropic-ratelimit-input-tokens-reset",
                Some("1970-01-01T00:06:00Z"),
            ),
            (Family::Gemini, "x-ratelimit-limit-requests", None),
        ];
        for (family, name, expected) in table {
            let mut headers = HeaderMap::new();
            standings.tell(family, 0, &mut headers);
            let found = headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(found, expected, "{family:?} {name}");
        }
        for (millis, text) in [(1_000, "1s"), (1_500, "1.500s"), (61_000, "1m1s")] {
            assert_eq!(duration(millis), text);
        }
    }
}
