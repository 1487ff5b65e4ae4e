//! Streams the table and writes each row with its answer.

use serde_json::Value;

use super::ResultError;
use super::artifacts::{Artifacts, Place};
use super::columns::{Column, Columns};
use super::summary::Summary;
use crate::answer::{Judged, ParseStatus, RowStatus, Wanted, judge};
use crate::batch::{BadLine, Outcome, Reply, ResultLine, Usage, decode_line};
use crate::cost::PICO;
use crate::table::{Cell, Row, Selection, Table, Verdict, Writer};

/// What is on record about a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The row, from 0.
    pub row: u64,
    /// Its status, where the record has one. What the answer's line says goes before it, except
    /// that `cached`, `defaulted`, `invalid` and `skipped` cannot be seen in a line.
    pub status: Option<RowStatus>,
    /// What is wrong, where the record says it.
    pub error: Option<String>,
    /// Where its result line lies; `None` for rows that have none.
    pub place: Option<Place>,
    /// Rounds it took part in.
    pub rounds: u32,
    /// The id it was sent under.
    pub custom_id: Option<String>,
    /// How long the answer took, where that is known.
    pub seconds: Option<f64>,
    /// What its answer cost, in trillionths of a currency's unit, where that is known.
    pub cost: Option<u64>,
    /// Whether its line was paid for another row or by another job: its tokens count there (P7).
    pub is_shared: bool,
}

impl Settled {
    /// A row of which only the status is known.
    pub fn new(row: u64, status: Option<RowStatus>) -> Self {
        Self {
            row,
            status,
            error: None,
            place: None,
            rounds: 0,
            custom_id: None,
            seconds: None,
            cost: None,
            is_shared: false,
        }
    }
}

/// What is to be joined with the answers, and how it shall look.
#[derive(Clone, Copy)]
pub struct Join<'a> {
    /// The table, as it was asked.
    pub table: &'a Table,
    /// The rows that were asked.
    pub selection: &'a Selection,
    /// The columns to add: those the writer was created with.
    pub columns: &'a Columns,
    /// What each answer is to hold.
    pub wanted: Wanted<'a>,
    /// The status of selected rows of which nothing is on record: `pending`, `missing`, `unasked`.
    pub unsettled: RowStatus,
    /// `--all-rows`: rows that are not selected are written too, their answer columns empty.
    pub all_rows: bool,
    /// `--status`: only rows of these statuses are written, where some are named. All are counted.
    pub only: &'a [RowStatus],
    /// Who was asked, for `--details`.
    pub provider: &'a str,
}

impl Join<'_> {
    /// Whether rows of this status are wanted.
    pub(super) fn takes(&self, status: RowStatus) -> bool {
        self.only.is_empty() || self.only.contains(&status)
    }
}

/// Writes the table with the answers of a job. The settled rows come in row order; those for
/// other rows than the selected are passed by. The writer is left to be finished.
pub fn write_table<E: std::fmt::Display>(
    join: Join<'_>,
    settled: impl IntoIterator<Item = Result<Settled, E>>,
    artifacts: &mut Artifacts,
    writer: &mut Writer,
) -> Result<Summary, ResultError> {
    write_rows(join, &mut in_order(settled), artifacts, writer, false)
}

/// Finds settled rows that come in row order, where they are asked for in row order.
pub(super) fn in_order<E: std::fmt::Display>(
    settled: impl IntoIterator<Item = Result<Settled, E>>,
) -> impl FnMut(u64) -> Result<Option<Settled>, ResultError> {
    let mut settled = settled.into_iter();
    let mut held: Option<Settled> = None;
    move |row: u64| {
        while held.as_ref().is_none_or(|settled| settled.row < row) {
            match settled.next() {
                Some(Ok(settled)) => held = Some(settled),
                Some(Err(error)) => return Err(ResultError::Settled(error.to_string())),
                None => return Ok(None),
            }
        }
        Ok(held.take_if(|settled| settled.row == row))
    }
}

/// Finds what is on record about a row; asked in row order.
pub(super) type Lookup<'a> = dyn FnMut(u64) -> Result<Option<Settled>, ResultError> + 'a;

