//! Whether a run is over, and how.

use super::JobError;
use super::drive::{Driver, Ending};
use crate::batch::{ErrorWords, FailureKind};
use crate::provider::CallError;
use crate::store::ShardState;

impl Driver<'_> {
    /// Whether the job is over, and how. While batches run, a watcher waits for them first: their
    /// answers are worth having whatever became of the others.
    pub(super) fn ending(&self) -> Result<Option<Ending>, JobError> {
        let counts = self.store.shard_counts(&self.job.key)?;
        let count = |state| counts.get(&state).copied().unwrap_or_default();
        let waits = self.options.wait && self.is_running()?;
        let is_searched = count(ShardState::Creating) + count(ShardState::Unknown) > 0;
        if is_searched {
            let person = self.for_a_person()?;
            return Ok(person.filter(|_| !waits).map(Ending::NeedsOperator));
        }
        if count(ShardState::Rejected) > 0 {
            let refused = self.store.shards_in(&self.job.key, &[ShardState::Rejected], 1)?;
            let words = refused.into_iter().find_map(|shard| shard.detail);
            let words = words.unwrap_or_else(|| "no reason given".to_owned());
            let words = ErrorWords { message: words, ..ErrorWords::default() };
            return Ok((!waits).then(|| Ending::Refused(words.into_failure(None, None))));
        }
        if !waits && let Some(halted) = self.halted()? {
            return Ok(Some(halted));
        }
        if !waits && let Some(over) = self.over_budget()? {
            return Ok(Some(Ending::OverBudget(over)));
        }
        if counts.keys().any(|state| !state.is_settled())
            || self.store.open_surplus(&self.job.key)? > 0
        {
            return Ok(None);
        }
        if self.store.is_cancel_wished(&self.job.key)? {
            // A wish that came after the last answer stopped nothing.
            let counts = self.store.status_counts(&self.job.key)?;
            let is_whole = counts.keys().all(|status| status.is_good());
            return Ok(Some(if is_whole { Ending::Done } else { Ending::Cancelled }));
        }
        if self.options.submit && self.stop.cause().is_none() {
            return Ok(Some(Ending::Done));
        }
        let left = self.leftovers()?.len() as u64;
        let stopped = self.stop.cause().map(Ending::Stopped);
        Ok(Some(match left {
            0 => Ending::Done,
            left => stopped.unwrap_or(Ending::Leftovers(left)),
        }))
    }

    /// Whether a batch of the job has not ended or has not been collected.
    pub(super) fn is_running(&self) -> Result<bool, JobError> {
        for state in [ShardState::Running, ShardState::Ended, ShardState::Stored] {
            if self.count(state)? > 0 {
                return Ok(true);
            }
        }
        Ok(self.store.open_surplus(&self.job.key)? > 0)
    }

    /// Shards in a state.
    pub(super) fn count(&self, state: ShardState) -> Result<u64, JobError> {
        Ok(self.store.shards_count(&self.job.key, state)?)
    }

    /// Which failed questions make waiting useless: a refused key, an id that the account does not
    /// know; any, where nobody waits and nothing was sent. Everything else passes.
    pub(super) fn stops_waiting(&self, failed: &[CallError]) -> Option<Ending> {
        let is_definite = |error: &&CallError| {
            error.failure.stops_the_account() || error.failure.kind == FailureKind::NotFound
        };
        if let Some(error) = failed.iter().find(is_definite) {
            return Some(Ending::Refused(error.failure.clone()));
        }
        let only_looks = !self.options.wait && !self.options.submit;
        let error = failed.first().filter(|_| only_looks)?;
        Some(Ending::Unreachable(error.failure.clone()))
    }
}

/// Of two endings of one round of sends the one that a person must know about: a batch that may
/// exist comes before a refusal, a refusal before a stop.
pub(super) fn worse(
    known: Option<Result<Ending, JobError>>,
    new: Option<Result<Ending, JobError>>,
) -> Option<Result<Ending, JobError>> {
    let rank = |ending: &Option<Result<Ending, JobError>>| match ending {
        Some(Ok(Ending::NeedsOperator(_))) => 4,
        Some(Err(_)) => 3,
        Some(Ok(Ending::Refused(_) | Ending::Unreachable(_))) => 2,
        Some(Ok(_)) => 1,
        None => 0,
    };
    if rank(&new) > rank(&known) { new } else { known }
}
