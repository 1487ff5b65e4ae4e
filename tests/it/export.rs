//! `export`: a job's rows as tables, as one JSON document, and as plain request files (S2.20).

use serde_json::{Value, json};

use crate::support::runs::{at, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// One row of each kind: good, good again, cut off, failed, and one that cannot be asked.
const ROWS: &str =
    "id,text,picture\r\n1,=one,\r\n2,\"two, 中\",\r\n3,three,\r\n4,[[fail:400]],\r\n5,,\r\n";

/// A job over these rows that is done.
fn done(sandbox: &Sandbox, flags: &str) -> WorkDir {
    let dir = WorkDir::new();
    dir.write("in.csv", ROWS);
    let line = format!("workflow in.csv out.csv --rounds 1 {flags}");
    at(sandbox, dir.batchctl(&line)).arg("-p").arg("Say: {text}").run().exits(3);
    dir
}

fn truncating() -> Sandbox {
    Sandbox::with(&["--batch-seconds", "0.3", "--faults", "result#1: truncated 1"])
}

#[track_caller]
fn document(dir: &WorkDir, name: &str) -> Value {
    serde_json::from_str(&dir.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// S2.20: all states, in order, with what was sent, what came back, and the sums of it.
#[test]
fn s2_20_one_document_with_all_rows_and_statistics() {
    let sandbox = truncating();
    let dir = done(&sandbox, "--system Brief");
    dir.batchctl("export last all.json").run().exits(0).says(&["wrote 5 of 5 rows"]);
    let all = document(&dir, "all.json");
    assert_eq!((&all["schema_version"], &all["job"]), (&1.into(), &job_of(&dir).into()));
    let rows = all["rows"].as_array().expect("rows");
    let of = |key: &str| -> Vec<Value> { rows.iter().map(|row| row[key].clone()).collect() };
    assert_eq!(of("row"), [0, 1, 2, 3, 4]);
    // As the job's own table has them.
    let cells = dir.cells("out.csv");
    assert_eq!(of("status"), cells.column("status"));
    for (row, status) in rows.iter().zip(cells.column("status")) {
        assert_eq!(row["error"].is_null(), status == "ok", "{row}");
    }
    assert_eq!(rows[0]["record"], json!({"id": "1", "text": "=one", "picture": ""}));
    let asked = |row: usize, text: &str| {
        let expected =
            json!([{"role": "system", "content": "Brief"}, {"role": "user", "content": text}]);
        assert_eq!(rows[row]["messages"], expected);
    };
    asked(0, "Say: =one");
    asked(1, "Say: two, 中");
    asked(3, "Say: [[fail:400]]");
    assert!(rows[4].get("messages").is_none() && rows[4]["custom_id"].is_null());
    assert_eq!(rows[0]["custom_id"], format!("{}-0000000-r1", job_of(&dir)));
    // The very requests that were sent.
    for request in sandbox.requests() {
        let row = rows.iter().find(|row| row["custom_id"] == request["custom_id"]);
        let row = row.unwrap_or_else(|| panic!("no row for {request}"));
        assert_eq!(row["messages"], request["body"]["messages"]);
    }
    let statistics = &all["statistics"];
    assert_eq!(statistics["rows"], 5);
    let sum: u64 = statistics["statuses"]
        .as_object()
        .expect("counts")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(sum, 5, "B05");
    let tokens = |key: &str| rows.iter().filter_map(|row| row["usage"][key].as_u64()).sum::<u64>();
    assert_eq!(statistics["usage"]["prompt_tokens"], tokens("prompt_tokens"));
    let cost: f64 = rows.iter().filter_map(|row| row["cost"].as_f64()).sum();
    let told = statistics["cost"]["actual"].as_f64().expect("a price is known");
    assert!((cost - told).abs() < 1e-12, "{cost} {told}");
}

/// S2.20, S0.18: every form of the same answers, of all rows or of some; no text is protected in
/// JSON, and nothing is written that was not asked for.
#[test]
fn s2_20_tables_are_the_jobs_own_table_in_another_form() {
    let sandbox = truncating();
    let dir = done(&sandbox, "");
    let run = |line: &str| dir.batchctl(&format!("export last {line}")).run().exits(0);
    run("again.csv");
    assert_eq!(dir.read("again.csv"), dir.read("out.csv"), "one way to write a table");
    assert_eq!(run("- --format csv").stdout, dir.read("out.csv"));
    run("again.csv");
    let table = [
        ("good.csv --status good", 2),
        ("cut.csv --status truncated,error", 2),
        ("bad.csv --status bad", 3),
        ("none.csv --status cancelled", 0),
    ];
    let counts = |name: &str| dir.cells(name).len();
    for (line, rows) in table {
        let report = run(&format!("{line} --json")).json();
        assert_eq!((&report["rows"], &report["written"]), (&5.into(), &rows.into()), "{line}");
        let name = line.split(' ').next().expect("a name");
        assert_eq!(counts(name), usize::try_from(rows).expect("few rows"), "{line}");
    }
    run("some.json --status bad");
    let some = document(&dir, "some.json");
    assert_eq!(some["rows"].as_array().map(Vec::len), Some(3));
    assert_eq!(some["statistics"]["rows"], 5, "the sums are of all");
    run("no.json --status cancelled");
    assert_eq!(document(&dir, "no.json")["rows"], json!([]));
    run("lines.jsonl --details");
    let first: Value =
        serde_json::from_str(dir.read("lines.jsonl").lines().next().expect("a row")).expect("JSON");
    assert_eq!((&first["text"], &first["rounds"]), (&"=one".into(), &1.into()));
    // Without a name it is that of the job; another's file is left alone.
    run("--format jsonl");
    assert!(dir.files().contains(&format!("{}.jsonl", job_of(&dir))), "{:?}", dir.files());
    dir.write("theirs.csv", "a\n1\n");
    for (line, said) in [
        ("theirs.csv", "was not written by batchctl"),
        ("theirs.json", "--overwrite"),
        ("-", "the format is not said"),
        ("out", "--format"),
        ("x.csv --status eror", "did you mean error?"),
        ("in.csv", "the input itself"),
        ("- --format json --json", "cannot both go to stdout"),
    ] {
        dir.write("theirs.json", "{}");
        dir.batchctl(&format!("export last {line}")).run().exits(2).says(&[said]);
    }
    assert_eq!((dir.read("theirs.csv"), dir.read("theirs.json")), ("a\n1\n".into(), "{}".into()));
    // Rows of the file are counted apart where they are not those of the job.
    let line = "workflow in.csv two.csv --rounds 1 --start-row 1 --end-row 3 -p {text}";
    at(&sandbox, dir.batchctl(line)).run();
    run("some.csv").says(&["wrote 2 of 2 rows"]);
    run("some.csv --all-rows").says(&["wrote 5 rows (2 asked)"]);
}

/// A row that was asked again otherwise shows what its answer is to; one that waits shows what it
/// will be asked.
#[test]
fn s2_20_each_row_shows_the_question_it_was_asked() {
    let sandbox = truncating();
    let dir = done(&sandbox, "");
    dir.write("other.txt", "Briefly: {text}");
    let retry = "retry last --class truncated --prompt-file other.txt --model gpt-4o-mini";
    at(&sandbox, dir.batchctl(retry)).run().exits(3);
    dir.batchctl("export last all.json").run().exits(0);
    let rows = document(&dir, "all.json")["rows"].clone();
    let said: Vec<&str> = (0..4)
        .map(|row| rows[row]["messages"][0]["content"].as_str().expect("a message"))
        .map(|text| text.split(':').next().expect("a word"))
        .collect();
    let again: Vec<usize> = (0..4).filter(|row| rows[row]["rounds"] == 2).collect();
    assert_eq!(again.len(), 1, "{rows}");
    for (row, said) in said.iter().enumerate() {
        assert_eq!(*said, if again.contains(&row) { "Briefly" } else { "Say" });
    }
    let lines = dir.batchctl("export last - --format vllm").run().exits(0).stdout;
    let again = lines.lines().find(|line| line.contains("-r2\"")).expect("a line of round 2");
    assert!(again.contains("Briefly") && again.contains("\"model\":\"gpt-4o-mini\""), "{again}");
}

/// A row that was asked once more shows its answer before and what was said of it, as it was sent;
/// a model that runs elsewhere is asked the question alone.
#[test]
fn s2_20_b07_second_questions_are_shown_as_sent() {
    let dir = WorkDir::new();
    dir.write("in.csv", "id,text\n1,plain\n2,doubtful\n");
    let rules = r#"[{"match": "(a1)", "reply": "{\"mood\": \"good\"}"},
        {"match": "doubtful", "reply": "It is good, I think (a1)."},
        {"match": "", "reply": "{\"mood\": \"bad\"}"}]"#;
    let script = format!("script:{}", dir.write("rules.json", rules).display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    let line = "workflow in.csv out.csv --json-fields mood --reask 1 --max-tokens 64";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    dir.batchctl("export last all.json").run().exits(0);
    let rows = document(&dir, "all.json")["rows"].clone();
    let messages = |row: usize| rows[row]["messages"].as_array().map(Vec::len);
    assert_eq!((messages(0), messages(1)), (Some(1), Some(3)), "{rows}");
    let sent = sandbox.requests();
    for row in rows.as_array().expect("rows") {
        let request = sent.iter().find(|request| request["custom_id"] == row["custom_id"]);
        assert_eq!(row["messages"], request.expect("it was sent")["body"]["messages"]);
    }
    let lines = dir.batchctl("export last - --format vllm").run().exits(0).stdout;
    assert!(lines.lines().count() == 2 && !lines.contains("(a1)"), "{lines}");
}

/// A job that runs is exported as it stands.
#[test]
fn s2_20_open_rows_are_pending() {
    let sandbox = Sandbox::with(&["--batch-seconds", "30"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --no-wait")).run().exits(0);
    let text = dir.batchctl("export last - --format json").run().exits(0).stdout;
    let all: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(all["statistics"]["statuses"], json!({"pending": 3}));
    assert_eq!(all["rows"][2]["messages"][0]["content"], "marker 2x");
    assert!(all["rows"][2]["response"].is_null());
}

/// Lines that `vllm run-batch` takes, whoever was asked before; its results go back by their ids.
#[test]
fn plain_request_files_are_run_elsewhere_and_merged_back() {
    let sandbox = truncating();
    let dir = done(&sandbox, "--temperature 0 --json-fields mood --max-tokens 50");
    let written = dir.batchctl("export last req.jsonl --format vllm").run().exits(0);
    written.says(&[
        "wrote 4 of 5 rows",
        "1 row cannot be asked",
        "vllm run-batch -i req.jsonl",
        "gpt-4o",
    ]);
    let text = dir.read("req.jsonl");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        let keys: Vec<&String> = line.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["custom_id", "method", "url", "body"]);
        assert_eq!(
            (&line["method"], &line["url"]),
            (&"POST".into(), &"/v1/chat/completions".into())
        );
        assert_eq!(line["body"]["temperature"], 0.0);
    }
    // What vLLM writes: one file, errors in it, ids of its own.
    let results: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let body = json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "Qwen3-8B",
                "choices": [{"index": 0, "message": {"role": "assistant",
                    "content": format!("{{\"mood\": \"m{at}\"}}")}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 5, "total_tokens": 9, "completion_tokens": 4}});
            let bad = json!({"id": "vllm-2", "custom_id": line["custom_id"], "response":
                {"status_code": 400, "request_id": "vllm-batch-2", "body": null}, "error": "too long"});
            let good = json!({"id": "vllm-1", "custom_id": line["custom_id"], "response":
                {"status_code": 200, "request_id": "vllm-batch-1", "body": body}, "error": null});
            if at == 2 { bad.to_string() } else { good.to_string() }
        })
        .collect();
    dir.write("results.jsonl", results.join("\n") + "\n");
    dir.batchctl("merge results.jsonl --original-csv -o local.csv").run().exits(3);
    let cells = dir.cells("local.csv");
    assert_eq!(cells.column("mood"), ["m0", "m1", "", "m3", ""]);
    assert_eq!(cells.column("status"), ["ok", "ok", "error", "ok", "skipped"]);
}

