//! Asking how batches stand. Only the provider's own words change what is recorded; a failed
//! question changes nothing and is asked again.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::drive::Driver;
use super::{Event, JobError};
use crate::batch::{Batch, BatchStatus};
use crate::provider::{CallClass, CallError};
use crate::store::{CallKind, CreateRecord, ShardRecord, ShardState};

/// Questions under way at once: enough for hundreds of shards, too few to trip a limit.
const AT_ONCE: usize = 4;

/// Running batches above which the listing is read instead of asking after each.
const MANY: usize = 20;
/// Batches a page of the listing.
const A_PAGE: u32 = 100;
/// Pages that are read beyond those that the running batches fill by themselves: others of the
/// same account stand in between.
const SPARE_PAGES: usize = 2;

/// A shard with the create whose batch is asked after.
type Asked = (ShardRecord, CreateRecord);

/// The pauses between two rounds of questions: short at first, for small batches end in seconds,
/// then the interval that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Pauses {
    next: Duration,
    most: Duration,
}

impl Pauses {
    /// Pauses of 5, 10, 20, 40 seconds and so on, up to the given interval.
    pub(super) fn up_to(most: Duration) -> Self {
        Self { next: Duration::from_secs(5).min(most), most }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.next = (self.next * 2).min(self.most);
        Some(pause)
    }
}

/// The batches of a job as last heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Batches by state; a batch with an unknown word counts as in progress.
    pub batches: BTreeMap<BatchStatus, u64>,
    /// Requests answered.
    pub completed: u64,
    /// Requests failed.
    pub failed: u64,
    /// Requests in all.
    pub total: u64,
    /// The first batch still running, else the first.
    pub batch: Option<String>,
}

impl Progress {
    /// Adds one shard, with its batch where it has one.
    pub fn add(&mut self, shard: &ShardRecord, batch: Option<&Batch>) {
        self.total += shard.rows;
        let Some(batch) = batch else { return };
        let status = batch.status.unwrap_or(BatchStatus::InProgress);
        *self.batches.entry(status).or_default() += 1;
        self.completed += batch.counts.completed.unwrap_or(0).min(shard.rows);
        self.failed += batch.counts.failed.unwrap_or(0).min(shard.rows);
        if self.batch.is_none() || !status.is_terminal() {
            self.batch = Some(batch.id.clone());
        }
    }
}

/// The stored form of what a provider said of a batch.
pub(super) fn as_json(batch: &Batch) -> String {
    serde_json::to_string(batch).expect("a batch is plain data")
}

/// What a provider last said of the batch of a create.
pub fn last_seen(create: &CreateRecord) -> Option<Batch> {
    serde_json::from_str(create.reply.as_deref()?).ok()
}

impl Driver<'_> {
    /// Asks once after every running batch. Returns the calls that failed.
    pub(super) async fn poll(&self) -> Result<Vec<CallError>, JobError> {
        let mut running: Vec<_> = self.with_creates(&[ShardState::Running])?;
        if running.len() > MANY {
            match self.read_listing(running).await? {
                Ok(rest) => running = rest,
                Err(error) => return Ok(vec![error]),
            }
        }
        let mut replies = stream::iter(running)
            .map(|(shard, create)| async move {
                let id = create.batch_id.clone().unwrap_or_default();
                (shard, create, self.api.retrieve(&id).await)
            })
            .buffer_unordered(AT_ONCE);
        let mut failed = Vec::new();
        while let Some((shard, create, reply)) = replies.next().await {
            match reply {
                Ok(batch) => self.take_note(&shard, &create, &batch)?,
                Err(error) => {
                    self.log_failure(CallKind::Poll, Some(create.id), &error)?;
                    failed.push(error);
                }
            }
        }
        Ok(failed)
    }

    /// Reads how batches stand from the newest pages of the provider's listing, and returns those
    /// that are not on them: one call for a hundred batches instead of a hundred calls.
    async fn read_listing(
        &self,
        running: Vec<Asked>,
    ) -> Result<Result<Vec<Asked>, CallError>, JobError> {
        let pages = running.len() / A_PAGE as usize + SPARE_PAGES;
        let id_of = |asked: &Asked| asked.1.batch_id.clone().unwrap_or_default();
        let mut open: HashMap<String, Asked> =
            running.into_iter().map(|asked| (id_of(&asked), asked)).collect();
        let mut after = None;
        for _ in 0..pages {
            let page = match self.api.list(after.as_deref(), A_PAGE).await {
                Ok(page) => page,
                // No listing here, or not for this key: each is asked after by itself.
                Err(error) if error.class == CallClass::Rejected => break,
                Err(error) => {
                    self.log_failure(CallKind::List, None, &error)?;
                    return Ok(Err(error));
                }
            };
            for batch in page.items {
                // A listing may leave out why a batch failed.
                let is_short = batch.status == Some(BatchStatus::Failed) && batch.errors.is_empty();
                if is_short {
                    continue;
                }
                if let Some((shard, create)) = open.remove(&batch.id) {
                    self.take_note(&shard, &create, &batch)?;
                }
            }
            after = page.next;
            if open.is_empty() || after.is_none() {
                break;
            }
        }
        Ok(Ok(open.into_values().collect()))
    }

    pub(super) fn take_note(
        &self,
        shard: &ShardRecord,
        create: &CreateRecord,
        batch: &Batch,
    ) -> Result<(), JobError> {
        let now = self.clock.unix();
        let reply = as_json(batch);
        if create.updated == now && create.reply.as_deref() == Some(&reply) {
            // Heard in this very second already.
            return Ok(());
        }
        let changed = self.store.batch_seen(create.id, &reply, &batch.status_word, now)?;
        let Some(status) = batch.status else {
            if changed && create.status_word.as_deref() != Some(&batch.status_word) {
                self.warn(&format!(
                    "batch {} has the unknown status {:?}; waiting on",
                    batch.id, batch.status_word
                ));
            }
            return Ok(());
        };
        if status.is_terminal() {
            self.store.set_shard_state(shard.id, ShardState::Ended, None)?;
        }
        Ok(())
    }

    /// The job's batches as last heard of.
    pub(super) fn progress(&self) -> Result<Progress, JobError> {
        let mut progress =
            Progress { batch: self.store.shown_batch(&self.job.key)?, ..Progress::default() };
        for seen in self.store.seen(&self.job.key)? {
            progress.total += seen.rows;
            progress.completed += seen.completed;
            progress.failed += seen.failed;
            if let Some(status) = seen.status {
                let status = status.unwrap_or(BatchStatus::InProgress);
                *progress.batches.entry(status).or_default() += seen.batches;
            }
        }
        Ok(progress)
    }

    pub(super) fn report_progress(&self, next_check: Option<Duration>) -> Result<(), JobError> {
        let progress = self.progress()?;
        self.reporter.report(&Event::Polled {
            job: self.job.short().to_owned(),
            batches: progress.batches.into_iter().collect(),
            completed: progress.completed,
            failed: progress.failed,
            total: progress.total,
            next_check,
            batch: progress.batch,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_interval_and_never_pass_it() {
        let seconds = |most: u64| -> Vec<u64> {
            Pauses::up_to(Duration::from_secs(most)).take(6).map(|d| d.as_secs()).collect()
        };
        assert_eq!(seconds(60), [5, 10, 20, 40, 60, 60], "S1.06");
        assert_eq!(seconds(2), [2; 6]);
    }
}
