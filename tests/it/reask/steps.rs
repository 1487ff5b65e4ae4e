//! The ladder is killed, expires, and is gone on with in another home.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{LINE, bill, holds, requests, scene, status};
use crate::support::bench::{signal, until};
use crate::support::runs::at;
use crate::support::workdir::Run;

/// Field report 31: a fresh home takes over what an old one has sent, second questions included.
#[test]
fn field_31_a_fresh_home_goes_on_with_the_ladder() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "1"]);
    let line = format!("{LINE} --reask 2");
    for batches in [2, 3] {
        let mut child = at(&sandbox, dir.batchctl(&line)).spawn();
        until("second questions are out", || sandbox.created() >= batches);
        signal(&child, "KILL");
        child.wait().expect("it was killed");
        std::fs::remove_dir_all(dir.home()).expect("the home was made");
        let _ = std::fs::remove_file(dir.path("out.csv"));
    }
    at(&sandbox, dir.batchctl(&line)).run().exits(3);
    assert_eq!(sandbox.created(), 3);
    holds(&dir, &sandbox, 40);
}

/// Whether a request holds an answer to what it asks.
fn is_second(body: &Value) -> bool {
    let messages = body["messages"].as_array().expect("a chat");
    messages.iter().any(|message| message["role"] == "assistant")
}

/// P1 to P4 at the steps of the program itself: a sample of them, or with `BATCHCTL_TEST_POINTS`
/// set to `all` each one.
#[test]
fn p1_p4_a_ladder_that_dies_at_any_step_goes_on() {
    let line = format!("{LINE} --set max_shard_requests=30 --reask 1");
    let hurry = |run: Run| run.env("BATCHCTL_TIME_SCALE", "20000");
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.1"]);
    let count = dir.path("count");
    let run = at(&sandbox, dir.batchctl(&line)).env("BATCHCTL_CRASH_COUNT", &count);
    hurry(run).run().exits(3);
    let undisturbed = dir.bytes("out.csv");
    let reference = requests(&sandbox, 2);
    let counted = std::fs::read_to_string(count).expect("the run wrote it");
    let passages = counted.lines().filter(|line| !line.starts_with("operation")).count();
    let is_whole = std::env::var("BATCHCTL_TEST_POINTS").is_ok_and(|which| which == "all");
    let step = if is_whole { 1 } else { passages / 10 };
    for passage in (1..=passages).rev().step_by(step.max(1)) {
        let (dir, sandbox) = scene(40, &["--batch-seconds", "0.1"]);
        let run = || hurry(at(&sandbox, dir.batchctl(&line)));
        run().env("BATCHCTL_CRASH", passage.to_string()).start().end();
        run().run().exits(3);
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        for (id, ..) in bill(&sandbox) {
            *times.entry(id).or_default() += 1;
        }
        assert!(times.values().all(|n| *n == 1), "P1, at {passage}: {times:?}");
        assert_eq!(times.len(), 46, "P3, at {passage}");
        assert_eq!(dir.bytes("out.csv"), undisturbed, "P4, at {passage}");
        let mut sent = requests(&sandbox, 2);
        sent.extend(requests(&sandbox, 3));
        // First questions of a shard whose batch was never made go out again in these rounds too.
        sent.retain(|_, body| is_second(body));
        assert_eq!(sent, reference, "the same second questions, at {passage}");
    }
}

/// P1, P3, P4: killed between any two moments of it, nothing is paid twice and nothing is lost.
#[test]
fn p1_p4_a_killed_ladder_goes_on_where_it_was() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.6"]);
    let line = format!("{LINE} --set max_shard_requests=30 --reask 2");
    for executed in [30, 40, 46] {
        let mut child = at(&sandbox, dir.batchctl(&line)).spawn();
        until("batches have run", || bill(&sandbox).len() >= executed);
        signal(&child, "KILL");
        child.wait().expect("it was killed");
    }
    at(&sandbox, dir.batchctl(&line)).run().exits(3);
    holds(&dir, &sandbox, 40);
}

/// A batch of second questions that expires goes out again like any other, and what was answered
/// before stays (field report 39).
#[test]
fn second_questions_that_expire_go_out_again() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.3", "--faults", "batch#2: expire 0%"]);
    let line = format!("{LINE} --reask 1");
    at(&sandbox, dir.batchctl(&line)).run().exits(3).says(&["6 expired of 6 rows", "round 3:"]);
    let second: Vec<_> = requests(&sandbox, 2).into_values().collect();
    assert_eq!(second, requests(&sandbox, 3).into_values().collect::<Vec<_>>(), "the same request");
    let job = status(&sandbox, &dir);
    assert_eq!((&job["statuses"]["ok"], &job["statuses"]["expired"]), (&33.into(), &Value::Null));
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.3", "--faults", "batch#2: expire 0%"]);
    at(&sandbox, dir.batchctl(&line)).args(&["--rounds", "1"]).run().exits(3);
    let job = status(&sandbox, &dir);
    assert_eq!((&job["statuses"]["unparsed"], &job["statuses"]["invalid"]), (&4.into(), &2.into()));
    let raw = dir.cells("out.csv");
    assert_eq!(raw.column("raw_response")[0], "It is rather good, I think (a1).");
}
