//! Where the table goes, and whether it may go there: decided before anything is sent.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::copies::require_files_folder;
use super::form::{expected, form_on, is_on_line};
use super::jobs::Found;
use super::place::is_protected;
use super::plan::output_spec;
use super::reshape::{keep_fitting, require_shape};
use crate::base::hex_of_file;
use crate::commands::Context;
use crate::config::key;
use crate::job::{JobError, Spec, visit_selected};
use crate::store::Store;
use crate::table::{Selection, Table};
use crate::ui::CommandError;

/// Where the table with the answers goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) enum Destination {
    /// A file, absolute.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Destination {
    /// The place that arguments and settings name, else `<table>.answers.<its ending>` beside
    /// the working folder's other files.
    pub(in crate::commands) fn choose(
        named: Option<&Path>,
        input: &Path,
        context: &Context,
    ) -> Result<Self, CommandError> {
        let setting = context.settings.get(key::OUTPUT).map(PathBuf::from);
        let path = match named.map(Path::to_owned).or(setting) {
            Some(path) => path,
            None => default_name(input),
        };
        if path == Path::new("-") {
            if context.json {
                return Err(CommandError::usage(
                    "the table and the JSON document cannot both go to stdout; drop --json or \
                     name a file",
                ));
            }
            return Ok(Self::Stdout);
        }
        let place = Self::File(context.folder.join(path));
        if input != Path::new("-") {
            place.require_not("the input", input, context)?;
        }
        for (what, name) in files_of_the_question(context) {
            place.require_not(what, Path::new(&name), context)?;
        }
        Ok(place)
    }

    /// Refuses a place that is a file which the command reads.
    pub(in crate::commands) fn require_not(
        &self,
        what: &str,
        input: &Path,
        context: &Context,
    ) -> Result<(), CommandError> {
        match self {
            Self::File(path) if is_same_file(path, &context.folder.join(input)) => {
                let path = path.strip_prefix(&context.folder).unwrap_or(path).display();
                let text = format!("OUTPUT {path} is {what} itself, which is never replaced");
                Err(CommandError::usage(text).hint("name another output file"))
            }
            _ => Ok(()),
        }
    }

    /// The file, if it is one.
    pub(in crate::commands) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdout => None,
        }
    }
}

/// The files that say what is asked, with what each is.
fn files_of_the_question(context: &Context) -> Vec<(&'static str, String)> {
    let settings = &context.settings;
    let at = |text: Option<String>| text.and_then(|text| text.strip_prefix('@').map(str::to_owned));
    let files = [
        ("the prompt", settings.get(key::PROMPT_FILE)),
        ("the prompt", at(settings.get(key::PROMPT))),
        ("the system message", settings.get(key::SYSTEM_FILE)),
        ("the system message", at(settings.get(key::SYSTEM))),
        ("the JSON schema", settings.get(key::JSON_SCHEMA)),
    ];
    files.into_iter().filter_map(|(what, file)| Some((what, file?))).collect()
}

fn default_name(input: &Path) -> PathBuf {
    if input == Path::new("-") {
        return PathBuf::from("answers.csv");
    }
    let ending = input.extension().map_or_else(|| "csv".into(), |e| e.to_string_lossy());
    input.with_extension(format!("answers.{ending}"))
}

/// Whether two names are those of one file, by whatever links.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => one == other,
    }
}

/// A job of the ledger with the place and the look that this command line asks for, for this run
/// only. `named` is the table it names.
pub(in crate::commands) fn with_look(
    mut found: Found,
    named: Option<&Path>,
    context: &Context,
) -> Result<Found, CommandError> {
    if let Some(named) = named {
        let source = Path::new(&found.spec.source);
        let destination = Destination::choose(Some(named), source, context)?;
        if let Some(path) = destination.path() {
            require_place(path)?;
        }
        found.spec.output.path = destination.path().map(Path::to_owned);
    }
    found.spec.form = form_on(&found.spec.form, context)?;
    let is_filling = found.written_selection().filled_column().is_some();
    let expected = expected(&found.spec.form)?;
    keep_fitting(&mut found.spec.output.defaults, expected.wanted());
    let mut look = output_spec(context);
    if !is_on_line(context, key::DEFAULT) {
        look.defaults.clear();
    }
    found.spec.output.add(look);
    require_files_folder(found.spec.output.files_folder.as_deref())?;
    require_shape(expected.wanted(), &found.spec.output, is_filling)?;
    Ok(found)
}

/// The run that wants to write: what must hold for replacing an older table of ours.
pub(in crate::commands) struct Wanted<'a> {
    /// The table as the user named it.
    pub(in crate::commands) source: &'a str,
    /// Its copy.
    pub(in crate::commands) table: &'a Table,
    /// The rows of this run.
    pub(in crate::commands) selection: &'a Selection,
}

