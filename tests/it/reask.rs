//! The ladder of second questions: answers that are not the JSON that was wanted are asked for
//! again, with what was wrong with them, in further rounds of the same job (B07; field reports 37
//! to 41). The sandbox answers badly on purpose, and its billing ledger is the judge of the price.

mod steps;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::bench::until;
use crate::support::runs::{at, job_folder, job_of};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// Two and ten units a million tokens, in a batch half of it.
const PRICES: &str = "[prices.\"gpt-4o\"]\ninput = 2\noutput = 10\nbatch_factor = 0.5\n\
                      currency = \"USD\"\n";
/// Trillionths a token in a batch: of the prompt, of the completion.
const PRICE: (u64, u64) = (1_000_000, 5_000_000);

/// What rows of each kind are answered, question by question. An answer is known by its mark when
/// it comes back, so rules for later questions stand first.
const RULES: &str = r#"[
    {"match": "(g2)", "reply": "Prose for ever (g3)."},
    {"match": "g1", "reply": "Prose now (g2)."},
    {"match": "f1", "reply": "{\"score\": 9}"},
    {"match": "(c2)", "reply": "{\"score\": \"c3\"}"},
    {"match": "(c1)", "reply": "Still no idea (c2)."},
    {"match": "b2", "reply": "{\"score\": 8}"},
    {"match": "(b1)", "reply": "{\"score\": \"b2\"}"},
    {"match": "(a1)", "reply": "{\"score\": 7}"},
    {"match": "kind-a", "reply": "It is rather good, I think (a1)."},
    {"match": "kind-b", "reply": "Hard to say, 难说 (b1)."},
    {"match": "kind-c", "reply": "I would not know (c1)."},
    {"match": "kind-d", "reply": "{\"score\": 1", "finish_reason": "length"},
    {"match": "kind-e", "reply": "", "finish_reason": "content_filter"},
    {"match": "kind-f", "reply": "{\"score\": \"f1\"}"},
    {"match": "kind-g", "reply": "{\"score\": \"g1\"}"},
    {"match": "", "reply": "{\"score\": 5}"}
]"#;

const LINE: &str = "workflow in.csv out.csv --json-fields score:number --max-tokens 64 \
                    --input-column text --check-interval 2";

/// Of each kind of row, by its letter: how it ends with two second questions, how many answers it
/// got, and the raw answer that the table keeps.
const KINDS: [(char, &str, u64, &str); 8] = [
    ('a', "ok", 2, "{\"score\": 7}"),
    ('b', "ok", 3, "{\"score\": 8}"),
    ('c', "invalid", 3, "{\"score\": \"c3\"}"),
    ('d', "truncated", 1, "{\"score\": 1"),
    ('e', "refused", 1, ""),
    ('f', "ok", 2, "{\"score\": 9}"),
    // The first answer holds more of what is wanted than the prose that came later.
    ('g', "invalid", 3, "{\"score\": \"g1\"}"),
    ('z', "ok", 1, "{\"score\": 5}"),
];

/// Of forty rows, 10 % answer in prose, 5 % are cut off, 5 % refuse, 5 % are against the type.
fn kind(row: usize) -> char {
    match row % 40 {
        0 | 20 => 'a',
        1 => 'b',
        21 => 'c',
        2 | 22 => 'd',
        3 | 23 => 'e',
        4 => 'f',
        24 => 'g',
        _ => 'z',
    }
}

/// A folder with a table of so many rows, and a sandbox with the rules.
fn scene(rows: usize, flags: &[&str]) -> (WorkDir, Sandbox) {
    let dir = WorkDir::new();
    dir.config(PRICES);
    let mut table = "id,text\n".to_owned();
    for row in 0..rows {
        table += &format!("{row},row {row} of kind-{}\n", kind(row));
    }
    dir.write("in.csv", table);
    let rules = dir.write("rules.json", RULES);
    let rules = rules.to_string_lossy().into_owned();
    let rules = format!("script:{rules}");
    let mut all = vec!["--answers", &rules];
    all.extend(flags);
    let sandbox = Sandbox::with(&all);
    (dir, sandbox)
}

