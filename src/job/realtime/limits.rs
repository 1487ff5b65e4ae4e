//! The gate before one member of a chain: how many calls may be out at once, how many in a minute,
//! and until when none. It learns from what the service tells and from being refused; everything
//! here is arithmetic over times that are handed in.

use std::time::{Duration, Instant};

use super::bucket::{Bucket, Told, as_amount};
use crate::provider::RateSigns;

/// Calls at once where nobody sets it: enough for any service that takes calls of people's keys.
const MOST_AT_ONCE: u64 = 256;
/// Calls at once in the beginning; they double with each round of answers.
const FIRST_AT_ONCE: f64 = 16.0;
/// How many more may be out every [`RAMP_STEP`] in the beginning where a person set how many: all
/// at once would overrun the queue of connections that a server has not yet taken.
const RAMP: f64 = 64.0;
const RAMP_STEP: Duration = Duration::from_millis(10);
/// A pause after a refusal without a time is at most this long.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After so many answers and so long without a refusal a rate that was found out was that of a bad
/// hour: it grows fast, and a refusal in so many calls is few.
const QUIET_ANSWERS: u64 = 60;
const QUIET: Duration = Duration::from_secs(60);

/// What a person said of a member's limits; `None` is found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls at once.
    pub concurrency: Option<u64>,
    /// Calls in a minute.
    pub rpm: Option<u64>,
    /// Tokens in a minute, prompts and answers together.
    pub tpm: Option<u64>,
}

/// Why no call may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// As many as may be are out: one must end first.
    Slot,
    /// More would be too many: not before this time.
    Paced(Instant),
    /// It refused: not before this time.
    Paused(Instant),
}

/// How a call ended, for the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With an answer, or in a way that says nothing of limits.
    Well,
    /// It was one too many; none before this time, where that is said.
    Refused(Option<Duration>),
}

/// A call that was let out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pass {
    /// When.
    pub(super) began: Instant,
    /// The tokens that were taken for it.
    pub(super) tokens: u64,
    /// How many calls had ended until then, and with how many tokens.
    ended: (f64, f64),
}

/// The gate before one member.
#[derive(Debug)]
pub(super) struct Gate {
    out: f64,
    /// Calls that ended, and the tokens that were taken for them.
    ended: (f64, f64),
    at_once: f64,
    most: f64,
    /// While it grows fast: with each answer, or with time where a person set how many.
    is_starting: bool,
    ramp: Option<Instant>,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    has_told_requests: bool,
    paused_until: Option<Instant>,
    first_pause: Duration,
    /// Refusals since an answer came, those of one moment counted once.
    refusals: u32,
    /// When it was last made smaller; refusals of calls that began before are of the same moment.
    shrunk: Option<Instant>,
    /// When the last moment of refusals was, and how many answers came since: its rate.
    since_refusal: Option<(Instant, u64)>,
}

impl Gate {
    /// A gate that knows what a person said.
    pub(super) fn new(limits: CallLimits, first_pause: Duration, now: Instant) -> Self {
        let most = as_amount(limits.concurrency.unwrap_or(MOST_AT_ONCE).max(1));
        let is_set = limits.concurrency.is_some();
        Self {
            out: 0.0,
            ended: (0.0, 0.0),
            at_once: most.min(if is_set { RAMP } else { FIRST_AT_ONCE }),
            most,
            is_starting: true,
            ramp: is_set.then_some(now),
            requests: limits.rpm.map(|limit| Bucket::set(limit, now)),
            tokens: limits.tpm.map(|limit| Bucket::set(limit, now)),
            has_told_requests: false,
            paused_until: None,
            first_pause: first_pause.max(Duration::from_millis(1)),
            refusals: 0,
            shrunk: None,
            since_refusal: None,
        }
    }

    /// Calls that are out.
    pub(super) fn out(&self) -> f64 {
        self.out
    }

    /// How many may be out at once now.
    pub(super) fn at_once(&self) -> f64 {
        self.at_once
    }

