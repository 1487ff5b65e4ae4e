//! A provider in memory: files, batches that live by virtual time, a bill, and faults drawn from a
//! seed. It also decides when the process that talks to it dies.

pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod life;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use batchctl::base::Clock;
use batchctl::batch::{Batch, Failure, FailureKind};
use batchctl::provider::{
    BatchApi, CallClass, CallError, CreateBatch, Dialect, Page, RemoteFile, SANDBOX,
};

use chance::{Dice, Fault, Faults};
use clock::VirtualClock;
use life::{Bill, Remote};

const SERVICE: &Dialect = &SANDBOX;
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
        match self.fault(call, &[Fault::ReadFails, Fault::Busy, Fault::BusyFor]) {
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

#[async_trait]
impl BatchApi for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn base_url(&self) -> &str {
        "http://memory"
    }

    fn dialect(&self) -> &'static Dialect {
        SERVICE
    }

    fn is_sandbox(&self) -> bool {
        true
    }

    fn server_time(&self) -> Option<i64> {
        let state = self.lock();
        state.has_heard.then(|| self.clock.unix() + state.skew)
    }

    async fn upload(
        &self,
        path: &Path,
        name: &str,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<RemoteFile, CallError> {
        let fault = self.write("upload", WRITES).await?;
        let text = fs::read_to_string(path).expect("the request file was just built");
        on_bytes(text.len() as u64);
        let file = {
            let mut state = self.lock();
            let id = format!("file-{}", state.number());
            let upload = Upload {
                name: name.to_owned(),
                lines: text.lines().map(str::to_owned).collect(),
                bytes: text.len() as u64,
                made: self.clock.now(),
                deleted: false,
            };
            let file = upload.describe(&id, state.skew);
            state.uploads.insert(id, upload);
            file
        };
        self.answer("upload", fault, file).await
    }

    async fn list_files(&self, after: Option<&str>) -> Result<Page<RemoteFile>, CallError> {
        self.read("list files").await?;
        self.hear();
        let state = self.lock();
        let mut files: Vec<_> = state
            .uploads
            .iter()
            .filter(|(_, file)| !file.deleted)
            .map(|(id, file)| (file.made, file.describe(id, state.skew)))
            .collect();
        files.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
        let files = files.into_iter().map(|(_, file)| file).collect();
        Ok(page_of(files, after, state.page, |file: &RemoteFile| &file.id))
    }

    async fn create(&self, request: &CreateBatch) -> Result<Batch, CallError> {
        const FAULTS: &[Fault] = &[
            Fault::NotSent,
            Fault::Busy,
            Fault::LostBefore,
            Fault::LostAfter,
            Fault::HangsBefore,
            Fault::HangsAfter,
            Fault::Late,
            Fault::Late,
            Fault::QueueFull,
            Fault::NotReady,
        ];
        let call = "create";
        let fault = self.write(call, FAULTS).await?;
        let now = self.clock.now();
        let text = match fault {
            Some(Fault::Late) => {
                let mut state = self.lock();
                let at = now + 60_000 + state.dice.below(180 * 60_000);
                state.late.push((at, request.clone()));
                return Err(unclear(call));
            }
            Some(Fault::QueueFull) => Some((
                FailureKind::QueueFull,
                "Enqueued token limit reached for some-model. Limit: 1,000 enqueued tokens.".into(),
            )),
            Some(Fault::NotReady) => Some((
                FailureKind::Invalid,
                format!("file {} is not ready: processing", request.input_file_id),
            )),
            _ => match self.lock().make(request, now) {
                Ok(()) => None,
                Err(()) => Some((
                    FailureKind::NotFound,
                    format!("No such File object: {}", request.input_file_id),
                )),
            },
        };
        if let Some((kind, text)) = text {
            self.hear();
            return Err(error(call, CallClass::Rejected, kind, &text));
        }
        let batch = {
            let state = self.lock();
            let batch = state.batches.last().expect("it was just made");
            batch.describe(now, state.skew)
        };
        self.answer(call, fault, batch).await
    }

    async fn retrieve(&self, batch_id: &str) -> Result<Batch, CallError> {
        self.read("retrieve").await?;
        self.hear();
        let now = self.clock.now();
        let found = self.lock().batch(batch_id, now);
        let mut batch = found.ok_or_else(|| {
            error("retrieve", CallClass::Rejected, FailureKind::NotFound, "no such batch")
        })?;
        if self.fault("retrieve", &[Fault::OddWord]).is_some() {
            batch.status = None;
            batch.status_word = "resting".to_owned();
        }
        Ok(batch)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page<Batch>, CallError> {
        self.read("list").await?;
        self.hear();
        let now = self.clock.now();
        let state = self.lock();
        let mut listed: Vec<_> = state.batches.iter().filter(|batch| batch.listed <= now).collect();
        listed.sort_by_key(|batch| std::cmp::Reverse(batch.made));
        let listed = listed.into_iter().map(|batch| batch.describe(now, state.skew)).collect();
        let most = state.page.min(limit as usize);
        Ok(page_of(listed, after, most, |batch: &Batch| &batch.id))
    }

    async fn cancel(&self, batch_id: &str) -> Result<Batch, CallError> {
        let fault = self.write("cancel", WRITES).await?;
        let batch = {
            let state = &mut *self.lock();
            let now = self.clock.now();
            if let Some(batch) = state.batches.iter_mut().find(|batch| batch.id == batch_id) {
                batch.cancel(now, &mut state.dice);
            }
            state.batch(batch_id, now)
        };
        let batch = batch.ok_or_else(|| {
            error("cancel", CallClass::Rejected, FailureKind::NotFound, "no such batch")
        })?;
        self.answer("cancel", fault, batch).await
    }

    async fn download(
        &self,
        file_id: &str,
        to: &Path,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, CallError> {
        self.read("download").await?;
        let found = self.lock().results.get(file_id).cloned();
        let bytes = found.ok_or_else(|| {
            error("download", CallClass::Rejected, FailureKind::NotFound, "no such file")
        })?;
        let length = match self.fault("download", &[Fault::CutDownload]) {
            Some(_) => self.draw(|dice| dice.index(bytes.len())),
            None => bytes.len(),
        };
        on_bytes(length as u64 / 2);
        let part = to.with_extension("part");
        fs::write(&part, &bytes[..length]).expect("a scratch folder can be filled");
        self.step("download").await;
        fs::rename(&part, to).expect("a scratch folder can be filled");
        self.step("download").await;
        self.hear();
        Ok(length as u64)
    }

    async fn delete_file(&self, file_id: &str) -> Result<(), CallError> {
        let fault = self.write("delete", WRITES).await?;
        if let Some(file) = self.lock().uploads.get_mut(file_id) {
            file.deleted = true;
        }
        self.answer("delete", fault, ()).await
    }
}

impl Upload {
    fn describe(&self, id: &str, skew: i64) -> RemoteFile {
        RemoteFile {
            id: id.to_owned(),
            name: Some(self.name.clone()),
            bytes: Some(self.bytes),
            created_at: Some(VirtualClock::unix_at(self.made) + skew),
        }
    }
}

/// The page after this id.
fn page_of<T>(
    items: Vec<T>,
    after: Option<&str>,
    most: usize,
    id: impl Fn(&T) -> &String,
) -> Page<T> {
    let from = after.and_then(|after| items.iter().position(|item| id(item) == after));
    let mut rest = items.into_iter().skip(from.map_or(0, |at| at + 1)).peekable();
    let items: Vec<T> = rest.by_ref().take(most).collect();
    let next = items.last().filter(|_| rest.peek().is_some()).map(|item| id(item).clone());
    Page { items, next }
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
