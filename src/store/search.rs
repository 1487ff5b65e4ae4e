//! The search for a batch whose create got no clear answer: how far it has come, and how it ended.

use rusqlite::params;

use super::calls::{CallKind, begin, end, set_create};
use super::{CallEnd, CreateRecord, CreateState, NewShard, ShardState, Store, StoreError, shards};

impl Store {
    /// Records that a complete listing did not have the batch, and how long the search goes on.
    pub fn not_listed(
        &self,
        create: i64,
        listings: u32,
        searched_seconds: u64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE batch_create SET listings = ?2, searched = ?3 WHERE id = ?1",
                params![create, listings, searched_seconds],
            )?;
            Ok(())
        })
    }

    /// Commits the intent to delete the input file of a lost create.
    pub fn begin_fence(&self, job: &str, create: i64, now: i64) -> Result<i64, StoreError> {
        self.write(|tx| begin(tx, job, create, CallKind::Delete, now))
    }

    /// Records that the input file of a lost create is gone; the search begins anew.
    pub fn end_fence(&self, create: i64, call: i64, ended: &CallEnd) -> Result<(), StoreError> {
        self.write(|tx| {
            end(tx, call, ended)?;
            tx.execute(
                "UPDATE batch_create SET fenced = ?2, listings = 0, searched = 0 WHERE id = ?1",
                params![create, ended.now],
            )?;
            Ok(())
        })
    }

    /// Records that a batch was found and is the one of this create.
    pub fn adopt(
        &self,
        job: &str,
        create: &CreateRecord,
        batch: &str,
        (reply, status_word): (&str, &str),
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            let call = begin(tx, job, create.id, CallKind::Adopt, now)?;
            let remote_id = Some(batch.to_owned());
            end(tx, call, &CallEnd { class: "ok", remote_id, now, ..CallEnd::default() })?;
            tx.execute(
                "UPDATE batch_create SET batch_id = ?2, state = 'created', reply = ?3, \
                 status_word = ?4, updated = ?5 WHERE id = ?1",
                params![create.id, batch, reply, status_word, now],
            )?;
            shards::set_state(tx, create.shard, ShardState::Running, None)
        })
    }

    /// Records that no batch exists and none will: all rows of its shard go on in a new shard of
    /// the next round. One transaction: no row is in both or in neither.
    pub fn declare_absent(
        &self,
        job: &str,
        create: &CreateRecord,
        next: Option<&NewShard>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            set_create(tx, create.id, CreateState::Absent, now)?;
            shards::insert_next(tx, job, next, create.shard)?;
            shards::set_state(tx, create.shard, ShardState::Settled, Some("its batch never was"))
        })
    }

    /// Every batch id that the ledger holds for a job.
    pub fn batch_ids(&self, job: &str) -> Result<Vec<String>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT batch_id FROM batch_create WHERE batch_id IS NOT NULL AND shard IN \
                 (SELECT id FROM shard WHERE job = ?1) \
                 UNION SELECT batch_id FROM surplus WHERE job = ?1",
            )?
            .query_map([job], |row| row.get(0))?
            .collect()
        })
    }
}
