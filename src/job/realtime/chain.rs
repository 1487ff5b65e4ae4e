//! Who may be asked by calls, in which order, and how each of them does: gates, breakers and what
//! the ledger remembers of them. What is asked, and what becomes of an answer, is others' business.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::{Breaker, Rules, Verdict};
use super::limits::{CallLimits, Ended, Gate, Pass, Wait};
use crate::base::{Clock, redact};
use crate::batch::Failure;
use crate::cost::Price;
use crate::provider::{Advice, CallReply, ChatApi, ChatError};
use crate::request::Question;
use crate::store::{HealthRecord, Store, StoreError};

/// Characters of a failure that are remembered.
const LONGEST_REASON: usize = 300;

/// One provider with one model that may be asked.
pub struct Member {
    /// The name it is called by.
    pub name: String,
    /// The model.
    pub model: String,
    /// The calls.
    pub api: Box<dyn ChatApi>,
    /// The job's question as this member is asked it.
    pub question: Question,
    /// What it costs; `None` = unknown.
    pub price: Option<Price>,
    /// Its address as it is stored and hashed.
    pub stored_url: String,
    /// What a person said of its limits.
    pub limits: CallLimits,
    /// How long one call may take.
    pub timeout: Duration,
}

impl Member {
    /// `openai:gpt-4o`: how people are told of it.
    pub fn title(&self) -> String {
        format!("{}:{}", self.name, self.model)
    }
}

/// How often and how soon failed calls are made again, and when a member is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallOptions {
    /// How often a row is asked again after failures that may pass.
    pub retries: u32,
    /// The first wait before that; it doubles, up to a minute, and is drawn at random below.
    pub retry_delay: Duration,
    /// Failures in a row after which a member is left alone.
    pub failure_threshold: u32,
    /// For how long.
    pub cool_down: Duration,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            retries: 3,
            retry_delay: Duration::from_secs(1),
            failure_threshold: 3,
            cool_down: Duration::from_secs(60),
        }
    }
}

/// The members in the order in which they are asked.
pub struct Chain<'a> {
    members: Vec<Member>,
    options: CallOptions,
    store: &'a Store,
    clock: &'a dyn Clock,
    states: Mutex<Vec<State>>,
}

/// How one member does.
struct State {
    gate: Gate,
    breaker: Breaker,
    last: Option<Failure>,
    answered: Option<i64>,
}

/// How one member does now, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// `openai:gpt-4o`.
    pub title: String,
    /// Calls that are out.
    pub out: u64,
    /// Calls that may be out.
    pub at_once: u64,
    /// It is paused by a refusal for so long.
    pub paused: Option<Duration>,
    /// It is left alone after failures for so long.
    pub cooling: Option<Duration>,
    /// Failures in a row.
    pub failures: u32,
    /// Why it failed last.
    pub reason: Option<String>,
}

/// Who is to be asked next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pick {
    /// This member; its gate has let the call out.
    Go(Call),
    /// None now: at this time, or when a call ends.
    Wait(Option<Instant>),
    /// None of those that are left.
    Nobody,
}

/// A call that its member's gate has let out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Call {
    pub(super) member: usize,
    pub(super) pass: Pass,
    is_probe: bool,
}

impl<'a> Chain<'a> {
    /// A chain of these members, each as the ledger remembers it.
    pub fn new(
        members: Vec<Member>,
        options: CallOptions,
        store: &'a Store,
        clock: &'a dyn Clock,
    ) -> Result<Self, StoreError> {
        let now = clock.instant();
        let threshold = options.failure_threshold.max(1);
        // Where nobody else can be asked, leaving one alone only delays: it is tried again soon,
        // and what an earlier run met says nothing.
        let is_alone = members.len() == 1;
        let longest = if is_alone { ALONE } else { options.cool_down };
        let rules = Rules { threshold, cool_down: options.cool_down.min(longest) };
        let mut states = Vec::new();
        for member in &members {
            let known = store.health(&member.name, &member.stored_url, &member.model)?;
            states.push(State {
                gate: Gate::new(member.limits, options.retry_delay, now),
                breaker: match &known {
                    Some(known) if !is_alone => restore(rules, known, clock),
                    _ => Breaker::new(rules),
                },
                last: None,
                answered: None,
            });
        }
        Ok(Self { members, options, store, clock, states: Mutex::new(states) })
    }

    /// The members.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How failures are dealt with.
    pub fn options(&self) -> CallOptions {
        self.options
    }

    /// Time.
    pub(super) fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the members do now.
    pub fn standings(&self) -> Vec<Standing> {
        let now = self.clock.instant();
        let left = |until: Instant| until.saturating_duration_since(now);
        let states = self.states();
        let both = self.members.iter().zip(states.iter());
        both.map(|(member, state)| Standing {
            title: member.title(),
            out: whole(state.gate.out()),
            at_once: whole(state.gate.at_once()),
            paused: state.gate.paused_until(now).map(left),
            cooling: state.breaker.until().map(left).filter(|left| !left.is_zero()),
            failures: state.breaker.failures(),
            reason: state.last.as_ref().map(|failure| failure.message.clone()),
        })
        .collect()
    }

