//! Slips on a `merge` line: files that are not there, tables and results exchanged, files with
//! nothing in them. Each is said before anything is written, with the line that was meant.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::super::Context;
use super::super::steps::not_there;
use crate::batch::ResultFile;
use crate::result::looks_like_results;
use crate::table::Format;
use crate::ui::CommandError;

/// The error for a name that is neither a file nor a job.
pub(super) fn no_results(file: &Path, context: &Context) -> CommandError {
    let is_results = |path: &Path| path.extension().is_some_and(|ending| ending == "jsonl");
    let is_like_an_id = file.extension().is_none() && file.components().count() == 1;
    if is_like_an_id {
        return CommandError::usage(format!("{} is neither a file nor a job", file.display()))
            .hint("batchctl status   lists the jobs of all folders");
    }
    not_there("result file", file, context, is_results)
}

/// A table and the results of it exchanged on the line.
pub(super) fn refuse_swapped(
    table: &Path,
    files: &[PathBuf],
    context: &Context,
) -> Result<(), CommandError> {
    let first = |path: &Path| -> Option<String> {
        let file = std::fs::File::open(context.folder.join(path)).ok()?;
        let mut line = String::new();
        BufReader::new(file).read_line(&mut line).ok()?;
        Some(line)
    };
    let results = |path: &Path| first(path).is_some_and(|line| looks_like_results(&line));
    if results(table) {
        return Err(CommandError::usage(format!(
            "{} holds results, it is not the table they belong to",
            table.display()
        ))
        .hint(format!(
            "batchctl merge {} --original-csv {}",
            table.display(),
            names_of(files)
        )));
    }
    Ok(())
}

/// A table where results should be, or files with nothing in them.
pub(super) fn refuse_table(
    files: &[PathBuf],
    table: Option<&Path>,
    context: &Context,
) -> Result<(), CommandError> {
    let is_empty = |file: &&PathBuf| {
        std::fs::metadata(context.folder.join(file)).is_ok_and(|about| about.len() == 0)
    };
    if files.iter().all(|file| is_empty(&file)) {
        return Err(CommandError::usage(format!("{} is empty", names_of(files)))
            .hint("give the files that the provider returned, or a job id"));
    }
    let is_table = |file: &&PathBuf| {
        let format = Format::from_name(file);
        format.is_some_and(Format::is_delimited) && first_id(file, context).is_none()
    };
    let Some(file) = files.iter().find(is_table) else { return Ok(()) };
    let shell = context.shell;
    let table = shell.quote(&table.unwrap_or(file).display().to_string());
    Err(CommandError::usage(format!("{} is a table, not results of a batch", file.display()))
        .hint(format!("batchctl merge RESULTS.jsonl --original-csv {table}")))
}

pub(super) fn names_of(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    names.join(", ")
}

/// The first id in a file, for finding out whose it is.
pub(super) fn first_id(file: &Path, context: &Context) -> Option<String> {
    let mut lines = ResultFile::open(&context.folder.join(file)).ok()?;
    lines.find_map(|line| Some(line.ok()?.2.ok()?.custom_id))
}
