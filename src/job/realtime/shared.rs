//! What the threads of one run of calls have in common: the orders between them, and what stops
//! all of them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::build::Built;
use super::line::Final;
use super::retry::Backoff;
use crate::job::JobError;
use crate::shard::RowEntry;
use crate::store::{AskedRecord, HealthRecord, ShardRecord};

/// A row on its way to an answer.
#[derive(Debug)]
pub(super) struct Item {
    /// The shard, by the ledger's number.
    pub(super) shard: i64,
    pub(super) entry: RowEntry,
    pub(super) custom_id: String,
    /// Its requests, by member; made when they are first needed.
    pub(super) built: Vec<Option<Built>>,
    /// Members that were asked since it was last put off.
    pub(super) tried: u64,
    /// Members that may be asked.
    pub(super) most: usize,
    pub(super) backoff: Backoff,
    /// Calls that were made.
    pub(super) tries: u32,
    /// Tokens that one call may use, for limits of tokens.
    pub(super) tokens: u64,
}

/// Rows that are ready to be asked.
#[derive(Debug)]
pub(super) struct Fed {
    #[expect(clippy::vec_box, reason = "rows go from queue to queue as they are")]
    pub(super) items: Vec<Box<Item>>,
    /// The shard, where these are the first of its rows: where the list of its calls is kept.
    pub(super) begins: Option<(i64, std::path::PathBuf)>,
    /// The shard whose last rows these are.
    pub(super) ends: Option<i64>,
}

/// A shard whose rows are called from now on.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) shard: ShardRecord,
    pub(super) artifact: i64,
    /// Its result file: the name, and its bytes now.
    pub(super) file: (String, u64),
    /// Rows without an outcome.
    pub(super) left: u64,
    /// Rows with one, and how many of them are not good.
    pub(super) done: (u64, u64),
}

/// A row that has its answer, or has failed for good.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) shard: i64,
    pub(super) row: u64,
    pub(super) key: [u8; 16],
    pub(super) custom_id: String,
    pub(super) member: usize,
    pub(super) model: String,
    pub(super) end: Final,
    pub(super) took: Duration,
    pub(super) tries: u32,
    /// Tokens that were taken for it.
    pub(super) tokens: u64,
}

/// What the writer is told, in order.
#[derive(Debug)]
pub(super) enum Message {
    Opened(Box<Opened>),
    /// A row that cannot become a request any more.
    Skipped {
        shard: i64,
        entry: RowEntry,
        reason: String,
    },
    /// Rows that are through, those that came together.
    Done(Vec<Done>),
    /// Everything told before this is to be in the account, with these counts.
    Group {
        asked: Vec<AskedRecord>,
        counted: Vec<(i64, u64)>,
    },
    Health(HealthRecord),
    End,
}

/// What all threads see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Wakes whoever makes the calls.
    pub(super) wake: Notify,
    /// No new work.
    pub(super) is_over: AtomicBool,
    /// Answers that are not written yet.
    pub(super) backlog: AtomicUsize,
    /// Groups that are in the account.
    pub(super) grouped: AtomicU64,
    /// A shard's rows stop the job.
    pub(super) is_halted: AtomicBool,
    /// No shard more may begin under the limits of money.
    pub(super) is_over_budget: AtomicBool,
    /// The member that rows are built for.
    pub(super) preferred: AtomicUsize,
    /// Calls that are out, for people.
    pub(super) out: AtomicU64,
    failed: Mutex<Option<JobError>>,
    /// Answers that came and could not be written.
    lost: AtomicU64,
    /// Shards that are begun and not settled.
    open: Mutex<u64>,
    settled: Condvar,
}

impl Shared {
    /// Stops everything because of this.
    pub(super) fn fail(&self, error: JobError) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
        drop(failed);
        self.stop();
    }

    /// So many answers came and could not be written.
    pub(super) fn lose(&self, answers: u64) {
        self.lost.fetch_add(answers, Ordering::SeqCst);
    }

    /// Why everything was stopped, and what was lost by that.
    pub(super) fn take_failure(&self) -> Option<JobError> {
        let failure = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(match self.lost.load(Ordering::SeqCst) {
            0 => failure,
            answers => JobError::Unkept { answers, source: Box::new(failure) },
        })
    }

    /// No new work from now on.
    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.wake.notify_one();
        self.settled.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn open(&self) -> MutexGuard<'_, u64> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shard was begun.
    pub(super) fn has_opened(&self) {
        *self.open() += 1;
    }

    /// A shard is settled.
    pub(super) fn has_settled(&self) {
        let mut open = self.open();
        *open = open.saturating_sub(1);
        drop(open);
        self.settled.notify_all();
    }

    /// Waits until a shard is settled; false where none is open, or all is over.
    pub(super) fn wait_for_settled(&self) -> bool {
        let open = self.open();
        let before = *open;
        if before == 0 {
            return false;
        }
        let pause = Duration::from_millis(100);
        let mut open = open;
        while *open >= before && !self.is_over() {
            let waited = self.settled.wait_timeout(open, pause);
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !self.is_over()
    }
}
