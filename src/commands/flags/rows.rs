//! Which rows are asked.

use super::{Flags, whole};
use crate::config::{Overrides, key};

fn row_number(text: &str) -> Result<u64, String> {
    whole(text, "a row number", 0, None)
}

fn rows(text: &str) -> Result<u64, String> {
    whole(text, "a number of rows", 0, None)
}

fn seed(text: &str) -> Result<u64, String> {
    whole(text, "a whole number", 0, None)
}

/// A range of rows.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Rows (applied in this order)")]
pub struct RangeArgs {
    /// First row, counted from 0 without the header [default: 0]
    #[arg(long, value_name = "N", value_parser = row_number)]
    pub start_row: Option<u64>,
    /// Row to stop before; --end-row 10 takes rows 0 to 9 [default: all]
    #[arg(long, value_name = "N", value_parser = row_number)]
    pub end_row: Option<u64>,
}

impl Flags for RangeArgs {
    fn lay(&self, over: &mut Overrides) {
        over.whole(key::START_ROW, self.start_row);
        over.whole(key::END_ROW, self.end_row);
    }
}

/// A range of rows and what must hold for each.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Rows (applied in this order)")]
pub struct RowsArgs {
    /// The range.
    #[command(flatten)]
    pub range: RangeArgs,
    /// Only rows where this holds: 'column=value', '!=', 'in (a, b)', 'not in (a, b)'; repeated = and
    #[arg(long = "where", value_name = "CONDITION")]
    pub conditions: Vec<String>,
    /// Ask only rows where this column is empty or blank, and write the answer into it; all rows are written
    #[arg(long, value_name = "COLUMN", hide_short_help = true)]
    pub skip_filled: Option<String>,
    /// N rows of those that are left, drawn at random, in the table's order
    #[arg(long, value_name = "N", value_parser = rows, hide_short_help = true)]
    pub sample: Option<u64>,
    /// What the drawing starts from: the same number draws the same rows [default: 0]
    #[arg(long, value_name = "S", value_parser = seed, hide_short_help = true)]
    pub seed: Option<u64>,
    /// At most N rows of those that are left [default: all]
    #[arg(short = 'n', long, value_name = "N", value_parser = rows)]
    pub max_rows: Option<u64>,
}

impl Flags for RowsArgs {
    fn lay(&self, over: &mut Overrides) {
        self.range.lay(over);
        over.list(key::WHERE, &self.conditions);
        over.text(key::SKIP_FILLED, self.skip_filled.as_deref());
        over.whole(key::SAMPLE, self.sample);
        over.whole(key::SEED, self.seed);
        over.whole(key::MAX_ROWS, self.max_rows);
    }
}
