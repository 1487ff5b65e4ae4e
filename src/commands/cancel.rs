//! `cancel ID`: stop a job and collect what is done.

use std::path::Path;
use std::time::Duration;

use super::Context;
use super::flags::{JsonArg, WriteArgs, lays};
use super::steps::{Bare, Follow, ending_of, find_job, go_on, open_store, report, with_look};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `cancel`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: the only unfinished job]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How the output is written.
    #[command(flatten)]
    pub write: WriteArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

lays!(Args: write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::OnlyUnfinished)?;
    let found = with_look(found, args.write.output.as_deref(), context)?;
    let short = found.job.short();
    if found.job.state.is_over() {
        context.printer.note(&format!("job {short} is {} already", found.job.state));
        let output = found.job.output_path.as_deref().map(Path::new);
        let ending = ending_of(&found.job);
        return report(context, &store, &found, (&ending, false), output, Duration::ZERO);
    }
    store.wish_cancel(&found.job.key, context.clock.unix())?;
    let follow = Follow { submit: false, wait: true };
    match go_on(context, &store, &found, follow) {
        Err(error) if error.exit == ExitCode::Locked => {
            context.printer.note(&format!(
                "job {short} is driven by another process, which stops it now and collects what \
                 is done"
            ));
            Ok(ExitCode::Success)
        }
        other => Ok(other?.exit),
    }
}
