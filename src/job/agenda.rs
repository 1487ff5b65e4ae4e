//! When what is due: questions after running batches, looks for lost ones, a sweep through the
//! provider's listing. Times are readings of the job's clock.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::drive::DriveOptions;
use super::poll::Pauses;
use super::told::Told;
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
    /// The prompt tokens that were queued when the provider's queue was found full: fewer mean
    /// that one of our batches ended.
    queued_then: u64,
    /// Refusals by a full queue since a batch was last collected.
    refusals: u32,
    /// Those of them that met a queue with nothing else of ours in it, in a row.
    pub(super) lonely: u32,
    /// The limit of the queue for which the shards were looked through.
    pub(super) cut_for: Option<u64>,
    /// What unsent shards wait for, as it was told last.
    pub(super) waits_for: Option<String>,
    /// What was complained of.
    pub(super) told: Told,
    /// Shards whose results could not be had: the last wait, and when they are tried again.
    fetches: HashMap<i64, (Duration, Instant)>,
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
            queued_then: 0,
            refusals: 0,
            lonely: 0,
            cut_for: None,
            waits_for: None,
            told: Told::default(),
            fetches: HashMap::new(),
        }
    }

    /// The provider's queue is full: nothing goes out until one of our batches has ended, or for
    /// a while that grows from refusal to refusal.
    pub(super) fn hold(&mut self, now: Instant, queued: u64) {
        let doubled = FIRST_HOLD * 2_u32.pow(self.refusals.min(5));
        self.next_turn = Some(now + doubled.min(LONGEST_HOLD));
        self.queued_then = queued;
        self.refusals += 1;
        self.lonely = if queued == 0 { self.lonely + 1 } else { 0 };
    }

    /// Whether a refusal by a full queue is still waited out, with so many tokens queued now.
    pub(super) fn is_held(&self, now: Instant, queued: u64) -> bool {
        self.next_turn.is_some_and(|until| now < until) && queued >= self.queued_then
    }

    /// The wait after a refusal is over.
    pub(super) fn lift_hold(&mut self) {
        self.next_turn = None;
    }

    /// Takes note that batches were collected: the queue moves.
    pub(super) fn has_collected(&mut self) {
        (self.refusals, self.lonely) = (0, 0);
    }

    /// Whether the results of a shard are to be fetched now: not while a failure is waited out.
    pub(super) fn is_fetch_due(&self, shard: i64, now: Instant) -> bool {
        self.fetches.get(&shard).is_none_or(|(_, at)| *at <= now)
    }

    /// The results of a shard could not be had: they are tried again after a while that grows from
    /// failure to failure, and not before the time that the provider asks for.
    pub(super) fn fetch_failed(&mut self, shard: i64, now: Instant, asked: Option<Duration>) {
        let before = self.fetches.get(&shard).map_or(Duration::ZERO, |(wait, _)| *wait);
        let wait = (before * 2).clamp(FIRST_FETCH_PAUSE, LONGEST_FETCH_PAUSE);
        let at = now + wait.max(asked.unwrap_or_default());
        self.fetches.insert(shard, (wait, at));
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

/// How long nothing is sent after the first refusal by a full queue.
const FIRST_HOLD: Duration = Duration::from_secs(5 * 60);
/// The longest such wait.
const LONGEST_HOLD: Duration = Duration::from_secs(60 * 60);

/// How long results are not tried for again after the first failure.
const FIRST_FETCH_PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const LONGEST_FETCH_PAUSE: Duration = Duration::from_secs(15 * 60);

/// The shortest pause.
const SHORTEST: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::DailyBudget;

    fn agenda(now: Instant) -> Agenda {
        let options = DriveOptions {
            check_interval: Duration::from_secs(60),
            max_wait: None,
            submit: true,
            wait: true,
            parallel_uploads: 2,
            max_enqueued_tokens: None,
            published_enqueued_tokens: None,
            rounds: 3,
            reasks: 0,
            finish: crate::request::Mode::Batch,
            abort_share: 1.0,
            daily_budget: DailyBudget::None,
        };
        Agenda::new(&options, now)
    }

    /// A full queue is waited out from 5 minutes to an hour, or until a batch of ours ends.
    #[test]
    fn field_05_a_full_queue_is_waited_out() {
        let now = Instant::now();
        let minutes = |n: u64| now + Duration::from_secs(60 * n);
        let mut agenda = agenda(now);
        assert!(!agenda.is_held(now, 0));
        for (refusal, wait) in [5, 10, 20, 40, 60, 60, 60].into_iter().enumerate() {
            agenda.hold(now, 100);
            assert!(agenda.is_held(minutes(wait - 1), 100), "{refusal}");
            assert!(!agenda.is_held(minutes(wait), 100), "{refusal}");
            assert!(!agenda.is_held(now, 99), "a batch ended");
        }
        assert_eq!(agenda.lonely, 0, "others of ours were queued");
        agenda.has_collected();
        agenda.hold(now, 0);
        assert!(agenda.is_held(minutes(4), 0) && !agenda.is_held(minutes(5), 0));
        agenda.hold(now, 0);
        assert_eq!(agenda.lonely, 2);
        agenda.lift_hold();
        assert!(!agenda.is_held(now, 0));
    }

    #[test]
    fn results_that_cannot_be_had_are_tried_for_ever_more_rarely() {
        let start = Instant::now();
        let mut agenda = agenda(start);
        let (mut now, mut waits) = (start, Vec::new());
        for _ in 0..10 {
            assert!(agenda.is_fetch_due(7, now));
            agenda.fetch_failed(7, now, None);
            let seconds =
                (0..1_000).find(|s| agenda.is_fetch_due(7, now + Duration::from_secs(*s)));
            waits.extend(seconds);
            now += Duration::from_secs(waits[waits.len() - 1]);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert!(agenda.is_fetch_due(8, start), "others are not kept back");
        agenda.fetch_failed(8, start, Some(Duration::from_secs(3600)));
        assert!(!agenda.is_fetch_due(8, start + Duration::from_secs(3599)), "as the provider asks");
    }
}