/// Whatever the provider's own urls and fields are.
#[test]
fn request_files_have_nothing_of_the_provider() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    let zhipu = |line: &str| {
        at(&sandbox, dir.batchctl(line))
            .env("ZHIPUAI_BASE_URL", format!("{}/api/paas/v4", sandbox.address()))
            .env("ZHIPUAI_API_KEY", "sandbox-test")
    };
    dir.config(&format!("[providers.zhipu]\nbase_url = \"{}/api/paas/v4\"\n", sandbox.address()));
    zhipu("workflow in.csv out.csv --provider zhipu --model glm-4-flash --max-tokens 9")
        .run()
        .exits(0);
    assert_eq!(sandbox.requests()[0]["url"], "/v4/chat/completions");
    let lines = zhipu("export last - --format vllm").run().exits(0).stdout;
    let line: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["url"], "/v1/chat/completions");
    let mut sent = sandbox.requests()[0].clone();
    sent["url"] = line["url"].clone();
    assert_eq!(line, sent, "and else it is what was sent");

    let other = marked(1);
    let line = "workflow in.csv out.csv --endpoint responses";
    at(&sandbox, other.batchctl(line)).run().exits(0);
    let refused = other.batchctl("export last r.jsonl --format vllm").run().exits(2);
    refused.says(&["takes chat and embeddings", "--format json"]);
    other.batchctl("export last all.json").run().exits(0);
    assert!(document(&other, "all.json")["rows"][0]["input"].to_string().contains("marker 0x"));
}

