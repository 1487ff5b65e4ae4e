//! What stops a whole job until a person has seen it: too large a share of a shard's rows failed,
//! or an answer says that the account cannot go on. What runs at the provider goes on and is
//! collected; nothing more is sent. Whoever drives next tells it, if nobody was told yet; the
//! drive after that is the person's word to go on.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::JobError;
use super::drive::{Driver, Ending};
use crate::answer::RowStatus;
use crate::batch::Failure;
use crate::store::{OutcomeRecord, ShardRecord};

/// Shards with fewer rows that ran say nothing about the rest.
const FEWEST: u64 = 20;

/// Why nothing more is sent; kept in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Halt {
    /// More rows of a shard failed than `abort_share` allows.
    Share(String),
    /// No credit, or the key was refused.
    Account(Failure),
}

impl Halt {
    fn ending(self) -> Ending {
        match self {
            Self::Share(words) => Ending::Halted(words),
            Self::Account(failure) => Ending::Refused(failure),
        }
    }

    pub(super) fn words(&self) -> &str {
        match self {
            Self::Share(words) => words,
            Self::Account(failure) => &failure.message,
        }
    }

    pub(super) fn as_json(&self) -> String {
        serde_json::to_string(self).expect("a halt is plain data")
    }
}

/// Whether the rows of a shard stop the job.
pub(super) fn halt_of<'a>(
    shard: &str,
    records: impl Iterator<Item = &'a OutcomeRecord>,
    most: f64,
) -> Option<Halt> {
    use RowStatus::{Error, Invalid, Refused, Truncated, Unparsed};
    let (mut ran, mut failed) = (0_u64, 0_u64);
    let mut errors: HashMap<&str, u64> = HashMap::new();
    for record in records.filter(|record| record.place.is_some()) {
        let words = record.error.as_deref().unwrap_or("no reason given");
        if let Some(kind) = record.class.filter(|kind| kind.stops_the_account()) {
            return Some(Halt::Account(Failure::ours(kind, words)));
        }
        // Rows that expired or were cancelled did not run.
        let is_bad = matches!(record.status, Error | Invalid | Refused | Truncated | Unparsed);
        if is_bad {
            failed += 1;
            *errors.entry(words).or_default() += 1;
        }
        ran += u64::from(is_bad || record.status.is_good());
    }
    #[expect(clippy::cast_precision_loss, reason = "rows of one file")]
    let is_passed = failed as f64 > most * ran as f64;
    if ran < FEWEST || !is_passed {
        return None;
    }
    let (words, times) =
        errors.into_iter().max_by_key(|(words, n)| (*n, std::cmp::Reverse(*words)))?;
    Some(Halt::Share(format!(
        "{failed} of {ran} rows of {shard} failed, {times} of them so: {words}"
    )))
}

impl Driver<'_> {
    /// Settles a shard; where its rows stop the job, that is recorded with them.
    pub(super) fn settle_and_judge(
        &self,
        shard: &ShardRecord,
        records: &[OutcomeRecord],
    ) -> Result<(), JobError> {
        // That rows are bad whose answer was bad before says nothing about the others.
        let most = if shard.asks.is_reask { 1.0 } else { self.options.abort_share };
        let halt = halt_of(&shard.title(), records.iter(), most);
        let Some(halt) = halt else {
            return Ok(self.store.settle_shard(&self.job.key, shard.id, records)?);
        };
        self.store.settle_and_halt(&self.job.key, shard.id, records, &halt.as_json())?;
        if self.unsent()? > 0 {
            self.warn(&format!("{}; nothing more is sent", halt.words()));
        }
        Ok(())
    }

    /// Whether nothing more is sent.
    pub(super) fn is_halted(&self) -> Result<bool, JobError> {
        Ok(self.store.halt(&self.job.key)?.is_some())
    }

    /// How the run ends if something would be sent but must not be.
    pub(super) fn halted(&self) -> Result<Option<Ending>, JobError> {
        let Some((json, _)) = self.store.halt(&self.job.key)? else { return Ok(None) };
        if self.unsent()? == 0 && self.leftovers()?.is_empty() {
            return Ok(None);
        }
        let halt: Halt = serde_json::from_str(&json).map_err(|e| JobError::Spec {
            job: self.job.short().to_owned(),
            detail: e.to_string(),
        })?;
        Ok(Some(halt.ending()))
    }

    /// Goes on with a job that was stopped if a person was told why.
    pub(super) fn heed_halt(&self) -> Result<(), JobError> {
        let is_told = self.store.halt(&self.job.key)?.is_some_and(|(_, is_told)| is_told);
        if is_told && self.options.submit {
            self.store.lift_halt(&self.job.key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::FailureKind;

    fn records(groups: &[(u64, RowStatus, Option<FailureKind>, &str)]) -> Vec<OutcomeRecord> {
        let rows = groups.iter().flat_map(|(n, status, class, error)| {
            (0..*n).map(move |row| OutcomeRecord {
                row,
                round: 1,
                status: *status,
                place: Some((1, 0, 1)),
                content_key: None,
                usage: None,
                cost: None,
                error: (!error.is_empty()).then(|| (*error).to_owned()),
                class: *class,
            })
        });
        rows.collect()
    }

    /// Field reports 36 and 42: no credit is not a failure of rows; a share of bad rows is counted
    /// over those that ran.
    #[test]
    fn field_36_42_what_stops_a_job() {
        use RowStatus::{Error, Expired, Ok, Refused, Unparsed};
        let invalid = Some(FailureKind::Invalid);
        let account = Some(FailureKind::Account);
        let share = |text: &str| Some(Halt::Share(text.to_owned()));
        let table = [
            (vec![(20, Ok, None, "")], 0.5, None),
            (vec![(10, Ok, None, ""), (10, Error, invalid, "bad")], 0.5, None),
            (
                vec![(9, Ok, None, ""), (8, Error, invalid, "bad"), (3, Unparsed, None, "no JSON")],
                0.5,
                share("11 of 20 rows of shard 7 failed, 8 of them so: bad"),
            ),
            (vec![(19, Error, invalid, "bad")], 0.5, None),
            (vec![(30, Error, invalid, "bad")], 1.0, None),
            (vec![(30, Expired, None, "late"), (10, Refused, None, "no")], 0.5, None),
            (
                vec![(30, Expired, None, "late"), (20, Refused, None, "no")],
                0.5,
                share("20 of 20 rows of shard 7 failed, 20 of them so: no"),
            ),
            (
                vec![(500, Ok, None, ""), (1, Error, account, "no credit")],
                1.0,
                Some(Halt::Account(Failure::ours(FailureKind::Account, "no credit"))),
            ),
        ];
        for (groups, most, expected) in table {
            let halt = halt_of("shard 7", records(&groups).iter(), most);
            assert_eq!(halt, expected, "{groups:?}");
            if let Some(halt) = halt {
                assert_eq!(serde_json::from_str::<Halt>(&halt.as_json()).unwrap(), halt);
            }
        }
    }
}
