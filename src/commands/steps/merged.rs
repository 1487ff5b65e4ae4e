//! The account of a merge of result files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::batch::Usage;
use crate::commands::Context;
use crate::cost::{Currency, Money, shown};
use crate::result::{MergeCounts, Summary};
use crate::ui::{CommandError, ExitCode};

/// The account, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Document {
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
    files: MergeCounts,
    output: Option<String>,
}

/// Prints the account, with the cost where that is known, and returns the exit code.
pub(in crate::commands) fn report_merge(
    context: &Context,
    (summary, cost): (&Summary, Option<Money>),
    output: Option<&Path>,
    allow_partial: bool,
) -> Result<ExitCode, CommandError> {
    let output = output.map(|path| path.display().to_string());
    if context.json {
        context.printer.json(&Document {
            schema_version: 1,
            table_rows: summary.table_rows,
            rows: summary.selected,
            statuses: summary.counts().map(|(status, n)| (status.as_str(), n)).collect(),
            defaulted: summary.filled().map(|(status, n)| (status.as_str(), n)).collect(),
            rows_out: summary.rows_out,
            parsed: summary.parsed,
            usage: summary.usage,
            cost: cost.map(|money| money.units()),
            currency: cost.map(|money| money.currency),
            files: summary.lines,
            output,
        })?;
    } else {
        for line in summary.lines() {
            context.printer.note(&line);
        }
        if let Some(cost) = cost {
            let cost = shown(cost);
            context.printer.note(&format!("Cost      {cost} at the price of their job"));
        }
        if let Some(output) = output {
            context.printer.note(&format!("Output    {output}"));
        }
    }
    let good = summary.is_all_good() || allow_partial;
    Ok(if good { ExitCode::Success } else { ExitCode::SomeRowsBad })
}
