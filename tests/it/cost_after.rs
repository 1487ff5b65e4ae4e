//! The price after a run: the account is the provider's bill, whatever was polled, resumed, merged
//! or asked again; and `analyze`, which tells what answers hold (P7, B08, S1.14; field reports 49
//! to 56). The sandbox's billing ledger is the judge.

use serde_json::Value;

use crate::support::bench::{signal, until};
use crate::support::runs::{at, job_folder, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// One and two units a million tokens, in a batch half of it.
const PRICES: &str = "[prices.\"gpt-4o\"]\ninput = 2\noutput = 10\nbatch_factor = 0.5\n\
                      currency = \"USD\"\n[prices.\"gpt-4o-mini\"]\ninput = 0.2\noutput = 0.8\n\
                      batch_factor = 0.5\ncurrency = \"USD\"\n";
/// Trillionths a token in a batch: of the prompt, of the completion.
const LARGE: (u64, u64) = (1_000_000, 5_000_000);
const SMALL: (u64, u64) = (100_000, 400_000);

/// A folder with a table of so many rows and prices for it.
fn folder(rows: usize) -> WorkDir {
    let dir = marked(rows);
    dir.config(PRICES);
    dir
}

/// Every row of the bill: its id, prompt and completion tokens.
fn bill(sandbox: &Sandbox) -> Vec<(String, u64, u64)> {
    let entries = sandbox.ledger().into_iter().filter(|entry| entry["event"] == "executed");
    let rows = entries.flat_map(|entry| entry["rows"].as_array().cloned().unwrap_or_default());
    rows.map(|row| {
        let number = |key: &str| row[key].as_u64().expect("a number");
        let id = row["custom_id"].as_str().expect("an id").to_owned();
        (id, number("prompt_tokens"), number("completion_tokens"))
    })
    .collect()
}

/// What rows of the bill cost, in trillionths.
fn priced<'a>(rows: impl Iterator<Item = &'a (String, u64, u64)>, price: (u64, u64)) -> u64 {
    rows.map(|(_, prompt, completion)| prompt * price.0 + completion * price.1).sum()
}

/// The newest job as `status --json` tells it.
fn status(sandbox: &Sandbox, dir: &WorkDir) -> Value {
    at(sandbox, dir.batchctl("status last --json")).run().exits(0).json()["job"].clone()
}

/// An amount of a document in trillionths.
#[track_caller]
fn pico(amount: &Value) -> u64 {
    let units = amount.as_f64().unwrap_or_else(|| panic!("an amount: {amount}"));
    format!("{:.0}", units * 1e12).parse().expect("a whole number")
}

/// P7: whatever is done again, the sums stay those of the bill.
#[test]
fn p7_the_account_is_the_bill_whatever_is_done_again() {
    let sandbox = Sandbox::start();
    let dir = folder(6);
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run().exits(0);
    let first = run("workflow in.csv out.csv --details --json").json();
    let rows = bill(&sandbox);
    let total = priced(rows.iter(), LARGE);
    assert_eq!((rows.len(), pico(&first["cost"]["actual"])), (6, total));
    assert_eq!(
        (&first["cost"]["charged"], &first["cost"]["currency"]),
        (&false.into(), &"USD".into())
    );
    assert_eq!(pico(&first["cost"]["saved"]["by_batch"]), total, "half of the price of calls");
    let cells = dir.cells("out.csv");
    let of_rows =
        cells.column("cost").into_iter().map(|cell| pico(&cell.parse::<f64>().unwrap().into()));
    assert_eq!(of_rows.sum::<u64>(), total, "--details");
    for again in [
        "status",
        "resume last",
        "watch last",
        "download last",
        "merge last",
        "workflow in.csv out.csv",
        "retry last",
        "prune last --yes",
    ] {
        at(&sandbox, dir.batchctl(again)).run();
        let job = status(&sandbox, &dir);
        assert_eq!(pico(&job["cost"]["actual"]), total, "{again}");
        let tokens: u64 = rows.iter().map(|(_, prompt, _)| prompt).sum();
        assert_eq!(job["usage"]["prompt_tokens"].as_u64(), Some(tokens), "{again}");
    }
    assert_eq!(bill(&sandbox).len(), 6);
}

