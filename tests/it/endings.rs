//! How batches end at a provider, and what the account says of their rows: it sums, whatever
//! comes back (P2, S4.18).

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::bench::{Bench, LINE as THREE, ROWS};
use crate::support::gate::Act;

/// One shard.
const LINE: &str = "workflow in.csv out.csv --check-interval 2";
const POLL: &str = "GET /v1/batches/*";
const FETCH: &str = "GET /v1/files/*/content";

fn first_poll(edit: fn(&mut Value)) -> impl FnMut(&str, usize) -> Act + Send {
    move |call, n| if call == POLL && n == 1 { Act::Edit(edit) } else { Act::Pass }
}

#[test]
fn expired_with_a_part() {
    let bench = Bench::with(&["--batch-seconds", "2", "--expire-seconds", "1"], |_, _| Act::Pass);
    bench.batchctl(THREE).arg("--rounds=1").run().exits(3);
    assert_eq!(bench.state(), "done");
    let (ok, expired) = (bench.rows("ok"), bench.rows("expired"));
    assert!(ok > 0 && expired > 0, "{ok} + {expired}");
    assert_eq!(ok + expired, ROWS as u64);
    assert_eq!(bench.dir.read("out.csv").lines().count(), ROWS + 1);
}

#[test]
fn cancelled_on_the_providers_side() {
    let bench = Bench::with(&["--batch-seconds", "3"], |_, _| Act::Pass);
    let run = bench.batchctl(THREE).start();
    bench.gate.wait_for(POLL, 6);
    let id = bench.status()["batches"][0]["batch"].as_str().expect("it was made").to_owned();
    let host = bench.gate.address().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    let request = format!(
        "POST /v1/batches/{id}/cancel HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         authorization: Bearer sandbox-console\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    run.end().exits(3);
    assert_eq!(bench.state(), "done", "nobody here stopped the job");
    assert!(bench.rows("cancelled") > 0);
    assert_eq!(bench.rows("ok") + bench.rows("cancelled"), ROWS as u64);
}

#[test]
fn a_check_that_names_lines() {
    let bench = Bench::ruled(first_poll(|batch| {
        batch["status"] = "failed".into();
        batch["output_file_id"] = Value::Null;
        batch["request_counts"] = json!({"total": 0, "completed": 0, "failed": 0});
        batch["errors"] = json!({"object": "list", "data": [
            {"code": "invalid_value", "line": 2, "message": "too warm", "param": "temperature"},
        ]});
    }));
    bench.batchctl(LINE).run().exits(3).says(&["refused 1 of 9 rows", "nothing is billed"]);
    assert_eq!((bench.rows("skipped"), bench.rows("ok")), (1, 8));
    let sent_again: Vec<_> = bench.paid().into_keys().filter(|id| id.ends_with("-r2")).collect();
    assert_eq!(sent_again.len(), 8, "under ids of the second round: {sent_again:?}");
    assert!(!sent_again.iter().any(|id| id.contains("-0000001-")), "line 2 is row 1");
    let table = bench.dir.read("out.csv");
    let row = table.lines().nth(2).expect("nine rows");
    assert!(row.starts_with("1,") && row.contains("too warm") && row.contains("skipped"), "{row}");
}

#[test]
fn a_check_that_names_every_line() {
    let bench = Bench::ruled(first_poll(|batch| {
        let lines: Vec<_> = (1..=9).map(|line| json!({"line": line, "message": "no"})).collect();
        batch["status"] = "failed".into();
        batch["output_file_id"] = Value::Null;
        batch["request_counts"] = Value::Null;
        batch["errors"] = json!({"data": lines});
    }));
    bench.batchctl(LINE).run().exits(3);
    assert_eq!((bench.state(), bench.rows("skipped")), ("done".to_owned(), 9));
    assert_eq!(bench.gate.count("POST /v1/batches"), 1);
}

#[test]
fn a_check_that_names_none() {
    let fails = |batch: &mut Value| {
        batch["status"] = "failed".into();
        batch["output_file_id"] = Value::Null;
        batch["request_counts"] = Value::Null;
        batch["errors"] = json!({"data": [{"code": "odd", "message": "we do not like it"}]});
    };
    let bench = Bench::ruled(first_poll(fails));
    bench.batchctl(LINE).run().exits(5).says(&["we do not like it"]);
    assert_eq!((bench.state(), bench.rows("pending")), ("waiting".to_owned(), 9));
    let status = bench.batchctl("status last").run().exits(0);
    assert!(status.stdout.contains("we do not like it"), "{status}");
    // `watch` and `download` never send; `resume` does.
    bench.batchctl("watch").run().exits(5);
    bench.batchctl("download").run().exits(5);
    assert_eq!(bench.gate.count("POST /v1/batches"), 1);
    bench.batchctl("resume").run().exits(0);
    assert_eq!((bench.rows("ok"), bench.gate.count("POST /v1/batches")), (9, 2));
}

/// One refused shard does not cost the answers of the others.
#[test]
fn a_refused_shard_among_good_ones() {
    let bench = Bench::ruled(first_poll(|batch| {
        batch["status"] = "failed".into();
        batch["output_file_id"] = Value::Null;
        batch["errors"] = Value::Null;
        batch["request_counts"] = Value::Null;
    }));
    bench.batchctl(THREE).run().exits(5);
    assert_eq!((bench.rows("ok"), bench.rows("pending")), (6, 3));
    assert_eq!(bench.gate.count("POST /v1/batches"), 3, "not again and again in one run");
    bench.batchctl("resume").run().exits(0);
    assert_eq!(bench.rows("ok"), 9);
}

/// A batch that failed although some of its lines were judged: those lines count, none is lost.
#[test]
fn failed_with_an_error_file() {
    let bench = Bench::ruled(first_poll(|_| ()));
    bench.dir.write("in.csv", "id,text\n1,one [[fail:400]]\n2,two [[fail:400]]\n3,three\n");
    bench.gate.now(|call, _| match call {
        POLL => Act::Edit(|batch| {
            if batch["status"] == "completed" {
                batch["status"] = "failed".into();
                batch["output_file_id"] = Value::Null;
                batch["request_counts"] = Value::Null;
            }
        }),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).arg("--rounds=1").run().exits(3);
    assert_eq!((bench.state(), bench.rows("error")), ("done".to_owned(), 3));
}

#[test]
fn only_an_error_file() {
    let bench = Bench::new();
    bench.dir.write("in.csv", "id,text\n1,a [[fail:400]]\n2,b [[fail:429]]\n3,c [[fail:500]]\n");
    bench.batchctl(LINE).run().exits(3);
    assert_eq!((bench.state(), bench.rows("error")), ("done".to_owned(), 3));
}

#[test]
fn files_that_are_named_late_or_never() {
    let unnamed = |batch: &mut Value| batch["output_file_id"] = Value::Null;
    let bench = Bench::ruled(move |call, n| match call {
        POLL if n <= 10 => Act::Edit(unnamed),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).env("BATCHCTL_TIME_SCALE", "200").run().exits(0);
    assert_eq!(bench.rows("ok"), 9);

    let bench = Bench::ruled(move |call, _| match call {
        POLL => Act::Edit(unnamed),
        _ => Act::Pass,
    });
    let output = bench.batchctl(LINE).env("BATCHCTL_TIME_SCALE", "1000").run().exits(5);
    output.says(&["names no file"]);
    assert_eq!((bench.state(), bench.rows("pending")), ("needs_operator".to_owned(), 9));
    bench.gate.now(|_, _| Act::Pass);
    bench.batchctl("resume").run().exits(0);
    assert_eq!((bench.rows("ok"), bench.gate.count("POST /v1/batches")), (9, 1));

    // Nothing counted and nothing named: nothing to be had.
    let bench = Bench::ruled(|call, _| match call {
        POLL => Act::Edit(|batch| {
            batch["output_file_id"] = Value::Null;
            batch["request_counts"] = Value::Null;
        }),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).arg("--rounds=1").env("BATCHCTL_TIME_SCALE", "1000").run().exits(3);
    assert_eq!((bench.state(), bench.rows("missing")), ("done".to_owned(), 9));
}

#[test]
fn counts_that_are_null_and_words_that_nobody_knows() {
    let bench = Bench::ruled(|call, n| match call {
        POLL if n <= 2 => Act::Edit(|batch| {
            batch["status"] = "paused_for_tea".into();
            batch["request_counts"] = Value::Null;
        }),
        POLL => Act::Edit(|batch| batch["request_counts"] = Value::Null),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(0).says(&["unknown status", "paused_for_tea"]);
    assert_eq!(bench.rows("ok"), 9);
}

#[test]
fn rows_in_neither_file() {
    let without_last = |text: &str| -> String {
        let lines: Vec<_> = text.lines().collect();
        lines[..lines.len() - 1].join("\n") + "\n"
    };
    let bench = Bench::ruled(move |call, n| match call {
        FETCH if n == 1 => Act::Rewrite(without_last),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(0).says(&["in neither result file; fetching again"]);
    assert_eq!((bench.rows("ok"), bench.gate.count(FETCH)), (9, 2));

    let bench = Bench::ruled(move |call, _| match call {
        FETCH => Act::Rewrite(without_last),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).arg("--rounds=1").run().exits(3);
    assert_eq!((bench.rows("ok"), bench.rows("missing"), bench.gate.count(FETCH)), (8, 1, 4));
    assert_eq!(bench.state(), "done");
}

/// P3: where a batch ended with a part done, rows without a line are no sign of a cut file.
#[test]
fn p3_a_cut_file_of_an_expired_batch_is_fetched_again() {
    let bench = Bench::ruled(|call, n| match call {
        POLL => Act::Edit(|batch| {
            batch["request_counts"] = Value::Null;
            if batch["status"] == "completed" {
                batch["status"] = "expired".into();
            }
        }),
        FETCH if n == 1 => Act::Rewrite(|text| {
            let (whole, _half) = text.rsplit_once("custom_id").expect("nine lines");
            whole.to_owned()
        }),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(0).says(&["its result files end early; fetching again"]);
    assert_eq!((bench.rows("ok"), bench.gate.count(FETCH)), (9, 2));

    // Of several readings the best one counts, not the last.
    let bench = Bench::ruled(|call, n| match call {
        FETCH if n == 1 => {
            Act::Rewrite(|text| text.lines().skip(1).map(|line| format!("{line}\n")).collect())
        }
        FETCH => {
            Act::Rewrite(|text| text.lines().take(2).map(|line| format!("{line}\n")).collect())
        }
        _ => Act::Pass,
    });
    bench.batchctl(LINE).arg("--rounds=1").run().exits(3);
    assert_eq!((bench.rows("ok"), bench.rows("missing"), bench.gate.count(FETCH)), (8, 1, 4));
}

#[test]
fn lines_that_are_double_foreign_or_broken() {
    let bench = Bench::ruled(|call, _| match call {
        FETCH => Act::Rewrite(|text| {
            let first = text.lines().next().expect("nine lines");
            let foreign = first.replace("-r1\"", "-r9\"");
            let stranger = r#"{"custom_id":"request-1","response":{"status_code":200,"body":{}}}"#;
            format!("{first}\n{foreign}\n{stranger}\n{{\"custom_id\": \"half\n\n{text}")
        }),
        _ => Act::Pass,
    });
    let output = bench.batchctl(LINE).run().exits(0);
    output.says(&["1 lines do not read", "2 lines carry ids", "1 rows were answered twice"]);
    assert_eq!((bench.state(), bench.rows("ok")), ("done".to_owned(), 9));
}