/// The loop over the table. With `to_the_end` rows after the selection are counted too. In the
/// summary, `lines.lines` are the result lines that were used.
pub(super) fn write_rows(
    join: Join<'_>,
    lookup: &mut Lookup<'_>,
    artifacts: &mut Artifacts,
    writer: &mut Writer,
    to_the_end: bool,
) -> Result<Summary, ResultError> {
    let mut summary = Summary::default();
    summary.parsed = join.wanted.is_json().then_some(0);
    let unselected = vec![Cell::Empty; join.columns.names().len()];
    let mut selection = join.selection.fresh();
    let mut rows = join.table.rows()?;
    let mut stopped = false;
    while let Some(row) = rows.next_row()? {
        let verdict = if stopped { Verdict::Pass } else { selection.takes(row) };
        stopped |= verdict == Verdict::Stop;
        if stopped && !join.all_rows && !to_the_end {
            break;
        }
        summary.table_rows += 1;
        if verdict == Verdict::Take {
            let settled = lookup(row.number())?;
            write_selected(&join, row, settled.as_ref(), artifacts, writer, &mut summary)?;
        } else if join.all_rows && join.only.is_empty() {
            writer.write(row, &unselected)?;
            summary.written += 1;
        }
    }
    Ok(summary)
}

fn write_selected(
    join: &Join<'_>,
    row: &Row,
    settled: Option<&Settled>,
    artifacts: &mut Artifacts,
    writer: &mut Writer,
    summary: &mut Summary,
) -> Result<(), ResultError> {
    with_answer(join, row, settled, artifacts, |answer| {
        answer.count(summary);
        if !join.takes(answer.status) {
            return Ok(());
        }
        summary.written += 1;
        let numbers = answer.numbers();
        let cells: Vec<Cell<'_>> =
            join.columns.iter().map(|column| answer.cell(column, &numbers)).collect();
        Ok(writer.write(row, &cells)?)
    })
}

/// Reads and judges the answer of a selected row, and lends all that is known of it.
pub(super) fn with_answer<T>(
    join: &Join<'_>,
    row: &Row,
    settled: Option<&Settled>,
    artifacts: &mut Artifacts,
    then: impl FnOnce(&Answer<'_>) -> Result<T, ResultError>,
) -> Result<T, ResultError> {
    let line = match settled.and_then(|settled| settled.place) {
        Some(place) => Some(decode_line(artifacts.read(place)?)),
        None => None,
    };
    let (has_line, is_broken) = (line.is_some(), matches!(line, Some(Err(_))));
    let judged = match &line {
        Some(Ok(line)) => Some(judge(line, join.wanted)),
        _ => None,
    };
    let (status, error) = conclude(join, row, settled, line.as_ref(), judged.as_ref());
    let line = line.as_ref().and_then(|line| line.as_ref().ok());
    let parsed = judged.as_ref().and_then(|judged| judged.parse_status);
    let is_shared = settled.is_some_and(|settled| settled.is_shared);
    then(&Answer {
        provider: join.provider,
        status,
        error,
        settled,
        line,
        judged: judged.as_ref(),
        usage: line.and_then(|line| line.usage).filter(|_| !is_shared),
        is_parsed: parsed.is_some_and(|parsed| parsed != ParseStatus::Failed),
        repairs: mended(judged.as_ref()),
        has_line,
        is_broken,
    })
}

/// The row's status and error from its record and its line.
fn conclude(
    join: &Join<'_>,
    row: &Row,
    settled: Option<&Settled>,
    line: Option<&Result<ResultLine, BadLine>>,
    judged: Option<&Judged<'_>>,
) -> (RowStatus, Option<String>) {
    let Some(settled) = settled else {
        return match row.fault() {
            Some(fault) => (RowStatus::Skipped, Some(fault.to_string())),
            None => (join.unsettled, None),
        };
    };
    let recorded = settled.error.clone();
    match (judged, line) {
        (Some(judged), _) => {
            let status = match settled.status {
                Some(RowStatus::Cached) if judged.status == RowStatus::Ok => RowStatus::Cached,
                Some(status @ (RowStatus::Defaulted | RowStatus::Invalid | RowStatus::Skipped)) => {
                    status
                }
                _ => judged.status,
            };
            (status, recorded.or_else(|| judged.error.clone()))
        }
        (None, Some(Err(bad))) => {
            (RowStatus::Error, Some(format!("its result line cannot be read: {bad}")))
        }
        (None, _) => (settled.status.unwrap_or(join.unsettled), recorded),
    }
}

/// All that is known about a row, for its cells.
pub(super) struct Answer<'a> {
    provider: &'a str,
    pub(super) status: RowStatus,
    pub(super) error: Option<String>,
    pub(super) settled: Option<&'a Settled>,
    pub(super) line: Option<&'a ResultLine>,
    pub(super) judged: Option<&'a Judged<'a>>,
    /// Its own tokens: those of a shared line count where it was paid for.
    pub(super) usage: Option<Usage>,
    is_parsed: bool,
    /// What was mended to read the answer.
    pub(super) repairs: String,
    has_line: bool,
    is_broken: bool,
}

