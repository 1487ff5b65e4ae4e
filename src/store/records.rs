//! Artifacts: files of results that are complete and synced. A file without a record is rubbish.

use rusqlite::{Row, Transaction, params};

use super::{ShardState, Store, StoreError, shards, stored_words, word};

stored_words! {
    /// What a result file holds.
    ArtifactKind {
        /// Answers.
        Output = "output",
        /// Refused requests.
        Error = "error",
        /// Answers and refusals of calls, each in the shape of a batch's line, in the order in which
        /// they came. It grows until its shard is settled.
        Calls = "calls",
        /// Answers of earlier jobs, line by line as they came. It belongs to round 0.
        Cached = "cached",
    }
}

/// A result file on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRecord {
    /// The ledger's own number; outcomes point to it.
    pub id: i64,
    /// The shard whose batch wrote it.
    pub shard: i64,
    /// What it holds.
    pub kind: ArtifactKind,
    /// File name below the job's results folder.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// blake3 of its bytes.
    pub digest: String,
}

/// What the names of files of surplus batches have after the stem of their shard.
pub const SPARE: &str = "-spare";

impl ArtifactRecord {
    /// Whether it is of a surplus batch.
    pub fn is_spare(&self) -> bool {
        self.name.contains(SPARE)
    }
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    shard: i64,
    artifacts: &[ArtifactRecord],
) -> rusqlite::Result<()> {
    for artifact in artifacts {
        tx.execute(
            "INSERT INTO artifact (shard, kind, name, bytes, digest) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (shard, name) DO UPDATE SET \
             bytes = excluded.bytes, digest = excluded.digest",
            params![shard, artifact.kind.as_str(), artifact.name, artifact.bytes, artifact.digest],
        )?;
    }
    Ok(())
}

pub(super) fn read_artifact(row: &Row<'_>) -> rusqlite::Result<ArtifactRecord> {
    Ok(ArtifactRecord {
        id: row.get(0)?,
        shard: row.get(1)?,
        kind: word(2, &row.get::<_, String>(2)?, ArtifactKind::from_word)?,
        name: row.get(3)?,
        bytes: row.get(4)?,
        digest: row.get(5)?,
    })
}

impl Store {
    /// Records the files of an ended shard, in one transaction with its state.
    pub fn record_artifacts(
        &self,
        shard: i64,
        artifacts: &[ArtifactRecord],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            insert(tx, shard, artifacts)?;
            shards::set_state(tx, shard, ShardState::Stored, None)
        })
    }

    /// The result files of a shard, oldest first.
    pub fn artifacts_of(&self, shard: i64) -> Result<Vec<ArtifactRecord>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT id, shard, kind, name, bytes, digest FROM artifact WHERE shard = ?1 \
                 ORDER BY id",
            )?
            .query_map([shard], read_artifact)?
            .collect()
        })
    }

    /// All result files of a job, oldest first.
    pub fn artifacts(&self, job: &str) -> Result<Vec<ArtifactRecord>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT artifact.id, shard, kind, name, artifact.bytes, digest FROM artifact \
                 JOIN shard ON shard.id = artifact.shard WHERE shard.job = ?1 \
                 ORDER BY artifact.id",
            )?
            .query_map([job], read_artifact)?
            .collect()
        })
    }
}
