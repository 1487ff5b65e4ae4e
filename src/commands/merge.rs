//! `merge FILE|JOB...`: results back onto the table. Which rows the ids mean is settled before
//! anything is written; where that cannot be told, nothing is.

mod fix;
mod found_again;
mod origin;
mod read;
mod slips;
mod sources;
mod unsent;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use self::origin::Origins;
use self::read::{Reading, read};
use self::slips::{no_results, refuse_swapped, refuse_table};
use self::sources::Sources;
use self::write::write;
use super::Context;
use super::flags::{AnswerArgs, Flags, JsonArg, RangeArgs, ReadArgs, WriteArgs};
use super::steps::{
    Destination, Found, Rewrite, Scratch, ending_of, if_pruned, open_store, open_table,
    output_spec, report, require_writable, with_look, write_job_table,
};
use crate::config::{Overrides, key};
use crate::job::OutputSpec;
use crate::store::Store;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `merge`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Result files (JSONL) and job ids, in any number and order
    #[arg(value_name = "FILE|JOB", required = true)]
    pub results: Vec<PathBuf>,
    /// Table the questions came from; without a value the one that the ids belong to
    #[arg(long, value_name = "TABLE", num_args = 0..=1)]
    pub original_csv: Option<Option<PathBuf>>,
    /// Write only the empty cells of this column of the table; all rows are written
    #[arg(long, value_name = "COLUMN")]
    pub fill: Option<String>,
    /// Column of the table that holds the `custom_id` of each row
    #[arg(long, value_name = "COLUMN")]
    pub id_column: Option<String>,
    /// What the first row is called where ids are numbers, 0 or 1 [default: by the pattern]; one
    /// for each file where they differ: 0,1
    #[arg(long, value_name = "N", value_delimiter = ',', allow_hyphen_values = true, value_parser = id_base)]
    pub id_base: Vec<i64>,
    /// Exit 0 instead of 3 when some rows are not good
    #[arg(long)]
    pub allow_partial: bool,
    /// Which rows.
    #[command(flatten)]
    pub range: RangeArgs,
    /// What the answers become.
    #[command(flatten)]
    pub answer: AnswerArgs,
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

/// Nobody counts from 2: that would leave out the first rows of the table. Below 0 a file goes on
/// behind the rows of others.
fn id_base(text: &str) -> Result<i64, String> {
    match text.trim().parse() {
        Ok(base @ ..=1) => Ok(base),
        _ => {
            Err("0 or 1 is wanted: what the first row of the table is called in the ids; below 0 \
                  where a file goes on behind the rows of others"
                .to_owned())
        }
    }
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        over.switch(key::ALLOW_PARTIAL, self.allow_partial);
        // To fill a column is to take the rows in which it is empty.
        over.text(key::SKIP_FILLED, self.fill.as_deref());
        self.range.lay(over);
        self.answer.lay(over);
        self.read.lay(over);
        self.write.lay(over);
    }
}

impl Args {
    /// The table that is named.
    fn table(&self) -> Option<PathBuf> {
        self.original_csv.clone().flatten()
    }

    /// Whether the line says where the rows of its results are, or which of them it wants.
    fn is_about_rows(&self) -> bool {
        self.table().is_some()
            || self.fill.is_some()
            || self.id_column.is_some()
            || !self.id_base.is_empty()
            || self.range.start_row.is_some()
            || self.range.end_row.is_some()
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let sources = Sources::of(args, context, &store)?;
    if let ([only], []) = (sources.jobs.as_slice(), sources.files.as_slice())
        && !args.is_about_rows()
    {
        return merge_job(args, context, &store, only.clone());
    }
    refuse_slips(args, context, &sources)?;
    let scratch = Scratch::new(store.home())?;
    let mut origins = Origins::of(&sources, context, &store)?;
    let (table, source) = match args.table() {
        Some(path) => (open_table(&path, context, scratch.folder().root())?, path),
        None => origins.table(context, scratch.folder().root())?,
    };
    let destination = Destination::choose(args.write.output.as_deref(), &source, context)?;
    for file in &sources.files {
        destination.require_not("a result file", file, context)?;
    }
    let path = destination.path().map(PathBuf::from);
    let output = OutputSpec { path, ..output_spec(context) };
    require_writable(&destination, output.overwrite, &store, None)?;
    let (store, sources, table) = (&store, &sources, &table);
    let reading =
        Reading { args, context, store, sources, table, scratch: scratch.folder().root() };
    let found = read(&reading, &mut origins)?;
    write(&reading, &origins, &found, output)
}

/// Stops at files that are no results, and at a table in their place.
fn refuse_slips(args: &Args, context: &Context, sources: &Sources) -> Result<(), CommandError> {
    for file in &sources.files {
        if !context.folder.join(file).is_file() {
            return Err(no_results(file, context));
        }
    }
    if sources.files.is_empty() {
        return Ok(());
    }
    if let Some(path) = args.table() {
        refuse_swapped(&path, &sources.files, context)?;
    }
    refuse_table(&sources.files, args.table().as_deref(), context)
}

/// Writes a job's table again, with what the line says about its look.
fn merge_job(
    args: &Args,
    context: &Context,
    store: &Store,
    found: Found,
) -> Result<ExitCode, CommandError> {
    if let Some(words) = if_pruned(store, &found)? {
        return Err(CommandError::usage(words));
    }
    let found = with_look(found, args.write.output.as_deref(), context)?;
    let table = found.written_table()?;
    let written = write_job_table(context, store, &found, &table, Rewrite::Final)?;
    let ending = ending_of(&found.job);
    report(context, store, &found, (&ending, false), Some(&written), Duration::ZERO)
}
