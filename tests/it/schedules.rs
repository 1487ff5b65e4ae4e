//! Random schedules of faults and deaths, drawn from seeds, on a provider in memory (P1 to P4):
//! whatever goes wrong, the job ends, nothing is billed twice and no good answer is lost.
//!
//! `BATCHCTL_SEEDS=17` runs one seed alone and prints its schedule, `BATCHCTL_SEEDS=1..5000` many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use batchctl::answer::{RowStatus, judge};
use batchctl::batch::decode_line;
use batchctl::job::{
    DriveOptions, Driver, Ending, Event, JobFolder, NoReport, OutputSpec, Reporter, Spec, Stop,
    plan,
};
use batchctl::request::{Question, RULES, Source};
use batchctl::shard::Limits;
use batchctl::store::{Inserted, NewJob, Store};
use batchctl::table::{ReadOptions, Selection, Table};
use tempfile::TempDir;

use crate::support::memory::chance::Fault;
use crate::support::memory::life::{Bill, answer};
use crate::support::memory::{Death, Memory};

const KEY: &str = "k7f2qd0000";
const ROWS: u64 = 24;
const A_SHARD: u64 = 8;
/// Seeds of a usual run.
const SEEDS: (u64, u64) = (1, 300);
/// Runs after which a job must be done.
const MOST_RUNS: usize = 40;
/// Runs without a new fault after which it must be done: a batch whose fate was sealed before may
/// still turn out to have failed.
const MOST_CALM_RUNS: usize = 4;
/// Deaths of one seed at most.
const MOST_DEATHS: u64 = 4;

#[test]
fn schedules_of_faults_from_seeds_never_pay_twice_and_lose_no_answer_p1_p2_p3_p4() {
    let (first, last) = seeds();
    let planned = Planned::new();
    let reference = planned.run(None).expect("without faults it ends").output;
    let start = Instant::now();
    let next = AtomicU64::new(first);
    let total = Mutex::new(Total::default());
    let wrong: Mutex<BTreeMap<u64, String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed > last {
                        break;
                    }
                    match planned.run(Some(seed)).and_then(|end| end.judged(&reference)) {
                        Ok(end) => total.lock().unwrap_or_else(PoisonError::into_inner).add(&end),
                        Err(why) => {
                            wrong.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, why);
                        }
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("seeds {first}..{last} in {:.1} s: {total}", start.elapsed().as_secs_f64());
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((seed, why)) = wrong.first_key_value() {
        let all: Vec<_> = wrong.keys().collect();
        panic!("{} seeds failed: {all:?}\nBATCHCTL_SEEDS={seed} runs this one:\n{why}", all.len());
    }
    if (first, last) == SEEDS {
        total.require_all();
    }
}

/// `BATCHCTL_SEEDS`, one seed or `from..to`, both included.
fn seeds() -> (u64, u64) {
    let Ok(text) = std::env::var("BATCHCTL_SEEDS") else { return SEEDS };
    let number = |text: &str| text.trim_matches('=').parse().expect("BATCHCTL_SEEDS is a number");
    match text.split_once("..") {
        Some((first, last)) => (number(first), number(last)),
        None => (number(&text), number(&text)),
    }
}

/// What all seeds together have seen.
#[derive(Default)]
struct Total {
    seeds: u64,
    runs: u64,
    deaths: u64,
    clean: u64,
    rounds: u64,
    faults: BTreeMap<Fault, u64>,
}

impl Total {
    fn add(&mut self, end: &End) {
        self.seeds += 1;
        self.runs += end.runs as u64;
        self.deaths += end.deaths;
        self.clean += u64::from(end.is_clean());
        self.rounds += u64::from(end.bill_rounds > 1);
        for (fault, count) in end.memory.faults(|faults| faults.happened.clone()) {
            *self.faults.entry(fault).or_default() += count;
        }
    }

