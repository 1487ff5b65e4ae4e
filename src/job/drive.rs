//! Driving a job: from wherever the ledger says it stands to its end. Every step is recorded
//! before the next is taken, so a driver may be killed anywhere and another one goes on.

use std::time::Duration;

use super::agenda::Agenda;
use super::budget::{DailyBudget, OverBudget};
use super::{Chain, Event, JobError, JobFolder, Reporter, Spec, Stop, StopCause};
use crate::base::Clock;
use crate::batch::Failure;
use crate::provider::{BatchApi, CallError};
use crate::request::Mode;
use crate::store::{CreateRecord, JobRecord, JobState, ShardRecord, ShardState, Store};
use crate::table::Table;

/// How often a wait looks for a wish to cancel from another terminal.
const GLANCE: Duration = Duration::from_secs(1);

/// A glance that took this much longer by the wall clock was a suspended machine.
const SUSPENDED: i64 = 30;

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
    /// The most prompt tokens that may be queued, where the user says it.
    pub max_enqueued_tokens: Option<u64>,
    /// The same as published for the account's tier; a refusal's own words come before it.
    pub published_enqueued_tokens: Option<u64>,
    /// Rounds a row may run in before it stays as it is: 1 is no further round.
    pub rounds: u32,
    /// How often a row is asked again whose answer is not the JSON that is wanted; these rounds are
    /// beside the others.
    pub reasks: u32,
    /// How rows that a batch left go out again.
    pub finish: Mode,
    /// Nothing more is sent once more than this share of a shard's rows failed; 1 is never.
    pub abort_share: f64,
    /// What all jobs of this home may cost in one day.
    pub daily_budget: DailyBudget,
}

