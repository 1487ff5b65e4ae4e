//! `workflow INPUT [OUTPUT]`: the whole way, from the table to the table with answers.

use std::path::{Path, PathBuf};

use super::Context;
use super::flags::{
    AskArgs, JsonArg, NewJobArgs, ReadArgs, ReaskArgs, RunningArgs, SpendArgs, WriteArgs, lays,
};
use super::steps::{Destination, Need, dry_run, estimate, send, who_is_asked};
use crate::config::key;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `workflow`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Table to ask about (.csv .tsv .jsonl .json .xlsx), or "-" for stdin [default: input of [job] in ./batchctl.toml]
    #[arg(value_name = "INPUT")]
    pub input: Option<PathBuf>,
    /// Table to write, or "-" for stdout [default: <table>.answers.csv]
    #[arg(value_name = "OUTPUT", conflicts_with = "output_flag")]
    pub output: Option<PathBuf>,
    /// What turns the table into requests.
    #[command(flatten)]
    pub ask: AskArgs,
    /// What becomes of answers that are not as wanted.
    #[command(flatten)]
    pub reask: ReaskArgs,
    /// How it runs.
    #[command(flatten)]
    pub running: RunningArgs,
    /// Which job it makes.
    #[command(flatten)]
    pub new_job: NewJobArgs,
    /// What it may spend.
    #[command(flatten)]
    pub spend: SpendArgs,
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

lays!(Args: ask, reask, running, new_job, spend, read, write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let input = input(args.input.as_deref(), context)?;
    let need = if args.spend.only_shows() { Need::NoKey } else { Need::Key };
    let who = who_is_asked(context, need)?;
    if args.spend.estimate_cost {
        return estimate(&input, who, context, true);
    }
    let named = args.output.as_deref().or(args.write.output.as_deref());
    let destination = Destination::choose(named, &input, context)?;
    if args.spend.dry_run {
        return dry_run(&input, who, context);
    }
    send(&input, who, &destination, context)
}

/// The table that the line or the project's file names.
fn input(named: Option<&Path>, context: &Context) -> Result<PathBuf, CommandError> {
    let setting = context.settings.get(key::INPUT).map(PathBuf::from);
    named.map(Path::to_owned).or(setting).ok_or_else(|| {
        CommandError::usage("no table was named").hint("batchctl workflow in.csv out.csv")
    })
}
