//! Ctrl-C and its kin while a job is planned, driven and written. The first one stops new work,
//! the second ends the process at once. Remote batches are never cancelled by a signal.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::commands::Context;
use crate::job::{Ending, Stop, StopCause};
use crate::ui::{ExitCode, Printer};

/// What the first signal means at the moment. One per process: each signal wakes all listeners.
#[derive(Default)]
pub(in crate::commands) struct Listening {
    meaning: Mutex<Meaning>,
}

/// What is said, and who is asked to stop. Where nobody is, the process ends at once: every step
/// is recorded, and a table is never seen half-written.
#[derive(Default)]
struct Meaning {
    text: String,
    stop: Option<Arc<Stop>>,
}

impl Listening {
    /// A run begins. From now on no signal is lost until the process ends.
    pub(super) fn begin(context: &Context) -> io::Result<()> {
        let text = "stopped before the run began: it has sent nothing; the same line begins anew";
        mean(context, Meaning { text: text.to_owned(), stop: None })
    }

    /// A job is driven: its driver is asked to stop. `runs_at` is the provider that goes on
    /// without it; `None` where all there is left is calls, which end with whoever makes them.
    pub(super) fn drive(
        context: &Context,
        stop: &Arc<Stop>,
        job: &str,
        runs_at: Option<&str>,
    ) -> io::Result<()> {
        let calls = "no more calls are made; what those that are out bring is kept".to_owned();
        let left = runs_at.map_or(calls, runs_on);
        let text = format!("stopping; {left}\n{}", both_lines(job));
        mean(context, Meaning { text, stop: Some(stop.clone()) })
    }

    /// The drive is over, and its table is about to be written.
    pub(super) fn write(
        context: &Context,
        ending: Option<&Ending>,
        job: &str,
        (provider, runs_at): (&str, Option<&str>),
    ) -> io::Result<()> {
        let nothing = format!("nothing runs at {provider}, and every answer is kept");
        let text = match ending {
            Some(Ending::Done | Ending::Cancelled) => format!(
                "stopped before the table was written; {nothing}\n  write it: batchctl resume {job}"
            ),
            _ => format!("stopped; {}\n{}", runs_at.map_or(nothing, runs_on), both_lines(job)),
        };
        mean(context, Meaning { text, stop: None })
    }

    fn lock(&self) -> MutexGuard<'_, Meaning> {
        self.meaning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn runs_on(provider: &str) -> String {
    format!("what was sent is still running at {provider} and still costing")
}

fn both_lines(job: &str) -> String {
    format!("  go on:   batchctl resume {job}\n  stop it: batchctl cancel {job}")
}

/// Changes what a signal means; the first time, takes the signals over.
fn mean(context: &Context, meaning: Meaning) -> io::Result<()> {
    if let Some(listening) = context.listening() {
        *listening.lock() = meaning;
        return Ok(());
    }
    let listening = Arc::new(Listening { meaning: Mutex::new(meaning) });
    context.block_on(async {
        let signals = Signals::new()?;
        tokio::spawn(obey(signals, listening.clone(), context.printer.clone()));
        io::Result::Ok(())
    })??;
    context.listen(listening);
    Ok(())
}

async fn obey(mut signals: Signals, listening: Arc<Listening>, printer: Printer) {
    let mut cause = signals.next().await;
    let is_asked = {
        let meaning = listening.lock();
        // Said before the stop is raised: the run may end faster than this line is written.
        printer.important(&meaning.text);
        meaning.stop.as_ref().map(|stop| stop.raise(cause)).is_some()
    };
    if is_asked {
        // Of one window that is closed come several: the shell's and the terminal's own.
        signals.ignore_hangups();
        cause = signals.next().await;
    }
    printer.end_now(match cause {
        StopCause::Interrupt => ExitCode::Interrupted,
        StopCause::Terminate => ExitCode::Terminated,
    });
}

/// The signals that ask a process to end.
#[cfg(unix)]
pub(in crate::commands) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` under `nohup`, which asks for runs that outlive their terminal.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Takes the signals over; ask only inside of the runtime.
    pub(in crate::commands) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = SignalKind::hangup();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if crate::base::ignores_hangup() { None } else { Some(signal(hangup)?) },
        })
    }

    /// Lets hangups pass from now on.
    fn ignore_hangups(&mut self) {
        // Its handler stays, so that the next one does not end the process.
        self.hangup = None;
    }

    /// Waits for the next one.
    pub(in crate::commands) async fn next(&mut self) -> StopCause {
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
pub(in crate::commands) struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(in crate::commands) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "as on Unix")]
    fn ignore_hangups(&mut self) {}

    pub(in crate::commands) async fn next(&mut self) -> StopCause {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        StopCause::Interrupt
    }
}
