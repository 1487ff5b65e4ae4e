//! What the written table makes of answers beyond one row each: `--default` fills the fields of
//! rows without a good answer, `--explode` makes a row of each thing in a list (S0.32, S4.14,
//! S4.16). The ledger keeps how each row ended.

use serde_json::json;

use crate::support::outcome::Cells;
use crate::support::runs::{at, job_of, results_of};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

const RULES: &str = r#"
[[rule]]
match = "fine"
reply = '{"mood": "good", "score": 5}'
[[rule]]
match = "lacking"
reply = '{"mood": "bad"}'
[[rule]]
match = "prose"
reply = "I would call it good."
[[rule]]
match = "wrong"
reply = '{"mood": "good", "score": "high"}'
[[rule]]
match = "filtered"
reply = ""
finish_reason = "content_filter"
[[rule]]
match = "broken"
status = 400
message = "too warm"
[[rule]]
match = "two"
reply = '[{"name": "tea", "price": 2}, {"name": "=cake", "price": 3.50}]'
[[rule]]
match = "listed"
reply = '{"items": [{"name": "bun", "price": 1}]}'
[[rule]]
match = "empty"
reply = '{"items": []}'
[[rule]]
match = "half"
reply = '[{"name": "egg", "price": 1}, {"name": "oil", "price": "?"}]'
"#;

fn scripted(dir: &WorkDir) -> Sandbox {
    let rules = dir.write("rules.toml", RULES);
    let script = format!("script:{}", rules.display());
    Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script])
}

/// Columns of a table, a line for each row.
fn seen(cells: &Cells, names: &[&str]) -> String {
    let columns: Vec<_> = names.iter().map(|name| cells.column(name)).collect();
    let row = |at: usize| columns.iter().map(|cells| cells[at]).collect::<Vec<_>>().join(" | ");
    (0..cells.len()).map(|at| row(at).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

const MOODS: &str = "text\nfine\nlacking\nprose\nwrong\nfiltered\nbroken\n";
const FIELDS: &str = "mood,score:number";

/// S4.14, S4.16, B05: failed rows take the user's values and say so; the account closes, and the
/// ledger still knows how each row ended.
#[test]
fn s4_14_s4_16_b05_rows_without_a_good_answer_take_defaults() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", MOODS);
    let line = || {
        let line = "workflow in.csv out.csv --default mood=unknown --default score=0 --json-fields";
        at(&sandbox, dir.batchctl(line).arg(FIELDS))
    };
    let account = "defaulted  5  filled; was refused 1, unparsed 1, invalid 2, error 1";
    line().run().exits(3).says(&["ok         1", account]);
    insta::assert_snapshot!(
        seen(&dir.cells("out.csv"), &["text", "mood", "score", "status", "error"]),
        @r#"
    fine | good | 5 | ok |
    lacking | bad | 0 | defaulted | invalid: `score` is missing where a number is wanted
    prose | unknown | 0 | defaulted | unparsed: no JSON with the wanted fields in the answer
    wrong | good | 0 | defaulted | invalid: `score` is the text "high" where a number is wanted
    filtered | unknown | 0 | defaulted | refused: refused (finish reason content_filter)
    broken | unknown | 0 | defaulted | error: too warm (code invalid_request_error)
    "#
    );
    let status = dir.batchctl("status last --json").run().exits(0).json();
    assert_eq!(status["job"]["statuses"], json!({"ok": 1, "defaulted": 5}));
    let was = json!({"refused": 1, "unparsed": 1, "invalid": 2, "error": 1});
    assert_eq!(status["job"]["defaulted"], was);
    let status = dir.batchctl("status last --exit-status").run().exits(3);
    assert!(status.stdout.contains("ok 1, defaulted 5 (refused 1"), "{}", status.stdout);
    let again = line().arg("--json").run().exits(3).json();
    assert_eq!(again["statuses"], json!({"ok": 1, "defaulted": 5}));
    assert_eq!((&again["defaulted"], &again["rows_out"]), (&was, &json!(6)));
    line().arg("--allow-partial").run().exits(0);
    // A retry sees how they ended.
    let job = job_of(&dir);
    let retry = dir.batchctl(&format!("retry {job} --class unparsed --class invalid --dry-run"));
    at(&sandbox, retry).run().exits(0).says(&["unparsed 1", "invalid 2", "3 requests"]);
    // Another look for once; the job's own stays.
    let other = format!("download {job} -o other.csv --default mood=none");
    at(&sandbox, dir.batchctl(&other)).run().exits(3).says(&["defaulted"]);
    assert_eq!(dir.cells("other.csv").column("mood")[2], "none");
    let status = dir.batchctl("status last --json").run().json();
    assert_eq!(status["job"]["defaulted"], was);
    // Onto a table that is named the answers come as into the job's own.
    let own = format!("merge {job} --details -o own.csv");
    at(&sandbox, dir.batchctl(&own)).run().exits(3);
    let named = format!("merge {job} --original-csv in.csv --details -o named.csv");
    let words = ["defaulted 5 (refused 1", "Cost nothing was charged; would be"];
    dir.batchctl(&named).run().exits(3).says(&words);
    let (own, named) = (dir.cells("own.csv"), dir.cells("named.csv"));
    for column in ["mood", "score", "status", "error", "provider", "cost", "prompt_tokens"] {
        assert_eq!(named.column(column), own.column(column), "{column}");
    }
    assert!(!named.column("cost")[0].is_empty() && !named.column("provider")[0].is_empty());
}

/// B05: an answer that only left a wanted field out is good, but once filled it is not what the
/// model said: that shows in every account.
#[test]
fn s4_16_b05_a_good_answer_that_was_filled_is_counted_as_filled() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", "text\nfine\nlacking\n");
    let line = "workflow in.csv out.csv --json-fields mood,score --default score=0";
    at(&sandbox, dir.batchctl(line)).run().exits(3).says(&["defaulted  1  filled; was ok 1"]);
    let cells = dir.cells("out.csv");
    assert_eq!(
        seen(&cells, &["mood", "score", "status", "error"]),
        "good | 5 | ok |\nbad | 0 | defaulted | ok: not in the answer: score"
    );
    let status = dir.batchctl("status last --exit-status").run().exits(3);
    assert!(status.stdout.contains("ok 1, defaulted 1 (ok 1)"), "{}", status.stdout);
    let status = dir.batchctl("status --json").run().json();
    assert_eq!(status["jobs"][0]["statuses"], json!({"ok": 1, "defaulted": 1}));
}

