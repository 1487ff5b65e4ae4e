//! Progress as a bar on a terminal, with a line for each phase that is done.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use unicode_width::UnicodeWidthStr;

use super::Printer;
use super::margin::AtTheMargin;
use super::sentence::{calls, not_sent, sentence, states};
use super::view::View;
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
    view: Arc<Mutex<View>>,
    phase: Mutex<Phase>,
}

/// What has happened since the last finished line.
struct Phase {
    since: Instant,
    run_since: Instant,
    /// How many rows are not sent, and why.
    not_sent: String,
    built: BTreeMap<u64, (u64, u64)>,
    uploads: BTreeMap<u64, (u64, u64)>,
    submitted: u64,
    fetched: u64,
    answered: u64,
    failed: u64,
}

impl BarReporter {
    pub(super) fn new(printer: Printer, clock: Arc<dyn Clock>) -> Self {
        let bars = MultiProgress::with_draw_target(target());
        let bar = bars.add(ProgressBar::new_spinner());
        printer.stand_beside(bars);
        let view = Arc::default();
        bar.set_style(style(&view, &clock, false));
        let now = clock.instant();
        let phase = Phase {
            since: now,
            run_since: now,
            not_sent: String::new(),
            built: BTreeMap::new(),
            uploads: BTreeMap::new(),
            submitted: 0,
            fetched: 0,
            answered: 0,
            failed: 0,
        };
        Self { printer, clock, bar, view, phase: Mutex::new(phase) }
    }

    /// A line that stays: what is done, and how long it took.
    fn done(&self, phase: &mut Phase, text: &str) {
        let now = self.clock.instant();
        let took = duration(now - phase.since);
        phase.since = now;
        let mark = self.printer.colour().paint(Style::Good, "✓");
        let text = clean(text);
        // Times stand below each other at the right edge of an ordinary terminal.
        let used = 2 + text.width() + took.len();
        let gap = " ".repeat(width().min(80).saturating_sub(used).max(3));
        self.printer.progress_line(&format!("{mark} {text}{gap}{took}"));
    }

    /// Puts something else into the moving line.
    fn show(&self, view: View) {
        let has_below = view.below.is_some();
        let before = std::mem::replace(&mut *lock(&self.view), view);
        if before.below.is_some() != has_below {
            self.bar.set_style(style(&self.view, &self.clock, has_below));
        }
        self.bar.enable_steady_tick(Duration::from_millis(100));
        self.bar.tick();
    }

    fn upload(&self, phase: &mut Phase, shard: u64, shards: u64, sent: u64, total: u64) {
        phase.uploads.insert(shard, (sent, total));
        let (sent, total) = sum(&phase.uploads);
        self.show(View {
            text: format!("uploading {}/{shards}", phase.submitted),
            part: Some((sent, total)),
            numbers: format!("{} of {}", bytes(sent), bytes(total)),
            ..View::default()
        });
    }

    fn poll(&self, event: &Event, phase: &Phase) {
        let Event::Polled { job, batches, completed, failed, total, next_check, batch } = event
        else {
            return;
        };
        let number: u64 = batches.iter().map(|(_, number)| number).sum();
        let done = (completed + failed).min(*total);
        let mut numbers = format!("{}/{}", count(done), count(*total));
        if *failed > 0 {
            let _ = write!(numbers, "  failed {}", count(*failed));
        }
        let mut below = format!("job {}", clean(job));
        if let Some(batch) = batch {
            let _ = write!(below, " · {}", shorten(batch, 60));
        }
        self.show(View {
            text: format!("{}  {}", counted(number, "shard"), states(batches)),
            part: Some((done, *total)),
            numbers,
            next_check: next_check.map(|wait| self.clock.instant() + wait),
            since: Some(phase.run_since),
            below: Some(below),
        });
    }

    fn called(&self, event: &Event, phase: &Phase) {
        let Event::Called { job, done, total, .. } = event else { return };
        let numbers = calls(event, "  ").unwrap_or_default();
        self.show(View {
            text: "now".to_owned(),
            part: Some((*done, *total)),
            numbers,
            since: Some(phase.run_since),
            below: Some(format!("job {}", clean(job))),
            ..View::default()
        });
    }

