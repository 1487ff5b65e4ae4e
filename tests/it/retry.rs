//! `retry`: pays for rows that are not good, in their own job, perhaps with another question; and
//! what stops a job by itself (B17; field reports 35, 36, 42).

use std::time::Duration;

use serde_json::Value;

use crate::support::bench::{Bench, LINE as THREE, ROWS};
use crate::support::gate::Act;

/// One shard.
const LINE: &str = "workflow in.csv out.csv --check-interval 2";
const CREATE: &str = "POST /v1/batches";
const FETCH: &str = "GET /v1/files/*/content";

/// The line of row 3 gets an answer that was cut off, or what the edit makes of it.
fn third_row(text: &str, edit: fn(&mut Value)) -> String {
    let edit = |line: &str| -> String {
        if !line.contains("-0000003-r1") {
            return line.to_owned() + "\n";
        }
        let mut line: Value = serde_json::from_str(line).expect("a result line is JSON");
        edit(&mut line["response"]);
        line.to_string() + "\n"
    };
    text.lines().map(edit).collect()
}

fn cut_off(text: &str) -> String {
    third_row(text, |response| response["body"]["choices"][0]["finish_reason"] = "length".into())
}

fn wrong(text: &str) -> String {
    third_row(text, |response| {
        *response = serde_json::json!({"status_code": 400, "body": {
            "error": {"code": "invalid_value", "message": "too warm"},
        }});
    })
}

fn no_credit(text: &str) -> String {
    third_row(text, |response| {
        *response = serde_json::json!({"status_code": 429, "body": {
            "error": {"code": "insufficient_quota", "message": "You exceeded your quota"},
        }});
    })
}

fn first_fetch(edit: fn(&str) -> String) -> impl FnMut(&str, usize) -> Act + Send {
    move |call, n| if call == FETCH && n == 1 { Act::Rewrite(edit) } else { Act::Pass }
}

/// All is good: nothing to pay for.
#[test]
fn a_job_without_bad_rows_has_nothing_to_retry() {
    let bench = Bench::new();
    bench.batchctl(LINE).run().exits(0);
    bench.batchctl("retry last").run().exits(0).says(&["every row of job", "is good"]);
    assert_eq!((bench.gate.count(CREATE), bench.state()), (1, "done".to_owned()));
}

/// Field report 35: a finished job goes back to work without a new record, and the same line
/// still finds it.
#[test]
fn field_35_a_finished_job_is_taken_up_again() {
    let flags = ["--batch-seconds", "2", "--expire-seconds", "1"];
    let bench = Bench::with(&flags, |_, _| Act::Pass);
    let output = bench.batchctl(THREE).arg("--rounds=1").run().exits(3);
    let job = bench.job();
    let retry = format!("batchctl retry {job}");
    output.says(&["expired at openai", "not run and not charged", &retry, "leave it"]);
    let left = bench.rows("expired");
    let shown = bench.batchctl(&format!("retry {job} --dry-run")).run().exits(0);
    let shown = shown.says(&["class", "price", &format!("expired {left}"), "about $0.00"]);
    for text in ["First request, as it would be sent", "-r2\"", "Nothing was sent"] {
        assert!(shown.stdout.contains(text), "{text}: {shown}");
    }
    let shown = bench.batchctl(&format!("retry {job} --dry-run --json")).run().exits(0).json();
    let id = shown["first_request"]["custom_id"].as_str().unwrap_or_default();
    assert!(id.starts_with(&job) && id.ends_with("-r2"), "{shown}");
    assert_eq!((bench.gate.count(CREATE), bench.state()), (3, "done".to_owned()));
    for _ in 0..8 {
        // A batch of one row expires for ever at this sandbox.
        if bench.rows("expired") <= 1 {
            break;
        }
        bench.batchctl(&format!("retry {job} --rounds 1")).run();
    }
    assert_eq!((bench.rows("ok") >= 8, bench.job()), (true, job), "{left} had expired");
    bench.nothing_is_paid_twice();
    assert_eq!(bench.paid().len() as u64, bench.rows("ok"), "no row ran twice");
    let again = bench.batchctl(THREE).run();
    again.says(&["made by the same line", "nothing is sent"]);
}

