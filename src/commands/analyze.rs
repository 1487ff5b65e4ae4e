//! `analyze FILE|JOB...`: what there is to say of result files and jobs. It looks only; nothing is
//! sent, and nothing is written.

mod files;
mod jobs;
mod pictures;
mod show;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::files::{Lines, add_file};
use self::jobs::add_job;
use self::pictures::pictures;
use self::show::{document, lines};
use super::files::expand;
use super::flags::{Flags, JsonArg};
use super::steps::{Bare, Found, digest_at, find_job, open_store};
use super::{Context, chat};
use crate::batch::Used;
use crate::cost::{Currency, Money};
use crate::job::JobError;
use crate::result::Analysis;
use crate::store::Store;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `analyze`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Result files (JSONL) of any provider, in any number, and job ids
    #[arg(value_name = "FILE|JOB", required = true)]
    pub sources: Vec<PathBuf>,
    /// Whose prices the files are reckoned by [default: the provider of the model named in them]
    #[arg(long, value_name = "PROVIDER")]
    pub provider: Option<String>,
    /// The model that they are reckoned by [default: the one named in them]
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Keys of JSON answers to look at in files [default: those of the job that a file belongs to]
    #[arg(long, value_name = "KEYS")]
    pub json_fields: Option<String>,
    /// What to ask about a picture, where one is named: the same as `chat --image`
    #[arg(short, long, value_name = "TEXT|@FILE", hide = true)]
    pub prompt: Option<String>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// What was looked at.
#[derive(Debug, Default)]
struct Report {
    files: Vec<String>,
    jobs: Vec<String>,
    /// Sources that were left out, with what they are the same as.
    same: Vec<(String, String)>,
    /// Jobs that are not over, with their rows of which nothing is known yet.
    unfinished: Vec<(String, u64)>,
    analysis: Analysis,
    /// Answers with a count of tokens that came by calls.
    called: u64,
    /// Tokens and known costs; `known` is not used, as there may be several currencies.
    used: Used,
    costs: Vec<Cost>,
    /// Models of lines of files of which no price is known; a few of them.
    without_price: BTreeSet<String>,
    /// Answers of which it is not known what they used.
    without_usage: u64,
}

/// A sum in one currency.
#[derive(Debug, Clone, Copy)]
struct Cost {
    money: Money,
    /// Whether it was charged; at a sandbox nothing is.
    is_charged: bool,
}

impl Report {
    /// Takes what was used in, with its known cost, or with what it would have cost where nothing
    /// is charged.
    fn pay(&mut self, used: Used, currency: Option<Currency>, is_charged: bool) {
        self.used += used;
        let Some(currency) = currency.filter(|_| used.unpriced < used.rows) else { return };
        let is_same =
            |cost: &&mut Cost| cost.money.currency == currency && cost.is_charged == is_charged;
        if let Some(Cost { money, .. }) = self.costs.iter_mut().find(is_same) {
            money.pico = money.pico.saturating_add(used.known);
        } else {
            let money = Money { currency, pico: used.known };
            self.costs.push(Cost { money, is_charged });
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    if let Some(asked) = pictures(args, context)? {
        let context = context.with_settings(|over| asked.lay(over));
        return chat::run(&asked, &context);
    }
    let store = open_store(context)?;
    let (files, jobs) = sorted(args, context, &store)?;
    let mut report = Report::default();
    let mut known: Vec<(String, String)> = Vec::new();
    for found in &jobs {
        let job = found.job.short().to_owned();
        known.extend(
            store
                .artifacts(&found.job.key)?
                .into_iter()
                .map(|artifact| (artifact.digest, format!("job {job}"))),
        );
        add_job(&store, found, jobs.len() > 1, &mut report)?;
        report.jobs.push(job);
    }
    // A single file is no other's double, and need not be read twice.
    let has_doubles = files.len() + jobs.len() > 1;
    let mut read = 0;
    let reckoned = Lines::new(args, context, &store)?;
    for file in files {
        let path = context.folder.join(&file);
        let name = file.display().to_string();
        if has_doubles {
            let digest = digest_at(&path).map_err(JobError::file("read", &path))?;
            let digest = digest.unwrap_or_default();
            if let Some((_, same)) = known.iter().find(|(known, _)| *known == digest) {
                report.same.push((name, same.clone()));
                continue;
            }
            known.push((digest, name.clone()));
        }
        read += add_file(&path, &name, &reckoned, &mut report)?;
        report.files.push(name);
    }
    if jobs.is_empty() && read == 0 {
        let names = report.files.join(", ");
        return Err(CommandError::usage(format!("nothing to read: {names} is empty"))
            .hint("name the output or error file of a batch, or a job"));
    }
    if context.json {
        context.printer.json(&document(&report))?;
    } else {
        for line in lines(&report) {
            context.printer.data(&line)?;
        }
    }
    Ok(ExitCode::Success)
}

/// What was named, as files and as jobs; each job once.
fn sorted(
    args: &Args,
    context: &Context,
    store: &Store,
) -> Result<(Vec<PathBuf>, Vec<Found>), CommandError> {
    let (mut files, mut jobs): (Vec<PathBuf>, Vec<Found>) = (Vec::new(), Vec::new());
    for name in expand(&args.sources, &context.folder)? {
        if context.folder.join(&name).is_file() {
            files.push(name);
            continue;
        }
        let found = job_named(&name, context, store)?;
        if jobs.iter().all(|known| known.job.key != found.job.key) {
            jobs.push(found);
        }
    }
    Ok((files, jobs))
}

fn job_named(name: &Path, context: &Context, store: &Store) -> Result<Found, CommandError> {
    let id = name.to_string_lossy();
    if id != "last" && store.job_by_id(&id)?.is_none() && id.contains(['.', '/', '\\']) {
        return Err(CommandError::usage(format!("there is no file {}", name.display())));
    }
    find_job(context, store, Some(&id), Bare::Last)
}