    fn say(&self, text: Option<String>) {
        self.show(View { text: text.unwrap_or_default(), ..View::default() });
    }
}

/// Where bars are drawn.
pub(in crate::ui) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like(Box::new(AtTheMargin::new()))
}

/// Cells of a line on the terminal, one less than it has: some wrap when the last one is filled.
fn width() -> usize {
    let (_, columns) = console::Term::stderr().size_checked().unwrap_or((24, 80));
    usize::from(columns).saturating_sub(1).max(20)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sum(shards: &BTreeMap<u64, (u64, u64)>) -> (u64, u64) {
    shards.values().fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
}

/// A template whose words are looked up at every tick, so that times run between events.
fn style(view: &Arc<Mutex<View>>, clock: &Arc<dyn Clock>, has_below: bool) -> ProgressStyle {
    let template = if has_below { "{spinner} {line}\n  {below}" } else { "{spinner} {line}" };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    let (line_view, line_clock) = (view.clone(), clock.clone());
    let line = move |_: &ProgressState, out: &mut dyn Write| {
        let _ = out.write_str(&lock(&line_view).line(line_clock.instant(), width() - 2));
    };
    let below_view = view.clone();
    let below = move |_: &ProgressState, out: &mut dyn Write| {
        let below = lock(&below_view).below.clone().unwrap_or_default();
        let _ = out.write_str(&shorten(&below, width() - 2));
    };
    style.with_key("line", line).with_key("below", below)
}

impl Reporter for BarReporter {
    fn report(&self, event: &Event) {
        let phase = &mut *lock(&self.phase);
        match event {
            Event::Note { text } => self.printer.note(text),
            Event::Warning { text } => self.printer.warning(text),
            Event::Planning { .. } | Event::Downloading { .. } => self.say(sentence(event)),
            // The time of a question is nobody's work; the line follows when files are built.
            Event::Planned { .. } => {
                phase.since = self.clock.instant();
                phase.not_sent = not_sent(event);
            }
            Event::Built { shard, shards, requests, bytes: size } => {
                phase.built.insert(*shard, (*requests, *size));
                if phase.built.len() as u64 == *shards {
                    let (requests, size) = sum(&phase.built);
                    let requests = counted(requests, "request");
                    let shards = counted(*shards, "shard");
                    let (size, not_sent) = (bytes(size), &phase.not_sent);
                    let text = format!("built {requests} in {shards}, {size}{not_sent}");
                    self.done(phase, &text);
                }
            }
            Event::Uploading { shard, shards, sent, total } => {
                self.upload(phase, *shard, *shards, *sent, *total);
            }
            Event::Submitted { shards, .. } => {
                phase.submitted += 1;
                if phase.submitted == *shards {
                    self.done(phase, &format!("uploaded {shards}/{shards}"));
                    self.say(Some("waiting for the first word of the provider".into()));
                }
            }
            Event::Polled { .. } => self.poll(event, phase),
            Event::Called { .. } => self.called(event, phase),
            Event::PollFailed { next_check, .. } => {
                lock(&self.view).next_check = next_check.map(|wait| self.clock.instant() + wait);
                self.printer.note(&sentence(event).unwrap_or_default());
            }
            Event::Fetched { shards, answered, failed, .. } => {
                phase.fetched += 1;
                phase.answered += answered;
                phase.failed += failed;
                if phase.fetched == *shards {
                    let answered = count(phase.answered);
                    let failed = count(phase.failed);
                    let text =
                        format!("fetched {shards}/{shards}: {answered} answered, {failed} failed");
                    self.done(phase, &text);
                }
            }
            Event::NextRound { .. } => {
                self.printer.note(&sentence(event).unwrap_or_default());
            }
            Event::Written { path, rows } => {
                self.bar.finish_and_clear();
                // The whole path follows in the account.
                let name = Path::new(path).file_name().map(|name| name.to_string_lossy());
                let name = name.as_deref().unwrap_or(path);
                self.done(phase, &format!("wrote {name}: {}", counted(*rows, "row")));
            }
        }
    }
}

impl Drop for BarReporter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
