//! The breaker of one provider with one model: after some failures in a row it is left alone for a
//! while, then asked once to see how it does. Time is handed in.

use std::time::{Duration, Instant};

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// Failures in a row.
    pub(super) threshold: u32,
    /// How long it is left alone.
    pub(super) cool_down: Duration,
}

/// Whether a call may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may.
    Yes,
    /// One, to see how it does.
    Probe,
    /// Not before this time.
    Not(Instant),
    /// One is out to see how it does.
    Probing,
    /// Not in this run.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open(Instant),
    Probing,
    Out,
}

/// How a provider does.
#[derive(Debug, Clone)]
pub(super) struct Breaker {
    rules: Rules,
    state: State,
    failures: u32,
}

impl Breaker {
    /// One that knows nothing bad.
    pub(super) fn new(rules: Rules) -> Self {
        let rules = Rules { threshold: rules.threshold.max(1), ..rules };
        Self { rules, state: State::Closed, failures: 0 }
    }

    /// One as an earlier run left it: failures in a row, and when it may be asked again.
    pub(super) fn restore(rules: Rules, failures: u32, until: Option<Instant>) -> Self {
        let state = until.map_or(State::Closed, State::Open);
        Self { state, failures, ..Self::new(rules) }
    }

    /// Whether a call may be made now.
    pub(super) fn verdict(&self, now: Instant) -> Verdict {
        match self.state {
            State::Closed => Verdict::Yes,
            State::Open(until) if now < until => Verdict::Not(until),
            State::Open(_) => Verdict::Probe,
            State::Probing => Verdict::Probing,
            State::Out => Verdict::Never,
        }
    }

    /// A call is made now. Returns whether it is the probe.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_probe = self.verdict(now) == Verdict::Probe;
        if is_probe {
            self.state = State::Probing;
        }
        is_probe
    }

    /// The probe was not made, or says nothing: the next call is one.
    pub(super) fn give_up_probe(&mut self, now: Instant) {
        if self.state == State::Probing {
            self.state = State::Open(now);
        }
    }

    /// An answer came. Returns whether that changed anything.
    pub(super) fn succeed(&mut self) -> bool {
        if self.state == State::Out {
            return false;
        }
        // A late answer to a call of before does not close it: the probe will.
        if matches!(self.state, State::Open(_)) {
            return false;
        }
        let changed = self.failures > 0 || self.state != State::Closed;
        (self.failures, self.state) = (0, State::Closed);
        changed
    }

    /// A call failed; each is counted once. Returns whether it opened now.
    pub(super) fn fail(&mut self, now: Instant, is_probe: bool) -> bool {
        match self.state {
            State::Closed => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < self.rules.threshold {
                    return false;
                }
            }
            State::Probing if is_probe => self.failures = self.failures.saturating_add(1),
            // Calls that were under way when it opened say nothing new.
            _ => return false,
        }
        self.state = State::Open(now + self.rules.cool_down);
        true
    }

    /// It will answer nothing in this run.
    pub(super) fn put_out(&mut self) {
        self.state = State::Out;
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// When it may be asked again, where it is left alone.
    pub(super) fn until(&self) -> Option<Instant> {
        match self.state {
            State::Open(until) => Some(until),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Ok,
        Fail,
        /// Seconds pass.
        Pass(u64),
        Out,
        /// What it says now: y(es), p(robe), n(ot now), o(ne is out), x(never).
        Says(char),
        /// A call is begun and stays out.
        Begin,
        GiveUp,
    }

    /// S3.04, S3.05, S3.09, defects 15 and 16: three failures in a row open it, one count per call;
    /// after the cool-down exactly one probe; a success closes it and forgets the count.
    #[test]
    fn s3_09_a_breaker_opens_waits_probes_and_closes() {
        use Step::{Begin, Fail, GiveUp, Ok, Out, Pass, Says};
        let table: &[&[Step]] = &[
            &[Says('y'), Fail, Fail, Says('y'), Fail, Says('n'), Pass(59), Says('n')],
            &[Fail, Fail, Ok, Fail, Fail, Says('y')],
            &[Fail, Fail, Fail, Pass(60), Says('p'), Begin, Says('o'), Ok, Says('y')],
            &[Fail, Fail, Fail, Pass(60), Begin, Fail, Says('n'), Pass(60), Says('p')],
            &[Fail, Fail, Fail, Pass(60), Begin, Ok, Fail, Fail, Says('y'), Fail, Says('n')],
            &[Fail, Fail, Fail, Fail, Fail, Pass(60), Says('p')],
            &[Fail, Fail, Fail, Ok, Says('n')],
            &[Fail, Fail, Fail, Pass(60), Begin, GiveUp, Says('p')],
            &[Out, Says('x'), Ok, Says('x'), Pass(600), Says('x')],
        ];
        for steps in table {
            let mut now = Instant::now();
            let rules = Rules { threshold: 3, cool_down: Duration::from_secs(60) };
            let mut breaker = Breaker::new(rules);
            let mut is_probe = false;
            for step in *steps {
                match step {
                    Ok => drop(breaker.succeed()),
                    Fail => drop(breaker.fail(now, std::mem::take(&mut is_probe))),
                    Pass(seconds) => now += Duration::from_secs(*seconds),
                    Out => breaker.put_out(),
                    Begin => is_probe = breaker.begin(now),
                    GiveUp => breaker.give_up_probe(now),
                    Says(word) => {
                        let said = match breaker.verdict(now) {
                            Verdict::Yes => 'y',
                            Verdict::Probe => 'p',
                            Verdict::Not(_) => 'n',
                            Verdict::Probing => 'o',
                            Verdict::Never => 'x',
                        };
                        assert_eq!(said, *word, "{steps:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_earlier_run_is_remembered() {
        let now = Instant::now();
        let rules = Rules { threshold: 3, cool_down: Duration::from_secs(60) };
        let soon = now + Duration::from_secs(5);
        let breaker = Breaker::restore(rules, 3, Some(soon));
        assert_eq!(breaker.verdict(now), Verdict::Not(soon));
        assert_eq!(breaker.verdict(soon), Verdict::Probe);
        let mut breaker = Breaker::restore(rules, 2, None);
        assert!(breaker.fail(now, false), "the third in a row");
    }
}
