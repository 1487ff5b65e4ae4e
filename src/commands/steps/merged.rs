//! The account of a merge of result files and jobs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::batch::Usage;
use crate::commands::Context;
use crate::cost::{Currency, Money, grouped, shown};
use crate::result::{MergeCounts, Summary};
use crate::ui::{CommandError, ExitCode};

/// What a merge came to.
#[derive(Debug)]
pub(in crate::commands) struct MergeReport {
    /// The rows.
    pub(in crate::commands) summary: Summary,
    /// What the lines cost, where that is known.
    pub(in crate::commands) cost: Option<Money>,
    /// Whether that was charged: no rehearsal is.
    pub(in crate::commands) is_charged: bool,
    /// Where they came from.
    pub(in crate::commands) sources: Vec<MergeSource>,
    /// The column whose empty cells were filled.
    pub(in crate::commands) filled: Option<FillReport>,
    /// The table; `None` is stdout.
    pub(in crate::commands) output: Option<PathBuf>,
}

/// A file or a job that answers came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::commands) struct MergeSource {
    /// The file as it was named, or `job k7f2qd`.
    pub(in crate::commands) source: String,
    /// Its result lines.
    pub(in crate::commands) lines: u64,
    /// Rows that have their answer from it.
    pub(in crate::commands) rows: u64,
}

/// A column whose empty cells were filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::commands) struct FillReport {
    /// Its name.
    pub(in crate::commands) column: String,
    /// Cells that got an answer.
    pub(in crate::commands) filled: u64,
    /// Cells that stay empty.
    pub(in crate::commands) left: u64,
}

/// The account, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    table_rows: u64,
    rows: u64,
    /// Rows by status; sums to `rows`.
    statuses: BTreeMap<&'static str, u64>,
    /// What the rows were that are `defaulted` now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    defaulted: BTreeMap<&'static str, u64>,
    /// Rows that they became in the table.
    rows_out: u64,
    parsed: Option<u64>,
    usage: Usage,
    /// At the price of the job they belong to; `null` = unknown.
    cost: Option<f64>,
    currency: Option<Currency>,
    /// Whether that was charged: no rehearsal is; `null` = no cost is known.
    charged: Option<bool>,
    files: MergeCounts,
    sources: &'a [MergeSource],
    filled: Option<&'a FillReport>,
    output: Option<String>,
}

/// Prints the account, with the cost where that is known, and returns the exit code.
pub(in crate::commands) fn report_merge(
    context: &Context,
    report: &MergeReport,
    allow_partial: bool,
) -> Result<ExitCode, CommandError> {
    let MergeReport { summary, cost, is_charged, sources, filled, output } = report;
    let output = output.as_ref().map(|path| path.display().to_string());
    if context.json {
        context.printer.json(&Document {
            schema_version: 1,
            table_rows: summary.table_rows,
            rows: summary.selected,
            statuses: summary.counts().map(|(status, n)| (status.as_str(), n)).collect(),
            defaulted: summary.filled().map(|(status, n)| (status.as_str(), n)).collect(),
            rows_out: summary.rows_out,
            parsed: summary.parsed_of().map(|(parsed, _)| parsed),
            usage: summary.usage,
            cost: cost.map(|money| money.units()),
            currency: cost.map(|money| money.currency),
            charged: cost.map(|_| *is_charged),
            files: summary.lines,
            sources,
            filled: filled.as_ref(),
            output,
        })?;
    } else {
        for line in summary.lines() {
            context.printer.note(&line);
        }
        for line in lines(report) {
            context.printer.note(&line);
        }
        if let Some(output) = output {
            context.printer.note(&format!("Output    {output}"));
        }
    }
    let good = summary.is_all_good() || allow_partial;
    Ok(if good { ExitCode::Success } else { ExitCode::SomeRowsBad })
}

/// What there is to say beside the rows. A single source says nothing new.
fn lines(report: &MergeReport) -> Vec<String> {
    let mut lines = Vec::new();
    for MergeSource { source, lines: read, rows } in
        report.sources.iter().filter(|_| report.sources.len() > 1)
    {
        let (read, rows) = (counted(*read, "line"), counted(*rows, "row"));
        lines.push(format!("From      {source}: {read}, answers of {rows}"));
    }
    if let Some(FillReport { column, filled, left }) = &report.filled {
        let (filled, left) = (counted(*filled, "empty cell"), grouped(*left));
        lines.push(format!("Filled    {filled} of {column}; {left} left empty"));
    }
    if let Some(cost) = report.cost {
        let rehearsed = if report.is_charged { "" } else { "nothing was charged; would be " };
        lines.push(format!("Cost      {rehearsed}{} at the price of their job", shown(cost)));
    }
    lines
}

fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(number))
}
