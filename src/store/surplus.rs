//! Surplus batches: those of a shard that has another one already. They are paid for, so their
//! answers are kept and their tokens count.

use rusqlite::{Row, params};

use super::calls::{CallKind, begin, end};
use super::{
    ArtifactRecord, CallEnd, OutcomeRecord, Store, StoreError, charges, outcomes, records,
    stored_words, word,
};
use crate::batch::Used;

stored_words! {
    /// How far a surplus batch has come.
    SurplusState {
        /// A second batch of one and the same create, which is to be stopped.
        Unwanted = "unwanted",
        /// It runs.
        Running = "running",
        /// Its files are on disk and synced.
        Stored = "stored",
        /// What it answered is in the account.
        Settled = "settled",
    }
}

/// A surplus batch as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurplusRecord {
    /// The provider's id.
    pub batch: String,
    /// The create it is surplus to.
    pub create: i64,
    /// The shard of that create.
    pub shard: i64,
    /// How far it has come.
    pub state: SurplusState,
    /// The provider's last description, as JSON.
    pub reply: String,
    /// The how many-eth surplus batch of its shard it is, from 1.
    pub number: u64,
}

fn read_surplus(row: &Row<'_>) -> rusqlite::Result<SurplusRecord> {
    Ok(SurplusRecord {
        batch: row.get(0)?,
        create: row.get(1)?,
        shard: row.get(2)?,
        state: word(3, &row.get::<_, String>(3)?, SurplusState::from_word)?,
        reply: row.get(4)?,
        number: row.get(5)?,
    })
}

impl Store {
    /// Records a batch beyond the one that its shard has. One that is known already stays as it is.
    pub fn add_surplus(
        &self,
        job: &str,
        create: i64,
        (batch, reply): (&str, &str),
        state: SurplusState,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO surplus (batch_id, job, create_id, state, reply, found) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (batch_id) DO NOTHING",
                params![batch, job, create, state.as_str(), reply, now],
            )?;
            Ok(())
        })
    }

    /// Opens a job again that is done: these batches of it turned up (create, the provider's id,
    /// its description). False, and nothing is changed, if it is no longer done or its answers
    /// were pruned.
    pub fn open_for_late(
        &self,
        job: &str,
        batches: &[(i64, String, String)],
        reason: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let opened = tx.execute(
                "UPDATE job SET state = 'waiting', reason = ?2, updated = ?3 \
                 WHERE key = ?1 AND state = 'done' AND pruned IS NULL",
                params![job, reason, now],
            )?;
            if opened == 0 {
                return Ok(false);
            }
            for (create, batch, reply) in batches {
                tx.execute(
                    "INSERT INTO surplus (batch_id, job, create_id, state, reply, found) \
                     SELECT ?1, ?2, ?3, 'running', ?4, ?5 WHERE NOT EXISTS \
                     (SELECT 1 FROM batch_create WHERE batch_id = ?1) \
                     ON CONFLICT (batch_id) DO NOTHING",
                    params![batch, job, create, reply, now],
                )?;
            }
            Ok(true)
        })
    }

    /// The surplus batches of a job, in the order in which they were found.
    pub fn surplus(&self, job: &str) -> Result<Vec<SurplusRecord>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT s.batch_id, s.create_id, b.shard, s.state, s.reply, \
                 row_number() OVER (PARTITION BY b.shard ORDER BY s.rowid) \
                 FROM surplus s JOIN batch_create b ON b.id = s.create_id \
                 WHERE s.job = ?1 ORDER BY s.rowid",
            )?
            .query_map([job], read_surplus)?
            .collect()
        })
    }

    /// How many surplus batches of a job are not in the account yet.
    pub fn open_surplus(&self, job: &str) -> Result<u64, StoreError> {
        self.read(|c| {
            c.query_row(
                "SELECT count(*) FROM surplus WHERE job = ?1 AND state <> 'settled'",
                [job],
                |row| row.get(0),
            )
        })
    }

    /// Records what the provider said of a surplus batch.
    pub fn surplus_seen(&self, batch: &str, reply: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE surplus SET reply = ?2 WHERE batch_id = ?1", params![batch, reply])?;
            Ok(())
        })
    }

    /// Commits the intent to stop a surplus batch.
    pub fn begin_surplus_cancel(
        &self,
        job: &str,
        surplus: &SurplusRecord,
        now: i64,
    ) -> Result<i64, StoreError> {
        self.write(|tx| {
            let call = begin(tx, job, surplus.create, CallKind::Cancel, now)?;
            tx.execute(
                "UPDATE call SET remote_id = ?2 WHERE id = ?1",
                params![call, surplus.batch],
            )?;
            Ok(call)
        })
    }

    /// Records how that call ended; the batch is asked after from then on.
    pub fn end_surplus_cancel(
        &self,
        call: i64,
        batch: &str,
        ended: &CallEnd,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            let ended = CallEnd { remote_id: Some(batch.to_owned()), ..ended.clone() };
            end(tx, call, &ended)?;
            set_state(tx, batch, SurplusState::Running)
        })
    }

    /// Whether the provider took a cancel of this surplus batch.
    pub fn has_cancelled_surplus(&self, surplus: &SurplusRecord) -> Result<bool, StoreError> {
        self.read(|c| {
            c.query_row(
                "SELECT count(*) > 0 FROM call WHERE create_id = ?1 AND kind = 'cancel' AND \
                 class = 'ok' AND remote_id = ?2",
                params![surplus.create, surplus.batch],
                |row| row.get(0),
            )
        })
    }

    /// Records the files of a surplus batch beside those of its shard.
    pub fn record_spares(
        &self,
        surplus: &SurplusRecord,
        artifacts: &[ArtifactRecord],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            records::insert(tx, surplus.shard, artifacts)?;
            set_state(tx, &surplus.batch, SurplusState::Stored)
        })
    }

    /// Records what a surplus batch is good for: outcomes of rows that had no good one, and the
    /// tokens of its other answers with what they cost. What an outcome used that is replaced here
    /// is among them.
    pub fn settle_surplus(
        &self,
        job: &str,
        batch: &str,
        records: &[OutcomeRecord],
        spent: &Used,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            charges::add_surplus(tx, (job, batch), records, spent.known)?;
            outcomes::give_up_usage(tx, job, records)?;
            outcomes::insert(tx, job, records.iter())?;
            let usage = spent.usage;
            tx.execute(
                "UPDATE surplus SET prompt_tokens = ?2, completion_tokens = ?3, \
                 cached_tokens = ?4, reasoning_tokens = ?5, cost = ?6 WHERE batch_id = ?1",
                params![
                    batch,
                    usage.prompt_tokens,
                    usage.completion_tokens,
                    usage.cached_tokens,
                    usage.reasoning_tokens,
                    spent.cost(),
                ],
            )?;
            set_state(tx, batch, SurplusState::Settled)
        })
    }
}

fn set_state(
    tx: &rusqlite::Transaction<'_>,
    batch: &str,
    state: SurplusState,
) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE surplus SET state = ?2 WHERE batch_id = ?1",
        params![batch, state.as_str()],
    )?;
    Ok(())
}