    /// Whether tokens are counted.
    pub(super) fn counts_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Until when it is paused by a refusal.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| now < *until)
    }

    fn grow_with_time(&mut self, now: Instant) {
        let Some(since) = self.ramp.filter(|_| self.is_starting) else { return };
        let steps = now.saturating_duration_since(since).as_millis() / RAMP_STEP.as_millis();
        if steps > 0 {
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            self.at_once = (self.at_once + RAMP * f64::from(steps)).min(self.most);
            self.ramp = Some(now);
            self.is_starting = self.at_once < self.most;
        }
    }

    /// Lets a call with so many tokens out, or says what it waits for.
    pub(super) fn begin(&mut self, tokens: u64, now: Instant) -> Result<Pass, Wait> {
        if let Some(until) = self.paused_until(now) {
            return Err(Wait::Paused(until));
        }
        if self.out == 0.0 && self.is_starting && self.ramp.is_some() {
            self.ramp = Some(now);
        }
        self.grow_with_time(now);
        if self.out + 1.0 > self.at_once.floor().max(1.0) {
            // While it grows by time nobody's end makes room.
            let grows = self.is_starting && self.ramp.is_some() && self.at_once < self.most;
            return Err(if grows { Wait::Paced(now + RAMP_STEP) } else { Wait::Slot });
        }
        if let Some(requests) = &mut self.requests {
            requests.take(1.0, now).map_err(Wait::Paced)?;
        }
        if let Some(bucket) = &mut self.tokens
            && let Err(until) = bucket.take(as_amount(tokens), now)
        {
            if let Some(requests) = &mut self.requests {
                requests.refund(1.0);
            }
            return Err(Wait::Paced(until));
        }
        self.out += 1.0;
        Ok(Pass { began: now, tokens, ended: self.ended })
    }

    /// Takes a call back that was let out and not made.
    pub(super) fn take_back(&mut self, pass: Pass) {
        self.out = (self.out - 1.0).max(0.0);
        if let Some(requests) = &mut self.requests {
            requests.refund(1.0);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.refund(as_amount(pass.tokens));
        }
    }

    /// What was out is cut off.
    pub(super) fn forget_calls(&mut self) {
        self.out = 0.0;
        for bucket in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            bucket.release(f64::MAX);
        }
    }

    /// A call ended.
    pub(super) fn end(&mut self, pass: Pass, ended: Ended, rate: &RateSigns, now: Instant) {
        let Pass { began, tokens, ended: before } = pass;
        let tokens = as_amount(tokens);
        self.out = (self.out - 1.0).max(0.0);
        if let Some(requests) = &mut self.requests {
            requests.release(1.0);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.release(tokens);
        }
        let since = (self.ended.0 - before.0, self.ended.1 - before.1);
        self.ended = (self.ended.0 + 1.0, self.ended.1 + tokens);
        self.learn(rate, since, now.saturating_duration_since(began), now);
        match ended {
            Ended::Well => self.grow(began, now),
            Ended::Refused(wait) => self.shrink(began, wait, now),
        }
    }

    /// A call used more or fewer tokens than were taken for it.
    pub(super) fn settle(&mut self, difference: f64) {
        if let Some(tokens) = &mut self.tokens {
            tokens.settle(difference);
        }
    }

    fn learn(&mut self, rate: &RateSigns, since: (f64, f64), took: Duration, now: Instant) {
        if let Some(allowance) = rate.requests {
            let told = Told { allowance, since: since.0, took };
            match &mut self.requests {
                Some(bucket) if self.has_told_requests || bucket.is_set() => {
                    bucket.learn(told, now);
                }
                bucket => *bucket = Some(Bucket::learned(told, self.out, now)),
            }
            self.has_told_requests = true;
        }
        if let Some(allowance) = rate.tokens {
            let told = Told { allowance, since: since.1, took };
            match &mut self.tokens {
                Some(bucket) => bucket.learn(told, now),
                // What is in the air was not counted: the next word of the service will tell.
                bucket => *bucket = Some(Bucket::learned(told, 0.0, now)),
            }
        }
    }

    fn grow(&mut self, began: Instant, now: Instant) {
        self.refusals = 0;
        let mut is_quiet = false;
        // What was under way at the refusal says nothing of what is allowed since.
        if let Some((since, answers)) = self.since_refusal.as_mut().filter(|(at, _)| began > *at) {
            *answers += 1;
            is_quiet = *answers >= QUIET_ANSWERS && now.duration_since(*since) >= QUIET;
        }
        if let Some(requests) = self.requests.as_mut().filter(|_| !self.has_told_requests) {
            requests.widen(is_quiet);
        }
        let is_full = self.out + 2.0 > self.at_once.floor();
        if !is_full || self.at_once >= self.most {
            return;
        }
        if self.is_starting && self.ramp.is_none() {
            self.at_once += 1.0;
        } else if !self.is_starting {
            self.at_once += 1.0 / self.at_once.max(1.0);
        }
        self.at_once = self.at_once.min(self.most);
    }

    fn shrink(&mut self, began: Instant, wait: Option<Duration>, now: Instant) {
        let is_same_moment = self.shrunk.is_some_and(|at| began <= at);
        let knows = self.has_told_requests;
        if !is_same_moment {
            self.shrunk = Some(now);
            self.is_starting = false;
            self.at_once = (self.at_once / 2.0).max(1.0);
            self.refusals = self.refusals.saturating_add(1);
            if !knows {
                self.pace(now);
            }
        }
        let grown =
            self.first_pause * 2_u32.saturating_pow(self.refusals.saturating_sub(1).min(16));
        let pause = match wait {
            Some(wait) => wait,
            None if is_same_moment => Duration::ZERO,
            None => grown.min(LONGEST_PAUSE),
        };
        let until = now + pause;
        self.paused_until = Some(self.paused_until.map_or(until, |known| known.max(until)));
        if let Some(requests) = &mut self.requests {
            requests.empty_until(wait.map(|wait| now + wait), now);
        }
    }

    /// A service that tells no limit is asked as often as it answered between two refusals.
    fn pace(&mut self, now: Instant) {
        let known = self.since_refusal.replace((now, 0));
        let Some((since, answers)) = known.filter(|(_, answers)| *answers > 0) else { return };
        let seconds = now.saturating_duration_since(since).as_secs_f64().max(0.001);
        let rate = as_amount(answers) * 60.0 / seconds;
        match &self.requests {
            Some(bucket) if bucket.is_set() => {}
            Some(bucket) => {
                let rate = rate.min(bucket.limit() * 0.95);
                self.requests = Some(Bucket::paced(rate, self.out, now));
            }
            None => self.requests = Some(Bucket::paced(rate, self.out, now)),
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
