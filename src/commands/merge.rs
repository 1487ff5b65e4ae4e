//! `merge FILE|JOB...`: results back onto the table.

use std::path::PathBuf;

use super::Context;
use super::flags::{AnswerArgs, Flags, JsonArg, RangeArgs, ReadArgs, WriteArgs};
use crate::config::Overrides;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `merge`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Result files (JSONL), in any order, or a job id
    #[arg(value_name = "FILE|JOB", required = true)]
    pub results: Vec<PathBuf>,
    /// Table the questions came from; without a value the one that the ids belong to
    #[arg(long, value_name = "TABLE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "flag absent, flag without a value, flag with one")]
    pub original_csv: Option<Option<PathBuf>>,
    /// Column of the table that holds the custom_id of each row
    #[arg(long, value_name = "COLUMN")]
    pub id_column: Option<String>,
    /// What the first row is called where ids are numbers, 0 or 1 [default: by the pattern]
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u64).range(0..=1))]
    pub id_base: Option<u64>,
    /// Exit 0 instead of 3 when some rows are not good
    #[arg(long)]
    pub allow_partial: bool,
    /// Which rows.
    #[command(flatten)]
    pub range: RangeArgs,
    /// What the answers become.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// How the table is read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        self.range.lay(over);
        self.answer.lay(over);
        self.read.lay(over);
        self.write.lay(over);
    }
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
