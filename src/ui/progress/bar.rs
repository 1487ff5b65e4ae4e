//! Progress as a bar on a terminal, with a line for each phase that is done.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::Printer;
use super::sentence::{sentence, states};
use crate::base::Clock;
use crate::job::{Event, Reporter};
use crate::ui::colour::Style;
use crate::ui::number::{bytes, count, counted, duration};
use crate::ui::{clean, shorten};

/// Draws one bar below the lines of what is done.
pub(super) struct BarReporter {
    printer: Printer,
    clock: Arc<dyn Clock>,
    bar: ProgressBar,
    next_check: Arc<Mutex<Option<Instant>>>,
    phase: Mutex<Phase>,
}

/// What has happened since the last finished line.
struct Phase {
    since: Instant,
    run_since: Instant,
    shards: u64,
    built: BTreeMap<u64, (u64, u64)>,
    uploads: BTreeMap<u64, (u64, u64)>,
    submitted: u64,
    fetched: u64,
    answered: u64,
    failed: u64,
}

impl BarReporter {
    pub(super) fn new(printer: Printer, clock: Arc<dyn Clock>) -> Self {
        let bars = MultiProgress::new();
        let bar = bars.add(ProgressBar::new_spinner());
        printer.stand_beside(bars);
        let next_check = Arc::new(Mutex::new(None));
        bar.set_style(style("{spinner} {msg}", &next_check));
        let now = clock.instant();
        let phase = Phase {
            since: now,
            run_since: now,
            shards: 0,
            built: BTreeMap::new(),
            uploads: BTreeMap::new(),
            submitted: 0,
            fetched: 0,
            answered: 0,
            failed: 0,
        };
        Self { printer, clock, bar, next_check, phase: Mutex::new(phase) }
    }

    /// A line that stays: what is done, and how long it took.
    fn done(&self, phase: &mut Phase, text: &str) {
        let now = self.clock.instant();
        let took = duration(now - phase.since);
        phase.since = now;
        let mark = self.printer.colour().paint(Style::Good, "✓");
        self.printer.progress_line(&format!("{mark} {}   {took}", clean(text)));
    }

    fn spin(&self, text: String) {
        self.bar.set_style(style("{spinner} {msg}", &self.next_check));
        self.bar.set_message(text);
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn fill(&self, template: &str, position: u64, length: u64, prefix: String, message: String) {
        self.bar.set_style(style(template, &self.next_check));
        self.bar.set_length(length);
        self.bar.set_position(position);
        self.bar.set_prefix(prefix);
        self.bar.set_message(message);
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn upload(&self, phase: &mut Phase, shard: u64, shards: u64, sent: u64, total: u64) {
        phase.shards = shards;
        phase.uploads.insert(shard, (sent, total));
        let (sent, total) =
            phase.uploads.values().fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        let message = format!("{} of {}", bytes(sent), bytes(total));
        let prefix = format!("uploading {}/{shards}", phase.submitted);
        self.fill("{spinner} {prefix}  [{bar:20.cyan}]  {msg}", sent, total, prefix, message);
    }

    fn poll(&self, event: &Event, phase: &Phase) {
        let Event::Polled { job, batches, completed, failed, total, next_check, batch } = event
        else {
            return;
        };
        let due = next_check.map(|wait| self.clock.instant() + wait);
        *self.next_check.lock().unwrap_or_else(PoisonError::into_inner) = due;
        let number: u64 = batches.iter().map(|(_, number)| number).sum();
        let prefix = format!("{}  {}", counted(number, "shard"), states(batches));
        let done = (completed + failed).min(*total);
        let mut message = format!("{}/{}", count(done), count(*total));
        if *failed > 0 {
            let _ = write!(message, "  failed {}", count(*failed));
        }
        let elapsed = duration(self.clock.instant() - phase.run_since);
        let mut below = format!("job {}", clean(job));
        if let Some(batch) = batch {
            let _ = write!(below, " · {}", shorten(batch, 60));
        }
        let template = "{spinner} {prefix}  [{bar:20.cyan}]  {msg}";
        self.fill(template, done, *total, prefix, message);
        // The line below the bar holds ids, and braces in ids would be read as a template.
        let below = below.replace(['{', '}'], "");
        let style = style(&format!("{template}{{next}}   {elapsed}\n  {below}"), &self.next_check);
        self.bar.set_style(style);
    }
}

/// A template that is known to be well-formed; `{next}` counts down to the next check.
fn style(template: &str, next_check: &Arc<Mutex<Option<Instant>>>) -> ProgressStyle {
    let next_check = next_check.clone();
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.progress_chars("██░").with_key("next", move |_: &ProgressState, out: &mut dyn Write| {
        let due = *next_check.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(due) = due {
            let left = due.saturating_duration_since(Instant::now());
            let _ = write!(out, "   next check {}s", left.as_secs());
        }
    })
}

impl Reporter for BarReporter {
    fn report(&self, event: &Event) {
        let phase = &mut *self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Note { text } => self.printer.note(text),
            Event::Warning { text } => self.printer.warning(text),
            Event::Planning { .. } | Event::Downloading { .. } => {
                self.spin(sentence(event).unwrap_or_default());
            }
            Event::Planned { shards, .. } => {
                phase.shards = *shards;
                self.done(phase, &sentence(event).unwrap_or_default());
            }
            Event::Built { shard, shards, requests, bytes: size } => {
                phase.built.insert(*shard, (*requests, *size));
                if phase.built.len() as u64 == *shards {
                    let (requests, size) =
                        phase.built.values().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
                    let requests = counted(requests, "request");
                    let shards = counted(*shards, "shard");
                    self.done(phase, &format!("built {requests} in {shards}, {}", bytes(size)));
                }
            }
            Event::Uploading { shard, shards, sent, total } => {
                self.upload(phase, *shard, *shards, *sent, *total);
            }
            Event::Submitted { shards, .. } => {
                phase.submitted += 1;
                if phase.submitted == *shards {
                    self.done(phase, &format!("uploaded {shards}/{shards}"));
                    self.spin("waiting for the first word of the provider".into());
                }
            }
            Event::Polled { .. } => self.poll(event, phase),
            Event::PollFailed { next_check, .. } => {
                let due = next_check.map(|wait| self.clock.instant() + wait);
                *self.next_check.lock().unwrap_or_else(PoisonError::into_inner) = due;
                self.printer.note(&sentence(event).unwrap_or_default());
            }
            Event::Fetched { shards, answered, failed, .. } => {
                phase.fetched += 1;
                phase.answered += answered;
                phase.failed += failed;
                if phase.fetched == *shards {
                    let answered = format!("{} answered", count(phase.answered));
                    let failed = format!("{} failed", count(phase.failed));
                    let text = format!("fetched {shards}/{shards}: {answered}, {failed}");
                    self.done(phase, &text);
                }
            }
            Event::Written { .. } => {
                self.bar.finish_and_clear();
                self.done(phase, &sentence(event).unwrap_or_default());
            }
        }
    }
}

impl Drop for BarReporter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
