//! `estimate [INPUT]`: what a run would take.

use std::path::{Path, PathBuf};

use super::Context;
use super::flags::{AskArgs, JsonArg, ModeArgs, ReadArgs, ReaskArgs, lays};
use super::steps::{
    Bare, Found, Need, estimate, estimate_like, find_job, open_store, side_by_side, who_is_asked,
    words_question,
};
use crate::config::key;
use crate::table::Format;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `estimate`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Table to look at [default: [job] of ./batchctl.toml, else this folder's newest job, else its only table]
    #[arg(value_name = "INPUT")]
    pub input: Option<PathBuf>,
    /// What turns the table into requests.
    #[command(flatten)]
    pub ask: AskArgs,
    /// What becomes of answers that are not as wanted.
    #[command(flatten)]
    pub reask: ReaskArgs,
    /// By batch or by calls.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// How the table is read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Models to compare, as MODEL or PROVIDER:MODEL, with commas between them
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        conflicts_with = "model",
        help_heading = "Who is asked"
    )]
    pub models: Vec<String>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

lays!(Args: ask, reask, mode, read);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let models = each_once(&args.models, context)?;
    let chosen = match &args.input {
        Some(input) => Chosen { input: input.clone(), job: None },
        None => input_of_folder(context, models.is_empty())?,
    };
    if !models.is_empty() {
        return side_by_side(context, &chosen.input, &models);
    }
    if let Some(found) = &chosen.job {
        return estimate_like(context, &open_store(context)?, (&chosen.input, found));
    }
    let who = who_is_asked(context, Need::NoKey)?;
    estimate(&chosen.input, who, context, false)
}

/// What is looked at.
struct Chosen {
    input: PathBuf,
    /// The job whose question is priced, where the line words none.
    job: Option<Found>,
}

impl From<PathBuf> for Chosen {
    fn from(input: PathBuf) -> Self {
        Self { input, job: None }
    }
}

/// The models that were named, each once; what is left out is said.
fn each_once(names: &[String], context: &Context) -> Result<Vec<String>, CommandError> {
    let mut models: Vec<String> = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if name.is_empty() {
            context.printer.note("--models: an empty name is left out");
        } else if models.iter().any(|known| known == name) {
            context.printer.note(&format!("--models: {name} is named more than once, shown once"));
        } else {
            models.push(name.to_owned());
        }
    }
    if models.is_empty() && !names.is_empty() {
        return Err(CommandError::usage("--models names no model")
            .hint("batchctl estimate in.csv --models gpt-4o,gpt-4o-mini"));
    }
    Ok(models)
}

/// The `[job]` of the project's file, else the newest job of this folder, else its only table;
/// it says which.
fn input_of_folder(context: &Context, is_one_model: bool) -> Result<Chosen, CommandError> {
    if let Some(input) = context.settings.get(key::INPUT) {
        context.printer.note(&format!("estimating {input}, the input of [job] in ./batchctl.toml"));
        return Ok(PathBuf::from(input).into());
    }
    let store = open_store(context)?;
    if let Some(job) = store.last_job(&context.folder.to_string_lossy())? {
        let found = find_job(context, &store, Some(&job.key), Bare::Last)?;
        let source = PathBuf::from(&found.spec.source);
        if source.exists() {
            let name = source.strip_prefix(&context.folder).unwrap_or(&source);
            let is_like = is_one_model && !words_question(context);
            let what = if is_like { "with its question" } else { "with the question of this line" };
            context.printer.note(&format!(
                "estimating {}, the table of this folder's newest job {}, {what}",
                name.display(),
                job.short()
            ));
            let input = name.to_owned();
            return Ok(Chosen { input, job: is_like.then_some(found) });
        }
    }
    let mut tables: Vec<PathBuf> = std::fs::read_dir(&context.folder)?
        .filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())))
        .filter(|name| Format::from_name(name).is_some() && !is_output(name))
        .collect();
    tables.retain(|name| {
        let path = context.folder.join(name);
        !matches!(store.output_mark(&path.to_string_lossy()), Ok(Some(_)))
    });
    tables.sort();
    match tables.as_slice() {
        [only] => {
            context.printer.note(&format!("estimating {}, the only table here", only.display()));
            Ok(only.clone().into())
        }
        [] => Err(CommandError::usage("there is no table in this folder")
            .hint("batchctl estimate in.csv")),
        several => {
            let names: Vec<_> =
                several.iter().map(|name| context.shell.quote(&name.to_string_lossy())).collect();
            Err(CommandError::usage(format!("several tables are here: {}", names.join(", ")))
                .hint(format!("batchctl estimate {}   or another of them", names[0])))
        }
    }
}

/// Whether a name is one that we give to outputs.
fn is_output(name: &Path) -> bool {
    name.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".answers"))
}
