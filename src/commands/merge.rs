//! `merge FILE|JOB...`: results back onto the table.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::Context;
use super::files::expand;
use super::flags::{AnswerArgs, JsonArg, RangeArgs, ReadArgs, WriteArgs, lays};
use super::steps::{
    Bare, Destination, Found, Rewrite, RowCheck, Scratch, columns, find_job, open_store,
    open_table, output_spec, report_merge, require_folder, require_writable, selection,
    write_job_table, write_options,
};
use anyhow::Context as _;

use crate::answer::{Fields, RowStatus};
use crate::batch::ResultFile;
use crate::config::key;
use crate::job::{JobError, OutputSpec};
use crate::request::CustomId;
use crate::result::{
    IdMap, IdRule, Join, MergeIndex, MergeOptions, ResultError, Settled, looks_like_results,
};
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
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u64).range(0..=1))]
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

lays!(Args: range, answer, read, write);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    if let Some(found) = job_named(args, context, &store)? {
        return merge_job(args, context, &store, found);
    }
    let files = expand(&args.results, &context.folder)?;
    for file in &files {
        if !context.folder.join(file).is_file() {
            return Err(CommandError::usage(format!("{} is not there", file.display()))
                .hint("batchctl download last --output-dir .   copies a job's result files here")
                .hint("batchctl merge JOB   needs no files"));
        }
    }
    let scratch = Scratch::new(store.home())?;
    let origin = Origin::of(&files, context, &store)?;
    let table = match args.original_csv.clone().flatten() {
        Some(path) => {
            refuse_swapped(&path, &files, context)?;
            (open_table(&path, context, scratch.folder().root())?, path)
        }
        None => origin.table(context, scratch.folder().root())?,
    };
    merge_files(args, context, &store, &files, &origin, table)
}

/// A job given instead of files.
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
    mut found: Found,
) -> Result<ExitCode, CommandError> {
    let path = match &args.write.output {
        Some(path) => Some(context.folder.join(path)),
        None => found.spec.output.path.clone(),
    };
    found.spec.output = OutputSpec { path, ..output_spec(context) };
    if let Some(fields) = context.settings.get(key::JSON_FIELDS) {
        found.spec.fields = Some(fields);
    }
    if let Some(path) = &found.spec.output.path {
        require_folder(path)?;
    }
    let table = found.table()?;
    let written = write_job_table(context, store, &found, &table, Rewrite::Final)?.path;
    if let Some(path) = written {
        context.printer.note(&format!("output   {}", path.display()));
    }
    let counts = store.status_counts(&found.job.key)?;
    let all_good = counts.keys().all(|status| status.is_good())
        && counts.values().sum::<u64>() == found.job.rows;
    Ok(if all_good || args.allow_partial { ExitCode::Success } else { ExitCode::SomeRowsBad })
}

