//! Gates before services that exist only in arithmetic: what is let out is measured against what
//! the service allows.

use super::*;
use crate::provider::Allowance;

/// How a service counts.
#[derive(Debug, Clone, Copy)]
enum Counts {
    /// Its bucket fills bit by bit.
    Steady,
    /// All is there again at the end of a minute.
    Window,
}

/// A service with a limit of requests a minute.
struct Service {
    counts: Counts,
    limit: f64,
    level: f64,
    at: f64,
    tells: bool,
    retry_after: Option<f64>,
    answered: u64,
    refused: u64,
}

impl Service {
    fn new(counts: Counts, limit: f64, tells: bool) -> Self {
        let (level, at) = (limit, 0.0);
        Self { counts, limit, level, at, tells, retry_after: None, answered: 0, refused: 0 }
    }

    /// Takes a call at this second.
    fn call(&mut self, at: f64) -> (Ended, RateSigns) {
        match self.counts {
            Counts::Steady => {
                self.level = (self.level + (at - self.at) * self.limit / 60.0).min(self.limit);
            }
            Counts::Window if (at / 60.0).floor() > (self.at / 60.0).floor() => {
                self.level = self.limit;
            }
            Counts::Window => {}
        }
        self.at = at;
        let ended = if self.level >= 1.0 {
            self.level -= 1.0;
            self.answered += 1;
            Ended::Well
        } else {
            self.refused += 1;
            Ended::Refused(self.retry_after.map(Duration::from_secs_f64))
        };
        let reset = match self.counts {
            Counts::Steady => (self.limit - self.level) * 60.0 / self.limit,
            Counts::Window => 60.0 - at % 60.0,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let told = Allowance {
            limit: self.limit as u64,
            remaining: Some(self.level.max(0.0) as u64),
            reset: Some(Duration::from_secs_f64(reset)),
        };
        (ended, RateSigns { requests: self.tells.then_some(told), tokens: None })
    }
}

/// A pass that began then, where no other call had ended.
fn pass(began: Instant, tokens: u64) -> Pass {
    Pass { began, tokens, ended: (0.0, 0.0) }
}

/// Calls a service for so many seconds, as often as the gate lets, each call taking so long, and
/// of one moment the later ones come back first for so long.
fn simulate(
    gate: &mut Gate,
    service: &mut Service,
    (seconds, latency, disorder): (f64, f64, f64),
    start: Instant,
) {
    let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
    let mut out: Vec<(f64, Pass, Ended, RateSigns)> = Vec::new();
    let mut now = 0.0;
    while now < seconds {
        let mut back: Vec<_> = out.extract_if(.., |(back, ..)| *back <= now).collect();
        back.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, pass, ended, rate) in back {
            gate.end(pass, ended, &rate, at(now));
        }
        let mut late = disorder;
        while let Ok(pass) = gate.begin(0, at(now)) {
            let (ended, rate) = service.call(now + latency / 2.0);
            out.push((now + latency + late, pass, ended, rate));
            late = (late - 0.002).max(0.0);
        }
        now += 0.002;
    }
}

/// Acceptance: under 500 requests a minute at least 95 % of what is allowed, and fewer than 2 % of
/// calls refused, however the service counts, and in whatever order its answers come back.
#[test]
fn s4_17_a_told_limit_is_used_and_kept() {
    for counts in [Counts::Steady, Counts::Window] {
        for (latency, disorder) in [(0.05, 0.0), (0.5, 0.0), (0.05, 0.2), (0.2, 1.0)] {
            let start = Instant::now();
            let mut gate = Gate::new(CallLimits::default(), Duration::from_secs(1), start);
            let mut service = Service::new(counts, 500.0, true);
            service.retry_after = Some(1.0);
            simulate(&mut gate, &mut service, (240.0, latency, disorder), start);
            let allowed = match counts {
                Counts::Steady => 500.0 + 240.0 * 500.0 / 60.0,
                Counts::Window => 4.0 * 500.0,
            };
            let share = as_amount(service.answered) / allowed;
            let refused =
                as_amount(service.refused) / as_amount(service.answered + service.refused);
            assert!(share >= 0.95, "{counts:?} {latency} {disorder}: {share}");
            assert!(refused < 0.02, "{counts:?} {latency} {disorder}: {refused}");
        }
    }
}

/// A service that tells nothing is found out by its refusals.
#[test]
fn an_untold_limit_is_found_out() {
    for retry_after in [None, Some(1.0)] {
        let start = Instant::now();
        let mut gate = Gate::new(CallLimits::default(), Duration::from_secs(1), start);
        let mut service = Service::new(Counts::Steady, 500.0, false);
        service.retry_after = retry_after;
        simulate(&mut gate, &mut service, (600.0, 0.1, 0.0), start);
        let share = as_amount(service.answered) / (500.0 + 600.0 * 500.0 / 60.0);
        let refused = as_amount(service.refused) / as_amount(service.answered + service.refused);
        assert!(share > 0.7, "{retry_after:?}: {share}");
        assert!(refused < 0.1, "{retry_after:?}: {refused}");
    }
}

