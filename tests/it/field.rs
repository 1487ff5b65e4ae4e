//! What has happened to users of other tools (field reports), where no other test has it already;
//! and that no report of those that can happen here is without a test that bears its number.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::bench::{Bench, ROWS, signal, until};
use crate::support::gate::Act;
use crate::support::repo;
use crate::support::runs::{answers_are_on_their_rows, job_folder, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

const LINE: &str = "workflow in.csv out.csv --set max_shard_requests=3 --check-interval 500";
const CREATE: &str = "POST /v1/batches";
const CANCEL: &str = "POST /v1/batches/*/cancel";
const FETCH: &str = "GET /v1/files/*/content";

/// Reports that cannot happen here, and why.
const LEFT_OUT: &[(u32, &str)] = &[];

fn faulty(faults: &str) -> Sandbox {
    Sandbox::with(&["--batch-seconds", "0.3", "--faults", faults])
}

fn run(dir: &WorkDir, sandbox: &Sandbox, line: &str) -> Run {
    dir.batchctl(line).openai_at(sandbox.address()).env("BATCHCTL_TIME_SCALE", "5000")
}

fn on(bench: &Bench, line: &str) -> Run {
    bench.batchctl(line).env("BATCHCTL_TIME_SCALE", "5000")
}

/// Numbers that stand in the names of tests below this folder.
fn named(folder: &Path, numbers: &mut BTreeSet<u32>) {
    for entry in fs::read_dir(folder).expect("a folder of the project").flatten() {
        let path = entry.path();
        if path.is_dir() {
            named(&path, numbers);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("source is text");
            for name in text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")) {
                let name = name.split('(').next().unwrap_or_default();
                if name.contains("field_") {
                    let parts = name.split('_').filter(|part| part.len() == 2);
                    numbers.extend(parts.filter_map(|part| part.parse::<u32>().ok()));
                }
            }
        }
    }
}

#[test]
fn every_report_has_a_test_or_a_reason() {
    let mut there = BTreeSet::new();
    named(&repo("src"), &mut there);
    named(&repo("tests"), &mut there);
    there.extend(LEFT_OUT.iter().map(|(number, _)| *number));
    let wanted = (1..=36).chain(41..=48).chain(61..=67);
    let missing: Vec<u32> = wanted.filter(|number| !there.contains(number)).collect();
    assert_eq!(missing, Vec::<u32>::new());
}

/// Limits of a file are kept before anything is sent: nobody computes sizes by hand.
#[test]
fn field_02_03_04_files_are_cut_to_the_limits_before_anything_is_sent() {
    for (limit, files) in [("max_shard_requests=5", 3), ("max_shard_bytes=900", 3)] {
        let (dir, sandbox) = (marked(12), faulty(""));
        let line = format!("workflow in.csv out.csv --check-interval 500 --set {limit}");
        run(&dir, &sandbox, &line).run().exits(0);
        assert!(sandbox.created() >= files, "{limit}: {}", sandbox.created());
        for entry in sandbox.ledger().iter().filter(|entry| entry["event"] == "created") {
            let family = entry["family"].as_str().expect("a name");
            let batch = entry["batch"].as_str().expect("a name");
            let path = sandbox.state().join(family).join("batches").join(batch);
            let input = fs::read_to_string(path.join("input.jsonl")).expect("its input is kept");
            match limit {
                "max_shard_bytes=900" => assert!(input.len() <= 900, "{}", input.len()),
                _ => assert!(input.lines().count() <= 5),
            }
        }
        answers_are_on_their_rows(&dir, "out.csv", 12);
    }
}

/// Many files at once trip limits, and a fresh file is not found at first: both are waited out.
#[test]
fn field_08_many_files_that_are_not_ready_at_once() {
    let dir = marked(16);
    let sandbox = faulty("upload%3: not-ready 5ms; create%4: rate-limit");
    let line = "workflow in.csv out.csv --check-interval 500 --set max_shard_requests=1";
    run(&dir, &sandbox, line).run().exits(0);
    answers_are_on_their_rows(&dir, "out.csv", 16);
}

