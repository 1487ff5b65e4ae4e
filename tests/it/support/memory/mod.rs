//! A provider in memory: files, batches that live by virtual time, a bill, and faults drawn from a
//! seed. It also decides when the process that talks to it dies.

mod api;
pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod life;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use batchctl::base::Clock;
use batchctl::batch::{Batch, Failure, FailureKind};
use batchctl::provider::{CallClass, CallError, CreateBatch};

use chance::{Dice, Fault, Faults};
use clock::VirtualClock;
use life::{Bill, Remote};

/// How long a call hangs before it is given up.
const HANG: Duration = Duration::from_secs(600);

/// When the process dies next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Before or after the effect of a call: at this passage, from 1.
    AtCall(u64),
    /// At this report of an event, between two steps of ours.
    AtReport(u64),
}

/// The provider.
pub(crate) struct Memory {
    pub(crate) clock: VirtualClock,
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    faults: Faults,
    log: Vec<String>,
    uploads: BTreeMap<String, Upload>,
    results: BTreeMap<String, Arc<Vec<u8>>>,
    batches: Vec<Remote>,
    /// Creates that are still on their way, with the moment of their arrival.
    late: Vec<(u64, CreateBatch)>,
    bill: Bill,
    numbers: u64,
    /// The provider's clock against ours, in seconds.
    skew: i64,
    /// Items a page at most.
    page: usize,
    /// Whether this process has had an answer that told the time.
    has_heard: bool,
    calls: u64,
    reports: u64,
    death: Option<Death>,
    is_dead: bool,
}

#[derive(Clone)]
struct Upload {
    name: String,
    lines: Vec<String>,
    bytes: u64,
    made: u64,
    deleted: bool,
}

