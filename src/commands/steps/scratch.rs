//! The folder that a plan is made in before there is a job.

use std::path::Path;

use crate::base::FileLock;
use crate::job::{JobError, JobFolder};
use crate::ui::CommandError;

/// A folder for planning that is removed again unless a job adopts it.
pub(in crate::commands) struct Scratch {
    folder: Option<JobFolder>,
    lock: Option<FileLock>,
}

impl Scratch {
    /// Makes one in the home.
    pub(in crate::commands) fn new(home: &Path) -> Result<Self, CommandError> {
        let (folder, lock) = JobFolder::scratch(home).map_err(JobError::file("write", home))?;
        Ok(Self { folder: Some(folder), lock: Some(lock) })
    }

    /// The folder.
    pub(in crate::commands) fn folder(&self) -> &JobFolder {
        self.folder.as_ref().expect("only `keep` takes it, and that consumes the scratch")
    }

    /// Leaves the folder in place for its job. The lock that says that its planner lives is the
    /// job's own once it is adopted; it is given back when dropped.
    pub(in crate::commands) fn keep(mut self) -> (JobFolder, FileLock) {
        let folder = self.folder.take().expect("taken only here");
        (folder, self.lock.take().expect("taken only here"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            // Best effort: the next plan removes what nobody holds.
            let _ = folder.remove();
        }
    }
}
