//! Calls that change something at a provider: the intent is committed before the call leaves,
//! its end after it. An intent without an end is a call whose outcome nobody knows.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{ShardState, Store, StoreError, shards, stored_words, word};

stored_words! {
    /// What was called.
    CallKind {
        /// An input file was sent.
        Upload = "upload",
        /// A batch was made from it: the one call that costs money.
        Create = "create",
        /// A batch was asked to stop.
        Cancel = "cancel",
        /// A remote file was removed.
        Delete = "delete",
        /// A batch was found in the provider's listing and taken for ours.
        Adopt = "adopt",
        /// A batch was asked after; kept where that failed.
        Poll = "poll",
        /// The provider's batches were listed; kept where that failed.
        List = "list",
        /// A result file was fetched; kept where that failed.
        Download = "download",
    }
}

stored_words! {
    /// How a create stands.
    CreateState {
        /// Its input file is being sent or was sent.
        Uploading = "uploading",
        /// The file is there; no batch was asked for.
        Uploaded = "uploaded",
        /// The batch was asked for; no end is recorded.
        Intended = "intended",
        /// No clear answer came.
        Unknown = "unknown",
        /// The provider refused; nothing exists.
        Rejected = "rejected",
        /// The batch exists.
        Created = "created",
        /// No batch exists and none will: its rows go into the next round.
        Absent = "absent",
    }
}

/// How a call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallEnd {
    /// `ok`, `not_sent`, `rejected`, `deferred`, `unknown`.
    pub class: &'static str,
    /// The HTTP status, where one came.
    pub http: Option<u16>,
    /// The id the provider gave.
    pub remote_id: Option<String>,
    /// The provider's words, redacted.
    pub excerpt: Option<String>,
    /// Unix seconds.
    pub now: i64,
}

/// One create of a shard: one upload of its file and one batch made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRecord {
    /// The ledger's own number.
    pub id: i64,
    /// The shard.
    pub shard: i64,
    /// Which create of this shard, from 1.
    pub attempt: u32,
    /// `bc1-<job>-r1-s0003-c1`: upload name and metadata.
    pub key: String,
    /// How it stands.
    pub state: CreateState,
    /// blake3 of the input file.
    pub file_digest: String,
    /// Bytes of the input file.
    pub file_bytes: u64,
    /// The provider's id of the input file.
    pub file_id: Option<String>,
    /// The provider's id of the batch.
    pub batch_id: Option<String>,
    /// The provider's last description of the batch, as JSON.
    pub reply: Option<String>,
    /// The provider's last status word.
    pub status_word: Option<String>,
    /// When it last changed, in Unix seconds.
    pub updated: i64,
    /// When its batch was last asked for, in Unix seconds by the provider's clock, where known.
    pub intended: Option<i64>,
    /// Complete listings in which its batch was not, since the search or the fence began.
    pub listings: u32,
    /// How long the search has gone on since then, in seconds.
    pub searched: u64,
    /// When its input file was deleted so that a late create cannot run, in Unix seconds.
    pub fenced: Option<i64>,
}

/// A call in the log of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// What was called.
    pub kind: CallKind,
    /// The create it belongs to.
    pub create: Option<i64>,
    /// Unix seconds.
    pub started: i64,
    /// Unix seconds; `None` = the end is unknown.
    pub ended: Option<i64>,
    /// `ok`, `not_sent`, `rejected`, `unknown`.
    pub class: Option<String>,
    /// The provider's words.
    pub excerpt: Option<String>,
}

impl CallRecord {
    /// Whether nobody knows what it did: it left and no clear end is recorded.
    pub fn is_unclear(&self) -> bool {
        self.kind == CallKind::Create && self.class.as_deref().is_none_or(|c| c == "unknown")
    }
}

pub(super) const COLUMNS: &str = "id, shard, attempt, key, state, file_digest, file_bytes, file_id, \
                       batch_id, reply, status_word, updated, intended, listings, searched, \
                       fenced";

