//! The state of one family on disk: plain files, each written once and never half.
//!
//! ```text
//! files/<id>.data  files/<id>.json          an uploaded or a result file, and what is known of it
//! batches/<id>/batch.json  input.jsonl      a batch as created, with its own link to the input
//!              cancel.json                  when a cancel was accepted
//!              settled.json                 how it ended
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Family;
use super::check::Problem;
use super::faults::Fate;
use super::timeline::Plan;
use crate::base::private_dir;
use crate::batch::{BatchStatus, Usage};

/// What is known of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) id: String,
    pub(super) filename: String,
    pub(super) purpose: String,
    pub(super) bytes: u64,
    /// Unix seconds.
    pub(super) created_at: i64,
    pub(super) expires_at: Option<i64>,
    /// Whose it is; empty for keys that name no account.
    #[serde(default)]
    pub(super) account: String,
    /// Creates are refused until then (milliseconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready_at: Option<i64>,
    /// It is not listed until then (milliseconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listed_at: Option<i64>,
}

/// A batch as it was created.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BatchRecord {
    pub(super) id: String,
    pub(super) endpoint: String,
    pub(super) input_file_id: String,
    /// blake3 of the input file.
    pub(super) input_digest: String,
    pub(super) completion_window: String,
    pub(super) metadata: Option<BTreeMap<String, String>>,
    pub(super) model: Option<String>,
    pub(super) plan: Plan,
    pub(super) problems: Vec<Problem>,
    /// Whether the input file goes when the batch has ended.
    pub(super) delete_input: bool,
    /// Whose it is; empty for keys that name no account.
    #[serde(default)]
    pub(super) account: String,
    /// The name of the input file.
    #[serde(default)]
    pub(super) input_name: String,
    /// Tokens of all prompts, where there is a limit on them; else 0.
    #[serde(default)]
    pub(super) prompt_tokens: u64,
    /// The rules that decide its life and its result files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) faults: Vec<String>,
}

impl BatchRecord {
    /// What a rule can know it by: its metadata, and the name of its input file.
    pub(super) fn keys(&self) -> Vec<String> {
        let metadata = self.metadata.iter().flat_map(BTreeMap::values);
        metadata.chain([&self.input_name]).cloned().collect()
    }

    /// What was decided about it when it was created.
    pub(super) fn fate(&self) -> Fate {
        Fate::of(&self.faults)
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct CancelRecord {
    accepted: i64,
}

/// How a batch ended. Times in milliseconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Settled {
    pub(super) status: BatchStatus,
    pub(super) ended: i64,
    pub(super) output_file_id: Option<String>,
    pub(super) error_file_id: Option<String>,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) usage: Usage,
    /// Why it failed while it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<Problem>,
}

impl Settled {
    /// Of a batch that failed while it ran.
    pub(super) fn failed(ended: i64, problem: Problem) -> Self {
        Self {
            status: BatchStatus::Failed,
            ended,
            output_file_id: None,
            error_file_id: None,
            completed: 0,
            failed: 0,
            usage: Usage::default(),
            problems: vec![problem],
        }
    }
}

/// A batch with all that has happened to it.
#[derive(Debug, Clone)]
pub(super) struct StoredBatch {
    pub(super) record: BatchRecord,
    pub(super) cancelled: Option<i64>,
    pub(super) settled: Option<Settled>,
}

/// One family's part of the state folder.
#[derive(Debug)]
pub(super) struct Shelf {
    family: Family,
    files: PathBuf,
    batches: PathBuf,
    /// Uploads under way. What a killed server left there is rubbish.
    scratch: PathBuf,
    /// Files that were deleted and are kept for a create that survives it.
    deleted: PathBuf,
    last_stamp: AtomicU64,
}

impl Shelf {
    pub(super) fn open(state_dir: &Path, family: Family) -> io::Result<Self> {
        let root = state_dir.join(family.name());
        let shelf = Self {
            family,
            files: root.join("files"),
            batches: root.join("batches"),
            scratch: root.join("scratch"),
            deleted: root.join("deleted"),
            last_stamp: AtomicU64::new(0),
        };
        for folder in [&shelf.files, &shelf.batches, &shelf.scratch] {
            private_dir(folder)?;
        }
        Ok(shelf)
    }