    /// Who of the first `most` members is asked next; those of the mask were asked already. A
    /// refusal passes a member by; that it is busy does not.
    pub(super) fn pick(&self, (tried, most): (u64, usize), tokens: &dyn Fn(usize) -> u64) -> Pick {
        let now = self.clock.instant();
        let mut states = self.states();
        let mut soonest: Option<Instant> = None;
        let mut may_come = false;
        for (member, state) in states.iter_mut().enumerate().take(most) {
            if tried & bit(member) != 0 {
                continue;
            }
            match state.breaker.verdict(now) {
                Verdict::Never => continue,
                Verdict::Probing => {
                    may_come = true;
                    continue;
                }
                Verdict::Not(until) => {
                    soonest = Some(soonest.map_or(until, |known| known.min(until)));
                    continue;
                }
                Verdict::Yes | Verdict::Probe => {}
            }
            let tokens = if state.gate.counts_tokens() { tokens(member) } else { 0 };
            match state.gate.begin(tokens, now) {
                Ok(pass) => {
                    let is_probe = state.breaker.begin(now);
                    return Pick::Go(Call { member, pass, is_probe });
                }
                Err(Wait::Slot) => return Pick::Wait(None),
                Err(Wait::Paced(until)) => return Pick::Wait(Some(until)),
                Err(Wait::Paused(until)) => {
                    soonest = Some(soonest.map_or(until, |known| known.min(until)));
                }
            }
        }
        match (soonest, may_come) {
            (None, false) => Pick::Nobody,
            (soonest, _) => Pick::Wait(soonest),
        }
    }

    /// Takes a call back that was not made.
    pub(super) fn take_back(&self, call: Call) {
        let now = self.clock.instant();
        let mut states = self.states();
        let state = &mut states[call.member];
        state.gate.take_back(call.pass);
        if call.is_probe {
            state.breaker.give_up_probe(now);
        }
    }

    /// Takes note of how a call ended. Returns whether what the ledger remembers has changed.
    pub(super) fn ended(&self, call: Call, end: Result<&CallReply, &ChatError>) -> bool {
        let now = self.clock.instant();
        let mut states = self.states();
        let state = &mut states[call.member];
        let error = match end {
            Ok(reply) => {
                state.gate.end(call.pass, Ended::Well, &reply.rate, now);
                return state.answers(self.clock.unix());
            }
            Err(error) => error,
        };
        let refused = match error.advice {
            Advice::SlowDown(wait) => Ended::Refused(wait),
            _ => Ended::Well,
        };
        state.gate.end(call.pass, refused, &error.rate, now);
        match error.advice {
            Advice::SlowDown(_) => {
                state.last = Some(error.error.failure.clone());
                if call.is_probe {
                    state.breaker.give_up_probe(now);
                }
                false
            }
            // It answers; the row is at fault.
            Advice::NotThisRow => state.answers(self.clock.unix()),
            Advice::Again(_) => {
                state.last = Some(error.error.failure.clone());
                state.breaker.fail(now, call.is_probe)
            }
            Advice::NotThisProvider => {
                state.last = Some(error.error.failure.clone());
                state.breaker.put_out();
                false
            }
        }
    }

    /// Calls that were out were cut off by our own stop: they say nothing about their members.
    pub(super) fn forget_calls(&self) {
        let now = self.clock.instant();
        for state in self.states().iter_mut() {
            state.gate.forget_calls();
            state.breaker.give_up_probe(now);
        }
    }

    /// Whether a member has answered in this run.
    pub(super) fn has_answered(&self, member: usize) -> bool {
        self.states()[member].answered.is_some()
    }

    /// A call used more or fewer tokens than were taken for it.
    pub(super) fn settle_tokens(&self, member: usize, difference: f64) {
        self.states()[member].gate.settle(difference);
    }

    /// Why a member failed last.
    pub(super) fn last_failure(&self, member: usize) -> Option<Failure> {
        self.states()[member].last.clone()
    }

    /// What the ledger is to remember of a member.
    pub(super) fn health(&self, member: usize) -> HealthRecord {
        let now = self.clock.instant();
        let unix = self.clock.unix().saturating_mul(1000);
        let states = self.states();
        let (state, member) = (&states[member], &self.members[member]);
        let left = |until: Instant| {
            let left = until.saturating_duration_since(now).as_millis();
            unix.saturating_add(i64::try_from(left).unwrap_or(i64::MAX))
        };
        let reason = state.last.as_ref().filter(|_| state.breaker.failures() > 0);
        HealthRecord {
            provider: member.name.clone(),
            base_url: member.stored_url.clone(),
            model: member.model.clone(),
            failures: state.breaker.failures(),
            until: state.breaker.until().map(left),
            reason: reason
                .map(|failure| redact(&failure.message).chars().take(LONGEST_REASON).collect()),
            answered: state.answered.map(|at| at.saturating_mul(1000)),
            updated: unix,
        }
    }

    /// Makes the ledger remember how a member does.
    pub(super) fn remember(&self, member: usize) -> Result<(), StoreError> {
        self.store.put_health(&self.health(member))
    }
}

impl State {
    fn answers(&mut self, now: i64) -> bool {
        let is_first = self.answered.replace(now).is_none();
        self.breaker.succeed() || is_first
    }
}

fn restore(rules: Rules, known: &HealthRecord, clock: &dyn Clock) -> Breaker {
    let left = |until: i64| {
        let left = until.saturating_sub(clock.unix().saturating_mul(1000));
        // A clock that was put back must not keep it away for longer than the cool-down.
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(rules.cool_down);
        clock.instant() + left
    };
    Breaker::restore(rules, known.failures, known.until.map(left))
}

/// How long the only member is left alone at most.
const ALONE: Duration = Duration::from_secs(2);

/// The bit of a member in a mask; a chain is far shorter than that.
pub(super) fn bit(member: usize) -> u64 {
    1_u64.checked_shl(u32::try_from(member).unwrap_or(u32::MAX)).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}
