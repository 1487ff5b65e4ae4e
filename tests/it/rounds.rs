//! Further rounds: what expired, got lost or failed for a passing reason goes out again by itself,
//! under new ids, and nothing else does (B05, B06; field reports 12 to 14, 24, 40, 41, 43).

use serde_json::Value;

use crate::support::bench::{Bench, LINE as THREE, ROWS};
use crate::support::gate::{Act, json};

/// One shard.
const LINE: &str = "workflow in.csv out.csv --check-interval 2";
const CREATE: &str = "POST /v1/batches";
const FETCH: &str = "GET /v1/files/*/content";

/// The rounds in which each row ran, by row.
fn rounds_of(bench: &Bench) -> Vec<(u64, u64)> {
    let parse = |id: &String| -> (u64, u64) {
        let mut parts = id.split('-').skip(1);
        let row = parts.next().and_then(|row| row.parse().ok());
        let round = parts.next().and_then(|round| round[1..].parse().ok());
        (row.expect("an id has a row"), round.expect("an id has a round"))
    };
    bench.paid().keys().map(parse).collect()
}

/// The line of this row becomes a failure of the provider's own.
fn first_row_fails(text: &str) -> String {
    let edit = |line: &str| -> String {
        if !line.contains("-0000000-r") {
            return line.to_owned();
        }
        let mut line: Value = serde_json::from_str(line).expect("a result line is JSON");
        line["response"] = serde_json::json!({"status_code": 500, "body": {
            "error": {"code": "server_error", "message": "the model fell over"},
        }});
        line.to_string()
    };
    text.lines().map(|line| edit(line) + "\n").collect()
}

/// Field reports 12 to 14: an expired batch keeps what it has, and only the remainder of all
/// shards together goes out again; no row runs twice.
#[test]
fn field_12_13_14_only_the_remainder_of_an_expired_batch_goes_out_again() {
    let bench = Bench::with(&["--batch-seconds", "2", "--expire-seconds", "1"], |_, _| Act::Pass);
    let output = bench.batchctl(THREE).arg("--details").run();
    output.says(&["round 2:", "expired", "go out again in"]);
    bench.nothing_is_paid_twice();
    assert_eq!(bench.rows("ok") + bench.rows("expired"), ROWS as u64);
    let mut ran = rounds_of(&bench);
    let answered = ran.len() as u64;
    ran.sort_unstable();
    ran.dedup_by_key(|(row, _)| *row);
    assert_eq!(ran.len() as u64, answered, "no row ran in two rounds: {ran:?}");
    assert_eq!(answered, bench.rows("ok"), "what ran is in the table");
    assert!(ran.iter().any(|(_, round)| *round > 1), "later rounds answered rows: {ran:?}");
    let made = bench.made();
    assert!(made.keys().all(|key| !key.contains("-r4-")), "three rounds: {made:?}");
    let in_second = made.keys().filter(|key| key.contains("-r2-")).count();
    assert!(in_second < 3, "gathered into full shards: {made:?}");
    assert_eq!(bench.state(), "done");
    let table = bench.dir.cells("out.csv");
    let rounds = table.column("rounds");
    assert!(rounds.contains(&"2"), "{rounds:?}");
}

/// What a person does not want is not done.
#[test]
fn one_round_where_no_other_is_wanted() {
    for flag in ["--rounds=1", "--finish=none", "--set=finish=none"] {
        let flags = ["--batch-seconds", "2", "--expire-seconds", "1"];
        let bench = Bench::with(&flags, |_, _| Act::Pass);
        bench.batchctl(THREE).arg(flag).run().exits(3);
        assert_eq!((bench.state(), bench.gate.count(CREATE)), ("done".to_owned(), 3), "{flag}");
        // The same line finds its job done and sends nothing.
        bench.batchctl(THREE).run().exits(3).says(&["nothing is sent"]);
        assert_eq!(bench.gate.count(CREATE), 3, "{flag}");
    }
}

