//! The ladder of second questions: answers that are not the JSON that was wanted are asked for
//! again, with what was wrong with them, in further rounds of the same job (B07; field reports 37
//! to 41). The sandbox answers badly on purpose, and its billing ledger is the judge of the price.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::bench::{signal, until};
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
    asked.unwrap_or(200)
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

/// B07, field reports 37, 38, 39: the whole ladder. Prose and answers against the type are asked
/// again, cut off and refused ones are not, and what it cost is what was billed.
#[test]
fn b07_field_37_38_39_the_whole_ladder() {
    let rows = rows();
    let (dir, sandbox) = scene(rows, &["--batch-seconds", "0.3"]);
    let output = at(&sandbox, dir.batchctl(LINE)).args(&["--reask", "2"]).run().exits(3);
    let output = output.says(&["round 2:", "round 3:", "with what was wrong with the answer"]);
    holds(&dir, &sandbox, rows);
    let of = |letters: &str| (0..rows).filter(|row| letters.contains(kind(*row))).count() as u64;
    let bill = bill(&sandbox);
    assert_eq!(bill.len() as u64, rows as u64 + of("abcfg") + of("bcg"));
    // Whatever a model said is kept: each answer is a line of a result file.
    let prose = "It is rather good, I think (a1).";
    assert_eq!(kept(&dir, prose), of("a"), "field 39");
    if rows >= 1_000 {
        println!("{}", output.stderr);
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

/// P1, P3, P4: killed between any two moments of it, nothing is paid twice and nothing is lost.
#[test]
fn p1_p4_a_killed_ladder_goes_on_where_it_was() {
    let (dir, sandbox) = scene(40, &["--batch-seconds", "0.6"]);
    let line = format!("{LINE} --set max_shard_requests=30 --reask 2");
    for executed in [30, 40, 46] {
        let mut child = at(&sandbox, dir.batchctl(&line)).spawn();
        until("batches have run", || bill(&sandbox).len() >= executed);
        signal(&child, "KILL");
        child.wait().expect("it was killed");
    }
    at(&sandbox, dir.batchctl(&line)).run().exits(3);
    holds(&dir, &sandbox, 40);
}
