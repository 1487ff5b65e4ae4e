//! Not paying for what is known: equal rows are asked once, rows that an earlier job answered are
//! not asked again. What counts is how many requests the sandbox was sent and billed.

use std::fs;

use serde_json::Value;

use crate::support::runs::{at, job_folder, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

const LINE: &str = "workflow in.csv out.csv";

/// Rows that the sandbox billed.
fn billed(sandbox: &Sandbox) -> usize {
    let executed = sandbox.ledger().into_iter().filter(|entry| entry["event"] == "executed");
    executed.map(|entry| entry["rows"].as_array().expect("a list").len()).sum()
}

/// A table whose rows 0, 2, 3 and 5 ask the same; row 4 fails, and so does row 6, which asks the
/// same as it.
fn repeated() -> WorkDir {
    let dir = WorkDir::new();
    dir.write(
        "in.csv",
        "id,text\n1,same\n2,other\n3,same\n4,same\n5,[[fail:400]]\n6,same\n7,[[fail:400]]\n",
    );
    dir
}

/// B04: one request for all rows that ask the same, one outcome for each of them, tokens once.
#[test]
fn b04_equal_rows_are_sent_once_and_fanned_out() {
    let sandbox = Sandbox::start();
    let dir = repeated();
    let output = at(&sandbox, dir.batchctl(LINE).arg("--json")).run().exits(3);
    let report = output.json();
    assert_eq!((sandbox.requests().len(), billed(&sandbox)), (3, 2));
    assert_eq!(
        report["statuses"],
        serde_json::json!({"ok": 5, "error": 2}),
        "they sum to the rows"
    );
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("status"), ["ok", "ok", "ok", "ok", "error", "ok", "error"]);
    let same = cells.column("response")[0];
    assert_eq!(same, "[sandbox] same");
    for row in [2, 3, 5] {
        assert_eq!(cells.column("response")[row], same);
    }
    assert!(!cells.column("error")[6].is_empty(), "a row says why it is not good");
    // P7: what was paid once is counted once.
    let tokens: u64 = answers(&dir).iter().map(|line| usage(line, "prompt_tokens")).sum();
    assert_eq!(report["usage"]["prompt_tokens"], tokens);
    at(&sandbox, dir.batchctl(LINE)).run().exits(3).says(&["nothing is sent"]);
    assert_eq!(sandbox.created(), 1);
}

/// Every line of the newest job's output files.
fn answers(dir: &WorkDir) -> Vec<Value> {
    let file = job_folder(dir, &job_of(dir)).join("results/r1-s0001-output.jsonl");
    let text = fs::read_to_string(file).expect("the answers are kept");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn usage(line: &Value, name: &str) -> u64 {
    line["response"]["body"]["usage"][name].as_u64().unwrap_or(0)
}

/// Design section 7: after `--end-row 10` the full run pays only for the rest.
#[test]
fn b04_after_the_first_ten_rows_the_full_run_pays_for_the_rest() {
    let sandbox = Sandbox::start();
    let dir = marked(25);
    at(&sandbox, dir.batchctl(LINE).args(&["--end-row", "10"])).run().exits(0);
    let first = job_of(&dir);
    let output = at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    output.says(&["cached   10", "ok       15"]);
    assert_eq!((sandbox.requests().len(), billed(&sandbox)), (25, 25), "each row once");
    let cells = dir.cells("out.csv");
    let expected: Vec<_> = (0..25).map(|row| if row < 10 { "cached" } else { "ok" }).collect();
    assert_eq!(cells.column("status"), expected);
    for (text, answer) in cells.column("text").iter().zip(cells.column("response")) {
        assert_eq!(answer, format!("[sandbox] {text}"));
    }
    // What was copied does not need the job it came from.
    fs::remove_dir_all(job_folder(&dir, &first)).expect("the first job has a folder");
    let written = dir.bytes("out.csv");
    fs::remove_file(dir.path("out.csv")).expect("it was written");
    at(&sandbox, dir.batchctl(LINE)).run().exits(0).says(&["nothing is sent"]);
    assert_eq!(dir.bytes("out.csv"), written);
    assert_eq!(sandbox.created(), 2);
}

/// All rows were answered before: nothing is sent, the job is done, its tokens are not counted.
#[test]
fn b04_where_all_is_answered_nothing_is_sent() {
    let sandbox = Sandbox::start();
    let dir = marked(4);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    // Rows 1 to 3 by another way: another selection is another job.
    let line = || dir.batchctl("workflow in.csv part.csv --start-row 1");
    let report = at(&sandbox, line().arg("--json")).run().exits(0).json();
    assert_eq!(report["statuses"], serde_json::json!({"cached": 3}));
    assert_eq!(report["ending"], "done");
    assert_eq!(report["usage"]["prompt_tokens"], 0, "P7: paid and counted by the first job");
    assert_eq!(sandbox.created(), 1);
    let job = job_of(&dir);
    at(&sandbox, line()).run().exits(0).says(&[&job, "nothing is sent"]);
    // A third job takes what the second one copied.
    fs::remove_dir_all(job_folder(&dir, &first_job(&dir))).expect("the first job has a folder");
    at(&sandbox, dir.batchctl("workflow in.csv more.csv --start-row 2")).run().exits(0);
    assert_eq!(dir.cells("more.csv").column("status"), ["cached", "cached"]);
    assert_eq!(sandbox.created(), 1);
}

/// The short id of the oldest job.
fn first_job(dir: &WorkDir) -> String {
    let status = dir.batchctl("status --json").run().exits(0).json();
    let jobs = status["jobs"].as_array().expect("a list").clone();
    jobs.last().expect("one")["job"].as_str().expect("an id").to_owned()
}
