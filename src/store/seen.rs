//! How a job's shards stand, summed up: for progress, lists and what is shown of a job. Nothing is
//! written here.

use std::collections::HashMap;

use rusqlite::OptionalExtension;

use super::{ShardState, Store, StoreError, word};
use crate::batch::BatchStatus;

/// Batches with the same status, summed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What was last heard: nothing, an unknown word, or a status.
    pub status: Option<Option<BatchStatus>>,
    /// How many batches.
    pub batches: u64,
    /// Their requests that are answered, never more than were sent.
    pub completed: u64,
    /// Their requests that failed, likewise.
    pub failed: u64,
    /// Their requests in all.
    pub rows: u64,
}

impl Store {
    /// How many shards of a job are in which state; states without shards are left out.
    pub fn shard_counts(&self, job: &str) -> Result<HashMap<ShardState, u64>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT state, count(*) FROM shard WHERE job = ?1 AND round > 0 GROUP BY state",
            )?
            .query_map([job], |row| {
                Ok((word(0, &row.get::<_, String>(0)?, ShardState::from_word)?, row.get(1)?))
            })?
            .collect()
        })
    }

    /// The batches of the open rounds of a job as last heard of, summed up by the provider's status, without reading
    /// the replies: of thousands of shards most are through, and this is asked at every tick. A
    /// further round is counted by itself: what failed before and goes out again would make the
    /// counters rise and fall (field report 41).
    pub fn seen(&self, job: &str) -> Result<Vec<Seen>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT b.seen_status, count(b.shard), \
                 coalesce(sum(min(b.seen_completed, s.rows)), 0), \
                 coalesce(sum(min(b.seen_failed, s.rows)), 0), sum(s.rows) \
                 FROM shard s LEFT JOIN batch_create b INDEXED BY batch_create_seen \
                 ON b.shard = s.id AND s.state != 'deferred' AND b.attempt = \
                 (SELECT max(attempt) FROM batch_create WHERE shard = s.id) \
                 WHERE s.job = ?1 AND s.round >= coalesce((SELECT min(round) FROM shard \
                 WHERE job = ?1 AND round > 0 AND state <> 'settled'), 1) \
                 GROUP BY b.seen_status",
            )?
            .query_map([job], |row| {
                let status: Option<String> = row.get(0)?;
                Ok(Seen {
                    status: status.as_deref().map(BatchStatus::read),
                    batches: row.get(1)?,
                    completed: row.get(2)?,
                    failed: row.get(3)?,
                    rows: row.get(4)?,
                })
            })?
            .collect()
        })
    }

    /// The batch that is shown for a job: the last one that runs, else the first there is.
    pub fn shown_batch(&self, job: &str) -> Result<Option<String>, StoreError> {
        let running = "s.state = 'running' ORDER BY s.round DESC, s.number DESC";
        let any = "s.round = 1 AND b.batch_id IS NOT NULL ORDER BY s.number";
        for which in [running, any] {
            let found = self.read(|c| {
                c.prepare(&format!(
                    "SELECT b.batch_id FROM shard s JOIN batch_create b ON b.shard = s.id AND \
                     b.attempt = (SELECT max(attempt) FROM batch_create WHERE shard = s.id) \
                     WHERE s.job = ?1 AND {which} LIMIT 1"
                ))?
                .query_row([job], |row| row.get::<_, Option<String>>(0))
                .optional()
            })?;
            if let Some(found) = found.flatten() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