/// Every row of the bill: its id, prompt and completion tokens.
fn bill(sandbox: &Sandbox) -> Vec<(String, u64, u64)> {
    let entries = sandbox.ledger().into_iter().filter(|entry| entry["event"] == "executed");
    let rows = entries.flat_map(|entry| entry["rows"].as_array().cloned().unwrap_or_default());
    rows.map(|row| {
        let number = |key: &str| row[key].as_u64().expect("a number");
        let id = row["custom_id"].as_str().expect("an id").to_owned();
        (id, number("prompt_tokens"), number("completion_tokens"))
    })
    .collect()
}

fn priced<'a>(rows: impl Iterator<Item = &'a (String, u64, u64)>) -> u64 {
    rows.map(|(_, prompt, completion)| prompt * PRICE.0 + completion * PRICE.1).sum()
}

fn pico(amount: &Value) -> u64 {
    let units = amount.as_f64().unwrap_or_else(|| panic!("an amount: {amount}"));
    format!("{:.0}", units * 1e12).parse().expect("a whole number")
}

fn status(sandbox: &Sandbox, dir: &WorkDir) -> Value {
    at(sandbox, dir.batchctl("status last --json")).run().exits(0).json()["job"].clone()
}

/// Rows, or as many as the environment asks for.
fn rows() -> usize {
    let asked = std::env::var("BATCHCTL_TEST_ROWS").ok().and_then(|rows| rows.parse().ok());
    asked.unwrap_or(120)
}

/// Each row was paid for as often as its kind is asked, and every round once.
#[track_caller]
fn holds(dir: &WorkDir, sandbox: &Sandbox, rows: usize) {
    let bill = bill(sandbox);
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for (id, ..) in &bill {
        *times.entry(id).or_default() += 1;
    }
    assert!(times.values().all(|n| *n == 1), "P1: {times:?}");
    let cells = dir.cells("out.csv");
    let column =
        |name: &str| -> Vec<String> { cells.column(name).into_iter().map(str::to_owned).collect() };
    let (statuses, raw) = (column("status"), column("raw_response"));
    assert_eq!(statuses.len(), rows, "P2");
    for row in 0..rows {
        let (_, ending, asked, answer) =
            KINDS.into_iter().find(|(letter, ..)| *letter == kind(row)).expect("every kind");
        assert_eq!((statuses[row].as_str(), raw[row].as_str()), (ending, answer), "row {row}");
        let paid = times.keys().filter(|id| id.contains(&format!("-{row:07}-"))).count();
        assert_eq!(paid as u64, asked, "row {row} of kind {}", kind(row));
    }
    let job = status(sandbox, dir);
    assert_eq!(pico(&job["cost"]["actual"]), priced(bill.iter()), "P7: the account is the bill");
    assert_eq!(job["cost"]["usage_unknown"], 0);
}

/// The cells of `--details` add up to the bill, of rows with several answers too.
#[track_caller]
fn cells_are_the_bill(dir: &WorkDir, sandbox: &Sandbox) {
    let bill = bill(sandbox);
    let cells = dir.cells("out.csv");
    let sum = |name: &str| -> f64 {
        cells
            .column(name)
            .iter()
            .filter(|cell| !cell.is_empty())
            .map(|n| n.parse::<f64>().unwrap())
            .sum()
    };
    #[expect(clippy::cast_precision_loss, reason = "a few thousand tokens")]
    let prompts = bill.iter().map(|(_, prompt, _)| *prompt).sum::<u64>() as f64;
    assert!((sum("prompt_tokens") - prompts).abs() < 0.5, "the cells are the bill: {prompts}");
    #[expect(clippy::cast_precision_loss, reason = "less than a dollar")]
    let paid = priced(bill.iter()) as f64 / 1e12;
    assert!((sum("cost") - paid).abs() < 1e-9, "the cells are the bill: {paid}");
}

