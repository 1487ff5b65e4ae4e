//! How many of something may be used in a minute: requests, or tokens. What is in use and not yet
//! answered is held; a service's own count, where it tells one, goes before ours.

use std::time::{Duration, Instant};

use crate::provider::Allowance;

const MINUTE: f64 = 60.0;
/// By how much a time until all is there again may be longer than a steady flow explains.
const SLACK: f64 = 1.5;
/// A set limit is kept in every second and not only over a minute: so many seconds' worth may be
/// used at once.
const BURST: f64 = 1.0;
/// By how much a rate that was found out grows with each answer.
const WIDER: f64 = 1.0005;
/// The same where no refusal came for long.
const MUCH_WIDER: f64 = 1.02;

/// How what was used comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Refill {
    /// Bit by bit.
    Steady,
    /// All at once, at this time.
    Window(Instant),
}

/// What a service told with the answer to one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) allowance: Allowance,
    /// How much other calls took that ended while this one was out.
    pub(super) since: f64,
    /// For how long it was out.
    pub(super) took: Duration,
}

/// A bucket that fills up in a minute.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    limit: f64,
    most: f64,
    level: f64,
    held: f64,
    at: Instant,
    refill: Refill,
    /// A person set it: no header makes it larger.
    is_set: bool,
}

impl Bucket {
    /// A limit that a person set, used evenly.
    pub(super) fn set(limit: u64, now: Instant) -> Self {
        let limit = as_amount(limit).max(1.0);
        let most = (limit / MINUTE * BURST).max(1.0);
        Self { limit, most, level: most, held: 0.0, at: now, refill: Refill::Steady, is_set: true }
    }

    /// A rate that was found out by being refused, used evenly; so many are held already.
    pub(super) fn paced(limit: f64, held: f64, now: Instant) -> Self {
        let limit = limit.max(1.0);
        let most = (limit / MINUTE).max(1.0);
        Self { limit, most, level: 0.0, held, at: now, refill: Refill::Steady, is_set: false }
    }

    /// A limit that a service told; so many are held already.
    pub(super) fn learned(told: Told, held: f64, now: Instant) -> Self {
        let limit = as_amount(told.allowance.limit).max(1.0);
        // The least that may be left; what it tells with the next answers makes it more.
        let level = if told.allowance.remaining.is_some() { f64::MIN } else { limit - held };
        let refill = Refill::Steady;
        let mut bucket = Self { limit, most: limit, level, held, at: now, refill, is_set: false };
        bucket.learn(told, now);
        bucket
    }

    /// In a minute.
    pub(super) fn limit(&self) -> f64 {
        self.limit
    }

    /// Makes a rate that was found out a little larger, or much: what it is now may be too little.
    pub(super) fn widen(&mut self, is_quiet: bool) {
        if !self.is_set {
            self.limit *= if is_quiet { MUCH_WIDER } else { WIDER };
            self.most = (self.limit / MINUTE).max(1.0);
        }
    }

    /// Whether a person set it.
    pub(super) fn is_set(&self) -> bool {
        self.is_set
    }

    fn flow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        match self.refill {
            Refill::Steady => {
                self.level = (self.level + passed * self.limit / MINUTE).min(self.most);
            }
            Refill::Window(until) if now >= until => {
                // What is held now will be counted in the new window at worst.
                self.level = self.most - self.held;
                self.refill = Refill::Window(until + Duration::from_secs(60));
            }
            Refill::Window(_) => {}
        }
    }

    /// Takes so much, or says when it may be there. What is larger than the bucket goes alone,
    /// when it is full.
    pub(super) fn take(&mut self, amount: f64, now: Instant) -> Result<(), Instant> {
        self.flow(now);
        let wanted = amount.min(self.most);
        if self.level + 1e-9 < wanted {
            return Err(match self.refill {
                Refill::Steady => {
                    let seconds = (wanted - self.level) * MINUTE / self.limit;
                    now + Duration::from_secs_f64(seconds.clamp(0.001, MINUTE))
                }
                Refill::Window(until) => until,
            });
        }
        self.level -= amount;
        self.held += amount;
        Ok(())
    }

    /// Gives back what was taken for a call that was never made.
    pub(super) fn refund(&mut self, amount: f64) {
        self.held = (self.held - amount).max(0.0);
        self.level = (self.level + amount).min(self.most);
    }

    /// A call was answered: what it took is no longer in the air.
    pub(super) fn release(&mut self, amount: f64) {
        self.held = (self.held - amount).max(0.0);
    }

    /// What a call really used turned out other than what was taken for it.
    pub(super) fn settle(&mut self, difference: f64) {
        self.level = (self.level + difference).min(self.most);
    }

    /// Takes a service's word for how much is left. Answers come back in another order than the
    /// service counted them in, so that its word bounds our own count and does not replace it.
    pub(super) fn learn(&mut self, told: Told, now: Instant) {
        self.flow(now);
        let Told { allowance, since, took } = told;
        let limit = as_amount(allowance.limit).max(1.0);
        if self.is_set {
            return;
        }
        (self.limit, self.most) = (limit, limit);
        let Some(remaining) = allowance.remaining else { return };
        let remaining = as_amount(remaining).min(limit);
        if let Some(reset) = allowance.reset {
            let steady = (limit - remaining) * MINUTE / limit;
            let is_window = reset.as_secs_f64() > steady + SLACK;
            self.refill = match self.refill {
                // Near its end a window looks like a steady flow.
                Refill::Window(_) if remaining < limit => Refill::Window(now + reset),
                _ if is_window => Refill::Window(now + reset),
                _ => Refill::Steady,
            };
        }
        let came = match self.refill {
            Refill::Steady => took.as_secs_f64() * limit / MINUTE,
            Refill::Window(_) => 0.0,
        };
        // What is in the air, and what ended while this call was, may or may not be in its count.
        let least = remaining - self.held - since;
        self.level = self.level.max(least).min(remaining + came).min(limit);
    }

    /// The service refused although something was left by our count: nothing is, until then.
    pub(super) fn empty_until(&mut self, until: Option<Instant>, now: Instant) {
        self.flow(now);
        self.level = self.level.min(0.0);
        if let (Refill::Window(_), Some(until)) = (self.refill, until) {
            self.refill = Refill::Window(until);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "limits of a minute are far below 2^52")]
pub(super) fn as_amount(number: u64) -> f64 {
    number as f64
}
