//! The account of every job, in one SQLite file per home: the only place with SQL.
//!
//! Files hold the answers, this room holds the account: jobs, shards, creates, calls made and
//! what became of them, and one outcome per settled row with the place of its answer. It decides
//! nothing; it makes what was decided durable before the next step is taken.

mod asked;
mod budget;
mod cache;
mod cache_hits;
mod cache_import;
mod call_failures;
mod calling;
mod calls;
mod charges;
mod cleanup;
mod costs;
mod found;
mod health;
mod history;
mod jobs;
mod known;
mod lengths;
mod logs;
mod migrations;
mod outcomes;
mod queue;
mod reasks;
mod records;
mod rounds;
mod search;
mod shards;
mod surplus;
mod uploads;

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::base::crash_point;

pub use asked::AskedRecord;
pub use budget::{Budget, Cap, Counted, Item, Limit, Over};
pub use cache::{CacheTotals, EarlierAnswer, EntryNotes, Origin};
pub use cache_hits::HitGroup;
pub use cache_import::ImportedAnswer;
pub use calling::{BegunCalls, CalledGroup};
pub use calls::{CallEnd, CallKind, CallRecord, CreateRecord, CreateState};
pub use cleanup::{CleanupKind, CleanupRecord, CleanupState, RemoteTrace};
pub use costs::{CostGroup, Equal};
pub use found::{FoundBatch, Holder};
pub use health::HealthRecord;
pub use history::{JobHistory, Transition};
pub use jobs::{Inserted, JobRecord, JobState, NewJob, OutputMark};
pub use known::{CachedAnswer, CachedFile, EqualRow, KnownRows};
pub use logs::{BadRow, BadRows, LoggedCall};
pub use outcomes::OutcomeRecord;
pub use queue::{Begun, Queue, has_room};
pub use reasks::{BadAnswer, BadShares, Reasked};
pub use records::{ArtifactKind, ArtifactRecord, SPARE};
pub use rounds::{Ask, Leftover, NewRetry, OpenRow, Rounds};
pub use shards::{Asking, NewShard, Seen, ShardRecord, ShardState};
pub use surplus::{SurplusRecord, SurplusState};

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// With less than this many bytes free a disk is full, whatever SQLite calls it.
const NO_ROOM: u64 = 64 << 10;

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("ledger {path}: {source}")]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// No room is left for it.
    #[error("ledger {path}: disk full")]
    Full {
        /// The database file.
        path: PathBuf,
    },
    /// Another process is inside a transaction and does not come out.
    #[error(
        "ledger {path} is locked by another process, and was not let go for {seconds} seconds; a \
         batchctl that was suspended must go on (fg) or end first",
        seconds = BUSY_TIMEOUT.as_secs()
    )]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// The file belongs to a newer release.
    #[error(
        "ledger {path} was written by a newer batchctl (schema {found}, this one knows {known}); \
         update batchctl, or set BATCHCTL_HOME to another folder"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The home lies on a network file system, where SQLite's locks cannot be trusted.
    #[error(
        "home {0} is on a network file system, where locks cannot be trusted; set BATCHCTL_HOME \
         to a folder on a local disk"
    )]
    Network(PathBuf),
    /// The home cannot be made or entered.
    #[error("home {path}: {source}")]
    Home {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StoreError {
    /// Whether the cause is a full disk or database.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Home { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// Whether another process stands in the way.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

/// The ledger of one home. One connection per process, so one writer; other processes are kept
/// apart by SQLite, and jobs by their own lock files.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
    path: PathBuf,
    home: PathBuf,
}

impl Store {
    /// Opens the ledger of a home, making folder and tables where they are missing.
    pub fn open(home: &Path) -> Result<Self, StoreError> {
        let path = home.join("batchctl.db");
        let on_home = |source| StoreError::Home { path: home.to_owned(), source };
        crate::base::private_dir(home).map_err(on_home)?;
        if crate::base::is_on_network(home) {
            return Err(StoreError::Network(home.to_owned()));
        }
        crate::base::private_dir(&home.join("jobs")).map_err(on_home)?;
        crate::base::touch_private(&path).map_err(on_home)?;
        let connection = Connection::open(&path)
            .map_err(|source| StoreError::Sqlite { path: path.clone(), source })?;
        let store =
            Self { connection: Mutex::new(connection), path: path.clone(), home: home.to_owned() };
        store.prepare()?;
        Ok(store)
    }

    /// Whether this home has a ledger already.
    pub fn exists(home: &Path) -> bool {
        home.join("batchctl.db").is_file()
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    fn prepare(&self) -> Result<(), StoreError> {
        let mut connection = self.lock();
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|e| self.sqlite(e))?;
        // FULL, not NORMAL: an intent that a power loss takes back would be paid twice.
        // A log of up to 16 MB: groups of answers touch the same pages again and again.
        let pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; \
                       PRAGMA wal_autocheckpoint=4000;";
        // The step to WAL does not wait as other statements do: of two processes that open a fresh
        // home together one is told at once that it is locked.
        let start = Instant::now();
        while let Err(error) = connection.execute_batch(pragmas) {
            if !is_busy(&error) || start.elapsed() > BUSY_TIMEOUT {
                return Err(self.sqlite(error));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let known = migrations::newest();
        let found = migrations::apply(&mut connection).map_err(|e| self.sqlite(e))?;
        if found > known {
            return Err(StoreError::Newer { path: self.path.clone(), found, known });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sqlite(&self, source: rusqlite::Error) -> StoreError {
        let path = self.path.clone();
        if is_busy(&source) {
            return StoreError::Busy { path };
        }
        let is_full = match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => true,
            // Some of its files SQLite cannot make larger without calling that an I/O error.
            Some(rusqlite::ErrorCode::SystemIoFailure) => {
                crate::base::free_space(&self.home).is_ok_and(|free| free < NO_ROOM)
            }
            _ => false,
        };
        if is_full { StoreError::Full { path } } else { StoreError::Sqlite { path, source } }
    }

    /// Runs a body that only reads.
    fn read<T>(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        body(&self.lock()).map_err(|e| self.sqlite(e))
    }

    /// Runs a body inside one immediate transaction: a deferred one that reads before it writes
    /// fails at once when another process writes, whatever the timeout. The crash points around
    /// the commit go by the place of the caller.
    #[track_caller]
    fn write<T>(
        &self,
        body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let caller = Location::caller();
        let mut connection = self.lock();
        let run = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = body(&transaction)?;
            crash_point!("commit", caller);
            transaction.commit()?;
            crash_point!("committed", caller);
            Ok(value)
        };
        run(&mut connection).map_err(|e| self.sqlite(e))
    }
}

/// Whether another process stands in the way.
fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

/// Turns a stored word back into its value; the words come from this program, so an unknown one
/// means a newer release wrote it.
fn word<T>(column: usize, text: &str, read: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    read(text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            format!("unknown word {text:?}").into(),
        )
    })
}

/// Declares an enum whose values are stored as words.
macro_rules! stored_words {
    ($(#[$meta:meta])* $name:ident { $($(#[$value_meta:meta])* $value:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$value_meta])* $value),+ }

        impl $name {
            /// The word it is stored and shown as.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }

            pub(in crate::store) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$value),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
use stored_words;

#[cfg(test)]
mod tests;
