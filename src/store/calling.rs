//! Shards whose rows are called one by one: from the reserved charge to the last outcome.
//!
//! A group of answers is in the account in one transaction: their outcomes, how many bytes of the
//! result file they fill, who was asked, and how far the list of begun calls is counted.

use rusqlite::{OptionalExtension, params};

use super::records::read_artifact;
use super::{
    ArtifactKind, ArtifactRecord, AskedRecord, Budget, NewShard, OutcomeRecord, Over, ShardRecord,
    ShardState, Store, StoreError, asked, budget, charges, outcomes, shards,
};
use crate::request::Mode;

/// What became of the intent to call the rows of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunCalls {
    /// It is committed: the result file as the account has it, and how many bytes of the list of
    /// begun calls are counted.
    Calling(ArtifactRecord, u64),
    /// It could pass a limit of money or requests; nothing was recorded.
    OverBudget(Over),
}

/// Answers that go into the account together.
#[derive(Debug, Clone, Default)]
pub struct CalledGroup {
    /// Outcomes of rows.
    pub records: Vec<OutcomeRecord>,
    /// The result file, its bytes up to the last of these outcomes, and how many bytes of the
    /// list of begun calls are counted, for each shard.
    pub files: Vec<(i64, i64, u64, u64)>,
    /// Who was asked.
    pub asked: Vec<AskedRecord>,
}

impl Store {
    /// Commits the intent to call the rows of a shard and reserves what they may cost, if the
    /// limits of money have room for it. A shard that was begun before has its reserve.
    pub fn begin_calling(
        &self,
        shard: &ShardRecord,
        file: &str,
        budget: &Budget,
        now: i64,
    ) -> Result<BegunCalls, StoreError> {
        self.write(|tx| {
            let (state, counted): (String, u64) = tx.query_row(
                "SELECT state, counted FROM shard WHERE id = ?1",
                [shard.id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            if state != ShardState::Calling.as_str() {
                if let Some(over) = budget::passed(tx, shard.id, budget, now)? {
                    return Ok(BegunCalls::OverBudget(over));
                }
                charges::reserve(tx, shard.id, now)?;
                shards::set_state(tx, shard.id, ShardState::Calling, None)?;
            }
            tx.execute(
                "INSERT INTO artifact (shard, kind, name, bytes, digest) VALUES (?1, ?2, ?3, 0, '') \
                 ON CONFLICT (shard, name) DO NOTHING",
                params![shard.id, ArtifactKind::Calls.as_str(), file],
            )?;
            let artifact = tx.query_row(
                "SELECT id, shard, kind, name, bytes, digest FROM artifact \
                 WHERE shard = ?1 AND name = ?2",
                params![shard.id, file],
                read_artifact,
            )?;
            Ok(BegunCalls::Calling(artifact, counted))
        })
    }

    /// Records a group of answers.
    pub fn record_called(&self, job: &str, group: &CalledGroup) -> Result<(), StoreError> {
        self.write(|tx| {
            outcomes::insert(tx, job, group.records.iter())?;
            for (shard, artifact, bytes, counted) in &group.files {
                tx.prepare("UPDATE artifact SET bytes = ?2 WHERE id = ?1")?
                    .execute(params![artifact, bytes])?;
                tx.prepare("UPDATE shard SET counted = max(counted, ?2) WHERE id = ?1")?
                    .execute(params![shard, counted])?;
            }
            asked::add(tx, job, &group.asked)
        })
    }

    /// Records that all rows of a shard have their outcome: its charge is settled with what they
    /// cost, and its result file is complete. `halt` is why nothing more of the job is sent, as
    /// JSON.
    pub fn finish_calling(
        &self,
        (job, shard): (&str, i64),
        records: &[OutcomeRecord],
        file: Option<(i64, &str)>,
        halt: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            if let Some((artifact, digest)) = file {
                tx.execute(
                    "UPDATE artifact SET digest = ?2 WHERE id = ?1",
                    params![artifact, digest],
                )?;
            }
            if let Some(halt) = halt {
                tx.execute("UPDATE job SET halt = coalesce(halt, ?2) WHERE key = ?1", [job, halt])?;
            }
            charges::settle(tx, shard, records)?;
            shards::set_state(tx, shard, ShardState::Settled, None)
        })
    }

    /// The first shards of a job in one of these states that are sent so, in order of round and
    /// number.
    pub fn shards_of_mode(
        &self,
        job: &str,
        mode: Mode,
        states: &[ShardState],
        most: usize,
    ) -> Result<Vec<ShardRecord>, StoreError> {
        let mut found = self.shards_in_mode(job, states, Some(mode), most)?;
        found.truncate(most);
        Ok(found)
    }

    /// Makes calls of the shards of a job that no batch was made of, and may never be: they were
    /// planned, refused, put off, or only uploaded. `reserve` tells what one could cost then.
    /// Returns how many rows they have.
    pub fn to_calls(
        &self,
        job: &str,
        reserve: impl Fn(&ShardRecord) -> Option<u64>,
    ) -> Result<u64, StoreError> {
        use ShardState::{Deferred, Planned, Rejected, Uploaded};
        let open = self.shards_of_mode(
            job,
            Mode::Batch,
            &[Planned, Rejected, Deferred, Uploaded],
            usize::MAX,
        )?;
        self.write(|tx| {
            let mut rows = 0;
            for shard in &open {
                // A create without a clear end may still make a batch of it.
                let may_run: bool = tx
                    .prepare(
                        "SELECT 1 FROM batch_create WHERE shard = ?1 AND (state IN \
                         ('intended', 'unknown') OR (state = 'created' AND ?2))",
                    )?
                    .query_row(params![shard.id, shard.state != Deferred], |_| Ok(true))
                    .optional()?
                    .unwrap_or(false);
                if may_run {
                    continue;
                }
                tx.prepare("UPDATE shard SET mode = 'realtime', reserve = ?2 WHERE id = ?1")?
                    .execute(params![shard.id, reserve(shard).map(charges::storable)])?;
                shards::set_state(tx, shard.id, Planned, None)?;
                rows += shard.rows;
            }
            Ok(rows)
        })
    }

    /// What some rows of a job's question could cost in a further shard, by what those of its
    /// first shards were planned with.
    pub fn planned_share(
        &self,
        (job, asks): (&str, super::Asking),
        shard: &NewShard,
    ) -> Result<Option<u64>, StoreError> {
        self.read(|c| {
            let planned = charges::Planned::of(c, (job, asks))?;
            Ok(planned.share(shard.rows, shard.bytes))
        })
    }
}