/// B04, P7: an earlier answer saves what the run would have paid for it: the realtime price where
/// rows go out by calls, half of it in a batch.
#[test]
fn p7_b04_earlier_answers_save_the_price_of_the_run_that_takes_them() {
    let sandbox = Sandbox::start();
    let dir = folder(6);
    let run = |line: &str| {
        let report = at(&sandbox, dir.batchctl(&format!("{line} --json"))).run().exits(0).json();
        report["cost"].clone()
    };
    let called = pico(&run("workflow in.csv a.csv --end-row 3 --now")["actual"]);
    let tokens = status(&sandbox, &dir)["usage"].clone();
    let count = |name: &str| tokens[name].as_u64().expect("a count");
    let batch = count("prompt_tokens") * LARGE.0 + count("completion_tokens") * LARGE.1;
    assert_eq!(called, 2 * batch, "calls cost twice as much");
    let saved = |cost: &Value| pico(&cost["saved"]["by_earlier_answers"]);
    assert_eq!(saved(&run("workflow in.csv b.csv --end-row 4 --now")), called);
    let rest = run("workflow in.csv c.csv --end-row 3 --where text!=x --mode batch");
    assert_eq!(saved(&rest), batch, "the same answers in a batch");
}

/// P7: nor does a kill at any time.
#[test]
fn p7_a_killed_run_counts_nothing_twice() {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.6"]);
    let dir = folder(6);
    let line = "workflow in.csv out.csv --set max_shard_requests=2";
    for executed in 0..3 {
        let mut child = at(&sandbox, dir.batchctl(line)).spawn();
        until("batches have run", || bill(&sandbox).len() >= 2 * executed);
        signal(&child, "KILL");
        child.wait().expect("it was killed");
    }
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let job = status(&sandbox, &dir);
    let rows = bill(&sandbox);
    assert_eq!(pico(&job["cost"]["actual"]), priced(rows.iter(), LARGE), "{rows:?}");
}

/// Field reports 53, 54: what was billed and is not good is counted and shown as such; what is
/// not known is said.
#[test]
fn field_54_billed_answers_that_are_not_good_are_counted() {
    let faults = "result: ordered; result: truncated; result: blocked; result: duplicate; \
                  result: conflict; result: fails status=400; result: missing; result: broken";
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--faults", faults]);
    let dir = folder(9);
    let output = at(&sandbox, dir.batchctl("workflow in.csv out.csv --rounds 1")).run().exits(3);
    let cost = status(&sandbox, &dir)["cost"].clone();
    let rows = bill(&sandbox);
    // Rows 5 and 6 came in no line that reads; row 4 was not billed.
    let lost =
        |(id, ..): &&(String, u64, u64)| id.contains("-0000005-") || id.contains("-0000006-");
    assert_eq!((rows.len(), rows.iter().filter(lost).count()), (8, 2));
    let known = priced(rows.iter().filter(|row| !lost(row)), LARGE);
    assert_eq!((pico(&cost["actual"]), cost["usage_unknown"].as_u64()), (known, Some(2)));
    let bad = |(id, ..): &&(String, u64, u64)| id.contains("-0000000-") || id.contains("-0000001-");
    let not_good = priced(rows.iter().filter(bad), LARGE);
    assert_eq!(
        (&cost["not_good"]["count"], pico(&cost["not_good"]["cost"])),
        (&2.into(), not_good)
    );
    assert_eq!(cost["off_percent"], Value::Null);
    output.says(&[
        "nothing was charged; would be",
        "for 2 answers that are not good",
        "usage unknown for 2 rows",
        "as one more batch, up to 24 h",
    ]);
}

/// Field report 25: a line without an answer whose request ran was billed all the same.
#[test]
fn field_25_an_empty_body_was_billed() {
    let faults = "result: empty-body 2; result: input-only 2; result: fails status=400";
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--faults", faults]);
    let dir = folder(9);
    let output = at(&sandbox, dir.batchctl("workflow in.csv out.csv --rounds 1")).run().exits(3);
    output.says(&["usage unknown for 4 rows"]);
    let cost = status(&sandbox, &dir)["cost"].clone();
    assert_eq!((bill(&sandbox).len(), cost["usage_unknown"].as_u64()), (8, Some(4)));
    let report = at(&sandbox, dir.batchctl("analyze last")).run().exits(0);
    assert!(report.stdout.contains("usage of 4 answers unknown"), "{}", report.stdout);
}

/// A retry with another model is paid by that model's price, in the account of the same job.
#[test]
fn a_retry_with_another_model_is_paid_by_its_price() {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--faults", "result#1: truncated 2"]);
    let dir = folder(5);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(3);
    let first = priced(bill(&sandbox).iter(), LARGE);
    let retry = "retry last --class truncated --model gpt-4o-mini";
    at(&sandbox, dir.batchctl(retry)).run().exits(0).says(&["would be", "not good"]);
    let rows = bill(&sandbox);
    let second: Vec<_> = rows.iter().filter(|(id, ..)| id.ends_with("-r2")).cloned().collect();
    assert_eq!((rows.len(), second.len()), (7, 2));
    let total = first + priced(second.iter(), SMALL);
    let cost = status(&sandbox, &dir)["cost"].clone();
    assert_eq!((pico(&cost["actual"]), &cost["not_good"]["count"]), (total, &2.into()));
}

