//! What a power loss would take of our files, so that one can be rehearsed: content that was not
//! synced, and names that were given, changed or removed in a folder that was not synced since.
//! SQLite's own files are not among them: its durability is trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A change of a name that its folder does not hold for sure yet.
#[derive(Debug)]
enum Change {
    Made(PathBuf),
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<PathBuf> },
    Removed { path: PathBuf, kept: Option<PathBuf> },
}

impl Change {
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Made(path) | Self::Removed { path, .. } | Self::Renamed { to: path, .. } => {
                path.parent()
            }
        }
    }

    fn spare(&self) -> Option<&Path> {
        match self {
            Self::Made(_) => None,
            Self::Renamed { replaced: spare, .. } | Self::Removed { kept: spare, .. } => {
                spare.as_deref()
            }
        }
    }

    /// Best effort, as everything here: what is gone already cannot be undone.
    fn undo(&self) {
        match self {
            Self::Made(path) => drop(fs::remove_file(path)),
            Self::Renamed { from, to, replaced } => {
                let _ = fs::rename(to, from);
                if let Some(replaced) = replaced {
                    let _ = fs::rename(replaced, to);
                }
            }
            Self::Removed { path, kept } => {
                if let Some(kept) = kept {
                    let _ = fs::rename(kept, path);
                }
            }
        }
    }
}

/// What is not on the disk for sure.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: BTreeSet<PathBuf>,
    /// Bytes at the beginning of files that are safe.
    safe: BTreeMap<PathBuf, u64>,
    names: Vec<Change>,
    spares: u64,
}

impl Unsynced {
    /// A file was made, or emptied.
    pub(super) fn made(&mut self, path: &Path) {
        self.safe.remove(path);
        self.files.insert(path.to_owned());
        self.names.push(Change::Made(path.to_owned()));
    }

    /// A file is written on, behind bytes that are safe.
    pub(super) fn kept(&mut self, path: &Path, bytes: u64) {
        self.safe.insert(path.to_owned(), bytes);
    }

    /// A file got bytes.
    pub(super) fn written(&mut self, path: &Path) {
        self.files.insert(path.to_owned());
    }

    /// A file's content is safe.
    pub(super) fn synced(&mut self, path: &Path) {
        self.files.remove(path);
        if let Ok(about) = path.metadata() {
            self.safe.insert(path.to_owned(), about.len());
        }
    }

    /// The names in a folder are safe.
    pub(super) fn folder_synced(&mut self, folder: &Path) {
        self.names.retain(|change| {
            let is_safe = change.folder().is_some_and(|of| is_same(of, folder));
            if is_safe && let Some(spare) = change.spare() {
                let _ = fs::remove_file(spare);
            }
            !is_safe
        });
    }

    /// A file or folder is about to get another name.
    pub(super) fn renaming(&mut self, from: &Path, to: &Path) {
        let replaced = self.keep(to);
        self.files = std::mem::take(&mut self.files)
            .into_iter()
            .map(|path| match path.strip_prefix(from) {
                Ok(below) if below.as_os_str().is_empty() => to.to_owned(),
                Ok(below) => to.join(below),
                Err(_) => path,
            })
            .collect();
        self.names.push(Change::Renamed { from: from.to_owned(), to: to.to_owned(), replaced });
    }

    /// A file is about to be removed.
    pub(super) fn removing(&mut self, path: &Path) {
        self.files.remove(path);
        let kept = self.keep(path);
        self.names.push(Change::Removed { path: path.to_owned(), kept });
    }

    /// The power fails: unsynced content goes, then unsynced names, the last one first.
    pub(super) fn lose(&mut self) {
        for path in std::mem::take(&mut self.files) {
            let safe = self.safe.get(&path).copied().unwrap_or(0);
            if let Ok(file) = File::options().write(true).open(&path) {
                let _ = file.set_len(safe);
            }
        }
        for change in std::mem::take(&mut self.names).iter().rev() {
            change.undo();
        }
    }

    /// A second name for what stands here, under which it survives.
    fn keep(&mut self, path: &Path) -> Option<PathBuf> {
        self.spares += 1;
        let mut spare = path.as_os_str().to_owned();
        spare.push(format!(".spare{}-{}", std::process::id(), self.spares));
        let spare = PathBuf::from(spare);
        fs::hard_link(path, &spare).ok().map(|()| spare)
    }
}

/// The parent of a bare name is empty, and means the working folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| path.strip_prefix(".").unwrap_or(path).to_owned();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A table that is replaced as `AtomicFile` does it, and the power that fails after each step.
    #[test]
    fn p5_what_is_not_synced_is_lost_and_what_is_stays() {
        for (steps, expected) in [
            (0, &[("out", "old")][..]),
            (1, &[("out", "old")]),
            (2, &[("out", "old")]),
            (3, &[("out", "old")]),
            (4, &[("out", "new")]),
            (5, &[("out", "new")]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (out, part) = (folder.path().join("out"), folder.path().join("out.part"));
            fs::write(&out, "old").unwrap();
            let mut unsynced = Unsynced::default();
            let all: [&dyn Fn(&mut Unsynced); 5] = [
                &|unsynced| {
                    unsynced.made(&part);
                    fs::write(&part, "new").unwrap();
                    unsynced.written(&part);
                },
                &|unsynced| unsynced.synced(&part),
                &|unsynced| {
                    unsynced.renaming(&part, &out);
                    fs::rename(&part, &out).unwrap();
                },
                &|unsynced| unsynced.folder_synced(folder.path()),
                &|unsynced| {
                    unsynced.removing(&out);
                    fs::remove_file(&out).unwrap();
                },
            ];
            for step in &all[..steps] {
                step(&mut unsynced);
            }
            unsynced.lose();
            let found: Vec<_> = names(folder.path())
                .into_iter()
                .map(|name| (name.clone(), fs::read_to_string(folder.path().join(name)).unwrap()))
                .collect();
            let found: Vec<_> = found.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
            assert_eq!(found, expected, "after {steps} steps");
        }
    }

    #[test]
    fn content_that_was_not_synced_is_lost_under_its_new_name_too() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, job) = (folder.path().join("plan"), folder.path().join("job"));
        fs::create_dir(&plan).unwrap();
        fs::write(plan.join("input.csv"), "rows").unwrap();
        let mut unsynced = Unsynced::default();
        unsynced.made(&plan.join("input.csv"));
        unsynced.folder_synced(&plan);
        unsynced.renaming(&plan, &job);
        fs::rename(&plan, &job).unwrap();
        unsynced.folder_synced(folder.path());
        unsynced.lose();
        assert_eq!(fs::read_to_string(job.join("input.csv")).unwrap(), "");
    }
}
