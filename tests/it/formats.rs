//! Tables other than CSV, request files with ids of their own, other endpoints.

use serde_json::Value;

use crate::support::runs::{at, job_of, results_of};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// B13: objects keep their keys, their order and the spelling of their numbers.
#[test]
fn b13_json_lines_come_back_with_answers() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("tables/news.jsonl");
    at(&sandbox, dir.batchctl("workflow news.jsonl out.jsonl")).run().exits(0);
    let written = dir.read("out.jsonl");
    for (original, written) in dir.read("news.jsonl").lines().zip(written.lines()) {
        let start = original.strip_suffix('}').expect("an object");
        assert!(written.starts_with(start), "{original}\n{written}");
    }
    for line in lines(&written) {
        let text = line["text"].as_str().expect("a text");
        assert_eq!(line["response"], format!("[sandbox] {text}"));
    }
    // The same as a CSV: one column for each key that was seen.
    at(&sandbox, dir.batchctl("workflow news.jsonl out.csv")).run().exits(0);
    assert_eq!(dir.cells("out.csv").len(), 8);
    assert_eq!(sandbox.created(), 1);
}

/// B13: an array of objects stays one.
#[test]
fn b13_json_arrays_come_back_with_answers() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("tables/products.json");
    let line = "workflow products.json out.json --input-column description";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    assert!(dir.read("out.json").contains("39.90"), "numbers keep their spelling");
    let original: Vec<Value> = serde_json::from_str(&dir.read("products.json")).expect("JSON");
    let written: Vec<Value> = serde_json::from_str(&dir.read("out.json")).expect("JSON");
    for (original, written) in original.iter().zip(&written) {
        for (key, value) in original.as_object().expect("an object") {
            assert_eq!(&written[key], value);
        }
        assert_eq!(
            written["response"],
            format!("[sandbox] {}", original["description"].as_str().expect("a text"))
        );
    }
}

/// S2.07: objects with `messages`, and arrays of bare message arrays; several turns, pictures.
#[test]
fn s2_07_conversations_are_sent_as_they_stand() {
    let sandbox = Sandbox::start();
    for name in ["conversations.json", "message-arrays.json"] {
        let dir = WorkDir::new();
        dir.fixture(&format!("tables/{name}"));
        let before = sandbox.requests().len();
        let run = at(&sandbox, dir.batchctl(&format!("workflow {name} out.json"))).run().exits(0);
        drop(run);
        let original: Vec<Value> = serde_json::from_str(&dir.read(name)).expect("JSON");
        let written: Vec<Value> = serde_json::from_str(&dir.read("out.json")).expect("JSON");
        assert_eq!(written.len(), original.len());
        for ((original, request), written) in
            original.iter().zip(&sandbox.requests()[before..]).zip(&written)
        {
            let messages = original.get("messages").unwrap_or(original);
            assert_eq!(&request["body"]["messages"], messages, "{name}");
            assert_eq!(written["status"], "ok", "{name}");
        }
    }
}

/// S2.08: a message without role or content is named by its place, and its row is skipped.
#[test]
fn s2_08_a_bad_message_is_named() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write(
        "in.json",
        r#"[{"messages": [{"role": "user", "content": "fine"}]},
            {"messages": [{"role": "user", "content": "x"}, {"content": "no role"}]}]"#,
    );
    at(&sandbox, dir.batchctl("workflow in.json out.json")).run().exits(3);
    let written: Vec<Value> = serde_json::from_str(&dir.read("out.json")).expect("JSON");
    assert_eq!((&written[0]["status"], &written[1]["status"]), (&"ok".into(), &"skipped".into()));
    let error = written[1]["error"].as_str().expect("a reason");
    assert!(error.contains("message 2") && error.contains("role"), "{error}");
}

/// A column whose cells are JSON message arrays.
#[test]
fn s2_07_a_column_of_messages_in_a_csv() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    let talk = r#"[{"role":"system","content":"Be kind."},{"role":"user","content":"Hello, you"}]"#;
    dir.table("in.csv", &[&["id", "talk"], &["1", talk]]);
    let line = "workflow in.csv out.csv --set messages_column=talk";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let messages: Value = serde_json::from_str(talk).expect("JSON");
    assert_eq!(sandbox.requests()[0]["body"]["messages"], messages);
    assert_eq!(dir.cells("out.csv").column("response"), ["[sandbox] Hello, you"]);
    // A column of this name needs no word.
    dir.table("named.csv", &[&["id", "messages"], &["1", talk]]);
    at(&sandbox, dir.batchctl("workflow named.csv n.csv")).run().exits(0);
    assert_eq!(dir.cells("n.csv").column("response"), ["[sandbox] Hello, you"]);
}

