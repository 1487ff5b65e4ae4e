//! A job's rows with all that is known of them, one JSON object each: the user's own record, the
//! messages as sent, the answer, status, tokens, cost. Nothing is left out for its status, and no
//! text is changed as it may be in a CSV.
//!
//! What was sent is asked of the caller, who knows the questions of a job; rows are written as they
//! come and never held.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::ResultError;
use super::analyze::{Analysis, Seen};
use super::artifacts::{Artifacts, Place};
use super::cells::{Answer, in_units};
use super::write::{Join, Settled, in_order, with_answer};
use crate::answer::{Fields, ParseStatus, RowStatus};
use crate::batch::Usage;
use crate::table::{AsJson, Row, Verdict};

/// What the caller knows of a job besides its rows.
pub trait AsSent {
    /// Appends the body of the request that a row was sent with, or would be: as people see it,
    /// on one line. Nothing where no request can be made of it.
    fn body(&mut self, row: &Row, settled: Option<&Settled>, out: &mut Vec<u8>);

    /// The id of that request.
    fn custom_id(&self, row: &Row, settled: &Settled) -> Option<String>;

    /// How long an answer took, in seconds.
    fn seconds(&self, place: Place, answered: Option<i64>) -> Option<u64>;
}

/// What was written.
#[derive(Debug, Default)]
pub struct Exported {
    /// Of all selected rows, whether they were written or not.
    pub analysis: Analysis,
    /// Rows that were written.
    pub written: u64,
}

/// One row of the document.
#[derive(Serialize)]
struct RowDocument<'a> {
    row: u64,
    line: u64,
    status: RowStatus,
    error: Option<&'a str>,
    record: &'a RawValue,
    #[serde(flatten)]
    sent: Sent<'a>,
    response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parse_status: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    repairs: &'a str,
    model: Option<&'a str>,
    finish_reason: Option<&'a str>,
    custom_id: Option<String>,
    rounds: u32,
    usage: Option<Usage>,
    cost: Option<f64>,
    seconds: Option<u64>,
}

/// What stands in a body for the model to read, under the body's own names.
#[derive(Default, Serialize, Deserialize)]
struct Sent<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    input: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    messages: Option<&'a RawValue>,
}

/// Writes the selected rows of a job as the elements of a JSON array, without its brackets. The
/// settled rows come in row order.
pub fn export_rows<E: std::fmt::Display>(
    join: Join<'_>,
    settled: impl IntoIterator<Item = Result<Settled, E>>,
    artifacts: &mut Artifacts,
    asked: &mut dyn AsSent,
    out: &mut dyn Write,
) -> Result<Exported, ResultError> {
    let mut exported = Exported::default();
    let mut records = AsJson::new(join.table);
    let (mut record, mut body) = (Vec::new(), Vec::new());
    each_answer(join, settled, artifacts, |row, answer| {
        let seconds = answer.settled.and_then(|settled| {
            asked.seconds(settled.place?, answer.reply().and_then(|reply| reply.created_at))
        });
        let name = format!("row {}", row.number());
        let fields = join.wanted.fields();
        exported.analysis.add(&Seen { seconds, ..Seen::of_row(&name, answer, fields) });
        if !join.takes(answer) {
            return Ok(());
        }
        record.clear();
        records.push(row, &mut record);
        body.clear();
        asked.body(row, answer.settled, &mut body);
        let id = answer.line.map(|line| line.custom_id.clone());
        let id = id.or_else(|| asked.custom_id(row, answer.settled?));
        let form = fields.map(|fields| (fields, join.wanted.is_of_each()));
        let document = document(row, answer, (&record, &body), form);
        let document = RowDocument { custom_id: id, seconds, ..document };
        out.write_all(if exported.written == 0 { b"\n" } else { b",\n" })?;
        exported.written += 1;
        serde_json::to_writer(&mut *out, &document).map_err(io::Error::from)?;
        Ok(())
    })?;
    Ok(exported)
}

/// Hands every selected row of the wanted statuses to the visitor, in order.
pub fn each_status<E: std::fmt::Display>(
    join: Join<'_>,
    settled: impl IntoIterator<Item = Result<Settled, E>>,
    artifacts: &mut Artifacts,
    mut visit: impl FnMut(&Row, Option<&Settled>) -> io::Result<()>,
) -> Result<(), ResultError> {
    each_answer(join, settled, artifacts, |row, answer| {
        if join.takes(answer) {
            visit(row, answer.settled)?;
        }
        Ok(())
    })
}

fn each_answer<E: std::fmt::Display>(
    join: Join<'_>,
    settled: impl IntoIterator<Item = Result<Settled, E>>,
    artifacts: &mut Artifacts,
    mut visit: impl FnMut(&Row, &Answer<'_>) -> Result<(), Stop>,
) -> Result<(), ResultError> {
    let mut lookup = in_order(settled);
    let mut selection = join.selection.fresh();
    let mut rows = join.table.rows()?;
    while let Some(row) = rows.next_row()? {
        match selection.takes(row) {
            Verdict::Take => {}
            Verdict::Pass => continue,
            Verdict::Stop => break,
        }
        let settled = lookup(row.number())?;
        with_answer(&join, row, settled.as_ref(), artifacts, |answer| {
            visit(row, answer).map_err(|stop| ResultError::Write(stop.0))
        })?;
    }
    Ok(())
}

/// A place that takes no more.
struct Stop(io::Error);

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

/// The values of the fields by their names.
fn object(fields: &Fields, values: &[Option<Value>]) -> Value {
    let value = |at: usize| values.get(at).cloned().flatten().unwrap_or_default();
    let named = fields.columns().enumerate().map(|(at, name)| (name.to_owned(), value(at)));
    Value::Object(named.collect())
}

fn document<'a>(
    row: &Row,
    answer: &'a Answer<'_>,
    (record, body): (&'a [u8], &'a [u8]),
    form: Option<(&Fields, bool)>,
) -> RowDocument<'a> {
    let reply = answer.reply();
    let judged = answer.judged;
    RowDocument {
        row: row.number(),
        line: row.line(),
        status: answer.status,
        error: answer.error.as_deref(),
        record: serde_json::from_slice(record).unwrap_or(RawValue::NULL),
        sent: serde_json::from_slice(body).unwrap_or_default(),
        response: reply.map(|reply| reply.content.as_str()),
        fields: form.map(|(fields, is_of_each)| match answer.things.as_slice() {
            [only] if !is_of_each => object(fields, only),
            _ if judged.is_some_and(|judged| judged.is_empty_list) => Value::Array(Vec::new()),
            all => all.iter().map(|values| object(fields, values)).collect(),
        }),
        parse_status: judged.and_then(|judged| judged.parse_status).map(ParseStatus::as_str),
        repairs: &answer.repairs,
        model: answer.line.and_then(|line| line.model.as_deref()),
        finish_reason: reply.and_then(|reply| reply.finish_reason.as_deref()),
        custom_id: None,
        rounds: answer.settled.map_or(0, |settled| settled.rounds),
        usage: answer.usage,
        cost: answer.settled.and_then(|settled| settled.cost).map(in_units),
        seconds: None,
    }
}