/// A row that is open may still be answered: nothing is filled until the job is over.
#[test]
fn s4_14_open_rows_are_not_filled() {
    let dir = WorkDir::new();
    let rules = dir.write("rules.toml", RULES);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "6", "--answers", &script]);
    dir.write("in.csv", MOODS);
    let line = "workflow in.csv out.csv --no-wait --default mood=unknown --json-fields";
    at(&sandbox, dir.batchctl(line).arg(FIELDS)).run().exits(0);
    assert_eq!(dir.cells("out.csv").column("status"), ["pending"; 6]);
    assert_eq!(dir.cells("out.csv").column("mood"), [""; 6]);
    at(&sandbox, dir.batchctl("watch last")).run().exits(3).says(&["defaulted"]);
    assert_eq!(dir.cells("out.csv").column("mood")[2], "unknown");
}

const SHOPS: &str = "id,text\n1,two\n2,empty\n3,prose\n4,listed\n5,half\n";

/// S0.32, S4.15: each thing of a list has a row beside the columns of its question, in order; no
/// row is lost; the statuses still sum to the rows that were asked.
#[test]
fn s0_32_s4_15_b05_lists_become_rows() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", SHOPS);
    let line = "workflow in.csv out.csv --explode --row-index --details --json-fields";
    let line = || at(&sandbox, dir.batchctl(line).arg("name,price:number"));
    line().run().exits(3).says(&["exploded  5 rows in, 7 rows out", "ok        3"]);
    let cells = dir.cells("out.csv");
    insta::assert_snapshot!(
        seen(&cells, &["row_index", "id", "text", "name", "price", "status", "prompt_tokens"]),
        @"
    0 | 1 | two | tea | 2 | ok | 50
    0 | 1 | two | '=cake | 3.5 | ok |
    1 | 2 | empty |  |  | ok | 50
    2 | 3 | prose |  |  | unparsed | 51
    3 | 4 | listed | bun | 1 | ok | 50
    4 | 5 | half | egg | 1 | invalid | 50
    4 | 5 | half | oil |  | invalid |
    "
    );
    assert_eq!(
        cells.column("error")[6],
        "item 2: `price` is the text \"?\" where a number is wanted"
    );
    // Its text too, or a table would grow with the square of an answer.
    let has_text: Vec<bool> =
        cells.column("raw_response").iter().map(|text| !text.is_empty()).collect();
    assert_eq!(has_text, [true, false, true, true, true, true, false]);
    let report = line().arg("--json").run().exits(3).json();
    assert_eq!((&report["rows"], &report["rows_out"]), (&json!(5), &json!(7)));
    let exported = dir.batchctl("export last things.csv").run().exits(0);
    exported.says(&["wrote 7 rows (5 asked)"]);
    assert_eq!(report["statuses"], json!({"ok": 3, "unparsed": 1, "invalid": 1}));
    let sum: u64 = cells.column("prompt_tokens").iter().filter_map(|n| n.parse::<u64>().ok()).sum();
    assert_eq!(report["usage"]["prompt_tokens"], sum, "what an answer used stands in one row");
    let status = dir.batchctl("status last").run().exits(0);
    assert!(status.stdout.contains("exploded  5 rows in, 7 rows out"), "{}", status.stdout);
    // The request asks for a list.
    let request = sandbox.requests()[0].to_string();
    assert!(request.contains(r#"{\"items\":[{\"name\":\"…\",\"price\":0}]}"#), "{request}");
}

/// The same rows in every format, with rows that were not selected and with defaults.
#[test]
fn s0_32_s4_14_lists_become_rows_in_every_format() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", SHOPS);
    let line =
        "workflow in.csv out.csv --explode --end-row 4 --default name=? --json-fields name,price";
    at(&sandbox, dir.batchctl(line)).run().exits(3).says(&["4 rows in, 5 rows out"]);
    let names = ["tea", "'=cake", "", "?", "bun"];
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("name"), names);
    assert_eq!(cells.column("status"), ["ok", "ok", "ok", "defaulted", "ok"]);
    let job = job_of(&dir);
    for name in ["all.jsonl", "all.json", "all.tsv"] {
        let again = format!("download {job} --all-rows -o {name}");
        at(&sandbox, dir.batchctl(&again)).run().exits(3);
    }
    let lines: Vec<serde_json::Value> =
        dir.read("all.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let array: Vec<serde_json::Value> = serde_json::from_str(&dir.read("all.json")).unwrap();
    assert_eq!(lines, array);
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "1", "2", "3", "4", "5"]);
    assert_eq!((&lines[1]["name"], &lines[5]["status"]), (&json!("=cake"), &json!(null)));
    assert_eq!(dir.read("all.tsv").lines().count(), 7);
}

