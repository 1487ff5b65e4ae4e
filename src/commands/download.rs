//! `download ID`: fetch what there is and write the table.

use std::path::PathBuf;

use super::Context;
use super::flags::{AnswerArgs, Flags, JsonArg, WriteArgs};
use super::steps::{Bare, Follow, find_job, go_on, open_store, with_look};
use crate::config::{Overrides, key};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `download`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: last]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Copy the provider's result files into this folder too
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Exit 0 instead of 3 when some rows are not good
    #[arg(long)]
    pub allow_partial: bool,
    /// What the answers become.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        over.text(
            key::OUTPUT_DIR,
            self.output_dir.as_ref().map(|dir| dir.to_string_lossy()).as_deref(),
        );
        over.switch(key::ALLOW_PARTIAL, self.allow_partial);
        self.answer.lay(over);
        self.write.lay(over);
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::Last)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    let how = Follow { submit: false, wait: false };
    Ok(go_on(context, &store, &found, how)?.exit)
}
