//! What a drive has complained of, so that one fault that lasts is not told at every round: at
//! once, then at growing intervals with how often it came. Every one of them is in the log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::JobError;
use super::agenda::Agenda;
use super::drive::Driver;
use crate::base::fault_words;
use crate::provider::CallError;
use crate::store::CallKind;

/// How long the same is not told again at first; it doubles.
const FIRST_SILENCE: Duration = Duration::from_secs(5 * 60);
/// The longest such silence.
const LONGEST_SILENCE: Duration = Duration::from_secs(6 * 60 * 60);

/// Complaints by their words.
#[derive(Debug, Default)]
pub(super) struct Told {
    complaints: HashMap<String, Complaint>,
}

/// One that was told.
#[derive(Debug)]
struct Complaint {
    first: Instant,
    times: u64,
    silence: Duration,
    /// When it is told again if it still comes.
    next: Instant,
}

impl Told {
    /// What to tell of this complaint now, if anything. It is the same as an earlier one where
    /// only ids and counts differ: a fault of the provider meets every shard.
    pub(super) fn tell(&mut self, text: &str, now: Instant) -> Option<String> {
        let known = self.complaints.entry(fault_words(text)).or_insert(Complaint {
            first: now,
            times: 0,
            silence: FIRST_SILENCE,
            next: now,
        });
        known.times += 1;
        if now < known.next {
            return None;
        }
        if known.times == 1 {
            known.next = now + known.silence;
            return Some(text.to_owned());
        }
        known.silence = (known.silence * 2).min(LONGEST_SILENCE);
        known.next = now + known.silence;
        Some(format!("{text} (again, {} times in {})", known.times, span(now - known.first)))
    }
}

impl Driver<'_> {
    /// Keeps the provider's words about a call that failed and that nothing else records.
    pub(super) fn log_failure(
        &self,
        kind: CallKind,
        create: Option<i64>,
        error: &CallError,
    ) -> Result<(), JobError> {
        // A fault of our own disk is no word of the provider, and hardly to be written down now.
        if error.is_local() {
            return Ok(());
        }
        let failed = self.ended_badly(error);
        Ok(self.store.note_failure(&self.job.key, create, kind, &failed)?)
    }

    /// Warns of a fault that may come at every round.
    pub(super) fn complain(&self, agenda: &mut Agenda, text: &str) {
        if let Some(text) = agenda.told.tell(text, self.clock.instant()) {
            self.warn(&text);
        }
    }
}

/// `40 s`, `6 min`, `3 h`.
fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_complaint_is_told_at_growing_intervals() {
        let start = Instant::now();
        let mut told = Told::default();
        let text = |minute: u64| format!("results of shard {}: busy (HTTP 503)", minute % 3);
        // Once a minute for two days.
        let mut said: Vec<(u64, String)> = Vec::new();
        for minute in 0..2 * 24 * 60 {
            let now = start + Duration::from_secs(60 * minute);
            said.extend(told.tell(&text(minute), now).map(|words| (minute, words)));
        }
        let minutes: Vec<_> = said.iter().map(|(minute, _)| *minute).collect();
        assert_eq!(minutes, [0, 5, 15, 35, 75, 155, 315, 635, 995, 1355, 1715, 2075, 2435, 2795]);
        assert_eq!(said[0].1, "results of shard 0: busy (HTTP 503)");
        assert_eq!(said[1].1, "results of shard 2: busy (HTTP 503) (again, 6 times in 5 min)");
        assert!(said[5].1.ends_with("(again, 156 times in 2 h)"), "{said:?}");
    }

    #[test]
    fn other_words_are_told_at_once() {
        let now = Instant::now();
        let mut told = Told::default();
        let table = [
            ("poll: busy (HTTP 503)", true),
            ("poll: busy (HTTP 503)", false),
            ("poll: busy (HTTP 502)", true),
            ("poll: request req_01ab failed", true),
            ("poll: request req_02cd failed", false),
            ("poll: no route", true),
            ("poll: busy (HTTP 503)", false),
        ];
        for (text, expected) in table {
            assert_eq!(told.tell(text, now).is_some(), expected, "{text}");
        }
    }
}
