//! What to type where ids do not tell their rows: the line as it was typed, with what it lacks.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::found_again::{FoundAgain, rows_in};
use super::origin::Origin;
use super::read::Reading;
use super::slips::names_of;
use crate::cost::grouped;
use crate::request::Form;
use crate::result::{Group, IdKind, MergeIndex, ResultError, plain_number};
use crate::table::Table;
use crate::ui::{CommandError, ExitCode, Shell};

/// The line that was typed, for lines that are meant instead.
pub(super) struct Fixes<'a> {
    reading: Reading<'a>,
    /// The words behind `batchctl merge` that name no results.
    flags: Vec<String>,
    /// The jobs that are known, by their first six characters.
    known: HashSet<String>,
}

impl<'a> Fixes<'a> {
    /// From the words of this process.
    pub(super) fn of(reading: &Reading<'a>, known: HashSet<String>) -> Self {
        let named: HashSet<&Path> = reading.args.results.iter().map(PathBuf::as_path).collect();
        let mut is_command = true;
        let is_flag = |word: &String| {
            let is_merge = is_command && word == "merge";
            is_command &= !is_merge;
            !is_merge && !named.contains(Path::new(word))
        };
        let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
        Self { reading: *reading, flags: words.filter(is_flag).collect(), known }
    }

    /// Whether a job is known.
    pub(super) fn knows(&self, job6: &str) -> bool {
        self.known.contains(job6)
    }

    /// The line for these results, with flags more or other values for them.
    fn line(&self, results: &[String], more: &[(&str, &str)]) -> String {
        line(self.reading.context.shell, results, &self.flags, more)
    }

    /// The line as it was typed, with another value for a flag.
    pub(super) fn with(&self, flag: &str, value: &str) -> String {
        self.line(&self.results(), &[(flag, value)])
    }

    /// The line for some of the files alone, each with the number that it counts from.
    fn line_of(&self, files: &[String]) -> String {
        let Reading { args, sources, .. } = self.reading;
        if args.id_base.len() < 2 {
            return self.line(files, &[]);
        }
        let base = |name: &String| {
            let at = sources.files.iter().position(|file| file.display().to_string() == *name)?;
            Some(args.id_base.get(at)?.to_string())
        };
        let bases: Vec<String> = files.iter().filter_map(base).collect();
        self.line(files, &[("--id-base", &bases.join(","))])
    }

    /// The refusal of jobs that wanted different things of their answers, with the lines that say
    /// which counts.
    pub(super) fn forms(&self, both: [&Origin; 2]) -> CommandError {
        let wanted = |origin: &Origin| match origin.form() {
            Form { schema: Some(_), fields: None, .. } => "the fields of a schema".to_owned(),
            Form { schema: Some(_), fields: Some(fields), .. } => {
                format!("the fields {fields} of a schema")
            }
            Form { fields: Some(fields), .. } => format!("the fields {fields}"),
            Form { .. } => "text".to_owned(),
        };
        let error = CommandError::usage(format!(
            "the jobs wanted different answers, {} {} and {} {}: by what all are judged is not said",
            both[0].name(),
            wanted(both[0]),
            both[1].name(),
            wanted(both[1]),
        ));
        both.iter().rev().fold(error, |error, origin| {
            let Form { fields, schema, .. } = origin.form();
            let flags = [("--json-fields", fields), ("--json-schema", schema)];
            let flags: Vec<(&str, &str)> = flags
                .into_iter()
                .filter_map(|(flag, value)| Some((flag, value.as_deref()?)))
                .collect();
            if flags.is_empty() {
                let own = [origin.job6().to_owned()];
                return match origin.job() {
                    Some(_) => {
                        error.hint(format!("{}   for its answers alone", self.line(&own, &[])))
                    }
                    None => error,
                };
            }
            let line = self.line(&self.results(), &flags);
            error.hint(format!("{line}   by what {} wanted", origin.name()))
        })
    }

    /// The results as they were named.
    fn results(&self) -> Vec<String> {
        self.reading.args.results.iter().map(|path| path.display().to_string()).collect()
    }

    /// The files that have these numbers.
    fn files(&self, index: &MergeIndex, numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
        numbers.into_iter().map(|artifact| self.file(index.path(artifact))).collect()
    }

    /// A file as it was named.
    fn file(&self, path: &Path) -> String {
        let folder = &self.reading.context.folder;
        path.strip_prefix(folder).unwrap_or(path).display().to_string()
    }

