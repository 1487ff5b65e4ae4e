//! `--json-schema`: checked before anything is sent, told to each service in its own way, and held
//! against every answer on this machine.

use serde_json::{Value, json};

use crate::support::runs::{at, job_of};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Run, WorkDir};

/// As strict mode wants it.
const CLOSED: &str = r#"{"title": "ad", "type": "object", "additionalProperties": false,
    "required": ["title", "kind", "pay", "skills"],
    "properties": {
        "title": {"type": "string"},
        "kind": {"type": "string", "enum": ["full", "part"]},
        "pay": {"type": "object", "additionalProperties": false, "required": ["amount"],
            "properties": {"amount": {"type": "number", "minimum": 1, "maximum": 9}}},
        "skills": {"type": "array", "items": {"type": "string"}}}}"#;
/// As people write it.
const OPEN: &str = r#"{"type": "object", "required": ["title"],
    "properties": {"title": {"type": "string", "minLength": 3}, "pay": {"type": "number"}}}"#;
/// With a top that no service takes.
const CHOICE: &str = r##"{"$ref": "#/$defs/ad",
    "$defs": {"ad": {"type": "object", "properties": {"title": {"type": "string"}}}}}"##;

fn ads() -> WorkDir {
    let dir = WorkDir::new();
    dir.fixture("tables/job-ads.csv");
    dir.write("closed.json", CLOSED);
    dir.write("open.json", OPEN);
    dir.write("choice.json", CHOICE);
    dir
}

/// A provider of this kind at the sandbox.
fn mine(dir: &WorkDir, sandbox: &Sandbox, kind: &str, path: &str) {
    dir.config(&format!(
        "[providers.mine]\nkind = \"{kind}\"\nbase_url = \"{}{path}\"\napi_key_env = \"MY_KEY\"\n",
        sandbox.address()
    ));
}

fn asked(dir: &WorkDir, schema: &str, more: &[&str]) -> Run {
    let line = dir.batchctl("workflow job-ads.csv out.csv --overwrite -n 3 --provider mine");
    line.env("MY_KEY", "sandbox-schema").hurried().args(&["--json-schema", schema]).args(more)
}

/// Provider, model, schema and endpoint; type of the format, strictness, whether the prompt has the
/// schema; what is printed.
type Case<'a> = ((&'a str, &'a str), &'a str, [&'a str; 2], (Value, Value, bool), &'a str);

