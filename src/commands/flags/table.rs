//! How tables are read and written.

use std::path::PathBuf;

use super::Flags;
use crate::config::{Overrides, key};

/// How a table is read.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Table")]
pub struct ReadArgs {
    /// Encoding of the table, for example gb18030, utf-16le [default: found by looking]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub encoding: Option<String>,
    /// Sheet of a workbook, by name or number [default: the first that is not hidden]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub sheet: Option<String>,
    /// Character between cells, for example ";" or "\t" [default: found by looking]
    #[arg(long, value_name = "C", value_parser = delimiter, hide_short_help = true)]
    pub delimiter: Option<String>,
}

impl Flags for ReadArgs {
    fn lay(&self, over: &mut Overrides) {
        over.text(key::SHEET, self.sheet.as_deref());
        over.text(key::ENCODING, self.encoding.as_deref());
        over.text(key::DELIMITER, self.delimiter.as_deref());
    }
}

/// How a table is written.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Table")]
pub struct WriteArgs {
    /// Table to write; "-" is stdout [default: <table>.answers.csv]
    #[arg(
        id = "output_flag",
        short = 'o',
        long = "output",
        alias = "output-csv",
        value_name = "FILE",
        hide_short_help = true
    )]
    pub output: Option<PathBuf>,
    /// How it looks.
    #[command(flatten)]
    pub look: LookArgs,
}

/// How a table looks, wherever it goes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Table")]
pub struct LookArgs {
    /// Replace the output whatever it is
    #[arg(long)]
    pub overwrite: bool,
    /// Write a byte order mark, so that Excel reads UTF-8
    #[arg(long, hide_short_help = true)]
    pub bom: bool,
    /// Put a column `row_index` first
    #[arg(long, hide_short_help = true)]
    pub row_index: bool,
}

impl Flags for WriteArgs {
    fn lay(&self, over: &mut Overrides) {
        self.look.lay(over);
    }
}

impl Flags for LookArgs {
    fn lay(&self, over: &mut Overrides) {
        over.switch(key::OVERWRITE, self.overwrite);
        over.set(key::BOM, self.bom.then_some(crate::config::Value::Flag(true)));
        over.switch(key::ROW_INDEX, self.row_index);
    }
}

/// One character, or the two that stand for a tab.
fn delimiter(text: &str) -> Result<String, String> {
    let text = if matches!(text, "\\t" | "tab") { "\t" } else { text };
    match text.chars().count() {
        1 if text.is_ascii() && !matches!(text, "\"" | "\n" | "\r") => Ok(text.to_owned()),
        _ => Err("one ASCII character is wanted, or \\t for a tab".into()),
    }
}
