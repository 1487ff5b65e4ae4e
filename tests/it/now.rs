//! A job that was begun in batches and is wanted now, and the limits of a run of calls: budgets,
//! second questions, too many failures, money of both parts (B02, B10, S4). The sandbox's bill and
//! its count of calls are the judges.

use std::time::Duration;

use serde_json::Value;

use crate::support::bench::{Bench, LINE, ROWS, signal, until};
use crate::support::gate::Act;
use crate::support::runs::{at, job_folder, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

const CALL: &str = "POST /v1/chat/completions";

/// Two and ten units a million tokens, in a batch half of it.
const PRICES: &str = "[prices.\"gpt-4o\"]\ninput = 2\noutput = 10\nbatch_factor = 0.5\n\
                      currency = \"USD\"\n";

/// A job of three shards that is killed once this call was made so often; the rule holds until
/// then.
fn killed(
    flags: &[&str],
    rule: impl FnMut(&str, usize) -> Act + Send + 'static,
    is_so: impl FnMut(&Bench) -> bool,
) -> Bench {
    let bench = Bench::with(flags, rule);
    let mut is_so = is_so;
    let run = bench.batchctl(LINE).start();
    until("it is to be killed", || is_so(&bench));
    signal(&run.child, "KILL");
    assert_eq!(run.end().code, None, "it was killed");
    bench.gate.now(|_, _| Act::Pass);
    bench
}

/// The job's money as `status --json` has it.
fn cost(status: &Value) -> Value {
    status["job"]["cost"].clone()
}

/// S4.03, P1: what was not sent yet goes out by calls, each row once, and no batch is made of it.
#[test]
fn s4_03_p1_what_was_not_sent_goes_out_by_calls() {
    let hang = |call: &str, _| if call == "POST /v1/files" { Act::Hang } else { Act::Pass };
    let asked = |bench: &Bench| bench.gate.count("POST /v1/files") > 0;
    let bench = killed(&["--batch-seconds", "0.3"], hang, asked);
    let run = bench.batchctl("resume last --now").run().exits(0);
    run.says(&["9 rows not sent yet:", "by calls", "in a batch", "9 rows go out by calls, now"]);
    assert_eq!((bench.made().len(), bench.gate.count(CALL)), (0, ROWS));
    assert_eq!((bench.state().as_str(), bench.rows("ok")), ("done", ROWS as u64));
    assert_eq!(bench.dir.bytes("out.csv"), Bench::undisturbed(), "P4: the table of a batch");
    // What is done is not asked again, by no way there is.
    for line in [LINE, "resume last", "retry last"] {
        bench.batchctl(line).arg("--now").run().exits(0);
    }
    assert_eq!((bench.made().len(), bench.gate.count(CALL)), (0, ROWS));
}

/// S4.03: `resume` goes on as the job was begun: what the line said of its calls holds for the rest
/// of them, unless the new line says otherwise.
#[test]
fn s4_03_resume_keeps_what_the_line_said_of_calls() {
    for (flags, expected) in [("", 1), ("--set concurrency=4", 4)] {
        let sandbox = Sandbox::with(&["--latency", "0.2"]);
        let dir = marked(12);
        let line = "workflow in.csv out.csv --now --set concurrency=1 --set rpm=100000";
        let run = at(&sandbox, dir.batchctl(line)).start();
        let seen = |name: &str| sandbox.seen()[name].as_u64().expect("a count");
        until("some are answered", || seen("calls") > 2);
        signal(&run.child, "KILL");
        run.end();
        // What the killed one had asked is through.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(seen("most_at_once"), 1);
        at(&sandbox, dir.batchctl(&format!("resume last {flags}"))).run().exits(0);
        let most = seen("most_at_once");
        assert!(most <= expected && (most > 1) == (expected > 1), "{flags}: {most} at once");
    }
}

/// S4.03: the same for how the last rows are finished, which decides what is paid.
#[test]
fn s4_03_resume_finishes_as_the_line_said() {
    let line = format!("{LINE} --finish realtime");
    let hang = |call: &str, _| if call == "POST /v1/files" { Act::Hang } else { Act::Pass };
    for (flags, calls) in [("", true), ("--finish batch", false)] {
        let faults = "batch#1: expire 50%";
        let bench = Bench::with(&["--batch-seconds", "0.3", "--faults", faults], hang);
        let run = bench.batchctl(&line).start();
        until("it is to be killed", || bench.gate.count("POST /v1/files") > 0);
        signal(&run.child, "KILL");
        run.end();
        bench.gate.now(|_, _| Act::Pass);
        bench.batchctl(&format!("resume last {flags}")).run().exits(0);
        assert_eq!(bench.gate.count(CALL) > 0, calls, "{flags}");
    }
}

/// S3.14: rows that failed are not counted as answered.
#[test]
fn s3_14_rows_that_calls_failed_for_are_told_apart() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text\none\n[[fail:400]]\ntwo\n");
    let run = at(&sandbox, dir.batchctl("workflow in.csv out.csv --now --json")).run().exits(3);
    let asked = run.json()["calls"][0].clone();
    assert_eq!((&asked["rows"], &asked["rows_failed"]), (&3.into(), &1.into()), "{asked}");
    let line = "workflow in.csv out.csv --now";
    at(&sandbox, dir.batchctl(line)).run().exits(3).says(&["gpt-4o: 2 rows, 1 failed"]);
}

