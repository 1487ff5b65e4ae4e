//! Rows that are asked again because their answer was not the JSON that was wanted: which answer
//! that was, how many became good by it, and how common such answers are.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::outcomes::{COLUMNS, read_outcome};
use super::{OutcomeRecord, Store, StoreError};

/// An answer that was not the JSON that was wanted, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAnswer {
    /// Its outcome.
    pub outcome: OutcomeRecord,
    /// File name below the job's results folder.
    pub file: String,
}

/// What became of rows that were asked again because of their answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasked {
    /// Rows that were, each counted once; those that ask the same as another are among them.
    pub rows: u64,
    /// Those of them that are good now.
    pub good: u64,
}

/// How many answers were not the JSON that was wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BadShares {
    /// First answers, and those of them that were not.
    pub first: (u64, u64),
    /// Answers to questions that were put again because of one, and those of them that were not.
    pub again: (u64, u64),
}

impl Store {
    /// The newest bad answer that each of the rows from `first` to `last`, both included, had
    /// before a round, by row. What was settled stays, so this is the same whenever it is asked.
    pub fn bad_answers(
        &self,
        job: &str,
        before: u32,
        (first, last): (u64, u64),
    ) -> Result<BTreeMap<u64, BadAnswer>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS}, (SELECT name FROM artifact a WHERE a.id = artifact) FROM outcome \
             WHERE job = ?1 AND row BETWEEN ?2 AND ?3 AND round < ?4 AND \
             status IN ('unparsed', 'invalid') AND artifact IS NOT NULL ORDER BY row, round"
        );
        self.read(|c| {
            let mut query = c.prepare(&query)?;
            let found = query.query_map(params![job, first, last, before], |row| {
                Ok(BadAnswer { outcome: read_outcome(row)?, file: row.get(14)? })
            })?;
            // Of several the last one is the newest.
            found.map(|bad| bad.map(|bad| (bad.outcome.row, bad))).collect()
        })
    }

    /// How many rows of a job were answered because of an answer before, and are good by it.
    pub fn reasked(&self, job: &str) -> Result<Reasked, StoreError> {
        self.read(|c| {
            let any = "SELECT 1 FROM shard WHERE job = ?1 AND reask = 1 LIMIT 1";
            if c.query_row(any, [job], |_| Ok(())).optional()?.is_none() {
                return Ok(Reasked::default());
            }
            c.query_row(
                "SELECT count(DISTINCT o.row), count(DISTINCT CASE WHEN o.status = 'ok' THEN o.row \
                 END) FROM outcome o JOIN artifact a ON a.id = o.artifact JOIN shard s ON \
                 s.id = a.shard WHERE o.job = ?1 AND s.reask = 1",
                [job],
                |row| Ok(Reasked { rows: row.get(0)?, good: row.get(1)? }),
            )
        })
    }

    /// How common bad answers were in jobs with this prompt, going by at most so many of the
    /// newest jobs' rows. What a retry asked otherwise says nothing about the job's own question.
    pub fn bad_shares(&self, prompt: &str, most: u32) -> Result<BadShares, StoreError> {
        self.read(|c| {
            let mut shares = BadShares::default();
            let mut query = c.prepare(
                "SELECT reask, count(*), sum(status IN ('unparsed', 'invalid')) FROM ( \
                 SELECT s.reask, o.status FROM job j JOIN outcome o ON o.job = j.key \
                 JOIN artifact a ON a.id = o.artifact JOIN shard s ON s.id = a.shard \
                 WHERE j.prompt = ?1 AND o.round > 0 AND o.completion_tokens IS NOT NULL \
                 AND o.status IN ('ok', 'truncated', 'unparsed', 'invalid', 'refused') \
                 AND s.ask IS NULL ORDER BY j.rowid DESC LIMIT ?2) GROUP BY reask",
            )?;
            let mut rows = query.query(params![prompt, most])?;
            while let Some(row) = rows.next()? {
                let counts = (row.get(1)?, row.get(2)?);
                if row.get(0)? {
                    shares.again = counts;
                } else {
                    shares.first = counts;
                }
            }
            Ok(shares)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{outcome, store_with_job};
    use super::super::{Leftover, Rounds};
    use super::*;
    use crate::answer::RowStatus;
    use crate::batch::FailureKind;

    const JOB: &str = "k7f2qd0000";

    /// B07: who is asked again, with what, and when that ends; each question goes out as often as
    /// the first, and answers that no second question can better are left alone.
    #[test]
    fn b07_who_is_asked_again() {
        use RowStatus::{
            Cancelled, Error, Expired, Invalid, Missing, Ok, Refused, Skipped, Truncated, Unparsed,
        };
        // What became of a row round by round; with two second questions and two rounds: whether
        // it goes out again, and whether because of an answer.
        let table: [(&[RowStatus], Option<bool>); 18] = [
            (&[Unparsed], Some(true)),
            (&[Invalid], Some(true)),
            (&[Truncated], None),
            (&[Refused], None),
            (&[Ok], None),
            (&[Unparsed, Ok], None),
            (&[Unparsed, Invalid], Some(true)),
            (&[Unparsed, Invalid, Unparsed], None),
            (&[Unparsed, Refused], None),
            (&[Unparsed, Cancelled], None),
            (&[Unparsed, Skipped], None),
            (&[Unparsed, Expired], Some(true)),
            (&[Unparsed, Expired, Missing], None),
            (&[Expired, Unparsed], Some(true)),
            (&[Expired, Unparsed, Expired], None),
            (&[Expired], Some(false)),
            (&[Expired, Missing], None),
            (&[Unparsed, Error], Some(true)),
        ];
        let (_home, store) = store_with_job();
        for (row, (rounds, _)) in table.iter().enumerate() {
            for (round, status) in rounds.iter().enumerate() {
                let class = (*status == Error).then_some(FailureKind::Server);
                let round = u32::try_from(round).unwrap() + 1;
                let record = OutcomeRecord { round, class, ..outcome(row as u64, *status) };
                store.record_outcomes(JOB, &[record]).unwrap();
            }
        }
        let left = store.leftovers(JOB, Rounds { most: 2, reasks: 2 }).unwrap();
        let of = |row: usize| left.iter().find(|left| left.row == row as u64);
        for (row, (rounds, expected)) in table.iter().enumerate() {
            assert_eq!(of(row).map(|left| left.is_reask), *expected, "{rounds:?}");
        }
        let none = store.leftovers(JOB, Rounds { most: 2, reasks: 0 }).unwrap();
        let asks = |left: &Leftover| left.status == Unparsed || left.status == Invalid;
        assert!(!none.iter().any(asks), "only where it is wanted: {none:?}");
    }

    /// Field report 39: an answer is not given up for none, nor for one that holds less.
    #[test]
    fn field_39_the_outcome_of_the_most_worth_counts() {
        let (_home, store) = store_with_job();
        for (row, (one, other)) in RowStatus::ALL
            .iter()
            .flat_map(|one| RowStatus::ALL.iter().map(move |other| (*one, *other)))
            .enumerate()
        {
            let row = row as u64;
            let records = [(1, one), (2, other)]
                .map(|(round, status)| OutcomeRecord { round, ..outcome(row, status) });
            store.record_outcomes(JOB, &records).unwrap();
            let counts = &store.outcomes_between(JOB, row, row).unwrap()[..];
            let expected = if one.worth() > other.worth() { (1, one) } else { (2, other) };
            assert_eq!(counts.len(), 1);
            assert_eq!((counts[0].round, counts[0].status), expected, "{one} then {other}");
        }
    }
}
