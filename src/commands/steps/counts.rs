//! How many rows of a job have which status: as they ended, and as its table shows them, where
//! some are filled by the user's rule. The ledger keeps how a row ended, so that it can be asked
//! again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finish::row_counts;
use crate::answer::RowStatus;
use crate::job::Spec;
use crate::result::{Summary, shown_counts, shown_rows_out};
use crate::store::{JobRecord, Store};
use crate::ui::CommandError;

/// The rows of a job by status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::commands) struct RowCounts {
    /// As they ended; they sum to the rows of the job.
    pub(in crate::commands) ended: BTreeMap<RowStatus, u64>,
    /// Those of them that the table shows as `defaulted`.
    pub(in crate::commands) filled: BTreeMap<RowStatus, u64>,
    /// Rows that they became in the table, where that is known.
    pub(in crate::commands) rows_out: Option<u64>,
    /// Whether an answer may become several rows.
    pub(in crate::commands) is_exploded: bool,
}

/// What only the table itself can tell, kept in the ledger for those who look at the job later.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    rows_out: u64,
    /// Rows with a good answer that left a wanted field out, which was filled.
    filled: BTreeMap<RowStatus, u64>,
}

impl RowCounts {
    /// Of a job as the ledger knows it, and as its newest table shows it.
    pub(in crate::commands) fn of(store: &Store, job: &JobRecord) -> Result<Self, CommandError> {
        let ended = row_counts(store, job)?;
        let spec = Spec::of(job)?;
        let told: Option<Told> =
            store.told_of_table(&job.key)?.and_then(|told| serde_json::from_str(&told).ok());
        let mut filled = BTreeMap::new();
        // What is open may still be answered.
        if !spec.output.defaults.is_empty() && job.state.is_over() {
            filled = ended
                .iter()
                .filter(|(status, _)| !status.is_good())
                .map(|(s, n)| (*s, *n))
                .collect();
            for (status, count) in told.iter().flat_map(|told| &told.filled) {
                let there = ended.get(status).copied().unwrap_or(0);
                filled.insert(*status, (*count).min(there));
            }
        }
        let rows_out = told.map(|told| told.rows_out);
        Ok(Self { ended, filled, rows_out, is_exploded: spec.form.explode })
    }

    /// Of a table that was just written.
    pub(super) fn of_table(summary: &Summary) -> Self {
        let filled: BTreeMap<_, _> = summary.filled().collect();
        let mut ended: BTreeMap<_, _> = summary.counts().collect();
        ended.remove(&RowStatus::Defaulted);
        for (status, count) in &filled {
            *ended.entry(*status).or_default() += count;
        }
        let (rows_out, is_exploded) = (Some(summary.rows_out), summary.is_exploded);
        Self { ended, filled, rows_out, is_exploded }
    }

    /// Keeps with the job what only its table can tell.
    pub(super) fn keep(&self, store: &Store, job: &JobRecord) -> Result<(), CommandError> {
        let good = self.filled.iter().filter(|(status, _)| status.is_good());
        let told = Told {
            rows_out: self.rows_out.unwrap_or(job.rows),
            filled: good.map(|(status, count)| (*status, *count)).collect(),
        };
        store.tell_of_table(&job.key, &serde_json::to_string(&told)?)?;
        Ok(())
    }

    /// As the table shows them; they sum to the rows of the job too.
    pub(in crate::commands) fn shown(&self) -> BTreeMap<RowStatus, u64> {
        let mut shown = self.ended.clone();
        for (status, count) in &self.filled {
            if let Some(ended) = shown.get_mut(status) {
                *ended -= (*count).min(*ended);
            }
            *shown.entry(RowStatus::Defaulted).or_default() += count;
        }
        shown.retain(|_, count| *count > 0);
        shown
    }

    /// In words: `ok 988, defaulted 12 (error 7, refused 5)`.
    pub(in crate::commands) fn in_words(&self) -> String {
        let filled = self.filled.iter().map(|(status, count)| (*status, *count));
        shown_counts(self.shown().into_iter(), filled)
    }

    /// What the filled rows were, in words: `was error 7, refused 5`.
    pub(super) fn filled_in_words(&self) -> String {
        let filled = self.filled.iter().map(|(status, count)| (*status, *count));
        format!("filled; was {}", shown_counts(filled, std::iter::empty()))
    }

    /// How many rows they became, where an answer may become several.
    pub(in crate::commands) fn exploded(&self) -> Option<String> {
        let rows_out = self.rows_out.filter(|_| self.is_exploded)?;
        Some(shown_rows_out(self.ended.values().sum(), rows_out))
    }

    /// The statuses by name, as the table shows them.
    pub(in crate::commands) fn by_name(&self) -> BTreeMap<&'static str, u64> {
        self.shown().into_iter().map(|(status, count)| (status.as_str(), count)).collect()
    }

    /// What the filled rows were, by name.
    pub(in crate::commands) fn filled_by_name(&self) -> BTreeMap<&'static str, u64> {
        self.filled.iter().map(|(status, count)| (status.as_str(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RowStatus::{Defaulted, Error, Ok, Refused};

    /// B05: filled rows are counted once, as what the table shows.
    #[test]
    fn b05_s4_14_filled_rows_are_counted_once() {
        let counts = RowCounts {
            ended: BTreeMap::from([(Ok, 990), (Refused, 5), (Error, 7)]),
            filled: BTreeMap::from([(Ok, 2), (Refused, 5), (Error, 7)]),
            ..RowCounts::default()
        };
        assert_eq!(counts.shown(), BTreeMap::from([(Ok, 988), (Defaulted, 14)]));
        assert_eq!(counts.shown().values().sum::<u64>(), counts.ended.values().sum::<u64>());
        assert_eq!(counts.in_words(), "ok 988, defaulted 14 (ok 2, refused 5, error 7)");
        let none = RowCounts { filled: BTreeMap::new(), ..counts };
        assert_eq!(none.in_words(), "ok 990, refused 5, error 7");
    }
}