/// S0.15, S4.16, B07, B11, fields 37 and 38: each service is told in its own way, in one printed
/// line, and what comes back fits.
#[test]
fn s0_15_s4_16_b07_field_38_each_service_is_told_in_its_own_way() {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--any-model"]);
    let (openai, zhipu, own) =
        (("openai", "/v1"), ("zhipu", "/api/paas/v4"), ("openai-compatible", "/v1"));
    let schema = json!("json_schema");
    let table: [Case<'_>; 11] = [
        (
            openai,
            "gpt-4o",
            ["closed.json", "chat"],
            (schema.clone(), json!(true), false),
            "mine holds gpt-4o to it (strict mode); each answer is checked on this machine",
        ),
        (
            openai,
            "gpt-4o",
            ["closed.json", "responses"],
            (schema.clone(), json!(true), false),
            "(strict mode)",
        ),
        (
            openai,
            "gpt-4o",
            ["open.json", "chat"],
            (schema.clone(), json!(false), false),
            "sent, but not in strict mode, which wants /: it must say \"additionalProperties\": \
             false; /: `required` must name `pay` (null may be a type); 1 more",
        ),
        (
            openai,
            "gpt-4o",
            ["open.json", "responses"],
            (schema.clone(), json!(false), false),
            "not in strict mode",
        ),
        (
            openai,
            "gpt-4o",
            ["choice.json", "chat"],
            (json!("json_object"), Value::Null, true),
            "the schema stands in the prompt with JSON mode; strict mode wants",
        ),
        (
            openai,
            "gpt-4-turbo",
            ["closed.json", "chat"],
            (json!("json_object"), Value::Null, true),
            "mine has JSON mode for gpt-4-turbo, the schema stands in the prompt",
        ),
        (
            openai,
            "gpt-4",
            ["closed.json", "chat"],
            (Value::Null, Value::Null, true),
            "the schema stands in the prompt alone (mine is not known to take one for gpt-4)",
        ),
        (
            openai,
            "ft:gpt-4o:acme::x",
            ["closed.json", "chat"],
            (schema, json!(false), false),
            "`minimum` is not known to be taken",
        ),
        (
            zhipu,
            "glm-4-flash",
            ["closed.json", "chat"],
            (json!("json_object"), Value::Null, true),
            "mine has JSON mode for glm-4-flash, the schema stands in the prompt",
        ),
        (
            zhipu,
            "glm-4-flash",
            ["open.json", "chat"],
            (json!("json_object"), Value::Null, true),
            "mine has JSON mode",
        ),
        (
            own,
            "my-model",
            ["closed.json", "chat"],
            (Value::Null, Value::Null, true),
            "the schema stands in the prompt alone (mine is not known to take one for my-model)",
        ),
    ];
    for ((kind, path), model, [file, endpoint], (format, strict, in_prompt), said) in table {
        let dir = ads();
        mine(&dir, &sandbox, kind, path);
        let before = sandbox.requests().len();
        let ran = asked(&dir, file, &["-m", model, "--endpoint", endpoint]).run();
        ran.exits(0).says(&[said, "ok 3"]);
        let request = sandbox.requests().swap_remove(before);
        let body = &request["body"];
        let (found, inner) = if endpoint == "responses" {
            let format = &body["text"]["format"];
            (format, format)
        } else {
            let format = &body["response_format"];
            (format, &format["json_schema"])
        };
        assert_eq!(
            (&found["type"], &inner["strict"]),
            (&format, &strict),
            "{model} {file}: {request}"
        );
        let texts = body["messages"].to_string();
        assert_eq!(texts.contains("fits this JSON schema"), in_prompt, "{request}");
        let cells = dir.cells("out.csv");
        assert_eq!(cells.column("parsing_success"), ["True"; 3], "{}", dir.read("out.csv"));
        assert!(cells.column("title").iter().all(|title| title.starts_with("[sandbox]")));
    }
}

/// S0.18, S0.19: the columns follow from the schema; fields choose among its keys.
#[test]
fn s0_18_s0_19_columns_follow_from_the_schema() {
    let sandbox = Sandbox::start();
    let added = ["raw_response", "parsing_success", "status", "error", "model"];
    let table: [(&[&str], &[&str]); 3] = [
        (&[], &["title", "kind", "pay", "skills"]),
        (&["--json-fields", "pay.amount:number,skills[0]"], &["pay.amount", "skills[0]"]),
        (&["--no-json-hint"], &["title", "kind", "pay", "skills"]),
    ];
    for (more, fields) in table {
        let dir = ads();
        let line = dir.batchctl("workflow job-ads.csv out.csv -n 2 --json-schema").arg(CLOSED);
        let is_silent = more == ["--no-json-hint"];
        let ran = at(&sandbox, line).args(more).run().exits(if is_silent { 3 } else { 0 });
        let cells = dir.cells("out.csv");
        assert_eq!(cells.header()[3..], [fields, &added[..]].concat());
        if is_silent {
            ran.says(&["not sent (--no-json-hint)", "unparsed 2"]);
            let request = sandbox.requests().pop().expect("a request");
            assert!(!request.to_string().contains("schema"), "{request}");
            continue;
        }
        let pay = cells.column(if more.is_empty() { "pay" } else { "pay.amount" })[0].to_owned();
        let amount = serde_json::from_str::<Value>(&pay).expect("JSON text in the cell");
        let amount = if more.is_empty() { amount["amount"].clone() } else { amount };
        assert!(amount.as_f64().is_some_and(|pay| (1.0..=9.0).contains(&pay)), "{pay}");
    }
}