/// A schema that says what the typed field does.
const SCHEMA: &str = r#"{"type": "object", "properties": {"score": {"type": "number"}},
    "required": ["score"], "additionalProperties": false}"#;

/// What is wanted of each answer, and what comes in a second question beside the fault.
const FORMS: [(&str, &str); 3] = [
    ("--json-fields score:number", "{\"score\":0}"),
    ("--json-schema schema.json", "in the form that was asked for"),
    ("--json-schema schema.json --json-fields score", "in the form that was asked for"),
];

/// B07, field reports 37, 38, 39, 41: the whole ladder, by typed fields and by a schema. Prose and
/// answers against the type are asked again, cut off and refused ones are not, and what it cost is
/// what was billed.
#[test]
fn b07_field_37_38_39_41_the_whole_ladder() {
    for (form, asked) in FORMS {
        let rows = rows();
        let (dir, sandbox) = scene(rows, &["--batch-seconds", "0.3"]);
        dir.write("schema.json", SCHEMA);
        let line = LINE.replace("--json-fields score:number", form);
        let output =
            at(&sandbox, dir.batchctl(&line)).args(&["--reask", "2", "--details"]).run().exits(3);
        cells_are_the_bill(&dir, &sandbox);
        let output = output.says(&["round 2:", "round 3:", "with what was wrong with the answer"]);
        holds(&dir, &sandbox, rows);
        let of =
            |letters: &str| (0..rows).filter(|row| letters.contains(kind(*row))).count() as u64;
        // The rows of a further round are counted by themselves: no counter falls (field 41).
        let output = output.says(&[&format!("/{}", of("abcfg")), &format!("/{}", of("bcg"))]);
        let (again, good) = (of("abcfg"), of("abf"));
        output.says(&[&format!("re-asked  {again} rows, of which {good} are good now;")]);
        let bill = bill(&sandbox);
        assert_eq!(bill.len() as u64, rows as u64 + again + of("bcg"), "{form}");
        // P2, B05: every row has one status, and they sum.
        let statuses = status(&sandbox, &dir)["statuses"].clone();
        let expected = serde_json::json!({
            "ok": of("abfz"), "truncated": of("d"), "refused": of("e"), "invalid": of("cg"),
        });
        assert_eq!(statuses, expected, "{form}");
        let sum: u64 = statuses.as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(sum, rows as u64, "{form}");
        // Whatever a model said is kept: each answer is a line of a result file.
        let prose = "It is rather good, I think (a1).";
        assert_eq!(kept(&dir, prose), of("a"), "field 39");
        let (first, second) = (requests(&sandbox, 1), requests(&sandbox, 2));
        assert_eq!(second[&4]["response_format"], first[&4]["response_format"], "{form}");
        let said = second[&4]["messages"].as_array().and_then(|all| all.last()).expect("a remark");
        let said = said["content"].as_str().expect("a text");
        assert!(said.starts_with("That answer cannot be used: ") && said.contains("score"));
        assert!(said.contains(asked), "{form}: {said}");
    }
}

/// How many lines of the job's result files hold these words.
fn kept(dir: &WorkDir, words: &str) -> u64 {
    let folder = job_folder(dir, &job_of(dir)).join("results");
    let files = std::fs::read_dir(folder).expect("the job has results");
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.map(|text| text.lines().filter(|line| line.contains(words)).count() as u64).sum()
}

/// Nothing of it happens where nobody wants it.
#[test]
fn without_the_flag_nothing_is_asked_again() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.3"]);
    at(&sandbox, dir.batchctl(LINE)).run().exits(3);
    assert_eq!((bill(&sandbox).len(), sandbox.created()), (40, 1));
    let job = status(&sandbox, &dir);
    assert_eq!((&job["statuses"]["unparsed"], &job["statuses"]["invalid"]), (&4.into(), &2.into()));
}