/// What would end the same way is not paid for again unless the question changes or it is named;
/// the changed question is the one that is sent, the rest of the table stays.
#[test]
fn a_changed_question_asks_what_would_end_the_same_way() {
    let bench = Bench::ruled(first_fetch(cut_off));
    bench.batchctl(LINE).run().exits(3).says(&["1 row want another question"]);
    let before = bench.dir.read("out.csv");
    bench.batchctl("retry last").run().exits(3).says(&["none of them would end otherwise"]);
    assert_eq!(bench.gate.count(CREATE), 1);
    let line = "retry last --max-tokens 77 --model gpt-4o-mini";
    bench.batchctl(line).args(&["--prompt", "otherwise: {text}"]).run().exits(0);
    assert_eq!((bench.rows("ok"), bench.gate.count(CREATE)), (ROWS as u64, 2));
    bench.nothing_is_paid_twice();
    let asked = bench.requests();
    let again = asked.last().expect("it was sent");
    assert_eq!(again["body"]["model"], "gpt-4o-mini");
    assert!(again.to_string().contains("otherwise: question 3"), "{again}");
    assert!(again.to_string().contains("77"), "{again}");
    assert!(again["custom_id"].as_str().is_some_and(|id| id.ends_with("-0000003-r2")), "{again}");
    let after = bench.dir.read("out.csv");
    let differ: Vec<_> =
        before.lines().zip(after.lines()).filter(|(a, b)| a != b).map(|(a, _)| &a[..2]).collect();
    assert_eq!(differ, ["3,"], "one row each as before");
}

/// A class that is named is paid for whatever it is; others stay.
#[test]
fn classes_can_be_named() {
    let bench = Bench::ruled(first_fetch(wrong));
    bench.batchctl(LINE).run().exits(3);
    bench.batchctl("retry last --class refused").run().exits(3).says(&["no row is of the class"]);
    bench.batchctl("retry last").run().exits(3).says(&["none of them would end otherwise"]);
    bench.batchctl("retry last --class oops").run().exits(2);
    assert_eq!(bench.gate.count(CREATE), 1);
    bench.batchctl("retry last --class expired --class error").run().exits(0);
    assert_eq!((bench.rows("ok"), bench.gate.count(CREATE)), (ROWS as u64, 2));
}

/// A cancelled job's rows were never answered; the wish to stop it is over with the retry.
#[test]
fn a_cancelled_job_can_be_retried() {
    let bench = Bench::with(&["--batch-seconds", "8"], |_, _| Act::Pass);
    bench.batchctl(THREE).arg("--no-wait").run().exits(0);
    let job = bench.job();
    bench.batchctl(&format!("retry {job}")).run().exits(2).says(&["not over", "cancel"]);
    bench.batchctl(&format!("cancel {job}")).run().exits(3);
    let cancelled = bench.rows("cancelled");
    assert!(cancelled > 0);
    let run = bench.batchctl(&format!("retry {job}")).start();
    bench.gate.wait_for(CREATE, 4);
    bench.batchctl(&format!("retry {job}")).run().exits(8);
    run.end().exits(0);
    assert_eq!((bench.state(), bench.rows("ok")), ("done".to_owned(), ROWS as u64));
    bench.nothing_is_paid_twice();
}

/// An image that was missing and is there now.
#[test]
fn skipped_rows_are_asked_once_their_image_is_there() {
    let bench = Bench::new();
    let image = bench.dir.bytes("images/cat.png");
    std::fs::remove_file(bench.dir.path("images/cat.png")).expect("it was there");
    bench.batchctl(LINE).arg("--allow-missing-images").run().exits(3);
    assert_eq!(bench.rows("skipped"), 2);
    let retry = "retry last --class skipped";
    bench.batchctl(retry).run().exits(3).says(&["no request can be made of 2 rows"]);
    bench.dir.write("images/cat.png", image);
    bench.batchctl(retry).run().exits(0);
    assert_eq!((bench.rows("ok"), bench.gate.count(CREATE)), (ROWS as u64, 2));
}

/// Rows that ask the same are one request, in a retry too.
#[test]
fn equal_rows_are_paid_for_once_in_a_retry() {
    let bench = Bench::ruled(|call, n| match call {
        FETCH if n == 1 => Act::Rewrite(|text| {
            text.lines().map(|line| line.replace("\"stop\"", "\"length\"") + "\n").collect()
        }),
        _ => Act::Pass,
    });
    bench.dir.write("in.csv", "id,text,more\n1,same,a\n2,same,b\n3,other,c\n");
    bench.batchctl(LINE).run().exits(3);
    assert_eq!((bench.rows("truncated"), bench.paid().len()), (3, 2));
    // Asked about another column they are not equal any more.
    bench.batchctl("retry last").args(&["-p", "{text} {more}"]).run().exits(0);
    assert_eq!((bench.rows("ok"), bench.paid().len()), (3, 5));
}

