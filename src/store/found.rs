//! Batches of a job that were found at the provider and are taken for its own.

use rusqlite::{OptionalExtension, Transaction, params};

use super::calls::{CallKind, begin, end};
use super::{
    Asking, CallEnd, CreateState, NewShard, ShardState, Store, StoreError, charges, shards,
};

/// A batch that was found, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBatch {
    /// The create key in its metadata.
    pub key: String,
    /// The number of that create.
    pub attempt: u32,
    /// The provider's id.
    pub batch: String,
    /// The file it reads.
    pub input_file: Option<String>,
    /// The provider's description, as JSON.
    pub reply: String,
    /// The provider's word for its state.
    pub status_word: String,
}

/// Which shard a found batch belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    /// One that the ledger has.
    Shard(i64),
    /// One that is made for it.
    New(&'a NewShard),
}

impl Store {
    /// Records that a found batch is the one of a shard, which runs from now on. Shards that were
    /// not sent and have rows of it are closed; `rest` are those that go on with their other rows.
    /// One transaction: no row is in two shards or in none.
    pub fn take_in(
        &self,
        job: &str,
        holder: Holder<'_>,
        found: &FoundBatch,
        (closed, rest): (&[i64], &[NewShard]),
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            let shard = match holder {
                Holder::Shard(shard) => shard,
                Holder::New(new) => insert_taken(tx, job, new)?,
            };
            let create = record_create(tx, shard, found, CreateState::Created, now)?;
            let call = begin(tx, job, create, CallKind::Adopt, now)?;
            let remote_id = Some(found.batch.clone());
            end(tx, call, &CallEnd { class: "ok", remote_id, now, ..CallEnd::default() })?;
            // What goes on with the other rows of a shard asks what that one asked.
            let asks = closed.first().map(|shard| shards::asking_of(tx, *shard));
            let asks = asks.transpose()?.unwrap_or_default();
            if let Holder::New(new) = holder {
                let reserve = charges::Planned::of(tx, (job, asks))?.share(new.rows, new.bytes);
                let update = "UPDATE shard SET ask = ?2, reserve = ?3, reask = ?4 WHERE id = ?1";
                tx.execute(update, params![shard, asks.ask, reserve, asks.is_reask])?;
            }
            shards::set_state(tx, shard, ShardState::Running, None)?;
            for shard in closed {
                let detail = format!("rows of it are in batch {}", found.batch);
                shards::set_state(tx, *shard, ShardState::Settled, Some(&detail))?;
            }
            shards::insert(tx, job, rest, asks)
        })
    }

    /// Records a batch that failed before any of it ran, so that the next create of its shard
    /// gets another key.
    pub fn note_stillborn(
        &self,
        shard: i64,
        found: &FoundBatch,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            record_create(tx, shard, found, CreateState::Rejected, now)?;
            shards::set_state(tx, shard, ShardState::Planned, None)
        })
    }

    /// Whether any job of this ledger holds this batch.
    pub fn holds_batch(&self, batch: &str) -> Result<bool, StoreError> {
        self.read(|c| {
            c.query_row(
                "SELECT EXISTS (SELECT 1 FROM batch_create WHERE batch_id = ?1) OR \
                 EXISTS (SELECT 1 FROM surplus WHERE batch_id = ?1)",
                [batch],
                |row| row.get(0),
            )
        })
    }

    /// The shards of a job that were made from a batch that was found.
    pub fn taken_shards(&self, job: &str) -> Result<Vec<i64>, StoreError> {
        self.read(|c| {
            c.prepare("SELECT id FROM shard WHERE job = ?1 AND taken = 1")?
                .query_map([job], |row| row.get(0))?
                .collect()
        })
    }
}

fn insert_taken(tx: &Transaction<'_>, job: &str, new: &NewShard) -> rusqlite::Result<i64> {
    shards::insert(tx, job, std::slice::from_ref(new), Asking::default())?;
    let shard = tx.last_insert_rowid();
    tx.execute("UPDATE shard SET taken = 1 WHERE id = ?1", [shard])?;
    Ok(shard)
}

/// The create with this key as the newest one of the shard, made where the ledger lacks it. It may
/// have been planned for a shard of other rows, which is closed.
fn record_create(
    tx: &Transaction<'_>,
    shard: i64,
    found: &FoundBatch,
    state: CreateState,
    now: i64,
) -> rusqlite::Result<i64> {
    let known = tx
        .query_row(
            "SELECT id, attempt, shard FROM batch_create WHERE key = ?1",
            [&found.key],
            |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, i64>(2)? == shard))
            },
        )
        .optional()?;
    let last: u32 = tx.query_row(
        "SELECT coalesce(max(attempt), 0) FROM batch_create WHERE shard = ?1",
        [shard],
        |row| row.get(0),
    )?;
    let (id, attempt) = match known {
        Some((id, attempt, true)) if attempt == last => (id, attempt),
        Some((id, _, _)) => (id, last + 1),
        None => {
            let attempt = found.attempt.max(last + 1);
            tx.execute(
                "INSERT INTO batch_create (shard, attempt, key, state, file_digest, file_bytes, \
                 updated) VALUES (?1, ?2, ?3, 'uploading', '', 0, ?4)",
                params![shard, attempt, found.key, now],
            )?;
            (tx.last_insert_rowid(), attempt)
        }
    };
    tx.execute(
        "UPDATE batch_create SET attempt = ?2, state = ?3, batch_id = ?4, reply = ?5, \
         status_word = ?6, file_id = coalesce(?7, file_id), updated = ?8, shard = ?9 \
         WHERE id = ?1",
        params![
            id,
            attempt,
            state.as_str(),
            found.batch,
            found.reply,
            found.status_word,
            found.input_file,
            now,
            shard,
        ],
    )?;
    Ok(id)
}
