//! What need not be paid for: rows of one table that ask the same, and rows that were answered well
//! before, in an earlier job of this home or in another home. This room decides which rows and
//! which answers those are, and carries entries out of one home into another; it sends nothing.

mod earlier;
mod entry;
mod equal;
mod export;
mod import;
mod lines;
mod rules;

use std::io;
use std::path::{Path, PathBuf};

use crate::base::LockError;
use crate::store::StoreError;

pub use earlier::{Address, Asked, Earlier, Known};
pub use equal::EqualRequests;
pub use export::{Exported, Shown, export, newest};
pub use import::{Imported, Refused, clean, import};
pub use rules::CacheRules;

/// The folder of the home that answers of other homes are kept in.
const FOLDER: &str = "cache";

/// What can go wrong with the files of a cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or folder could not be read or written.
    #[error("cannot {what} {path}")]
    File {
        /// Read, write, …
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process changes the cache, or its lock cannot be had.
    #[error("the cache of this home: {0}")]
    Lock(#[from] LockError),
}

impl CacheError {
    /// Wraps a failure with a file.
    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
