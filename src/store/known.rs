//! What need not be sent: rows that ask the same as another row of their job, and rows that an
//! earlier job answered.

use rusqlite::{OptionalExtension, Statement, Transaction, params};

use super::{ArtifactKind, Store, StoreError};
use crate::answer::RowStatus;

/// A row that asks the same as an earlier one of its job, which is sent for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EqualRow {
    /// The row that is sent.
    pub leader: u64,
    /// The row that gets its outcome.
    pub row: u64,
}

/// A row whose answer was copied from an earlier job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedAnswer {
    /// The row, from 0.
    pub row: u64,
    /// Digest of what decides its answer.
    pub content_key: [u8; 16],
    /// Where its line begins in the job's file of copied answers.
    pub offset: u64,
    /// The length of its line.
    pub length: u32,
    /// When it was answered, in Unix seconds (until 2106): a copy is as old as its original.
    pub answered: u32,
}

/// A job's file of copied answers, complete and synced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachedFile {
    /// Its name below the job's results folder.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// blake3 of its bytes.
    pub digest: String,
    /// The rows it answers, in row order; several may share a line.
    pub answers: Vec<CachedAnswer>,
}

/// What is known of a job's rows when it is made, besides its shards and skipped rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownRows<'a> {
    /// Answers copied from earlier jobs.
    pub cached: Option<&'a CachedFile>,
    /// Rows that ask the same as another.
    pub equal: &'a [EqualRow],
    /// The name a person gives the job.
    pub name: Option<&'a str>,
}

/// Copies the outcome of a row (?2) in a round (?3) to the rows of the job (?1) that ask the same;
/// `None` where the job has no such rows.
pub(super) fn fan_out<'t>(
    tx: &'t Transaction<'_>,
    job: &str,
) -> rusqlite::Result<Option<Statement<'t>>> {
    let any = tx
        .query_row("SELECT 1 FROM equal_row WHERE job = ?1 LIMIT 1", [job], |_| Ok(()))
        .optional()?;
    any.map(|()| {
        tx.prepare(
            "INSERT OR REPLACE INTO outcome (job, row, round, status, artifact, place, length, \
             content_key, error, class, settled) SELECT o.job, e.row, o.round, o.status, o.artifact, \
             o.place, o.length, o.content_key, o.error, o.class, o.settled FROM equal_row e \
             JOIN outcome o ON o.job = e.job AND o.row = e.leader AND o.round = ?3 WHERE e.job = ?1 AND e.leader = ?2",
        )
    })
    .transpose()
}

/// Writes down what need not be sent.
pub(super) fn insert(
    tx: &Transaction<'_>,
    job: &str,
    rows: &KnownRows<'_>,
) -> rusqlite::Result<()> {
    if let Some(file) = rows.cached {
        let artifact = insert_file(tx, job, file)?;
        let mut copy = tx.prepare(
            "INSERT INTO outcome (job, row, round, status, artifact, place, length, content_key, \
             settled) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let status = RowStatus::Cached.as_str();
        for answer in &file.answers {
            let CachedAnswer { row, content_key, offset, length, answered } = answer;
            copy.execute(params![
                job,
                row,
                status,
                artifact,
                offset,
                length,
                content_key,
                answered
            ])?;
        }
    }
    let mut equal = tx.prepare("INSERT INTO equal_row (job, leader, row) VALUES (?1, ?2, ?3)")?;
    for EqualRow { leader, row } in rows.equal {
        equal.execute(params![job, leader, row])?;
    }
    rows.name.map_or(Ok(()), |given| name(tx, job, given))
}

/// The file of copied answers as the only one of round 0, which has nothing left to do.
fn insert_file(tx: &Transaction<'_>, job: &str, file: &CachedFile) -> rusqlite::Result<i64> {
    let rows = file.answers.len();
    tx.execute(
        "INSERT INTO shard (job, round, number, state, rows, bytes) \
         VALUES (?1, 0, 0, 'settled', ?2, ?3)",
        params![job, rows, file.bytes],
    )?;
    tx.execute(
        "INSERT INTO artifact (shard, kind, name, bytes, digest) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            tx.last_insert_rowid(),
            ArtifactKind::Cached.as_str(),
            file.name,
            file.bytes,
            file.digest
        ],
    )?;
    Ok(tx.last_insert_rowid())
}

/// Gives a job a name.
pub(super) fn name(tx: &Transaction<'_>, job: &str, name: &str) -> rusqlite::Result<()> {
    tx.execute("INSERT OR REPLACE INTO job_name (name, job) VALUES (?1, ?2)", [name, job])?;
    Ok(())
}

impl Store {
    /// Whether a row of a job got its outcome from this other one.
    pub fn is_equal_row(&self, job: &str, leader: u64, row: u64) -> Result<bool, StoreError> {
        self.read(|c| {
            let found = c.query_row(
                "SELECT 1 FROM equal_row WHERE job = ?1 AND leader = ?2 AND row = ?3",
                params![job, leader, row],
                |_| Ok(()),
            );
            Ok(found.optional()?.is_some())
        })
    }

    /// The rows of a job that get the outcome of another, in the order of the rows that are sent.
    pub fn equal_rows(&self, job: &str) -> Result<Vec<EqualRow>, StoreError> {
        self.read(|c| {
            c.prepare("SELECT leader, row FROM equal_row WHERE job = ?1 ORDER BY leader, row")?
                .query_map([job], |row| Ok(EqualRow { leader: row.get(0)?, row: row.get(1)? }))?
                .collect()
        })
    }
}
