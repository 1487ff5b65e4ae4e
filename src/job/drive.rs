//! Driving a job: from wherever the ledger says it stands to its end. Every step is recorded
//! before the next is taken, so a driver may be killed anywhere and another one goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::fetch::Fetched;
use super::poll::{Pauses, last_seen};
use super::submit::Sent;
use super::{Event, JobError, JobFolder, Reporter, Spec, Stop, StopCause};
use crate::base::Clock;
use crate::batch::{ErrorWords, Failure, FailureKind};
use crate::provider::{BatchApi, CallClass, CallError};
use crate::store::{CreateRecord, JobRecord, JobState, ShardRecord, ShardState, Store};
use crate::table::Table;

/// How often a wait looks for a wish to cancel from another terminal.
const GLANCE: Duration = Duration::from_secs(1);

/// How far to drive.
#[derive(Debug, Clone)]
pub struct DriveOptions {
    /// Longest pause between two rounds of questions.
    pub check_interval: Duration,
    /// Stop waiting after this long; the job goes on remotely.
    pub max_wait: Option<Duration>,
    /// Send shards that have no batch yet.
    pub submit: bool,
    /// Wait for batches to end; otherwise ask once and fetch what has ended.
    pub wait: bool,
    /// Shards on their way at once.
    pub parallel_uploads: usize,
}

/// How a drive ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Every row has its outcome.
    Done,
    /// A person stopped the job; what had finished is collected.
    Cancelled,
    /// Not asked to wait, or waited long enough; batches still run.
    Waiting,
    /// A signal stopped it.
    Stopped(StopCause),
    /// The provider refused; nothing more is sent.
    Refused(Failure),
    /// The provider cannot be reached.
    Unreachable(Failure),
    /// Nobody knows whether a batch exists; a person must decide.
    NeedsOperator(String),
}

/// Everything a drive works with.
pub struct Driver<'a> {
    /// The account.
    pub store: &'a Store,
    /// The provider.
    pub api: &'a dyn BatchApi,
    /// The job's files.
    pub folder: &'a JobFolder,
    /// What was asked.
    pub spec: &'a Spec,
    /// The job's own copy of the table.
    pub table: &'a Table,
    /// The job.
    pub job: &'a JobRecord,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
    /// The wish to stop.
    pub stop: &'a Stop,
    /// How far to go.
    pub options: DriveOptions,
    /// Called when shards were settled and others are still open: the table is written now and
    /// then, with `pending` for what is open.
    pub on_settled: &'a (dyn Fn() + Sync),
}

