//! Limits of a provider: prompt tokens in its queue, sizes of files, storage. Nothing is paid for
//! a refusal, and every row gets its answer in the end (B04, B05, B17).

use crate::support::gate::{Act, Gate};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

/// Rows of the table.
const ROWS: usize = 8;

fn folder() -> WorkDir {
    let dir = WorkDir::new();
    let texts: Vec<String> =
        (0..ROWS).map(|row| format!("row {row} of a table with some words in each")).collect();
    let mut rows: Vec<Vec<&str>> = vec![vec!["text"]];
    rows.extend(texts.iter().map(|text| vec![text.as_str()]));
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    dir.table("in.csv", &rows);
    dir
}

/// One row a shard, waits two hundred times shorter.
fn workflow(dir: &WorkDir, sandbox: &Sandbox, more: &str) -> Run {
    let line = format!(
        "workflow in.csv out.csv --model gpt-4o --check-interval 20 --set max_shard_requests=1 \
         {more}"
    );
    dir.batchctl(&line).env("BATCHCTL_TIME_SCALE", "200").openai_at(sandbox.address())
}

/// Rows that are paid for, by the bill.
fn executed(sandbox: &Sandbox) -> usize {
    let rows = |entry: serde_json::Value| entry["rows"].as_array().map_or(0, Vec::len);
    sandbox.ledger().into_iter().map(rows).sum()
}

/// Field reports 5, 6 and 7: a queue that takes two of eight shards, told at the create or later
/// by a batch that failed. All rows are answered, each is paid for once, and the limit is learned.
#[test]
fn field_05_field_06_a_full_queue_is_waited_out() {
    for flag in ["60:create", "60"] {
        let dir = folder();
        let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--enqueued-tokens", flag]);
        workflow(&dir, &sandbox, "").run().exits(0).says(&["ok 8"]).hides(&["failed"]);
        assert_eq!(executed(&sandbox), ROWS, "{flag}: no row is paid for twice");
    }
}

/// A row that no queue of the provider can hold is set aside with its words; nothing waits for it
/// for ever.
#[test]
fn a_row_larger_than_the_queue_is_set_aside() {
    let dir = WorkDir::new();
    dir.table(
        "in.csv",
        &[&["text"], &["more than five tokens stand in this row"], &["here too, in this one"]],
    );
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--enqueued-tokens", "5:create"]);
    let run = workflow(&dir, &sandbox, "").env("BATCHCTL_TIME_SCALE", "5000").run();
    run.exits(3).says(&["skipped 2", "too large for the queue"]);
    assert_eq!((sandbox.created(), executed(&sandbox)), (0, 0));
}

/// A limit that is known keeps files at home: nothing is refused, and nothing piles up.
#[test]
fn a_known_limit_is_never_run_into() {
    let dir = folder();
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--enqueued-tokens", "60:create"]);
    workflow(&dir, &sandbox, "--set max_enqueued_tokens=60")
        .run()
        .exits(0)
        .says(&["of 60 prompt tokens that may be queued", "ok 8"]);
    assert_eq!(sandbox.created(), ROWS, "and no create was refused");
}

/// Field report 7: two jobs of one account share what may be queued.
#[test]
fn field_07_two_jobs_share_one_queue() {
    let dir = folder();
    let sandbox = Sandbox::with(&["--batch-seconds", "0.5", "--enqueued-tokens", "60:create"]);
    let line = "--set max_enqueued_tokens=60";
    let first = workflow(&dir, &sandbox, line).start();
    let other = "workflow in.csv other.csv --model gpt-4o --prompt again --check-interval 20 \
                 --set max_shard_requests=1 --set max_enqueued_tokens=60";
    let other =
        dir.batchctl(other).env("BATCHCTL_TIME_SCALE", "200").openai_at(sandbox.address()).start();
    first.end().exits(0).says(&["ok 8"]);
    other.end().exits(0).says(&["ok 8"]);
    assert_eq!(sandbox.created(), 2 * ROWS, "neither was refused because of the other");
}

/// A wait for the queue ends when nobody wants to wait any longer, and says what it was for.
#[test]
fn a_wait_for_the_queue_can_be_ended() {
    let dir = folder();
    let sandbox = Sandbox::with(&["--faults", "create: token-limit 500"]);
    let line = "--max-wait 100s";
    let out = workflow(&dir, &sandbox, line).run();
    out.exits(6).says(&["the queue of gpt-4o at openai is full"]);
    let status = dir.batchctl("status last").openai_at(sandbox.address()).run();
    let status = status.exits(0).stdout;
    assert!(
        status.contains("not sent yet") && status.contains("room in the provider's queue"),
        "{status}"
    );
    assert_eq!(executed(&sandbox), 0);
    // The plan of the next job knows what the refusal told.
    let plan = "estimate in.csv --model gpt-4o --set max_shard_requests=1";
    let plan = dir.batchctl(plan).openai_at(sandbox.address()).run().exits(0).stdout;
    for words in ["of 500 that may be queued", "1 wave, minutes to 24 hours"] {
        assert!(plan.contains(words), "{plan}");
    }
}