/// Calls end with the program that makes them: a line that would not wait is refused with the way
/// out, and nothing is sent.
#[test]
fn calls_that_nobody_waits_for_are_refused() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    for mode in ["--now", "--mode realtime"] {
        let line = format!("workflow in.csv out.csv {mode} --no-wait");
        let run = at(&sandbox, dir.batchctl(&line)).run().exits(2);
        run.says(&["--no-wait leaves a batch", "drop --no-wait"]);
    }
    assert_eq!(sandbox.seen()["calls"], 0);
    let auto = "workflow in.csv out.csv --mode auto --no-wait";
    at(&sandbox, dir.batchctl(auto)).run().exits(0).says(&["calls are waited for"]);
}

/// S4.03, P1, B10: a batch that runs goes on, the others go out by calls; both parts are paid at
/// their own prices, and every account of them says the same sum.
#[test]
fn s4_03_p1_b10_a_running_batch_goes_on_and_the_rest_is_called() {
    let rule = |call: &str, n| match call {
        "POST /v1/files" if n > 1 => Act::Hang,
        _ => Act::Pass,
    };
    let runs = |bench: &Bench| {
        bench.gate.count("POST /v1/files") > 1
            && bench.gate.count("POST /v1/batches") > 0
            && bench.status()["rounds"][0]["states"]["running"] == 1
    };
    let bench = killed(&["--batch-seconds", "2"], rule, runs);
    bench.dir.config(PRICES);
    let line = format!("{LINE} --now --details");
    let run = bench.batchctl(&line).run().exits(0);
    run.says(&["6 rows go out by calls, now", "1 batch is at openai already", "by calls for"]);
    assert_eq!((bench.made().len(), bench.gate.count(CALL)), (1, 6));
    assert_eq!((bench.state().as_str(), bench.rows("ok")), ("done", ROWS as u64));
    bench.nothing_is_paid_twice();
    let cost = cost(&bench.status());
    assert_eq!(cost["by_calls"]["count"], 6);
    let sum = cost["actual"].as_f64().expect("it is known");
    let is_sum = |what: &str, other: f64| {
        assert!((sum - other).abs() < 1e-9, "{what}: {sum} against {other}");
    };
    let cells = bench.dir.cells("out.csv");
    let cells = cells.column("cost").iter().map(|cost| cost.parse::<f64>().expect("a price")).sum();
    is_sum("the column", cells);
    let json = |line: &str| bench.batchctl(line).arg("--json").run().exits(0).json();
    let of = |analysis: &Value| analysis["costs"][0]["actual"].as_f64().expect("it is known");
    is_sum("analyze of the job", of(&json("analyze last")));
    let results = job_folder(&bench.dir, &bench.job()).join("results");
    let mut files: Vec<_> = std::fs::read_dir(results)
        .expect("it has results")
        .map(|file| file.expect("it is listed").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    let with = |mut run: Run| {
        for file in &files {
            run = run.arg(file);
        }
        run.run().exits(0).json()
    };
    is_sum("analyze of files", of(&with(bench.batchctl("analyze --json"))));
    let merged = with(bench.batchctl("merge --json --original-csv in.csv -o merged.csv"));
    is_sum("merge", merged["cost"].as_f64().unwrap_or_else(|| panic!("{merged:#}")));
}

/// S4.03, P1: a job that another process drives is left to it.
#[test]
fn s4_03_p1_a_job_that_is_driven_is_not_taken_over() {
    let bench = Bench::ruled(|call, _| match call {
        "POST /v1/files" => Act::Late(Duration::from_secs(2)),
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).start();
    bench.gate.wait_for("POST /v1/files", 1);
    bench.batchctl("resume last --now").run().exits(8).says(&["driven by another"]);
    let run = run.end();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!((bench.made().len(), bench.gate.count(CALL)), (3, 0));
}

/// S4.03: `retry --now` asks what is not good by calls, in the same job.
#[test]
fn s4_03_retry_now_asks_by_calls() {
    let flags = ["--batch-seconds", "0.3", "--faults", "batch: expire 4"];
    let sandbox = Sandbox::with(&flags);
    let dir = marked(6);
    let line = "workflow in.csv out.csv --max-tokens 50 --rounds 1";
    at(&sandbox, dir.batchctl(line)).run().exits(3);
    let again = at(&sandbox, dir.batchctl("retry last --now")).run().exits(0);
    again.says(&["by calls for 2 answers"]);
    assert_eq!(sandbox.created(), 1);
    let status = dir.batchctl("status last --json").run().exits(0).json();
    assert_eq!(status["job"]["statuses"]["ok"], 6, "{status:#}");
    assert_eq!(cost(&status)["by_calls"]["count"], 2);
}

/// A table of forty rows whose answers cost their worst case.
fn dear(words: usize) -> (WorkDir, Sandbox) {
    let text = "long ".repeat(words);
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &format!("fixed:{text}")]);
    let dir = marked(40);
    dir.config(PRICES);
    (dir, sandbox)
}

