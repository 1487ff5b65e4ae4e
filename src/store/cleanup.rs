//! What may be removed: files at the provider, each with how far its removal has come, and the
//! local files of finished jobs. The account itself stays: the same line finds its job and does
//! not pay again.

use rusqlite::{OptionalExtension, Row, params};

use super::{CallEnd, CallKind, Store, StoreError, stored_words, word};

stored_words! {
    /// What a file at the provider holds.
    CleanupKind {
        /// Requests that were sent.
        Input = "input",
        /// Answers.
        Output = "output",
        /// Refused requests.
        Error = "error",
        /// An upload without a clear answer; no batch was made from it.
        Leftover = "leftover",
    }
}

stored_words! {
    /// How far the removal of a file has come.
    CleanupState {
        /// It is known to be there and may go.
        Listed = "listed",
        /// It is gone.
        Deleted = "deleted",
        /// It could not be removed; it stays listed.
        Failed = "failed",
    }
}

/// A file at a provider that a job left there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupRecord {
    /// The ledger's own number.
    pub id: i64,
    /// The job's key.
    pub job: String,
    /// The provider's id.
    pub file_id: String,
    /// What it holds.
    pub kind: CleanupKind,
    /// How far its removal has come.
    pub state: CleanupState,
    /// The provider's words about a failure.
    pub detail: Option<String>,
}

/// Input file and description of a batch, as far as they are known.
pub type RemoteTrace = (Option<String>, Option<String>);

fn read_cleanup(row: &Row<'_>) -> rusqlite::Result<CleanupRecord> {
    Ok(CleanupRecord {
        id: row.get(0)?,
        job: row.get(1)?,
        file_id: row.get(2)?,
        kind: word(3, &row.get::<_, String>(3)?, CleanupKind::from_word)?,
        state: word(4, &row.get::<_, String>(4)?, CleanupState::from_word)?,
        detail: row.get(5)?,
    })
}

