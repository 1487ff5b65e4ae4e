//! Stopping a job because a person asked for it: what was not sent is settled, what runs is asked
//! to stop, and what had finished is collected like any other result.

use std::collections::HashSet;

use super::agenda::Agenda;
use super::drive::Driver;
use super::{JobError, JobFolder};
use crate::answer::RowStatus;
use crate::shard::{RowEntry, RowsReader};
use crate::store::{CallEnd, JobRecord, JobState, OutcomeRecord, ShardRecord, ShardState, Store};

/// HTTP status of a cancel that comes too late: the batch has ended.
const CONFLICT: u16 = 409;

/// Stops a job of which no batch is left to wait for, without a word to its provider; false if
/// there is, or may be, one. Whoever calls holds the lock.
pub fn cancel_unsent(
    store: &Store,
    folder: &JobFolder,
    job: &JobRecord,
    now: i64,
) -> Result<bool, JobError> {
    let shards = store.shards(&job.key)?;
    if !shards.iter().all(runs_nowhere) {
        return Ok(false);
    }
    for shard in shards.iter().filter(|shard| shard.state != ShardState::Settled) {
        settle_unsent(store, folder, job, shard)?;
    }
    store.set_job_state(&job.key, JobState::Cancelled, None, now)?;
    Ok(true)
}

/// Whether there can be no batch of a shard, and no answers that are not in the account.
fn runs_nowhere(shard: &ShardRecord) -> bool {
    use ShardState::{Planned, Rejected, Settled, Uploaded};
    // An upload alone costs nothing; in every other state there is, or may be, a batch.
    matches!(shard.state, Planned | Uploaded | Rejected | Settled)
}

/// Settles the rows of a shard that was never sent.
fn settle_unsent(
    store: &Store,
    folder: &JobFolder,
    job: &JobRecord,
    shard: &ShardRecord,
) -> Result<(), JobError> {
    let entries: Vec<_> =
        RowsReader::open(&folder.rows_file(&shard.stem()))?.collect::<Result<_, _>>()?;
    let mut known = HashSet::new();
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        let mine = store.outcomes_of_round(&job.key, shard.round, (first.row, last.row))?;
        known.extend(mine.iter().filter(|o| o.status == RowStatus::Skipped).map(|o| o.row));
    }
    let left = entries.iter().filter(|entry| !known.contains(&entry.row));
    let records: Vec<_> =
        left.map(|entry| cancelled(shard, entry, "cancelled before it was sent")).collect();
    Ok(store.settle_shard(&job.key, shard.id, &records)?)
}

/// The outcome of a row that nobody was asked about before a person stopped the job.
pub(super) fn cancelled(shard: &ShardRecord, entry: &RowEntry, words: &str) -> OutcomeRecord {
    OutcomeRecord {
        row: entry.row,
        round: shard.round,
        status: RowStatus::Cancelled,
        place: None,
        content_key: Some(entry.content_key),
        usage: None,
        cost: None,
        error: Some(words.to_owned()),
        class: None,
    }
}

impl Driver<'_> {
    /// Stops a job of which nothing runs at a provider, without a word to any; false if a batch is,
    /// or may be, left to wait for. Calls end with whoever made them: what they brought is kept.
    /// Whoever calls holds the lock.
    pub fn cancel_here(&self) -> Result<bool, JobError> {
        let shards = self.store.shards(&self.job.key)?;
        let is_called = |shard: &&ShardRecord| shard.state == ShardState::Calling;
        if !shards.iter().all(|shard| is_called(&shard) || runs_nowhere(shard)) {
            return Ok(false);
        }
        shards.iter().filter(is_called).try_for_each(|shard| self.cancel_calls(shard))?;
        cancel_unsent(self.store, self.folder, self.job, self.clock.unix())
    }

    /// Asks every running batch to stop, once, and settles what was never sent.
    pub(super) async fn cancel_all(&self, agenda: &mut Agenda) -> Result<(), JobError> {
        for shard in self.store.shards(&self.job.key)? {
            if matches!(
                shard.state,
                ShardState::Planned
                    | ShardState::Uploaded
                    | ShardState::Rejected
                    | ShardState::Deferred
            ) {
                settle_unsent(self.store, self.folder, self.job, &shard)?;
            }
            if shard.state == ShardState::Calling {
                self.cancel_calls(&shard)?;
            }
        }
        for (shard, create) in self.with_creates(&[ShardState::Running])? {
            if self.stop.cause().is_some() {
                break;
            }
            if self.store.has_cancelled(create.id)? {
                continue;
            }
            let call = self.store.begin_cancel(&self.job.key, create.id, self.clock.unix())?;
            let id = create.batch_id.clone().unwrap_or_default();
            let reply = tokio::select! {
                reply = self.api.cancel(&id) => reply,
                // The wish is recorded and the call may be repeated: the next run does.
                _ = self.stop.raised() => break,
            };
            let ended = match reply {
                Ok(_) => CallEnd { class: "ok", now: self.clock.unix(), ..CallEnd::default() },
                Err(error) => {
                    // A batch that ended meanwhile cannot be cancelled; the next question tells.
                    if error.failure.status != Some(CONFLICT) {
                        let text = format!("cancel of {}: {error}", shard.title());
                        self.complain(agenda, &text);
                    }
                    self.ended_badly(&error)
                }
            };
            self.store.end_call(call, &ended)?;
        }
        Ok(())
    }
}