/// S1.18: finished requests keep their ids and their bytes.
#[test]
fn s1_18_request_files_keep_their_own_ids() {
    for line in ["workflow requests.jsonl out.jsonl", "submit requests.jsonl --wait -o out.jsonl"] {
        let sandbox = Sandbox::start();
        let dir = WorkDir::new();
        dir.fixture("tables/requests.jsonl");
        at(&sandbox, dir.batchctl(line)).run().exits(0).says(&["ok 5"]);
        assert_eq!(sandbox.requests(), lines(&dir.read("requests.jsonl")), "{line}");
        let written = lines(&dir.read("out.jsonl"));
        let ids: Vec<_> = written.iter().map(|line| line["custom_id"].as_str()).collect();
        assert_eq!(
            ids,
            (1..=5)
                .map(|n| format!("request-{n}"))
                .collect::<Vec<_>>()
                .iter()
                .map(|id| Some(id.as_str()))
                .collect::<Vec<_>>()
        );
        assert_eq!(written[0]["response"], "[sandbox] Hello world!");
        // Merged by id from the result file, `request-N` counts from 1.
        results_of(&dir, &job_of(&dir), "results.jsonl");
        let merge = "merge results.jsonl --original-csv requests.jsonl -o merged.jsonl";
        at(&sandbox, dir.batchctl(merge)).run().exits(0);
        assert_eq!(lines(&dir.read("merged.jsonl"))[4]["status"], "ok");
    }
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text\nx\n");
    at(&sandbox, dir.batchctl("submit in.csv")).run().exits(2).says(&["not a request file"]);
}

/// S4.05: embeddings are JSON text in their cell.
#[test]
fn s4_05_embeddings_and_responses() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text\nalpha\nbeta\n");
    let line = "workflow in.csv out.csv --endpoint embeddings -m text-embedding-3-small";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    assert_eq!(sandbox.requests()[0]["url"], "/v1/embeddings");
    assert_eq!(sandbox.requests()[0]["body"]["input"], "alpha");
    let cells = dir.cells("out.csv");
    for vector in cells.column("response") {
        let vector: Vec<f64> = serde_json::from_str(vector).expect("a JSON array");
        assert!(!vector.is_empty());
    }
    assert_ne!(cells.column("response")[0], cells.column("response")[1]);

    let line = "workflow in.csv r.csv --endpoint responses --max-tokens 50";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let request = sandbox.requests().pop().expect("a request");
    assert_eq!(
        (&request["url"], &request["body"]["max_output_tokens"]),
        (&"/v1/responses".into(), &50.into())
    );
    assert_eq!(dir.cells("r.csv").column("response"), ["[sandbox] alpha", "[sandbox] beta"]);
}

/// S2.07: a text that was cut in the middle of a character is asked, and named with its row.
#[test]
fn s2_07_half_a_character_is_named_with_its_row() {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.1"]);
    let plain = r#"{"text": "whole \ud83d\ude00"}"#;
    let half = r#"{"text": "cut \ud83d"}"#;
    let named = "row 1 (line 2) holds `\\ud83d`, half of a character, which is asked as �";
    let table = [
        ("in.jsonl", format!("{plain}\n{plain}\n"), ""),
        ("in.jsonl", format!("{plain}\n{half}\n"), "\n"),
        ("in.jsonl", format!("{plain}\n{half}\n{half}\n{half}\n"), ", and 2 more rows such ones"),
        ("in.json", format!("[{plain},\n{half}]"), "\n"),
    ];
    for (file, content, more) in table {
        let dir = WorkDir::new();
        dir.write(file, content);
        let line = format!("workflow {file} out.jsonl --input-column text");
        let output = at(&sandbox, dir.batchctl(&line)).run().exits(0);
        let is_named = output.stderr.contains(&format!("{named}{more}"));
        assert_eq!(is_named, !more.is_empty(), "{output}");
        assert_eq!(output.stderr.contains("half of"), !more.is_empty(), "{output}");
    }
}
