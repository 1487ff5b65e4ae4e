//! Progress as plain lines: one per change, and at least one a minute while the provider works.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Printer;
use super::sentence::{next_check, sentence};
use crate::base::Clock;
use crate::job::{Event, Reporter};
use crate::ui::number::duration;

/// A log without news for longer looks like a program that hangs.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// Counters that run (rows read, bytes sent) are said that often at most.
const COUNTER_INTERVAL: Duration = Duration::from_secs(10);

/// Writes a line when something changes.
pub(super) struct PlainReporter {
    printer: Printer,
    clock: Arc<dyn Clock>,
    started: Instant,
    said: Mutex<Said>,
}

struct Said {
    /// The last words about the batches.
    state: String,
    at: Instant,
    /// When a counter was last said.
    counter: Option<Instant>,
}

impl PlainReporter {
    pub(super) fn new(printer: Printer, clock: Arc<dyn Clock>) -> Self {
        let started = clock.instant();
        let said = Said { state: String::new(), at: started, counter: None };
        Self { printer, clock, started, said: Mutex::new(said) }
    }

    /// The reporter with a thread that breaks long silences; the thread ends with it.
    pub(super) fn start(printer: Printer, clock: Arc<dyn Clock>) -> Arc<Self> {
        let reporter = Arc::new(Self::new(printer, clock));
        let weak = Arc::downgrade(&reporter);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let Some(reporter) = weak.upgrade() else { return };
                reporter.break_silence();
            }
        });
        reporter
    }

    /// Repeats the last state if nothing was said for a minute.
    fn break_silence(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.instant();
        if !said.state.is_empty() && now.duration_since(said.at) >= LONGEST_SILENCE {
            said.at = now;
            let text = format!("{} · {}", said.state, duration(now - self.started));
            self.printer.note(&text);
        }
    }

    fn is_news(said: &mut Said, event: &Event, text: &str, now: Instant) -> bool {
        match event {
            Event::Polled { .. } | Event::PollFailed { .. } => {
                let is_due = now.duration_since(said.at) >= LONGEST_SILENCE;
                let is_new = said.state != text;
                text.clone_into(&mut said.state);
                is_new || is_due
            }
            Event::Planning { .. }
            | Event::Uploading { .. }
            | Event::Called { .. }
            | Event::Downloading { .. } => {
                // The end of an upload is told by the batch that follows it.
                let first = *said.counter.get_or_insert(now);
                let is_due = now.duration_since(first) >= COUNTER_INTERVAL;
                if is_due {
                    said.counter = Some(now);
                }
                is_due
            }
            _ => {
                said.counter = None;
                true
            }
        }
    }
}

impl Reporter for PlainReporter {
    fn report(&self, event: &Event) {
        match event {
            Event::Note { text } => return self.printer.note(text),
            Event::Warning { text } => return self.printer.warning(text),
            _ => {}
        }
        let Some(text) = sentence(event) else { return };
        let now = self.clock.instant();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !Self::is_news(&mut said, event, &text, now) {
            return;
        }
        said.at = now;
        if matches!(event, Event::Written { .. }) {
            said.state.clear();
        }
        let parts = [Some(text), next_check(event), Some(duration(now - self.started))];
        let line: Vec<String> = parts.into_iter().flatten().collect();
        self.printer.note(&line.join(" · "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchStatus;
    use crate::ui::Verbosity;

    /// A clock that stands still until it is told otherwise.
    struct HandClock(Mutex<Instant>);

    impl HandClock {
        fn new() -> Arc<Self> {
            Arc::new(Self(Mutex::new(Instant::now())))
        }

        fn pass(&self, seconds: u64) {
            *self.0.lock().unwrap() += Duration::from_secs(seconds);
        }
    }

    #[async_trait::async_trait]
    impl Clock for HandClock {
        fn instant(&self) -> Instant {
            *self.0.lock().unwrap()
        }
        fn unix(&self) -> i64 {
            0
        }
        async fn sleep(&self, _duration: Duration) {}
    }

    fn polled(batches: &[(BatchStatus, u64)], completed: u64) -> Event {
        let next_check = Some(Duration::from_secs(41)).filter(|_| completed < 1202);
        Event::Polled {
            job: "k7f2qd".into(),
            batches: batches.to_vec(),
            completed,
            failed: 3,
            total: 1205,
            next_check,
            batch: Some("batch_abc123".into()),
        }
    }

    #[test]
    fn a_run_in_plain_lines_s4_10() {
        let (printer, captured) = Printer::captured(Verbosity::Normal);
        let clock = HandClock::new();
        let reporter = PlainReporter::new(printer, clock.clone());
        let running = [(BatchStatus::InProgress, 2), (BatchStatus::Completed, 1)];
        let planned = Event::Planned {
            job: "k7f2qd".into(),
            rows: 1204,
            requests: 1202,
            skipped: 2,
            answered: 0,
            equal: 0,
            shards: 3,
            bytes: 412_000_000,
        };
        reporter.report(&Event::Planning { rows: 0 });
        reporter.report(&Event::Planning { rows: 500 });
        clock.pass(8);
        reporter.report(&planned);
        let upload = |sent| Event::Uploading { shard: 1, shards: 3, sent, total: 137_000_000 };
        reporter.report(&upload(1_000_000));
        clock.pass(30);
        reporter.report(&upload(90_000_000));
        reporter.report(&upload(91_000_000));
        reporter.report(&Event::Submitted {
            shard: 1,
            shards: 3,
            batch: "batch_abc\u{1b}[31m123".into(),
        });
        reporter.report(&polled(&running, 812));
        clock.pass(30);
        reporter.report(&polled(&running, 812));
        clock.pass(30);
        reporter.report(&polled(&running, 812));
        reporter
            .report(&polled(&[(BatchStatus::Finalizing, 1), (BatchStatus::Completed, 2)], 1201));
        clock.pass(61);
        reporter.break_silence();
        reporter.break_silence();
        reporter.report(&Event::PollFailed { text: "timed out".into(), next_check: None });
        reporter.report(&Event::Fetched { shard: 1, shards: 3, answered: 398, failed: 2 });
        reporter.report(&Event::Written { path: "out.csv".into(), rows: 1204 });
        clock.pass(100);
        reporter.break_silence();
        insta::assert_snapshot!(captured.stderr(), @r"
        planned 1,202 requests in 3 shards, 412 MB (2 rows skipped) · job k7f2qd · 8.0s
        uploading shard 1/3: 90.0 MB of 137 MB · 38s
        submitted shard 1/3: batch_abc123 · 38s
        job k7f2qd: in_progress 2, completed 1 · 815/1,205 · failed 3 · next check 41s · 38s
        job k7f2qd: in_progress 2, completed 1 · 815/1,205 · failed 3 · next check 41s · 1m 38s
        job k7f2qd: finalizing 1, completed 2 (results are being written) · 1,204/1,205 · failed 3 · next check 41s · 1m 38s
        job k7f2qd: finalizing 1, completed 2 (results are being written) · 1,204/1,205 · failed 3 · 2m 39s
        the provider could not be asked, the batch goes on: timed out · 2m 39s
        fetched shard 1/3: 398 answered, 2 failed · 2m 39s
        wrote out.csv: 1,204 rows · 2m 39s
        ");
    }

    #[test]
    fn notes_and_warnings_pass_through() {
        let (printer, captured) = Printer::captured(Verbosity::Quiet);
        let reporter = PlainReporter::new(printer, HandClock::new());
        reporter.report(&Event::Note { text: "n".into() });
        reporter.report(&Event::Warning { text: "w".into() });
        assert_eq!(captured.stderr(), "");
    }
}
