//! `resolve ID --batch BATCH | --absent`: decide where nobody but a person can tell whether a batch
//! exists.

use super::Context;
use super::steps::{Bare, Found, Need, find_job, open_store, with_driver};
use crate::job::{Resolved, Undecided};
use crate::ui::{CommandError, ExitCode, counted};

/// Arguments of `resolve`.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("decision").required(true).args(["batch", "absent"])))]
pub struct Args {
    /// Job id, or last [default: the only unfinished job]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// This batch at the provider is the one that is looked for; what is in it is checked
    #[arg(long, value_name = "BATCH")]
    pub batch: Option<String>,
    /// There is no such batch: send its rows again (they are paid for twice if there is one)
    #[arg(long)]
    pub absent: bool,
    /// Do not ask before the rows are sent again
    #[arg(short, long)]
    pub yes: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::OnlyUnfinished)?;
    let short = found.job.short();
    if found.job.state.is_over() {
        return Err(CommandError::usage(format!(
            "job {short} is {}: nothing is to be decided",
            found.job.state
        )));
    }
    let resolved = match &args.batch {
        Some(batch) => with_driver(context, &store, &found, Need::Key, |driver| {
            Ok(context.block_on(driver.resolve_batch(batch))??)
        })?,
        None => with_driver(context, &store, &found, Need::NoKey, |driver| {
            let undecided = driver.undecided()?;
            if undecided != Undecided::default() {
                approve(args, context, &found, &undecided)?;
            }
            Ok(driver.resolve_absent()?)
        })?,
    };
    match resolved {
        Resolved::Done(words) => {
            context.printer.note(&words);
            context.printer.note(&format!("go on: batchctl resume {short}"));
            Ok(ExitCode::Success)
        }
        Resolved::Refused(words) => Err(CommandError::usage(words)
            .hint(format!("batchctl status {short} shows what it waits for"))),
    }
}

/// The question before rows may be paid for a second time.
fn approve(
    args: &Args,
    context: &Context,
    found: &Found,
    undecided: &Undecided,
) -> Result<(), CommandError> {
    if args.yes {
        return Ok(());
    }
    let rows: u64 = undecided.lost.iter().map(|(_, rows)| rows).sum();
    let text = if rows > 0 {
        format!(
            "{} of job {} are sent again; if their batch exists all the same, they are paid for \
             twice",
            counted(rows, "row"),
            found.job.short()
        )
    } else {
        let rows: u64 = undecided.empty.iter().map(|(_, rows)| rows).sum();
        format!(
            "up to {} whose answers cannot be had are called missing; they ran and are paid, and \
             go out again, paid once more, as long as rounds are left",
            counted(rows, "row")
        )
    };
    if !context.is_interactive {
        return Err(CommandError::usage(text).hint("add --yes if that is meant"));
    }
    if context.printer.confirm(&format!("{text}. Go on?"))? {
        return Ok(());
    }
    Err(CommandError::message(ExitCode::Usage, "stopped; nothing was changed"))
}
