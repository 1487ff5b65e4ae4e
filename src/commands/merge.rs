//! `merge FILE|JOB...`: results back onto the table.

mod slips;
mod unsent;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::slips::{first_id, names_of, no_results, refuse_swapped, refuse_table};
use self::unsent::unsent_rows;
use super::Context;
use super::files::expand;
use super::flags::{AnswerArgs, Flags, JsonArg, RangeArgs, ReadArgs, WriteArgs, whole};
use super::steps::{
    Bare, Destination, Found, Rewrite, RowCheck, Scratch, columns, cost_of_lines, defaults,
    digest_at, ending_of, expected, find_job, form_on, if_pruned, open_store, open_table,
    output_spec, report, report_merge, require_shape, require_writable, selection, with_look,
    write_job_table, write_options,
};
use anyhow::Context as _;

use crate::answer::RowStatus;
use crate::config::{Overrides, key, nearest};
use crate::job::{JobError, OutputSpec};
use crate::request::{CustomId, Form};
use crate::result::{IdMap, IdRule, Join, MergeIndex, MergeOptions, ResultError, Settled};
use crate::shard::Manifest;
use crate::store::Store;
use crate::table::{Selection, Table, Target, Writer};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `merge`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Result files (JSONL), in any order, or a job id
    #[arg(value_name = "FILE|JOB", required = true)]
    pub results: Vec<PathBuf>,
    /// Table the questions came from; without a value the one that the ids belong to
    #[arg(long, value_name = "TABLE", num_args = 0..=1)]
    pub original_csv: Option<Option<PathBuf>>,
    /// Column of the table that holds the `custom_id` of each row
    #[arg(long, value_name = "COLUMN")]
    pub id_column: Option<String>,
    /// What the first row is called where ids are numbers, 0 or 1 [default: by the pattern]
    #[arg(long, value_name = "0|1", value_parser = id_base)]
    pub id_base: Option<u64>,
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

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        over.switch(key::ALLOW_PARTIAL, self.allow_partial);
        self.range.lay(over);
        self.answer.lay(over);
        self.read.lay(over);
        self.write.lay(over);
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    if let Some(found) = job_named(args, context, &store)? {
        return merge_job(args, context, &store, found);
    }
    let files = expand(&args.results, &context.folder)?;
    let named = args.original_csv.clone().flatten();
    for file in &files {
        if !context.folder.join(file).is_file() {
            return Err(no_results(file, context));
        }
    }
    let scratch = Scratch::new(store.home())?;
    let origin = Origin::of(&files, context, &store)?;
    if let Some(path) = &named {
        refuse_swapped(path, &files, context)?;
    }
    refuse_table(&files, named.as_deref(), context)?;
    let table = match named {
        Some(path) => (open_table(&path, context, scratch.folder().root())?, path),
        None => origin.table(context, scratch.folder().root())?,
    };
    merge_files(args, context, &store, &files, origin, table)
}

/// A job given instead of files.
fn id_base(text: &str) -> Result<u64, String> {
    whole(text, "the number of the first row", 0, Some(1))
}