/// Field report 56 and B04: what was not sent is told with what it would have cost.
#[test]
fn b04_equal_and_earlier_answers_are_told_as_saved() {
    let sandbox = Sandbox::start();
    let dir = folder(0);
    dir.write("in.csv", "id,text\n1,same\n2,same\n3,other\n");
    let line = "workflow in.csv out.csv --json -p {text}";
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run().exits(0).json();
    let first = run(line);
    let rows = bill(&sandbox);
    let same = rows.iter().filter(|(id, ..)| id.contains("-0000000-"));
    assert_eq!(rows.len(), 2);
    assert_eq!(pico(&first["cost"]["saved"]["by_equal_rows"]), priced(same, LARGE));
    dir.write("next.csv", "id,text\n1,same\n2,new\n");
    let next = run("workflow next.csv next.out.csv --json -p {text}");
    assert_eq!(next["statuses"], serde_json::json!({"cached": 1, "ok": 1}));
    assert_eq!(bill(&sandbox).len(), 3);
    assert_eq!(
        next["cost"]["saved"]["by_earlier_answers"], first["cost"]["saved"]["by_equal_rows"],
        "the same answer"
    );
}

/// S1.14: files of ours and of others, and jobs; nothing counts twice.
#[test]
fn s1_14_analyze_files_and_jobs() {
    let faults = "result: ordered; result: truncated 1; result: fails status=400 text=wrong";
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--faults", faults]);
    let dir = folder(6);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --rounds 1")).run().exits(3);
    let job = job_of(&dir);
    let results = job_folder(&dir, &job).join("results");
    for name in ["output", "error"] {
        let file = results.join(format!("r1-s0001-{name}.jsonl"));
        std::fs::copy(&file, dir.path(&format!("{name}.jsonl"))).expect("a result file");
    }
    dir.write("copy.jsonl", dir.bytes("output.jsonl"));
    let total = priced(bill(&sandbox).iter(), LARGE);
    let analyze =
        |line: &str| dir.batchctl(&format!("analyze {line} --json")).run().exits(0).json();
    let table = [
        (job.clone(), 0),
        (format!("{job} {job} output.jsonl"), 1),
        ("output.jsonl error.jsonl".into(), 0),
        ("copy.jsonl output.jsonl error.jsonl output.jsonl".into(), 2),
        ("*put.jsonl error.jsonl".into(), 0),
    ];
    for (line, same) in table {
        let found = analyze(&line);
        assert_eq!((&found["rows"], &found["good"]), (&6.into(), &4.into()), "{line}");
        assert_eq!(found["statuses"]["truncated"], 1, "{line}");
        assert_eq!(pico(&found["costs"][0]["actual"]), total, "{line}");
        assert_eq!(found["same"].as_array().map(Vec::len), Some(same), "{line}");
        let errors = found["errors"].as_array().expect("groups");
        assert!(errors.iter().any(|group| group["message"].as_str().unwrap().contains("wrong")));
        assert_eq!(found["samples"].as_array().map(Vec::len), Some(3));
    }
    dir.batchctl("analyze in.csv").run().exits(2).says(&["no result lines"]);
    dir.write("empty.jsonl", "");
    dir.batchctl("analyze empty.jsonl").run().exits(2).says(&["empty.jsonl is empty"]);
    dir.batchctl("analyze nothing.jsonl").run().exits(2).says(&["no file nothing.jsonl"]);
    let foreign = r#"{"custom_id":"x1","response":{"status_code":200,"body":{"model":"gpt-4o-mini","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}}}"#;
    dir.write("theirs.jsonl", foreign.replace("gpt-4o-mini", "who-knows") + "\n");
    let unknown = analyze("theirs.jsonl");
    assert_eq!(
        (unknown["costs"].as_array().map(Vec::len), &unknown["price_unknown"]),
        (Some(0), &1.into())
    );
    let said = dir.batchctl("analyze theirs.jsonl").run().exits(0);
    assert!(said.stdout.contains("no price is known of who-knows"), "{}", said.stdout);
    dir.write("theirs.jsonl", foreign);
    assert_eq!(pico(&analyze("theirs.jsonl")["costs"][0]["actual"]), 10 * SMALL.0 + 5 * SMALL.1);
    let large = analyze("theirs.jsonl --provider openai --model gpt-4o");
    assert_eq!(pico(&large["costs"][0]["actual"]), 10 * LARGE.0 + 5 * LARGE.1);
}