/// The columns of a create, as of the table with this name in a join.
pub(super) fn columns_of(table: &str) -> String {
    let columns: Vec<_> = COLUMNS.split(", ").map(|name| format!("{table}.{name}")).collect();
    columns.join(", ")
}

pub(super) fn read_create(row: &Row<'_>) -> rusqlite::Result<CreateRecord> {
    read_create_at(row, 0)
}

/// Reads a create whose columns begin at this one.
pub(super) fn read_create_at(row: &Row<'_>, at: usize) -> rusqlite::Result<CreateRecord> {
    Ok(CreateRecord {
        id: row.get(at)?,
        shard: row.get(at + 1)?,
        attempt: row.get(at + 2)?,
        key: row.get(at + 3)?,
        state: word(at + 4, &row.get::<_, String>(at + 4)?, CreateState::from_word)?,
        file_digest: row.get(at + 5)?,
        file_bytes: row.get(at + 6)?,
        file_id: row.get(at + 7)?,
        batch_id: row.get(at + 8)?,
        reply: row.get(at + 9)?,
        status_word: row.get(at + 10)?,
        updated: row.get(at + 11)?,
        intended: row.get(at + 12)?,
        listings: row.get(at + 13)?,
        searched: row.get(at + 14)?,
        fenced: row.get(at + 15)?,
    })
}

pub(super) fn begin(
    tx: &Transaction<'_>,
    job: &str,
    create: i64,
    kind: CallKind,
    now: i64,
) -> rusqlite::Result<i64> {
    tx.execute(
        "INSERT INTO call (job, create_id, kind, started) VALUES (?1, ?2, ?3, ?4)",
        params![job, create, kind.as_str(), now],
    )?;
    Ok(tx.last_insert_rowid())
}

pub(super) fn end(tx: &Transaction<'_>, call: i64, end: &CallEnd) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE call SET ended = ?2, class = ?3, http = ?4, remote_id = ?5, excerpt = ?6 \
         WHERE id = ?1",
        params![call, end.now, end.class, end.http, end.remote_id, end.excerpt],
    )?;
    Ok(())
}

pub(super) fn set_create(
    tx: &Transaction<'_>,
    create: i64,
    state: CreateState,
    now: i64,
) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE batch_create SET state = ?2, updated = ?3 WHERE id = ?1",
        params![create, state.as_str(), now],
    )?;
    Ok(())
}

/// The intent to make a batch.
pub(super) fn begin_create_at(
    tx: &Transaction<'_>,
    job: &str,
    create: &CreateRecord,
    server_now: Option<i64>,
    now: i64,
) -> rusqlite::Result<i64> {
    set_create(tx, create.id, CreateState::Intended, now)?;
    tx.execute(
        "UPDATE batch_create SET intended = ?2, listings = 0, searched = 0 WHERE id = ?1",
        params![create.id, server_now],
    )?;
    shards::set_state(tx, create.shard, ShardState::Creating, None)?;
    begin(tx, job, create.id, CallKind::Create, now)
}

/// The newest create of a shard.
pub(super) fn newest(
    connection: &Connection,
    shard: i64,
) -> rusqlite::Result<Option<CreateRecord>> {
    connection
        .query_row(
            &format!(
                "SELECT {COLUMNS} FROM batch_create WHERE shard = ?1 \
                 ORDER BY attempt DESC LIMIT 1"
            ),
            [shard],
            read_create,
        )
        .optional()
}

impl Store {
    /// The newest create of a shard.
    pub fn newest_create(&self, shard: i64) -> Result<Option<CreateRecord>, StoreError> {
        self.read(|c| newest(c, shard))
    }