    /// Microseconds since 1970, and never the same twice: ids made of them sort by creation.
    pub(super) fn stamp(&self, now: i64) -> u64 {
        let now = u64::try_from(now).unwrap_or(0).saturating_mul(1000);
        let step = |last: u64| Some(now.max(last + 1));
        match self.last_stamp.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step) {
            Ok(last) | Err(last) => now.max(last + 1),
        }
    }

    pub(super) fn new_file_id(&self, now: i64) -> io::Result<String> {
        Ok(self.family.file_id(self.stamp(now), random()?))
    }

    pub(super) fn new_batch_id(&self, now: i64) -> io::Result<String> {
        Ok(self.family.batch_id(self.stamp(now), random()?))
    }

    /// Where something may be written before it is taken over.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    pub(super) fn data_path(&self, id: &str) -> PathBuf {
        self.files.join(format!("{id}.data"))
    }

    fn record_path(&self, id: &str) -> PathBuf {
        self.files.join(format!("{id}.json"))
    }

    /// Takes a file over from `content`; with its record it begins to exist.
    pub(super) fn add_file(&self, record: &FileRecord, content: &Path) -> io::Result<()> {
        fs::rename(content, self.data_path(&record.id))?;
        write_json(&self.record_path(&record.id), record)
    }

    pub(super) fn file(&self, id: &str) -> io::Result<Option<FileRecord>> {
        if !is_id(id) {
            return Ok(None);
        }
        read_json(&self.record_path(id))
    }

    /// Removes a file, or puts it aside; false if there is none.
    pub(super) fn delete_file(&self, id: &str, aside: bool) -> io::Result<bool> {
        if self.file(id)?.is_none() {
            return Ok(false);
        }
        if aside {
            private_dir(&self.deleted)?;
            fs::copy(self.data_path(id), self.deleted_path(id))?;
            fs::copy(self.record_path(id), self.deleted.join(format!("{id}.json")))?;
        }
        fs::remove_file(self.record_path(id))?;
        fs::remove_file(self.data_path(id))?;
        Ok(true)
    }

    /// A file that was put aside when it was deleted.
    pub(super) fn deleted_file(&self, id: &str) -> io::Result<Option<FileRecord>> {
        if !is_id(id) {
            return Ok(None);
        }
        read_json(&self.deleted.join(format!("{id}.json")))
    }

    pub(super) fn deleted_path(&self, id: &str) -> PathBuf {
        self.deleted.join(format!("{id}.data"))
    }

    /// The ids of all files, oldest first.
    pub(super) fn file_ids(&self) -> io::Result<Vec<String>> {
        let names = names_in(&self.files)?;
        Ok(names.iter().filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect())
    }

    pub(super) fn batch_dir(&self, id: &str) -> PathBuf {
        self.batches.join(id)
    }

    /// The batch's own link to its input file: it stays when the file is deleted.
    pub(super) fn input_path(&self, id: &str) -> PathBuf {
        self.batch_dir(id).join("input.jsonl")
    }

    /// A batch begins to exist, with its input, in one step.
    pub(super) fn add_batch(&self, record: &BatchRecord, input: &Path) -> io::Result<()> {
        let making = self.scratch(&record.id);
        private_dir(&making)?;
        let link = making.join("input.jsonl");
        if fs::hard_link(input, &link).is_err() {
            fs::copy(input, &link)?;
        }
        write_json(&making.join("batch.json"), record)?;
        fs::rename(making, self.batch_dir(&record.id))
    }

    pub(super) fn batch(&self, id: &str) -> io::Result<Option<StoredBatch>> {
        if !is_id(id) {
            return Ok(None);
        }
        let folder = self.batch_dir(id);
        let Some(record) = read_json(&folder.join("batch.json"))? else {
            return Ok(None);
        };
        let cancel: Option<CancelRecord> = read_json(&folder.join("cancel.json"))?;
        let settled = read_json(&folder.join("settled.json"))?;
        Ok(Some(StoredBatch { record, cancelled: cancel.map(|c| c.accepted), settled }))
    }

    /// The ids of all batches, oldest first.
    pub(super) fn batch_ids(&self) -> io::Result<Vec<String>> {
        names_in(&self.batches)
    }

    pub(super) fn is_settled(&self, id: &str) -> bool {
        self.batch_dir(id).join("settled.json").exists()
    }

    pub(super) fn cancel(&self, id: &str, now: i64) -> io::Result<()> {
        write_json(&self.batch_dir(id).join("cancel.json"), &CancelRecord { accepted: now })
    }

    pub(super) fn settle(&self, id: &str, settled: &Settled) -> io::Result<()> {
        write_json(&self.batch_dir(id).join("settled.json"), settled)
    }
}

/// The ids from a page's beginning on, newest first unless said otherwise.
pub(super) fn page(mut ids: Vec<String>, after: Option<&str>, ascending: bool) -> Vec<String> {
    if !ascending {
        ids.reverse();
    }
    if let Some(after) = after {
        // By order and not by place: the page goes on even if the last one seen is gone.
        ids.retain(|id| if ascending { id.as_str() > after } else { id.as_str() < after });
    }
    ids
}

/// Ids come in by URL and become file names: nothing but letters, digits, `-` and `_`.
fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= 80 && text.bytes().all(allowed)
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write_whole(path, &serde_json::to_vec(value)?)
}

/// Writes a file that is never seen half. A killed server loses nothing by this; a power cut may,
/// and the sandbox does not pay for a sync at every step to prevent that: nothing here was bought.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    static PARTS: AtomicU64 = AtomicU64::new(0);
    let number = PARTS.fetch_add(1, Ordering::Relaxed);
    let part = path.with_extension(format!("{}-{number}.part", std::process::id()));
    fs::write(&part, content)?;
    fs::rename(part, path)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_after_an_id_that_is_gone() {
        let ids: Vec<String> = ["a", "b", "d", "e"].map(String::from).to_vec();
        let table = [
            (None, false, vec!["e", "d", "b", "a"]),
            (Some("c"), false, vec!["b", "a"]),
            (Some("c"), true, vec!["d", "e"]),
            (Some("a"), false, vec![]),
        ];
        for (after, ascending, expected) in table {
            assert_eq!(page(ids.clone(), after, ascending), expected, "{after:?} {ascending}");
        }
    }

    #[test]
    fn ids_are_never_paths() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), Family::OpenAi).unwrap();
        for id in ["", "..", "../batches", "a/b", "a\0b", "%2e%2e"] {
            assert!(shelf.file(id).unwrap().is_none(), "{id}");
            assert!(shelf.batch(id).unwrap().is_none(), "{id}");
        }
        assert!(shelf.stamp(5) < shelf.stamp(5));
    }
}
