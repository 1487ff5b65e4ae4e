//! `convert INPUT OUT.jsonl`: a table to request files and their manifest.

use std::path::{Path, PathBuf};

use super::Context;
use super::flags::{AskArgs, JsonArg, lays};
use super::steps::{Need, Planned, Scratch, require_folder, who_is_asked};
use crate::base::AtomicFile;
use crate::cost::grouped;
use crate::job::{JobError, build_shard, key_of_digest, visit_selected};
use crate::request::RULES;
use crate::shard::{Manifest, ManifestFile, SkippedRow};
use crate::ui::{CommandError, ExitCode};

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
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

lays!(Args: ask);

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let who = who_is_asked(context, Need::NoKey)?;
    let output = args.output.clone().unwrap_or_else(|| args.input.with_extension("jsonl"));
    let output = context.folder.join(output);
    let manifest_path = output.with_extension("manifest.json");
    require_folder(&output)?;
    for path in [&output, &manifest_path] {
        if path.exists() && !args.overwrite {
            return Err(CommandError::usage(format!("{} exists", path.display()))
                .hint("name another file, or add --overwrite"));
        }
    }
    if output == context.folder.join(&args.input) {
        return Err(CommandError::usage("the request file would replace the table itself"));
    }
    let scratch = Scratch::new(&context.home)?;
    let planned = Planned::make(context, &args.input, &who, scratch.folder())?;
    let job = key_of_digest(&planned.plan.run_digest);
    let mut files = Vec::new();
    for shard in &planned.plan.shards {
        let shard = shard.as_record();
        let built = build_shard(&planned.spec, &planned.table, scratch.folder(), &job, &shard)?;
        let path = numbered(&output, shard.number);
        move_file(&scratch.folder().request_file(&shard.stem()), &path)?;
        files.push(ManifestFile {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            requests: shard.rows - built.lost.len() as u64,
            bytes: built.bytes,
            digest: built.digest,
        });
    }
    let manifest = manifest(&planned, &job, files)?;
    manifest.write(&manifest_path)?;
    tell(context, &planned, &manifest, &output)
}

fn manifest(
    planned: &Planned,
    job: &str,
    files: Vec<ManifestFile>,
) -> Result<Manifest, CommandError> {
    let mut hashes = Vec::new();
    visit_selected::<JobError>(&planned.table, &planned.spec.selection, |row| {
        hashes.push(row.hash());
        Ok(())
    })?;
    Ok(Manifest {
        rules: RULES,
        job6: job[..6].to_owned(),
        table: PathBuf::from(&planned.spec.source),
        table_digest: planned.spec.source_digest.clone(),
        shape: serde_json::to_value(&planned.spec.shape)?,
        selection: serde_json::to_value(&planned.spec.selection)?,
        question: planned.spec.question.clone(),
        fields: planned.spec.fields.clone(),
        files,
        skipped: planned
            .plan
            .skipped
            .iter()
            .map(|record| SkippedRow {
                row: record.row,
                line: 0,
                reason: record.error.clone().unwrap_or_default(),
            })
            .collect(),
        row_hashes: Manifest::pack_row_hashes(hashes),
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

/// Renames, or copies where the home is on another disk; complete and synced either way.
fn move_file(from: &Path, to: &Path) -> Result<(), CommandError> {
    if std::fs::rename(from, to).is_ok() {
        return Ok(());
    }
    let mut source = std::fs::File::open(from).map_err(JobError::file("read", from))?;
    let mut target = AtomicFile::create(to).map_err(JobError::file("write", to))?;
    std::io::copy(&mut source, &mut target).map_err(JobError::file("write", to))?;
    target.commit().map_err(JobError::file("write", to))?;
    Ok(std::fs::remove_file(from).map_err(JobError::file("read", from))?)
}

fn tell(
    context: &Context,
    planned: &Planned,
    manifest: &Manifest,
    output: &Path,
) -> Result<ExitCode, CommandError> {
    let skipped = planned.plan.skipped.len() as u64;
    if context.json {
        context.printer.json(&serde_json::json!({
            "schema_version": 1,
            "rows": planned.plan.rows,
            "requests": planned.plan.requests(),
            "skipped": skipped,
            "files": manifest.files,
        }))?;
    } else {
        context.printer.note(&format!(
            "wrote {} requests of {} rows to {}{}",
            grouped(planned.plan.requests()),
            grouped(planned.plan.rows),
            output.display(),
            if manifest.files.len() > 1 {
                format!(" and {} more files", manifest.files.len() - 1)
            } else {
                String::new()
            }
        ));
        if let Some(first) = planned.plan.skipped.first() {
            let reason = first.error.as_deref().unwrap_or_default();
            context.printer.warning(&format!(
                "{} rows make no request; row {}: {reason}",
                grouped(skipped),
                first.row
            ));
        }
        context.printer.note(&format!("send them: batchctl submit {}", output.display()));
    }
    let allowed = skipped == 0;
    Ok(if allowed { ExitCode::Success } else { ExitCode::SomeRowsBad })
}
