//! A job on the bench: a table with images in three shards, a sandbox with a gate before it, and
//! what must hold whatever happened on the way.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::gate::{Act, Gate};
use super::sandbox::Sandbox;
use super::workdir::{Output, Run, WorkDir};

/// Rows of the table.
pub(crate) const ROWS: usize = 9;

/// The line that runs it: three shards, many times faster than the clock.
pub(crate) const LINE: &str = "workflow in.csv out.csv --set max_shard_requests=3 \
                               --check-interval 2";

/// Folder, sandbox and gate.
pub(crate) struct Bench {
    /// The folder.
    pub(crate) dir: WorkDir,
    /// The gate.
    pub(crate) gate: Gate,
    sandbox: Sandbox,
}

impl Bench {
    /// With nothing wrong and batches of 0.3 seconds.
    pub(crate) fn new() -> Self {
        Self::with(&["--batch-seconds", "0.3"], |_, _| Act::Pass)
    }

    /// With a rule at the gate.
    pub(crate) fn ruled(rule: impl FnMut(&str, usize) -> Act + Send + 'static) -> Self {
        Self::with(&["--batch-seconds", "0.3"], rule)
    }

    /// With flags for the sandbox and a rule at the gate.
    pub(crate) fn with(
        flags: &[&str],
        rule: impl FnMut(&str, usize) -> Act + Send + 'static,
    ) -> Self {
        let sandbox = Sandbox::with(flags);
        let gate = Gate::before(sandbox.address(), rule);
        let dir = WorkDir::new();
        fill(&dir);
        Self { dir, gate, sandbox }
    }

    /// A run through the gate, its waits twenty times shorter.
    pub(crate) fn batchctl(&self, line: &str) -> Run {
        self.dir.batchctl(line).env("BATCHCTL_TIME_SCALE", "20").openai_at(self.gate.address())
    }

    /// The sandbox behind the gate.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The newest job as `status --json` shows it, without asking the provider: the gate's
    /// counts stay as they are.
    pub(crate) fn status(&self) -> Value {
        self.batchctl("status last --json --set check_interval=24h").run().exits(0).json()
    }

    /// The short id of the newest job.
    pub(crate) fn job(&self) -> String {
        self.status()["job"]["job"].as_str().expect("a job has an id").to_owned()
    }

    /// The state of the newest job, after checking that its statuses sum to its rows.
    #[track_caller]
    pub(crate) fn state(&self) -> String {
        let status = self.status();
        let job = &status["job"];
        let statuses = job["statuses"].as_object().expect("statuses are an object");
        let sum: u64 = statuses.values().filter_map(Value::as_u64).sum();
        assert_eq!(Some(sum), job["rows"].as_u64(), "P2: {job}");
        job["state"].as_str().expect("a state is a word").to_owned()
    }

    /// How many rows have this status.
    pub(crate) fn rows(&self, status: &str) -> u64 {
        self.status()["job"]["statuses"][status].as_u64().unwrap_or(0)
    }

    /// The billing ledger's batches that were made, by create key without its last number.
    pub(crate) fn made(&self) -> BTreeMap<String, u64> {
        let mut made = BTreeMap::new();
        for entry in self.bill() {
            if entry["event"] == "created" && entry["valid"] == true {
                let key = entry["metadata"]["batchctl"].as_str().unwrap_or("none");
                let (shard, _) = key.rsplit_once("-c").unwrap_or((key, ""));
                *made.entry(shard.to_owned()).or_default() += 1;
            }
        }
        made
    }

    /// How often each row was paid for.
    pub(crate) fn paid(&self) -> BTreeMap<String, u64> {
        let mut paid = BTreeMap::new();
        for entry in self.bill() {
            for row in entry["rows"].as_array().into_iter().flatten() {
                let id = row["custom_id"].as_str().unwrap_or("none").to_owned();
                *paid.entry(id).or_default() += 1;
            }
        }
        paid
    }

    /// The request lines of every batch that was made, oldest batch first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.sandbox.requests()
    }

    fn bill(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.sandbox.state().join("ledger.jsonl"));
        let text = text.unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("the bill is JSON")).collect()
    }

    /// Fails unless at most one batch was made of each shard and no row was paid twice.
    #[track_caller]
    pub(crate) fn nothing_is_paid_twice(&self) {
        let twice = |counts: BTreeMap<String, u64>| -> Vec<String> {
            counts.into_iter().filter(|(_, n)| *n > 1).map(|(name, _)| name).collect()
        };
        assert_eq!(twice(self.made()), Vec::<String>::new(), "P1: batches of one shard");
        assert_eq!(twice(self.paid()), Vec::<String>::new(), "P1: rows");
    }

    /// Runs `resume` until the job is over, at most so many times.
    #[track_caller]
    pub(crate) fn resume_until_over(&self, most: usize) -> Output {
        let job = self.job();
        for _ in 0..most {
            // Two allowances of an hour may have to pass before a lost create counts as absent.
            let resume = self.batchctl(&format!("resume {job}"));
            let output = resume.env("BATCHCTL_TIME_SCALE", "5000").run();
            if ["done", "cancelled", "needs_operator"].contains(&self.state().as_str()) {
                return output;
            }
        }
        panic!("job {job} is not over after {most} runs");
    }

    /// The table as an undisturbed run in a folder of its own writes it.
    pub(crate) fn undisturbed() -> Vec<u8> {
        let bench = Self::new();
        bench.batchctl(LINE).run().exits(0);
        assert_eq!(bench.made().len(), 3, "three shards");
        bench.dir.bytes("out.csv")
    }
}

fn fill(dir: &WorkDir) {
    dir.fixture("images");
    let photos = ["cat.png", "house.png", "fish.gif", "flower.webp", "mountain.jpg", "stop.jpg"];
    let mut table = "id,text,photo\n".to_owned();
    for row in 0..ROWS {
        let photo = photos[row % photos.len()];
        table += &format!("{row},\"question {row}, 问题\",images/{photo}\n");
    }
    dir.write("in.csv", table);
}

/// Sends a running child a signal by name (`INT`, `TERM`, `HUP`, `KILL`). By the call itself: a
/// bare Debian has no program `kill`.
pub(crate) fn signal(child: &Child, name: &str) {
    let signal = match name {
        "INT" => Signal::INT,
        "TERM" => Signal::TERM,
        "HUP" => Signal::HUP,
        "KILL" => Signal::KILL,
        other => panic!("no signal {other}"),
    };
    kill_process(Pid::from_child(child), signal).expect("the child can be signalled");
}

/// Waits until something holds, for at most twenty seconds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..4000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain until {what}");
}