    /// A fault that never happened was not tested.
    fn require_all(&self) {
        assert!(self.deaths > 100 && self.clean > 50 && self.rounds > 5, "{self}");
        assert_eq!(self.faults.len(), Fault::LateFiles as usize + 1, "{self}");
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seeds, runs, deaths, clean, rounds, faults } = self;
        write!(
            f,
            "{seeds} good, {runs} runs, {deaths} deaths, {clean} without a lossy fault, {rounds} \
             with a second round; {faults:?}"
        )
    }
}

/// A home with the planned job, to be copied for each seed.
struct Planned {
    home: TempDir,
}

/// How a seed ended.
struct End {
    memory: Memory,
    runs: usize,
    deaths: u64,
    /// Rounds in which something was billed.
    bill_rounds: usize,
    statuses: BTreeMap<RowStatus, u64>,
    output: Vec<Row>,
}

/// A row of the output: its status and its answer.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    row: u64,
    status: RowStatus,
    answer: Option<String>,
}

/// A scratch folder in memory where there is one: a ledger syncs a lot.
fn scratch() -> TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm").ok();
    in_memory.unwrap_or_else(|| tempfile::tempdir().expect("the system has a temporary folder"))
}

fn text_of(row: u64) -> String {
    format!("question {row} 你好")
}

impl Planned {
    fn new() -> Self {
        let home = scratch();
        let store = Store::open(home.path()).expect("a fresh home");
        let (folder, _lock) = JobFolder::scratch(home.path()).expect("a fresh home");
        let path = folder.input("input.csv");
        let lines: String = (0..ROWS).map(|row| format!("{row},{}\n", text_of(row))).collect();
        fs::write(&path, format!("id,text\n{lines}")).expect("a scratch folder can be filled");
        let table = Table::open(&path, &ReadOptions::default(), folder.root()).expect("a table");
        let template = "{text}".to_owned();
        let spec = Spec {
            rules: RULES,
            provider: "memory".to_owned(),
            base_url: "http://memory".to_owned(),
            completion_window: "24h".to_owned(),
            source: "/in.csv".to_owned(),
            source_digest: String::new(),
            input: "input.csv".to_owned(),
            shape: table.shape().clone(),
            selection: Selection::default(),
            question: Question {
                model: "gpt-4o-mini".to_owned(),
                source: Source::Prompt { template, jinja: false },
                ..Question::default()
            },
            fields: None,
            output: OutputSpec::default(),
            keep_request_files: false,
            limits: None,
            rounds: None,
        };
        let limits = Limits { max_requests: A_SHARD, max_bytes: 1_000_000, max_line_bytes: None };
        let planned =
            plan(&spec, &table, &limits, &folder, None, &NoReport).expect("it can be planned");
        assert_eq!(planned.shards.len() as u64, ROWS / A_SHARD);
        let job = NewJob {
            key: KEY.to_owned(),
            run_digest: planned.run_digest.clone(),
            folder: "/".to_owned(),
            provider: spec.provider.clone(),
            base_url: spec.base_url.clone(),
            account: "account".to_owned(),
            spec: serde_json::to_string(&spec).expect("a spec is plain data"),
            rows: ROWS,
            requests: planned.requests(),
            output_path: None,
            now: 1_800_000_000,
        };
        folder.adopt(home.path(), KEY).expect("a fresh home");
        let inserted = store.insert_job(&job, &planned.shards, &planned.tally.skipped);
        assert_eq!(inserted.expect("a fresh ledger"), Inserted::New);
        Self { home }
    }

