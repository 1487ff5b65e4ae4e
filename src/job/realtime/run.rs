//! Making the calls: as many at once as the members' gates let out, on one thread and without a
//! task for each. Rows come from the feed, go to who may be asked, and their answers to the writer.

mod ending;
mod next;
mod told;

use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;

use super::chain::{Call, Chain, bit};
use super::feed::Order;
use super::flight::{Landed, fly};
use super::journal::{Journal, Mark};
use super::later::Later;
use super::line::Final;
use super::retry::Step;
use super::shared::{Done, Fed, Item, Message, Shared};
use super::tallies::Tallies;
use crate::base::crash_point;
use crate::batch::Failure;
use crate::job::drive::Driver;
use crate::job::{JobError, StopCause};
use crate::provider::{Advice, CallClass, ChatError};

/// Rows that are ready and not asked, at which no more are taken from the feed.
const READY: usize = 256;
/// Rows whose request for another member is being made at once.
const BUILDING: usize = 64;
/// Answers that wait to be written, at which no more calls are made.
const BACKLOG: usize = 8_192;
/// Rows that go into the account together, if that many came.
const GROUP: u64 = 100;
/// The least time between two groups: what a commit costs is shared by more rows where many come.
const GROUP_PAUSE: Duration = Duration::from_millis(300);
/// And how long the first of them waits at most.
const GROUP_AFTER: Duration = Duration::from_secs(5);
/// How often a stop, a wish and the time are looked at.
const TICK: Duration = Duration::from_millis(25);
/// How often the ledger is asked whether somebody wants the job stopped.
const GLANCE: Duration = Duration::from_secs(1);
/// How long calls that are out may take once all is to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How long nobody may answer before the run gives up; the rows stay open.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Why no more calls are made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Why {
    /// All rows were asked.
    Through,
    /// A signal.
    Stopped(StopCause),
    /// A person wants the job stopped.
    Wished,
    /// Long enough.
    Waited,
    /// Nobody of the chain answers anything.
    Refused(Failure),
    /// Nobody could be reached for long.
    Unreachable(Failure),
    /// The rows of a shard stop the job, or something failed.
    Halted,
}

/// Makes the calls of one run.
pub(super) struct Caller<'r> {
    pub(super) driver: &'r Driver<'r>,
    pub(super) chain: &'r Chain<'r>,
    pub(super) shared: &'r Shared,
    pub(super) fed: mpsc::Receiver<Fed>,
    pub(super) built: mpsc::UnboundedReceiver<Box<Item>>,
    pub(super) orders: Sender<Order>,
    pub(super) writer: Sender<Message>,
    pub(super) state: State,
}

/// What the calls of a run are at.
pub(super) struct State {
    ready: VecDeque<Box<Item>>,
    turn: VecDeque<Box<Item>>,
    later: BinaryHeap<Later>,
    building: usize,
    out: usize,
    is_fed: bool,
    /// When a gate may open that is closed to all of these.
    opens: Option<Instant>,
    /// Those of whom it was said that they refuse calls, one bit each.
    refused: u64,
    /// The same of those that refuse everything.
    ended: u64,
    journals: HashMap<i64, Listed>,
    tallies: Tallies,
    /// Rows that are through and not handed to the writer.
    done: Vec<Done>,
    /// Rows since the last group, and when the first of them came.
    group: (u64, Option<Instant>),
    groups: u64,
    /// When the last group was told.
    grouped: Option<Instant>,
    why: Option<(Why, Option<Instant>)>,
    /// Nobody has answered for so long that no calls are made until one does.
    is_holding: bool,
    answered: Instant,
    glanced: Instant,
    began: Instant,
}

/// The list of a shard's calls, and how many of its rows are with us.
struct Listed {
    journal: Journal,
    rows: usize,
    is_whole: bool,
}

impl State {
    /// Nothing was done yet.
    pub(super) fn new(chain: &Chain<'_>) -> Self {
        let now = chain.clock().instant();
        let members = chain.members().iter();
        let names = members.map(|member| (member.name.clone(), member.model.clone()));
        Self {
            ready: VecDeque::new(),
            turn: VecDeque::new(),
            later: BinaryHeap::new(),
            building: 0,
            out: 0,
            is_fed: false,
            opens: None,
            refused: 0,
            ended: 0,
            journals: HashMap::new(),
            tallies: Tallies::new(names),
            done: Vec::new(),
            group: (0, None),
            groups: 0,
            grouped: None,
            why: None,
            is_holding: false,
            answered: now,
            glanced: now,
            began: now,
        }
    }
}

