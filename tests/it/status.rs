//! `status`: where a job stands, how it came there, what it waits for, and the exit code for
//! scripts (B05, B17).

use serde_json::Value;

use crate::support::bench::{Bench, LINE as THREE};
use crate::support::gate::{Act, json};
use crate::support::runs::{at, marked};
use crate::support::sandbox::Sandbox;

fn words(history: &Value) -> Vec<&str> {
    let steps = history.as_array().expect("a list of states");
    steps.iter().map(|step| step["state"].as_str().expect("a word")).collect()
}

/// Every state of job and shards is kept with its time.
#[test]
fn b17_status_tells_the_states_over_time() {
    let bench = Bench::new();
    bench.batchctl(THREE).run().exits(0);
    let status = bench.batchctl("status last --json --shards").run().exits(0).json();
    assert_eq!(words(&status["history"]), ["prepared", "running", "done"]);
    for batch in status["batches"].as_array().expect("three shards") {
        let way = words(&batch["history"]);
        assert_eq!(way.first(), Some(&"planned"), "{batch}");
        assert!(way.contains(&"creating") && way.contains(&"running"), "{batch}");
        assert_eq!(way.last(), Some(&"settled"), "{batch}");
        let times: Vec<_> = batch["history"].as_array().expect("steps").iter().collect();
        let times: Vec<_> = times.iter().map(|step| step["at"].as_i64()).collect();
        assert!(times.is_sorted() && times[0].is_some_and(|at| at > 1_700_000_000), "{batch}");
    }
    let round = &status["rounds"][0];
    assert_eq!((&round["shards"], &round["states"]["settled"]), (&3.into(), &3.into()));
    assert_eq!(status["waits_for"], Value::Array(Vec::new()), "it is over");
    let text = bench.batchctl("status last").run().exits(0).stdout;
    for expected in ["states    ", "  prepared\n", "  done\n", "cost      nothing was charged"] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
    assert!(!text.contains("waits for"), "{text}");
}

/// What it waits for, and the code of a script that asks while it runs and after.
#[test]
fn b05_status_says_what_it_waits_for_and_exits_as_the_job_would() {
    let sandbox = Sandbox::with(&["--batch-seconds", "2"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --no-wait")).run().exits(0);
    let exit = "status last --exit-status";
    let status = at(&sandbox, dir.batchctl(exit)).run().exits(6).stdout;
    for expected in [
        "waits for the provider: 1 batch runs",
        "nobody drives it now",
        "collect   before",
        "go on     batchctl resume",
        "as of",
    ] {
        assert!(status.contains(expected), "{expected:?} in\n{status}");
    }
    at(&sandbox, dir.batchctl("watch")).run().exits(0);
    at(&sandbox, dir.batchctl(exit)).run().exits(0);

    dir.write("bad.csv", "text\nfine\n[[fail:400]]\n");
    at(&sandbox, dir.batchctl("workflow bad.csv o.csv --no-wait")).run().exits(0);
    at(&sandbox, dir.batchctl("watch")).run().exits(3);
    at(&sandbox, dir.batchctl(exit)).run().exits(3);
    at(&sandbox, dir.batchctl(exit)).env("BATCHCTL_ALLOW_PARTIAL", "true").run().exits(0);
    let all = at(&sandbox, dir.batchctl("status --json")).run().exits(0).json();
    assert_eq!(
        (&all["jobs"][0]["exit_code"], &all["jobs"][1]["exit_code"]),
        (&3.into(), &0.into())
    );
    dir.batchctl("status --exit-status").run().exits(2).says(&["ID"]);
}

/// A job that stopped because something must be mended exits so when asked later, too.
#[test]
fn b05_a_refused_job_exits_as_it_did() {
    let refused = || json(401, r#"{"error":{"message":"bad key","code":"invalid_api_key"}}"#);
    let bench = Bench::ruled(move |call, _| match call {
        "POST /v1/files" => Act::Say(refused()),
        _ => Act::Pass,
    });
    bench.batchctl(THREE).run().exits(4);
    bench.batchctl("status last --exit-status").run().exits(4);
    bench.gate.now(|_, _| Act::Pass);
    bench.batchctl("resume").run().exits(0);
    bench.batchctl("status last --exit-status").run().exits(0);
}

/// A create without an answer is named with what is done about it.
#[test]
fn b06_status_names_an_unclear_create() {
    // Looked through before anything is sent, by the plan and by the drive.
    let bench = Bench::ruled(|call, n| match call {
        "POST /v1/batches" => Act::Say(json(500, r#"{"error":{"message":"oops"}}"#)),
        "GET /v1/batches" if n > 2 => Act::Say(json(500, r#"{"error":{"message":"no list"}}"#)),
        _ => Act::Pass,
    });
    let mut run =
        bench.batchctl("workflow in.csv out.csv --check-interval 2 --max-wait 4s").start();
    bench.gate.wait_for("POST /v1/batches", 1);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    if run.is_running() {
        let _ = run.child.kill();
    }
    run.end();
    let text = bench.batchctl("status last").run().exits(0).stdout;
    for expected in
        ["a clear word about the batch of shard r1-s0001 (bc1-", "list", "unclear   create"]
    {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
}

/// B09: a job of many shards stays readable, each shard is there when asked for.
#[test]
fn b09_many_shards_are_counted_by_state() {
    let sandbox = Sandbox::with(&["--batch-seconds", "4"]);
    let dir = marked(30);
    let line = "workflow in.csv out.csv --set max_shard_requests=1 --no-wait";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let count = |text: &str| text.lines().filter(|line| line.starts_with("shard ")).count();
    let text = at(&sandbox, dir.batchctl("status last")).run().exits(0).stdout;
    assert_eq!(count(&text), 0, "{text}");
    assert!(text.contains("30 shards: running 30"), "{text}");
    assert!(text.contains("each shard: --shards"), "{text}");
    for all in ["status last --shards", "status last -v"] {
        let text = at(&sandbox, dir.batchctl(all)).run().exits(0).stdout;
        assert_eq!(count(&text), 30, "{all}: {text}");
    }
}
