//! Which rows are asked, how the written table looks, and what goes to which stream.

use serde_json::Value;

use crate::support::runs::{at, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Output, WorkDir};

/// S0.16, S0.29, S1.03, S1.04: range, conditions and a most, in this order.
#[test]
fn s1_03_s1_04_rows_are_selected_in_order() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write(
        "in.csv",
        "lang,stars,text\nen,1,a\nde,2,b\nen,3,c\nen,4,d\nfr,5,e\nen,5,f\nde,1,g\n",
    );
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--start-row", "2", "--end-row", "4"], &["c", "d"]),
        (&["--where", "lang=en"], &["a", "c", "d", "f"]),
        (&["--where", "lang=en", "--where", "stars in (3, 4)"], &["c", "d"]),
        (&["--where", "lang not in (en, fr)"], &["b", "g"]),
        (&["--where", "lang!=en", "-n", "2"], &["b", "e"]),
        (&["--start-row", "1", "--where", "lang=en", "--max-rows", "1"], &["c"]),
    ];
    for (flags, wanted) in cases {
        let line = dir.batchctl("workflow in.csv out.csv --overwrite").args(flags);
        at(&sandbox, line).run().exits(0);
        assert_eq!(dir.cells("out.csv").column("text"), wanted, "{flags:?}");
    }
    for (flags, words) in [
        (["--end-row", "0"], "not before --end-row 0"),
        (["--start-row", "7"], "rows 0 to 6"),
        (["--where", "langg=en"], "lang"),
    ] {
        let line = dir.batchctl("workflow in.csv out.csv --overwrite").args(&flags);
        at(&sandbox, line).run().exits(2).says(&[words]);
    }
}

/// S1.16: names of columns, the raw answer's too, and what happens when the table has them.
#[test]
fn s1_16_columns_of_the_written_table() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    let cases: [(&str, &[&str]); 4] = [
        ("", &["id", "text", "response", "status", "error", "model"]),
        ("--row-index", &["row_index", "id", "text", "response", "status", "error", "model"]),
        ("--response-column ChatGPT", &["id", "text", "ChatGPT", "status", "error", "model"]),
        (
            "--details",
            &[
                "id",
                "text",
                "response",
                "status",
                "error",
                "model",
                "custom_id",
                "provider",
                "finish_reason",
                "parse_status",
                "repairs",
                "rounds",
                "prompt_tokens",
                "completion_tokens",
                "cost",
                "seconds",
            ],
        ),
    ];
    for (flags, header) in cases {
        let line = format!("workflow in.csv out.csv --overwrite {flags}");
        at(&sandbox, dir.batchctl(&line)).run().exits(0);
        assert_eq!(dir.cells("out.csv").header(), header, "{flags}");
    }
    let cells = dir.cells("out.csv");
    assert!(cells.column("custom_id")[1].ends_with("-0000001-r1"), "S1.18");
    assert!(cells.column("prompt_tokens").iter().all(|n| n.parse::<u32>().is_ok_and(|n| n > 0)));
    assert_eq!(sandbox.created(), 1, "another look costs nothing");

    dir.write("taken.csv", "text,status,response\na,mine,mine too\n");
    let line = dir.batchctl("workflow taken.csv t.csv --input-column text");
    at(&sandbox, line).run().exits(0).says(&["status_batchctl", "response_batchctl"]);
    assert_eq!(
        dir.cells("t.csv").header(),
        ["text", "status", "response", "response_batchctl", "status_batchctl", "error", "model"]
    );
    assert_eq!(dir.cells("t.csv").column("status"), ["mine"]);
}

/// B05: rows that were not asked stay where they are, with empty answers.
#[test]
fn b05_all_rows_keeps_the_others_in_place() {
    let sandbox = Sandbox::start();
    let dir = marked(5);
    let line = "workflow in.csv out.csv --start-row 1 --end-row 3 --all-rows";
    at(&sandbox, dir.batchctl(line)).run().exits(0).says(&["2 rows", "ok 2"]);
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("id"), ["1", "2", "3", "4", "5"]);
    assert_eq!(cells.column("status"), ["", "ok", "ok", "", ""]);
}