impl Caller<'_> {
    /// Makes calls until there is nothing to call any more, or something stops it. Nothing that
    /// fails here cuts calls off that are out: their answers are paid for.
    pub(super) async fn run(&mut self) -> Why {
        self.warn_of_rest();
        let mut flights = FuturesUnordered::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let clock = self.chain.clock();
        let mut timer: Option<(Instant, _)> = None;
        loop {
            self.hand_over();
            for (item, call) in self.next_calls() {
                flights.push(fly(self.chain, item, call));
            }
            if let Some(why) = self.is_over() {
                break self.end(why);
            }
            let due = self.due();
            if timer.as_ref().map(|(at, _)| *at) != due {
                let left = |at: Instant| at.saturating_duration_since(clock.instant());
                timer = due.map(|at| (at, clock.sleep(left(at))));
            }
            let wants_more = self.state.ready.len() < READY && !self.state.is_fed;
            tokio::select! {
                Some(landed) = flights.next(), if !flights.is_empty() => {
                    self.landed(landed);
                    // All that came by now goes on together.
                    while let Some(Some(landed)) = flights.next().now_or_never() {
                        self.landed(landed);
                    }
                }
                fed = self.fed.recv(), if wants_more => match fed {
                    Some(fed) => self.take(fed),
                    None => self.state.is_fed = true,
                },
                Some(item) = self.built.recv(), if self.state.building > 0 => self.is_built(item),
                () = async { timer.as_mut().expect("asked below").1.as_mut().await },
                    if timer.is_some() => timer = None,
                () = self.shared.wake.notified() => {}
                _ = tick.tick() => self.look(),
            }
        }
    }

    /// When something is due by time alone.
    fn due(&self) -> Option<Instant> {
        if self.state.why.is_some() || self.state.is_holding {
            return None;
        }
        let later = self.state.later.peek().map(|later| later.due);
        [later, self.state.opens].into_iter().flatten().min()
    }

    /// Something of ours failed: no calls are made any more.
    fn fail(&self, error: JobError) {
        self.driver.tell_failure(&error, self.shared);
        self.shared.fail(error);
    }

    fn list_failed(&self, error: std::io::Error) {
        self.fail(JobError::file("write", &self.driver.folder.root().join("shards"))(error));
    }

    fn take(&mut self, fed: Fed) {
        if let Some((shard, path)) = fed.begins {
            match Journal::open(&path) {
                Ok(journal) => {
                    let listed = Listed { journal, rows: 0, is_whole: false };
                    self.state.journals.insert(shard, listed);
                }
                Err(error) => return self.list_failed(error),
            }
        }
        for item in fed.items {
            if let Some(listed) = self.state.journals.get_mut(&item.shard) {
                listed.rows += 1;
            }
            self.state.ready.push_back(item);
        }
        if let Some(shard) = fed.ends
            && let Some(listed) = self.state.journals.get_mut(&shard)
        {
            listed.is_whole = true;
            if listed.rows == 0 {
                // Its rows were all skipped: nothing else would end its group.
                self.state.group.1.get_or_insert(self.state.began);
            }
        }
    }

    fn is_built(&mut self, item: Box<Item>) {
        self.state.building -= 1;
        if item.built.is_empty() {
            self.is_through(&item);
        } else {
            self.state.turn.push_front(item);
        }
    }

    /// A row is no longer with us.
    fn is_through(&mut self, item: &Item) {
        if let Some(listed) = self.state.journals.get_mut(&item.shard) {
            listed.rows -= 1;
        }
        self.state.group.0 += 1;
        let now = self.chain.clock().instant();
        self.state.group.1.get_or_insert(now);
    }

    fn hand_over_answers(&mut self) {
        if !self.state.done.is_empty() {
            self.shared.backlog.fetch_add(self.state.done.len(), Ordering::Relaxed);
            let done = std::mem::take(&mut self.state.done);
            self.tell(Message::Done(done));
        }
    }

    /// Tells the writer what came.
    fn hand_over(&mut self) {
        self.hand_over_answers();
        if self.state.group.0 > 0 {
            self.group_if_due();
        }
    }

    fn landed(&mut self, landed: Landed) {
        let Landed { mut item, call, end, took } = landed;
        crash_point!("called", item.custom_id);
        self.state.out -= 1;
        item.tries += 1;
        if self.chain.ended(call, end.as_ref().map_err(AsRef::as_ref)) {
            let health = self.chain.health(call.member);
            self.warn_of(&health);
            self.tell(Message::Health(health));
        }
        match end {
            Ok(reply) => {
                self.state.answered = self.chain.clock().instant();
                if let Some(listed) = self.state.journals.get_mut(&item.shard) {
                    listed.journal.answered(item.entry.row);
                }
                self.settle(item, call, Final::Answer(reply), took);
            }
            Err(error) => self.failed(item, call, error, took),
        }
    }

    fn failed(&mut self, mut item: Box<Item>, call: Call, error: Box<ChatError>, took: Duration) {
        let mark = mark_of(&error);
        if matches!(error.advice, Advice::SlowDown(_)) {
            self.warn_of_refusals(call.member, &error.error.failure.message);
        }
        if error.advice == Advice::NotThisProvider {
            self.warn_of_end(call.member, &error.error.failure.message);
        }
        if let Some(listed) = self.state.journals.get_mut(&item.shard) {
            let ended = listed.journal.ended(item.entry.row, call.member, mark);
            ended.unwrap_or_else(|error| self.list_failed(error));
        }
        self.state.tallies.ended(call.member, mark);
        if error.advice == Advice::NotThisRow {
            self.state.answered = self.chain.clock().instant();
        }
        if item.backoff.count(error.advice) == Step::GiveUp {
            let end = Final::Failure(error.error.failure, error.reply);
            return self.settle(item, call, end, took);
        }
        item.tried |= bit(call.member);
        // The next one is asked at once.
        self.state.turn.push_front(item);
    }

    fn settle(&mut self, mut item: Box<Item>, call: Call, end: Final, took: Duration) {
        let built = item.built[call.member].take().expect("it was sent");
        self.state.tallies.settled(call.member, matches!(end, Final::Failure(..)));
        self.state.done.push(Done {
            shard: item.shard,
            row: item.entry.row,
            key: built.key,
            custom_id: std::mem::take(&mut item.custom_id),
            member: call.member,
            model: built.request.model,
            end,
            took,
            tries: item.tries,
            tokens: call.pass.tokens,
        });
        self.is_through(&item);
    }

    fn tell(&self, message: Message) {
        // A writer that is gone has said why.
        let _ = self.writer.send(message);
    }
}

/// What a failed call did.
fn mark_of(error: &ChatError) -> Mark {
    match (error.error.class, error.advice) {
        (CallClass::Unknown, advice) if !matches!(advice, Advice::SlowDown(_)) => Mark::Unanswered,
        (_, Advice::SlowDown(_)) => Mark::Refused,
        _ => Mark::Failed,
    }
}
