//! `logs`: rows and calls that went wrong, in the provider's words (B05, B17).

use crate::support::bench::{Bench, LINE as THREE};
use crate::support::gate::{Act, json};
use crate::support::runs::{at, marked};
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;

/// Time, row and line, class and words of rows; distinct messages counted, commonest first.
#[test]
fn field_18_logs_counts_messages_and_names_rows() {
    let sandbox = Sandbox::start();
    let dir = marked(1);
    dir.write(
        "in.csv",
        "id,text\n1,fine\n2,\"two\nlines [[fail:429]]\"\n3,[[fail:400]]\n4,[[fail:400]]\n",
    );
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(3);
    let log = dir.batchctl("logs").run().exits(0).stdout;
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].contains("done") && lines[0].contains("3 of 4 rows not good"), "{log}");
    assert!(
        lines[1].starts_with("  2 × error: ") && lines[2].starts_with("  1 × error: "),
        "{log}"
    );
    let row = |text: &str| lines.iter().find(|line| line.contains(text)).copied();
    assert!(row("row 1 (line 3)  error").is_some_and(|line| line.contains("429")), "{log}");
    let line = row("row 2 (line 5)  error").expect("the next row begins after two lines");
    assert!(line.contains("400") && line.starts_with("20"), "with its time: {line}");
    assert!(
        log.contains("  upload  r1-s0001  ok") && log.contains("  create  r1-s0001  ok"),
        "{log}"
    );
    assert!(!log.contains("row 0 "), "good rows are not told: {log}");

    let none = dir.batchctl("logs last --class expired").run().exits(0).stdout;
    assert!(none.contains("0 of 4 rows not good") && none.lines().count() == 1, "{none}");
    let calls = dir.batchctl("logs last --class ok").run().exits(0).stdout;
    assert!(calls.contains("upload") && !calls.contains("row 1"), "{calls}");
    let late = dir.batchctl("logs last --since 1h --class error").run().exits(0).stdout;
    assert!(late.contains("row 3 (line 6)"), "{late}");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let late = dir.batchctl("logs last --since 1s").run().exits(0).stdout;
    assert!(late.contains("0 of 4") && !late.contains("upload"), "{late}");
    dir.batchctl("logs last --class good").run().exits(2).says(&["rows are", "calls are"]);

    let document = dir.batchctl("logs last --json").run().exits(0).json();
    assert_eq!((&document["schema_version"], &document["not_good"]), (&1.into(), &3.into()));
    assert_eq!(
        (&document["messages"][0]["rows"], &document["distinct_messages"]),
        (&2.into(), &2.into())
    );
    let rows = document["not_good_rows"].as_array().expect("the rows");
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (&rows[0]["row"], &rows[0]["line"], &rows[0]["status"]),
        (&1.into(), &3.into(), &"error".into())
    );
    assert_eq!(document["calls"][1]["call"], "create");
}

/// Field failure 66: the provider's words about a call are kept and shown.
#[test]
fn field_66_logs_has_the_words_of_a_refusal() {
    let bench = Bench::ruled(|call, n| match call {
        "POST /v1/batches" if n == 1 => Act::Say(json(
            400,
            r#"{"error":{"message":"the moon is in the wrong phase","code":"moon","type":"invalid_request_error"}}"#,
        )),
        _ => Act::Pass,
    });
    bench.batchctl(THREE).run().exits(5);
    let log = bench.batchctl("logs last --class rejected").run().exits(0).stdout;
    let line = log.lines().nth(1).unwrap_or_default();
    for word in ["create", "rejected", "HTTP 400", "the moon is in the wrong phase"] {
        assert!(line.contains(word), "{word} in {log}");
    }
    bench.batchctl("resume").run().exits(0);
    let log = bench.batchctl("logs last --class rejected").run().exits(0).stdout;
    assert!(log.contains("wrong phase"), "what happened stays: {log}");
}

