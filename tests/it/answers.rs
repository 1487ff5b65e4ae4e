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
        .map(|name| cells.column(name).join(" | ").trim_end().to_owned())
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    bare | fenced | embedded | prose | lacking | cut | filtered | broken
    ok | ok | ok | unparsed | ok | truncated | refused | error
    good | bad | mixed |  |  |  |  |
    ["a","b"] | [] | [{"x":1}] |  | ["only"] |  |  |
    direct | fenced | embedded | failed | direct | failed |  |
    stop | stop | stop | stop | stop | length | content_filter |
    "#);
    assert!(cells.column("error")[7].contains("the model fell over"), "S1.23");
    assert_eq!(cells.column("raw_response")[3], "I would call it good.");
}

const TYPED_RULES: &str = r#"
[[rule]]
match = "clean"
reply = '{"score": 4, "mood": "good"}'
[[rule]]
match = "mended"
reply = "{'score': '4', 'mood': 'Good',}"
[[rule]]
match = "wrong"
reply = '{"score": "high", "mood": "good"}'
[[rule]]
match = "lacking"
reply = '结果：{"mood"："bad"}'
"#;

/// S0.15, S0.17: slips are mended and marked, values of another type are named.
#[test]
fn s0_15_s0_17_typed_fields_and_mended_answers() {
    let dir = WorkDir::new();
    let rules = dir.write("rules.toml", TYPED_RULES);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    dir.write("in.csv", "text\nclean\nmended\nwrong\nlacking\n");
    let line = "workflow in.csv out.csv --details --json-fields";
    let line = dir.batchctl(line).arg("score:number,mood:good|bad");
    at(&sandbox, line)
        .run()
        .exits(3)
        .says(&["invalid", "(score: a number; mood: one of good, bad)"]);
    let cells = dir.cells("out.csv");
    let shown: Vec<String> = ["text", "status", "score", "mood", "parse_status", "error"]
        .iter()
        .map(|name| cells.column(name).join(" | ").trim_end().to_owned())
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    clean | mended | wrong | lacking
    ok | ok | invalid | invalid
    4 | 4 |  |
    good | good | good | bad
    direct | repaired | direct | repaired
     |  | `score` is the text "high" where a number is wanted | `score` is missing where a number is wanted
    "#);
    assert_eq!(cells.column("raw_response")[1], "{'score': '4', 'mood': 'Good',}", "field 39");
}

/// S0.15: the sandbox answers with the types that the hint names.
#[test]
fn s0_15_the_hint_names_types_and_choices() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("tables/job-ads.csv");
    let line = dir.batchctl("workflow job-ads.csv out.csv --json-fields");
    let fields = "pay.min:number,kind:full|part,remote:bool,skills:list,from:date";
    at(&sandbox, line.arg(fields)).run().exits(0).says(&["ok 10"]);
    let kinds = dir.cells("out.csv");
    assert!(kinds.column("kind").iter().all(|kind| ["full", "part"].contains(kind)));
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
    let with_system = "workflow in.csv out.csv -p @prompt.txt -s @system.txt --max-tokens 70 \
                       --temperature 0.5 --param top_p=0.9 --param stop=x";
    assert_eq!(content(with_system, 1)[0], "Ask ada: {x} first");
    let body = sandbox.requests().pop().expect("a request")["body"].clone();
    assert_eq!(body["messages"][0], serde_json::json!({"role": "system", "content": "Be brief."}));
    assert_eq!(
        (&body["max_tokens"], &body["temperature"], &body["top_p"], &body["stop"]),
        (&70.into(), &0.5.into(), &0.9.into(), &"x".into())
    );
    let appended = content("workflow in.csv out.csv --prompt Judge: --input-column name", 0);
    assert!(appended[0].starts_with("Judge:") && appended[0].ends_with("ada"), "{appended:?}");
    let all = content("workflow in.csv out.csv --input-column *", 0);
    assert_eq!(all[0], "name: ada\nContent of P*: first");
    let unknown = dir.batchctl("workflow in.csv out.csv --overwrite --prompt {nmae}");
    at(&sandbox, unknown).run().exits(2).says(&["nmae", "name"]);
}