/// B13: a mark for Excel when it is asked for, and only then.
#[test]
fn b13_bom_is_written_when_asked() {
    let sandbox = Sandbox::start();
    let dir = marked(1);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(0);
    assert!(!dir.bytes("out.csv").starts_with(b"\xef\xbb\xbf"));
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --bom")).run().exits(0);
    assert!(dir.bytes("out.csv").starts_with(b"\xef\xbb\xbfid,text"));
}

/// B13: answers that a spreadsheet would run are made harmless; `csv_raw` leaves them.
#[test]
fn b13_formulas_in_answers_are_defused() {
    let rules = WorkDir::new();
    rules.write("rules.toml", "[[rule]]\nmatch = \"marker\"\nreply = \"=1+1\"\n");
    let script = format!("script:{}", rules.path("rules.toml").display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    let dir = marked(1);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(0);
    assert_eq!(dir.cells("out.csv").column("response"), ["'=1+1"]);
    let raw = "workflow in.csv out.csv --set csv_raw=true";
    at(&sandbox, dir.batchctl(raw)).run().exits(0);
    assert_eq!(dir.cells("out.csv").column("response"), ["=1+1"]);
}

/// stdin in, stdout out: nothing but the table on stdout.
#[test]
fn s1_01_a_table_through_pipes() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    let run = at(&sandbox, dir.batchctl("workflow - -")).stdin("text,n\nx,1\ny,2\n").run().exits(0);
    assert_eq!(
        run.stdout,
        "text,n,response,status,error,model\nx,1,[sandbox] x,ok,,sandbox-gpt-4o\n\
         y,2,[sandbox] y,ok,,sandbox-gpt-4o\n"
    );
    assert_eq!(dir.files(), Vec::<String>::new());
    let lines = "{\"text\": \"a\", \"n\": 1.50}\n{\"text\": \"b\"}\n";
    let run = at(&sandbox, dir.batchctl("workflow - -")).stdin(lines).run().exits(0);
    let first: Value =
        serde_json::from_str(run.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["response"], "[sandbox] a", "{run}");
    assert!(run.stdout.starts_with("{\"text\": \"a\", \"n\": 1.50, "), "{run}");
    at(&sandbox, dir.batchctl("workflow - - --json"))
        .stdin("text\nx\n")
        .run()
        .exits(2)
        .says(&["--json"]);
}

/// `--dry-run` shows everything and sends nothing, without a key.
#[test]
fn s1_15_dry_run_sends_nothing() {
    let dir = marked(3);
    let run = dir.batchctl("workflow in.csv out.csv --dry-run").run().exits(0);
    for words in ["3 rows", "gpt-4o", "First request", "marker 0x", "Nothing was sent"] {
        assert!(run.stdout.contains(words), "{words}\n{run}");
    }
    assert_eq!(dir.files(), ["in.csv"]);
    let document = dir.batchctl("workflow in.csv out.csv --dry-run --json").run().exits(0).json();
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["first_request"]["body"]["messages"][0]["content"], "marker 0x");
    assert!(document["cost"]["likely"].as_f64().is_some_and(|likely| likely > 0.0), "{document}");
    let line = "workflow in.csv out.csv --dry-run --json --model my-finetune";
    let document = dir.batchctl(line).run().exits(0).json();
    assert_eq!(document["cost"], Value::Null, "an unknown price is not 0");
    dir.batchctl("status").run().exits(0).says(&["no jobs yet"]);
}