fn job_named(args: &Args, context: &Context, store: &Store) -> Result<Option<Found>, CommandError> {
    let [only] = args.results.as_slice() else { return Ok(None) };
    if context.folder.join(only).exists() {
        return Ok(None);
    }
    let id = only.to_string_lossy();
    if id != "last" && store.job_by_id(&id)?.is_none() {
        return Ok(None);
    }
    find_job(context, store, Some(&id), Bare::Last).map(Some)
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

/// Where the ids of result files come from, as far as this home or the manifests here know.
enum Origin {
    /// A job of this home.
    Job(Box<Found>),
    /// Request files of `convert`.
    Convert {
        /// Their manifest.
        manifest: Box<Manifest>,
        /// The rows it was made for.
        selection: Selection,
        /// Where it stands.
        path: PathBuf,
    },
    /// Somebody else's ids, or a job that is not known here.
    Unknown {
        /// The first id found.
        example: Option<String>,
    },
}

impl Origin {
    fn of(files: &[PathBuf], context: &Context, store: &Store) -> Result<Self, CommandError> {
        let example = first_id(files, context);
        let ours = example.as_deref().and_then(CustomId::parse);
        let Some(id) = ours else { return Ok(Self::Unknown { example }) };
        if let Some(job) = store.job_by_id(&id.job6)? {
            return Ok(Self::Job(Box::new(Found::of(store, job)?)));
        }
        let beside = files.iter().filter_map(|file| file.parent().map(Path::to_owned));
        for folder in std::iter::once(PathBuf::new()).chain(beside) {
            for path in manifests(&context.folder.join(folder)) {
                let manifest = Manifest::read(&path)
                    .map_err(|error| CommandError::new(ExitCode::Usage, error))?;
                if manifest.job6 == id.job6 {
                    let selection = serde_json::from_value(manifest.selection.clone())
                        .with_context(|| format!("{}: its selection", path.display()))?;
                    return Ok(Self::Convert { manifest: Box::new(manifest), selection, path });
                }
            }
        }
        Ok(Self::Unknown { example })
    }

    /// The table that the ids belong to.
    fn table(&self, context: &Context, scratch: &Path) -> Result<(Table, PathBuf), CommandError> {
        match self {
            Self::Job(found) => Ok((found.table()?, PathBuf::from(&found.spec.source))),
            Self::Convert { manifest, path, .. } => {
                let table = PathBuf::from(&manifest.table);
                if !table.exists() {
                    return Err(CommandError::usage(format!(
                        "{} says that the table is {}, which is not there",
                        path.display(),
                        table.display()
                    ))
                    .hint("name it: --original-csv TABLE"));
                }
                Ok((open_table(&table, context, scratch)?, table))
            }
            Self::Unknown { example } => {
                let ids = match example {
                    Some(id) => format!("ids such as {id} belong to no job or manifest known here"),
                    None => "no line of the files has an id".to_owned(),
                };
                Err(CommandError::usage(ids).hint("name the table: --original-csv TABLE"))
            }
        }
    }

    fn job6(&self) -> Option<&str> {
        match self {
            Self::Job(found) => Some(found.job.short()),
            Self::Convert { manifest, .. } => Some(&manifest.job6),
            Self::Unknown { .. } => None,
        }
    }

    fn form(&self) -> Form {
        match self {
            Self::Job(found) => found.spec.form.clone(),
            Self::Convert { manifest, .. } => manifest.form.clone(),
            Self::Unknown { .. } => Form::default(),
        }
    }

    fn selection(&self) -> Option<&Selection> {
        match self {
            Self::Job(found) => Some(&found.spec.selection),
            Self::Convert { selection, .. } => Some(selection),
            Self::Unknown { .. } => None,
        }
    }

    /// Rows of which something is known without a result line.
    fn known(&self, store: &Store) -> Result<Vec<Settled>, CommandError> {
        let skipped = |row, reason: &str| Settled {
            error: Some(reason.to_owned()),
            ..Settled::new(row, Some(RowStatus::Skipped))
        };
        Ok(match self {
            Self::Job(found) => store
                .rows_with_status(&found.job.key, RowStatus::Skipped)?
                .iter()
                .map(|record| skipped(record.row, record.error.as_deref().unwrap_or_default()))
                .collect(),
            Self::Convert { manifest, .. } => {
                manifest.skipped.iter().map(|row| skipped(row.row, &row.reason)).collect()
            }
            Self::Unknown { .. } => Vec::new(),
        })
    }

    /// The hash of each row as it was asked, to tell another table from the one that was sent;
    /// asked for once.
    fn check(&mut self, store: &Store, same_selection: bool) -> Result<RowCheck, CommandError> {
        Ok(match self {
            Self::Job(found) => RowCheck::of_job(found, store)?,
            Self::Convert { manifest, .. } => {
                // Taken, not copied: they are large.
                let hashes = std::mem::take(&mut manifest.row_hashes);
                if same_selection { RowCheck::in_order(hashes) } else { RowCheck::Nothing }
            }
            Self::Unknown { .. } => RowCheck::Nothing,
        })
    }
}

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".manifest.json"))
        .collect();
    paths.sort();
    paths
}