    /// What a failure means to people, with the line to type.
    pub(super) fn explain(&self, error: ResultError, index: &MergeIndex) -> CommandError {
        // A full disk is no wrong usage.
        let exit = match &error {
            ResultError::Table(_) | ResultError::Settled(_) => ExitCode::Unexpected,
            _ => ExitCode::Usage,
        };
        let hints = match &error {
            ResultError::DoubtfulBase { example, likely, other, which, .. } => {
                let line =
                    |base: &u64| self.line(&self.results(), &[("--id-base", &base.to_string())]);
                vec![
                    format!("{}   if {example} is the {which} row", line(likely)),
                    format!("{}   if it is not", line(other)),
                ]
            }
            // Its ids are of two kinds within, whatever they count from.
            ResultError::MixedIds { .. } if self.is_based_and_alone() => self.id_column(index),
            ResultError::MixedIds { .. } => self.apart(index),
            ResultError::TwoAnswers { first, second, .. } => {
                self.two_answers(index, [first, second])
            }
            ResultError::NothingMatches { .. } => {
                let mut hints = self.id_column(index);
                hints.push(format!("read: {}", names_of(&self.reading.sources.files)));
                hints
            }
            ResultError::NotResults { .. } => {
                vec![format!("read: {}", names_of(&self.reading.sources.files))]
            }
            _ => Vec::new(),
        };
        hints.into_iter().fold(CommandError::new(exit, error), CommandError::hint)
    }

    /// Files of different kinds: with the number that each counts from, where every file is of one
    /// kind, else by a column of the table.
    fn apart(&self, index: &MergeIndex) -> Vec<String> {
        let files = &self.reading.sources.files;
        let first = index.first_file();
        let kinds_of = |file: usize| {
            let artifact = first + u32::try_from(file).unwrap_or(u32::MAX);
            let has = |group: &&Group| group.files().contains_key(&artifact);
            index.groups().iter().filter(has).map(Group::kind).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..files.len()).map(kinds_of).collect();
        let base = |kinds: &Vec<&IdKind>| match kinds.as_slice() {
            [IdKind::Row] | [] => Some("0"),
            [IdKind::Request] => Some("1"),
            // Ours say their rows themselves, where their job is known.
            [IdKind::Ours(job)] if self.knows(job) => Some("0"),
            _ => None,
        };
        let bases: Option<Vec<&str>> = all.iter().map(base).collect();
        if let Some(bases) = bases {
            return vec![self.line(&self.results(), &[("--id-base", &bases.join(","))])];
        }
        if all.iter().all(|kinds| kinds.len() <= 1) {
            let alone = |group: &Group| {
                let files = self.files(index, group.files().keys().copied());
                format!("{}   for the ids like {}", self.line_of(&files), group.first().id)
            };
            let of_files = |group: &&Group| group.files().keys().any(|file| *file >= first);
            let groups = index.groups().iter().filter(of_files);
            return groups.map(alone).collect();
        }
        self.id_column(index)
    }

    /// Two files that answer the same ids: numbered anew in each, or asked twice.
    fn two_answers(&self, index: &MergeIndex, files: [&PathBuf; 2]) -> Vec<String> {
        let mut hints = Vec::new();
        if let Some(bases) = self.bases_in_order(index) {
            let line = self.with("--id-base", &bases);
            hints.push(format!("{line}   if each file goes on where the one before it ends"));
        }
        for file in files {
            let name = self.file(file);
            let line = self.line_of(std::slice::from_ref(&name));
            hints.push(format!("{line}   for its answers alone"));
        }
        hints
    }

    /// What the first row is called in each file, if the numbers of each begin anew and all rows
    /// of all files have room in the table.
    fn bases_in_order(&self, index: &MergeIndex) -> Option<String> {
        let [group] = index.groups() else { return None };
        let start = match group.kind() {
            IdKind::Row => 0,
            IdKind::Request => 1,
            _ => return None,
        };
        let (mut bases, mut before) = (String::new(), 0);
        let first = index.first_file();
        for at in 0..self.reading.sources.files.len() {
            let span = group.files().get(&(first + u32::try_from(at).ok()?))?;
            if span.least != start {
                return None;
            }
            let comma = if at == 0 { "" } else { "," };
            let base = i64::try_from(start).ok()? - i64::try_from(before).ok()?;
            write!(bases, "{comma}{base}").ok()?;
            before += span.most + 1 - start;
        }
        (before <= rows_in(self.reading.table).ok()?).then_some(bases)
    }

    /// The column of the table that holds ids which mean nothing by themselves.
    fn id_column(&self, index: &MergeIndex) -> Vec<String> {
        let table = self.reading.table;
        let firsts = index.groups().iter().map(|group| group.first().id.clone());
        let ids: HashSet<String> = index.strangers().iter().cloned().chain(firsts).collect();
        let column = column_with(table, &ids).map(|column| &table.headers()[column]);
        let mut lines: Vec<String> =
            column.map(|name| self.with("--id-column", name)).into_iter().collect();
        if !ids.is_empty() && ids.iter().all(|id| plain_number(id).is_some()) {
            let counts = |base| format!("{}   if {base} is the first row", self.based(base));
            lines.extend(["0", "1"].map(counts));
        }
        if lines.is_empty() {
            lines = vec![
                "name the table that has these ids, with --id-column for its column of them".into(),
                format!("columns: {} (none of them holds these ids)", table.headers().join(", ")),
            ];
        }
        lines
    }