/// Refuses an output whose folder is missing or cannot be written to, or that would replace a
/// file which is not ours or no longer as we wrote it. Of a job's table its rows must be among
/// the new ones.
pub(in crate::commands) fn require_writable(
    destination: &Destination,
    overwrite: bool,
    store: &Store,
    wanted: Option<&Wanted<'_>>,
) -> Result<(), CommandError> {
    let Destination::File(path) = destination else { return Ok(()) };
    require_place(path)?;
    if overwrite || !path.exists() {
        return Ok(());
    }
    let refuse = |why: String| {
        CommandError::usage(format!("{} exists and {why}", path.display()))
            .hint("name another output file, or add --overwrite")
    };
    let Some(mark) = store.output_mark(&path.to_string_lossy())? else {
        return Err(refuse("was not written by batchctl".to_owned()));
    };
    let now = hex_of_file(path).map_err(JobError::file("read", path))?;
    if !mark.is_ours(&now) {
        return Err(refuse("was changed since batchctl wrote it".to_owned()));
    }
    if is_protected(path) {
        return Err(refuse("is write-protected".to_owned()));
    }
    let (Some(spec), Some(wanted)) = (mark.spec, wanted) else { return Ok(()) };
    let old: Spec = serde_json::from_str(&spec)?;
    if old.source != wanted.source {
        return Err(refuse(format!("holds the answers of another table, {}", old.source)));
    }
    if !covers(wanted.table, &old.selection, wanted.selection)? {
        return Err(refuse("holds rows that this run would not ask".to_owned()));
    }
    Ok(())
}

/// As [`require_writable`], for a file that stands beside the tables of jobs: what a job keeps its
/// answers in is not replaced either.
pub(in crate::commands) fn require_beside(
    destination: &Destination,
    overwrite: bool,
    store: &Store,
) -> Result<(), CommandError> {
    require_writable(destination, overwrite, store, None)?;
    let Destination::File(path) = destination else { return Ok(()) };
    if overwrite || !path.exists() {
        return Ok(());
    }
    let name = path.to_string_lossy();
    let is_of_job = store.output_mark(&name)?.is_some_and(|mark| mark.spec.is_some());
    if is_of_job || !store.live_jobs_for_output(&name)?.is_empty() {
        return Err(CommandError::usage(format!(
            "{} is the table in which a job keeps its answers",
            path.display()
        ))
        .hint("name another output file, or add --overwrite"));
    }
    Ok(())
}

/// Refuses an output that is a folder, a device or a pipe, or whose folder does not exist or cannot
/// be written to.
pub(in crate::commands) fn require_place(path: &Path) -> Result<(), CommandError> {
    require_folder(path)?;
    if path.is_dir() {
        return Err(CommandError::usage(format!("OUTPUT {} is a folder", path.display()))
            .hint("name a file in it"));
    }
    if path.exists() && !path.is_file() {
        let text = format!("OUTPUT {} is a device or a pipe, not a file", path.display());
        return Err(CommandError::usage(text)
            .hint("name a file, or write to standard output with -o - and redirect that"));
    }
    Ok(())
}

/// Refuses a file whose folder does not exist or cannot be written to.
pub(in crate::commands) fn require_folder(path: &Path) -> Result<(), CommandError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(CommandError::usage(format!("the folder {} does not exist", folder.display()))
            .hint(format!("mkdir -p {}", folder.display())));
    }
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            Err(JobError::file("write", path)(error).into())
        }
        Err(error) => {
            // Without the name of the trial file, which nobody asked for.
            let why = error.to_string();
            let why = why.split(" at path").next().unwrap_or_default();
            Err(CommandError::usage(format!("cannot write to {}: {why}", folder.display()))
                .hint("name an output file in a folder that you may write to"))
        }
    }
}

/// Whether every row of the old selection is in the new one.
fn covers(table: &Table, old: &Selection, new: &Selection) -> Result<bool, JobError> {
    let mut rows = std::collections::BTreeSet::new();
    visit_selected::<JobError>(table, old, |row| {
        rows.insert(row.number());
        Ok(())
    })?;
    visit_selected::<JobError>(table, new, |row| {
        rows.remove(&row.number());
        Ok(())
    })?;
    Ok(rows.is_empty())
}

/// The name under which the table is written when its own place was edited or opened meanwhile:
/// `out.csv` becomes `out.k7f2qd.csv`.
pub(in crate::commands) fn beside(path: &Path, job: &str) -> PathBuf {
    let ending = path.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    path.with_extension(format!("{job}{ending}"))
}

/// The digest of what stands at this place, if anything does.
pub(in crate::commands) fn digest_at(path: &Path) -> io::Result<Option<String>> {
    match hex_of_file(path) {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_made_up() {
        for (input, expected) in [
            ("in.csv", "in.answers.csv"),
            ("a/my table.tsv", "a/my table.answers.tsv"),
            ("in.jsonl", "in.answers.jsonl"),
            ("table", "table.answers.csv"),
            ("-", "answers.csv"),
        ] {
            assert_eq!(default_name(Path::new(input)), Path::new(expected), "{input}");
        }
        assert_eq!(beside(Path::new("out.csv"), "k7f2qd"), Path::new("out.k7f2qd.csv"));
        assert_eq!(beside(Path::new("out"), "k7f2qd"), Path::new("out.k7f2qd"));
    }
}
