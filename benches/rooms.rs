//! What each room costs a row, beside a peer that does the same work plainly: `cargo bench`.
//!
//! Only the ratios within one run are worth anything. Whole commands against other programs are
//! timed by `scripts/bench.sh`.

use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;

use batchctl::answer::{Expected, Wanted, judge};
use batchctl::batch::{ResultLine, decode_line};
use batchctl::cost::Tokenizer;
use batchctl::request::{CustomId, Form, Question, Source};
use batchctl::table::{ReadOptions, Row, Table};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde_json::{Value, json};
use tempfile::TempDir;

const ROWS: u64 = 10_000;

fn main() {
    divan::main();
}

/// A table as people have them: short and long cells, quotes, line feeds, two languages.
fn csv() -> String {
    let mut text = String::from("id,question,note\r\n");
    for row in 0..ROWS {
        let _ = write!(
            text,
            "{row},\"Is \"\"{row}\"\" good?\n物流很快，质量不错，第{row}次购买。\",{}\r\n",
            "the same note on most rows ".repeat(1 + usize::from(row % 7 == 0) * 4),
        );
    }
    text
}

/// The table on disk; dropped with its folder.
fn table() -> (TempDir, Table) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("in.csv");
    std::fs::write(&path, csv()).expect("the folder was just made");
    let table = Table::open(&path, &ReadOptions::default(), folder.path()).expect("it is good CSV");
    (folder, table)
}

fn rows(table: &Table) -> Vec<Row> {
    let mut rows = table.rows().expect("the table was opened");
    let mut all = Vec::new();
    while let Some(row) = rows.next_row().expect("it is good CSV") {
        all.push(row.clone());
    }
    all
}

/// Records out of a file: numbered, their raw bytes kept.
mod reading {
    use super::{Bencher, BufReader, BytesCount, File, csv, table};

    #[divan::bench]
    fn scanner(bencher: Bencher<'_, '_>) {
        let (_folder, table) = table();
        bencher.counter(BytesCount::of_str(&csv())).bench(|| {
            let mut rows = table.rows().unwrap();
            let mut cells = 0;
            while let Some(row) = rows.next_row().unwrap() {
                cells += row.cell(1).len();
            }
            cells
        });
    }

    #[divan::bench]
    fn csv_crate(bencher: Bencher<'_, '_>) {
        let (_folder, table) = table();
        bencher.counter(BytesCount::of_str(&csv())).bench(|| {
            let file = BufReader::new(File::open(table.text_path()).unwrap());
            let mut reader = csv::Reader::from_reader(file);
            let mut record = csv::StringRecord::new();
            let mut cells = 0;
            while reader.read_record(&mut record).unwrap() {
                cells += record[1].len();
            }
            cells
        });
    }
}

/// Request lines out of rows.
mod building {
    use super::{Bencher, CustomId, ItemsCount, Question, Source, json, rows, table};

    const SYSTEM: &str = "You judge shops.";

    #[divan::bench]
    fn compiled(bencher: Bencher<'_, '_>) {
        let (_folder, table) = table();
        let rows = rows(&table);
        let question = Question {
            model: "gpt-4o-mini".to_owned(),
            system: Some(SYSTEM.to_owned()),
            source: Source::Prompt {
                template: "Judge: {question} ({note})".to_owned(),
                jinja: false,
            },
            ..Question::default()
        };
        let mut compiled = question.compile(table.headers()).unwrap();
        let mut out = Vec::new();
        bencher.counter(ItemsCount::new(rows.len())).bench_local(|| {
            out.clear();
            for row in &rows {
                let id = CustomId { job6: "k7f2qd".to_owned(), row: row.number(), round: 1 };
                compiled.write_line(row, &id.to_string(), &mut out).unwrap();
            }
            out.len()
        });
    }

    #[divan::bench]
    fn json_macro(bencher: Bencher<'_, '_>) {
        let (_folder, table) = table();
        let rows = rows(&table);
        let mut out = Vec::new();
        bencher.counter(ItemsCount::new(rows.len())).bench_local(|| {
            out.clear();
            for row in &rows {
                let prompt = format!("Judge: {} ({})", row.cell(1), row.cell(2));
                let line = json!({
                    "custom_id": format!("k7f2qd-{:07}-r1", row.number()),
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": {
                        "model": "gpt-4o-mini",
                        "messages": [
                            {"role": "system", "content": SYSTEM},
                            {"role": "user", "content": prompt},
                        ],
                    },
                });
                serde_json::to_writer(&mut out, &line).unwrap();
                out.push(b'\n');
            }
            out.len()
        });
    }
}

/// Result lines judged, by how the JSON stands in the answer.
mod judging {
    use super::{
        Bencher, Expected, Form, ItemsCount, ResultLine, Value, Wanted, black_box, decode_line,
        json, judge,
    };

    const ANSWERS: [(&str, &str); 4] = [
        ("direct", r#"{"mood": "good", "score": 0.9}"#),
        ("fenced", "Here you are:\n```json\n{\"mood\": \"good\", \"score\": 0.9}\n```"),
        ("prose", r#"The mood (see above) is {"mood": "good", "score": 0.9}, I think."#),
        ("repaired", "{'mood': 'good', 'score': 0.9,}"),
    ];

    fn line(answer: &str) -> Vec<u8> {
        let line = json!({
            "id": "batch_req_1",
            "custom_id": "k7f2qd-0000007-r1",
            "response": {"status_code": 200, "request_id": "r", "body": {
                "id": "c", "object": "chat.completion", "created": 1_760_000_000,
                "model": "gpt-4o-mini",
                "choices": [{
                    "index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": answer},
                }],
                "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
            }},
            "error": null,
        });
        line.to_string().into_bytes()
    }

    #[divan::bench(args = ANSWERS.map(|(name, _)| name))]
    fn decoded_and_judged(bencher: Bencher<'_, '_>, name: &str) {
        let (_, answer) = ANSWERS.iter().find(|(known, _)| *known == name).unwrap();
        let line = line(answer);
        let fields = Some("mood:good|bad,score:number".to_owned());
        let form = Form { fields, ..Form::default() };
        let expected = Expected::read(&form).unwrap();
        let wanted: Wanted<'_> = expected.wanted();
        bencher.counter(ItemsCount::new(1_usize)).bench(|| {
            let line: ResultLine = decode_line(&line).unwrap();
            judge(&line, wanted).values.len()
        });
    }

    /// What a script does, which trusts every answer to be JSON.
    #[divan::bench]
    fn two_values(bencher: Bencher<'_, '_>) {
        let line = line(ANSWERS[0].1);
        bencher.counter(ItemsCount::new(1_usize)).bench(|| {
            let line: Value = serde_json::from_slice(&line).unwrap();
            let content = &line["response"]["body"]["choices"][0]["message"]["content"];
            let answer: Value = serde_json::from_str(content.as_str().unwrap()).unwrap();
            black_box(answer["mood"].as_str().unwrap().len())
        });
    }
}

/// Tokens of a text; its peer in Python is in `scripts/bench.sh`.
#[divan::bench(args = ["gpt-4o", "glm-4-flash", "qwen-plus", "deepseek-chat"])]
fn counting(bencher: Bencher<'_, '_>, model: &str) {
    let text = csv();
    let (tokenizer, _) = Tokenizer::for_model(model);
    bencher.counter(BytesCount::of_str(&text)).bench(|| tokenizer.count(black_box(&text)));
}