    fn is_based_and_alone(&self) -> bool {
        let Reading { args, sources, .. } = self.reading;
        !args.id_base.is_empty() && sources.files.len() == 1
    }

    fn based(&self, base: &str) -> String {
        self.with("--id-base", base)
    }

    /// The refusal of a table that is not the one that was asked.
    pub(super) fn another(&self, origin: &Origin, again: &FoundAgain) -> CommandError {
        let name = self.reading.args.table().map_or_else(
            || "the table of the newest job".to_owned(),
            |path| path.display().to_string(),
        );
        let (found, asked) = (grouped(again.found), grouped(again.asked.len()));
        let error = CommandError::usage(format!(
            "{found} of the {asked} rows that {} asked about stand in {name}: it is another \
             table, or was edited since",
            origin.name()
        ));
        let others = self.results();
        if others.len() > 1 {
            let own: Vec<String> =
                others.into_iter().filter(|name| name != origin.job6() && name != "last").collect();
            return error
                .hint(format!("{}   leaves it out", self.line(&own, &[])))
                .hint(format!("batchctl merge {}   puts it onto its own table", origin.job6()));
        }
        self.as_it_was(error, origin)
    }

    /// Adds the line that puts the answers onto the table that was asked.
    pub(super) fn as_it_was(&self, error: CommandError, origin: &Origin) -> CommandError {
        let shell = self.reading.context.shell;
        let flags = without_value(&self.flags, "--original-csv");
        let line = line(shell, &self.results(), &flags, &[]);
        match origin {
            Origin::Job(_) => {
                error.hint(format!("{line} --original-csv   puts them onto the table as it was"))
            }
            Origin::Convert { manifest, .. } => {
                let was = shell.quote(&manifest.table.display().to_string());
                error.hint(format!("{line} --original-csv {was}   with that table as it was"))
            }
        }
    }
}

/// A line in the user's shell.
fn line(shell: Shell, results: &[String], flags: &[String], more: &[(&str, &str)]) -> String {
    let mut words = vec!["batchctl".to_owned(), "merge".to_owned()];
    words.extend(results.iter().map(|name| shell.quote(name)));
    let kept = more.iter().fold(flags.to_vec(), |kept, (flag, _)| without_value(&kept, flag));
    words.extend(kept.iter().map(|word| shell.quote(word)));
    for (flag, value) in more {
        // A number below 0 would pass for a flag.
        if value.starts_with('-') {
            words.push(format!("{flag}={value}"));
        } else {
            words.extend([(*flag).to_owned(), shell.quote(value)]);
        }
    }
    words.join(" ")
}

/// The words without a flag and its value.
fn without_value(words: &[String], flag: &str) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == flag {
            words.next_if(|value| !value.starts_with("--"));
        } else if !word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')) {
            kept.push(word.clone());
        }
    }
    kept
}

/// The column that holds most of these ids, if one holds more than half of them.
fn column_with(table: &Table, ids: &HashSet<String>) -> Option<usize> {
    let mut found = vec![0_usize; table.headers().len()];
    let mut rows = table.rows().ok()?;
    while let Some(row) = rows.next_row().ok()? {
        for (column, cell) in row.cells().enumerate() {
            if ids.contains(cell.trim())
                && let Some(found) = found.get_mut(column)
            {
                *found += 1;
            }
        }
    }
    let (column, most) =
        found.into_iter().enumerate().max_by_key(|(at, n)| (*n, usize::MAX - at))?;
    (most * 2 > ids.len()).then_some(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    type More = &'static [(&'static str, &'static str)];

    #[test]
    fn s1_13_lines_to_type_are_in_the_users_shell() {
        let flags: Vec<String> =
            ["--original-csv", "my table.csv", "--id-base", "7", "-q"].map(String::from).into();
        let files = ["a b.jsonl".to_owned()];
        let table: [(Shell, More, &str); 4] = [
            (
                Shell::Posix,
                &[("--id-base", "1")],
                "batchctl merge 'a b.jsonl' --original-csv 'my table.csv' -q --id-base 1",
            ),
            (
                Shell::Posix,
                &[("--id-base", "-5")],
                "batchctl merge 'a b.jsonl' --original-csv 'my table.csv' -q --id-base=-5",
            ),
            (
                Shell::PowerShell,
                &[("--id-column", "it's")],
                "batchctl merge 'a b.jsonl' --original-csv 'my table.csv' --id-base 7 -q --id-column 'it''s'",
            ),
            (
                Shell::Posix,
                &[],
                "batchctl merge 'a b.jsonl' --original-csv 'my table.csv' --id-base 7 -q",
            ),
        ];
        for (shell, more, expected) in table {
            assert_eq!(line(shell, &files, &flags, more), expected);
        }
        assert_eq!(without_value(&flags, "--original-csv"), ["--id-base", "7", "-q"]);
        assert_eq!(without_value(&["--fill=x".to_owned()], "--fill"), Vec::<String>::new());
    }
}
