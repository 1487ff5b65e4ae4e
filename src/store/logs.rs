//! What is told of rows that are not good and of calls, for `logs`: read page by page, since a
//! table may have 300,000 of them.

use rusqlite::{Row, params};

use super::call_failures::counted;
use super::outcomes::COUNTS;
use super::{CallKind, Store, StoreError, word};
use crate::answer::RowStatus;

/// A row that is not good, as its newest round left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The row, from 0.
    pub row: u64,
    /// The pass it was sent in; 0 for a row that was never sent.
    pub round: u32,
    /// What became of it.
    pub status: RowStatus,
    /// Why.
    pub error: Option<String>,
    /// When that was recorded, in Unix seconds.
    pub settled: Option<i64>,
}

/// A call with the shard it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCall {
    /// The ledger's own number.
    pub id: i64,
    /// What was called.
    pub kind: CallKind,
    /// Round and number of the shard.
    pub shard: Option<(u32, u64)>,
    /// Unix seconds.
    pub started: i64,
    /// Unix seconds, of the last of several; `None` = no end is recorded.
    pub ended: Option<i64>,
    /// How often it was made with the same end, if that is counted.
    pub times: u64,
    /// `ok`, `not_sent`, `rejected`, `deferred`, `unknown`; `None` = no end is recorded.
    pub class: Option<String>,
    /// The HTTP status, where one came.
    pub http: Option<u16>,
    /// The id the provider gave, or of what was removed.
    pub remote_id: Option<String>,
    /// The provider's words.
    pub excerpt: Option<String>,
}

/// Which rows are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRows<'a> {
    /// The job's key.
    pub job: &'a str,
    /// Recorded since then, in Unix seconds.
    pub since: i64,
    /// With one of these statuses.
    pub statuses: &'a [RowStatus],
}

impl BadRows<'_> {
    /// The newest outcome of each such row; takes `?1` job and `?2` since.
    fn query(&self) -> String {
        let words: Vec<_> = self.statuses.iter().map(|s| format!("'{}'", s.as_str())).collect();
        format!(
            "FROM outcome o WHERE job = ?1 AND status IN ({}) AND {COUNTS} AND coalesce(settled, 0) >= ?2",
            words.join(", ")
        )
    }
}

fn read_bad(row: &Row<'_>) -> rusqlite::Result<BadRow> {
    Ok(BadRow {
        row: row.get(0)?,
        round: row.get(1)?,
        status: word(2, &row.get::<_, String>(2)?, RowStatus::read)?,
        error: row.get(3)?,
        settled: row.get(4)?,
    })
}

impl Store {
    /// At most `limit` of these rows from row `from` on, in row order.
    pub fn bad_rows_from(
        &self,
        which: &BadRows<'_>,
        from: u64,
        limit: usize,
    ) -> Result<Vec<BadRow>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT row, round, status, error, settled {} AND row >= ?3 ORDER BY row LIMIT ?4",
                which.query()
            ))?
            .query_map(params![which.job, which.since, from, limit], read_bad)?
            .collect()
        })
    }

    /// The commonest messages of these rows with their statuses and how many rows have each.
    pub fn bad_messages(
        &self,
        which: &BadRows<'_>,
        limit: usize,
    ) -> Result<Vec<(RowStatus, String, u64)>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT status, coalesce(error, ''), count(*) AS n {} GROUP BY status, error \
                 ORDER BY n DESC, error LIMIT ?3",
                which.query()
            ))?
            .query_map(params![which.job, which.since, limit], |row| {
                let status = word(0, &row.get::<_, String>(0)?, RowStatus::read)?;
                Ok((status, row.get(1)?, row.get(2)?))
            })?
            .collect()
        })
    }

    /// How many rows these are, and how many different messages they have.
    pub fn bad_counts(&self, which: &BadRows<'_>) -> Result<(u64, u64), StoreError> {
        self.read(|c| {
            let query = which.query();
            c.query_row(
                &format!("SELECT count(*), count(DISTINCT coalesce(error, '')) {query}"),
                params![which.job, which.since],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
    }

    /// At most `limit` calls of a job after call number `after`, under way since then (Unix seconds),
    /// oldest first.
    pub fn calls_after(
        &self,
        job: &str,
        since: i64,
        after: i64,
        limit: usize,
    ) -> Result<Vec<LoggedCall>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT call.id, kind, round, number, started, ended, class, http, remote_id, \
                 excerpt FROM call LEFT JOIN batch_create ON batch_create.id = call.create_id \
                 LEFT JOIN shard ON shard.id = batch_create.shard \
                 WHERE call.job = ?1 AND coalesce(ended, started) >= ?2 AND call.id > ?3 ORDER BY call.id LIMIT ?4",
            )?
            .query_map(params![job, since, after, limit], |row| {
                let (excerpt, times) = row.get::<_, Option<String>>(9)?.map(counted).unzip();
                Ok(LoggedCall {
                    id: row.get(0)?,
                    kind: word(1, &row.get::<_, String>(1)?, CallKind::from_word)?,
                    shard: row.get::<_, Option<u32>>(2)?.zip(row.get(3)?),
                    started: row.get(4)?,
                    ended: row.get(5)?,
                    times: times.unwrap_or(1),
                    class: row.get(6)?,
                    http: row.get(7)?,
                    remote_id: row.get(8)?,
                    excerpt,
                })
            })?
            .collect()
        })
    }
}
