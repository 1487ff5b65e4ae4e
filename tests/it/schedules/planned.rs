//! The planned job, and its life on a provider in memory: processes that drive it and die.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use batchctl::cost::Pricing;
use batchctl::job::{
    DailyBudget, DriveOptions, Driver, Ending, Event, JobFolder, Lists, Most, NoReport, OutputSpec,
    Reporter, Spec, Stop, plan,
};
use batchctl::request::{Form, Question, RULES, Source};
use batchctl::shard::Limits;
use batchctl::store::{Inserted, NewJob, Store};
use batchctl::table::{ReadOptions, Selection, Table};
use tempfile::TempDir;

use super::promises::{End, rows};
use super::{A_SHARD, KEY, ROWS, text_of};
use crate::support::memory::chance::Faults;
use crate::support::memory::clock::VirtualClock;
use crate::support::memory::{Death, Memory};

/// The longest pause between two questions.
const CHECK_INTERVAL: Duration = Duration::from_secs(120);
/// Runs after which a job must be done.
const MOST_RUNS: usize = 40;
/// Runs without a new fault after which it must be done: a batch whose fate was sealed before may
/// still turn out to have failed.
const MOST_CALM_RUNS: usize = 4;
/// Deaths of one seed at most.
const MOST_DEATHS: u64 = 4;

/// A home with the planned job, to be copied for each seed.
pub(super) struct Planned {
    home: TempDir,
}

/// A scratch folder in memory where there is one: a ledger syncs a lot.
fn scratch() -> TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm").ok();
    in_memory.unwrap_or_else(|| tempfile::tempdir().expect("the system has a temporary folder"))
}

impl Planned {
    /// Plans it.
    pub(super) fn new() -> Self {
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
            form: Form::default(),
            output: OutputSpec::default(),
            keep_request_files: false,
            limits: None,
            rounds: None,
            mode: batchctl::request::Mode::Batch,
            others: Vec::new(),
            reask: 0,
            said: BTreeMap::new(),
        };
        let limits = Limits { max_requests: A_SHARD, max_bytes: 1_000_000, max_line_bytes: None };
        let planned = plan(
            (&spec, &Pricing::default()),
            &table,
            (&limits, Most::default()),
            Lists::In(&folder),
            None,
            &NoReport,
        )
        .expect("it can be planned");
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
            terms: None,
            prompt: None,
            now: 1_800_000_000,
        };
        folder.adopt(home.path(), KEY).expect("a fresh home");
        let inserted = store.insert_job(&job, &planned.shards, &planned.tally.skipped);
        assert_eq!(inserted.expect("a fresh ledger"), Inserted::New);
        Self { home }
    }

    /// Drives a copy of the job to its end, through all that a seed brings.
    pub(super) fn run(&self, seed: Option<u64>) -> Result<End, String> {
        self.run_with(seed, CHECK_INTERVAL, |_| ())
    }

    /// The same on a machine whose clocks were prepared, asking not more rarely than so.
    pub(super) fn run_with(
        &self,
        seed: Option<u64>,
        check_interval: Duration,
        prepare: impl FnOnce(&VirtualClock),
    ) -> Result<End, String> {
        let mut home = scratch();
        copy(self.home.path(), home.path());
        let mut kept: Option<TempDir> = None;
        let memory = Memory::new(seed);
        prepare(&memory.clock);
        let deaths = memory.draw(|dice| dice.below(MOST_DEATHS + 1));
        let mut end = End {
            memory,
            runs: 0,
            deaths: 0,
            restored: 0,
            bill_rounds: 0,
            statuses: BTreeMap::new(),
            output: Vec::new(),
        };
        let told = |end: &End, why: &str| format!("{why}\n{}", end.memory.log());
        let mut calm = 0;
        loop {
            end.runs += 1;
            let death = (seed.is_some() && end.deaths < deaths).then(|| draw_death(&end.memory));
            let before = end.memory.faults(Faults::count);
            end.memory.begin(death);
            end.memory.note(&format!("run {} begins", end.runs));
            let ended = live(home.path(), &end.memory, check_interval);
            end.memory.note(&format!("run {} ends: {ended:?}", end.runs));
            match ended {
                Ok(Some(Ending::Done)) => break,
                Ok(Some(Ending::NeedsOperator(why))) => return Err(told(&end, &why)),
                Ok(None) => end.deaths += 1,
                Ok(Some(_)) => calm += usize::from(before == end.memory.faults(Faults::count)),
                Err(error) => return Err(told(&end, &error)),
            }
            if end.runs == MOST_RUNS || calm > MOST_CALM_RUNS {
                return Err(told(&end, "it never ends"));
            }
            let pause = end.memory.draw(|dice| dice.below(90 * 60));
            end.memory.clock.advance(Duration::from_secs(pause));
            if let Some(older) = kept.take_if(|_| end.memory.draw(|dice| dice.percent(50))) {
                // Later than any create may arrive and be listed: before, nobody could know of it.
                end.memory.clock.advance(Duration::from_secs(5 * 3600));
                end.memory.note("an older copy of the home is restored");
                end.restored += 1;
                home = older;
            } else if kept.is_none() && end.memory.draw(|dice| dice.percent(40)) {
                let copied = scratch();
                copy(home.path(), copied.path());
                kept = Some(copied);
                end.memory.note("the home is copied");
            }
        }
        let store = Store::open(home.path()).map_err(|error| told(&end, &error.to_string()))?;
        end.statuses = store.status_counts(KEY).map_err(|error| told(&end, &error.to_string()))?;
        end.output = rows(&store, home.path()).map_err(|error| told(&end, &error))?;
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
fn live(home: &Path, memory: &Memory, check_interval: Duration) -> Result<Option<Ending>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let life = || -> Result<Option<Ending>, String> {
        let store = Store::open(home).map_err(|error| error.to_string())?;
        let job = store.job_by_id(KEY).map_err(|error| error.to_string())?.ok_or("no job")?;
        let spec = Spec::of(&job).map_err(|error| error.to_string())?;
        let folder = JobFolder::of(home, KEY);
        let _lock = folder.lock().map_err(|error| error.to_string())?;
        let input = folder.input(&spec.input);
        let table = Table::reopen(Path::new(&spec.source), &input, &spec.shape);
        let table = table.map_err(|error| error.to_string())?;
        let driver = Driver {
            store: &store,
            api: memory,
            chain: None,
            folder: &folder,
            spec: &spec,
            table: &table,
            job: &job,
            clock: &memory.clock,
            reporter: &Witness(memory),
            stop: &Stop::default(),
            options: DriveOptions {
                check_interval,
                max_wait: None,
                submit: true,
                wait: true,
                parallel_uploads: memory.draw(|dice| 1 + dice.index(3)),
                max_enqueued_tokens: None,
                published_enqueued_tokens: None,
                rounds: 3,
                reasks: 0,
                finish: batchctl::request::Mode::Batch,
                abort_share: 1.0,
                daily_budget: DailyBudget::None,
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