/// The requests that were sent in a round, by row.
fn requests(sandbox: &Sandbox, round: u32) -> BTreeMap<u64, Value> {
    let mut found = BTreeMap::new();
    for request in sandbox.requests() {
        let id = request["custom_id"].as_str().expect("an id").to_owned();
        let mut parts = id.split('-').skip(1);
        let row: u64 = parts.next().and_then(|row| row.parse().ok()).expect("an id has a row");
        if parts.next() == Some(&format!("r{round}")) {
            found.insert(row, request["body"].clone());
        }
    }
    found
}

/// Field report 37: the second question is the first one, the answer, and what is wrong with it;
/// what comes beside the messages stays as it is.
#[test]
fn field_37_a_second_question_holds_the_answer_and_what_is_wrong_with_it() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.3"]);
    at(&sandbox, dir.batchctl(LINE)).args(&["--reask", "1"]).run().exits(3);
    let (first, second) = (requests(&sandbox, 1), requests(&sandbox, 2));
    assert_eq!(second.keys().copied().collect::<Vec<_>>(), [0, 1, 4, 20, 21, 24]);
    for (row, answer, wrong) in [
        (1, "Hard to say, 难说 (b1).", "no JSON with the wanted fields in the answer"),
        (24, "{\"score\": \"g1\"}", "`score` is the text \"g1\" where a number is wanted"),
    ] {
        let (mut again, before) = (second[&row].clone(), &first[&row]);
        let messages = again["messages"].as_array().expect("messages").clone();
        let (old, new) = messages.split_at(messages.len() - 2);
        assert_eq!(old, before["messages"].as_array().expect("messages"), "row {row}");
        assert_eq!(new[0], serde_json::json!({"role": "assistant", "content": answer}));
        assert_eq!(new[1]["role"], "user");
        let said = new[1]["content"].as_str().expect("a text");
        let start = format!("That answer cannot be used: {wrong}. Answer with one JSON object");
        assert!(said.starts_with(&start) && said.contains("{\"score\":0}"), "{said}");
        again["messages"] = before["messages"].clone();
        assert_eq!(&again, before, "row {row}");
    }
}

/// The same at the endpoint that takes `input`, and for cells that hold messages.
#[test]
fn field_37_every_kind_of_request_can_be_put_again() {
    let roles = |body: &Value, key: &str| -> Vec<String> {
        let list = body[key].as_array().expect("messages");
        list.iter().map(|m| m["role"].as_str().expect("a role").to_owned()).collect()
    };
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.3"]);
    let line = format!("{LINE} --endpoint responses --reask 1");
    at(&sandbox, dir.batchctl(&line)).run().exits(3);
    let second = requests(&sandbox, 2);
    assert_eq!(second.len(), 6);
    assert_eq!(roles(&second[&0], "input"), ["user", "assistant", "user"]);
    let (dir, sandbox) = scene(1, &["--batch-seconds", "0.3"]);
    let cell = r#"[{"role":"system","content":"JSON: score"},{"role":"user","content":"kind-a"}]"#;
    dir.table("in.csv", &[&["id", "messages"], &["1", cell]]);
    let line = "workflow in.csv out.csv --json-fields score:number --reask 1 --check-interval 2";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    assert_eq!(
        roles(&requests(&sandbox, 2)[&0], "messages"),
        ["system", "system", "user", "assistant", "user"]
    );
}

/// A row that asks the same gets the second answer too, and so does a later job: it is an answer to
/// that very question, and asked again the question would be answered badly and paid for first.
#[test]
fn b04_a_second_answer_is_good_for_equal_rows_and_later_jobs() {
    let (dir, sandbox) = scene(1, &["--batch-seconds", "0.3"]);
    dir.write("in.csv", "id,text\n1,kind-a\n2,kind-c\n3,kind-a\n4,fine\n");
    let line = format!("{LINE} --reask 2");
    at(&sandbox, dir.batchctl(&line))
        .run()
        .exits(3)
        .says(&["re-asked  3 rows, of which 2 are good now;", "3 further answers"])
        .says(&["by 1 equal row"]);
    assert_eq!(dir.cells("out.csv").column("status"), ["ok", "invalid", "ok", "ok"]);
    assert_eq!(bill(&sandbox).len(), 3 + 2 + 1, "equal rows are asked once, each time");
    let answers = dir.cells("out.csv");
    assert_eq!(answers.column("raw_response")[2], "{\"score\": 7}");
    dir.write("in.csv", "id,text\n9,kind-a\n");
    at(&sandbox, dir.batchctl(LINE)).arg("--overwrite").run().exits(0);
    assert_eq!(dir.cells("out.csv").column("status"), ["cached"]);
    assert_eq!(bill(&sandbox).len(), 6, "nothing was sent");
}

