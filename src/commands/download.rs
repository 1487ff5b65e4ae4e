//! `download ID`: fetch what there is and write the table.

use super::Context;
use super::flags::{AnswerArgs, FetchArgs, JsonArg, WriteArgs, lays};
use super::steps::{Bare, Follow, find_job, go_on, open_store, with_look};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `download`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: last]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// What is done with what came back.
    #[command(flatten)]
    pub fetch: FetchArgs,
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

lays!(Args: fetch, answer, write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::Last)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    go_on(context, &store, &found, Follow { submit: false, wait: false })
}
