//! What can stop a job from our side. What the provider says about rows is not an error but an
//! outcome.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::LockError;
use crate::provider::CallError;
use crate::request::RequestError;
use crate::shard::RowsError;
use crate::store::StoreError;
use crate::table::TableError;

/// Why a job cannot go on here and now.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The table does not read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The question cannot be asked of this table.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A row list does not read.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The ledger refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the job cannot be read or written.
    #[error("{what} {path}: {source}")]
    File {
        /// What was attempted, e.g. `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The same, while answers of calls came that could not be kept.
    #[error(
        "{source}; {answers} answers that came could not be written: their rows will be asked, and \
         paid, again"
    )]
    Unkept {
        /// How many.
        answers: u64,
        /// What failed.
        source: Box<Self>,
    },
    /// Another process holds the job.
    #[error("job {job} is driven by another {holder}")]
    Held {
        /// The short id.
        job: String,
        /// What that process wrote about itself.
        holder: String,
    },
    /// A call failed and trying again would not help.
    #[error("{0}")]
    Call(#[from] CallError),
    /// A stored request does not read; a newer release may have written it.
    #[error("job {job}: its stored request does not read: {detail}")]
    Spec {
        /// The short id.
        job: String,
        /// Why.
        detail: String,
    },
    /// Not enough room for what comes next.
    #[error(
        "{needed_mb} MB are needed in {folder} and {free_mb} MB are free",
        needed_mb = needed.div_ceil(1_000_000),
        free_mb = free / 1_000_000,
    )]
    NoSpace {
        /// Where.
        folder: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// No random numbers for a new id.
    #[error("no random numbers for a job id: {0}")]
    Random(getrandom::Error),
}

impl JobError {
    /// Wraps a failure of a file of ours.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    /// Wraps a failure to lock.
    pub fn lock(job: &str) -> impl FnOnce(LockError) -> Self {
        let job = job.to_owned();
        move |error| match error {
            LockError::Held(holder) => Self::Held { job, holder },
            LockError::Io { path, source } => Self::File { what: "lock", path, source },
        }
    }

    /// Whether local storage failed: disk full, ledger refused, file unreadable.
    pub fn is_storage(&self) -> bool {
        match self {
            Self::Store(_) | Self::Rows(_) | Self::File { .. } | Self::NoSpace { .. } => true,
            Self::Unkept { source, .. } => source.is_storage(),
            Self::Call(error) => error.is_local(),
            _ => false,
        }
    }
}