/// B10: second questions are reserved like all others: where a limit has no room for them they wait
/// (exit 7), and go on where it is raised.
#[test]
fn b10_second_questions_are_reserved_before_they_are_sent() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.1"]);
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run();
    run(&format!("{LINE} --reask 2 --no-wait --max-cost 1USD")).exits(0);
    until("the first questions have run", || bill(&sandbox).len() == 40);
    #[expect(clippy::cast_precision_loss, reason = "less than a dollar")]
    let spent = priced(bill(&sandbox).iter()) as f64 / 1e12;
    let output = run(&format!("resume last --max-cost {:.6}USD", spent + 0.0005)).exits(7);
    output.says(&["round 2:", "--max-cost is", "go on:"]);
    assert_eq!(bill(&sandbox).len(), 40, "only the first questions");
    let job = status(&sandbox, &dir);
    assert_eq!((&job["state"], &job["statuses"]["unparsed"]), (&"waiting".into(), &4.into()));
    run("resume last --max-cost 1USD").exits(3);
    holds(&dir, &sandbox, 40);
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.1"]);
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run();
    run(&format!("{LINE} --reask 2 --set max_requests=42")).exits(7).says(&["max_requests is 42"]);
    assert_eq!(bill(&sandbox).len(), 40);
    // Whoever does not want to pay for them keeps the answers there are.
    run("cancel last").exits(3);
    let job = status(&sandbox, &dir);
    assert_eq!((&job["statuses"]["unparsed"], &job["statuses"]["invalid"]), (&4.into(), &2.into()));
}

/// What stands before and after: how often, how likely, at worst; learned where rows of this
/// prompt were answered.
#[test]
fn b07_the_price_of_second_questions_is_shown() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.3"]);
    let line = format!("{LINE} --reask 2");
    let plan = at(&sandbox, dir.batchctl(&line)).arg("--estimate-cost").run().exits(0);
    for words in ["Re-asks   at most 2 times a row, where", "(assumed: 5 %", "asked 2 times more"] {
        assert!(plan.stdout.contains(words), "{words}: {}", plan.stdout);
    }
    at(&sandbox, dir.batchctl(&line)).run().exits(3).says(&[
        "re-asks: at most 2 times a row",
        "re-asked  6 rows, of which 4 are good now;",
        "9 further answers, $",
    ]);
    let cost = status(&sandbox, &dir)["cost"].clone();
    let reasks = &cost["reasks"];
    assert_eq!(
        (&reasks["rows"], &reasks["good"], &reasks["answers"]),
        (&6.into(), &4.into(), &9.into())
    );
    let later = |(id, ..): &&(String, u64, u64)| !id.ends_with("-r1");
    assert_eq!(pico(&reasks["cost"]), priced(bill(&sandbox).iter().filter(later)));
    let again = at(&sandbox, dir.batchctl(&line)).args(&["--again", "--estimate-cost"]);
    let again = again.run().exits(0).stdout;
    assert!(again.contains("6 of 40 earlier answers were bad"), "{again}");
    let shown = at(&sandbox, dir.batchctl("status last")).run().stdout;
    assert!(shown.contains("asked again"), "{shown}");
}

