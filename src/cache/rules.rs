//! Which earlier answers may be used, by their age.

use std::time::Duration;

/// Which earlier answers may be used. What is answered is kept whatever the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheRules {
    /// Whether any may be used.
    pub is_read: bool,
    /// They must have been answered at that moment or later, in Unix seconds.
    pub since: i64,
}

impl CacheRules {
    /// The rules at the moment `now` (Unix seconds): an answer is too old once it is as old as
    /// `ttl`; without one none is.
    pub fn new(no_cache: bool, ttl: Option<Duration>, now: i64) -> Self {
        let since = ttl.map_or(i64::MIN, |ttl| {
            let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
            now.saturating_sub(ttl).saturating_add(1)
        });
        Self { is_read: !no_cache, since }
    }
}

impl Default for CacheRules {
    /// Any answer, however old.
    fn default() -> Self {
        Self::new(false, None, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S0.11: none means for ever; an age is an age, 0 uses nothing.
    #[test]
    fn s0_11_an_answer_is_too_old_once_it_is_as_old_as_the_ttl() {
        let week = Duration::from_secs(7 * 86_400);
        let table = [
            (None, i64::MIN, true),
            (None, 0, true),
            (Some(week), 1_000_000 - 7 * 86_400, false),
            (Some(week), 1_000_000 - 7 * 86_400 + 1, true),
            (Some(Duration::ZERO), 1_000_000, false),
            (Some(Duration::from_secs(1)), 1_000_000, true),
            (Some(Duration::MAX), 0, true),
        ];
        for (ttl, answered, is_used) in table {
            let rules = CacheRules::new(false, ttl, 1_000_000);
            assert_eq!(answered >= rules.since, is_used, "{ttl:?} {answered}");
        }
        assert!(!CacheRules::new(true, None, 0).is_read, "S0.09");
    }
}