    /// Drives a copy of the job to its end, through all that a seed brings.
    fn run(&self, seed: Option<u64>) -> Result<End, String> {
        let home = scratch();
        copy(self.home.path(), home.path());
        let memory = Memory::new(seed);
        let deaths = memory.draw(|dice| dice.below(MOST_DEATHS + 1));
        let mut end = End {
            memory,
            runs: 0,
            deaths: 0,
            bill_rounds: 0,
            statuses: BTreeMap::new(),
            output: Vec::new(),
        };
        let told = |end: &End, why: &str| format!("{why}\n{}", end.memory.log());
        let mut calm = 0;
        loop {
            end.runs += 1;
            let death = (seed.is_some() && end.deaths < deaths).then(|| draw_death(&end.memory));
            let before = end.memory.faults(|faults| faults.count());
            end.memory.begin(death);
            end.memory.note(&format!("run {} begins", end.runs));
            let ended = live(home.path(), &end.memory);
            end.memory.note(&format!("run {} ends: {ended:?}", end.runs));
            match ended {
                Ok(Some(Ending::Done)) => break,
                Ok(Some(Ending::NeedsOperator(why))) => return Err(told(&end, &why)),
                Ok(None) => end.deaths += 1,
                Ok(Some(_)) => calm += usize::from(before == end.memory.faults(|f| f.count())),
                Err(error) => return Err(told(&end, &error)),
            }
            if end.runs == MOST_RUNS || calm > MOST_CALM_RUNS {
                return Err(told(&end, "it never ends"));
            }
            let pause = end.memory.draw(|dice| dice.below(90 * 60));
            end.memory.clock.advance(Duration::from_secs(pause));
        }
        let store = Store::open(home.path()).map_err(|error| told(&end, &error.to_string()))?;
        end.statuses = store.status_counts(KEY).map_err(|error| told(&end, &error.to_string()))?;
        end.output = rows(&store, home.path()).map_err(|error| told(&end, &error))?;
        if std::env::var_os("BATCHCTL_SEEDS")
            .is_some_and(|seeds| !seeds.to_string_lossy().contains(".."))
            && seed.is_some()
        {
            println!("{}", end.memory.log());
        }
        Ok(end)
    }
}

fn draw_death(memory: &Memory) -> Death {
    memory.draw(|dice| match dice.below(4) {
        0 => Death::AtReport(1 + dice.below(40)),
        _ => Death::AtCall(1 + dice.below(60)),
    })
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a scratch folder can be listed") {
        let path = entry.expect("a scratch folder can be listed").path();
        let to = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            fs::create_dir(&to).expect("a scratch folder can be filled");
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a scratch folder can be filled");
        }
    }
}

/// One process: opens what there is and drives the job. `None` = it died.
fn live(home: &Path, memory: &Memory) -> Result<Option<Ending>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let life = || -> Result<Option<Ending>, String> {
        let store = Store::open(home).map_err(|error| error.to_string())?;
        let job = store.job_by_id(KEY).map_err(|error| error.to_string())?.ok_or("no job")?;
        let spec = Spec::of(&job).map_err(|error| error.to_string())?;
        let folder = JobFolder::of(home, KEY);
        let _lock = folder.try_lock().map_err(|error| error.to_string())?;
        let input = folder.input(&spec.input);
        let table = Table::reopen(Path::new(&spec.source), &input, &spec.shape);
        let table = table.map_err(|error| error.to_string())?;
        let driver = Driver {
            store: &store,
            api: memory,
            folder: &folder,
            spec: &spec,
            table: &table,
            job: &job,
            clock: &memory.clock,
            reporter: &Witness(memory),
            stop: &Stop::default(),
            options: DriveOptions {
                check_interval: Duration::from_secs(120),
                max_wait: None,
                submit: true,
                wait: true,
                parallel_uploads: memory.draw(|dice| 1 + dice.index(3)),
                rounds: 3,
                abort_share: 1.0,
            },
            on_settled: &|| (),
        };
        let mut drive = Box::pin(driver.drive());
        let ended =
            runtime.block_on(std::future::poll_fn(|context| match drive.as_mut().poll(context) {
                _ if memory.is_dead() => Poll::Ready(None),
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending => Poll::Pending,
            }));
        ended.transpose().map_err(|error| error.to_string())
    };
    match catch_unwind(AssertUnwindSafe(life)) {
        Ok(ended) => ended,
        Err(_) if memory.is_dead() => Ok(None),
        Err(panic) => resume_unwind(panic),
    }
}

/// Hears what happens, and may be the last to.
struct Witness<'a>(&'a Memory);

