//! Where a batch stands at a given moment. Pure: the clock, the plan and the cancel decide.

use serde::{Deserialize, Serialize};

use crate::batch::BatchStatus;

/// What was settled when the batch was created. All times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) created: i64,
    /// From creation to completion.
    pub(super) duration: i64,
    /// When it expires.
    pub(super) expires: i64,
    /// Requests in the file.
    pub(super) total: u64,
    /// Whether the file passed the check.
    pub(super) valid: bool,
    /// Whether another server answers, at its own speed.
    pub(super) upstream: bool,
    /// Longer than usual in validating.
    #[serde(default)]
    pub(super) validating: i64,
    /// Longer than usual in finalizing.
    #[serde(default)]
    pub(super) finalizing: i64,
    /// An end before its time.
    #[serde(default)]
    pub(super) forced: Option<Forced>,
}

/// An end before its time, with so many requests finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forced {
    pub(super) status: BatchStatus,
    pub(super) done: u64,
}

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) status: BatchStatus,
    /// Requests finished so far; with an upstream the clock cannot know, and this is 0.
    pub(super) done: u64,
    /// When the state was or will be final, as far as the clock knows.
    pub(super) end: i64,
}

impl Plan {
    /// When the check is over.
    pub(super) fn started(&self) -> i64 {
        self.created + self.validating + self.duration / 10
    }

    /// When all requests are answered.
    pub(super) fn answered(&self) -> i64 {
        self.created + self.validating + self.duration * 9 / 10
    }

    fn completed(&self) -> i64 {
        self.created + self.validating + self.duration + self.finalizing
    }

    /// When so many requests are finished.
    fn when_done(&self, done: u64) -> i64 {
        let (start, end) = (i128::from(self.started()), i128::from(self.answered()));
        let time = (end - start) * i128::from(done) / i128::from(self.total.max(1));
        i64::try_from(start + time).unwrap_or(i64::MAX)
    }

    /// How long a cancel takes to come through.
    fn cancelling(&self) -> i64 {
        self.duration / 10
    }

    fn done_at(&self, now: i64) -> u64 {
        self.done_by_clock(now).min(self.forced.map_or(u64::MAX, |forced| forced.done))
    }

    fn done_by_clock(&self, now: i64) -> u64 {
        let (start, end) = (self.started(), self.answered());
        if self.upstream || now < start {
            return 0;
        }
        if now >= end {
            return self.total;
        }
        let share = i128::from(self.total) * i128::from(now - start) / i128::from(end - start);
        u64::try_from(share).unwrap_or(0)
    }

    /// Where it stands now. `cancelled` is when a cancel was accepted.
    pub(super) fn at(&self, now: i64, cancelled: Option<i64>) -> Moment {
        let moment = |status, done, end| Moment { status, done, end };
        if !self.valid {
            let end = self.started();
            let status = if now < end { BatchStatus::Validating } else { BatchStatus::Failed };
            return moment(status, 0, end);
        }
        if let Some(cancelled) = cancelled {
            let end = cancelled + self.cancelling();
            let status = if now < end { BatchStatus::Cancelling } else { BatchStatus::Cancelled };
            return moment(status, self.done_at(cancelled), end);
        }
        if let Some(moment) = self.at_forced_end(now) {
            return moment;
        }
        let end = if self.upstream { self.expires } else { self.completed().min(self.expires) };
        if now >= end {
            let status = if end == self.completed() && !self.upstream {
                BatchStatus::Completed
            } else {
                BatchStatus::Expired
            };
            return moment(status, self.done_at(end), end);
        }
        let end = self.forced_end().map_or(end, |forced| forced.min(end));
        let status = if now < self.started() {
            BatchStatus::Validating
        } else if now < self.answered() || self.upstream {
            BatchStatus::InProgress
        } else {
            BatchStatus::Finalizing
        };
        moment(status, self.done_at(now), end)
    }
}

impl Plan {
    /// When the end before its time comes, if one does.
    pub(super) fn forced_end(&self) -> Option<i64> {
        let forced = self.forced?;
        let done = self.when_done(forced.done);
        Some(if forced.status == BatchStatus::Cancelled { done + self.cancelling() } else { done })
    }

    /// When somebody else has cancelled it.
    pub(super) fn cancelled_by_others(&self) -> Option<i64> {
        let forced = self.forced.filter(|forced| forced.status == BatchStatus::Cancelled)?;
        Some(self.when_done(forced.done))
    }

    fn at_forced_end(&self, now: i64) -> Option<Moment> {
        let (forced, end) = (self.forced?, self.forced_end()?);
        if end > self.expires {
            return None;
        }
        if now >= end {
            return Some(Moment { status: forced.status, done: forced.done, end });
        }
        self.cancelled_by_others().filter(|cancelled| now >= *cancelled)?;
        Some(Moment { status: BatchStatus::Cancelling, done: forced.done, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BatchStatus::{
        Cancelled, Cancelling, Completed, Expired, Failed, Finalizing, InProgress, Validating,
    };

    const PLAN: Plan = Plan {
        created: 1000,
        duration: 1000,
        expires: 9000,
        total: 80,
        valid: true,
        upstream: false,
        validating: 0,
        finalizing: 0,
        forced: None,
    };

    #[test]
    fn states_follow_the_clock() {
        let short = Plan { expires: 1500, ..PLAN };
        let bad = Plan { valid: false, ..PLAN };
        let remote = Plan { upstream: true, ..PLAN };
        let forced = |status, done| Plan { forced: Some(Forced { status, done }), ..PLAN };
        let (expires, cancels) = (forced(Expired, 20), forced(Cancelled, 20));
        let slow = Plan { validating: 500, finalizing: 300, ..PLAN };
        let table = [
            (PLAN, 1000, None, Validating, 0, 2000),
            (PLAN, 1100, None, InProgress, 0, 2000),
            (PLAN, 1500, None, InProgress, 40, 2000),
            (PLAN, 1900, None, Finalizing, 80, 2000),
            (PLAN, 2000, None, Completed, 80, 2000),
            (PLAN, 99_999, None, Completed, 80, 2000),
            (PLAN, 1550, Some(1500), Cancelling, 40, 1600),
            (PLAN, 1600, Some(1500), Cancelled, 40, 1600),
            (PLAN, 5000, Some(1000), Cancelled, 0, 1100),
            (short, 1499, None, InProgress, 39, 1500),
            (short, 1500, None, Expired, 40, 1500),
            (bad, 1099, None, Validating, 0, 1100),
            (bad, 1100, None, Failed, 0, 1100),
            (expires, 1299, None, InProgress, 19, 1300),
            (expires, 1300, None, Expired, 20, 1300),
            (cancels, 1350, None, Cancelling, 20, 1400),
            (cancels, 1400, None, Cancelled, 20, 1400),
            (cancels, 1250, Some(1200), Cancelling, 10, 1300),
            (slow, 1599, None, Validating, 0, 2800),
            (slow, 2450, None, Finalizing, 80, 2800),
            (slow, 2800, None, Completed, 80, 2800),
            (remote, 5000, None, InProgress, 0, 9000),
            (remote, 9000, None, Expired, 0, 9000),
        ];
        for (plan, now, cancelled, status, done, end) in table {
            let expected = Moment { status, done, end };
            assert_eq!(plan.at(now, cancelled), expected, "at {now}, cancelled {cancelled:?}");
        }
    }
}