/// Field reports 40 and 43: a failure that may pass is asked again until it does, one that will
/// stay is not, and both leave the others alone.
#[test]
fn field_40_43_only_what_may_pass_is_asked_again() {
    let bench = Bench::new();
    bench.dir.write(
        "in.csv",
        "id,text\n1,fine\n2,a [[fail:400]]\n3,b [[fail:500]]\n4,fine\n5,c [[fail:429]]\n",
    );
    bench.batchctl(LINE).run().exits(3).says(&["round 2: 2 error of 2 rows", "round 3"]);
    assert_eq!((bench.rows("ok"), bench.rows("error")), (2, 3));
    assert_eq!(bench.gate.count(CREATE), 3, "three rounds and no more");
    assert_eq!(bench.state(), "done");
    bench.nothing_is_paid_twice();
    bench.batchctl("resume last").run().exits(3);
    assert_eq!(bench.gate.count(CREATE), 3, "nothing is left to go on with");
}

/// A failure that passes leaves no trace in the table; the account sums (P2).
#[test]
fn a_failure_that_passes() {
    let bench = Bench::ruled(|call, n| match call {
        FETCH if n == 1 => Act::Rewrite(first_row_fails),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(0).says(&["round 2: 1 error of 1 row go"]);
    assert_eq!((bench.state(), bench.rows("ok")), ("done".to_owned(), ROWS as u64));
    assert_eq!(bench.gate.count(CREATE), 2);
    assert_eq!(bench.dir.bytes("out.csv"), Bench::undisturbed(), "P4: not seen in the table");
}

/// Field report 24: rows in neither file are fetched again first, then asked again.
#[test]
fn field_24_missing_rows_are_asked_again() {
    let bench = Bench::ruled(|call, n| match call {
        FETCH if n <= 4 => Act::Rewrite(|text| {
            let lines: Vec<_> = text.lines().filter(|line| !line.contains("-0000003-r")).collect();
            lines.join("\n") + "\n"
        }),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).run().exits(0).says(&["fetching again", "round 2: 1 missing of 1 row"]);
    assert_eq!((bench.rows("ok"), bench.gate.count(CREATE)), (9, 2));
    assert_eq!(bench.gate.count(FETCH), 5);
}

/// `watch` and `download` never send: they say what is left, and `resume` goes on with it.
#[test]
fn whoever_may_not_send_leaves_the_next_round_to_resume() {
    let bench = Bench::ruled(|call, n| match call {
        FETCH if n == 1 => Act::Rewrite(first_row_fails),
        _ => Act::Pass,
    });
    bench.batchctl(LINE).arg("--no-wait").run().exits(0);
    let job = bench.job();
    for line in ["watch", "download"] {
        let output = bench.batchctl(&format!("{line} {job}")).run().exits(3);
        output.says(&[&format!("batchctl resume {job}")]);
        assert_eq!((bench.state(), bench.rows("error")), ("waiting".to_owned(), 1), "{line}");
    }
    assert_eq!(bench.gate.count(CREATE), 1);
    bench.batchctl(&format!("resume {job}")).run().exits(0);
    assert_eq!((bench.rows("ok"), bench.gate.count(CREATE)), (9, 2));
}

/// A person stopped the job: nothing goes out again.
#[test]
fn nothing_goes_out_again_after_a_cancel() {
    let bench = Bench::with(&["--batch-seconds", "8", "--expire-seconds", "4"], |_, _| Act::Pass);
    bench.batchctl(THREE).arg("--no-wait").run().exits(0);
    bench.batchctl(&format!("cancel {}", bench.job())).run().exits(3);
    assert_eq!((bench.state(), bench.gate.count(CREATE)), ("cancelled".to_owned(), 3));
    bench.batchctl(THREE).run().exits(3).says(&["nothing is sent"]);
    assert_eq!(bench.gate.count(CREATE), 3);
}

/// Numbers of shards begin anew in each round: a warning names the round.
#[test]
fn a_warning_of_a_later_round_names_it() {
    let busy = r#"{"error":{"message":"come back later"}}"#;
    let bench = Bench::ruled(move |call, n| match call {
        FETCH if n == 1 => Act::Rewrite(first_row_fails),
        CREATE if n == 2 => Act::Say(json(429, busy)),
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).run().exits(0);
    let warned = "create of shard 1 of round 2: ";
    assert!(run.stderr.contains(warned), "{}", run.stderr);
}