impl Memory {
    /// A provider with the faults of a seed, or without any.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let mut dice = Dice::new(seed.unwrap_or(0));
        let faults = seed.map_or_else(Faults::none, |_| Faults::draw(&mut dice));
        let clock = VirtualClock::new(1 + u32::try_from(dice.below(20)).expect("it is small"));
        let skew = [0, 0, 86_400, -86_400, 37][dice.index(5)];
        let page = 1 + dice.index(4);
        let state = State {
            dice,
            faults,
            log: Vec::new(),
            uploads: BTreeMap::new(),
            results: BTreeMap::new(),
            batches: Vec::new(),
            late: Vec::new(),
            bill: Bill::default(),
            numbers: 0,
            skew,
            page,
            has_heard: false,
            calls: 0,
            reports: 0,
            death: None,
            is_dead: false,
        };
        Self { clock, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process begins; it dies then, if at all.
    pub(crate) fn begin(&self, death: Option<Death>) {
        let mut state = self.lock();
        state.has_heard = false;
        (state.calls, state.reports) = (0, 0);
        state.death = death;
        state.is_dead = false;
    }

    /// Whether the process has died.
    pub(crate) fn is_dead(&self) -> bool {
        self.lock().is_dead
    }

    /// Lets the process die at a report, if it is to.
    pub(crate) fn reported(&self, event: &str) {
        let mut state = self.lock();
        state.reports += 1;
        if state.death == Some(Death::AtReport(state.reports)) {
            state.is_dead = true;
            let number = state.reports;
            let now = self.clock.now();
            state.note(now, &format!("the process dies at report {number}: {event}"));
            drop(state);
            // Without the hook: this panic is no news.
            std::panic::resume_unwind(Box::new("the process died"));
        }
    }

    /// Draws something for the test from the same seed.
    pub(crate) fn draw<T>(&self, from: impl FnOnce(&mut Dice) -> T) -> T {
        from(&mut self.lock().dice)
    }

    /// What happened, one event a line.
    pub(crate) fn log(&self) -> String {
        self.lock().log.join("\n")
    }

    pub(crate) fn note(&self, text: &str) {
        let now = self.clock.now();
        self.lock().note(now, text);
    }

    /// The faults so far.
    pub(crate) fn faults<T>(&self, look: impl FnOnce(&Faults) -> T) -> T {
        look(&self.lock().faults)
    }

    /// Lets two days pass, so that whatever is under way happens. Returns the bill.
    pub(crate) fn settle(&self) -> Bill {
        self.clock.advance(Duration::from_secs(48 * 3600));
        let mut state = self.lock();
        state.turn(self.clock.now());
        state.turn(self.clock.now() + 48 * 3_600_000);
        state.bill.clone()
    }

    /// A moment of a call at which other things go on and the process may die.
    async fn step(&self, what: &str) {
        let rests = {
            let mut state = self.lock();
            state.calls += 1;
            if state.death == Some(Death::AtCall(state.calls)) {
                state.is_dead = true;
                let text = format!("the process dies at step {}: {what}", state.calls);
                state.note(self.clock.now(), &text);
            }
            if state.is_dead { None } else { Some(state.dice.below(4)) }
        };
        let Some(rests) = rests else { return std::future::pending().await };
        self.clock.advance(Duration::from_millis(rests * 150));
        for _ in 0..rests {
            tokio::task::yield_now().await;
        }
        self.lock().turn(self.clock.now());
    }

    /// What goes wrong with this call.
    fn fault(&self, call: &str, options: &[Fault]) -> Option<Fault> {
        let now = self.clock.now();
        let state = &mut *self.lock();
        let fault = state.faults.at(&mut state.dice, options)?;
        state.faults.fresh.clear();
        state.note(now, &format!("{call}: {fault:?}"));
        Some(fault)
    }

    fn hear(&self) {
        self.lock().has_heard = true;
    }

    /// The faults of a reading.
    async fn read(&self, call: &'static str) -> Result<(), CallError> {
        self.step(call).await;
        // There are many more of them than of the others.
        let spared = self.draw(|dice| dice.percent(70));
        let faults = [Fault::ReadFails, Fault::Busy, Fault::BusyFor];
        match self.fault(call, if spared { &[] } else { &faults }) {
            None => Ok(()),
            Some(Fault::ReadFails) => {
                self.clock.sleep(Duration::from_secs(30)).await;
                Err(error(call, CallClass::Unknown, FailureKind::Network, "connection reset"))
            }
            Some(fault) => Err(busy(call, fault)),
        }
    }

    /// What is done about a writing call before its effect: an answer, or whether the effect
    /// comes all the same.
    async fn write(
        &self,
        call: &'static str,
        options: &[Fault],
    ) -> Result<Option<Fault>, CallError> {
        self.step(call).await;
        let Some(fault) = self.fault(call, options) else { return Ok(None) };
        match fault {
            Fault::NotSent => {
                Err(error(call, CallClass::NotSent, FailureKind::Network, "connection refused"))
            }
            Fault::Busy | Fault::BusyFor => {
                self.hear();
                Err(busy(call, fault))
            }
            Fault::LostBefore => Err(unclear(call)),
            Fault::HangsBefore => {
                self.clock.sleep(HANG).await;
                Err(unclear(call))
            }
            other => Ok(Some(other)),
        }
    }

    /// What is done about a writing call after its effect.
    async fn answer<T>(
        &self,
        call: &'static str,
        fault: Option<Fault>,
        value: T,
    ) -> Result<T, CallError> {
        if fault == Some(Fault::HangsAfter) {
            self.clock.sleep(HANG).await;
        }
        self.step(call).await;
        if matches!(fault, Some(Fault::LostAfter | Fault::HangsAfter)) {
            return Err(unclear(call));
        }
        self.hear();
        Ok(value)
    }
}

/// Faults of every call that changes something.
const WRITES: &[Fault] = &[
    Fault::NotSent,
    Fault::Busy,
    Fault::BusyFor,
    Fault::LostBefore,
    Fault::LostAfter,
    Fault::HangsBefore,
    Fault::HangsAfter,
];

/// A line of the log.
fn line(now: u64, text: &str) -> String {
    format!("{:>6} s  {text}", now / 1000)
}

impl State {
    fn note(&mut self, now: u64, text: &str) {
        self.log.push(line(now, text));
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// What has become due happens.
    fn turn(&mut self, now: u64) {
        let (due, late) =
            std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        for (at, request) in due {
            let key = request.metadata.get("batchctl").cloned().unwrap_or_default();
            let made = self.make(&request, at);
            let fate = match made {
                Ok(()) => "and a batch is made",
                Err(()) if self.dice.percent(50) => {
                    let remote = self.remote(request, Vec::new(), at).stillborn();
                    self.batches.push(remote);
                    "and makes a batch that fails for want of its file"
                }
                Err(()) => "and is refused for want of its file",
            };
            self.note(at, &format!("the create of {key} arrives, {fate}"));
        }
        for batch in &mut self.batches {
            batch.turn(now, &mut self.dice, &mut self.faults, &mut self.results, &mut self.bill);
            for fault in self.faults.fresh.drain(..) {
                self.log.push(line(now, &format!("results of {}: {fault:?}", batch.id)));
            }
        }
    }

    /// Makes a batch if its file is there.
    fn make(&mut self, request: &CreateBatch, now: u64) -> Result<(), ()> {
        let file = self.uploads.get(&request.input_file_id).filter(|file| !file.deleted);
        let lines = file.ok_or(())?.lines.clone();
        let remote = self.remote(request.clone(), lines, now);
        self.batches.push(remote);
        Ok(())
    }

    fn remote(&mut self, request: CreateBatch, lines: Vec<String>, now: u64) -> Remote {
        let id = format!("batch_{}", self.number());
        let lines = if lines.is_empty() { vec![String::new()] } else { lines };
        let remote = Remote::make(id, request, lines, now, &mut self.dice, &mut self.faults);
        if !std::mem::take(&mut self.faults.fresh).is_empty() {
            self.note(now, &format!("{} will go wrong: {}", remote.id, remote.outlook()));
        }
        remote
    }

    fn batch(&self, id: &str, now: u64) -> Option<Batch> {
        let found = self.batches.iter().find(|batch| batch.id == id);
        found.map(|batch| batch.describe(now, self.skew))
    }
}

fn error(call: &'static str, class: CallClass, kind: FailureKind, text: &str) -> CallError {
    CallError {
        class,
        failure: Failure::ours(kind, text),
        call,
        provider: "memory".into(),
        local: None,
    }
}

fn unclear(call: &'static str) -> CallError {
    error(call, CallClass::Unknown, FailureKind::Network, "the answer did not come")
}

fn busy(call: &'static str, fault: Fault) -> CallError {
    let mut busy = error(call, CallClass::Rejected, FailureKind::RateLimited, "too many requests");
    if fault == Fault::BusyFor {
        busy.failure.retry_after = Some(Duration::from_secs(90));
    }
    busy
}