/// At a real address the price is unknown, so a script must have said that it may be paid.
#[test]
fn an_unknown_price_is_not_paid_unasked() {
    let bench = Bench::ruled(first_fetch(wrong));
    bench.batchctl(LINE).run().exits(3);
    let ledger = rusqlite::Connection::open(bench.dir.home().join("batchctl.db")).unwrap();
    let moved = "UPDATE job SET base_url = 'https://api.openai.com/v1'";
    assert_eq!(ledger.execute(moved, []).unwrap(), 1);
    let retry = bench
        .dir
        .batchctl("retry last --class error --model my-finetune")
        .env("OPENAI_API_KEY", "sk-none");
    let output = retry.run().exits(7);
    output.says(&["the price of my-finetune at openai is unknown; nothing was sent", "add --yes"]);
    assert_eq!(bench.state(), "done");
}

/// A create takes longer than a batch here, so that the first shards have ended when the last
/// ones are still to be sent.
const SLOWLY: Duration = Duration::from_millis(400);

/// More than half of a shard's rows fail: nothing more is sent until a person has seen why.
#[test]
fn a_share_of_failing_rows_stops_the_job() {
    let mut table = "id,text\n".to_owned();
    for row in 0..120 {
        let fails = if row < 15 { " [[fail:400]]" } else { "" };
        table += &format!("{row},question {row}{fails}\n");
    }
    let line = "workflow in.csv out.csv --check-interval 2 --set max_shard_requests=20 \
                --set parallel_uploads=1";
    let slowly = |call: &str, _| if call == CREATE { Act::Late(SLOWLY) } else { Act::Pass };
    let bench = Bench::ruled(slowly);
    bench.dir.write("in.csv", &table);
    let output = bench.batchctl(line).run().exits(5);
    output.says(&["15 of 20 rows of shard 1 failed, 15 of them so:", "batchctl resume"]);
    assert_eq!(bench.gate.count(CREATE), 4, "two were not sent");
    assert_eq!((bench.state(), bench.rows("pending")), ("waiting".to_owned(), 40));
    assert_eq!(bench.rows("ok"), 65, "what ran is collected");
    // It was seen: whoever goes on wants it so, and is not stopped for the same shard again.
    bench.batchctl("resume").run().exits(3);
    assert_eq!((bench.gate.count(CREATE), bench.rows("ok")), (6, 105));

    let bench = Bench::ruled(slowly);
    bench.dir.write("in.csv", &table);
    bench.batchctl(line).args(&["--set", "abort_share=1"]).run().exits(3);
    assert_eq!(bench.gate.count(CREATE), 6);
}

/// Field reports 36 and 42: no credit stops the sending at the first row that says so; once there
/// is some, only the rows that failed are paid for.
#[test]
fn field_36_42_no_credit_is_not_asked_again_and_again() {
    let bench = Bench::ruled(|call, _| match call {
        FETCH => Act::Rewrite(no_credit),
        CREATE => Act::Late(SLOWLY),
        _ => Act::Pass,
    });
    let line = "workflow in.csv out.csv --check-interval 2 --set max_shard_requests=1 \
                --set parallel_uploads=1";
    bench.batchctl(line).run().exits(5).says(&["You exceeded your quota", "batchctl resume"]);
    let made = bench.gate.count(CREATE);
    assert!(made < ROWS, "{made} of {ROWS} were sent");
    assert_eq!((bench.state(), bench.rows("error")), ("waiting".to_owned(), 1));
    bench.batchctl("resume").run().exits(3);
    assert_eq!((bench.rows("ok"), bench.gate.count(CREATE)), (8, ROWS), "no further round");
    bench.batchctl("retry last").run().exits(0);
    assert_eq!((bench.rows("ok"), bench.gate.count(CREATE)), (ROWS as u64, ROWS + 1));
    assert_eq!(bench.paid().len(), ROWS + 1, "the failed row alone");
}
