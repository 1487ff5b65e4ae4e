//! When what is due: questions after running batches, looks for lost ones, a sweep through the
//! provider's listing. Times are readings of the job's clock.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::drive::DriveOptions;
use super::poll::Pauses;
use crate::provider::CallError;

/// How often the listing is looked through for batches of the job that the ledger does not hold.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// What one drive has before it.
#[derive(Debug)]
pub(super) struct Agenda {
    pauses: Pauses,
    max_wait: Option<Duration>,
    waited: Duration,
    /// Questions of the last round that failed.
    pub(super) failed: Vec<CallError>,
    /// Whether this drive has not yet tried to send: what was refused before gets one more try.
    pub(super) is_first: bool,
    /// When the listing was last looked through whole.
    swept: Option<Instant>,
    /// When lost batches are looked for next; `None` if none is lost.
    pub(super) next_look: Option<Instant>,
    /// When each lost batch was last not found, by the ledger's number of its create.
    pub(super) looked: HashMap<i64, Instant>,
    /// When the earliest of the shards that wait their turn may go.
    pub(super) next_turn: Option<Instant>,
}

impl Agenda {
    /// A fresh one: everything is due.
    pub(super) fn new(options: &DriveOptions, now: Instant) -> Self {
        Self {
            pauses: Pauses::up_to(options.check_interval),
            max_wait: options.max_wait,
            waited: Duration::ZERO,
            failed: Vec::new(),
            is_first: true,
            swept: None,
            next_look: Some(now),
            looked: HashMap::new(),
            next_turn: None,
        }
    }

    /// How long to wait now: to the next question, or less where something is due before it.
    /// Zero where nobody wants to wait any longer.
    pub(super) fn pause(&mut self, now: Instant) -> Duration {
        let pause = self.pauses.next().expect("pauses never end");
        let left = self.max_wait.map(|most| most.saturating_sub(self.waited));
        let earlier = [self.next_look, self.next_turn].into_iter().flatten();
        // What is overdue was tried just now: a moment's rest keeps a fault from spinning.
        let earlier = earlier.map(|at| at.saturating_duration_since(now).max(SHORTEST));
        let pause = earlier.fold(pause, Duration::min);
        left.map_or(pause, |left| pause.min(left))
    }

    /// Asks for a look for lost batches at this time, or sooner.
    pub(super) fn look_at(&mut self, at: Instant) {
        self.next_look = Some(self.next_look.map_or(at, |known| known.min(at)));
    }

    /// Takes note of a wait that is over.
    pub(super) fn has_waited(&mut self, pause: Duration) {
        self.waited += pause;
    }

    /// Whether the listing is to be looked through for batches that the ledger does not hold.
    pub(super) fn is_sweep_due(&self, now: Instant) -> bool {
        self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_EVERY)
    }

    /// Takes note of a listing that was looked through whole.
    pub(super) fn has_swept(&mut self, now: Instant) {
        self.swept = Some(now);
    }
}

/// The shortest pause.
const SHORTEST: Duration = Duration::from_millis(500);
