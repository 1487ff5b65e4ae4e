//! `estimate [INPUT]`: what a run would take.

use std::path::PathBuf;

use super::Context;
use super::flags::{AnswerArgs, Flags, JsonArg, QuestionArgs, ReadArgs, RowsArgs, WhoArgs};
use crate::config::Overrides;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `estimate`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Table to look at [default: [job] of ./batchctl.toml, else this folder's newest job, else its only table]
    #[arg(value_name = "INPUT")]
    pub input: Option<PathBuf>,
    /// Which rows.
    #[command(flatten)]
    pub rows: RowsArgs,
    /// Who is asked.
    #[command(flatten)]
    pub who: WhoArgs,
    /// What is asked.
    #[command(flatten)]
    pub question: QuestionArgs,
    /// What the answers become.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// How the table is read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        self.rows.lay(over);
        self.who.lay(over);
        self.question.lay(over);
        self.answer.lay(over);
        self.read.lay(over);
    }
}

/// Runs the command.
pub fn run(_args: &Args, _context: &Context) -> Result<ExitCode, CommandError> {
    Err(CommandError::usage("not built"))
}
