//! From the driver to the calls and back: which shards are called, what stops them, and what is
//! left of them when a person stops the job.

use std::sync::mpsc as plain;

use tokio::sync::mpsc;

use super::chain::Chain;
use super::feed::{Feed, build_singly};
use super::resume::{begin, outcomes};
use super::run::{Caller, State, Why};
use super::shared::{Message, Shared};
use super::write::Writer;
use crate::base::remove_file;
use crate::job::JobError;
use crate::job::cancel::cancelled;
use crate::job::drive::{Driver, Ending};
use crate::request::Mode;
use crate::store::{CalledGroup, ShardRecord, ShardState};

/// Handfuls of rows that are made ready ahead of the calls.
const AHEAD: usize = 8;

/// States of shards whose rows are to be called.
const OPEN: [ShardState; 2] = [ShardState::Calling, ShardState::Planned];

impl Driver<'_> {
    /// The shards whose rows are to be called now, as far as the limits of money have room.
    pub(in crate::job) fn shards_to_call(&self) -> Result<Vec<ShardRecord>, JobError> {
        if self.chain.is_none_or(|chain| chain.members().is_empty()) || self.is_halted()? {
            return Ok(Vec::new());
        }
        let (job, mode) = (&self.job.key, Mode::Realtime);
        let begun = self.store.shards_of_mode(job, mode, &[ShardState::Calling], usize::MAX)?;
        if !begun.is_empty() {
            return Ok(begun);
        }
        let next = self.store.shards_of_mode(job, mode, &[ShardState::Planned], 1)?;
        self.within_budget(next)
    }

    /// Calls the rows of all shards that are sent so, until all have their outcome or something
    /// stops it. Returns how the run ends, if it does.
    pub(in crate::job) fn call_open(&self) -> Result<Option<Ending>, JobError> {
        let Some(chain) = self.chain else { return Ok(None) };
        if self.shards_to_call()?.is_empty() {
            return Ok(None);
        }
        let why = self.call_all(chain)?;
        for member in 0..chain.members().len() {
            if chain.has_answered(member) {
                chain.remember(member)?;
            }
        }
        Ok(match why {
            Why::Through | Why::Wished | Why::Halted => None,
            Why::Stopped(cause) => Some(Ending::Stopped(cause)),
            Why::Waited => Some(Ending::Waiting),
            Why::Refused(failure) => Some(Ending::Refused(failure)),
            Why::Unreachable(failure) => Some(Ending::Unreachable(failure)),
        })
    }

    /// Whether nothing is open but rows that are to be called, and there is nobody to call.
    pub(in crate::job) fn only_lacks_calls(&self) -> Result<bool, JobError> {
        if self.chain.is_some() {
            return Ok(false);
        }
        let counts = self.store.shard_counts(&self.job.key)?;
        let open: u64 =
            counts.iter().filter(|(state, _)| !state.is_settled()).map(|(_, n)| n).sum();
        let calls = self.store.shards_of_mode(&self.job.key, Mode::Realtime, &OPEN, usize::MAX)?;
        Ok(!calls.is_empty() && calls.len() as u64 == open)
    }

    fn call_all(&self, chain: &Chain<'_>) -> Result<Why, JobError> {
        let open = self.store.shards_of_mode(&self.job.key, Mode::Realtime, &OPEN, usize::MAX)?;
        let total = open.iter().map(|shard| shard.rows).sum();
        let shared = Shared::default();
        let (rows, fed) = mpsc::channel(AHEAD);
        let (made, built) = mpsc::unbounded_channel();
        let (orders, ordered) = plain::channel();
        let (writer, messages) = plain::channel();
        let (settled, to_tell) = plain::channel();
        let keeper = Writer::new(self, chain, &shared, (settled, total))?;
        let feeder = Feed {
            driver: self,
            chain,
            shared: &shared,
            rows,
            writer: writer.clone(),
            orders: orders.clone(),
        };
        let mut caller = Caller {
            driver: self,
            chain,
            shared: &shared,
            fed,
            built,
            orders,
            writer: writer.clone(),
            state: State::new(chain),
        };
        let why = std::thread::scope(|scope| {
            scope.spawn(move || keeper.run(&messages));
            scope.spawn(|| feeder.run());
            let (shared, singles) = (&shared, writer.clone());
            scope.spawn(move || {
                build_singly(self, chain.members(), &ordered, &made, (shared, &singles));
            });
            scope.spawn(move || {
                while to_tell.recv().is_ok() {
                    while to_tell.try_recv().is_ok() {}
                    // The last table of all is written by whoever drove.
                    if matches!(self.ending(), Ok(None)) {
                        (self.on_settled)();
                    }
                }
            });
            // A runtime of its own: what a call costs is doubled where threads share one.
            let calls = scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let why = match runtime {
                    Ok(runtime) => Ok(runtime.block_on(caller.run())),
                    Err(error) => Err(JobError::file("start", self.folder.root())(error)),
                };
                shared.stop();
                drop(caller);
                why
            });
            let why = calls.join();
            let _ = writer.send(Message::End);
            match why {
                Ok(why) => why,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
        match shared.take_failure() {
            Some(failure) => Err(failure),
            None => why,
        }
    }

    /// Settles the rows of a shard that were not called any more because a person stopped the job;
    /// answers that came before stay. Nobody is asked, so it takes no chain.
    pub(in crate::job) fn cancel_calls(&self, shard: &ShardRecord) -> Result<(), JobError> {
        let Some(begun) = begin(self, self.chain, shard)? else { return Ok(()) };
        let is_asked = |row: u64| begun.asked.binary_search(&row).is_ok();
        let left = begun.entries.iter().filter(|entry| !is_asked(entry.row));
        let words = "cancelled before it was asked";
        let records = left.map(|entry| cancelled(shard, entry, words)).collect();
        let group = CalledGroup { records, ..CalledGroup::default() };
        self.store.record_called(&self.job.key, &group)?;
        let all = outcomes(self, shard, &begun.entries)?;
        self.store.finish_calling((&self.job.key, shard.id), &all, None, None)?;
        // What a killed run left of it; a file more in the folder does no harm.
        let _ = remove_file(&self.folder.spare_file());
        Ok(())
    }
}
