//! Where a job keeps its files: the lock, its own copy of the input, the row lists of its
//! shards, request files on their way out, result files that came back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::{FileLock, LockError, private_dir};
use crate::store::{ArtifactKind, ShardRecord};

/// The folder of one job below the home.
#[derive(Debug, Clone)]
pub struct JobFolder {
    root: PathBuf,
}

impl JobFolder {
    /// The folder of this job, which must exist.
    pub fn of(home: &Path, key: &str) -> Self {
        Self { root: home.join("jobs").join(key) }
    }

    /// A folder for a job that is being planned, with its sub-folders; [`JobFolder::adopt`]
    /// gives it its final name. One left behind by a killed plan is emptied first.
    pub fn scratch(home: &Path) -> io::Result<Self> {
        let root = home.join("jobs").join(format!(".plan-{}", std::process::id()));
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        let folder = Self { root };
        private_dir(&folder.root.join("shards"))?;
        private_dir(&folder.root.join("results"))?;
        Ok(folder)
    }

    /// Gives a planned folder the name of its job.
    pub fn adopt(&self, home: &Path, key: &str) -> io::Result<Self> {
        let target = Self::of(home, key);
        fs::rename(&self.root, &target.root)?;
        Ok(target)
    }

    /// Takes the name of a job away again: its six characters were taken.
    pub fn give_back(&self, scratch: &Self) -> io::Result<()> {
        fs::rename(&self.root, &scratch.root)
    }

    /// Removes the folder with all that is in it.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.root)
    }

    /// Takes the lock of the job, or says who holds it.
    pub fn lock(&self) -> Result<FileLock, LockError> {
        FileLock::acquire(&self.root.join("job.lock"))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The job's own copy of the input: people edit their table while a batch runs.
    pub fn input(&self, file_name: &str) -> PathBuf {
        self.root.join(file_name)
    }

    /// The list of a shard's rows.
    pub fn rows_file(&self, stem: &str) -> PathBuf {
        self.root.join("shards").join(format!("{stem}.rows"))
    }

    /// A shard's input file, built before its upload and removed once its batch exists.
    pub fn request_file(&self, stem: &str) -> PathBuf {
        self.root.join("shards").join(format!("{stem}.jsonl"))
    }

    /// The name of a result file below [`JobFolder::results`].
    pub fn result_name(shard: &ShardRecord, kind: ArtifactKind) -> String {
        format!("{}-{kind}.jsonl", shard.stem())
    }

    /// Where result files lie.
    pub fn results(&self) -> PathBuf {
        self.root.join("results")
    }
}
