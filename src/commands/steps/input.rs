//! Taking a table in: opened where the user named it, so that messages name that place, then
//! copied into the job's folder, so that editing it meanwhile costs nothing. What makes no job
//! reads it where it lies.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::bodies::Bodies;
use super::who::Who;
use crate::base::{self, hex_of_file};
use crate::commands::Context;
use crate::config::{key, nearest};
use crate::job::{JobError, JobFolder};
use crate::table::{Format, Ragged, ReadOptions, Table, TableError};
use crate::ui::CommandError;

/// Names that are listed where a file is missing.
const LISTED: usize = 6;

/// A table that was taken in.
#[derive(Clone)]
pub(in crate::commands) struct Taken {
    /// The copy.
    pub(in crate::commands) table: Table,
    /// The file as the user named it, absolute; `-` for standard input.
    pub(in crate::commands) source: PathBuf,
    /// blake3 of the copy.
    pub(in crate::commands) digest: String,
    /// The copy's name below the folder.
    pub(in crate::commands) name: String,
    /// What its requests say, where it holds finished ones.
    pub(super) bodies: Option<Bodies>,
}

impl Taken {
    /// Finished requests say themselves which model is asked.
    pub(in crate::commands) fn decide(
        &self,
        context: &Context,
        who: &mut Who,
    ) -> Result<(), CommandError> {
        self.bodies.as_ref().map_or(Ok(()), |bodies| bodies.decide(context, who))
    }
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
        sheet: settings.get(key::SHEET),
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
    if table.headers().is_empty() {
        return Err(CommandError::usage(format!("{} holds no rows", input.display())));
    }
    refuse_results(&table, input)?;
    Ok(table)
}

/// Opens a table and copies its text into the folder; [`synced_meanwhile`] is to come before a job
/// is made of it.
pub(in crate::commands) fn take_in(
    input: &Path,
    context: &Context,
    folder: &JobFolder,
) -> Result<Taken, CommandError> {
    let opened = open_table(input, context, folder.root())?;
    let ending =
        input.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    // The text that a workbook became is no workbook.
    let ending = if opened.shape().format == Format::Xlsx { ".csv".to_owned() } else { ending };
    let name = format!("input{ending}");
    let copy = folder.input(&name);
    if opened.text_path().starts_with(folder.root()) {
        base::rename(opened.text_path(), &copy).map_err(JobError::file("write", &copy))?;
    } else {
        base::copy_unsynced(opened.text_path(), &copy).map_err(JobError::file("write", &copy))?;
    }
    let table = Table::reopen(input, &copy, opened.shape()).map_err(JobError::from)?;
    let digest = hex_of_file(&copy).map_err(JobError::file("read", &copy))?;
    let source =
        if input == Path::new("-") { input.to_owned() } else { context.folder.join(input) };
    let bodies = Bodies::of(context, &table)?;
    Ok(Taken { table, source, digest, name, bodies })
}

/// Does something with a copy while the disk makes it durable; returns when both are done.
pub(super) fn synced_meanwhile<T>(
    copy: &Path,
    body: impl FnOnce() -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    std::thread::scope(|scope| {
        let synced = scope.spawn(|| base::sync_file(copy));
        let done = body()?;
        let synced = synced.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        synced.map_err(JobError::file("write", copy))?;
        Ok(done)
    })
}

/// Opens a table to be read where it lies, once and at once; what is not UTF-8 is decoded into
/// the folder. [`Unchanged::check`] tells afterwards whether it was edited meanwhile.
pub(in crate::commands) fn read_in_place(
    input: &Path,
    context: &Context,
    folder: &JobFolder,
) -> Result<(Taken, Unchanged), CommandError> {
    let table = open_table(input, context, folder.root())?;
    let text = table.text_path().to_owned();
    let unchanged = Unchanged::of(&text)?;
    let digest = hex_of_file(&text).map_err(JobError::file("read", &text))?;
    let source =
        if input == Path::new("-") { input.to_owned() } else { context.folder.join(input) };
    let name = text.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bodies = Bodies::of(context, &table)?;
    Ok((Taken { table, source, digest, name, bodies }, unchanged))
}

/// A file as it was, by size and time.
#[derive(Debug)]
pub(in crate::commands) struct Unchanged {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

impl Unchanged {
    fn of(path: &Path) -> Result<Self, CommandError> {
        let metadata = fs::metadata(path).map_err(JobError::file("read", path))?;
        let modified = metadata.modified().ok();
        Ok(Self { path: path.to_owned(), size: metadata.len(), modified })
    }

    /// Stops unless the file is still as it was.
    pub(in crate::commands) fn check(&self) -> Result<(), CommandError> {
        let now = Self::of(&self.path)?;
        if (now.size, now.modified) == (self.size, self.modified) {
            return Ok(());
        }
        Err(CommandError::usage(format!("{} changed while it was read", self.path.display()))
            .hint("type the same line again"))
    }
}

/// What can be done about a table that does not open.
fn explain(error: TableError, context: &Context) -> CommandError {
    match &error {
        TableError::Io { path, source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            not_there("table", path, context, |path| Format::from_name(path).is_some())
        }
        _ => JobError::from(error).into(),
    }
}

/// The error for a file that was named and does not exist: with the name that was meant, if one
/// is near, and with what there is of its kind in the same folder.
pub(in crate::commands) fn not_there(
    what: &str,
    path: &Path,
    context: &Context,
    is_of_kind: impl Fn(&Path) -> bool,
) -> CommandError {
    let error = CommandError::usage(format!("the {what} {} is not there", path.display()));
    let parent = path.parent().unwrap_or(Path::new(""));
    let names = names_in(&context.folder.join(parent), is_of_kind);
    let typed = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(meant) = nearest(&typed, names.iter().map(String::as_str)) {
        let meant = parent.join(meant).display().to_string();
        return error.hint(format!("did you mean {}?", context.shell.quote(&meant)));
    }
    if names.is_empty() {
        return error
            .hint(format!("there is no {what} in {}", context.folder.join(parent).display()));
    }
    let mut list = names[..names.len().min(LISTED)].join(", ");
    if names.len() > LISTED {
        list.push_str(", …");
    }
    error.hint(format!("there are: {list}"))
}

/// The names of the files of a kind in a folder, sorted.
fn names_in(folder: &Path, is_of_kind: impl Fn(&Path) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| is_of_kind(Path::new(name)))
        .collect();
    names.sort();
    names
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
