use std::fs;

use super::*;
use crate::cost::{ChatText, chat_tokens};
use crate::job::{JobFolder, NoReport, OutputSpec, plan};
use crate::request::{Form, Question, RULES, Source};
use crate::shard::RowsReader;
use crate::table::{ReadOptions, Selection};

const ROWS: usize = 4_000;
const MODEL: &str = "gpt-4o-mini";

fn spec(table: &Table) -> Spec {
    let template = "Is this good? {text}".to_owned();
    Spec {
        rules: RULES,
        provider: "memory".to_owned(),
        base_url: "http://memory".to_owned(),
        completion_window: "24h".to_owned(),
        source: "/in.csv".to_owned(),
        source_digest: String::new(),
        input: "input.csv".to_owned(),
        shape: table.shape().clone(),
        selection: Selection::default(),
        question: Question {
            model: MODEL.to_owned(),
            system: Some("Answer with one word.".to_owned()),
            source: Source::Prompt { template, jinja: false },
            ..Question::default()
        },
        form: Form::default(),
        output: OutputSpec::default(),
        keep_request_files: false,
        limits: None,
        mode: Mode::Batch,
        others: Vec::new(),
        rounds: None,
        reask: 0,
        said: std::collections::BTreeMap::new(),
    }
}

fn chat(text: &str) -> u64 {
    let user = format!("Is this good? {text}");
    let message = |role, content| ChatText { role, name: None, content };
    chat_tokens(MODEL, [message("system", "Answer with one word."), message("user", &user)])
}

/// What a plan says of each row is what reading one row after the other gives, in the order of
/// the table: hashes, keys, lengths, tokens, and the digest of the run, to which rows that are
/// skipped belong.
#[test]
fn a_plan_is_what_one_row_after_the_other_gives() {
    let home = tempfile::tempdir().unwrap();
    let (folder, _lock) = JobFolder::scratch(home.path()).unwrap();
    let path = folder.input("input.csv");
    let cell = |row: usize| match row % 10 {
        3 => String::new(),
        _ => format!("\"很好, {row} \"\"good\"\"\n{}\"", "so lala ".repeat(row % 60)),
    };
    let lines: String = (0..ROWS).map(|row| format!("{row},{}\n", cell(row))).collect();
    fs::write(&path, format!("id,text\n{lines}")).unwrap();
    let table = Table::open(&path, &ReadOptions::default(), folder.root()).unwrap();
    let spec = spec(&table);
    let limits = Limits { max_requests: 1_100, max_bytes: 1_000_000, max_line_bytes: None };
    let pricing = Pricing::default();
    let planned = |lists, most| {
        plan((&spec, &pricing), &table, (&limits, most), lists, None, &NoReport).unwrap()
    };
    let plan = planned(Lists::In(&folder), Most::default());

    let mut digest = digest_of(&spec);
    let mut compiled = spec.question.compile(table.headers()).unwrap();
    let (mut entries, mut tokens) = (Vec::new(), 0);
    let mut rows = table.rows().unwrap();
    while let Some(row) = rows.next_row().unwrap() {
        digest.update(&row.number().to_le_bytes());
        let Ok(measure) = compiled.measure(row, CustomId::length(row.number(), 1)) else {
            digest.update(b"Empty");
            continue;
        };
        digest.update(&measure.content_key);
        let Position { row: number, line, offset } = row.position();
        let (row_hash, content_key) = (row.hash(), measure.content_key);
        let line_bytes = measure.line_bytes;
        entries.push(RowEntry { row: number, line, offset, line_bytes, row_hash, content_key });
        tokens += chat(row.cell(1));
    }
    let list = |shard: &NewShard| RowsReader::open(&folder.rows_file(&shard.as_record().stem()));
    let listed: Vec<RowEntry> =
        plan.shards.iter().flat_map(|shard| list(shard).unwrap()).map(Result::unwrap).collect();
    assert_eq!(listed, entries);
    assert_eq!(plan.run_digest, digest.finalize().to_hex().to_string());
    assert_eq!(plan.estimate.sent.text_tokens, tokens);
    assert_eq!(plan.shards.iter().map(|shard| shard.tokens).sum::<u64>(), tokens);
    let rows = ROWS as u64;
    assert_eq!((plan.tally.rows, plan.estimate.skipped), (rows, rows / 10));

    // Where nothing is listed, all figures are the same, those of shards that are cut anew too.
    let tokens = Most { tokens: Some(tokens / 7), ..Most::default() };
    let requests = Most { requests: Some(1_500), ..Most::default() };
    for most in [Most::default(), tokens, requests] {
        let (listed, unlisted) = (planned(Lists::In(&folder), most), planned(Lists::Nowhere, most));
        assert_eq!(unlisted.shards, listed.shards, "{most:?}");
        assert_eq!(unlisted.run_digest, listed.run_digest);
        assert_eq!(format!("{:?}", unlisted.estimate), format!("{:?}", listed.estimate));
        assert_eq!(listed.shards.len() > plan.shards.len(), most != Most::default());
    }
}
