//! Where a table that is written again goes: its own place, or one beside it where somebody else
//! has to do with the file that stands there. Nothing of theirs is ever replaced unasked.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::jobs::Found;
use super::output::{beside, digest_at};
use super::tables::Rewrite;
use crate::commands::Context;
use crate::job::JobError;
use crate::store::Store;
use crate::ui::CommandError;

/// Why a file is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It is a folder, a device or a pipe.
    NoFile,
    /// It is not as we wrote it.
    Edited,
    /// Its owner took the right to write away.
    Protected,
    /// Another program holds it, or has it open.
    Held(&'static str),
}

impl Kept {
    fn words(self) -> &'static str {
        match self {
            Self::NoFile => "is no regular file",
            Self::Edited => "was changed meanwhile",
            Self::Protected => "is write-protected",
            Self::Held(how) => how,
        }
    }
}

/// The place asked for, or one beside it, which is said. `None` where the table is only written in
/// between and its place may be free again later.
pub(super) fn place(
    context: &Context,
    store: &Store,
    found: &Found,
    (path, why): (&Path, Rewrite),
) -> Result<Option<PathBuf>, CommandError> {
    // A pipe would be waited for.
    let kept = if path.exists() && !path.is_file() {
        Some(Kept::NoFile)
    } else {
        let digest = digest_at(path).map_err(JobError::file("read", path))?;
        let Some(digest) = digest else { return Ok(Some(path.to_owned())) };
        let mark = store.output_mark(&path.to_string_lossy())?;
        let is_ours = mark.is_some_and(|mark| mark.is_ours(&digest));
        kept(path, is_ours, found.spec.output.overwrite)
    };
    let Some(kept) = kept else { return Ok(Some(path.to_owned())) };
    if why == Rewrite::InBetween && kept != Kept::Edited {
        return Ok(None);
    }
    let other = beside(path, found.job.short());
    context.printer.warning(&format!(
        "{} {}; writing {} instead",
        path.display(),
        kept.words(),
        other.display()
    ));
    Ok(Some(other))
}

/// Why the file at this place is to be left as it is, if it is.
fn kept(path: &Path, is_ours: bool, overwrite: bool) -> Option<Kept> {
    if let Some(how) = held(path) {
        return Some(Kept::Held(how));
    }
    match overwrite {
        true => None,
        false if !is_ours => Some(Kept::Edited),
        false => is_protected(path).then_some(Kept::Protected),
    }
}

/// Whether its owner took the right to write to a file away. A replaced file would not notice.
pub(super) fn is_protected(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.permissions().readonly())
}

/// How another program holds a file: by a lock, or by the note that office programs leave beside
/// a file they have open.
fn held(path: &Path) -> Option<&'static str> {
    let note = |before: &str, after: &str| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{before}{name}{after}")).exists()
    };
    if note(".~lock.", "#") {
        return Some("is open in LibreOffice (its note .~lock…# stands beside it)");
    }
    if note("~$", "") {
        return Some("is open in Excel (its note ~$… stands beside it)");
    }
    let locked = File::open(path).ok().map(|file| file.try_lock_shared());
    matches!(locked, Some(Err(TryLockError::WouldBlock))).then_some("is locked by another program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_others_have_to_do_with_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        std::fs::write(&path, "a").unwrap();
        assert_eq!(kept(&path, true, false), None);
        assert_eq!(kept(&path, false, false), Some(Kept::Edited));
        assert_eq!(kept(&path, false, true), None);

        let lock = File::open(&path).unwrap();
        lock.lock().unwrap();
        let is_held = |part: &str| {
            let kept = kept(&path, true, true);
            assert!(kept.is_some_and(|kept| kept.words().contains(part)), "{part}: {kept:?}");
        };
        is_held("locked by another program");
        drop(lock);
        for (name, part) in [(".~lock.out.csv#", "LibreOffice"), ("~$out.csv", "Excel")] {
            let note = folder.path().join(name);
            std::fs::write(&note, "").unwrap();
            is_held(part);
            std::fs::remove_file(note).unwrap();
        }

        let mut rights = path.metadata().unwrap().permissions();
        rights.set_readonly(true);
        std::fs::set_permissions(&path, rights).unwrap();
        assert_eq!(kept(&path, true, false), Some(Kept::Protected));
        assert_eq!(kept(&path, true, true), None);
    }
}
