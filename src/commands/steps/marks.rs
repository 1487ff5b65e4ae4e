//! What the ledger is told of the files a command writes, so that they may be written anew
//! unasked, and nothing else may.

use std::io;
use std::path::{Path, PathBuf};

use super::output::{digest_at, is_same_file};
use super::place::is_protected;
use crate::commands::Context;
use crate::store::Store;
use crate::table::Keeper;

/// The marks of one table and of the files beside it.
pub(in crate::commands) struct Marks<'a> {
    context: &'a Context,
    store: &'a Store,
    /// The job whose own table it is, and where that goes.
    own: Option<(&'a str, &'a Path)>,
    overwrite: bool,
    /// What the command reads, which nothing replaces.
    inputs: Vec<PathBuf>,
}

impl<'a> Marks<'a> {
    /// Marks of files that are no job's own table.
    pub(in crate::commands) fn new(context: &'a Context, store: &'a Store) -> Self {
        Self { context, store, own: None, overwrite: false, inputs: Vec::new() }
    }

    /// The same, and the file at `path` is the table that this job keeps up to date.
    pub(super) fn of_job(self, job: &'a str, path: &'a Path) -> Self {
        Self { own: Some((job, path)), ..self }
    }

    /// With files beside the table that may be replaced whoever wrote them (`--overwrite`), but
    /// for the inputs.
    pub(in crate::commands) fn replacing(self, overwrite: bool, inputs: Vec<PathBuf>) -> Self {
        Self { overwrite, inputs, ..self }
    }
}

impl Keeper for Marks<'_> {
    fn may_replace(&self, path: &Path) -> io::Result<bool> {
        if !path.is_file() || self.inputs.iter().any(|input| is_same_file(input, path)) {
            return Ok(false);
        }
        if self.overwrite {
            return Ok(true);
        }
        let mark = self.store.output_mark(&path.to_string_lossy()).map_err(io::Error::other)?;
        let Some(mark) = mark else { return Ok(false) };
        Ok(digest_at(path)?.is_some_and(|digest| mark.is_ours(&digest)) && !is_protected(path))
    }

    fn before(&self, path: &Path, digest: &str) -> io::Result<()> {
        let earlier = digest_at(path)?;
        let job = self.own.filter(|(_, own)| *own == path).map(|(job, _)| job);
        let (name, now) = (path.to_string_lossy(), self.context.clock.unix());
        let marked = self.store.mark_output(&name, (digest, earlier.as_deref()), job, now);
        marked.map_err(io::Error::other)
    }

    fn after(&self, path: &Path, digest: &str) -> io::Result<()> {
        self.store.settle_output(&path.to_string_lossy(), digest).map_err(io::Error::other)
    }
}
