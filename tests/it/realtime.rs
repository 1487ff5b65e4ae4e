//! Rows by calls of their own (B02, B03, S0, S3): limits, failover, kills and stops, against the
//! real sandbox. Its own list of calls is the judge of what was asked twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::bench::{signal, until};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

/// Folder and sandbox.
pub(crate) struct Calls {
    pub(crate) dir: WorkDir,
    pub(crate) sandbox: Sandbox,
    rows: usize,
}

impl Calls {
    pub(crate) fn new(rows: usize, flags: &[&str]) -> Self {
        let dir = WorkDir::new();
        let lines: String = (0..rows).map(|row| format!("{row},question {row}\n")).collect();
        dir.write("in.csv", format!("id,text\n{lines}"));
        Self { dir, sandbox: Sandbox::with(flags), rows }
    }

    pub(crate) fn run(&self, line: &str) -> Run {
        self.dir.batchctl(line).openai_at(self.sandbox.address())
    }

    /// Makes a service `second` of its sandbox, and `first` of this one, for chains of both.
    fn behind(&self, first: &Sandbox) {
        let provider = |name: &str, address: &str| {
            format!(
                "[providers.{name}]\nkind = \"openai-compatible\"\nbase_url = \"{address}/v1\"\n\
                 api_key_env = \"CALLS_KEY\"\nmodel = \"gpt-4o\"\n"
            )
        };
        let second = provider("second", self.sandbox.address());
        self.dir.config(&(provider("first", first.address()) + &second));
    }

    /// The line that runs it.
    pub(crate) fn workflow(&self, more: &str) -> Run {
        self.run(&format!("workflow in.csv out.csv --prompt {{text}} --now --yes {more}"))
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> String {
        let address = self.sandbox.address().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the sandbox listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer sandbox-x\r\n\
             Connection: close\r\n\r\n"
        )
        .expect("the sandbox takes requests");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the sandbox answers");
        reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    /// What the sandbox saw of calls, summed up.
    fn seen(&self) -> Value {
        let text = self.ask("GET", "/sandbox/calls?summary=1");
        let from = text.find('{').expect("a document");
        let to = text.rfind('}').expect("a document");
        serde_json::from_str(&text[from..=to]).expect("the sums are JSON")
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.seen()[name].as_u64().unwrap_or(0)
    }

    /// How many whole lines each row has in the results on disk. Copies of earlier answers are none:
    /// a run that is killed while it plans may leave some.
    pub(crate) fn lines(&self) -> BTreeMap<String, u64> {
        let mut lines = BTreeMap::new();
        let jobs = fs::read_dir(self.dir.home().join("jobs")).into_iter().flatten().flatten();
        for job in jobs {
            let results = fs::read_dir(job.path().join("results")).into_iter().flatten().flatten();
            for file in results.filter(|file| file.file_name() != "cached.jsonl") {
                let text = fs::read_to_string(file.path()).unwrap_or_default();
                for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                    let line: Value = serde_json::from_str(line).expect("a line is JSON");
                    let id = line["custom_id"].as_str().expect("an id").to_owned();
                    *lines.entry(id).or_default() += 1;
                }
            }
        }
        lines
    }

