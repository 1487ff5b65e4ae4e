//! Where a job keeps its files: the lock, its own copy of the input, the row lists of its
//! shards, request files on their way out, result files that came back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::{
    DiskFile, FileLock, LockError, crash_point, private_dir, remove_file, rename, sync_folder,
};
use crate::store::{ArtifactKind, ShardRecord};

/// How the names of folders begin in which a job is planned.
const SCRATCH: &str = ".plan-";
/// The file that says that the ledger may not know a folder's job yet.
const UNLISTED: &str = "unlisted";

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
    /// gives it its final name. The lock says that its planner lives: folders that killed ones
    /// left behind are removed. Its name is drawn, since process numbers repeat in containers.
    pub fn scratch(home: &Path) -> io::Result<(Self, FileLock)> {
        let jobs = home.join("jobs");
        private_dir(&jobs)?;
        remove_abandoned(&jobs)?;
        loop {
            let name = format!("{SCRATCH}{:08x}", random()?);
            let folder = Self { root: jobs.join(name) };
            private_dir(&folder.root)?;
            let lock = folder.try_lock();
            // Another process may have taken the fresh folder for an abandoned one.
            match lock {
                Ok(lock) if folder.lock_path().exists() => {
                    private_dir(&folder.root.join("shards"))?;
                    private_dir(&folder.results())?;
                    return Ok((folder, lock));
                }
                Err(LockError::Io { source, .. }) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(source);
                }
                _ => {}
            }
        }
    }

    /// Gives a planned folder the name of its job; it is there after a power loss, too. Once the
    /// ledger has the job, [`JobFolder::set_listed`] is to be called.
    pub fn adopt(&self, home: &Path, key: &str) -> io::Result<Self> {
        let target = Self::of(home, key);
        DiskFile::create(&self.root.join(UNLISTED))?;
        sync_folder(&self.root)?;
        rename(&self.root, &target.root)?;
        sync_folder(&home.join("jobs"))?;
        Ok(target)
    }

    /// Notes that the ledger has the job of this folder.
    pub fn set_listed(&self) {
        // Best effort: of a folder that keeps the mark the ledger is asked.
        let _ = remove_file(&self.root.join(UNLISTED));
    }

    /// Removes the folders of planners that died after they had named them and before the ledger
    /// had their jobs. Others stay although the ledger does not know them: an older copy of it may
    /// have been put back, and they hold what was paid for.
    pub fn remove_unlisted<E>(
        home: &Path,
        is_listed: impl Fn(&str) -> Result<bool, E>,
    ) -> Result<(), E> {
        for entry in fs::read_dir(home.join("jobs")).into_iter().flatten().flatten() {
            let folder = Self { root: entry.path() };
            let name = entry.file_name();
            let (Some(key), true) = (name.to_str(), folder.root.join(UNLISTED).exists()) else {
                continue;
            };
            // Held means that the planner lives.
            let Ok(_lock) = folder.try_lock() else { continue };
            if is_listed(key)? {
                folder.set_listed();
            } else {
                let _ = folder.remove();
            }
        }
        Ok(())
    }

    /// Takes the name of a job away again: its six characters were taken.
    pub fn give_back(&self, scratch: &Self) -> io::Result<()> {
        rename(&self.root, &scratch.root)
    }

    /// Removes the folder with all that is in it.
    pub fn remove(&self) -> io::Result<()> {
        crash_point!("remove", self.root.display());
        fs::remove_dir_all(&self.root)?;
        crash_point!("removed", self.root.display());
        Ok(())
    }

    /// How many files it holds besides the lock, and their bytes. One that is not there holds none.
    pub fn holds(&self) -> io::Result<(u64, u64)> {
        let mut sum = (0, 0);
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let about = entry.metadata()?;
                if about.is_dir() {
                    folders.push(entry.path());
                } else if entry.path() != self.lock_path() {
                    sum = (sum.0 + 1, sum.1 + about.len());
                }
            }
        }
        Ok(sum)
    }

    /// Removes everything but the lock, which the caller holds.
    pub fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.path() == self.lock_path() {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                remove_file(&entry.path())?;
            }
        }
        sync_folder(&self.root)
    }

    /// Takes the lock of the job, or says who holds it. Waits a moment for a process that only
    /// asks how the job stands.
    pub fn lock(&self) -> Result<FileLock, LockError> {
        FileLock::acquire_soon(&self.lock_path())
    }

    /// Takes the lock of the job at once, or says who holds it.
    pub fn try_lock(&self) -> Result<FileLock, LockError> {
        FileLock::acquire(&self.lock_path())
    }

    /// Waits until no other process writes the job's table: one may drive the job while another
    /// only fetches it, and both would write the same file.
    pub fn lock_table(&self) -> Result<FileLock, LockError> {
        FileLock::acquire_after(&self.root.join("table.lock"))
    }

    fn lock_path(&self) -> PathBuf {
        self.root.join("job.lock")
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

    /// The list of the calls that were begun for a shard's rows.
    pub fn sent_file(&self, stem: &str) -> PathBuf {
        self.root.join("shards").join(format!("{stem}.sent"))
    }

    /// Room that is set aside while rows are called, so that their answers can be written.
    pub fn spare_file(&self) -> PathBuf {
        self.root.join("spare")
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

fn random() -> io::Result<u32> {
    getrandom::u32().map_err(|error| io::Error::other(error.to_string()))
}

/// Removes the folders of planners that died.
fn remove_abandoned(jobs: &Path) -> io::Result<()> {
    for entry in fs::read_dir(jobs)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            continue;
        }
        let folder = JobFolder { root: entry.path() };
        // Held means alive; any other failure is another process at the same work.
        if let Ok(_lock) = folder.try_lock() {
            let _ = folder.remove();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_plan_is_left_alone_and_a_dead_one_removed() {
        let home = tempfile::tempdir().unwrap();
        let (living, _lock) = JobFolder::scratch(home.path()).unwrap();
        let (dead, lock) = JobFolder::scratch(home.path()).unwrap();
        fs::write(dead.input("input.csv"), "a").unwrap();
        assert_ne!(living.root(), dead.root(), "two containers may share a process number");
        drop(lock);
        let (third, _third) = JobFolder::scratch(home.path()).unwrap();
        assert!(living.root().is_dir() && third.root().is_dir());
        assert!(!dead.root().exists());
    }

    #[test]
    fn a_folder_whose_planner_died_before_the_ledger_had_its_job_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let adopted = |key| {
            let (scratch, lock) = JobFolder::scratch(home.path()).unwrap();
            (scratch.adopt(home.path(), key).unwrap(), lock)
        };
        let (dead, _) = adopted("dead000000");
        let (late, _) = adopted("late000000");
        let (living, _lock) = adopted("living0000");
        let (foreign, _) = adopted("foreign000");
        foreign.set_listed();
        let is_listed = |key: &str| Ok::<_, io::Error>(key == "late000000");
        JobFolder::remove_unlisted(home.path(), is_listed).unwrap();
        assert!(!dead.root().exists());
        assert!(late.root().is_dir() && !late.root().join(UNLISTED).exists());
        assert!(living.root().is_dir(), "its planner is at work");
        assert!(foreign.root().is_dir(), "of a ledger that an older one took the place of");
    }

    #[test]
    fn an_adopted_folder_is_not_locked_by_its_planner() {
        let home = tempfile::tempdir().unwrap();
        let (scratch, lock) = JobFolder::scratch(home.path()).unwrap();
        let folder = scratch.adopt(home.path(), "k7f2qd0000").unwrap();
        assert!(folder.try_lock().is_err(), "not before the planner is through");
        drop(lock);
        folder.try_lock().unwrap();
        assert!(!scratch.root().exists());
    }
}
