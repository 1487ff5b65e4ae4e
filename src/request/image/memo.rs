//! What has been learnt of image files, within a bound: 300,000 images must not grow a table of
//! 300,000 paths.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Planned;
use super::file::Stamp;

/// Entries of each of the two generations; about two megabytes together.
const MOST: usize = 4096;

/// Two generations: what is asked for again moves to the young one, and when that is full the
/// old one is forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Memo {
    young: HashMap<PathBuf, (Stamp, Planned)>,
    old: HashMap<PathBuf, (Stamp, Planned)>,
}

impl Memo {
    /// What was learnt of this file, if it has not changed since.
    pub(super) fn get(&mut self, path: &Path, stamp: Stamp) -> Option<Planned> {
        if let Some((known, planned)) = self.young.get(path) {
            return (*known == stamp).then_some(*planned);
        }
        let (path, (known, planned)) = self.old.remove_entry(path)?;
        self.put(path, known, planned);
        (known == stamp).then_some(planned)
    }

    pub(super) fn put(&mut self, path: PathBuf, stamp: Stamp, planned: Planned) {
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(path, (stamp, planned));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