/// Field 38, S0.28: what is wrong is told with file, place and remedy before anything is sent, by
/// each command that reads a schema.
#[test]
fn field_38_a_schema_is_checked_before_money_is_spent() {
    let sandbox = Sandbox::start();
    let dir = ads();
    dir.write("bad.json", r#"{"type": "object", "properties": {"a": {"type": "integr"}}}"#);
    dir.write("half.json", "{\"type\": \"object\",\n  \"properties\": ");
    dir.write("r.jsonl", "{\"custom_id\": \"row_0\", \"response\": null}\n");
    let table = [
        (
            "workflow job-ads.csv out.csv --json-schema bad.json",
            "error: --json-schema bad.json\n  the schema is wrong at `/properties/a/type`: \
             \"integr\" is no type; did you mean \"integer\"?",
        ),
        ("workflow job-ads.csv out.csv --json-schema half.json", "the schema is not JSON: EOF"),
        ("workflow job-ads.csv out.csv --json-schema none.json", "none.json is not there"),
        ("workflow job-ads.csv out.csv --dry-run --json-schema bad.json", "`/properties/a/type`"),
        ("estimate job-ads.csv --json-schema bad.json", "`/properties/a/type`"),
        ("convert job-ads.csv x.jsonl --json-schema bad.json", "`/properties/a/type`"),
        ("merge r.jsonl --original-csv job-ads.csv --json-schema bad.json", "`/properties/a/type`"),
        (
            "workflow job-ads.csv out.csv --json-schema closed.json --json-fields titel,pay.amount",
            "field `titel`: the schema does not have it; did you mean `title`?",
        ),
        (
            "workflow job-ads.csv out.csv --json-schema closed.json --endpoint embeddings \
             -m text-embedding-3-small",
            "embeddings are numbers and fit no JSON schema",
        ),
    ];
    for (line, said) in table {
        at(&sandbox, dir.batchctl(line)).run().exits(2).says(&[said]);
    }
    assert_eq!(sandbox.created(), 0);
}

/// The schema comes from a flag, the environment or a project's file, in any encoding, and the
/// same schema with other spaces is the same run.
#[test]
fn b13_the_schema_comes_from_every_layer() {
    let sandbox = Sandbox::start();
    let dir = ads();
    let line = || at(&sandbox, dir.batchctl("workflow job-ads.csv out.csv -n 2"));
    line().args(&["--json-schema", "closed.json"]).run().exits(0).says(&["(strict mode)"]);
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(CLOSED.replace("\n   ", " ").encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    dir.write("wide.json", utf16);
    line().env("BATCHCTL_JSON_SCHEMA", "wide.json").run().exits(0);
    dir.write("batchctl.toml", "[job]\njson_schema = \"closed.json\"\n");
    line().run().exits(0);
    let shown = dir.batchctl("config show").run().exits(0).stdout;
    assert!(shown.contains("json_schema"), "{shown}");
    assert_eq!(sandbox.created(), 1, "one and the same run");
    // Another schema is another run.
    line().args(&["--json-schema", "open.json", "--overwrite"]).run().exits(0);
    assert_eq!(sandbox.created(), 2);
}

const RULES: &str = r#"
[[rule]]
match = "clean"
reply = '{"title": "Cook", "kind": "full", "pay": {"amount": 3}, "skills": []}'
[[rule]]
match = "fenced"
reply = """Here it is:
```json
{"title": "Cook", "kind": "part", "pay": {"amount": 3}, "skills": ["a"]}
```"""
[[rule]]
match = "mended"
reply = "{'title': 'Cook', 'kind': 'full', 'pay': {'amount': 3}, 'skills': [],}"
[[rule]]
match = "choice"
reply = '{"title": "Cook", "kind": "some", "pay": {"amount": 30}, "skills": []}'
[[rule]]
match = "lacking"
reply = '{"title": "Cook", "kind": "full", "skills": [1]}'
[[rule]]
match = "prose"
reply = "A cook, full time."
[[rule]]
match = "two"
reply = 'Not {"title": "x"} but {"title": "Cook", "kind": "full", "pay": {"amount": 3}, "skills": []} I mean.'
"#;

/// S0.17, B07, field 39: whatever the service promises, each answer is held against the schema;
/// what was mended is named, and the raw answer stays.
#[test]
fn s0_17_b07_field_39_answers_are_held_against_the_schema_here() {
    let dir = ads();
    let rules = dir.write("rules.toml", RULES);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    dir.write("in.csv", "text\nclean\nfenced\nmended\nchoice\nlacking\nprose\ntwo\n");
    let line = dir.batchctl("workflow in.csv out.csv --details --json-schema closed.json");
    at(&sandbox, line).run().exits(3).says(&["invalid 2", "unparsed 1"]);
    let cells = dir.cells("out.csv");
    let names = ["text", "status", "kind", "pay", "parse_status", "repairs"];
    let shown = names.map(|name| cells.column(name).join(" | ").trim_end().to_owned());
    insta::assert_snapshot!(shown.join("\n"), @r#"
    clean | fenced | mended | choice | lacking | prose | two
    ok | ok | ok | invalid | invalid | unparsed | ok
    full | part | full |  | full |  | full
    {"amount":3} | {"amount":3} | {"amount":3} |  |  |  | {"amount":3}
    direct | fenced | repaired | direct | direct | failed | embedded
     |  | other quotes than "; trailing comma |  |  |  |
    "#);
    insta::assert_snapshot!(cells.column("error").join("\n").trim(), @r#"
    /kind: is not one of "full", "part"; /pay/amount: is 30, at most 9 is wanted
    lacks `pay`; /skills/0: is of type number, wanted is string
    no JSON with the wanted fields in the answer
    "#);
    assert_eq!(cells.column("raw_response")[5], "A cook, full time.");
}

/// S4.16, field 38: the schema stays with the job: what collects, merges and asks again judges and
/// asks by it.
#[test]
fn s4_16_the_schema_stays_with_its_job() {
    let dir = ads();
    let rules = dir.write("rules.toml", RULES);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script, "--any-model"]);
    dir.write("in.csv", "text\nclean\nchoice\n");
    mine(&dir, &sandbox, "zhipu", "/api/paas/v4");
    let line = |line: &str| dir.batchctl(line).env("MY_KEY", "sandbox-schema").hurried();
    let run = "workflow in.csv out.csv --provider mine -m glm-4-flash --json-schema closed.json";
    line(run).run().exits(3).says(&["invalid 1"]);
    let job = job_of(&dir);
    line("download last -o again.csv").run().exits(3).says(&["invalid 1"]);
    assert_eq!(dir.read("again.csv"), dir.read("out.csv"));
    line(&format!("merge {job} -o merged.csv")).run().exits(3);
    assert_eq!(dir.read("merged.csv"), dir.read("out.csv"));
    // Fewer columns of the same schema, by the job's own.
    line("download last -o few.csv --json-fields kind").run().exits(3);
    let few = dir.cells("few.csv");
    assert_eq!((few.header()[1], few.column("status")[1]), ("kind", "invalid"));
    line("download last -o no.csv --json-fields sort").run().exits(2).says(&["does not have it"]);
    // Another prompt: the schema goes along, in the way of the model that is asked.
    let retry = format!("retry {job} --class invalid --prompt");
    line(&retry).args(&["clean {text}", "--yes"]).run().exits(0);
    let request = sandbox.requests().pop().expect("a request");
    let words = request["body"]["messages"].to_string();
    assert!(words.contains("clean choice") && words.contains("fits this JSON schema"), "{words}");
    assert_eq!(request["body"]["response_format"]["type"], "json_object");
    assert_eq!(dir.cells("out.csv").column("status"), ["ok", "ok"]);
}

/// Field 38: another model is told of the schema in its own way.
#[test]
fn field_38_another_model_is_told_in_its_own_way() {
    let dir = ads();
    let rules = dir.write("rules.toml", RULES);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    dir.write("in.csv", "text\nclean\nchoice\n");
    let run = "workflow in.csv out.csv -m gpt-4o --json-schema closed.json";
    at(&sandbox, dir.batchctl(run)).run().exits(3).says(&["invalid 1"]);
    let job = job_of(&dir);
    let retry = format!("retry {job} --class invalid --yes -m");
    for (model, kind) in [("gpt-4.1", "json_schema"), ("gpt-4-turbo", "json_object")] {
        at(&sandbox, dir.batchctl(&retry).arg(model)).run().exits(3);
        let request = sandbox.requests().pop().expect("a request");
        assert_eq!(request["body"]["model"], model);
        assert_eq!(request["body"]["response_format"]["type"], kind, "{request}");
        let words = request["body"]["messages"].to_string();
        assert_eq!(words.contains("fits this JSON schema"), kind == "json_object", "{words}");
    }
}

/// The request files of `convert` carry the schema in their manifest.
#[test]
fn s1_11_request_files_are_merged_by_their_schema() {
    let dir = ads();
    let rules = dir.write("rules.toml", RULES);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    dir.write("in.csv", "text\nclean\nchoice\n");
    let made = at(&sandbox, dir.batchctl("convert in.csv r.jsonl --json-schema closed.json"));
    made.run().exits(0).says(&["(strict mode)"]);
    at(&sandbox, dir.batchctl("submit r.jsonl --wait --output-dir files")).run();
    let merged = dir.batchctl("merge files/*.jsonl -o merged.csv").run();
    merged.exits(3);
    assert_eq!(dir.cells("merged.csv").column("status"), ["ok", "invalid"]);
}

/// S1.08: a schema is part of the prompt and is counted, wherever it stands.
#[test]
fn s1_08_the_tokens_of_a_schema_are_counted() {
    let sandbox = Sandbox::start();
    let tokens = |kind: &str, path: &str, model: &str, more: &[&str]| {
        let dir = ads();
        mine(&dir, &sandbox, kind, path);
        let line = dir.batchctl("estimate job-ads.csv -n 1 --json --provider mine -m").arg(model);
        let line = line.env("MY_KEY", "sandbox-schema").args(more);
        let plan = line.run().exits(0).json();
        plan["input_tokens"].as_u64().unwrap_or_else(|| panic!("no tokens in {plan}"))
    };
    for (kind, path, model) in
        [("openai", "/v1", "gpt-4o"), ("zhipu", "/api/paas/v4", "glm-4-flash")]
    {
        let without = tokens(kind, path, model, &[]);
        let with = tokens(kind, path, model, &["--json-schema", CLOSED]);
        let kept = tokens(kind, path, model, &["--json-schema", CLOSED, "--no-json-hint"]);
        assert!(with > without + 60, "{kind}: {without} tokens without, {with} with the schema");
        assert_eq!(kept, without, "{kind}");
    }
}

/// B11: the rehearsal refuses what the service would refuse, in its words, and does so row by row.
#[test]
fn b11_the_sandbox_refuses_what_strict_mode_refuses() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text\nhello\n");
    let open = r#"response_format={"type": "json_schema", "json_schema": {"name": "x",
        "strict": true, "schema": {"type": "object", "properties": {}}}}"#;
    let line = dir.batchctl("workflow in.csv out.csv --details --param").arg(open);
    at(&sandbox, line).run().exits(3);
    let error = dir.cells("out.csv").column("error")[0].to_owned();
    assert!(
        error.starts_with(
            "Invalid schema for response_format 'x': In context=(), 'additionalProperties' is \
             required to be supplied and to be false."
        ),
        "{error}"
    );
    // What the user asks for himself goes before the schema, and that is said.
    let line = dir.batchctl("workflow in.csv two.csv --json-schema").arg(OPEN);
    let line = line.args(&["--param", r#"response_format={"type": "text"}"#]);
    at(&sandbox, line).run().says(&["not sent, since --param response_format says what is"]);
}

/// The examples of both READMEs.
#[test]
fn b13_the_schemas_of_the_readmes_fit_strict_mode() {
    let sandbox = Sandbox::start();
    for (table, schema, mood, choices) in [
        ("reviews.csv", "review", "mood", ["good", "bad", "mixed"]),
        ("评论.csv", "评论", "情感", ["正面", "负面", "中性"]),
    ] {
        let dir = WorkDir::new();
        dir.fixture(&format!("tables/{table}"));
        dir.fixture(&format!("schemas/{schema}.schema.json"));
        let line = dir.batchctl(&format!("workflow {table} out.csv --json-schema"));
        let line = line.arg(format!("{schema}.schema.json"));
        at(&sandbox, line).run().says(&["(strict mode)"]);
        let cells = dir.cells("out.csv");
        let good = cells.column("status").iter().filter(|status| **status == "ok").count();
        assert!(good > 3, "{}", dir.read("out.csv"));
        let moods = cells.column(mood);
        assert!(moods.iter().all(|mood| mood.is_empty() || choices.contains(mood)), "{moods:?}");
    }
}
