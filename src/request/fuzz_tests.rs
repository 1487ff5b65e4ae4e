//! Random changes to templates and cells: a template is refused with words, or its lines are whole
//! JSON of the length that was measured.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Question, Source};
use crate::base::mutate::{Mutator, fuzz_time};
use crate::table::Row;

const TEMPLATES: [&str; 9] = [
    "Judge: {question} of {id}",
    "{input_text} -> {{\"label\": \"good|bad\"}}",
    "Answer as {\"a\": {\"b\": [1, 2]}} for { question }",
    "{Content of P*}\n{文本}: {{}} }{ {",
    "",
    "{# no #}{% if question %}{{ question | upper }}{% endif %}",
    "{% for key, value in row | items %}{{ key }}: {{ value }}\n{% endfor %}",
    "{{ row['Content of P*'] }} {{ 文本 | length }}",
    "{% set x = 1 %}{{ x + 1 }}{{ '{' }}",
];
const HEADERS: [&str; 5] = ["id", "question", "Content of P*", "文本", "a{b"];
const ID: &str = "k7f2qd-0000007-r1";

/// `BATCHCTL_FUZZ_SECONDS` says for how long; the seeds are printed with a failure.
#[test]
fn s0_14_fuzzed_templates_are_refused_or_make_whole_lines() {
    let seeds = TEMPLATES.map(|text| text.as_bytes().to_vec());
    let end = Instant::now() + fuzz_time(Duration::from_millis(500));
    let (mut round, mut made) = (0_u64, 0_u64);
    while Instant::now() < end {
        let mut mutator = Mutator::new(round);
        let template = String::from_utf8_lossy(&mutator.mutate(&seeds)).into_owned();
        let cells: Vec<String> = HEADERS
            .iter()
            .map(|_| String::from_utf8_lossy(&mutator.mutate(&seeds)).into_owned())
            .collect();
        let jinja = mutator.below(2) == 0;
        let tried = std::panic::catch_unwind(|| is_whole(&template, jinja, &cells));
        match tried {
            Ok(is_made) => made += u64::from(is_made),
            Err(why) => panic!("round {round}, jinja {jinja}: {template:?} {cells:?}: {why:?}"),
        }
        round += 1;
    }
    assert!(made > 0, "not one template of {round} was taken");
}

/// Whether a line was made; it is held against its measure and read back.
fn is_whole(template: &str, jinja: bool, cells: &[String]) -> bool {
    let question = Question {
        model: "gpt-4o-mini".to_owned(),
        source: Source::Prompt { template: template.to_owned(), jinja },
        ..Question::default()
    };
    let compiled = question.compile(&HEADERS.map(str::to_owned));
    let mut compiled = match compiled {
        Ok(compiled) => compiled,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let row = Row::from_cells(7, 9, &cells);
    let measured = compiled.measure(&row, ID.len());
    let mut line = Vec::new();
    let written = compiled.write_line(&row, ID, &mut line);
    match (measured, written) {
        (Ok(measure), Ok(())) => {
            assert_eq!(measure.line_bytes, line.len() as u64);
            let line: Value = serde_json::from_slice(&line).expect("a line is JSON");
            assert_eq!(line["custom_id"], ID);
            assert!(line["body"]["messages"].as_array().is_some_and(|list| !list.is_empty()));
            true
        }
        (Err(measured), Err(written)) => {
            assert_eq!(measured.to_string(), written.to_string());
            assert!(line.is_empty(), "a skip leaves the buffer as it was");
            false
        }
        (measured, written) => panic!("{measured:?} is not {written:?}"),
    }
}