/// An image stands in the document as its cell names it, and in a request file with its bytes.
#[test]
fn s2_20_images_are_named() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("images");
    dir.write("in.csv", "id,text,photo\n1,what,images/cat.png\n");
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --image-column photo")).run().exits(0);
    dir.batchctl("export last all.json").run().exits(0);
    let content = document(&dir, "all.json")["rows"][0]["messages"][0]["content"].clone();
    assert_eq!(content[1]["image_url"]["url"], "images/cat.png", "{content}");
    let lines = dir.batchctl("export last - --format vllm").run().exits(0).stdout;
    assert!(lines.contains("data:image/png;base64,"), "{lines}");
}

/// What was pruned cannot be exported, and nobody's file is replaced for it.
#[test]
fn a_pruned_job_says_so() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(0);
    at(&sandbox, dir.batchctl("prune last")).run().exits(0);
    dir.batchctl("export last all.json").run().exits(2).says(&["were pruned", "out.csv"]);
    assert!(!dir.files().contains(&"all.json".to_owned()));

    // An export to its own place takes the mark of its table away.
    at(&sandbox, dir.batchctl("workflow in.csv own.csv --again --yes")).run().exits(0);
    dir.batchctl("export last own.csv --overwrite").run().exits(0);
    at(&sandbox, dir.batchctl("prune last")).run().exits(0);
    let refused = dir.batchctl("export last all.json").run().exits(2);
    refused.says(&["were pruned", "own.csv"]).hides(&["standard output"]);
}
