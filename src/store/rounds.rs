//! Further rounds of a job: which rows go out again, with which question, and what stops a job
//! until a person has seen it.

use rusqlite::{OptionalExtension, params};

use super::outcomes::COUNTS;
use super::{NewShard, Store, StoreError, shards, word};
use crate::answer::RowStatus;
use crate::batch::FailureKind;

/// A row that goes out again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// The row, from 0.
    pub row: u64,
    /// The round in which it was last sent.
    pub round: u32,
    /// What became of it there.
    pub status: RowStatus,
}

impl Store {
    /// The rows that go out again by themselves, in row order: those whose outcome that counts is
    /// expired, missing, or an error that may pass, and that ran in fewer than `most` rounds since
    /// the job was planned, or since its newest retry.
    pub fn leftovers(&self, job: &str, most: u32) -> Result<Vec<Leftover>, StoreError> {
        let classes: Vec<_> =
            FailureKind::repeatable().map(|kind| format!("'{}'", kind.as_str())).collect();
        let query = format!(
            "SELECT o.row, o.round, o.status FROM outcome o JOIN job j ON j.key = o.job \
             WHERE o.job = ?1 AND o.round >= j.counted_from AND (o.status IN ('expired', \
             'missing') OR (o.status = 'error' AND o.class IN ({}))) AND {COUNTS} AND (SELECT \
             count(*) FROM outcome r WHERE r.job = o.job AND r.row = o.row AND r.round >= \
             j.counted_from AND r.status <> 'skipped') < ?2 ORDER BY o.row",
            classes.join(", ")
        );
        self.read(|c| {
            c.prepare(&query)?
                .query_map(params![job, most], |row| {
                    Ok(Leftover {
                        row: row.get(0)?,
                        round: row.get(1)?,
                        status: word(2, &row.get::<_, String>(2)?, RowStatus::read)?,
                    })
                })?
                .collect()
        })
    }

    /// Makes the shards of a further round, all or none, each group with the number of the
    /// question it asks (`None` is the job's own).
    pub fn insert_round(
        &self,
        job: &str,
        groups: &[(Option<i64>, Vec<NewShard>)],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            groups.iter().try_for_each(|(ask, group)| shards::insert(tx, job, group, *ask))
        })
    }

    /// The question with this number, as JSON.
    pub fn question(&self, ask: i64) -> Result<String, StoreError> {
        self.read(|c| {
            c.query_row("SELECT question FROM ask WHERE id = ?1", [ask], |row| row.get(0))
        })
    }

    /// Why nothing more of a job is sent, as JSON, and whether a person was told.
    pub fn halt(&self, job: &str) -> Result<Option<(String, bool)>, StoreError> {
        self.read(|c| {
            let query = "SELECT halt, halt_told FROM job WHERE key = ?1 AND halt IS NOT NULL";
            c.query_row(query, [job], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
    }

    /// Records that a person was told why nothing more of a job is sent.
    pub fn halt_is_told(&self, job: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET halt_told = 1 WHERE key = ?1", [job])?;
            Ok(())
        })
    }

    /// Lets a job that was stopped go on.
    pub fn lift_halt(&self, job: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET halt = NULL, halt_told = 0 WHERE key = ?1", [job])?;
            Ok(())
        })
    }
}