/// Where there is nothing to be asked again, the flag is refused with the way out; a setting for
/// all jobs is left aside.
#[test]
fn b07_the_flag_needs_an_answer_that_can_be_wrong() {
    let (dir, sandbox) = scene(2, &["--batch-seconds", "0.3"]);
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run();
    run("workflow in.csv out.csv --reask 1").exits(2).says(&["--json-fields"]);
    run("workflow in.csv out.csv --reask 9").exits(2).says(&["0 to 5"]);
    let both = format!("{LINE} --reask 1 --finish none");
    run(&both).exits(2).says(&["--finish none"]);
    run("workflow in.csv out.csv --input-column text --set reask=9").exits(2).says(&["0 to 5"]);
    assert_eq!(sandbox.created(), 0);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --input-column text"))
        .env("BATCHCTL_REASK", "2")
        .run()
        .exits(0);
}

/// A job keeps the number that it was made with and whose price was agreed to; `retry` may pay for
/// another.
#[test]
fn a_job_keeps_its_number_and_retry_may_change_it() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.3"]);
    at(&sandbox, dir.batchctl(LINE)).run().exits(3);
    let line = format!("{LINE} --reask 2");
    at(&sandbox, dir.batchctl(&line))
        .run()
        .exits(3)
        .says(&["nothing is sent", "keeps the --reask 0"]);
    assert_eq!(bill(&sandbox).len(), 40);
    let retry = at(&sandbox, dir.batchctl("retry last --reask 2")).run().exits(3);
    retry.says(&["re-asks: at most 2 times a row", "round 3:", "round 4:"]);
    let job = status(&sandbox, &dir);
    assert_eq!((&job["statuses"]["ok"], &job["statuses"]["invalid"]), (&34.into(), &2.into()));
    assert_eq!(bill(&sandbox).len(), 40 + 6 + 6 + 3, "asked anew, then twice with the answer");
    assert_eq!(pico(&job["cost"]["actual"]), priced(bill(&sandbox).iter()), "P7");
}

/// Field report 42: what a second question may mend does not stop the job before it was asked; where
/// it does not help, the job stops before a third one, and names the classes that have rows.
#[test]
fn field_42_abort_share_waits_for_second_questions() {
    for (mark, exit, asked) in [("kind-a", 0, 30 + 30), ("kind-c", 5, 30 + 30)] {
        let (dir, sandbox) = scene(1, &["--batch-seconds", "0.1"]);
        let rows: String = (0..30).map(|row| format!("{row},row {row} of {mark}\n")).collect();
        dir.write("in.csv", format!("id,text\n{rows}"));
        let output = at(&sandbox, dir.batchctl(LINE)).args(&["--reask", "2"]).run().exits(exit);
        assert_eq!(bill(&sandbox).len(), asked, "{mark}");
        if exit == 5 {
            output.says(&[
                "30 of 30 rows of shard 1 of round 2",
                "--class unparsed --prompt-file FILE",
            ]);
            let resumed = at(&sandbox, dir.batchctl("resume last")).run().exits(3);
            resumed.says(&["round 3:", "retry"]);
            assert_eq!(bill(&sandbox).len(), asked + 30, "a person said to go on");
        }
    }
}

/// B07: the price of a retry holds that of the second questions which it may need.
#[test]
fn b07_the_price_of_a_retry_holds_its_second_questions() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.1"]);
    let price = |output: &crate::support::workdir::Output| -> f64 {
        let line = output.stderr.lines().find(|line| line.contains("as one more batch"));
        let line = line.unwrap_or_else(|| panic!("{output}"));
        let price = line.split('$').nth(1).expect("a price");
        let end = price.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(price.len());
        price[..end].trim_end_matches('.').parse().unwrap_or_else(|_| panic!("{line}"))
    };
    let with = at(&sandbox, dir.batchctl(&format!("{LINE} --reask 2"))).run().exits(3);
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.1"]);
    let without = at(&sandbox, dir.batchctl(LINE)).run().exits(3);
    // Two rows are left of six, and may need two further answers each.
    assert!(price(&with) / 2.0 > price(&without) / 6.0, "{with}\n{without}");
}
