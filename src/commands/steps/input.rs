//! Taking a table in: opened where the user named it, so that messages name that place, then
//! copied into the job's folder, so that editing it meanwhile costs nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::hex_of_file;
use crate::commands::Context;
use crate::config::key;
use crate::job::{JobError, JobFolder};
use crate::table::{Format, Ragged, ReadOptions, Table, TableError};
use crate::ui::{CommandError, ExitCode};

/// A table that was taken in.
pub(in crate::commands) struct Taken {
    /// The copy.
    pub(in crate::commands) table: Table,
    /// The file as the user named it, absolute; `-` for standard input.
    pub(in crate::commands) source: PathBuf,
    /// blake3 of the copy.
    pub(in crate::commands) digest: String,
    /// The copy's name below the folder.
    pub(in crate::commands) name: String,
}

/// How the settings say tables are read.
pub(in crate::commands) fn read_options(context: &Context) -> ReadOptions {
    let settings = &context.settings;
    ReadOptions {
        encoding: settings.get(key::ENCODING),
        delimiter: settings.get(key::DELIMITER).and_then(|text| text.chars().next()),
        ragged: match settings.get(key::RAGGED).as_str() {
            "pad" => Ragged::Pad,
            "skip" => Ragged::Skip,
            _ => Ragged::Error,
        },
        format: None,
    }
}

/// Opens a table for reading, with the errors a person can act on.
pub(in crate::commands) fn open_table(
    input: &Path,
    context: &Context,
    scratch: &Path,
) -> Result<Table, CommandError> {
    if input != Path::new("-") && input.is_dir() {
        return Err(CommandError::usage(format!("{} is a folder, not a table", input.display())));
    }
    let table =
        Table::open(input, &read_options(context), scratch).map_err(|e| explain(e, context))?;
    for note in table.notes() {
        context.printer.note(note);
    }
    refuse_results(&table, input)?;
    Ok(table)
}

/// Opens a table and copies its text into the folder.
pub(in crate::commands) fn take_in(
    input: &Path,
    context: &Context,
    folder: &JobFolder,
) -> Result<Taken, CommandError> {
    let opened = open_table(input, context, folder.root())?;
    let ending =
        input.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    let name = format!("input{ending}");
    let copy = folder.input(&name);
    if opened.text_path().starts_with(folder.root()) {
        fs::rename(opened.text_path(), &copy).map_err(JobError::file("write", &copy))?;
    } else {
        fs::copy(opened.text_path(), &copy).map_err(JobError::file("write", &copy))?;
    }
    let table = Table::reopen(input, &copy, opened.shape()).map_err(JobError::from)?;
    let digest = hex_of_file(&copy).map_err(JobError::file("read", &copy))?;
    let source =
        if input == Path::new("-") { input.to_owned() } else { context.folder.join(input) };
    Ok(Taken { table, source, digest, name })
}

/// What can be done about a table that does not open.
fn explain(error: TableError, context: &Context) -> CommandError {
    let hint = match &error {
        TableError::Io { path, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            tables_here(&context.folder).map(|names| {
                format!("{} is not there; tables in this folder: {names}", path.display())
            })
        }
        _ => None,
    };
    let mut error = CommandError::new(ExitCode::Usage, error);
    error.hints.extend(hint);
    error
}

/// Refuses a table that is not there, with the tables that are.
pub(in crate::commands) fn require_there(
    input: &Path,
    context: &Context,
) -> Result<(), CommandError> {
    if input == Path::new("-") || context.folder.join(input).exists() {
        return Ok(());
    }
    let missing = CommandError::usage(format!("{} is not there", input.display()));
    Err(match tables_here(&context.folder) {
        Some(names) => missing.hint(format!("tables in this folder: {names}")),
        None => missing,
    })
}

/// The names of the tables in a folder, as many as fit a line.
fn tables_here(folder: &Path) -> Option<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| Format::from_name(Path::new(name)).is_some())
        .collect();
    names.sort();
    names.truncate(6);
    (!names.is_empty()).then(|| names.join(", "))
}

/// A result file given as the table is a slip that would ask every answer again.
fn refuse_results(table: &Table, input: &Path) -> Result<(), CommandError> {
    let has = |name: &str| table.headers().iter().any(|header| header == name);
    if table.shape().format.is_delimited() || !(has("custom_id") && has("response")) {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "{} holds results of a batch, not a table to ask about",
        input.display()
    ))
    .hint(format!("batchctl merge {} --original-csv TABLE", input.display())))
}
