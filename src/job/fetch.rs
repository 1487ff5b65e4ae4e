//! Fetching what an ended batch left: both files in every final state, complete and synced
//! before anything else is done with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::drive::Driver;
use super::{Event, JobError, JobFolder};
use crate::base::hex_of_file;
use crate::batch::Batch;
use crate::provider::CallError;
use crate::store::{ArtifactKind, ArtifactRecord, CreateRecord, ShardRecord, Store};

/// How often files are fetched again when rows are in neither of them.
const REFETCHES: u32 = 3;
/// The pause before a file is fetched again.
const PAUSE: Duration = Duration::from_secs(10);

/// How a fetch ended.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Files and outcomes are recorded.
    Settled,
    /// A file could not be had now; it stays at the provider.
    Failed(CallError),
    /// A stop was asked for.
    Stopped,
}

impl Driver<'_> {
    /// Brings an ended shard to its outcomes.
    pub(super) async fn fetch(
        &self,
        shard: &ShardRecord,
        batch: &Batch,
    ) -> Result<Fetched, JobError> {
        let files = [
            (ArtifactKind::Output, batch.output_file_id.as_deref()),
            (ArtifactKind::Error, batch.error_file_id.as_deref()),
        ];
        let mut tries = 0;
        let settlement = loop {
            let mut artifacts = Vec::new();
            for (kind, file) in files {
                let Some(file) = file else { continue };
                match self.download(shard, kind, file).await? {
                    Ok(artifact) => artifacts.push(artifact),
                    Err(ended) => return Ok(ended),
                }
            }
            self.store.record_artifacts(shard.id, &artifacts)?;
            let settlement = self.settlement(shard, batch)?;
            tries += 1;
            if settlement.missing == 0 || artifacts.is_empty() || tries > REFETCHES {
                break settlement;
            }
            self.warn(&format!(
                "shard {}: {} rows are in neither result file; fetching again",
                shard.number, settlement.missing
            ));
            if self.pause(PAUSE).await.is_some() {
                return Ok(Fetched::Stopped);
            }
        };
        self.settle(shard, batch, settlement)?;
        Ok(Fetched::Settled)
    }

    async fn download(
        &self,
        shard: &ShardRecord,
        kind: ArtifactKind,
        file: &str,
    ) -> Result<Result<ArtifactRecord, Fetched>, JobError> {
        let name = JobFolder::result_name(shard, kind);
        let path = self.folder.results().join(&name);
        let shards = self.shard_count();
        let on_bytes = |received| {
            self.reporter.report(&Event::Downloading { shard: shard.number, shards, received });
        };
        let download = self.api.download(file, &path, &on_bytes);
        let reply = tokio::select! {
            reply = download => reply,
            _ = self.stop.raised() => return Ok(Err(Fetched::Stopped)),
        };
        let bytes = match reply {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(Fetched::Failed(error))),
        };
        let digest = hex_of_file(&path).map_err(JobError::file("read", &path))?;
        Ok(Ok(ArtifactRecord { id: 0, shard: shard.id, kind, name, bytes, digest }))
    }

    pub(super) fn report_fetched(&self, shard: &ShardRecord, answered: u64, failed: u64) {
        self.reporter.report(&Event::Fetched {
            shard: shard.number,
            shards: self.shard_count(),
            answered,
            failed,
        });
    }
}

/// Copies a job's result files, as the provider sent them, into a folder of the user's, which is
/// made if it is missing: `batch_results_<batch>.jsonl` and `batch_errors_<batch>.jsonl`. Returns
/// how many there are.
pub fn copy_results(
    store: &Store,
    folder: &JobFolder,
    job: &str,
    to: &Path,
) -> Result<u64, JobError> {
    fs::create_dir_all(to).map_err(JobError::file("make", to))?;
    let creates: BTreeMap<i64, CreateRecord> =
        store.creates(job)?.into_iter().map(|create| (create.shard, create)).collect();
    let mut copied = 0;
    for artifact in store.artifacts(job)? {
        let Some(create) = creates.get(&artifact.shard) else { continue };
        let id = file_name_of(create.batch_id.as_deref().unwrap_or(&create.key));
        let stem = match artifact.kind {
            ArtifactKind::Output => "batch_results",
            ArtifactKind::Error => "batch_errors",
        };
        let copy = to.join(format!("{stem}_{id}.jsonl"));
        fs::copy(folder.results().join(&artifact.name), &copy)
            .map_err(JobError::file("write", &copy))?;
        copied += 1;
    }
    Ok(copied)
}

/// An id from outside as part of a file name.
fn file_name_of(id: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' };
    id.chars().take(100).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_id_never_becomes_a_path() {
        assert_eq!(file_name_of("batch_abc-1"), "batch_abc-1", "S1.19");
        assert_eq!(file_name_of("../../etc/passwd"), "------etc-passwd");
        assert_eq!(file_name_of(&"x".repeat(500)).len(), 100);
    }
}
