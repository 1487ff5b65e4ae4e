//! Fetching what an ended batch left: both files in every final state, complete and synced
//! before anything else is done with them.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::drive::Driver;
use super::{Event, JobError, JobFolder};
use crate::base::{hex_of_file, remove_file, rename, sync_folder};
use crate::batch::{Batch, BatchStatus, ResultFile};
use crate::provider::CallError;
use crate::store::{ArtifactKind, ArtifactRecord, CreateRecord, ShardRecord, ShardState};

/// How often files are fetched again when rows are in neither of them.
const REFETCHES: u32 = 3;
/// The pause before a file is fetched again.
const PAUSE: Duration = Duration::from_secs(10);

/// How often a batch that ended is asked again for the files it does not name yet.
const ASKS: u32 = 20;
/// The pause before it is asked again.
const ASK_PAUSE: Duration = Duration::from_secs(30);

/// How a fetch ended.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Files and outcomes are recorded.
    Settled,
    /// The batch does not name its files yet, and nobody waits.
    Later,
    /// The batch counts answers and names no file: a person must look.
    Odd(String),
    /// A file could not be had now; it stays at the provider.
    Failed(CallError),
    /// A stop was asked for.
    Stopped,
}

impl Driver<'_> {
    /// Brings an ended shard to its outcomes.
    pub(super) async fn collect(
        &self,
        shard: &ShardRecord,
        create: &CreateRecord,
        batch: Batch,
    ) -> Result<Fetched, JobError> {
        // A run that was killed after its files were stored: they are read again, fetched again
        // only where they fall short.
        if shard.state == ShardState::Stored && self.has_its_files(shard)? {
            let settlement = self.settlement(shard, &batch)?;
            if !settlement.is_short() {
                self.settle(shard, &batch, settlement)?;
                return Ok(Fetched::Settled);
            }
        }
        match self.until_files_are_named(shard, create, batch).await? {
            Ok(batch) => self.fetch(shard, &batch).await,
            Err(ended) => Ok(ended),
        }
    }

    fn has_its_files(&self, shard: &ShardRecord) -> Result<bool, JobError> {
        let results = self.folder.results();
        Ok(self.artifacts_of(shard)?.iter().all(|artifact| results.join(&artifact.name).is_file()))
    }

    /// Some services report the end of a batch before they name its files.
    async fn until_files_are_named(
        &self,
        shard: &ShardRecord,
        create: &CreateRecord,
        mut batch: Batch,
    ) -> Result<Result<Batch, Fetched>, JobError> {
        let id = create.batch_id.as_deref().unwrap_or_default();
        for ask in 0..ASKS {
            if !lacks_files(&batch) {
                return Ok(Ok(batch));
            }
            if ask == 0 {
                self.warn(&format!(
                    "batch {id} has ended and does not name its files yet; asking again"
                ));
            }
            if !self.options.wait && ask > 0 {
                return Ok(Err(Fetched::Later));
            }
            if self.options.wait && self.pause(ASK_PAUSE).await.is_some() {
                return Ok(Err(Fetched::Stopped));
            }
            let reply = tokio::select! {
                reply = self.api.retrieve(id) => reply,
                _ = self.stop.raised() => return Ok(Err(Fetched::Stopped)),
            };
            match reply {
                Ok(new) => {
                    self.take_note(shard, create, &new)?;
                    batch = new;
                }
                Err(error) => return Ok(Err(Fetched::Failed(error))),
            }
        }
        let counted = batch.counts.completed.unwrap_or(0) + batch.counts.failed.unwrap_or(0);
        if lacks_files(&batch) && counted > 0 {
            return Ok(Err(Fetched::Odd(format!(
                "batch {id} of {} counts {counted} results and names no file for them",
                shard.title()
            ))));
        }
        Ok(Ok(batch))
    }

    async fn fetch(&self, shard: &ShardRecord, batch: &Batch) -> Result<Fetched, JobError> {
        let files = [
            (ArtifactKind::Output, batch.output_file_id.as_deref()),
            (ArtifactKind::Error, batch.error_file_id.as_deref()),
        ];
        let mut tries = 0;
        let mut held: Vec<ArtifactRecord> = Vec::new();
        let settlement = loop {
            let mut artifacts = Vec::new();
            for (kind, file) in files {
                let Some(file) = file else { continue };
                let before = held.iter().find(|artifact| artifact.kind == kind);
                match self.download(shard, kind, file, before).await? {
                    Ok(artifact) => artifacts.push(artifact),
                    Err(ended) => return Ok(ended),
                }
            }
            self.store.record_artifacts(shard.id, &artifacts)?;
            let settlement = self.settlement(shard, batch)?;
            tries += 1;
            if !settlement.is_short() || artifacts.is_empty() || tries > REFETCHES {
                break settlement;
            }
            held = artifacts;
            let why = match settlement.missing {
                0 => "its result files end early".to_owned(),
                missing => format!("{missing} rows are in neither result file"),
            };
            self.warn(&format!("{}: {why}; fetching again", shard.title()));
            if self.pause(PAUSE).await.is_some() {
                return Ok(Fetched::Stopped);
            }
        };
        self.settle(shard, batch, settlement)?;
        Ok(Fetched::Settled)
    }

    /// Downloads a file. Of two readings of the same file the one with more lines is kept, else
    /// the longer one: the later may be the one that was cut.
    async fn download(
        &self,
        shard: &ShardRecord,
        kind: ArtifactKind,
        file: &str,
        before: Option<&ArtifactRecord>,
    ) -> Result<Result<ArtifactRecord, Fetched>, JobError> {
        let name = JobFolder::result_name(shard, kind);
        let final_path = self.folder.results().join(&name);
        let path = match before {
            Some(_) => final_path.with_extension("again"),
            None => final_path.clone(),
        };
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
        if let Some(before) = before {
            let on_read = JobError::file("read", &path);
            let (new, old) = lines_of(&path)
                .and_then(|new| Ok((new, lines_of(&final_path)?)))
                .map_err(on_read)?;
            if (new, bytes) <= (old, before.bytes) {
                remove_file(&path).map_err(JobError::file("remove", &path))?;
                return Ok(Ok(before.clone()));
            }
            rename(&path, &final_path)
                .and_then(|()| sync_folder(&self.folder.results()))
                .map_err(JobError::file("write", &final_path))?;
        }
        let digest = hex_of_file(&final_path).map_err(JobError::file("read", &final_path))?;
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

/// How many lines of a result file read.
fn lines_of(path: &Path) -> io::Result<u64> {
    let mut lines = 0;
    for placed in ResultFile::open(path)? {
        lines += u64::from(placed?.2.is_ok());
    }
    Ok(lines)
}

/// Whether a batch that ended must have results and does not say where.
pub(super) fn lacks_files(batch: &Batch) -> bool {
    let completed = batch.counts.completed.unwrap_or(0);
    let counted = completed + batch.counts.failed.unwrap_or(0);
    let names_none = batch.output_file_id.is_none() && batch.error_file_id.is_none();
    (names_none && (counted > 0 || batch.status == Some(BatchStatus::Completed)))
        || (completed > 0 && batch.output_file_id.is_none())
}