impl Driver<'_> {
    /// Drives the job and records where it stands at the end.
    pub async fn drive(&self) -> Result<Ending, JobError> {
        self.set_state(JobState::Running, None)?;
        let ending = self.run().await;
        let (state, reason) = match &ending {
            Ok(Ending::Done) => (JobState::Done, None),
            Ok(Ending::Cancelled) => (JobState::Cancelled, None),
            Ok(Ending::Waiting) => (JobState::Waiting, Some("its batches run".to_owned())),
            Ok(Ending::Stopped(_)) => (JobState::Waiting, Some("stopped by a signal".to_owned())),
            Ok(Ending::Refused(failure)) => {
                (JobState::Waiting, Some(format!("refused: {}", failure.message)))
            }
            Ok(Ending::Unreachable(failure)) => {
                (JobState::Waiting, Some(format!("not reachable: {}", failure.message)))
            }
            Ok(Ending::NeedsOperator(why)) => (JobState::NeedsOperator, Some(why.clone())),
            Err(error) => (JobState::Waiting, Some(error.to_string())),
        };
        let recorded = self.set_state(state, reason.as_deref());
        let ending = ending?;
        recorded?;
        Ok(ending)
    }

    /// Asks once how the running batches stand and records it, without driving anything on.
    /// Returns the calls that failed.
    pub async fn ask_once(&self) -> Result<Vec<CallError>, JobError> {
        self.poll().await
    }

    async fn run(&self) -> Result<Ending, JobError> {
        // After an unclear create nothing more is sent, but what runs is still collected.
        let may_send = self.options.submit && self.unclear_create()?.is_none();
        let mut is_first = true;
        let mut pauses = Pauses::up_to(self.options.check_interval);
        let mut waited = Duration::ZERO;
        loop {
            if self.store.is_cancel_wished(&self.job.key)? {
                self.cancel_all().await?;
            } else if may_send && let Some(ending) = self.submit_open(is_first).await? {
                return Ok(ending);
            }
            is_first = false;
            let failed = tokio::select! {
                failed = self.poll() => failed?,
                cause = self.stop.raised() => return Ok(Ending::Stopped(cause)),
            };
            if let Some(ending) = self.stops_waiting(&failed) {
                return Ok(ending);
            }
            if let Some(ending) = self.fetch_ended().await? {
                return Ok(ending);
            }
            if let Some(ending) = self.ending()? {
                return Ok(ending);
            }
            if may_send && self.has_unsent()? {
                continue;
            }
            if !self.options.submit && !self.is_running()? {
                return Ok(Ending::Waiting);
            }
            let pause = pauses.next().expect("pauses never end");
            let pause =
                self.options.max_wait.map_or(pause, |most| pause.min(most.saturating_sub(waited)));
            self.report_round(&failed, pause)?;
            if !self.options.wait || pause.is_zero() {
                return Ok(Ending::Waiting);
            }
            if let Some(cause) = self.pause(pause).await {
                return Ok(Ending::Stopped(cause));
            }
            waited += pause;
        }
    }

    /// A create whose end nobody knows: its answer was not clear, or the process died in it.
    fn unclear_create(&self) -> Result<Option<String>, JobError> {
        for state in [ShardState::Creating, ShardState::Unknown] {
            if let Some((shard, create)) = self.with_creates(state)?.into_iter().next() {
                return Ok(Some(unclear(&shard, &create)));
            }
        }
        Ok(None)
    }

    /// Sends what has no batch yet, a few at a time; the first one that cannot be sent ends it.
    /// What was refused goes out again once per run, when it begins: a person may have mended it.
    async fn submit_open(&self, is_first: bool) -> Result<Option<Ending>, JobError> {
        let open: Vec<_> = self
            .store
            .shards(&self.job.key)?
            .into_iter()
            .filter(|shard| match shard.state {
                ShardState::Planned | ShardState::Uploaded => true,
                ShardState::Rejected => is_first,
                _ => false,
            })
            .collect();
        let halted = AtomicBool::new(false);
        let mut sending = stream::iter(&open)
            .map(|shard| {
                let halted = &halted;
                async move { (shard, self.send(shard, halted).await) }
            })
            .buffer_unordered(self.options.parallel_uploads.max(1));
        let mut ending = None;
        // Heard out to the end: a create that has begun must not be dropped in mid-air. What has
        // not begun sees the flag and stays.
        while let Some((shard, sent)) = sending.next().await {
            let bad = match sent {
                Ok(Sent::Created | Sent::Nothing | Sent::FileGone) => continue,
                Ok(Sent::Stopped) => self.stop.cause().map(|cause| Ok(Ending::Stopped(cause))),
                Ok(Sent::Refused(failure)) => Some(Ok(Ending::Refused(failure))),
                Ok(Sent::Unreachable(failure)) => Some(Ok(Ending::Unreachable(failure))),
                Ok(Sent::Unclear(create)) => {
                    Some(Ok(Ending::NeedsOperator(unclear(shard, &create))))
                }
                Err(error) => Some(Err(error)),
            };
            halted.store(true, Ordering::SeqCst);
            ending = worse(ending, bad);
        }
        ending.transpose()
    }

    async fn fetch_ended(&self) -> Result<Option<Ending>, JobError> {
        let mut ended = self.with_creates(ShardState::Stored)?;
        ended.extend(self.with_creates(ShardState::Ended)?);
        let mut settled = false;
        let mut bad = None;
        for (shard, create) in ended {
            let Some(batch) = last_seen(&create) else { continue };
            let new = match self.collect(&shard, &create, batch).await {
                Ok(Fetched::Settled) => {
                    settled = true;
                    continue;
                }
                Ok(Fetched::Later) => continue,
                Ok(Fetched::Odd(why)) => Some(Ok(Ending::NeedsOperator(why))),
                Ok(Fetched::Failed(error)) if error.is_local() => Some(Err(error.into())),
                Ok(Fetched::Failed(error)) => {
                    self.warn(&format!("results of shard {}: {error}", shard.number));
                    self.gives_up(error)?.map(Ok)
                }
                Ok(Fetched::Stopped) => self.stop.cause().map(|cause| Ok(Ending::Stopped(cause))),
                Err(error) => Some(Err(error)),
            };
            bad = worse(bad, new);
            if matches!(bad, Some(Err(_) | Ok(Ending::Stopped(_)))) {
                break;
            }
        }
        if settled && self.ending()?.is_none() {
            (self.on_settled)();
        }
        bad.transpose()
    }

    /// Whether a failed download ends the run: a refusal does once nothing else runs, any other
    /// failure passes and is waited out.
    fn gives_up(&self, error: CallError) -> Result<Option<Ending>, JobError> {
        let others_run = self.options.wait && !self.with_creates(ShardState::Running)?.is_empty();
        Ok(match error.class {
            _ if error.failure.stops_the_account() => Some(Ending::Refused(error.failure)),
            CallClass::Rejected if !others_run => Some(Ending::Refused(error.failure)),
            _ if !self.options.wait => Some(Ending::Unreachable(error.failure)),
            _ => None,
        })
    }

    /// Whether the job is over, and how. While batches run, a watcher waits for them first: their
    /// answers are worth having whatever became of the others.
    fn ending(&self) -> Result<Option<Ending>, JobError> {
        let waits = self.options.wait && self.is_running()?;
        if let Some(why) = self.unclear_create()? {
            let tells_now = self.options.submit || !waits;
            return Ok(tells_now.then_some(Ending::NeedsOperator(why)));
        }
        let shards = self.store.shards(&self.job.key)?;
        if let Some(refused) = shards.iter().find(|shard| shard.state == ShardState::Rejected) {
            let words = refused.detail.clone().unwrap_or_else(|| "no reason given".to_owned());
            let words = ErrorWords { message: words, ..ErrorWords::default() };
            return Ok((!waits).then(|| Ending::Refused(words.into_failure(None, None))));
        }
        if !shards.iter().all(|shard| shard.state.is_settled()) {
            return Ok(None);
        }
        let cancelled = self.store.is_cancel_wished(&self.job.key)?;
        Ok(Some(if cancelled { Ending::Cancelled } else { Ending::Done }))
    }

    /// Whether a shard can be moved on without waiting for the provider.
    fn has_unsent(&self) -> Result<bool, JobError> {
        let shards = self.store.shards(&self.job.key)?;
        Ok(shards.iter().any(|shard| shard.state == ShardState::Planned))
    }

    /// Whether a batch of the job has not ended or has not been collected.
    fn is_running(&self) -> Result<bool, JobError> {
        let shards = self.store.shards(&self.job.key)?;
        Ok(shards.iter().any(|shard| {
            matches!(shard.state, ShardState::Running | ShardState::Ended | ShardState::Stored)
        }))
    }

    fn report_round(&self, failed: &[CallError], pause: Duration) -> Result<(), JobError> {
        let next_check = self.options.wait.then_some(pause);
        if let Some(error) = failed.first() {
            let text = error.to_string();
            self.reporter.report(&Event::PollFailed { text, next_check });
        }
        self.report_progress(next_check)
    }

    /// Waits; a signal ends the wait and is returned, a wish to cancel only ends the wait.
    pub(super) async fn pause(&self, duration: Duration) -> Option<StopCause> {
        let mut left = duration;
        while !left.is_zero() {
            let slice = left.min(GLANCE);
            tokio::select! {
                () = self.clock.sleep(slice) => {}
                cause = self.stop.raised() => return Some(cause),
            }
            left -= slice;
            if self.store.is_cancel_wished(&self.job.key).unwrap_or(false) {
                break;
            }
        }
        self.stop.cause()
    }

    /// Whether no new call that sends something may begin.
    pub(super) fn is_stopping(&self) -> Result<bool, JobError> {
        Ok(self.stop.cause().is_some() || self.store.is_cancel_wished(&self.job.key)?)
    }

    pub(super) fn with_creates(
        &self,
        state: ShardState,
    ) -> Result<Vec<(ShardRecord, CreateRecord)>, JobError> {
        let mut creates: BTreeMap<i64, CreateRecord> =
            self.store.creates(&self.job.key)?.into_iter().map(|c| (c.shard, c)).collect();
        let shards = self.store.shards(&self.job.key)?;
        Ok(shards
            .into_iter()
            .filter(|shard| shard.state == state)
            .filter_map(|shard| creates.remove(&shard.id).map(|create| (shard, create)))
            .collect())
    }

    pub(super) fn shard_count(&self) -> u64 {
        self.store.shards(&self.job.key).map_or(0, |shards| shards.len() as u64)
    }

    pub(super) fn warn(&self, text: &str) {
        self.reporter.report(&Event::Warning { text: text.to_owned() });
    }

    /// Which failed questions make waiting useless: a refused key, an id that the account does not
    /// know; any, where nobody waits and nothing was sent. Everything else passes.
    fn stops_waiting(&self, failed: &[CallError]) -> Option<Ending> {
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

    fn set_state(&self, state: JobState, reason: Option<&str>) -> Result<(), JobError> {
        Ok(self.store.set_job_state(&self.job.key, state, reason, self.clock.unix())?)
    }
}

/// Of two endings of one round of sends the one that a person must know about: a batch that may
/// exist comes before a refusal, a refusal before a stop.
fn worse(
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

fn unclear(shard: &ShardRecord, create: &CreateRecord) -> String {
    format!(
        "no clear answer to the create of shard {} (batchctl={} in the batch's metadata, input \
         file {})",
        shard.number,
        create.key,
        create.file_id.as_deref().unwrap_or("unknown")
    )
}
