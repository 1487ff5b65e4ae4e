//! The corpus of awkward answers: one table of cases with what must come of each.

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::batch::{Outcome, Reply, ResultLine};

/// The table, one case per line.
pub(super) const CASES: &str = include_str!("../../fixtures/answers/cases.jsonl");

/// One awkward answer and its expected outcome.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    name: String,
    pub(super) answer: String,
    /// As for `--json-fields`; nothing is wanted without.
    fields: Option<String>,
    schema: Option<Value>,
    /// The finish reason; empty for none.
    #[serde(default = "stop")]
    finish: String,
    refusal: Option<String>,
    status: RowStatus,
    parse: Option<ParseStatus>,
    /// What stands in the cells of the fields.
    cells: Vec<Option<String>>,
    /// The repairs in order, as they are told.
    #[serde(default)]
    repairs: Vec<String>,
    /// A part of the error; without one there must be no error.
    error: Option<String>,
}

fn stop() -> String {
    "stop".to_owned()
}

pub(super) fn cases() -> impl Iterator<Item = Case> {
    CASES.lines().map(|line| serde_json::from_str(line).expect(line))
}

/// What came of a case, in the order of its members.
type Came = (RowStatus, Option<ParseStatus>, Vec<Option<String>>, Vec<String>, Option<String>);

fn came(case: &Case) -> Came {
    let fields = case.fields.as_deref().map(|fields| Fields::parse(fields).expect(fields));
    let schema = case.schema.as_ref().map(|schema| Schema::compile(&schema.to_string()).unwrap());
    let reply = Reply {
        content: case.answer.clone(),
        refusal: case.refusal.clone(),
        finish_reason: Some(case.finish.clone()).filter(|reason| !reason.is_empty()),
        ..Reply::default()
    };
    let line = ResultLine {
        custom_id: "row_0".to_owned(),
        model: None,
        usage: None,
        outcome: Outcome::Answered(reply),
        by: None,
    };
    let judged = judge(&line, Wanted::new(fields.as_ref(), schema.as_ref()));
    assert_eq!(judged.content, case.answer, "the raw answer is kept: {}", case.name);
    let cell = |value: &Option<Value>| value.as_ref().map(|value| cell_text(value).into_owned());
    (
        judged.status,
        judged.parse_status,
        judged.values.iter().map(cell).collect(),
        judged.repairs.iter().map(ToString::to_string).collect(),
        judged.error,
    )
}

/// S0.17, S0.19, S4.16, field reports 18 to 26 and 39.
#[test]
fn s0_17_s4_16_field_39_every_awkward_answer_has_its_outcome() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases() {
        count += 1;
        let (status, parse, cells, repairs, error) = came(&case);
        let is_told = match (&case.error, &error) {
            (Some(expected), Some(error)) => error.contains(expected),
            (expected, error) => expected.is_none() && error.is_none(),
        };
        let same = (status, parse, &cells) == (case.status, case.parse, &case.cells);
        if !(same && repairs == case.repairs && is_told) {
            wrong.push(format!(
                "{}\n  {}\n  came: {status} {parse:?} {cells:?} {repairs:?} {error:?}",
                case.name, case.answer
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(count >= 120, "{count} cases");
}
