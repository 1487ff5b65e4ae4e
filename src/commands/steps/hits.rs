//! What a run need not send: rows with an earlier answer, and rows that ask the same as another.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::answer::RowStatus;
use crate::cost::Spent;
use crate::ui::{count, counted};

/// What a run need not send.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Hits {
    /// Rows with an earlier answer.
    #[serde(rename = "hits")]
    cached: u64,
    /// Their share of the rows of which a request can be made; `None` without such rows.
    hit_rate: Option<f64>,
    /// Rows that got the answer of another.
    equal_rows: u64,
    /// Calls that were not made for all of these.
    saved_calls: u64,
    /// Whether no call was made at all.
    #[serde(skip)]
    is_all: bool,
}

impl Hits {
    /// Of a job with this many rows and what became of them.
    pub(super) fn of(counts: &BTreeMap<RowStatus, u64>, rows: u64, spent: &Spent) -> Self {
        let of = |status| counts.get(&status).copied().unwrap_or(0);
        let (cached, equal_rows) = (of(RowStatus::Cached), spent.saved.equal.0);
        let asked = rows.saturating_sub(of(RowStatus::Skipped));
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let hit_rate = (asked > 0).then(|| cached as f64 / asked as f64);
        let is_all = cached > 0 && cached == asked;
        Self { cached, hit_rate, equal_rows, saved_calls: cached + equal_rows, is_all }
    }

    /// `cache     hit rate 40.0 %, 10 calls saved`; none where nothing was saved.
    pub(super) fn line(self) -> Option<String> {
        let share = 100.0 * self.hit_rate.filter(|_| self.saved_calls > 0)?;
        let mut line = format!("cache     hit rate {share:.1} %");
        if self.cached > 0 {
            line += &format!(", {} saved", counted(self.cached, "call"));
        }
        match self.equal_rows {
            0 => {}
            rows if self.cached > 0 => line += &format!("; {} more by equal rows", count(rows)),
            rows => line += &format!("; {} saved by equal rows", counted(rows, "call")),
        }
        if self.is_all {
            line += "; nothing was sent";
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Saved;

    /// S0.24: hit rate and saved calls, of the rows of which a request can be made.
    #[test]
    fn s0_24_hit_rate_and_saved_calls_of_a_run() {
        use RowStatus::{Cached, Ok, Skipped};
        type Counts = &'static [(RowStatus, u64)];
        let table: [(Counts, u64, Option<&str>); 7] = [
            (&[(Ok, 25)], 0, None),
            (&[(Cached, 10), (Ok, 15)], 0, Some("cache     hit rate 40.0 %, 10 calls saved")),
            (
                &[(Cached, 1), (Ok, 2), (Skipped, 5)],
                1,
                Some("cache     hit rate 33.3 %, 1 call saved; 1 more by equal rows"),
            ),
            (&[(Ok, 4)], 1_200, Some("cache     hit rate 0.0 %; 1,200 calls saved by equal rows")),
            (
                &[(Cached, 4), (Skipped, 1)],
                0,
                Some("cache     hit rate 100.0 %, 4 calls saved; nothing was sent"),
            ),
            (&[(Skipped, 3)], 0, None),
            (&[], 0, None),
        ];
        for (counts, equal, expected) in table {
            let saved = Saved { equal: (equal, None), ..Saved::default() };
            let spent = Spent { saved, ..Spent::default() };
            let counts: BTreeMap<_, _> = counts.iter().copied().collect();
            let hits = Hits::of(&counts, counts.values().sum(), &spent);
            assert_eq!(hits.line().as_deref(), expected, "{counts:?}");
        }
    }
}
