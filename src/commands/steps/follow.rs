//! Driving a job from a command: the lock, the signals, the table now and then.

use std::sync::Arc;
use std::time::Duration;

use super::jobs::{Found, held};
use super::tables::{Rewrite, write_job_table};
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::job::{DriveOptions, Driver, Ending, JobError, NoReport, Stop, StopCause};
use crate::store::Store;
use crate::ui::{CommandError, ExitCode, Printer};

/// How far a command drives.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Follow {
    /// Send shards that have no batch yet.
    pub(in crate::commands) submit: bool,
    /// Wait for the batches to end.
    pub(in crate::commands) wait: bool,
}

/// Drives a job as far as asked and writes its table.
pub(in crate::commands) fn follow(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
    how: Follow,
) -> Result<Ending, CommandError> {
    let _lock = match found.folder.lock() {
        Ok(lock) => lock,
        Err(crate::base::LockError::Held(holder)) => return Err(held(&found.job, &holder)),
        Err(error) => return Err(JobError::lock(found.job.short())(error).into()),
    };
    let table = found.table()?;
    let stop = Arc::new(Stop::default());
    let reporter = context.reporter();
    let on_settled = || {
        // A table in between is a convenience; its failure must not stop the run, and the final
        // one will tell.
        if let Err(error) = write_job_table(context, store, found, &table, Rewrite::InBetween) {
            context.printer.warning(&format!("the table was not written now: {}", error.error));
        }
    };
    let driver = Driver {
        store,
        api: who.api.as_ref(),
        folder: &found.folder,
        spec: &found.spec,
        table: &table,
        job: &found.job,
        clock: context.clock.as_ref(),
        reporter: reporter.as_ref(),
        stop: &stop,
        options: options(context, who, how),
        on_settled: &on_settled,
    };
    let ending = context.block_on(async {
        let listening = tokio::spawn(listen(
            stop.clone(),
            context.printer.clone(),
            found.job.short().to_owned(),
            who.name.clone(),
        ));
        let ending = driver.drive().await;
        listening.abort();
        ending
    })?;
    drop(reporter);
    Ok(ending?)
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
    let driver = Driver {
        store,
        api: who.api.as_ref(),
        folder: &found.folder,
        spec: &found.spec,
        table: &table,
        job: &found.job,
        clock: context.clock.as_ref(),
        reporter: &NoReport,
        stop: &stop,
        options: options(context, who, Follow { submit: false, wait: false }),
        on_settled: &|| {},
    };
    match context.block_on(driver.ask_once())??.first() {
        Some(failed) => Err(CommandError::message(ExitCode::Unexpected, failed.to_string())),
        None => Ok(()),
    }
}

fn options(context: &Context, who: &Who, how: Follow) -> DriveOptions {
    let settings = &context.settings;
    DriveOptions {
        check_interval: settings.get(key::CHECK_INTERVAL).unwrap_or(who.check_interval),
        max_wait: settings.get(key::MAX_WAIT),
        submit: how.submit,
        wait: how.wait,
        parallel_uploads: usize::try_from(settings.get(key::PARALLEL_UPLOADS)).unwrap_or(1),
    }
}

/// Waits for signals: the first stops new work, the second ends the process at once. Remote
/// batches are never cancelled by a signal.
async fn listen(stop: Arc<Stop>, printer: Printer, job: String, provider: String) {
    let cause = next_signal().await;
    stop.raise(cause);
    printer.warning("stopping; a second Ctrl-C ends at once");
    let cause = next_signal().await;
    printer.important(&format!(
        "what was sent to {provider} still runs and still costs\n\
         go on:   batchctl resume {job}\nstop it: batchctl cancel {job}"
    ));
    let exit = match cause {
        StopCause::Interrupt => ExitCode::Interrupted,
        StopCause::Terminate => ExitCode::Terminated,
    };
    #[expect(clippy::exit, reason = "the second signal means now; every step is recorded")]
    std::process::exit(exit.code().into());
}

#[cfg(unix)]
async fn next_signal() -> StopCause {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).expect("a handler for a standard signal can be set");
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    let mut hangup = listen(SignalKind::hangup());
    tokio::select! {
        _ = interrupt.recv() => StopCause::Interrupt,
        _ = terminate.recv() => StopCause::Terminate,
        _ = hangup.recv() => StopCause::Terminate,
    }
}

#[cfg(not(unix))]
async fn next_signal() -> StopCause {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    StopCause::Interrupt
}

/// The longest pause between two questions where nobody sets one.
pub(super) fn default_interval(provider: &str) -> Duration {
    match provider {
        "sandbox" => Duration::from_millis(500),
        "zhipu" | "zai" => Duration::from_secs(30),
        _ => Duration::from_secs(60),
    }
}