/// Every document names its version; the keys are the promise.
#[test]
fn b05_json_documents_have_their_keys() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    let keys = |output: Output| {
        let document = output.json();
        assert_eq!(document["schema_version"], 1, "{output}");
        let object = document.as_object().expect("an object").clone();
        object.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run().exits(0);
    let report = "schema_version job provider model ending reason exit_code rows statuses rows_out usage \
                  cost calls cache errors output seconds sandbox";
    let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(run("workflow in.csv out.csv --json")), report);
    assert_eq!(keys(run("workflow in.csv two.csv --again --no-wait --json -n 1")), report);
    for line in ["watch --json", "resume last --json", "download --json", "cancel last --json"] {
        assert_eq!(keys(run(line)), report, "{line}");
    }
    assert_eq!(keys(run("status --json")), "schema_version jobs");
    assert_eq!(
        keys(run("status last --json")),
        "schema_version job history waits_for collect_before rounds batches unclear_calls calls"
    );
    assert_eq!(
        keys(run("estimate in.csv --json")),
        "schema_version input provider model mode others rows estimate input_tokens output_tokens \
         learned_from price cost may_be_queued waves first_request"
    );
    assert_eq!(
        keys(run("convert in.csv r.jsonl --json")),
        "schema_version rows requests skipped files"
    );
    crate::support::runs::results_of(&dir, &job_of(&dir), "results.jsonl");
    let merged = "schema_version table_rows rows statuses rows_out parsed usage cost currency charged \
                  files sources filled output";
    assert_eq!(keys(run("merge results.jsonl --original-csv -o m.csv --json")), merged);
    let job = job_of(&dir);
    assert_eq!(keys(run(&format!("merge {job} -o j.csv --json"))), report);
}

/// S4.10: events are JSON lines on stderr; nothing else is.
#[test]
fn s4_10_progress_as_json_lines() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    let run = at(&sandbox, dir.batchctl("workflow in.csv out.csv --progress json")).run().exits(0);
    let events: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}\n{run}"))
        })
        .collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names.len(), events.len(), "every event has a name\n{run}");
    for name in ["built", "polled", "fetched", "written"] {
        assert!(names.contains(&name), "{name} among {names:?}");
    }
    let polled = events.iter().find(|event| event["event"] == "polled").expect("it was polled");
    assert_eq!(polled["total"], 3, "{polled}");
    // An error is one too.
    let failed = dir.batchctl("estimate no.csv --progress json").run().exits(2);
    let last = failed.stderr.lines().last().expect("an error");
    let error: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!((&error["event"], &error["exit"]), (&"error".into(), &2.into()));

    for (mode, rows, is_silent) in [("none", 1, true), ("plain", 2, false)] {
        let line = format!("workflow in.csv {mode}.csv --again -n {rows} --progress {mode}");
        let run = at(&sandbox, dir.batchctl(&line)).run().exits(0);
        assert_eq!(!run.stderr.contains("built shard"), is_silent, "{mode}\n{run}");
        run.says(&[&format!("ok {rows}")]);
    }
    let quiet = at(&sandbox, dir.batchctl("workflow in.csv q.csv -n 1 --quiet")).run().exits(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

/// S1.05, S1.06, S4.07, S4.08: window and interval reach the provider and the wait.
#[test]
fn s1_05_s1_06_s4_07_s4_08_window_and_interval() {
    let sandbox = Sandbox::start();
    let dir = marked(1);
    let line = "workflow in.csv out.csv --completion-window 24h --check-interval 1";
    at(&sandbox, dir.batchctl(line)).run().exits(0).says(&["next check 1"]);
    dir.write("two.csv", "text\nanother\n");
    let other = "workflow two.csv --set completion_window=7d --check-interval 1s";
    let refused = at(&sandbox, dir.batchctl(other)).run();
    assert_eq!(refused.code, Some(5), "the service takes only 24h\n{refused}");
}

/// S1.09: a key is never a flag.
#[test]
fn s1_09_api_key_is_refused_as_a_flag() {
    let dir = marked(1);
    let run = dir.batchctl("workflow in.csv out.csv --api-key sk-123456").run().exits(2);
    run.says(&["login"]).hides(&["sk-123456"]);
    let none = dir.batchctl("workflow in.csv out.csv").run().exits(4);
    none.says(&["no key for openai", "batchctl login openai", "OPENAI_API_KEY", "sandbox"]);
}
