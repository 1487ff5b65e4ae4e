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

/// What the line says it would send is what it sends: rows answered before and equal rows are
/// taken off in the plan, too.
#[test]
fn b04_the_plan_says_what_need_not_be_sent() {
    let sandbox = Sandbox::start();
    let dir = repeated();
    let line = || at(&sandbox, dir.batchctl("workflow in.csv out.csv"));
    line().args(&["--end-row", "2"]).run().exits(0);
    line().run().exits(3).says(&["1 request", "5 rows answered before", "1 row asked once"]);
    assert_eq!(sandbox.requests().len(), 3);
    let statuses = ["cached", "cached", "cached", "cached", "error", "cached", "error"];
    assert_eq!(dir.cells("out.csv").column("status"), statuses);

    let dir = repeated();
    let ask = |command: &str| dir.batchctl(command).args(&["--provider", "sandbox"]);
    ask("workflow in.csv out.csv --end-row 1").run().exits(0);
    for command in ["estimate in.csv", "workflow in.csv out.csv --dry-run"] {
        let plan = ask(command).run().exits(0).stdout;
        let lines =
            ["answered before      -4", "equal rows           -1", "to send               2"];
        assert!(lines.iter().all(|line| plan.contains(line)), "{plan}");
    }
    let plan = ask("workflow in.csv out.csv --dry-run").run().exits(0);
    let estimate = ask("estimate in.csv --json").run().exits(0).json();
    assert!(plan.stdout.contains("\"content\": \"other\""), "the first one that is sent: {plan}");
    assert_eq!(estimate["estimate"]["requests"], 2);
    assert_eq!(estimate["estimate"]["answered"]["requests"], 4);
}

/// The user's own line: result files merged by hand give the table that the run wrote, with the
/// rows that were not sent.
#[test]
fn b04_merging_result_files_answers_equal_and_cached_rows() {
    let sandbox = Sandbox::start();
    let dir = repeated();
    at(&sandbox, dir.batchctl(LINE).args(&["--end-row", "1"])).run().exits(0);
    let line = "workflow in.csv out.csv --where id!=5 --where id!=7 --output-dir files";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let merged = dir.batchctl("merge files/*.jsonl --original-csv -o merged.csv").run();
    merged.exits(0).says(&["cached 4"]);
    assert_eq!(dir.read("merged.csv"), dir.read("out.csv"));
    assert_eq!(
        dir.cells("out.csv").column("status"),
        ["cached", "ok", "cached", "cached", "cached"]
    );
    // And equal ones alone, counted once.
    let dir = repeated();
    let line = "workflow in.csv out.csv --where id!=5 --where id!=7 --output-dir files";
    let report = at(&sandbox, dir.batchctl(line).arg("--json")).run().exits(0).json();
    let merged = dir.batchctl("merge files/*.jsonl --original-csv -o merged.csv --json").run();
    assert_eq!(merged.exits(0).json()["usage"], report["usage"]);
    assert_eq!(dir.read("merged.csv"), dir.read("out.csv"));
}

/// Only an answer that is still there as it was recorded is taken; otherwise the row is sent.
#[test]
fn b04_a_damaged_or_missing_earlier_answer_is_asked_again() {
    for damage in ["gone", "cut", "other id", "not json"] {
        let sandbox = Sandbox::start();
        let dir = marked(3);
        at(&sandbox, dir.batchctl(LINE).args(&["--end-row", "2"])).run().exits(0);
        let file = job_folder(&dir, &job_of(&dir)).join("results/r1-s0001-output.jsonl");
        let text = fs::read_to_string(&file).expect("the answers are kept");
        match damage {
            "gone" => fs::remove_file(&file),
            "cut" => fs::write(&file, &text[..10]),
            "other id" => {
                fs::write(&file, text.replace("-r1\"", "-r2\"").replace("-000000", "-999999"))
            }
            _ => fs::write(&file, "x".repeat(text.len())),
        }
        .expect("it can be damaged");
        at(&sandbox, dir.batchctl(LINE)).run().exits(0);
        assert_eq!(sandbox.requests().len(), 5, "{damage}");
        assert_eq!(dir.cells("out.csv").column("status"), ["ok", "ok", "ok"], "{damage}");
    }
}

/// Design section 9: nothing from a sandbox is ever used for a real address, and nothing from one
/// address for another.
#[test]
fn answers_of_a_sandbox_stay_there() {
    let dir = marked(3);
    dir.batchctl("workflow in.csv a.csv --provider sandbox -m gpt-4o-mini").run().exits(0);
    let (one, other) = (Sandbox::start(), Sandbox::start());
    at(&one, dir.batchctl("workflow in.csv b.csv -m gpt-4o-mini")).run().exits(0);
    assert_eq!(one.requests().len(), 3);
    at(&other, dir.batchctl("workflow in.csv c.csv -m gpt-4o-mini")).run().exits(0);
    assert_eq!(other.requests().len(), 3);
    // The same address with a key that is no sandbox's: whoever listens there now, what a sandbox
    // made up is not sent again as an answer of his.
    let line = "workflow in.csv d.csv -m gpt-4o-mini --start-row 1";
    let refused = at(&one, dir.batchctl(line)).env("OPENAI_API_KEY", "sk-real").run();
    refused.exits(4).says(&["planned 2 requests"]);
    let line = "workflow in.csv e.csv -m gpt-4o-mini --start-row 2";
    at(&one, dir.batchctl(line)).run().exits(0).says(&["cached 1"]);
}