/// Result files from anywhere are taken apart and filled the same way.
#[test]
fn s0_32_s4_14_result_files_are_taken_apart_too() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", SHOPS);
    let line = "workflow in.csv out.csv --json-fields name,price";
    at(&sandbox, dir.batchctl(line)).run().exits(3);
    results_of(&dir, &job_of(&dir), "results.jsonl");
    let merge =
        "merge results.jsonl -o merged.csv --original-csv in.csv --explode --default name=?";
    let output = dir.batchctl(merge).run().exits(3);
    output.says(&["ok 4, defaulted 1 (unparsed 1)", "Exploded  5 rows in, 7 rows out"]);
    let names = ["tea", "'=cake", "", "?", "bun", "egg", "oil"];
    assert_eq!(dir.cells("merged.csv").column("name"), names);
    let report = dir.batchctl(merge).args(&["--json"]).run().exits(3).json();
    assert_eq!((&report["rows"], &report["rows_out"]), (&json!(5), &json!(7)));
    assert_eq!(report["defaulted"], json!({"unparsed": 1}));
}

/// B04: what was answered well is not paid for again where other fields of the things are wanted.
#[test]
fn b04_s0_32_other_fields_of_the_same_things_are_not_paid_again() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", SHOPS);
    let line = "workflow in.csv out.csv --overwrite --no-json-hint --explode --json-fields";
    at(&sandbox, dir.batchctl(line).arg("name,price")).run().exits(3);
    assert_eq!(sandbox.requests().len(), 5);
    at(&sandbox, dir.batchctl(line).arg("name")).run().exits(3).says(&["7 rows out", "cached"]);
    assert_eq!(sandbox.requests().len(), 6, "only the one that was not good");
}