/// How a drive ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Every row has its outcome.
    Done,
    /// Every row has its outcome, and this many would go out again by themselves; whoever drove
    /// may not send.
    Leftovers(u64),
    /// A person stopped the job; what had finished is collected.
    Cancelled,
    /// Too many rows of a shard failed: nothing more is sent until a person has seen it.
    Halted(String),
    /// The next shard could pass a limit of money or requests; what ran is collected.
    OverBudget(OverBudget),
    /// Not asked to wait, or waited long enough; batches still run.
    Waiting,
    /// Nobody waits, and it is not yet known whether a batch exists: it is looked for by the next
    /// run, and nothing is sent again before.
    Unclear(String),
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
    /// Who is asked by calls; without it no rows are called.
    pub chain: Option<&'a Chain<'a>>,
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
            Ok(Ending::Leftovers(rows)) => {
                (JobState::Waiting, Some(format!("{rows} rows are to go out again")))
            }
            Ok(Ending::Waiting) => (JobState::Waiting, Some(self.why_waiting()?)),
            Ok(Ending::Unclear(why) | Ending::Halted(why)) => {
                (JobState::Waiting, Some(why.clone()))
            }
            Ok(Ending::OverBudget(over)) => {
                (JobState::Waiting, Some(over.sentence(self.job.short())))
            }
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
        if matches!(ending, Ending::Halted(_) | Ending::Refused(_)) {
            self.store.halt_is_told(&self.job.key)?;
        }
        recorded?;
        Ok(ending)
    }

    /// Asks once how the running batches stand and records it, without driving anything on.
    /// Returns the calls that failed.
    pub async fn ask_once(&self) -> Result<Vec<CallError>, JobError> {
        self.poll().await
    }

    async fn run(&self) -> Result<Ending, JobError> {
        self.heed_halt()?;
        let mut agenda = Agenda::new(&self.options, self.clock.instant());
        loop {
            if self.store.is_cancel_wished(&self.job.key)? {
                self.cancel_all(&mut agenda).await?;
            } else if self.options.submit
                && let Some(ending) = self.send_open(&mut agenda).await?
            {
                return Ok(ending);
            } else {
                self.sweep_while_waiting(&mut agenda).await?;
            }
            if self.options.submit
                && !self.is_stopping()?
                && let Some(ending) = self.call_open()?
            {
                return Ok(ending);
            }
            if let Some(ending) = self.look_and_collect(&mut agenda).await? {
                return Ok(ending);
            }
            if self.options.submit
                && !(self.shards_to_send(&agenda)?.is_empty() && self.shards_to_call()?.is_empty())
            {
                continue;
            }
            if self.only_lacks_calls()? {
                return Ok(Ending::Waiting);
            }
            if !self.options.submit && !self.is_running()? {
                return Ok(Ending::Waiting);
            }
            if let Some(ending) = self.wait(&mut agenda).await? {
                return Ok(ending);
            }
        }
    }

    /// Everything but sending: lost batches are looked for, running ones asked after, ended ones
    /// collected. Returns how the run ends, if it does.
    async fn look_and_collect(&self, agenda: &mut Agenda) -> Result<Option<Ending>, JobError> {
        tokio::select! {
            searched = self.search(agenda) => searched?,
            cause = self.stop.raised() => return Ok(Some(Ending::Stopped(cause))),
        }
        let failed = tokio::select! {
            failed = self.poll() => failed?,
            cause = self.stop.raised() => return Ok(Some(Ending::Stopped(cause))),
        };
        if let Some(ending) = self.stops_waiting(&failed) {
            return Ok(Some(ending));
        }
        agenda.failed = failed;
        let deferred = self.count(ShardState::Deferred)?;
        let (ending, has_settled) = self.fetch_ended(agenda).await?;
        if self.count(ShardState::Deferred)? > deferred {
            self.hold(agenda)?;
        } else if has_settled {
            agenda.has_collected();
        }
        if ending.is_some() {
            return Ok(ending);
        }
        tokio::select! {
            seen = self.see_to_surplus(agenda) => seen?,
            cause = self.stop.raised() => return Ok(Some(Ending::Stopped(cause))),
        }
        if self.plan_next_round()? {
            (self.on_settled)();
            return Ok(None);
        }
        self.ending()
    }

    fn why_waiting(&self) -> Result<String, JobError> {
        Ok(match self.unsent()? {
            0 => "its batches run".to_owned(),
            1 => "1 shard is not sent yet".to_owned(),
            shards => format!("{shards} shards are not sent yet"),
        })
    }

    /// Pauses until there is something to do; `Some` where nobody wants to wait any longer.
    async fn wait(&self, agenda: &mut Agenda) -> Result<Option<Ending>, JobError> {
        let pause = agenda.pause(self.clock.instant());
        self.report_round(agenda, pause)?;
        self.tell_waiting(agenda)?;
        if !self.options.wait || pause.is_zero() {
            return Ok(Some(self.searches_for()?.map_or(Ending::Waiting, Ending::Unclear)));
        }
        if let Some(cause) = self.pause(pause).await {
            return Ok(Some(Ending::Stopped(cause)));
        }
        agenda.has_waited(pause);
        Ok(None)
    }

    fn report_round(&self, agenda: &mut Agenda, pause: Duration) -> Result<(), JobError> {
        let next_check = self.options.wait.then_some(pause);
        let failed = agenda.failed.first().map(CallError::to_string);
        let now = self.clock.instant();
        if let Some(text) = failed.and_then(|text| agenda.told.tell(&text, now)) {
            self.reporter.report(&Event::PollFailed { text, next_check });
        }
        self.report_progress(next_check)
    }

    /// Waits; a signal ends the wait and is returned. A wish to cancel and a machine that was
    /// suspended meanwhile only end the wait: what was to be done after it is due now.
    pub(super) async fn pause(&self, duration: Duration) -> Option<StopCause> {
        let mut left = duration;
        while !left.is_zero() {
            let slice = left.min(GLANCE);
            let before = self.clock.unix();
            tokio::select! {
                () = self.clock.sleep(slice) => {}
                cause = self.stop.raised() => return Some(cause),
            }
            left -= slice;
            if self.clock.unix() - before > SUSPENDED {
                break;
            }
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
        states: &[ShardState],
    ) -> Result<Vec<(ShardRecord, CreateRecord)>, JobError> {
        Ok(self.store.shards_with_creates(&self.job.key, states)?)
    }

    pub(super) fn shard_count(&self) -> u64 {
        self.store.shards_in_all(&self.job.key).unwrap_or(0)
    }

    pub(super) fn warn(&self, text: &str) {
        self.reporter.report(&Event::Warning { text: text.to_owned() });
    }

    fn set_state(&self, state: JobState, reason: Option<&str>) -> Result<(), JobError> {
        Ok(self.store.set_job_state(&self.job.key, state, reason, self.clock.unix())?)
    }
}
