//! Driving a job from a command: the lock, the signals, the table now and then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::jobs::{Found, held};
use super::limits::{daily_budget, with_limits};
use super::members::chain_of_job;
use super::mode::finish;
use super::signals::Listening;
use super::tables::{Rewrite, write_job_table};
use super::who::{Need, Who, who_asked, who_of_job};
use crate::batch::FailureKind;
use crate::commands::Context;
use crate::config::key;
use crate::job::{DriveOptions, Driver, Ending, JobError, NoReport, Reporter, Stop};
use crate::request::Mode;
use crate::store::{CreateRecord, CreateState, JobState, Store};
use crate::table::Table;
use crate::ui::{CommandError, ExitCode};

/// How far a command drives.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Follow {
    /// Send shards that have no batch yet.
    pub(in crate::commands) submit: bool,
    /// Wait for the batches to end.
    pub(in crate::commands) wait: bool,
}

/// Drives a job as far as asked.
pub(in crate::commands) fn follow(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
    how: Follow,
) -> Result<Ending, CommandError> {
    Listening::begin(context)?;
    let _lock = match found.folder.lock() {
        Ok(lock) => lock,
        Err(crate::base::LockError::Held(holder)) => return Err(held(&found.job, &holder)),
        Err(error) => return Err(JobError::lock(found.job.short())(error).into()),
    };
    // Whoever held the lock until now may have finished it.
    match store.job_by_id(&found.job.key)?.map(|job| job.state) {
        Some(JobState::Done) => return Ok(Ending::Done),
        Some(JobState::Cancelled) => return Ok(Ending::Cancelled),
        _ => {}
    }
    require_same_account(context, store, found, who)?;
    let job = with_limits(context, store, found, who)?;
    let table = found.table()?;
    let stop = Arc::new(Stop::default());
    let reporter = context.reporter();
    let written = found.written_table()?;
    let rests = Mutex::new(Rests::of(found.spec.mode));
    let mean = || -> Result<(), CommandError> {
        let runs_at = runs_on(store, found)?.then_some(who.name.as_str());
        Ok(Listening::drive(context, &stop, found.job.short(), runs_at)?)
    };
    let on_settled = || {
        // Of a job that was begun in batches calls may be all that is left now.
        let _ = mean();
        let mut rests = rests.lock().unwrap_or_else(PoisonError::into_inner);
        if !rests.is_over() {
            return;
        }
        // A table in between is a convenience; its failure must not stop the run, and the final
        // one will tell.
        let started = Instant::now();
        if let Err(error) = write_job_table(context, store, found, &written, Rewrite::InBetween) {
            context.printer.warning(&format!("the table was not written now: {}", error.error));
        }
        rests.begin(started.elapsed());
    };
    let chain = chain_of_job(context, store, found, who)?;
    let driver = Driver {
        job: &job,
        chain: chain.as_ref(),
        options: options(context, found, who, how),
        on_settled: &on_settled,
        ..looker(context, store, found, who, (&table, &stop, reporter.as_ref()))
    };
    mean()?;
    let ending = context.block_on(driver.drive())?;
    let runs_at = runs_on(store, found)?.then_some(who.name.as_str());
    let about = (who.name.as_str(), runs_at);
    Listening::write(context, ending.as_ref().ok(), found.job.short(), about)?;
    drop(reporter);
    Ok(ending?)
}

/// Whether something of a job may run on at its provider when nobody drives it: anything but one of
/// which only calls are left.
fn runs_on(store: &Store, found: &Found) -> Result<bool, CommandError> {
    let shards = store.shards(&found.job.key)?;
    let mut open = shards.iter().filter(|shard| !shard.state.is_settled()).map(|shard| shard.mode);
    Ok(shards.iter().all(|shard| shard.state.is_settled()) || open.any(|mode| mode == Mode::Batch))
}

/// Keys are rotated, so another key may belong to the same account: then it knows the batches of
/// the job. One that does not would pay for the rest on another account and never see the
/// answers; nothing is sent with it.
pub(super) fn require_same_account(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
) -> Result<(), CommandError> {
    if found.job.account.is_empty() || found.job.account == who.account {
        return Ok(());
    }
    let proven = match store.batch_ids(&found.job.key)?.into_iter().next() {
        Some(batch) => match context.block_on(who.api.retrieve(&batch))? {
            Ok(_) => Ok(()),
            Err(error) if error.failure.kind == FailureKind::NotFound => {
                Err(format!("batch {batch}"))
            }
            Err(error) => return Err(JobError::from(error).into()),
        },
        // A create without a clear answer has left nothing but its file. In the listing of
        // another account it would be absent, and be paid for a second time.
        None => match lost_file(store, found)? {
            Some(file) if !knows_file(context, who, &file)? => Err(format!("file {file}")),
            _ => Ok(()),
        },
    };
    let Err(unknown) = proven else {
        // Keys are rotated: from now on this one is known to be of the account.
        return Ok(store.set_account(&found.job.key, &who.account)?);
    };
    Err(CommandError::message(
        ExitCode::Credentials,
        format!(
            "the key of {} that is set now does not know {unknown} of job {}",
            who.name,
            found.job.short()
        ),
    )
    .hint("set the key the job was submitted with, or another one of the same account"))
}