/// What cannot work is said before anything is sent, with what to write instead.
#[test]
fn s0_32_what_cannot_be_meant_is_refused_before_money() {
    let dir = WorkDir::new();
    dir.write("in.csv", "id,text,name\n1,a,\n");
    let schema = r#"{"type":"object","properties":{"n":{"type":"integer","maximum":5}}}"#;
    dir.write("s.json", schema);
    let table: [(&str, &[&str]); 11] = [
        ("--json-schema s.json --default n=6", &["`n` is 6, at most 5 is wanted"]),
        ("--json-schema s.json --default n=many", &["`n` is of type string, wanted is integer"]),
        ("--no-wait --max-wait 5s", &["--no-wait", "--max-wait"]),
        ("--explode", &["--explode", "--json-fields name,price --explode"]),
        ("--default mood=x", &["--default", "--json-fields label,score"]),
        ("--json-fields mood --default mod=x", &["no field `mod`", "did you mean `mood`?"]),
        ("--json-fields mood:good|bad --default mood=x", &["wanted is one of good, bad"]),
        ("--json-fields n:number --default n=many", &["wanted is a number"]),
        ("--json-fields mood --default mood", &["write field=value"]),
        ("--json-fields mood --default mood=a --default mood=b", &["two defaults"]),
        ("--json-fields name --skip-filled name --explode", &["--explode", "one cell"]),
    ];
    for (flags, texts) in table {
        let line = format!("workflow in.csv out.csv --input-column text {flags}");
        let run = dir.batchctl(&line).openai_at("http://127.0.0.1:9");
        run.run().exits(2).says(texts);
    }
    assert_eq!(dir.files(), ["in.csv", "s.json"]);
}

const LIST: &str = r#"{"type": "object", "required": ["items"], "properties": {"items":
    {"type": "array", "items": {"type": "object", "required": ["name", "price"],
    "properties": {"name": {"type": "string"}, "price": {"type": "number"}}}}}}"#;

const LISTED: &str = r#"
[[rule]]
match = "fits"
reply = '{"items": [{"name": "tea", "price": 2}, {"name": "bun", "price": 1}]}'
[[rule]]
match = "wrong"
reply = '{"items": [{"name": "tea", "price": 2}, {"name": 7, "price": 1}]}'
"#;

/// With a schema whose top holds a list, the columns are the keys of its things, and the answer is
/// held against it as a whole.
#[test]
fn s0_32_the_things_of_a_schema_become_rows() {
    let dir = WorkDir::new();
    let rules = dir.write("rules.toml", LISTED);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    dir.write("in.csv", "text\nfits\nwrong\n");
    dir.write("list.json", LIST);
    let line = "workflow in.csv out.csv --json-schema list.json --explode --default name=?";
    let run = at(&sandbox, dir.batchctl(line)).run().exits(3);
    run.says(&["2 rows in, 4 rows out", "was invalid 1"]);
    let cells = dir.cells("out.csv");
    assert_eq!(cells.header()[..3], ["text", "name", "price"]);
    assert_eq!(
        seen(&cells, &["name", "price", "status"]),
        "tea | 2 | ok\nbun | 1 | ok\ntea | 2 | defaulted\n? | 1 | defaulted"
    );
    assert!(cells.column("error")[2].contains("/items/1/name"), "{}", cells.column("error")[2]);
    let fields = line.replace("--default name=?", "--json-fields nam");
    at(&sandbox, dir.batchctl(&fields)).run().exits(2).says(&["did you mean `name`?"]);
}

/// S0.32: a note among the things of a list costs no row: the things stay, and the row says what
/// is wrong.
#[test]
fn s0_32_what_is_no_thing_makes_no_row() {
    let dir = WorkDir::new();
    dir.write("in.csv", "id,text\n1,mixed\n2,fits\n");
    let rules = "[[rule]]\nmatch = \"mixed\"\nreply = '[{\"name\": \"tea\"}, \"and\", {\"name\": \"bun\"}]'\n\
                 [[rule]]\nmatch = \"fits\"\nreply = '[{\"name\": \"ale\"}]'\n";
    dir.write("rules.toml", rules);
    let rules = format!("script:{}", dir.path("rules.toml").display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.1", "--answers", &rules]);
    let line = "workflow in.csv out.csv --explode --json-fields name --input-column text";
    at(&sandbox, dir.batchctl(line)).run().exits(3).says(&["2 rows in, 3 rows out"]);
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("name"), ["tea", "bun", "ale"]);
    assert_eq!(cells.column("status"), ["invalid", "invalid", "ok"]);
    assert_eq!(cells.column("error")[0], "element 2 is the text \"and\" where an object is wanted");
}
