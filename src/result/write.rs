//! Streams the table and writes each row with its answer.

use std::borrow::Cow;

use super::ResultError;
use super::artifacts::{Artifacts, Place};
use super::cells::{Answer, Values, mended};
use super::columns::Columns;
use super::summary::Summary;
use crate::answer::{Defaults, Filled, Judged, ParseStatus, RowStatus, Wanted, judge};
use crate::batch::{BadLine, ResultLine, Used, decode_line};
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
    /// What its further answers used, which do not count any more.
    pub earlier: Used,
    /// Whether its line was paid for another row or by another job: its tokens count there (P7).
    pub is_shared: bool,
    /// Who answered, where it is not the one that all were asked of ([`Join::provider`]).
    pub provider: Option<String>,
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
            earlier: Used::default(),
            is_shared: false,
            provider: None,
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
    /// What stands in the cells of rows without a good answer.
    pub defaults: Option<&'a Defaults>,
    /// `--status`: only rows of these statuses are written, where some are named. All are counted.
    pub only: &'a [RowStatus],
    /// Who was asked, for `--details`.
    pub provider: &'a str,
}

impl Join<'_> {
    /// Whether rows of this status are wanted, or of the one that a filled row had.
    pub(super) fn takes(&self, answer: &Answer<'_>) -> bool {
        let is_named = |status: RowStatus| self.only.contains(&status);
        self.only.is_empty() || is_named(answer.status) || answer.was.is_some_and(is_named)
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
    // Fused: asked again at its end, the account would be searched once for each open row.
    let mut settled = settled.into_iter().fuse();
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
    summary.is_exploded = join.wanted.is_of_each();
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
        if !join.takes(answer) {
            return Ok(());
        }
        let mut numbers = answer.numbers();
        for values in &answer.things {
            let cells: Vec<Cell<'_>> =
                join.columns.iter().map(|column| answer.cell(column, values, &numbers)).collect();
            writer.write(row, &cells)?;
            summary.written += 1;
            summary.rows_out += 1;
            if answer.things.len() > 1 {
                numbers = numbers.of_further();
            }
        }
        Ok(())
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
    let mut things = things_of(judged.as_ref(), join.columns);
    let is_answer = status.is_good() && judged.as_ref().is_some_and(|judged| judged.is_empty_list);
    let defaults = join.defaults.filter(|_| !is_answer);
    let filled =
        defaults.and_then(|defaults| fill(defaults, status, error.as_deref(), &mut things));
    let was = filled.is_some().then_some(status);
    let (status, error) = filled.unwrap_or((status, error));
    let line = line.as_ref().and_then(|line| line.as_ref().ok());
    let parsed = judged.as_ref().and_then(|judged| judged.parse_status);
    let is_shared = settled.is_some_and(|settled| settled.is_shared);
    then(&Answer {
        provider: join.provider,
        status,
        was,
        error,
        things,
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

/// The values of each thing in an answer; those of a single one, all empty, where there is none:
/// no row is ever lost.
fn things_of<'a>(judged: Option<&'a Judged<'_>>, columns: &Columns) -> Vec<Values<'a>> {
    let Some(judged) = judged else { return vec![Cow::Owned(vec![None; columns.fields()])] };
    let further = judged.further.iter().map(|values| Cow::Borrowed(values.as_slice()));
    std::iter::once(Cow::Borrowed(judged.values.as_slice())).chain(further).collect()
}

/// Fills what is empty by the user's rule; the status and the error that follow if anything was.
fn fill(
    defaults: &Defaults,
    status: RowStatus,
    error: Option<&str>,
    things: &mut [Values<'_>],
) -> Option<(RowStatus, Option<String>)> {
    let mut said = None;
    for values in things {
        if let Some(Filled { status, error, values: new }) = defaults.fill(status, error, values) {
            *values = Cow::Owned(new);
            said = Some((status, Some(error)));
        }
    }
    said
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

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
