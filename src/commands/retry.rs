//! `retry ID`: pay for rows that are not good, in the same job and the same table.

use std::path::PathBuf;

use super::Context;
use super::flags::{JsonArg, ReaskArgs, RunningArgs, SpendArgs, WriteArgs, lays, whole};
use super::steps::{Bare, Change, find_job, open_store, retry, with_look, with_on_done};
use crate::answer::RowStatus;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `retry`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last
    #[arg(value_name = "ID")]
    pub id: String,
    /// Ask only rows of this class again; may be repeated [default: all that may succeed]
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',', value_parser = [
        "error", "expired", "missing", "cancelled", "refused", "truncated", "unparsed", "invalid",
        "skipped",
    ])]
    pub classes: Vec<String>,
    /// Ask this model instead, at the same provider
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Most tokens an answer may have
    #[arg(long, value_name = "N", value_parser = tokens)]
    pub max_tokens: Option<u32>,
    /// Ask this instead, with {column} where a cell belongs
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub prompt: Option<String>,
    /// File that holds the prompt to ask instead; a .j2 file is a Jinja template
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompt_file: Option<PathBuf>,
    /// What becomes of answers that are not as wanted.
    #[command(flatten)]
    pub reask: ReaskArgs,
    /// What it may spend.
    #[command(flatten)]
    pub spend: SpendArgs,
    /// How it runs.
    #[command(flatten)]
    pub running: RunningArgs,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

lays!(Args: reask, spend, running, write);

fn tokens(text: &str) -> Result<u32, String> {
    whole(text, "a number of tokens", 1, None)
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, Some(&args.id), Bare::Last)?;
    let context = &found.as_called(context)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    let change = Change {
        classes: args.classes.iter().filter_map(|class| RowStatus::read(class)).collect(),
        model: args.model.clone(),
        max_tokens: args.max_tokens,
        prompt: args.prompt.clone(),
        prompt_file: args.prompt_file.clone(),
        reask: args.reask.reask,
        only_shows: args.spend.only_shows(),
        is_rest: false,
    };
    let job = found.job.clone();
    with_on_done(context, &store, &job, || retry(context, &store, found, &change))
}