/// What fails again and again is told a few times and kept with a count: questions, downloads.
#[test]
fn field_66_what_fails_again_is_folded_and_kept() {
    let busy =
        |words: &str| Act::Say(json(503, &format!(r#"{{"error":{{"message":"{words}"}}}}"#)));
    let bench = Bench::ruled(move |call, n| match call {
        "GET /v1/batches/*" if n <= 45 => busy("the stars are out"),
        // Five tries each: every file of the three shards three times.
        "GET /v1/files/*/content" if n <= 45 => busy("the moon is down"),
        _ => Act::Pass,
    });
    let run = bench.batchctl(THREE).env("BATCHCTL_TIME_SCALE", "400").run().exits(0);
    for (what, words) in [("asked", "the stars are out"), ("results of shard", "the moon is down")]
    {
        let told: Vec<_> = run.stderr.lines().filter(|line| line.contains(words)).collect();
        assert!((1..=2).contains(&told.len()), "{what}: {}", run.stderr);
        assert!(told[0].contains(what), "{told:?}");
    }
    let calls = bench.batchctl("logs last --json").run().exits(0).json();
    let calls = calls["calls"].as_array().expect("calls are a list").clone();
    for (kind, words) in [("poll", "the stars are out"), ("download", "the moon is down")] {
        let failed: Vec<_> = calls.iter().filter(|call| call["call"] == kind).collect();
        let times: u64 = failed.iter().filter_map(|call| call["times"].as_u64()).sum();
        assert_eq!((failed.len(), times), (3, 9), "one for each shard: {failed:?}");
        let call = failed[0];
        assert_eq!((&call["class"], &call["http"]), (&"unknown".into(), &503.into()));
        assert_eq!(call["words"], words);
        let mut shards: Vec<_> = failed.iter().map(|call| call["shard"].as_str()).collect();
        shards.sort_unstable();
        assert_eq!(shards, ["r1-s0001", "r1-s0002", "r1-s0003"].map(Some));
        assert!(call["ended"].as_i64() >= call["started"].as_i64());
    }
    let log = bench.batchctl("logs last --class unknown --since 1h").run().exits(0).stdout;
    let line = log.lines().find(|line| line.contains("  download  r1-s0002"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("unknown  HTTP 503  the moon is down  ("), "{line}");
    assert!(line.contains(" times until 20"), "{line}");
}

/// A refused upload and a listing that cannot be had are in the log like a refused create.
#[test]
fn field_66_logs_has_uploads_and_listings() {
    let said = |status, words: &str| {
        Act::Say(json(status, &format!(r#"{{"error":{{"message":"{words}"}}}}"#)))
    };
    let bench = Bench::ruled(move |call, n| match call {
        "GET /v1/batches" if n <= 10 => said(503, "no list at night"),
        "POST /v1/files" if n == 1 => said(422, "no files on Mondays"),
        _ => Act::Pass,
    });
    bench.batchctl(THREE).run().exits(5);
    bench.batchctl("resume last").run().exits(5);
    let log = bench.batchctl("logs last --class rejected --class unknown").run().exits(0).stdout;
    for (call, words) in [
        ("  list    ", "HTTP 503  no list at night"),
        ("  upload  ", "HTTP 422  no files on Mondays"),
    ] {
        let line = log.lines().find(|line| line.starts_with("20") && line.contains(call));
        assert!(line.is_some_and(|line| line.contains(words)), "{call}: {log}");
    }
}

/// On a terminal long lines are broken between words, under the column they belong to; what goes
/// into a pipe stays one line.
#[test]
fn long_lines_hang_on_a_terminal() {
    let words = "the moon is in the wrong phase and the stars are not where they were yesterday";
    let bench = Bench::ruled(move |call, n| match call {
        "POST /v1/batches" if n == 1 => {
            Act::Say(json(400, &format!(r#"{{"error":{{"message":"{words}"}}}}"#)))
        }
        _ => Act::Pass,
    });
    bench.batchctl(THREE).run().exits(5);
    for line in ["logs last", "status last --set check_interval=24h"] {
        let piped = bench.batchctl(line).run().exits(0).stdout;
        assert!(piped.lines().any(|line| line.contains(words)), "{piped}");
        let (code, screen) = Terminal::open(&bench, line, 20, false).end();
        assert_eq!(code, Some(0));
        assert!(!screen.says(words) && screen.says("where they"), "{screen:#?}");
        let begin = screen.lines.iter().position(|line| line.contains("the moon"));
        let begin = begin.unwrap_or_else(|| panic!("{screen:#?}"));
        let next = &screen.lines[begin + 1];
        let indent = next.len() - next.trim_start().len();
        assert!(indent >= 10 && next.len() < 80, "{screen:#?}");
    }
}
