//! Ctrl-C and its kin while a job is driven. The first one stops new work, the second ends the
//! process at once. Remote batches are never cancelled by a signal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::job::{Stop, StopCause};
use crate::ui::{ExitCode, Printer};

/// Listens until the process ends; a signal must not be lost while the table is written.
pub(super) struct Listening {
    is_driving: Arc<AtomicBool>,
}

impl Listening {
    /// Takes the signals over from now on.
    pub(super) fn begin(
        stop: &Arc<Stop>,
        printer: &Printer,
        job: &str,
        provider: &str,
    ) -> io::Result<Self> {
        let signals = Signals::new()?;
        let is_driving = Arc::new(AtomicBool::new(true));
        let text = format!(
            "stopping; what was sent is still running at {provider} and still costing\n  \
             go on:   batchctl resume {job}\n  stop it: batchctl cancel {job}"
        );
        tokio::spawn(obey(signals, stop.clone(), is_driving.clone(), printer.clone(), text));
        Ok(Self { is_driving })
    }

    /// From now on the first signal ends the process: every step is recorded, and a table is
    /// never seen half-written.
    pub(super) fn drive_is_over(&self) {
        self.is_driving.store(false, Ordering::SeqCst);
    }
}

async fn obey(
    mut signals: Signals,
    stop: Arc<Stop>,
    is_driving: Arc<AtomicBool>,
    printer: Printer,
    text: String,
) {
    let mut cause = signals.next().await;
    // Said before the stop is raised: the run may end faster than this line is written.
    printer.important(&text);
    stop.raise(cause);
    if is_driving.load(Ordering::SeqCst) {
        cause = signals.next().await;
    }
    let exit = match cause {
        StopCause::Interrupt => ExitCode::Interrupted,
        StopCause::Terminate => ExitCode::Terminated,
    };
    #[expect(clippy::exit, reason = "a second signal means now; every step is recorded")]
    std::process::exit(exit.code().into());
}

/// The signals that ask a process to end.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` under `nohup`, which asks for runs that outlive their terminal.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = SignalKind::hangup();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if crate::base::ignores_hangup() { None } else { Some(signal(hangup)?) },
        })
    }

    async fn next(&mut self) -> StopCause {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => StopCause::Interrupt,
            _ = self.terminate.recv() => StopCause::Terminate,
            _ = hangup => StopCause::Terminate,
        }
    }
}

/// The signals that ask a process to end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> StopCause {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        StopCause::Interrupt
    }
}
