//! What stops a whole job until a person has seen it: too large a share of a shard's rows failed,
//! or an answer says that the account cannot go on. What runs at the provider goes on and is
//! collected; nothing more is sent. Whoever drives next tells it, if nobody was told yet; the
//! drive after that is the person's word to go on.

use std::collections::{BTreeMap, HashMap};

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

/// What of the rows of a shard may stop the job, added up as they come.
#[derive(Debug, Default)]
pub(super) struct Failures {
    ran: u64,
    failed: u64,
    errors: HashMap<String, u64>,
    account: Option<Failure>,
}

impl Failures {
    /// Adds a row. With `may_reask` answers that are not the wanted JSON are left aside: they are
    /// asked about before anybody can say that they are bad.
    pub(super) fn add(&mut self, record: &OutcomeRecord, may_reask: bool) {
        use RowStatus::{Error, Invalid, Refused, Truncated, Unparsed};
        if record.place.is_none() || self.account.is_some() {
            return;
        }
        let words = record.error.as_deref().unwrap_or("no reason given");
        if let Some(kind) = record.class.filter(|kind| kind.stops_the_account()) {
            self.account = Some(Failure::ours(kind, words));
            return;
        }
        if may_reask && is_asked_again(record.status) {
            return;
        }
        // Rows that expired or were cancelled did not run.
        let is_bad = matches!(record.status, Error | Invalid | Refused | Truncated | Unparsed);
        if is_bad {
            self.failed += 1;
            match self.errors.get_mut(words) {
                Some(times) => *times += 1,
                None => drop(self.errors.insert(words.to_owned(), 1)),
            }
        }
        self.ran += u64::from(is_bad || record.status.is_good());
    }

    /// Whether they stop the job: more than this share of them.
    pub(super) fn halt(&self, shard: &str, most: f64) -> Option<Halt> {
        if let Some(failure) = &self.account {
            return Some(Halt::Account(failure.clone()));
        }
        let Self { ran, failed, errors, .. } = self;
        #[expect(clippy::cast_precision_loss, reason = "rows of one file")]
        let is_passed = *failed as f64 > most * *ran as f64;
        if *ran < FEWEST || !is_passed {
            return None;
        }
        let (words, times) =
            errors.iter().max_by_key(|(words, n)| (**n, std::cmp::Reverse(words.as_str())))?;
        Some(Halt::Share(format!(
            "{failed} of {ran} rows of {shard} failed, {times} of them so: {words}"
        )))
    }
}

/// Whether the rows of a shard stop the job.
pub(super) fn halt_of<'a>(
    shard: &str,
    records: impl Iterator<Item = &'a OutcomeRecord>,
    most: f64,
    may_reask: bool,
) -> Option<Halt> {
    let mut failures = Failures::default();
    records.for_each(|record| failures.add(record, may_reask));
    failures.halt(shard, most)
}

/// Whether a row is asked again because of its answer, as often as `--reask` says.
fn is_asked_again(status: RowStatus) -> bool {
    matches!(status, RowStatus::Unparsed | RowStatus::Invalid)
}

/// Whether second questions are of no use: more than this share of a shard of them is still bad,
/// and of all rows of the job that ran. That a few hopeless rows stay bad says nothing about the
/// others. `all` are the rows as they are in the account; of the shard's rows `now_good` are good
/// and not there yet.
fn useless_reasks(
    shard: &str,
    records: &[OutcomeRecord],
    (all, now_good): (&BTreeMap<RowStatus, u64>, u64),
    most: f64,
) -> Option<Halt> {
    let halt = halt_of(shard, records.iter(), most, false)?;
    let of = |wanted: &dyn Fn(RowStatus) -> bool| -> u64 {
        all.iter().filter(|(status, _)| wanted(**status)).map(|(_, rows)| rows).sum()
    };
    let bad = of(&is_asked_again).saturating_sub(now_good);
    let ran = of(&is_asked_again) + of(&RowStatus::is_good);
    #[expect(clippy::cast_precision_loss, reason = "rows of one job")]
    let is_passed = bad as f64 > most * ran as f64;
    is_passed.then_some(halt)
}

