//! What the answers become: JSON fields as columns, answers that are not what was asked for,
//! rows of every status in one table.

use crate::support::runs::{at, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// S4.16: the sandbox answers with the fields that are named, and each becomes a column.
#[test]
fn s4_16_b11_json_fields_become_columns() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("tables/job-ads.csv");
    let line = dir.batchctl("workflow job-ads.csv out.csv --json-fields title，place,pay.amount");
    at(&sandbox, line).run().exits(0).says(&["ok 10"]);
    let cells = dir.cells("out.csv");
    assert_eq!(
        cells.header(),
        [
            "ad_id",
            "posted",
            "text",
            "title",
            "place",
            "pay.amount",
            "raw_response",
            "parsing_success",
            "status",
            "error",
            "model"
        ]
    );
    assert!(cells.column("title").iter().all(|cell| !cell.is_empty()), "{}", dir.read("out.csv"));
    assert_eq!(cells.column("parsing_success"), ["True"; 10]);
    let request = &sandbox.requests()[0];
    assert_eq!(request["body"]["response_format"]["type"], "json_object", "{request}");
    let words = request["body"]["messages"].to_string();
    assert!(["title", "place", "pay"].iter().all(|key| words.contains(key)), "{request}");

    let plain = "workflow job-ads.csv plain.csv -n 2 --json-fields title --no-json-hint";
    at(&sandbox, dir.batchctl(plain)).run().exits(3).says(&["unparsed 2"]);
    let request = sandbox.requests().pop().expect("a request");
    assert_eq!(request["body"].get("response_format"), None, "{request}");
    let cells = dir.cells("plain.csv");
    assert_eq!(
        (cells.column("parsing_success"), cells.column("title")),
        (vec!["False"; 2], vec![""; 2])
    );
    assert!(cells.column("raw_response")[0].starts_with("[sandbox]"), "the raw answer is kept");
}

const RULES: &str = r#"
[[rule]]
match = "bare"
reply = '{"mood": "good", "tags": ["a", "b"]}'
[[rule]]
match = "fenced"
reply = """Sure!
```json
{"mood": "bad", "tags": []}
```"""
[[rule]]
match = "embedded"
reply = 'The answer is {"mood": "mixed", "tags": [{"x": 1}]}, I think.'
[[rule]]
match = "prose"
reply = "I would call it good."
[[rule]]
match = "lacking"
reply = '{"tags": ["only"]}'
[[rule]]
match = "cut"
reply = '{"mood": "go'
finish_reason = "length"
[[rule]]
match = "filtered"
reply = ""
finish_reason = "content_filter"
[[rule]]
match = "broken"
status = 500
message = "the model fell over"
"#;

/// S4.12, S4.16, B05: every kind of answer in one table, each with its own status.
#[test]
fn s4_12_s4_16_b05_every_kind_of_answer_has_its_status() {
    let dir = WorkDir::new();
    let rules = dir.write("rules.toml", RULES);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    dir.write("in.csv", "text\nbare\nfenced\nembedded\nprose\nlacking\ncut\nfiltered\nbroken\n");
    let line = "workflow in.csv out.csv --json-fields mood,tags --details";
    at(&sandbox, dir.batchctl(line)).run().exits(3).says(&["8 rows"]);
    let cells = dir.cells("out.csv");
    let shown: Vec<String> = ["text", "status", "mood", "tags", "parse_status", "finish_reason"]
        .iter()
        .map(|name| cells.column(name).join(" | "))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"");
    assert!(cells.column("error")[7].contains("the model fell over"), "S1.23");
    assert_eq!(cells.column("raw_response")[3], "I would call it good.");
}

/// S4.12: tokens of all rows are added up.
#[test]
fn s4_12_usage_is_the_sum_over_the_rows() {
    let sandbox = Sandbox::start();
    let dir = marked(4);
    let report = at(&sandbox, dir.batchctl("workflow in.csv out.csv --details --json"))
        .run()
        .exits(0)
        .json();
    let cells = dir.cells("out.csv");
    for name in ["prompt_tokens", "completion_tokens"] {
        let sum: u64 = cells.column(name).iter().map(|n| n.parse::<u64>().expect("a number")).sum();
        assert_eq!(report["usage"][name], sum, "{name}");
    }
    let executed = sandbox.ledger().into_iter().find(|entry| entry["event"] == "executed");
    let executed = executed.expect("the batch was run");
    assert_eq!(report["usage"]["prompt_tokens"], executed["prompt_tokens"]);
}

/// Prompts: columns, files, templates, system texts, parameters, all in the request as said.
#[test]
fn s1_11_the_question_is_worded_as_said() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "name,Content of P*\nada,first\n{name},second\n");
    dir.write("prompt.txt", "Ask {name}: {{x}} {Content of P*}\n");
    dir.write("prompt.j2", "{% if row %}{% endif %}J {{ name }}");
    dir.write("system.txt", "Be brief.");
    let content = |line: &str, index: usize| -> Vec<String> {
        let before = sandbox.requests().len();
        at(&sandbox, dir.batchctl(line).arg("--overwrite")).run().exits(0);
        let requests = sandbox.requests();
        let texts = requests[before..].iter().map(|request| {
            request["body"]["messages"][index]["content"].as_str().expect("a text").to_owned()
        });
        texts.collect()
    };
    let asked = content("workflow in.csv out.csv --prompt-file prompt.txt", 0);
    assert_eq!(asked, ["Ask ada: {x} first", "Ask {name}: {x} second"], "inserted text is final");
    let with_system = "workflow in.csv out.csv -p @prompt.txt -s @system.txt --max-tokens 7 \
                       --temperature 0.5 --param top_p=0.9 --param stop=x";
    assert_eq!(content(with_system, 1)[0], "Ask ada: {x} first");
    let body = sandbox.requests().pop().expect("a request")["body"].clone();
    assert_eq!(body["messages"][0], serde_json::json!({"role": "system", "content": "Be brief."}));
    assert_eq!(
        (&body["max_tokens"], &body["temperature"], &body["top_p"], &body["stop"]),
        (&7.into(), &0.5.into(), &0.9.into(), &"x".into())
    );
    let appended = content("workflow in.csv out.csv --prompt Judge: --input-column name", 0);
    assert!(appended[0].starts_with("Judge:") && appended[0].ends_with("ada"), "{appended:?}");
    let all = content("workflow in.csv out.csv --input-column *", 0);
    assert_eq!(all[0], "name: ada\nContent of P*: first");
    let unknown = dir.batchctl("workflow in.csv out.csv --overwrite --prompt {nmae}");
    at(&sandbox, unknown).run().exits(2).says(&["nmae", "name"]);
}