/// The lowest tier of gpt-4o queues 90,000 prompt tokens. The plan says how often they fill up, and
/// the run needs just as many batches one after the other, of which the queue refuses none.
#[test]
fn b05_a_plan_shows_the_waves_that_the_run_needs() {
    let dir = WorkDir::new();
    let rows = (0..700).map(|row| format!("row {row}{}\n", " word".repeat(500)));
    dir.write("in.csv", rows.fold("text\n".to_owned(), |table, row| table + &row));
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--enqueued-tokens", "90000:create"]);
    let line = "--model gpt-4o --set tier=1 --set parallel_uploads=4 --json --max-tokens 600";
    let run = |command: &str| {
        let line = format!("{command} {line}");
        let run = dir.batchctl(&line).args(&["--prompt", "{text}"]);
        run.env("BATCHCTL_TIME_SCALE", "200").openai_at(sandbox.address()).run()
    };
    let plan = run("estimate in.csv").exits(0).json();
    assert_eq!(plan["may_be_queued"], 90_000);
    assert!(plan["input_tokens"].as_u64() > Some(3 * 90_000), "{plan}");
    run("workflow in.csv out.csv --check-interval 20 --allow-partial").exits(0).hides(&["full"]);
    assert_eq!(plan["waves"].as_u64(), u64::try_from(sandbox.created()).ok());
    assert_eq!(executed(&sandbox), 700);
}

/// Field report 42: no money left is not a busy provider and not a full queue.
#[test]
fn field_42_no_credit_stops_everything() {
    let dir = folder();
    let sandbox = Sandbox::with(&["--faults", "create#2+: credit", "--batch-seconds", "0.3"]);
    workflow(&dir, &sandbox, "--set parallel_uploads=1").run().exits(5);
    assert_eq!(sandbox.created(), 1);
}

/// Field reports 1 to 3: a file that is found too large is cut in half, once.
#[test]
fn field_01_a_file_too_large_is_halved_once() {
    let dir = folder();
    let sandbox = Sandbox::with(&[
        "--batch-seconds",
        "0.3",
        "--faults",
        "upload#1: 413 text=\"file is too large\"",
    ]);
    let line = "workflow in.csv out.csv --model gpt-4o --check-interval 20";
    let run = || dir.batchctl(line).env("BATCHCTL_TIME_SCALE", "200").openai_at(sandbox.address());
    run().run().exits(0).says(&["sent in 2 files instead", "ok 8"]);
    assert_eq!((sandbox.created(), executed(&sandbox)), (2, ROWS));

    let dir = folder();
    let sandbox = Sandbox::with(&["--faults", "upload: 413 text=\"file is too large\""]);
    let run = dir.batchctl(line).env("BATCHCTL_TIME_SCALE", "200").openai_at(sandbox.address());
    run.run().exits(5).says(&["max_shard_bytes"]);
}

/// Field report 63: the account's storage is full, and the remedy is named.
#[test]
fn field_63_full_storage_names_the_remedy() {
    let dir = folder();
    let sandbox = Sandbox::with(&["--faults", "upload: storage-quota"]);
    workflow(&dir, &sandbox, "").run().exits(5).says(&["prune --remote"]);
    assert_eq!(sandbox.created(), 0);
}

/// Many batches are asked after by the pages of the listing.
#[test]
fn many_batches_are_read_from_the_listing() {
    let dir = WorkDir::new();
    let rows: Vec<String> = (0..40).map(|row| format!("text {row}")).collect();
    let mut table: Vec<Vec<&str>> = vec![vec!["text"]];
    table.extend(rows.iter().map(|row| vec![row.as_str()]));
    let table: Vec<&[&str]> = table.iter().map(Vec::as_slice).collect();
    dir.table("in.csv", &table);
    let sandbox = Sandbox::with(&["--batch-seconds", "3"]);
    let gate = Gate::before(sandbox.address(), |_, _| Act::Pass);
    let line = "workflow in.csv out.csv --model gpt-4o --check-interval 20 \
                --set max_shard_requests=1 --set parallel_uploads=8";
    let run = dir.batchctl(line).env("BATCHCTL_TIME_SCALE", "200").openai_at(gate.address());
    run.run().exits(0).says(&["ok 40"]);
    let (pages, single) = (gate.count("GET /v1/batches"), gate.count("GET /v1/batches/*"));
    assert!(pages > 1, "{pages} pages");
    assert!(single < 40 * 2, "{single} questions after single batches, {pages} pages");
}
