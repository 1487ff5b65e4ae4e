//! What ends a run of calls before all rows are answered, and what is kept of it then: a cancel
//! without a key, a full disk, too many failures, refusals without end. The sandbox's own count of
//! calls is the judge.

use std::time::Duration;

use crate::bad_input::disk::{apart, skipped};
use crate::realtime::Calls;
use crate::support::bench::{signal, until};
use crate::support::runs::{job_folder, job_of};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// A run that is killed once some rows have their answers.
fn killed(rows: usize) -> Calls {
    let calls = Calls::new(rows, &["--latency", "50ms"]);
    let run = calls.workflow("--set concurrency=4").start();
    until("some rows have an answer", || calls.lines().len() > 8);
    signal(&run.child, "KILL");
    assert_eq!(run.end().code, None, "it was killed");
    calls
}

/// S4.18, P1: what a killed run was answered is kept and all other rows are cancelled, although no
/// key is there any more to ask anybody with.
#[test]
fn s4_18_p1_a_killed_run_is_cancelled_without_a_key() {
    let calls = killed(60);
    let kept = calls.lines().len() as u64;
    calls.dir.batchctl("cancel last").run().exits(3).says(&["nobody was asked"]);
    let status = calls.status();
    assert_eq!(status["state"], "cancelled");
    assert_eq!(status["statuses"]["ok"].as_u64(), Some(kept), "what came stays");
    assert_eq!(status["statuses"]["cancelled"].as_u64(), Some(60 - kept));
    calls.ask("DELETE", "/sandbox/calls");
    calls.run("retry last --now").run().exits(0);
    assert_eq!(calls.count("calls"), 60 - kept);
}

/// P1, reliability 7: the first write that fails ends the calls, and the answers of those that are
/// out are kept all the same: none is asked again.
#[test]
fn p1_answers_that_come_when_a_write_fails_are_kept() {
    for (name, turn) in [("results/r1-s0001-calls.jsonl", 2), ("shards/r1-s0001.sent", 6)] {
        answers_are_kept_where_this_write_fails(name, turn);
    }
}

fn answers_are_kept_where_this_write_fails(name: &str, turn: u32) {
    let calls = killed(200);
    let file = job_folder(&calls.dir, &job_of(&calls.dir)).join(name).display().to_string();
    let kept = calls.lines().len() as u64;
    calls.ask("DELETE", "/sandbox/calls");
    let run = calls.workflow("--set concurrency=16");
    let output = run.env("BATCHCTL_FAULT", format!("write {file}#{turn}:enospc")).run().exits(9);
    output.says(&["no more calls are made", "make room on that disk", "batchctl resume"]);
    let lines = calls.lines();
    assert!(lines.values().all(|times| *times == 1), "P1: {lines:?}");
    let came = lines.len() as u64 - kept;
    assert_eq!(calls.count("answered"), came, "every answer is kept");
    assert!(came + kept < 200, "no more calls are made");
    calls.ask("DELETE", "/sandbox/calls");
    calls.workflow("").run().exits(0);
    assert_eq!(calls.count("calls"), 200 - kept - came);
    assert_eq!(calls.status()["statuses"]["ok"], 200);
}