    /// All whole lines of calls.
    fn raw_lines(&self) -> Vec<Value> {
        let jobs = fs::read_dir(self.dir.home().join("jobs")).into_iter().flatten().flatten();
        let files = jobs
            .flat_map(|job| fs::read_dir(job.path().join("results")).into_iter().flatten())
            .flatten()
            .filter(|file| file.file_name().to_string_lossy().contains("calls"));
        let texts = files.map(|file| fs::read_to_string(file.path()).unwrap_or_default());
        let all: String = texts.collect();
        all.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// The table of an undisturbed run.
    fn undisturbed(rows: usize) -> Vec<u8> {
        let calls = Self::new(rows, &[]);
        calls.workflow("").run().exits(0);
        calls.dir.bytes("out.csv")
    }

    pub(crate) fn status(&self) -> Value {
        self.run("status last --json").run().exits(0).json()["job"].clone()
    }
}

/// B02, S4.15: one path for both modes. The table is that of a batch, each row was asked once, and
/// every line says who answered.
#[test]
fn b02_a_realtime_run_writes_the_table_of_a_batch() {
    let calls = Calls::new(250, &[]);
    calls.workflow("").run().exits(0);
    assert_eq!((calls.count("calls"), calls.count("answered_again")), (250, 0));
    let lines = calls.lines();
    assert_eq!(lines.len(), 250);
    assert!(lines.values().all(|times| *times == 1));
    let batch = Calls::new(250, &["--batch-seconds", "0.1"]);
    batch
        .run("workflow in.csv out.csv --prompt {text} --yes --mode batch")
        .hurried()
        .run()
        .exits(0);
    assert_eq!(calls.dir.bytes("out.csv"), batch.dir.bytes("out.csv"));
    assert_eq!(calls.status()["state"], "done");
    calls.workflow("").run().exits(0);
    assert_eq!(calls.count("calls"), 250, "the same line again asks nothing");
}

/// P1, P4: killed at any moment it goes on with the rows that have no answer, and with no other:
/// what the sandbox sees after a kill is what was not on disk.
#[test]
fn p1_p4_kill_9_asks_no_settled_row_again() {
    const ROWS: usize = 300;
    let undisturbed = Calls::undisturbed(ROWS);
    let calls = Calls::new(ROWS, &["--latency", "20ms"]);
    let mut kills = 0;
    for turn in 0..12 {
        let kept = calls.lines().len() as u64;
        calls.ask("DELETE", "/sandbox/calls");
        let mut run = calls.workflow("--set concurrency=4").start();
        thread::sleep(Duration::from_millis(250 + turn * 70));
        if !run.is_running() {
            break;
        }
        signal(&run.child, "KILL");
        kills += u64::from(run.end().code.is_none());
        let seen = calls.count("calls");
        let lines = calls.lines();
        assert!(lines.values().all(|times| *times == 1), "P1: {lines:?}");
        let came = lines.len() as u64 - kept;
        assert!(seen >= came, "an answer was made up");
    }
    let kept = calls.lines().len() as u64;
    calls.ask("DELETE", "/sandbox/calls");
    calls.workflow("").run().exits(0);
    assert_eq!(calls.count("calls"), calls.rows as u64 - kept, "P1: only rows without a line");
    assert_eq!(calls.dir.bytes("out.csv"), undisturbed, "P4");
    assert!(kills > 0, "it was never killed");
}

/// P1, P4: the same at every step of the engine.
#[test]
fn p1_p4_a_crash_at_any_step_loses_no_answer() {
    const ROWS: usize = 12;
    let undisturbed = Calls::undisturbed(ROWS);
    let names = [" call ", " called ", " group ", " write ", " sync ", " commit "];
    let count = Calls::new(ROWS, &[]);
    let log = count.dir.path("points");
    count.workflow("").env("BATCHCTL_CRASH_COUNT", &log).run().exits(0);
    let text = fs::read_to_string(&log).expect("the points were counted");
    let text: String =
        text.lines().filter(|line| line.starts_with("point ")).flat_map(|l| [l, "\n"]).collect();
    let passages = text.lines().count() as u64;
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    // From the first call on; what comes before is planning, which batches share.
    let first = text.lines().position(|line| line.contains(" call ")).unwrap_or(0) as u64;
    let step = (passages - first).div_ceil(25).max(1);
    let mut at = first;
    while at <= passages {
        let calls = Calls::new(ROWS, &[]);
        let crash = at.to_string();
        let output = calls.workflow("").env("BATCHCTL_CRASH", &crash).start().end();
        let kept = calls.lines().len() as u64;
        calls.ask("DELETE", "/sandbox/calls");
        calls.workflow("").run().exits(0);
        if output.code != Some(0) {
            assert_eq!(calls.count("calls"), ROWS as u64 - kept, "P1 at {at}");
        }
        assert_eq!(calls.dir.bytes("out.csv"), undisturbed, "P4 at {at}");
        at += step;
    }
}

/// S4.17: under a limit of requests no row fails, few calls are refused, and the limit is used:
/// 600 at once and ten a second from then on, so that the last hundred rows take ten seconds.
#[test]
fn s4_17_a_limit_of_requests_costs_no_row() {
    const ROWS: usize = 700;
    let calls = Calls::new(ROWS, &["--rpm", "600"]);
    calls.workflow("").run().exits(0);
    assert_eq!(calls.status()["statuses"]["ok"], ROWS);
    let seen = calls.sandbox.calls();
    let refused = seen.iter().filter(|call| call["status"] == 429).count();
    assert!(refused * 50 < seen.len(), "fewer than 2 % are refused: {refused}");
    let times: Vec<i64> = seen.iter().filter_map(|call| call["at"].as_i64()).collect();
    let spent = times.iter().max().expect("calls") - times.iter().min().expect("calls");
    let allowed = 600 + spent / 100;
    let rows = i64::try_from(ROWS).expect("a few hundred");
    assert!(rows * 100 > allowed * 90, "{rows} of {allowed} allowed calls in {spent} ms");
}

/// Failures that pass cost no row; those that do not are told, and do not go out again.
#[test]
fn s0_06_failures_are_asked_again_and_then_told() {
    let calls = Calls::new(40, &["--faults", "realtime#3: 500; realtime#7: reset"]);
    calls.workflow("--set retry_delay=10ms").run().exits(0);
    assert_eq!(calls.count("calls"), 42);
    let calls = Calls::new(3, &["--faults", "realtime: 500"]);
    let run = calls.workflow(
        "--set retry_delay=1ms --set failure_threshold=1000 --retries 2 --set abort_share=1",
    );
    run.run().exits(3);
    assert_eq!(calls.count("calls"), 9, "three rows, each asked three times");
    assert_eq!(calls.status()["statuses"]["error"], 3);
}

/// A person stops it: what came stays, the rest is cancelled.
#[test]
fn a_cancelled_run_keeps_what_came() {
    let calls = Calls::new(400, &["--latency", "50ms"]);
    let run = calls.workflow("--set concurrency=4").start();
    until("some rows have an answer", || calls.lines().len() > 20);
    calls.run("cancel last").run();
    let output = run.end();
    assert!(output.code.is_some_and(|code| code != 0), "{:?}", output.code);
    let lines = calls.lines().len() as u64;
    let statuses = &calls.status()["statuses"];
    assert_eq!(statuses["ok"].as_u64(), Some(lines));
    assert_eq!(statuses["cancelled"].as_u64(), Some(400 - lines));
}

/// Ctrl-C: calls that are out may end, their answers are kept, the rest stays open.
#[test]
fn an_interrupted_run_goes_on() {
    let calls = Calls::new(300, &["--latency", "50ms"]);
    let run = calls.workflow("--set concurrency=4").start();
    until("some rows have an answer", || calls.lines().len() > 20);
    signal(&run.child, "INT");
    assert_eq!(run.end().code, Some(130));
    let kept = calls.lines().len() as u64;
    assert_eq!(calls.count("answered"), kept, "every answer was kept");
    calls.ask("DELETE", "/sandbox/calls");
    calls.workflow("").run().exits(0);
    assert_eq!(calls.count("calls"), 300 - kept);
}

/// P1: of one window that is closed come several hangups, the shell's and the terminal's own; they
/// cut off no call that is out.
#[test]
fn p1_two_hangups_of_one_window_cut_no_call() {
    let calls = Calls::new(200, &["--latency", "400ms"]);
    let run = calls.workflow("--set concurrency=8").start();
    until("some rows have an answer", || calls.lines().len() > 8);
    signal(&run.child, "HUP");
    thread::sleep(Duration::from_millis(30));
    signal(&run.child, "HUP");
    run.end();
    assert_eq!(calls.count("closed"), 0, "calls were cut off");
    calls.workflow("--set concurrency=200").run().exits(0);
    assert_eq!((calls.count("calls"), calls.count("answered_again")), (200, 0));
}

/// B03: whoever is paid in another's place is told: one that refuses its key, and one that an
/// earlier run left alone.
#[test]
fn b03_whoever_is_passed_over_is_told() {
    let first = Sandbox::with(&["--faults", "realtime#1: 401; realtime#2-60: 500"]);
    let calls = Calls::new(40, &[]);
    calls.behind(&first);
    let run = |prompt: &str| {
        let line = format!("workflow in.csv out.csv --prompt {prompt} --now --yes --overwrite");
        let run = calls.run(&format!("{line} --provider first,second --set concurrency=1"));
        run.env("CALLS_KEY", "sandbox-calls").run().exits(0)
    };
    run("{text}").says(&["first gpt-4o refuses all calls and is not asked any more; the next"]);
    for prompt in ["A:{text}", "B:{text}"] {
        let output = run(prompt);
        let is_left = output.stderr.contains("first gpt-4o failed before and is left alone for");
        assert_eq!(is_left, prompt.starts_with('B'), "{output}");
        assert_eq!(is_left, output.stderr.contains("batchctl providers health --reset first"));
    }
}

/// Calls end with whoever makes them: a run that waits no longer does not say that it goes on.
#[test]
fn a_run_that_waits_no_longer_says_that_nothing_runs() {
    let calls = Calls::new(200, &["--latency", "300ms"]);
    let output = calls.workflow("--set concurrency=2 --max-wait 1s").run().exits(6);
    let output = output.says(&["is not done; its rows are asked while batchctl runs"]);
    assert!(!output.stderr.contains("still running"), "{output}");
}

/// B03, S3.06, S3.09: refused, then dead, then slow: rows flow on through the next of the chain,
/// no row with an answer is asked again, calls that took too long are closed, each line says who
/// answered, and the ledger remembers who failed.
#[test]
fn b03_rows_flow_on_through_the_next_of_the_chain() {
    // The second is slow enough for rows to be left when the first is asked again.
    let first = Sandbox::with(&["--faults", "realtime#30: 429; realtime#31-90: hang"]);
    let calls = Calls::new(300, &["--latency", "20ms"]);
    calls.behind(&first);
    let run = calls.workflow(
        "--provider first:gpt-4o,second:gpt-4o-mini --set timeout=4s --set cool_down=60s \
         --set retry_delay=20ms",
    );
    run.env("CALLS_KEY", "sandbox-calls").run().exits(0);
    let mut by = BTreeMap::new();
    let lines = calls.lines();
    assert_eq!(lines.len(), 300);
    assert!(lines.values().all(|times| *times == 1), "P1: {lines:?}");
    for line in calls.raw_lines() {
        let name = line["batchctl"]["provider"].as_str().expect("who answered").to_owned();
        *by.entry(name).or_insert(0) += 1;
    }
    assert!(by["first"] > 0 && by["second"] > 200, "{by:?}");
    let health = failures_in_a_row(&calls);
    assert!(health >= 3, "three failures in a row are remembered: {health}");
}

/// Failures in a row of the first provider, as `providers health` shows them.
fn failures_in_a_row(calls: &Calls) -> u64 {
    let store = batchctl::store::Store::open(&calls.dir.home()).expect("the home has a ledger");
    let all = store.all_health().expect("health reads");
    let first = all.iter().find(|health| health.provider == "first").expect("it was asked");
    u64::from(first.failures)
}

/// B02, S4.03: what an expired batch leaves is finished by calls, in the same job.
#[test]
fn b02_the_tail_of_a_batch_is_finished_by_calls() {
    let calls = Calls::new(60, &["--batch-seconds", "0.2", "--faults", "batch: expire 60%"]);
    calls
        .run("workflow in.csv out.csv --prompt {text} --yes --mode batch --finish realtime")
        .hurried()
        .run()
        .exits(0);
    let asked = calls.count("calls");
    assert!(asked > 0 && asked < 60, "{asked}");
    assert_eq!(calls.lines().len(), 60 + usize::try_from(asked).expect("few"), "two rounds");
    assert_eq!(calls.status()["statuses"]["ok"], 60);
}

/// B02, S4.03: of a job that is over `resume --now` calls what its batches left, and nothing else.
#[test]
fn b02_what_a_finished_job_left_is_called_by_resume_now() {
    let flags = ["--batch-seconds", "0.2", "--faults", "batch: expire 60%"];
    let calls = Calls::new(60, &flags);
    let line = "workflow in.csv out.csv --prompt {text} --yes --mode batch --rounds 1";
    calls.run(line).hurried().run().exits(3).says(&["expired  24"]);
    calls.run("resume last").run().exits(3);
    assert_eq!(calls.count("calls"), 0, "nothing without a wish");
    calls.run("resume last --now --yes").run().exits(0).says(&["ok  60"]);
    assert_eq!((calls.count("calls"), calls.count("answered_again")), (24, 0));
    calls.run("resume last --now --yes").run().exits(0);
    assert_eq!(calls.count("calls"), 24, "all are answered");
}

/// B02, S4.03: a batch that expires at 60 % is completed by `--finish realtime` and by `resume
/// --now` alike; the account shows both parts, each at its own price.
#[test]
fn b02_an_expired_batch_is_completed_by_calls_and_both_parts_are_told() {
    let mut tables = Vec::new();
    for (more, resumes) in [("--finish realtime", false), ("--no-wait", true)] {
        let calls = Calls::new(60, &["--batch-seconds", "0.2", "--faults", "batch: expire 60%"]);
        let line = "workflow in.csv out.csv --prompt {text} --max-tokens 50 --yes --mode batch";
        let mut run = calls.run(&format!("{line} {more}")).hurried().run().exits(0);
        if resumes {
            run = calls.run("resume last --now").hurried().run().exits(0);
        }
        run.says(&["in batch for 36 answers", "by calls for 24 answers"]);
        let told = calls.run("status last --json").run().exits(0).json();
        let job = &told["job"];
        assert_eq!((&job["state"], &job["statuses"]["ok"]), (&"done".into(), &60.into()));
        assert_eq!((calls.count("calls"), calls.count("answered_again")), (24, 0));
        assert_eq!((calls.sandbox.created(), &told["calls"][0]["rows"]), (1, &24.into()));
        // Questions and answers are about as long in both parts, and a call costs twice as much.
        let cost = |cost: &Value| cost.as_f64().expect("an amount");
        let by_calls = cost(&job["cost"]["by_calls"]["cost"]);
        let in_batch = cost(&job["cost"]["actual"]) - by_calls;
        let times = (by_calls / 24.0) / (in_batch / 36.0);
        assert!((1.9..2.1).contains(&times), "{times}: {job:#}");
        assert_eq!(job["cost"]["by_calls"]["count"], 24);
        let reserved = cost(&job["cost"]["reserved"]);
        assert!(reserved.abs() < f64::EPSILON, "nothing stays set aside: {reserved}");
        let table = calls.dir.cells("out.csv");
        for (text, answer) in table.column("text").iter().zip(table.column("response")) {
            assert_eq!(answer, format!("[sandbox] {text}"));
        }
        tables.push(calls.dir.bytes("out.csv"));
    }
    assert!(tables[0] == tables[1], "the same table either way");
}

/// B04, S0.20, S0.21: by calls a second run asks nothing and says so; another temperature, model or
/// letter is another question; a batch takes the answers of calls.
#[test]
fn b04_s0_20_s0_21_a_second_run_by_calls_asks_nothing() {
    let calls = Calls::new(20, &["--batch-seconds", "0.1"]);
    let run = |name: &str, prompt: &str, more: &str| {
        let line = format!("workflow in.csv {name}.csv --yes --where id!={name} {more} --prompt");
        let output = calls.run(&line).arg(prompt).hurried().run().exits(0);
        (calls.count("calls"), output)
    };
    assert_eq!(run("a", "Say {text}", "--now").0, 20);
    let (asked, again) = run("b", "Say {text}", "--now");
    assert_eq!(asked, 20);
    again.says(&["hit rate 100.0 %, 20 calls saved", "nothing was sent"]);
    let others = [
        ("Say {text}", "--temperature 0.1"),
        ("Say {text}", "--model gpt-4o-mini"),
        ("Say {text}.", ""),
    ];
    for (turn, (prompt, more)) in others.into_iter().enumerate() {
        let (asked, _) = run(&format!("c{turn}"), prompt, &format!("--now {more}"));
        assert_eq!(asked, 20 * (turn as u64 + 2), "{prompt} {more}");
    }
    run("d", "Say {text}", "--mode batch").1.says(&["nothing was sent"]);
    assert_eq!((calls.count("calls"), calls.sandbox.created()), (80, 0));
}

/// B04, S0.20: two processes with the same rows at the same time: neither fails, and what one was
/// answered the other need not ask; a third one asks nothing at all.
#[test]
fn b04_s0_20_two_processes_share_the_answers() {
    const ROWS: u64 = 60;
    let calls = Calls::new(60, &["--latency", "10ms"]);
    let run = |name: &str, where_: &str| {
        let line = format!("workflow in.csv {name}.csv --prompt {{text}} --now --yes {where_}");
        calls.run(&line).args(&["--set", "concurrency=2"])
    };
    let first = run("first", "--end-row 40").start();
    let second = run("second", "--start-row 20").start();
    first.end().exits(0);
    second.end().exits(0);
    let asked = calls.count("calls");
    assert!((ROWS..=ROWS + 20).contains(&asked), "{asked}");
    run("third", "").run().exits(0).says(&["nothing was sent"]);
    assert_eq!(calls.count("calls"), asked);
    let table = calls.dir.cells("third.csv");
    assert_eq!(table.column("status"), ["cached"; 60]);
}
