//! The provider's result files as the user wants them: `--output-dir`. Copies only; the job keeps
//! its own.

use std::fs;
use std::io;
use std::path::Path;

use super::jobs::Found;
use super::output::require_folder;
use crate::base::{AtomicFile, DiskFile};
use crate::commands::Context;
use crate::job::JobError;
use crate::store::{ArtifactKind, Store};
use crate::ui::{CommandError, ExitCode};

/// Makes the folder that `--output-dir` names, before anything is sent.
pub(super) fn require_files_folder(folder: Option<&Path>) -> Result<(), CommandError> {
    let Some(folder) = folder else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| {
        let text = format!("cannot make the folder {} of --output-dir", folder.display());
        CommandError::new(ExitCode::Usage, anyhow::Error::new(error).context(text))
            .hint("name a folder that you may write to")
    })?;
    require_folder(&folder.join("results"))
}

/// Copies what was fetched so far as `batch_results_<id>.jsonl` and `batch_errors_<id>.jsonl`.
/// The answers are safe in the job by then, so a failure is only said.
pub(super) fn copy_results(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<(), CommandError> {
    let Some(to) = &found.spec.output.files_folder else { return Ok(()) };
    let creates = store.creates(&found.job.key)?;
    for artifact in store.artifacts(&found.job.key)? {
        // Of surplus batches only what is in the table matters; their files stay in the job.
        if artifact.is_spare() {
            continue;
        }
        let create = creates.iter().find(|create| create.shard == artifact.shard);
        let id = create.map(|create| create.batch_id.as_deref().unwrap_or(&create.key));
        let stem = match artifact.kind {
            ArtifactKind::Output => "batch_results",
            ArtifactKind::Error => "batch_errors",
            ArtifactKind::Calls => "calls",
            // Of other batches, and copied for the user when those ended.
            ArtifactKind::Cached => continue,
        };
        // Calls have no batch to be named after.
        let id = id.unwrap_or(artifact.name.trim_end_matches(".jsonl"));
        let to = to.join(format!("{stem}_{}.jsonl", file_name_of(id)));
        if to.metadata().is_ok_and(|there| there.len() == artifact.bytes) {
            continue;
        }
        let from = found.folder.results().join(&artifact.name);
        if let Err(error) = copy(&from, &to) {
            context.printer.warning(&format!("the result file was not copied: {error}"));
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), JobError> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(JobError::file("write", folder))?;
    let mut source = DiskFile::open(from).map_err(JobError::file("read", from))?;
    let mut whole = || {
        let mut copy = AtomicFile::create(to)?;
        io::copy(&mut source, &mut copy)?;
        copy.commit()
    };
    whole().map_err(JobError::file("write", to))
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
