//! How often one question is asked again, and how long is waited before: full jitter below a time
//! that doubles from pass to pass. No world in it but a source of chance.

use std::cell::Cell;
use std::time::Duration;

use super::chain::CallOptions;
use crate::provider::Advice;

/// The longest wait that we choose by ourselves.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether a question is asked again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Of another member now, or after a wait.
    Again,
    /// It has failed for good.
    GiveUp,
}

/// What is known of the failures of one question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    most: u32,
    delay: Duration,
    failures: u32,
    passes: u32,
    asked: Option<Duration>,
    waited: Duration,
}

impl Backoff {
    /// None yet. Each member may be asked once, however few retries there are.
    pub(super) fn new(options: CallOptions, members: usize) -> Self {
        let others = u32::try_from(members.saturating_sub(1)).unwrap_or(u32::MAX);
        Self {
            most: options.retries.max(others),
            delay: options.retry_delay,
            failures: 0,
            passes: 0,
            asked: None,
            waited: Duration::ZERO,
        }
    }

    /// Counts a failure. One that asks to slow down is the gate's business, and one of a member
    /// that answers nothing at all says nothing of the question.
    pub(super) fn count(&mut self, advice: Advice) -> Step {
        match advice {
            Advice::Again(asked) => {
                self.failures += 1;
                self.asked = self.asked.max(asked);
                if self.failures > self.most { Step::GiveUp } else { Step::Again }
            }
            Advice::SlowDown(_) | Advice::NotThisProvider => Step::Again,
            Advice::NotThisRow => Step::GiveUp,
        }
    }

    /// How long to wait before all are asked once more; nothing where no failure was counted.
    pub(super) fn pause(&mut self, chance: f64) -> Duration {
        let asked = self.asked.take();
        if self.failures == 0 {
            return asked.unwrap_or_default();
        }
        let below = (self.delay * 2_u32.saturating_pow(self.passes.min(16))).min(LONGEST);
        self.passes += 1;
        below.mul_f64(chance.clamp(0.0, 1.0)).max(asked.unwrap_or_default())
    }

    /// The same for who waits for one question; `None` where it was asked often enough.
    pub(super) fn next(&mut self) -> Option<Duration> {
        (self.failures <= self.most).then(|| self.pause(chance()))
    }

    /// Adds a wait for a gate to those before, and tells how long all were.
    pub(super) fn waits(&mut self, left: Duration) -> Duration {
        self.waited += left;
        self.waited
    }
}

/// A number from 0 to 1, drawn.
pub(super) fn chance() -> f64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(getrandom::u64().unwrap_or(0x9e37_79b9) | 1);
    }
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        f64::from(u32::try_from(x >> 32).expect("half of it")) / f64::from(u32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(retries: u32) -> CallOptions {
        CallOptions { retries, ..CallOptions::default() }
    }

    /// 12.3: full jitter, doubling, at most a minute; what the service asks for goes before it.
    #[test]
    fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff::new(options(99), 1);
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(backoff.count(Advice::Again(None)), Step::Again);
            waits.push(backoff.pause(1.0).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.count(Advice::Again(Some(Duration::from_secs(90))));
        assert_eq!(backoff.pause(0.1).as_secs(), 90);
        backoff.count(Advice::Again(None));
        assert_eq!(backoff.pause(0.0), Duration::ZERO);
        assert!((0..1000).map(|_| chance()).all(|drawn| (0.0..=1.0).contains(&drawn)));
    }

    /// S0.06: so many retries and not one more; each member of a longer chain may be asked once.
    #[test]
    fn s0_06_retries_are_bounded() {
        let slow = Advice::SlowDown(None);
        for (retries, members, most) in [(3, 1, 3), (0, 1, 0), (0, 3, 2), (3, 2, 3)] {
            let mut backoff = Backoff::new(options(retries), members);
            for _ in 0..most {
                assert_eq!(backoff.count(slow), Step::Again);
                assert_eq!(backoff.count(Advice::NotThisProvider), Step::Again);
                assert_eq!(backoff.count(Advice::Again(None)), Step::Again);
            }
            assert_eq!(backoff.count(Advice::Again(None)), Step::GiveUp, "{retries} {members}");
        }
        assert_eq!(Backoff::new(options(3), 1).count(Advice::NotThisRow), Step::GiveUp);
    }
}
