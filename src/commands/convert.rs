//! `convert INPUT OUT.jsonl`: a table to request files and their manifest.

use std::path::{Path, PathBuf};

use super::Context;
use super::flags::{AskArgs, JsonArg, ReadArgs, lays};
use super::steps::{Need, Prepared, Scratch, read_in_place, require_folder, who_is_asked};
use crate::cost::grouped;
use crate::job::{Converted, JobError, Places, RequestFile, Spec, Tally, convert};
use crate::request::RULES;
use crate::shard::{Manifest, ManifestFile, SkippedRow};
use crate::ui::{CommandError, ExitCode, counted};

/// Arguments of `convert`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Table to ask about, or "-" for stdin
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// Request file to write; more than one is numbered, and OUT.manifest.json stands beside [default: <table>.jsonl]
    #[arg(value_name = "OUT.jsonl")]
    pub output: Option<PathBuf>,
    /// Replace the request files that are there
    #[arg(long)]
    pub overwrite: bool,
    /// What turns the table into requests.
    #[command(flatten)]
    pub ask: AskArgs,
    /// How the table is read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

lays!(Args: ask, read);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let mut who = who_is_asked(context, Need::NoKey)?;
    let output = args.output.clone().unwrap_or_else(|| args.input.with_extension("jsonl"));
    let output = context.folder.join(output);
    let manifest_path = output.with_extension("manifest.json");
    require_folder(&output)?;
    for path in [&output, &manifest_path] {
        if path.exists() && !args.overwrite {
            return Err(exists(path));
        }
    }
    if output == context.folder.join(&args.input) {
        return Err(CommandError::usage("the request file would replace the table itself"));
    }
    let scratch = Scratch::new(&context.home)?;
    let (taken, unchanged) = read_in_place(&args.input, context, scratch.folder())?;
    taken.decide(context, &mut who)?;
    let prepared = Prepared::of(context, taken, &who)?;
    let Prepared { table, spec, limits, .. } = &prepared;
    let places =
        Places { file: &|number| numbered(&output, number), scratch: scratch.folder().root() };
    let converted = convert(spec, table, limits, places, context.reporter().as_ref())?;
    unchanged.check()?;
    prepared.check(context, &converted.tally)?;
    let manifest = manifest(spec, &converted)?;
    let requests = converted.requests();
    let mut paths = converted.files.iter().map(|file| file.file.target());
    if let Some(path) = paths.find(|path| path.exists() && !args.overwrite) {
        return Err(exists(path));
    }
    for RequestFile { file, .. } in converted.files {
        let path = file.target().to_owned();
        file.commit().map_err(JobError::file("write", &path))?;
    }
    manifest.write(&manifest_path)?;
    tell(context, &converted.tally, requests, &manifest, &output)
}

fn exists(path: &Path) -> CommandError {
    CommandError::usage(format!("{} exists", path.display()))
        .hint("name another file, or add --overwrite")
}

fn manifest(spec: &Spec, converted: &Converted) -> Result<Manifest, CommandError> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Manifest {
        rules: RULES,
        job6: converted.job6.clone(),
        table: PathBuf::from(&spec.source),
        table_digest: spec.source_digest.clone(),
        shape: serde_json::to_value(&spec.shape)?,
        selection: serde_json::to_value(&spec.selection)?,
        question: spec.question.clone(),
        form: spec.form.clone(),
        files: converted
            .files
            .iter()
            .map(|file| ManifestFile {
                name: name(file.file.target()),
                requests: file.requests,
                bytes: file.bytes,
                digest: file.digest.clone(),
            })
            .collect(),
        skipped: converted
            .tally
            .skipped
            .iter()
            .map(|record| SkippedRow {
                row: record.row,
                line: 0,
                reason: record.error.clone().unwrap_or_default(),
            })
            .collect(),
        row_hashes: converted.row_hashes.clone(),
        other: serde_json::Map::new(),
    })
}

/// The first file has the name that was given, the others a number.
fn numbered(output: &Path, number: u64) -> PathBuf {
    if number == 1 {
        return output.to_owned();
    }
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{stem}-{number:04}.jsonl"))
}

fn tell(
    context: &Context,
    tally: &Tally,
    requests: u64,
    manifest: &Manifest,
    output: &Path,
) -> Result<ExitCode, CommandError> {
    let skipped = tally.skipped.len() as u64;
    if context.json {
        context.printer.json(&serde_json::json!({
            "schema_version": 1,
            "rows": tally.rows,
            "requests": requests,
            "skipped": skipped,
            "files": manifest.files,
        }))?;
    } else {
        context.printer.note(&format!(
            "wrote {} of {} to {}{}",
            counted(requests, "request"),
            counted(tally.rows, "row"),
            output.display(),
            if manifest.files.len() > 1 {
                format!(" and {}", counted(manifest.files.len() as u64 - 1, "more file"))
            } else {
                String::new()
            }
        ));
        if let Some(first) = tally.skipped.first() {
            let reason = first.error.as_deref().unwrap_or_default();
            context.printer.warning(&format!(
                "{} no request; row {}: {reason}",
                if skipped == 1 {
                    "1 row makes".to_owned()
                } else {
                    format!("{} rows make", grouped(skipped))
                },
                first.row
            ));
        }
        context.printer.note(&format!("send them: batchctl submit {}", output.display()));
    }
    let allowed = skipped == 0;
    Ok(if allowed { ExitCode::Success } else { ExitCode::SomeRowsBad })
}