/// The input file of a create of which nobody knows whether it made a batch.
fn lost_file(store: &Store, found: &Found) -> Result<Option<String>, CommandError> {
    let is_lost = |create: &CreateRecord| {
        matches!(create.state, CreateState::Intended | CreateState::Unknown)
    };
    let mut creates = store.creates(&found.job.key)?.into_iter().filter(is_lost);
    Ok(creates.find_map(|create| create.file_id))
}

/// Whether the account has this file.
fn knows_file(context: &Context, who: &Who, file: &str) -> Result<bool, CommandError> {
    let mut after: Option<String> = None;
    loop {
        let page = context.block_on(who.api.list_files(after.as_deref()))?;
        let page = page.map_err(JobError::from)?;
        if page.items.iter().any(|item| item.id == file) {
            return Ok(true);
        }
        match page.next {
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => return Ok(false),
        }
    }
}

/// The rests between two tables written in between: each takes as long as all rows take, so a
/// job of many shards would be busy with nothing else.
#[derive(Debug)]
struct Rests {
    until: Option<Instant>,
    /// How many times as long as the writing took.
    factor: u32,
}

impl Rests {
    /// Calls need the processor themselves: while they are made there are fewer tables, and none
    /// of a job that is done soon.
    const BEFORE_CALLS: Duration = Duration::from_secs(10);

    fn of(mode: Mode) -> Self {
        match mode {
            Mode::Batch => Self { until: None, factor: 9 },
            Mode::Realtime => Self { until: Some(Instant::now() + Self::BEFORE_CALLS), factor: 49 },
        }
    }

    fn begin(&mut self, took: Duration) {
        self.until = Some(Instant::now() + took * self.factor);
    }

    fn is_over(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() >= until)
    }
}

/// Hands a driver of a job, whose lock is held meanwhile, to a body that makes single steps.
pub(in crate::commands) fn with_driver<T>(
    context: &Context,
    store: &Store,
    found: &Found,
    need: Need,
    body: impl FnOnce(&Driver<'_>) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let _lock = match found.folder.lock() {
        Ok(lock) => lock,
        Err(crate::base::LockError::Held(holder)) => return Err(held(&found.job, &holder)),
        Err(error) => return Err(JobError::lock(found.job.short())(error).into()),
    };
    let who = match need {
        Need::Key => who_of_job(context, found)?,
        Need::NoKey => who_asked(context, found)?,
    };
    if need == Need::Key {
        require_same_account(context, store, found, &who)?;
    }
    let table = found.table()?;
    let stop = Stop::default();
    let reporter = context.reporter();
    body(&looker(context, store, found, &who, (&table, &stop, reporter.as_ref())))
}

/// A driver that by itself neither sends nor waits.
fn looker<'a>(
    context: &'a Context,
    store: &'a Store,
    found: &'a Found,
    who: &'a Who,
    (table, stop, reporter): (&'a Table, &'a Stop, &'a dyn Reporter),
) -> Driver<'a> {
    Driver {
        store,
        api: who.api.as_ref(),
        chain: None,
        folder: &found.folder,
        spec: &found.spec,
        table,
        job: &found.job,
        clock: context.clock.as_ref(),
        reporter,
        stop,
        options: options(context, found, who, Follow { submit: false, wait: false }),
        on_settled: &|| {},
    }
}

/// Asks once how a job's batches stand and records it; whoever calls holds the lock.
pub(super) fn ask_once(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
) -> Result<(), CommandError> {
    let table = found.table()?;
    let stop = Stop::default();
    let driver = looker(context, store, found, who, (&table, &stop, &NoReport));
    match context.block_on(driver.ask_once())??.first() {
        Some(failed) => Err(CommandError::message(ExitCode::Unexpected, failed.to_string())),
        None => Ok(()),
    }
}

fn options(context: &Context, found: &Found, who: &Who, how: Follow) -> DriveOptions {
    let settings = &context.settings;
    // What is said now comes before what was said when the job was planned.
    let rounds = rounds(context).or(found.spec.rounds).unwrap_or(ROUNDS);
    DriveOptions {
        check_interval: settings.get(key::CHECK_INTERVAL).unwrap_or(who.check_interval),
        max_wait: settings.get(key::MAX_WAIT),
        submit: how.submit,
        wait: how.wait,
        parallel_uploads: usize::try_from(settings.get(key::PARALLEL_UPLOADS)).unwrap_or(1),
        max_enqueued_tokens: settings.get(key::MAX_ENQUEUED_TOKENS),
        published_enqueued_tokens: who.published_queue,
        rounds,
        reasks: if settings.get(key::FINISH) == "none" { 0 } else { found.spec.reask },
        finish: finish(context, found.spec.mode),
        abort_share: settings.get(key::ABORT_SHARE),
        daily_budget: daily_budget(context, found, who),
    }
}

/// How many rounds a row may run in where nobody says it.
pub(super) const ROUNDS: u32 = 3;

/// How many rounds a row may run in, as the settings say it.
pub(super) fn rounds(context: &Context) -> Option<u32> {
    if context.settings.get(key::FINISH) == "none" {
        return Some(1);
    }
    let rounds = context.settings.get(key::ROUNDS)?;
    Some(u32::try_from(rounds).unwrap_or(u32::MAX).max(1))
}

/// The longest pause between two questions where nobody sets one.
pub(super) fn default_interval(provider: &str) -> Duration {
    match provider {
        "sandbox" => Duration::from_millis(500),
        "zhipu" | "zai" => Duration::from_secs(30),
        _ => Duration::from_secs(60),
    }
}