    /// The newest create of every shard of a job that has one.
    pub fn creates(&self, job: &str) -> Result<Vec<CreateRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT {COLUMNS} FROM batch_create b WHERE shard IN \
                 (SELECT id FROM shard WHERE job = ?1) AND attempt = \
                 (SELECT max(attempt) FROM batch_create WHERE shard = b.shard) ORDER BY shard"
            ))?
            .query_map([job], read_create)?
            .collect()
        })
    }

    /// The log of a job's calls, oldest first.
    pub fn calls(&self, job: &str) -> Result<Vec<CallRecord>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT kind, create_id, started, ended, class, excerpt FROM call \
                 WHERE job = ?1 ORDER BY id",
            )?
            .query_map([job], |row| {
                Ok(CallRecord {
                    kind: word(0, &row.get::<_, String>(0)?, CallKind::from_word)?,
                    create: row.get(1)?,
                    started: row.get(2)?,
                    ended: row.get(3)?,
                    class: row.get(4)?,
                    excerpt: row.get(5)?,
                })
            })?
            .collect()
        })
    }

    /// Records that the batch exists, with its id and the provider's description.
    pub fn end_create_ok(
        &self,
        create: &CreateRecord,
        call: i64,
        ended: &CallEnd,
        (reply, status_word): (&str, &str),
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            end(tx, call, ended)?;
            tx.execute(
                "UPDATE batch_create SET batch_id = ?2, state = 'created', reply = ?3, \
                 status_word = ?4, updated = ?5 WHERE id = ?1",
                params![create.id, ended.remote_id, reply, status_word, ended.now],
            )?;
            shards::set_state(tx, create.shard, ShardState::Running, None)
        })
    }

    /// Records that the batch was refused (`rejected`; `deferred` where it may go again later),
    /// that the call never left (`not_sent`, the file stays ready), or that nobody knows
    /// (`unknown`).
    pub fn end_create_badly(
        &self,
        create: &CreateRecord,
        call: i64,
        ended: &CallEnd,
    ) -> Result<(), StoreError> {
        let (create_state, shard_state) = match ended.class {
            "not_sent" => (CreateState::Uploaded, ShardState::Uploaded),
            "rejected" => (CreateState::Rejected, ShardState::Rejected),
            "deferred" => (CreateState::Rejected, ShardState::Deferred),
            _ => (CreateState::Unknown, ShardState::Unknown),
        };
        self.write(|tx| {
            end(tx, call, ended)?;
            set_create(tx, create.id, create_state, ended.now)?;
            shards::set_state(tx, create.shard, shard_state, ended.excerpt.as_deref())
        })
    }

    /// Records what the provider said of a batch and when; true if it is news.
    pub fn batch_seen(
        &self,
        create: i64,
        reply: &str,
        status_word: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.write(|tx| {
            let known: Option<String> =
                tx.query_row("SELECT reply FROM batch_create WHERE id = ?1", [create], |row| {
                    row.get(0)
                })?;
            tx.execute(
                "UPDATE batch_create SET reply = ?2, status_word = ?3, updated = ?4 \
                 WHERE id = ?1",
                params![create, reply, status_word, now],
            )?;
            Ok(known.as_deref() != Some(reply))
        })
    }

    /// Whether the provider took a cancel of this batch.
    pub fn has_cancelled(&self, create: i64) -> Result<bool, StoreError> {
        self.read(|c| {
            Ok(c.query_row(
                // Surplus batches of the create are stopped by calls that name them.
                "SELECT 1 FROM call WHERE create_id = ?1 AND kind = 'cancel' AND class = 'ok' \
                 AND remote_id IS NULL",
                [create],
                |_| Ok(()),
            )
            .optional()?
            .is_some())
        })
    }

    /// Commits the intent to stop a batch.
    pub fn begin_cancel(&self, job: &str, create: i64, now: i64) -> Result<i64, StoreError> {
        self.write(|tx| begin(tx, job, create, CallKind::Cancel, now))
    }

    /// Records how a call ended that changes no state of ours.
    pub fn end_call(&self, call: i64, ended: &CallEnd) -> Result<(), StoreError> {
        self.write(|tx| end(tx, call, ended))
    }
}