impl Driver<'_> {
    /// Settles a shard; where its rows stop the job, that is recorded with them.
    pub(super) fn settle_and_judge(
        &self,
        shard: &ShardRecord,
        records: &[OutcomeRecord],
    ) -> Result<(), JobError> {
        let now_good = records.iter().filter(|record| record.status.is_good()).count() as u64;
        let Some(halt) = self.halt_of_shard(shard, records, now_good)? else {
            return Ok(self.store.settle_shard(&self.job.key, shard.id, records)?);
        };
        self.store.settle_and_halt(&self.job.key, shard.id, records, &halt.as_json())?;
        self.tell_halt(&halt)
    }

    /// Whether all rows of a shard stop the job. So many of them are good and were not when the
    /// account was last written.
    pub(super) fn halt_of_shard(
        &self,
        shard: &ShardRecord,
        records: &[OutcomeRecord],
        now_good: u64,
    ) -> Result<Option<Halt>, JobError> {
        let (title, most) = (shard.title(), self.options.abort_share);
        if !shard.asks.is_reask {
            return Ok(halt_of(&title, records.iter(), most, self.options.reasks > 0));
        }
        let all = self.store.status_counts(&self.job.key)?;
        let of_account = halt_of(&title, records.iter(), 1.0, false);
        Ok(of_account.or_else(|| useless_reasks(&title, records, (&all, now_good), most)))
    }

    /// Says that nothing more is sent, where something would be.
    pub(super) fn tell_halt(&self, halt: &Halt) -> Result<(), JobError> {
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
            let halt = halt_of("shard 7", records(&groups).iter(), most, false);
            assert_eq!(halt, expected, "{groups:?}");
            if let Some(halt) = halt {
                assert_eq!(serde_json::from_str::<Halt>(&halt.as_json()).unwrap(), halt);
            }
        }
    }
    /// Field report 42, B07: what `--reask` may mend stops nothing before it was tried, and stops
    /// the job where it did not help.
    #[test]
    fn field_42_b07_second_questions_are_tried_before_a_job_stops() {
        use RowStatus::{Error, Invalid, Ok, Refused, Unparsed};
        let invalid = Some(FailureKind::Invalid);
        let first = [
            (vec![(4, Ok, None, ""), (30, Unparsed, None, "no JSON")], None),
            (vec![(30, Invalid, None, "`a` is missing")], None),
            (vec![(30, Unparsed, None, "no JSON"), (25, Refused, None, "no")], Some("25 of 25")),
            (vec![(30, Ok, None, ""), (31, Error, invalid, "bad")], Some("31 of 61")),
        ];
        for (groups, expected) in first {
            let words = halt_of("shard 7", records(&groups).iter(), 0.5, true);
            let words = words.map(|halt| halt.words().to_owned()).unwrap_or_default();
            assert!(words.starts_with(expected.unwrap_or("")), "{words}");
            assert_eq!(words.is_empty(), expected.is_none(), "{groups:?}: {words}");
        }
        let again = [
            // All rows before, the shard's rows, whether it stops.
            (
                vec![(Ok, 10), (Unparsed, 90)],
                vec![(40, Ok, None, ""), (50, Unparsed, None, "no")],
                false,
            ),
            (
                vec![(Ok, 10), (Unparsed, 90)],
                vec![(20, Ok, None, ""), (70, Unparsed, None, "no")],
                true,
            ),
            // Other shards may do better.
            (vec![(Unparsed, 1_000)], vec![(90, Ok, None, ""), (10, Unparsed, None, "no")], false),
            // A few of many.
            (vec![(Ok, 900), (Unparsed, 90)], vec![(90, Invalid, None, "no")], false),
            (vec![(Ok, 10), (Unparsed, 10)], vec![(10, Unparsed, None, "too few")], false),
        ];
        for (all, groups, stops) in again {
            let mut all: BTreeMap<_, u64> = all.into_iter().collect();
            let good = groups.iter().filter(|group| group.1 == Ok).map(|group| group.0).sum();
            let stops_in = |all: &BTreeMap<_, _>, good| {
                useless_reasks("shard 7", &records(&groups), (all, good), 0.5).is_some()
            };
            assert_eq!(stops_in(&all, good), stops, "{groups:?}");
            // The same where they are in the account already, as those of calls are.
            *all.entry(Ok).or_default() += good;
            *all.entry(Unparsed).or_default() -= good;
            assert_eq!(stops_in(&all, 0), stops, "{groups:?}");
        }
    }
}