fn merge_files(
    args: &Args,
    context: &Context,
    store: &Store,
    files: &[PathBuf],
    mut origin: Origin,
    (table, source): (Table, PathBuf),
) -> Result<ExitCode, CommandError> {
    let usage = |error: ResultError| {
        let is_of_all =
            matches!(error, ResultError::NotResults { .. } | ResultError::NothingMatches { .. });
        // A full disk is no wrong usage.
        let exit = match &error {
            ResultError::Table(_) | ResultError::Settled(_) => ExitCode::Unexpected,
            _ => ExitCode::Usage,
        };
        let error = CommandError::new(exit, error);
        if is_of_all { error.hint(format!("read: {}", names_of(files))) } else { error }
    };
    let destination = Destination::choose(args.write.output.as_deref(), &source, context)?;
    let mut output =
        OutputSpec { path: destination.path().map(Path::to_owned), ..output_spec(context) };
    require_writable(&destination, output.overwrite, store, None)?;
    let given = selection(context, &table)?;
    let check = origin.check(store, given.is_everything())?;
    let selection = origin.selection().filter(|_| given.is_everything()).unwrap_or(&given);
    let form = form_on(&origin.form(), context)?;
    let expected = expected(&form)?;
    let wanted = expected.wanted();
    let fill = selection.filled_column();
    if let Some(column) = fill {
        output.all_rows = true;
        if !wanted.is_json() {
            output.response_column.get_or_insert_with(|| table.headers()[column].clone());
        }
    }
    require_shape(&form, wanted, &output, fill.is_some())?;
    let defaults = defaults(wanted, &output)?;
    let columns = columns(wanted, &output);
    let paths: Vec<_> = files.iter().map(|file| context.folder.join(file)).collect();
    let options = MergeOptions {
        ids: id_rule(args, &table)?,
        wanted,
        job6: origin.job6().map(str::to_owned),
    };
    let mut index = MergeIndex::build(&paths, options).map_err(usage)?;
    let mut known = origin.known(store)?;
    if let Origin::Job(found) = &origin {
        known.extend(unsent_rows(store, found, &mut index)?);
        known.sort_unstable_by_key(|settled| settled.row);
    }
    let target = match &output.path {
        Some(path) => Target::Path(path.clone()),
        None => Target::Stdout,
    };
    let mut write = write_options(&output, &target, &table);
    write.fill = fill;
    let mut writer =
        Writer::create(target, &table, columns.names(), &write).map_err(JobError::from)?;
    let is_same_row = |row: u64, hash: u64| check.fits(row, hash);
    let join = Join {
        table: &table,
        selection,
        columns: &columns,
        wanted,
        unsettled: match origin {
            Origin::Unknown { .. } => RowStatus::Unasked,
            _ => RowStatus::Missing,
        },
        all_rows: output.all_rows,
        defaults: defaults.as_ref(),
        provider: "",
        is_same_row: Some(&is_same_row),
    };
    let summary = index.write(join, known, &mut writer).map_err(usage)?;
    let mark = |digest: &str| {
        let Some(path) = &output.path else { return Ok(()) };
        let earlier = digest_at(path)?;
        let digests = (digest, earlier.as_deref());
        store
            .mark_output(&path.to_string_lossy(), digests, None, context.clock.unix())
            .map_err(std::io::Error::other)
    };
    let written = writer.finish_after(mark).map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    let cost = match &origin {
        Origin::Job(found) => cost_of_lines(store, &found.job, summary.usage)?,
        _ => None,
    };
    report_merge(context, (&summary, cost), output.path.as_deref(), args.allow_partial)
}

/// How ids become rows.
fn id_rule(args: &Args, table: &Table) -> Result<IdRule, CommandError> {
    let Some(column) = &args.id_column else {
        return Ok(args.id_base.map_or(IdRule::Pattern, IdRule::Base));
    };
    let index = table.headers().iter().position(|header| header == column).ok_or_else(|| {
        let meant = nearest(column, table.headers().iter().map(String::as_str));
        let meant = meant.map(|meant| format!(" (nearest: `{meant}`)")).unwrap_or_default();
        CommandError::usage(format!(
            "--id-column names the column `{column}`, which the table does not have{meant}"
        ))
        .hint(format!("columns: {}", table.headers().join(", ")))
    })?;
    let map = IdMap::of_column(table, index);
    Ok(IdRule::Map(map.map_err(|error| CommandError::new(ExitCode::Usage, error))?))
}