/// A table and the results of it exchanged on the line.
fn refuse_swapped(table: &Path, files: &[PathBuf], context: &Context) -> Result<(), CommandError> {
    let first = |path: &Path| -> Option<String> {
        let file = std::fs::File::open(context.folder.join(path)).ok()?;
        let mut line = String::new();
        BufReader::new(file).read_line(&mut line).ok()?;
        Some(line)
    };
    let results = |path: &Path| first(path).is_some_and(|line| looks_like_results(&line));
    if results(table) {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        return Err(CommandError::usage(format!(
            "{} holds results, it is not the table they belong to",
            table.display()
        ))
        .hint(format!(
            "batchctl merge {} --original-csv {}",
            table.display(),
            names.join(" ")
        )));
    }
    Ok(())
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

    fn fields(&self) -> Option<String> {
        match self {
            Self::Job(found) => found.spec.fields.clone(),
            Self::Convert { manifest, .. } => manifest.fields.clone(),
            Self::Unknown { .. } => None,
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

    /// The hash of each row as it was asked, to tell another table from the one that was sent.
    fn check(&self, store: &Store, same_selection: bool) -> Result<RowCheck, CommandError> {
        Ok(match self {
            Self::Job(found) => RowCheck::of_job(found, store)?,
            Self::Convert { manifest, .. } => RowCheck::of_manifest(manifest, same_selection),
            Self::Unknown { .. } => RowCheck::Nothing,
        })
    }
}

/// The first id in the files, for finding out whose they are.
fn first_id(files: &[PathBuf], context: &Context) -> Option<String> {
    files.iter().find_map(|file| {
        let mut lines = ResultFile::open(&context.folder.join(file)).ok()?;
        lines.find_map(|line| Some(line.ok()?.2.ok()?.custom_id))
    })
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
    origin: &Origin,
    (table, source): (Table, PathBuf),
) -> Result<ExitCode, CommandError> {
    let usage = |error: ResultError| CommandError::new(ExitCode::Usage, error);
    let destination = Destination::choose(args.write.output.as_deref(), &source, context)?;
    let output =
        OutputSpec { path: destination.path().map(Path::to_owned), ..output_spec(context) };
    require_writable(&destination, output.overwrite, store, None)?;
    let given = selection(context, table.headers())?;
    let selection = origin.selection().filter(|_| given.is_everything()).unwrap_or(&given);
    let fields = context.settings.get(key::JSON_FIELDS).or_else(|| origin.fields());
    let fields = fields.as_deref().map(Fields::parse).transpose();
    let fields = fields.map_err(|error| CommandError::new(ExitCode::Usage, error))?;
    let columns = columns(fields.as_ref(), &output);
    let paths: Vec<_> = files.iter().map(|file| context.folder.join(file)).collect();
    let options = MergeOptions {
        ids: id_rule(args, &table)?,
        fields: fields.as_ref(),
        job6: origin.job6().map(str::to_owned),
    };
    let index = MergeIndex::build(&paths, options).map_err(usage)?;
    let target = match &output.path {
        Some(path) => Target::Path(path.clone()),
        None => Target::Stdout,
    };
    let write = write_options(&output, &target, &table);
    let mut writer =
        Writer::create(target, &table, columns.names(), &write).map_err(JobError::from)?;
    let check = origin.check(store, given.is_everything())?;
    let is_same_row = |row: u64, hash: u64| check.fits(row, hash);
    let join = Join {
        table: &table,
        selection,
        columns: &columns,
        fields: fields.as_ref(),
        unsettled: match origin {
            Origin::Unknown { .. } => RowStatus::Unasked,
            _ => RowStatus::Missing,
        },
        all_rows: output.all_rows,
        provider: "",
        is_same_row: Some(&is_same_row),
    };
    let summary = index.write(join, origin.known(store)?, &mut writer).map_err(usage)?;
    let written = writer.finish().map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    if let Some(path) = &output.path {
        store.mark_output(&path.to_string_lossy(), &written.digest, None, context.clock.unix())?;
    }
    report_merge(context, &summary, output.path.as_deref(), args.allow_partial)
}

/// How ids become rows.
fn id_rule(args: &Args, table: &Table) -> Result<IdRule, CommandError> {
    let Some(column) = &args.id_column else {
        return Ok(args.id_base.map_or(IdRule::Pattern, IdRule::Base));
    };
    let index = table.headers().iter().position(|header| header == column).ok_or_else(|| {
        CommandError::usage(format!("--id-column {column} is not a column of the table"))
            .hint(format!("columns: {}", table.headers().join(", ")))
    })?;
    let mut ids = Vec::new();
    let mut rows = table.rows().map_err(JobError::from)?;
    while let Some(row) = rows.next_row().map_err(JobError::from)? {
        ids.push((row.number(), row.cell(index).to_owned()));
    }
    let map = IdMap::new(ids.iter().map(|(row, id)| (*row, id.as_str())))
        .map_err(|error| CommandError::new(ExitCode::Usage, error))?;
    Ok(IdRule::Map(map))
}
