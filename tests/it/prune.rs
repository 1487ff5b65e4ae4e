//! `prune`: room on this disk and at the provider, and the same line still does not pay again
//! (B06, B17, field 63).

use std::fs;

use serde_json::Value;

use crate::support::bench::{Bench, LINE as THREE};
use crate::support::gate::{Act, json};
use crate::support::runs::{at, job_folder, job_of, marked};
use crate::support::sandbox::Sandbox;

const DELETE: &str = "DELETE /v1/files/*";

#[test]
fn b06_b17_prune_frees_room_and_the_same_line_pays_nothing() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    let line = "workflow in.csv out.csv";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let (job, table) = (job_of(&dir), dir.read("out.csv"));
    let usage = dir.batchctl("status last --json").run().json()["job"]["usage"].clone();
    // Too young, only shown, or nobody to ask: everything stays.
    dir.batchctl("prune").run().exits(0).says(&["nothing to prune"]);
    dir.batchctl("prune --older-than 0 --dry-run").run().exits(0).says(&["would free"]);
    let files = job_folder(&dir, &job);
    assert!(files.join("results/r1-s0001-output.jsonl").is_file());
    let output = dir.batchctl("prune --older-than 0").run().exits(0).says(&["freed"]);
    assert!(output.stdout.contains(&job), "{output}");
    let left: Vec<_> = fs::read_dir(&files).expect("the lock's folder").flatten().collect();
    assert_eq!(left.len(), 1, "the lock alone: {left:?}");

    // Another place for the table would stay empty.
    let run = at(&sandbox, dir.batchctl("workflow in.csv other.csv")).run().exits(2);
    run.says(&["were pruned", "out.csv", "no table was written", "--again"]);
    for line in [line, "download last", "watch last", "resume last"] {
        let line = line.replace("watch last", &format!("watch {job}"));
        let run = at(&sandbox, dir.batchctl(&line)).run().exits(0);
        run.says(&["were pruned", "out.csv", "--again"]);
    }
    assert_eq!((dir.read("out.csv"), dir.path("other.csv").exists()), (table, false));
    assert_eq!(sandbox.created(), 1, "nothing was sent");
    let status = dir.batchctl("status last --json").run().json();
    assert_eq!((&status["job"]["usage"], &status["job"]["statuses"]["ok"]), (&usage, &3.into()));
    assert!(status["job"]["pruned"].is_i64());
    dir.batchctl("logs last").run().exits(0);
    dir.batchctl("merge last").run().exits(2).says(&["were pruned"]);
    dir.batchctl("prune --older-than 0").run().exits(0).says(&["nothing to prune"]);
}

/// A job whose rows are not all good ends after `prune` as it did before; its log still has words.
#[test]
fn b05_a_pruned_job_exits_as_it_did() {
    let sandbox = Sandbox::start();
    let dir = marked(1);
    dir.write("in.csv", "text\nfine\n[[fail:400]]\n");
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(3);
    dir.batchctl("prune").arg(job_of(&dir)).run().exits(0);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(3);
    dir.batchctl("status last --exit-status").run().exits(3);
    let log = dir.batchctl("logs last").run().exits(0).stdout;
    assert!(log.contains("row 1  error  "), "{log}");
}

#[test]
fn b17_prune_leaves_unfinished_and_unwritten_jobs_alone() {
    let sandbox = Sandbox::with(&["--batch-seconds", "5"]);
    let dir = marked(2);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --no-wait")).run().exits(0);
    let job = job_of(&dir);
    dir.batchctl("prune --older-than 0").run().exits(0).says(&["nothing to prune"]);
    dir.batchctl("prune").arg(&job).run().exits(2).says(&["is waiting", "batchctl cancel"]);
    assert!(job_folder(&dir, &job).join("shards").is_dir());

    // Done, but the place of its table could not be written.
    let fast = Sandbox::start();
    let other = marked(1);
    fs::create_dir(other.path("gone")).expect("a fresh folder");
    at(&fast, other.batchctl("workflow in.csv gone/out.csv --no-wait")).run().exits(0);
    fs::remove_dir_all(other.path("gone")).expect("it was just made");
    let run = at(&fast, other.batchctl("resume")).run();
    assert_ne!(run.code, Some(0), "{run}");
    assert!(at(&fast, other.batchctl("status last")).run().stdout.contains("   done"), "{run}");
    let prune = other.batchctl("prune --older-than 0").run().exits(0);
    assert!(prune.stdout.contains("its table was never written"), "{prune}");
    assert!(job_folder(&other, &job_of(&other)).join("results").is_dir());
    other.batchctl("prune --older-than 0 --unwritten").run().exits(0).says(&["freed"]);
    assert!(!job_folder(&other, &job_of(&other)).join("results").is_dir());
}