impl Reporter for Witness<'_> {
    fn report(&self, event: &Event) {
        if let Event::Warning { text } = event {
            self.0.note(&format!("  says: {text}"));
        }
        self.0.reported(&format!("{event:?}").chars().take(60).collect::<String>());
    }
}

/// The output, row by row: what the ledger says, and the answers where they lie.
fn rows(store: &Store, home: &Path) -> Result<Vec<Row>, String> {
    let folder = JobFolder::of(home, KEY).results();
    let artifacts = store.artifacts(KEY).map_err(|error| error.to_string())?;
    let path_of = |id: i64| -> Option<PathBuf> {
        artifacts.iter().find(|artifact| artifact.id == id).map(|found| folder.join(&found.name))
    };
    let outcomes = store.outcomes_from(KEY, 0, 1000).map_err(|error| error.to_string())?;
    let row = |outcome: batchctl::store::OutcomeRecord| -> Result<Row, String> {
        let answer = match outcome.place.filter(|_| outcome.status.is_good()) {
            Some((artifact, offset, length)) => {
                let path = path_of(artifact).ok_or("an outcome points to no file")?;
                let bytes = fs::read(path).map_err(|error| error.to_string())?;
                let range = usize::try_from(offset).ok().zip(usize::try_from(offset + length).ok());
                let (from, to) = range.ok_or("no such place")?;
                let line = decode_line(bytes.get(from..to).ok_or("no such place")?);
                let line = line.map_err(|error| error.to_string())?;
                Some(judge(&line, None).content.to_owned())
            }
            None => None,
        };
        Ok(Row { row: outcome.row, status: outcome.status, answer })
    };
    outcomes.into_iter().map(row).collect()
}

impl End {
    /// Whether every row must have its answer.
    fn is_clean(&self) -> bool {
        !self.memory.faults(|faults| faults.had(Fault::is_lossy))
    }

    /// Checks what was promised.
    fn judged(mut self, reference: &[Row]) -> Result<Self, String> {
        let bill = self.memory.settle();
        let differs = || {
            (self.is_clean() && self.output != reference)
                .then(|| format!("no fault was lossy, and the output is {:?}", self.output))
        };
        let wrong =
            twice(&bill).or_else(|| self.sums()).or_else(|| self.lost(&bill)).or_else(differs);
        if let Some(wrong) = wrong {
            return Err(format!("{wrong}\n{}", self.memory.log()));
        }
        let rounds = bill.batches.keys().filter_map(|shard| shard.split('-').nth(2));
        self.bill_rounds = rounds.collect::<BTreeSet<_>>().len();
        Ok(self)
    }

    /// P2: every row has one status, and they sum to the rows.
    fn sums(&self) -> Option<String> {
        let numbers: Vec<u64> = self.output.iter().map(|row| row.row).collect();
        let sum: u64 = self.statuses.values().sum();
        if sum == ROWS && numbers == (0..ROWS).collect::<Vec<_>>() {
            return None;
        }
        Some(format!("P2: {:?} for the rows {numbers:?}", self.statuses))
    }

    /// P3: a good answer that was billed is in the output.
    fn lost(&self, bill: &Bill) -> Option<String> {
        self.output.iter().find_map(|row| {
            let answered = |id: &String| id.starts_with(&format!("k7f2qd-{:07}-", row.row));
            let is_due = bill.good.iter().any(answered);
            let is_there = row.status == RowStatus::Ok
                && row.answer.as_deref() == Some(answer(&text_of(row.row)).as_str());
            (is_due != is_there).then(|| format!("P3: answered {is_due}, and ended as {row:?}"))
        })
    }
}

/// P1: what was billed twice.
fn twice(bill: &Bill) -> Option<String> {
    let row = bill.runs.iter().find(|(_, times)| **times > 1);
    let row = row.map(|(id, times)| format!("P1: {id} was billed {times} times"));
    row.or_else(|| {
        let shard = bill.batches.iter().find(|(_, batches)| batches.len() > 1);
        shard.map(|(shard, batches)| format!("P1: {shard} has the billable batches {batches:?}"))
    })
}