/// Acceptance: 90 % of concurrency ÷ latency at 1,000 calls of 200 ms, 20,000 calls, and never more
/// than a queue of connections may hold at once.
#[test]
fn performance_i_a_thousand_at_once_are_reached_soon() {
    let limits = CallLimits { concurrency: Some(1_000), ..CallLimits::default() };
    let start = Instant::now();
    let mut gate = Gate::new(limits, Duration::from_secs(1), start);
    let mut service = Service::new(Counts::Steady, 1e12, false);
    let (mut begun, mut most) = (0.0, 0.0_f64);
    for step in 0..20 {
        let now = start + Duration::from_millis(step * 10);
        let before = begun;
        while gate.begin(0, now).is_ok() {
            begun += 1.0;
        }
        most = most.max(begun - before);
    }
    assert!(begun > 999.0 && most <= 64.0, "{begun} {most}");
    let mut gate = Gate::new(limits, Duration::from_secs(1), start);
    simulate(&mut gate, &mut service, (4.4, 0.2, 0.0), start);
    assert!(service.answered >= 20_000, "{}", service.answered);
}

/// S0.04, S4.17: what a person sets is kept from the first second on.
#[test]
fn s0_04_a_set_limit_is_never_passed() {
    let limits = CallLimits { concurrency: Some(5), rpm: Some(120), tpm: None };
    let start = Instant::now();
    let mut gate = Gate::new(limits, Duration::from_secs(1), start);
    let mut service = Service::new(Counts::Steady, 1e9, false);
    simulate(&mut gate, &mut service, (60.0, 0.01, 0.0), start);
    assert!((118..=122).contains(&service.answered), "{}", service.answered);
    let mut gate = Gate::new(
        CallLimits { concurrency: Some(5), ..CallLimits::default() },
        Duration::from_secs(1),
        start,
    );
    let out = (0..100).filter(|_| gate.begin(0, start).is_ok()).count();
    assert_eq!(out, 5);
    assert_eq!(gate.begin(0, start), Err(Wait::Slot));
}

/// One refusal pauses all, a time that is told goes before ours, and ours grows; refusals of one
/// moment count once.
#[test]
fn s3_06_one_refusal_pauses_all() {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    // A set rate, so that none is found out of these few.
    let limits = CallLimits { rpm: Some(60_000_000), ..CallLimits::default() };
    let mut gate = Gate::new(limits, Duration::from_secs(1), start);
    let none = RateSigns::default();
    let refused = |wait: Option<u64>| Ended::Refused(wait.map(Duration::from_secs));
    for _ in 0..8 {
        gate.begin(0, start).unwrap();
    }
    gate.end(pass(start, 0), refused(None), &none, at(10));
    gate.end(pass(start, 0), refused(None), &none, at(20));
    assert_eq!(gate.begin(0, at(500)), Err(Wait::Paused(at(1010))), "one moment");
    gate.end(pass(start, 0), refused(Some(5)), &none, at(30));
    assert_eq!(gate.begin(0, at(1020)), Err(Wait::Paused(at(5030))), "as it was told");
    for _ in 0..5 {
        gate.end(pass(start, 0), Ended::Well, &none, at(40));
    }
    let mut pauses = Vec::new();
    let mut now = at(6_000);
    for _ in 0..8 {
        gate.begin(0, now).unwrap();
        let then = now + Duration::from_millis(1);
        gate.end(pass(now, 0), refused(None), &none, then);
        now = gate.paused_until(then).unwrap();
        pauses.push(now.duration_since(then).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert!((gate.at_once() - 1.0).abs() < 1e-9, "halved again and again");
}

/// B03: a service that refuses everything for a while and then is back is asked as before: neither
/// what was under way at a refusal nor a bad hour says what it allows.
#[test]
fn b03_an_outage_of_refusals_leaves_no_rate() {
    let start = Instant::now();
    let mut gate = Gate::new(CallLimits::default(), Duration::from_secs(1), start);
    let none = RateSigns::default();
    let at = |ms: u64| start + Duration::from_millis(ms);
    for second in 0..5 {
        let now = at(second * 2_000);
        gate.end(pass(now, 0), Ended::Refused(None), &none, at(second * 2_000 + 5));
        // Three were on their way when it began.
        (0..3).for_each(|_| gate.end(pass(now, 0), Ended::Well, &none, at(second * 2_000 + 40)));
    }
    assert!(gate.requests.is_none(), "{:?}", gate.requests);
    // One answer in 30 s is a rate, for as long as no better is known.
    gate.end(pass(at(40_000), 0), Ended::Well, &none, at(40_010));
    gate.end(pass(at(40_020), 0), Ended::Refused(None), &none, at(40_030));
    let rate = |gate: &Gate| gate.requests.as_ref().expect("a rate").limit();
    let low = rate(&gate);
    for answer in 0..300 {
        let now = at(50_000 + answer * 500);
        gate.end(pass(now, 0), Ended::Well, &none, now);
    }
    assert!(rate(&gate) > 20.0 * low, "{low} grew to {}", rate(&gate));
}

/// Tokens are reserved as guessed, and settled as used.
#[test]
fn tokens_are_settled_by_what_was_used() {
    let limits = CallLimits { tpm: Some(60_000), ..CallLimits::default() };
    let start = Instant::now();
    let mut gate = Gate::new(limits, Duration::from_secs(1), start);
    let first = gate.begin(900, start).unwrap();
    assert!(matches!(gate.begin(900, start), Err(Wait::Paced(_))), "a second holds 1,000");
    gate.end(first, Ended::Well, &RateSigns::default(), start);
    gate.settle(800.0);
    let second = gate.begin(900, start).unwrap();
    gate.take_back(second);
    gate.begin(900, start).unwrap();
}