fn remote(bench: &Bench) -> Vec<Value> {
    let prune = bench.batchctl("prune last --remote --dry-run --json").run().exits(0).json();
    prune["jobs"].as_array().expect("a list").clone()
}

/// Files at the provider are deleted after the table is written, each recorded before and after.
#[test]
fn field_63_prune_remote_deletes_what_a_job_left() {
    let bench = Bench::new();
    bench.batchctl(THREE).run().exits(0);
    assert_eq!(bench.gate.count(DELETE), 0, "nothing is deleted unasked");
    assert_eq!(remote(&bench)[0]["remote_files"], 6, "three inputs, three outputs");
    bench.gate.now(|call, n| match call {
        DELETE if n == 2 => Act::Say(json(500, r#"{"error":{"message":"not today"}}"#)),
        DELETE if n == 3 => Act::Say(json(404, r#"{"error":{"message":"No such File object"}}"#)),
        _ => Act::Pass,
    });
    let run = bench.batchctl("prune last --remote").run().exits(0);
    run.says(&["deleted 5 files", "1 left and listed", "not today", "stays listed"]);
    let log = bench.batchctl("logs last --json").run().json();
    let deletes: Vec<_> = log["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .filter(|call| call["call"] == "delete")
        .map(|call| call["class"].as_str().unwrap_or("open").to_owned())
        .collect();
    assert_eq!(deletes, ["ok", "unknown", "ok", "ok", "ok", "ok"]);
    bench.batchctl("prune last --remote").run().exits(0).says(&["deleted 1 file"]);
    assert_eq!(bench.gate.count(DELETE), 7, "each of the six once, one twice");
    bench.batchctl("prune last --remote").run().exits(0).says(&["deleted 0 files"]);
    bench.batchctl(THREE).run().exits(0).says(&["were pruned"]);
}

/// An upload whose answer was lost is found by its name.
#[test]
fn field_63_leftovers_of_unclear_uploads_are_deleted_too() {
    let bench = Bench::ruled(|call, n| match call {
        "POST /v1/files" if n == 1 => Act::DoAndSay(json(502, "<html>bad gateway</html>")),
        "GET /v1/files" => Act::Say(json(500, r#"{"error":{"message":"no list"}}"#)),
        _ => Act::Pass,
    });
    let line = "workflow in.csv out.csv --check-interval 2";
    if bench.batchctl(line).run().code != Some(0) {
        bench.resume_until_over(5);
    }
    bench.gate.now(|_, _| Act::Pass);
    bench.batchctl("prune last --remote").run().exits(0).says(&["deleted 3 files"]);
}

#[test]
fn field_63_the_setting_cleans_up_after_each_job() {
    let bench = Bench::new();
    let line = format!("{THREE} --set remote_cleanup=true");
    bench.batchctl(&line).run().exits(0);
    assert_eq!(bench.gate.count(DELETE), 6);
    assert_eq!(remote(&bench)[0]["remote_files"], 0);
    bench.batchctl(&line).run().exits(0);
    assert_eq!(bench.gate.count(DELETE), 6, "once");
}

/// A key of another account would be told 404 for every file, which counts as deleted.
#[test]
fn b17_another_accounts_key_deletes_nothing() {
    let bench = Bench::new();
    bench.batchctl(THREE).run().exits(0);
    bench.gate.now(|call, _| match call {
        "GET /v1/batches/*" => Act::Say(json(404, r#"{"error":{"message":"No batch found"}}"#)),
        _ => Act::Pass,
    });
    let other = bench.batchctl("prune last --remote").env("OPENAI_API_KEY", "sandbox-other");
    other.run().exits(4).says(&["does not know batch"]);
    assert_eq!(bench.gate.count(DELETE), 0);
}
