//! Uploads of input files: they cost nothing, so one that failed is simply begun again.

use rusqlite::{OptionalExtension, params};

use super::calls::{COLUMNS, begin, end, read_create};
use super::{CallEnd, CallKind, CreateRecord, ShardState, Store, StoreError, shards};

impl Store {
    /// Commits the intent to send a shard's file, and returns the create and the open call.
    /// A create whose upload has not succeeded is used again: uploads cost nothing.
    pub fn begin_upload(
        &self,
        job: &str,
        shard: i64,
        key_of: impl FnOnce(u32) -> String,
        file: (&str, u64),
        now: i64,
    ) -> Result<(CreateRecord, i64), StoreError> {
        self.write(|tx| {
            let open = tx
                .query_row(
                    &format!(
                        "SELECT {COLUMNS} FROM batch_create WHERE shard = ?1 AND \
                         state = 'uploading'"
                    ),
                    [shard],
                    read_create,
                )
                .optional()?;
            let id = if let Some(open) = open {
                tx.execute(
                    "UPDATE batch_create SET file_digest = ?2, file_bytes = ?3, updated = ?4 \
                     WHERE id = ?1",
                    params![open.id, file.0, file.1, now],
                )?;
                open.id
            } else {
                let attempt: u32 = tx.query_row(
                    "SELECT coalesce(max(attempt), 0) + 1 FROM batch_create WHERE shard = ?1",
                    [shard],
                    |row| row.get(0),
                )?;
                tx.execute(
                    "INSERT INTO batch_create (shard, attempt, key, state, file_digest, \
                     file_bytes, updated) VALUES (?1, ?2, ?3, 'uploading', ?4, ?5, ?6)",
                    params![shard, attempt, key_of(attempt), file.0, file.1, now],
                )?;
                tx.last_insert_rowid()
            };
            let call = begin(tx, job, id, CallKind::Upload, now)?;
            let create = tx.query_row(
                &format!("SELECT {COLUMNS} FROM batch_create WHERE id = ?1"),
                [id],
                read_create,
            )?;
            Ok((create, call))
        })
    }

    /// Records how an upload ended; with a file id the create is ready to be asked for.
    pub fn end_upload(
        &self,
        create: &CreateRecord,
        call: i64,
        ended: &CallEnd,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            end(tx, call, ended)?;
            if let Some(file_id) = &ended.remote_id {
                tx.execute(
                    "UPDATE batch_create SET file_id = ?2, state = 'uploaded', updated = ?3 \
                     WHERE id = ?1",
                    params![create.id, file_id, ended.now],
                )?;
                shards::set_state(tx, create.shard, ShardState::Uploaded, None)?;
            }
            Ok(())
        })
    }
}