/// Field report 62: with another parameter no old answer is replayed; with other fields an answer
/// is taken if it holds them.
#[test]
fn field_62_another_question_is_asked_anew() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    let run = |more: &[&str]| {
        let line = at(&sandbox, dir.batchctl("workflow in.csv out.csv --overwrite")).args(more);
        line.run().exits(0);
        sandbox.requests().len()
    };
    assert_eq!(run(&[]), 2);
    let lines: [&[&str]; 5] = [
        &["--temperature", "0.1"],
        &["--max-tokens", "40"],
        &["--system", "Be brief"],
        &["-m", "gpt-4.1-mini"],
        &["--endpoint", "responses"],
    ];
    for (done, line) in lines.into_iter().enumerate() {
        assert_eq!(run(line), 2 * (done + 2), "{line:?}");
    }
    assert_eq!(run(&["--start-row", "1"]), 12, "and the first one is still known");
}

/// `--again` pays for all of it: no earlier answer is taken, equal rows are sent one by one. Typed
/// again while that is unfinished it does not pay a third time.
#[test]
fn again_pays_for_every_row_anew() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text\nsame\nsame\nother\n");
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    let first = job_of(&dir);
    let again = || at(&sandbox, dir.batchctl(LINE).arg("--again"));
    again().arg("--no-wait").run().exits(0);
    let second = job_of(&dir);
    assert_ne!(first, second);
    again().run().exits(0).says(&[&format!("going on with job {second}")]);
    assert_eq!((sandbox.requests().len(), sandbox.created()), (2 + 3, 2));
    // The plain line means the newest.
    at(&sandbox, dir.batchctl(LINE)).run().exits(0).says(&[&second, "nothing is sent"]);
    again().run().exits(0);
    assert_eq!((sandbox.requests().len(), sandbox.created()), (2 + 3 + 3, 3));
    // A cloned folder must not make people pay anew.
    dir.write("batchctl.toml", "[defaults]\nagain = true\n");
    at(&sandbox, dir.batchctl(LINE)).run().exits(2).says(&["again"]);
}

/// `--again` asks about money as any line does that pays.
#[test]
fn again_asks_about_money() {
    let dir = marked(2);
    let line = dir.batchctl("workflow in.csv out.csv -m my-finetune --again");
    line.env("OPENAI_API_KEY", "sk-test").run().exits(7).says(&["nothing was sent"]);
}

/// Field reports 28 and 65: a name attaches to the same content, and says what differs where it
/// stands for other content.
#[test]
fn field_28_field_65_a_name_is_a_handle() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    let line = |more: &[&str]| {
        at(&sandbox, dir.batchctl("workflow in.csv out.csv --name nightly")).args(more).run()
    };
    line(&["--no-wait"]).exits(0);
    let job = job_of(&dir);
    line(&[]).exits(0).says(&[&format!("going on with job {job}")]);
    let status = dir.batchctl("status nightly --json").run().exits(0).json();
    assert_eq!(status["job"]["job"], job);
    at(&sandbox, dir.batchctl("resume nightly")).run().exits(0);
    let cases: [(&[&str], &str); 6] = [
        (&["--prompt", "Say {text}"], "the question"),
        (&["-m", "gpt-4.1-mini"], "gpt-4.1-mini here"),
        (&["--end-row", "1"], "the rows"),
        (&["--temperature", "0.5"], "the parameters"),
        (&["--json-fields", "a"], "the fields"),
        (&["--json-schema", r#"{"type":"object","properties":{"a":{}}}"#], "the schema"),
    ];
    for (more, differs) in cases {
        line(more).exits(2).says(&["nightly", &job, differs]);
    }
    dir.write("in.csv", "id,text\n1,changed\n");
    line(&[]).exits(2).says(&["the cells of the table"]);
    dir.write("two.csv", "id,text\n1,changed\n");
    let other = at(&sandbox, dir.batchctl("workflow two.csv out.csv --name nightly"));
    other.run().exits(2).says(&["two.csv here"]);
    dir.batchctl("workflow two.csv out.csv --name last").run().exits(2);
    assert_eq!(sandbox.created(), 1);
}

/// A second job for the output of a living one: with a name of its own both are kept, and each
/// has its table.
#[test]
fn with_a_name_both_jobs_are_kept() {
    let sandbox = Sandbox::with(&["--batch-seconds", "3"]);
    let dir = marked(2);
    at(&sandbox, dir.batchctl(LINE).arg("--no-wait")).run().exits(0);
    let first = job_of(&dir);
    let other = || at(&sandbox, dir.batchctl(LINE).args(&["--prompt", "Say {text}"]));
    other().run().exits(2).says(&[&format!("batchctl cancel {first}"), "--name"]);
    other().args(&["--name", "second"]).run().exits(0);
    let second = job_of(&dir);
    let own = format!("out.{second}.csv");
    assert_eq!(
        dir.cells(&own).column("response"),
        ["[sandbox] Say marker 0x", "[sandbox] Say marker 1x"]
    );
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    assert_eq!(
        dir.cells("out.csv").column("response"),
        ["[sandbox] marker 0x", "[sandbox] marker 1x"]
    );
    other().args(&["--name", "second"]).run().exits(0).says(&[&second, "nothing is sent"]);
    assert_eq!(dir.cells("out.csv").column("response")[0], "[sandbox] marker 0x");
    assert_eq!(sandbox.created(), 2);
}