/// The same on a disk that is full and stays full: room for the answers of calls that are out was
/// set aside before they went out.
#[test]
fn p1_a_full_disk_has_room_for_the_answers_of_calls_that_are_out() {
    let words = "word ".repeat(1600);
    let sandbox = Sandbox::with(&["--latency", "150ms", "--answers", &format!("fixed:{words}")]);
    let dir = WorkDir::new();
    let lines: String = (0..400).map(|row| format!("{row},question {row}\n")).collect();
    dir.write("in.csv", format!("id,text\n{lines}"));
    let script = "mount -t tmpfs -o size=3m tmpfs small
        run() { $BATCHCTL workflow in.csv small/out.csv --prompt {text} --now --yes \
            --set concurrency=32 --progress none 2>&1; }
        run; echo \"first $?\"; echo \"kept $(cat small/home/jobs/*/results/*calls* | wc -l)\"
        ls small/home/jobs/*/spare 2>&1
        mount -o remount,size=80m small
        run; echo \"second $?\"; grep -c ',ok,' small/out.csv";
    let Some(text) = apart(&dir, &sandbox, script) else { return skipped() };
    let text = text.replace(words.trim(), "…");
    assert!(text.contains("first 9\n"), "{text}");
    assert!(text.contains("make room on that disk"), "{text}");
    assert!(text.ends_with("second 0\n400\n"), "{text}");
    assert!(!text.contains("kept 0\n") && !text.contains("kept 400\n"), "{text}");
    assert!(!text.contains("could not be written"), "{text}");
    let seen = sandbox.seen();
    assert_eq!((&seen["answered"], &seen["answered_again"]), (&400.into(), &0.into()), "{text}");
}

/// Field report 42: a prompt that fails each row is found out with the first groups of answers and
/// not with the last row of five thousand; whoever goes on is asked nothing twice.
#[test]
fn field_42_calls_that_fail_stop_the_job_with_the_first_groups() {
    const ROWS: u64 = 1_000;
    let flags = ["--latency", "100ms", "--faults", "realtime: 400 text=\"no such field\""];
    let calls = Calls::new(1_000, &flags);
    let run = calls.workflow("--set concurrency=4").run().exits(5);
    run.says(&["of shard 1 failed", "no such field", "nothing more is sent"]);
    let asked = calls.count("calls");
    assert!((20..ROWS / 2).contains(&asked), "{asked} rows were asked");
    let status = calls.status();
    assert_eq!(status["statuses"]["error"].as_u64(), Some(asked), "each call is in the account");
    assert_eq!(status["statuses"]["pending"].as_u64(), Some(ROWS - asked));
    calls.ask("DELETE", "/sandbox/faults");
    calls.ask("DELETE", "/sandbox/calls");
    calls.run("resume last").run().exits(3);
    assert_eq!(calls.count("calls"), ROWS - asked);
    let more = Calls::new(40, &["--faults", "realtime#1-10: 400"]);
    more.workflow("--set concurrency=1").run().exits(3);
    assert_eq!(more.count("calls"), 40, "ten of the first twenty are not too many");
}

/// B07, field report 42: second questions that mend nothing are not asked a third time.
#[test]
fn field_42_b07_second_questions_by_calls_that_mend_nothing_stop() {
    let calls = Calls::new(30, &["--answers", "fixed:no JSON at all"]);
    let run = calls.run(
        "workflow in.csv out.csv --prompt {text} --json-fields score:number --max-tokens 64 \
         --now --yes --reask 3",
    );
    run.run().exits(5).says(&["30 of 30 rows of shard 1 of round 2 failed"]);
    assert_eq!(calls.count("calls"), 60, "the first questions and the second");
}

/// S0.06, S4.17: who refuses for ever is not asked for ever: after ten minutes without an answer
/// the run ends, its rows stay open, and it says how it goes on. A service that asks for no pause
/// at all has a call out at any time.
#[test]
fn s4_17_refusals_without_end_end_the_run() {
    let rule = "realtime: 429 header=\"retry-after-ms: 1\"";
    for chain in ["openai:gpt-4o", "openai:gpt-4o,openai:gpt-4o-mini"] {
        let calls = Calls::new(30, &["--latency", "40ms", "--faults", rule]);
        let line = format!("--set concurrency=1 --provider {chain}");
        let mut run = calls.workflow(&line).env("BATCHCTL_TIME_SCALE", "400").start();
        let (began, most) = (std::time::Instant::now(), Duration::from_secs(15));
        while run.is_running() && began.elapsed() < most {
            std::thread::sleep(Duration::from_millis(20));
        }
        let is_over = !run.is_running();
        if !is_over {
            signal(&run.child, "KILL");
        }
        let output = run.end();
        assert!(is_over, "it asks for ever\n{output}");
        let output = output.exits(5).says(&["not reachable", "pending", "batchctl resume"]);
        assert_eq!(calls.status()["statuses"]["pending"], 30, "{output}");
    }
}

/// What is said of calls that stop: nothing of them runs on, whatever is set aside for them; and
/// each thing is said once.
#[test]
fn p10_what_is_said_of_calls_is_not_what_is_said_of_batches() {
    let calls = Calls::new(80, &["--latency", "50ms"]);
    let run = calls.workflow("--set concurrency=4").start();
    until("some rows have an answer", || calls.lines().len() > 8);
    signal(&run.child, "INT");
    let output = run.end();
    let output = output.exits(130).says(&["stopping; no more calls are made", "go on:"]);
    assert!(!output.stderr.contains("still running at"), "{output}");
    let run = calls.workflow("--set concurrency=4").start();
    let kept = calls.lines().len();
    until("some more have one", || calls.lines().len() > kept + 8);
    signal(&run.child, "KILL");
    run.end();
    let status = calls.run("status last").run().exits(0);
    assert!(status.stdout.contains("for rows that go out by calls"), "{status}");
    assert!(!status.stdout.contains("batches"), "{status}");
    let output = calls.run("resume last --now").run().exits(0);
    let times = |words: &str| output.stderr.matches(words).count();
    assert_eq!((times("openai is at"), times("fetched shard")), (1, 0), "{output}");
}

/// S3.14: a job is done where it was answered.
#[test]
fn s3_14_the_account_names_who_answered() {
    let calls = Calls::new(6, &[]);
    let refuses = Sandbox::with(&["--faults", "realtime: 401"]);
    let provider = |name: &str, address: &str| {
        format!(
            "[providers.{name}]\nkind = \"openai-compatible\"\nbase_url = \"{address}/v1\"\n\
             api_key_env = \"CALLS_KEY\"\n"
        )
    };
    let config = provider("first", refuses.address());
    calls.dir.config(&(config + &provider("second", calls.sandbox.address())));
    let run = calls.workflow("--provider first:gpt-4o,second:gpt-4o-mini");
    let output = run.env("CALLS_KEY", "sandbox-calls").run().exits(0);
    output.says(&["done at second · 6 rows"]);
}