/// Numbers as values, so that JSON outputs have numbers.
struct Numbers {
    rounds: Value,
    prompt_tokens: Value,
    completion_tokens: Value,
    cost: Value,
    seconds: Value,
}

impl Answer<'_> {
    /// Takes the row into the account.
    fn count(&self, summary: &mut Summary) {
        summary.lines.lines += u64::from(self.has_line);
        summary.lines.broken_lines += u64::from(self.is_broken);
        if let Some(parsed) = summary.parsed.as_mut() {
            *parsed += u64::from(self.is_parsed);
        }
        summary.add(self.status, self.error.as_deref(), self.usage);
    }

    /// What the model replied, if it did.
    pub(super) fn reply(&self) -> Option<&Reply> {
        self.line.and_then(|line| match &line.outcome {
            Outcome::Answered(reply) => Some(reply),
            Outcome::Failed(_) => None,
        })
    }

    fn numbers(&self) -> Numbers {
        let usage = self.usage;
        let rounds = self.settled.map(|settled| settled.rounds).filter(|rounds| *rounds > 0);
        Numbers {
            rounds: rounds.into(),
            prompt_tokens: usage.map(|usage| usage.prompt_tokens).into(),
            completion_tokens: usage.map(|usage| usage.completion_tokens).into(),
            cost: self.settled.and_then(|settled| settled.cost).map(in_units).into(),
            seconds: self.settled.and_then(|settled| settled.seconds).into(),
        }
    }

    fn cell<'s>(&'s self, column: Column, numbers: &'s Numbers) -> Cell<'s> {
        let reply = self.reply();
        match column {
            Column::Field(number) => self
                .judged
                .and_then(|judged| judged.values.get(number)?.as_ref())
                .map_or(Cell::Empty, Cell::Json),
            Column::Raw => model(self.judged.map(|judged| judged.content)),
            Column::ParsingSuccess => Cell::Ours(if self.is_parsed { "True" } else { "False" }),
            Column::Status => Cell::Ours(self.status.as_str()),
            Column::Error => model(self.error.as_deref()),
            Column::Model => model(self.line.and_then(|line| line.model.as_deref())),
            Column::CustomId => {
                let sent = self.settled.and_then(|settled| settled.custom_id.as_deref());
                model(self.line.map(|line| line.custom_id.as_str()).or(sent))
            }
            Column::Provider if self.settled.is_some() => model(Some(self.provider)),
            Column::FinishReason => model(reply.and_then(|reply| reply.finish_reason.as_deref())),
            Column::ParseStatus => self
                .judged
                .and_then(|judged| judged.parse_status)
                .map_or(Cell::Empty, |status| Cell::Ours(status.as_str())),
            Column::Repairs => model(Some(&self.repairs)),
            Column::Rounds => number(&numbers.rounds),
            Column::PromptTokens => number(&numbers.prompt_tokens),
            Column::CompletionTokens => number(&numbers.completion_tokens),
            Column::Cost => number(&numbers.cost),
            Column::Seconds => number(&numbers.seconds),
            Column::Provider => Cell::Empty,
        }
    }
}

fn mended(judged: Option<&Judged<'_>>) -> String {
    let repairs = judged.iter().flat_map(|judged| &judged.repairs);
    repairs.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn model(text: Option<&str>) -> Cell<'_> {
    text.filter(|text| !text.is_empty()).map_or(Cell::Empty, Cell::Model)
}

/// Units of the currency as a decimal number, for a cell.
#[expect(clippy::cast_precision_loss, reason = "what one answer costs has few digits")]
pub(super) fn in_units(pico: u64) -> f64 {
    pico as f64 / PICO as f64
}

fn number(value: &Value) -> Cell<'_> {
    if value.is_null() { Cell::Empty } else { Cell::Json(value) }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
