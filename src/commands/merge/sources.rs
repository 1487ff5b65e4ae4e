//! What is named on the line: result files and jobs.

use std::path::{Path, PathBuf};

use super::Args;
use crate::commands::Context;
use crate::commands::files::expand;
use crate::commands::steps::{Bare, Found, find_job, if_pruned};
use crate::request::Source;
use crate::store::Store;
use crate::ui::CommandError;

/// The results that are merged.
pub(super) struct Sources {
    /// Result files as they were named, patterns expanded.
    pub(super) files: Vec<PathBuf>,
    /// Jobs, each once, the oldest first.
    pub(super) jobs: Vec<Found>,
    /// Whether a job goes on whose files are among these: rows of it without an answer wait.
    pub(super) is_running: bool,
}

impl Sources {
    /// Sorts what the line names into files and jobs.
    pub(super) fn of(args: &Args, context: &Context, store: &Store) -> Result<Self, CommandError> {
        let mut sources = Self { files: Vec::new(), jobs: Vec::new(), is_running: false };
        for name in expand(&args.results, &context.folder)? {
            let Some(found) = job_named(&name, context, store)? else {
                sources.files.push(name);
                continue;
            };
            if sources.jobs.iter().all(|known| known.job.key != found.job.key) {
                sources.jobs.push(found);
            }
        }
        if sources.jobs.len() + sources.files.len() > 1 || args.is_about_rows() {
            sources.take_apart(args, store)?;
        }
        sources.jobs.sort_by_key(|found| found.job.created);
        Ok(sources)
    }

    /// Makes sure that the answers of the jobs are there. The rows of a job that was made of
    /// request files are the requests: onto another table its results go by their ids, as files.
    fn take_apart(&mut self, args: &Args, store: &Store) -> Result<(), CommandError> {
        let mut rows = Vec::new();
        for found in std::mem::take(&mut self.jobs) {
            if let Some(words) = if_pruned(store, &found)? {
                return Err(CommandError::usage(words));
            }
            if found.spec.question.source != Source::Foreign || args.table().is_none() {
                rows.push(found);
                continue;
            }
            self.is_running |= !found.job.state.is_over();
            for artifact in store.artifacts(&found.job.key)? {
                self.files.push(found.folder.results().join(&artifact.name));
            }
        }
        self.jobs = rows;
        Ok(())
    }
}

/// The job of this name, unless a file has it or nothing does.
fn job_named(name: &Path, context: &Context, store: &Store) -> Result<Option<Found>, CommandError> {
    if context.folder.join(name).exists() {
        return Ok(None);
    }
    let id = name.to_string_lossy();
    if id != "last" && store.job_by_id(&id)?.is_none() {
        return Ok(None);
    }
    find_job(context, store, Some(&id), Bare::Last).map(Some)
}