impl Store {
    /// Lists files of a job for removal; those that are listed or gone already stay as they are.
    pub fn list_for_cleanup(
        &self,
        job: &str,
        files: &[(String, CleanupKind)],
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut statement = tx.prepare(
                "INSERT INTO cleanup (job, file_id, kind, state, updated) \
                 VALUES (?1, ?2, ?3, 'listed', ?4) ON CONFLICT (job, file_id) DO NOTHING",
            )?;
            for (file, kind) in files {
                statement.execute(params![job, file, kind.as_str(), now])?;
            }
            Ok(())
        })
    }

    /// The files of a job that were listed for removal, gone ones included.
    pub fn cleanups(&self, job: &str) -> Result<Vec<CleanupRecord>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT id, job, file_id, kind, state, detail FROM cleanup WHERE job = ?1 \
                 ORDER BY id",
            )?
            .query_map([job], read_cleanup)?
            .collect()
        })
    }

    /// For every create of a job the input file and the provider's last description of the batch,
    /// which names more files.
    pub fn remote_traces(&self, job: &str) -> Result<Vec<RemoteTrace>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT file_id, reply FROM batch_create WHERE shard IN \
                 (SELECT id FROM shard WHERE job = ?1) ORDER BY id",
            )?
            .query_map([job], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// Records that the table with these bytes got its name: what it replaced is gone, and whoever
    /// puts that back there means it to stay.
    pub fn settle_output(&self, path: &str, digest: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE output SET earlier = NULL WHERE path = ?1 AND digest = ?2",
                params![path, digest],
            )?;
            Ok(())
        })
    }

    /// The tables that a job wrote and that nobody wrote over since, the newest first.
    pub fn outputs_of(&self, job: &str) -> Result<Vec<String>, StoreError> {
        self.read(|c| {
            c.prepare("SELECT path FROM output WHERE job = ?1 ORDER BY written DESC, rowid DESC")?
                .query_map([job], |row| row.get(0))?
                .collect()
        })
    }

    /// Whether an upload of the job ended without a clear answer: a file may lie at the provider
    /// whose id nobody knows.
    pub fn has_unclear_upload(&self, job: &str) -> Result<bool, StoreError> {
        self.read(|c| {
            Ok(c.query_row(
                "SELECT 1 FROM call WHERE job = ?1 AND kind = 'upload' AND \
                 coalesce(class, 'unknown') = 'unknown' LIMIT 1",
                [job],
                |_| Ok(()),
            )
            .optional()?
            .is_some())
        })
    }

    /// Commits the intent to remove a file at the provider, and returns the open call.
    pub fn begin_delete(&self, file: &CleanupRecord, now: i64) -> Result<i64, StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO call (job, kind, started, remote_id) VALUES (?1, ?2, ?3, ?4)",
                params![file.job, CallKind::Delete.as_str(), now, file.file_id],
            )?;
            Ok(tx.last_insert_rowid())
        })
    }

    /// Records how the removal of a file ended: gone, or still listed with the reason.
    pub fn end_delete(
        &self,
        file: &CleanupRecord,
        call: i64,
        ended: &CallEnd,
    ) -> Result<(), StoreError> {
        let state = if ended.class == "ok" { CleanupState::Deleted } else { CleanupState::Failed };
        self.write(|tx| {
            tx.execute(
                "UPDATE call SET ended = ?2, class = ?3, http = ?4, excerpt = ?5 WHERE id = ?1",
                params![call, ended.now, ended.class, ended.http, ended.excerpt],
            )?;
            tx.execute(
                "UPDATE cleanup SET state = ?2, detail = ?3, updated = ?4 WHERE id = ?1",
                params![file.id, state.as_str(), ended.excerpt, ended.now],
            )?;
            Ok(())
        })
    }

    /// Records that the local files of a job are about to go. Its account stays (statuses, tokens,
    /// messages, calls, the digest of the run); nothing points to an answer any more, so that no
    /// later job looks for one here. Recorded before the files go: a kill in between leaves
    /// rubbish, never a record without its file.
    pub fn prune_job(&self, job: &str, now: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE outcome SET artifact = NULL, place = NULL, length = NULL, \
                 content_key = NULL WHERE job = ?1",
                [job],
            )?;
            tx.execute(
                "DELETE FROM artifact WHERE shard IN (SELECT id FROM shard WHERE job = ?1)",
                [job],
            )?;
            tx.execute("UPDATE job SET pruned = ?2 WHERE key = ?1", params![job, now])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::RowStatus;
    use crate::store::tests::{outcome, store_with_job};
    use crate::store::{ArtifactKind, ArtifactRecord, BadRows, OutcomeRecord};

    const JOB: &str = "k7f2qd0000";

    #[test]
    fn a_file_is_listed_once_and_its_removal_recorded() {
        let (_home, store) = store_with_job();
        let files = [("file-1".to_owned(), CleanupKind::Input)];
        store.list_for_cleanup(JOB, &files, 1).unwrap();
        let file = store.cleanups(JOB).unwrap().remove(0);
        let call = store.begin_delete(&file, 2).unwrap();
        let open = store.calls_after(JOB, 0, 0, 9).unwrap();
        assert_eq!(
            (open[0].class.as_deref(), open[0].remote_id.as_deref()),
            (None, Some("file-1"))
        );
        let refused = CallEnd {
            class: "unknown",
            excerpt: Some("not today".into()),
            now: 3,
            ..CallEnd::default()
        };
        store.end_delete(&file, call, &refused).unwrap();
        let failed = store.cleanups(JOB).unwrap().remove(0);
        assert_eq!(
            (failed.state, failed.detail.as_deref()),
            (CleanupState::Failed, Some("not today"))
        );
        let call = store.begin_delete(&file, 4).unwrap();
        let gone = CallEnd { class: "ok", now: 5, ..CallEnd::default() };
        store.end_delete(&file, call, &gone).unwrap();
        store.list_for_cleanup(JOB, &files, 6).unwrap();
        assert_eq!(store.cleanups(JOB).unwrap()[0].state, CleanupState::Deleted, "it stays gone");
    }

    /// The account outlives the files; no answer can be taken from them any more.
    #[test]
    fn b05_a_pruned_job_keeps_its_account() {
        let (_home, store) = store_with_job();
        let shard = store.shards(JOB).unwrap()[0].id;
        let artifact = ArtifactRecord {
            id: 0,
            shard,
            kind: ArtifactKind::Output,
            name: "r1-s0001-output.jsonl".into(),
            bytes: 9,
            digest: "d".into(),
        };
        store.record_artifacts(shard, &[artifact]).unwrap();
        let id = store.artifacts(JOB).unwrap()[0].id;
        let placed = OutcomeRecord { place: Some((id, 0, 9)), ..outcome(0, RowStatus::Ok) };
        store.settle_shard(JOB, shard, &[placed, outcome(1, RowStatus::Error)]).unwrap();
        let before = (store.status_counts(JOB).unwrap(), store.usage(JOB).unwrap());
        store.prune_job(JOB, 77).unwrap();
        assert_eq!((store.status_counts(JOB).unwrap(), store.usage(JOB).unwrap()), before);
        assert!(store.artifacts(JOB).unwrap().is_empty());
        let rows = store.outcomes_from(JOB, 0, 9).unwrap();
        assert!(
            rows.iter().all(|row| row.place.is_none() && row.content_key.is_none()),
            "{rows:?}"
        );
        assert_eq!(store.job_history(JOB).unwrap().pruned, Some(77));
        assert!(store.job_by_digest("d1").unwrap().is_some(), "the same line finds it");
        let which = BadRows { job: JOB, since: 0, statuses: &[RowStatus::Error] };
        let messages = store.bad_messages(&which, 9).unwrap();
        assert_eq!(messages, [(RowStatus::Error, "why".to_owned(), 1)]);
        assert_eq!(store.bad_counts(&which).unwrap(), (1, 1));
    }
}