/// B10: the limit of a job stops calls in between, and no answer more is paid; a higher one lets
/// it go on with the rest.
#[test]
fn b10_max_cost_stops_calls_in_between() {
    let (dir, sandbox) = dear(700);
    let line = "workflow in.csv out.csv --now --max-tokens 1000 --set max_shard_requests=4";
    let line = format!("{line} --max-cost 0.15USD");
    let run = at(&sandbox, dir.batchctl(&line)).run().exits(7);
    run.says(&["stopped at a limit", "--max-cost"]);
    let status = || dir.batchctl("status last --json").run().exits(0).json();
    let actual = cost(&status())["actual"].as_f64().expect("it is known");
    assert!(actual > 0.0 && actual <= 0.15, "{actual}");
    at(&sandbox, dir.batchctl("resume last --max-cost 1USD")).run().exits(0);
    assert_eq!(status()["job"]["statuses"]["ok"], 40);
    assert_eq!(cost(&status())["by_calls"]["count"], 40, "no row was asked twice");
}

/// B10: the requests of a job are counted in calls too.
#[test]
fn b10_max_requests_holds_for_calls() {
    let (dir, sandbox) = dear(60);
    let line = "workflow in.csv out.csv --now --max-tokens 100 --set max_shard_requests=4";
    let run = at(&sandbox, dir.batchctl(line).args(&["--set", "max_requests=10"])).run().exits(7);
    run.says(&["max_requests is 10"]);
    let status = || dir.batchctl("status last --json").run().exits(0).json();
    assert!(cost(&status())["by_calls"]["count"].as_u64() <= Some(10));
    at(&sandbox, dir.batchctl("resume last --set max_requests=40")).run().exits(0);
    assert_eq!(cost(&status())["by_calls"]["count"], 40);
}

/// B10: batches and calls of a day count against one budget.
#[test]
fn b10_a_batch_and_calls_share_the_budget_of_a_day() {
    let (dir, sandbox) = dear(60);
    let budget = ["--max-tokens", "100", "--set", "daily_budget=0.035USD"];
    let batch = at(&sandbox, dir.batchctl("workflow in.csv a.csv --prompt a:{text}").args(&budget));
    batch.run().exits(0);
    let now = "workflow in.csv b.csv --now --set max_shard_requests=4 --prompt b:{text}";
    let run = at(&sandbox, dir.batchctl(now).args(&budget)).run();
    assert_eq!(run.code, Some(7), "{run}");
    run.says(&["daily_budget"]);
    let cost = cost(&dir.batchctl("status last --json").run().exits(0).json());
    assert!(cost["actual"].as_f64().expect("it is known") < 0.035, "{cost:#}");
}

/// B07: a second question goes out by a call, with what was wrong with the first answer.
#[test]
fn b07_second_questions_by_calls() {
    let dir = WorkDir::new();
    let script = r#"[{"match": "(a1)", "reply": "{\"score\": 7}"},
        {"match": "kind-a", "reply": "It is rather good (a1)."},
        {"match": "", "reply": "{\"score\": 5}"}]"#;
    let script = dir.write("script.json", script);
    let sandbox = Sandbox::with(&["--answers", &format!("script:{}", script.display())]);
    dir.write("in.csv", "id,text\n1,kind-a x\n2,kind-z y\n3,kind-a z\n");
    let line = "workflow in.csv out.csv --json-fields score:number --max-tokens 64 \
                --input-column text --now --reask 1 --details";
    at(&sandbox, dir.batchctl(line)).run().exits(0).says(&["2 rows, of which 2 are good now"]);
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("score"), ["7", "5", "7"]);
    assert_eq!(cells.column("rounds"), ["2", "1", "2"]);
    assert_eq!(sandbox.created(), 0);
}
