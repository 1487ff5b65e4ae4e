//! `submit FILE.jsonl...`: upload request files and create their batches.

use std::path::{Path, PathBuf};

use super::Context;
use super::files::expand;
use super::flags::{JsonArg, NewJobArgs, RunningArgs, SpendArgs, WhoArgs, WriteArgs, lays};
use super::steps::{
    Destination, Follow, Need, Planned, Scratch, begin_and_go_on, open_store, require_limits,
    reuse, show_estimate, show_plan, who_is_asked,
};
use crate::table::Format;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `submit`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Request files: of `convert`, or any JSONL with `custom_id` and `body`
    #[arg(value_name = "FILE.jsonl", required = true)]
    pub files: Vec<PathBuf>,
    /// Go on to the results instead of returning
    #[arg(long, conflicts_with = "no_wait")]
    pub wait: bool,
    /// Who is asked.
    #[command(flatten)]
    pub who: WhoArgs,
    /// How it runs.
    #[command(flatten)]
    pub running: RunningArgs,
    /// Which job it makes.
    #[command(flatten)]
    pub new_job: NewJobArgs,
    /// What it may spend.
    #[command(flatten)]
    pub spend: SpendArgs,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

lays!(Args: who, running, new_job, spend, write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    if args.files.len() > 1 && args.write.output.is_some() {
        return Err(CommandError::usage("--output names one table, but several files were given")
            .hint("drop --output: each file gets a table of its own"));
    }
    if args.files.len() > 1 && args.new_job.name.is_some() {
        return Err(CommandError::usage("--name names one job, but several files were given")
            .hint("drop --name, or submit the files one by one"));
    }
    if args.running.pace.max_wait.is_some() && !args.wait {
        return Err(CommandError::usage("--max-wait limits a wait, and submit does not wait")
            .hint("add --wait, or drop --max-wait"));
    }
    let mut worst = ExitCode::Success;
    for file in expand(&args.files, &context.folder)? {
        let exit = submit_one(&file, args, context)?;
        if exit != ExitCode::Success {
            worst = exit;
        }
    }
    Ok(worst)
}

fn submit_one(file: &Path, args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let need = if args.spend.only_shows() { Need::NoKey } else { Need::Key };
    let mut who = who_is_asked(context, need)?;
    let destination = Destination::choose(args.write.output.as_deref(), file, context)?;
    let store = open_store(context)?;
    let scratch = Scratch::new(store.home())?;
    let reuse = reuse(context, &store, &who, !args.spend.only_shows());
    let planned = Planned::make(context, file, &mut who, scratch.folder(), reuse)?;
    if planned.table.shape().format != Format::Requests {
        return Err(CommandError::usage(format!(
            "{} is not a request file: its lines have no custom_id and body",
            file.display()
        ))
        .hint(format!("batchctl workflow {}   asks a table", file.display())));
    }
    if args.spend.only_shows() {
        let exit = if args.spend.estimate_cost {
            show_estimate(context, &planned, &who)?
        } else {
            show_plan(context, &planned, &who, scratch.folder())?
        };
        require_limits(context, &planned, &who)?;
        return Ok(exit);
    }
    let how = Follow { submit: true, wait: args.wait };
    begin_and_go_on(context, &store, (scratch, planned), (&who, &destination), how)
}