/// A picture that cannot go is named in its row; no row is dropped, and nothing looks like success.
#[test]
fn field_09_10_pictures_that_cannot_go_stay_in_the_table() {
    let bench = Bench::new();
    bench.dir.write("images/cat.png", b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00");
    on(&bench, LINE).run().exits(3);
    let cells = bench.dir.cells("out.csv");
    assert_eq!(cells.len(), ROWS);
    let skipped = cells.statuses().get("skipped").copied().unwrap_or(0);
    assert!(skipped > 0 && skipped < ROWS, "{:?}", cells.statuses());
    let bad = cells.column("status").iter().position(|status| *status == "skipped");
    let error = cells.column("error")[bad.expect("one was skipped")];
    assert!(error.contains("cat.png") && error.contains("BMP"), "{error}");
}

/// Larger pictures are made smaller instead of being refused.
#[test]
fn field_11_pictures_are_made_smaller_where_asked() {
    let size = |more: &str| -> usize {
        let bench = Bench::new();
        on(&bench, &format!("{LINE} {more}")).run().exits(0);
        bench.requests().iter().map(|request| request.to_string().len()).sum()
    };
    assert!(size("--image-max-side 4") < size(""));
}

/// A cancel keeps what was finished, and stops every batch of the run with one line.
#[test]
fn field_15_34_a_cancel_stops_all_and_keeps_what_is_done() {
    let bench = Bench::with(&["--batch-seconds", "3"], |_, _| Act::Pass);
    on(&bench, LINE).arg("--no-wait").run().exits(0);
    std::thread::sleep(std::time::Duration::from_millis(1800));
    on(&bench, "cancel last").run().exits(3);
    assert_eq!(bench.gate.count(CANCEL), 3, "all of the run");
    let (ok, cancelled) = (bench.rows("ok"), bench.rows("cancelled"));
    assert!(ok > 0 && cancelled > 0, "{ok} + {cancelled}");
    assert_eq!(ok + cancelled, ROWS as u64);
}

/// A batch that takes two days is waited for; none is stopped on a guess.
#[test]
fn field_16_17_two_days_are_waited_for() {
    let bench = Bench::with(&["--batch-seconds", "1.8"], |_, _| Act::Pass);
    let run = bench.batchctl(LINE).env("BATCHCTL_TIME_SCALE", "100000");
    run.run().exits(0);
    assert_eq!((bench.gate.count(CANCEL), bench.gate.count(CREATE)), (0, 3));
    assert_eq!(bench.rows("ok"), ROWS as u64);
}

/// The same line again, after its end or while it runs, is the same job.
#[test]
fn field_29_a_relaunch_sends_nothing_twice() {
    let bench = Bench::new();
    on(&bench, LINE).arg("--no-wait").run().exits(0);
    let job = bench.job();
    on(&bench, LINE).run().exits(0);
    on(&bench, LINE).run().exits(0);
    assert_eq!((bench.job(), bench.gate.count(CREATE)), (job, 3));
    bench.nothing_is_paid_twice();
}

/// What has arrived is kept at once: a kill loses none of it, it is not fetched again, and the
/// count goes on from there.
#[test]
fn field_30_64_what_has_arrived_survives_a_kill_and_is_counted() {
    let flags = ["--batch-seconds", "0.3", "--faults", "batch#2-3: lasts 3s"];
    let bench = Bench::with(&flags, |_, _| Act::Pass);
    let line = format!("{LINE} --set parallel_uploads=1 --progress plain");
    let child = on(&bench, &line).start();
    let stored = || {
        let jobs = fs::read_dir(bench.dir.home().join("jobs")).into_iter().flatten().flatten();
        let mut paths = jobs.map(|entry| entry.path().join("results/r1-s0001-output.jsonl"));
        paths.any(|path| path.is_file())
    };
    until("the first results are stored", stored);
    until("they are settled", || bench.rows("ok") == 3);
    signal(&child.child, "KILL");
    drop(child.end());
    let kept = job_folder(&bench.dir, &bench.job()).join("results/r1-s0001-output.jsonl");
    assert!(kept.is_file());
    let output = on(&bench, "resume last --progress plain").run().exits(0);
    let counts: Vec<u64> = output
        .stderr
        .split_whitespace()
        .filter_map(|word| word.strip_suffix("/9")?.parse().ok())
        .collect();
    assert!(counts.iter().all(|count| (3..=9).contains(count)), "{counts:?}\n{output}");
    assert_eq!(bench.gate.count(FETCH), 3, "each result file once");
    assert_eq!(bench.dir.bytes("out.csv"), Bench::undisturbed());
}

/// What is left to do is read from the ledger, not from files that happen to lie there; a good
/// table is not replaced by that of a part.
#[test]
fn field_32_files_that_lie_about_decide_nothing() {
    let bench = Bench::with(&["--batch-seconds", "0.3"], |_, _| Act::Pass);
    on(&bench, LINE).arg("--no-wait").run().exits(0);
    let results = job_folder(&bench.dir, &bench.job()).join("results");
    fs::create_dir_all(&results).expect("the job has its folder");
    fs::write(results.join("r1-s0001-output.jsonl"), "{\"half\n").expect("it can be filled");
    on(&bench, "resume last").run().exits(0);
    assert_eq!(bench.dir.bytes("out.csv"), Bench::undisturbed());
    on(&bench, "resume last").run().exits(0);
    assert_eq!(bench.dir.bytes("out.csv"), Bench::undisturbed());
    assert_eq!(bench.gate.count(CREATE), 3);
}

/// Rows that are asked again are said apart from those that failed for good.
#[test]
fn field_41_rows_asked_again_are_said_apart() {
    let sandbox = faulty("result#1: fails 1 status=500");
    let dir = marked(4);
    let line = "workflow in.csv out.csv --check-interval 500";
    run(&dir, &sandbox, line).run().exits(0).says(&["round 2: 1 error of 1 row", "ok 4"]);
    answers_are_on_their_rows(&dir, "out.csv", 4);
}

/// Answers in any order come to their rows, and those under keys that nobody sent to none.
#[test]
fn field_45_46_answers_in_any_order_and_under_other_keys() {
    let sandbox = faulty("result: foreign 4; result: missing lines=2");
    let dir = marked(9);
    let line = "workflow in.csv out.csv --check-interval 500 --rounds=1";
    run(&dir, &sandbox, line).run().exits(3).says(&["4 lines carry ids"]);
    let cells = dir.cells("out.csv");
    let (texts, answers) = (cells.column("text"), cells.column("response"));
    for (row, (text, answer)) in texts.iter().zip(answers).enumerate() {
        let expected = if row == 1 { String::new() } else { format!("[sandbox] {text}") };
        assert_eq!(answer, expected);
    }
    assert_eq!(cells.column("status")[1], "missing");
}

/// Every line has what the services ask for, and no id is longer than they take.
#[test]
fn field_47_48_lines_are_whole_and_ids_short() {
    let sandbox = faulty("");
    let dir = marked(3);
    let name = format!("{}.csv", "a very long name of a table ".repeat(6).trim());
    fs::rename(dir.path("in.csv"), dir.path(&name)).expect("it was just written");
    let line = "workflow --check-interval 500 --output out.csv --input-column text";
    let run = run(&dir, &sandbox, line).arg(&name).run();
    run.exits(0);
    for request in sandbox.requests() {
        let id = request["custom_id"].as_str().expect("each line has an id");
        assert!(!id.is_empty() && id.len() <= 64, "{id}");
        assert_eq!(request["method"], "POST");
        assert_eq!(request["url"], "/v1/chat/completions");
        assert!(request["body"]["messages"].is_array(), "{request}");
    }
    assert_eq!(sandbox.requests().len(), 3);
}

/// Bad lines of a request file are found here and never sent.
#[test]
fn field_61_bad_lines_are_never_sent() {
    let sandbox = faulty("");
    let dir = marked(2);
    run(&dir, &sandbox, "convert in.csv req.jsonl").run().exits(0);
    let good = dir.read("req.jsonl");
    let mut second: Value =
        serde_json::from_str(good.lines().nth(1).expect("two lines")).expect("a line is JSON");
    second.as_object_mut().expect("an object").remove("custom_id");
    for bad in ["{\"half".to_owned(), second.to_string()] {
        let first = good.lines().next().expect("two lines");
        let bad = format!("{first}\n{bad}\n");
        dir.write("bad.jsonl", bad);
        let output = run(&dir, &sandbox, "submit bad.jsonl --wait --check-interval 500").run();
        let is_told = match output.code {
            Some(2) => output.stderr.contains('2'),
            // The rest goes; the bad line has its place in the table, and why.
            Some(3) => {
                let table = dir.read("bad.answers.jsonl");
                let line: Value = serde_json::from_str(table.lines().nth(1).expect("two lines"))
                    .expect("a line is JSON");
                line["status"] == "skipped" && line["error"].as_str().is_some_and(|e| !e.is_empty())
            }
            _ => false,
        };
        assert!(is_told, "{output}");
        let _ = fs::remove_file(dir.path("bad.answers.jsonl"));
    }
    let ids: BTreeSet<String> =
        sandbox.requests().iter().map(|request| request["custom_id"].to_string()).collect();
    assert!(ids.len() <= 1, "only the good line left: {ids:?}");
}
