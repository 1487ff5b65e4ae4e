//! Reads the results: which lines there are, whose they are, and which rows they mean.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::Args;
use super::fix::Fixes;
use super::found_again::{FoundAgain, find_again, rows_in};
use super::origin::{Origin, Origins};
use super::sources::Sources;
use super::unsent::{add_job, add_unsent, skipped};
use crate::answer::{Expected, Wanted};
use crate::commands::Context;
use crate::commands::steps::{expected, form_on};
use crate::config::nearest;
use crate::request::Form;
use crate::result::{IdMap, IdRule, MergeIndex, Onto, ResultError, Told};
use crate::store::Store;
use crate::table::{RowSet, Table};
use crate::ui::{CommandError, ExitCode};

/// What is read, and for what.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) args: &'a Args,
    pub(super) context: &'a Context,
    pub(super) store: &'a Store,
    pub(super) sources: &'a Sources,
    /// The table that the answers go onto.
    pub(super) table: &'a Table,
    /// A folder for what must be decoded to be read.
    pub(super) scratch: &'a Path,
}

/// The lines that were read, with the rows they mean.
pub(super) struct Lines {
    pub(super) index: MergeIndex,
    /// Those that count, the oldest first.
    pub(super) ontos: Vec<Onto>,
    /// What the answers are to hold.
    pub(super) expected: Expected,
    /// The rows of the table that any origin asked about; `None` if none is known.
    pub(super) asked: Option<RowSet>,
    /// The origin that all lines are of, if its rows are all where they were.
    pub(super) only: Option<usize>,
}

impl Lines {
    /// What a failure means to people.
    pub(super) fn explain(&self, reading: &Reading<'_>, error: ResultError) -> CommandError {
        Fixes::of(reading, HashSet::new()).explain(error, &self.index)
    }
}

/// The line that makes a column one of the answers.
pub(super) fn filling_line(reading: &Reading<'_>, wanted: Wanted<'_>, column: &str) -> String {
    let flag = if wanted.is_json() { "--json-fields" } else { "--response-column" };
    Fixes::of(reading, HashSet::new()).with(flag, column)
}

/// What the answers are to hold: as the line says, else as their jobs do, if these are of one mind.
/// One of several forms would make bad answers of the good ones of another.
fn form_for(reading: &Reading<'_>, origins: &Origins) -> Result<Form, CommandError> {
    let answer = &reading.args.answer;
    let is_said = answer.json_fields.is_some() || answer.json_schema.is_some();
    match origins.differing() {
        None => form_on(&origins.form(), reading.context),
        Some(_) if is_said => {
            let before = Form { explode: origins.form().explode, ..Form::default() };
            form_on(&before, reading.context)
        }
        Some(both) => Err(Fixes::of(reading, HashSet::new()).forms(both)),
    }
}

/// Reads all results.
pub(super) fn read(reading: &Reading<'_>, origins: &mut Origins) -> Result<Lines, CommandError> {
    let expected = expected(&form_for(reading, origins)?)?;
    let mut read = Read::of(reading, expected.wanted(), origins)?;
    // The files may be of further jobs.
    form_for(reading, origins)?;
    let known = origins.all().iter().map(|origin| origin.job6().to_owned()).collect();
    let fixes = Fixes::of(reading, known);
    let is_known = |job: &str| fixes.knows(job);
    let chosen = read.index.choose(is_known).map_err(|error| fixes.explain(error, &read.index))?;
    let mut found = Found::new(reading, &fixes);
    for origin in origins.all() {
        let is_of = |group: &&usize| read.job_of(**group) == Some(origin.job6());
        let Some(group) = chosen.iter().find(is_of).copied() else { continue };
        let told = read.told_of(origin, reading.store, expected.wanted())?;
        found.add(origin, group, told)?;
    }
    let Found { mut ontos, asked, is_by_content, .. } = found;
    let of_jobs = ontos.len();
    for group in chosen {
        if ontos.iter().any(|onto| onto.group == group) {
            continue;
        }
        let map = read.index.base_of(group, reading.table);
        let map = map.map_err(|error| fixes.explain(error, &read.index))?;
        if let Some(job) = read.job_of(group) {
            reading.context.printer.warning(&format!(
                "nothing is known here of job {job}: its rows are taken by their numbers and not \
                 compared with those of the table"
            ));
        }
        ontos.push(Onto { group, map, told: Told::default() });
    }
    let is_alone = of_jobs == 1 && ontos.len() == 1 && !is_by_content;
    let only = is_alone.then(|| {
        let job = read.job_of(ontos[0].group);
        origins.all().iter().position(|origin| Some(origin.job6()) == job)
    });
    let asked = (of_jobs > 0).then_some(asked);
    Ok(Lines { index: read.index, ontos, expected, asked, only: only.flatten() })
}

/// All lines, not sorted yet.
struct Read {
    index: MergeIndex,
    /// What the accounts of the jobs that are named say, by the first six characters of these.
    accounts: HashMap<String, Told>,
}

impl Read {
    /// Takes the accounts of the jobs and all files in, and looks up whose they are.
    fn of(
        reading: &Reading<'_>,
        wanted: Wanted<'_>,
        origins: &mut Origins,
    ) -> Result<Self, CommandError> {
        let Reading { args, context, store, sources, table, .. } = *reading;
        let mut index = MergeIndex::new(id_rule(args, sources, table)?);
        let mut accounts = HashMap::new();
        for found in &sources.jobs {
            accounts.insert(found.job.short().to_owned(), add_job(store, found, &mut index)?);
        }
        let paths: Vec<_> = sources.files.iter().map(|file| context.folder.join(file)).collect();
        let read = index.add_files(&paths, wanted);
        read.map_err(|error| Fixes::of(reading, HashSet::new()).explain(error, &index))?;
        let read = Self { index, accounts };
        for group in 0..read.index.groups().len() {
            if let Some(job) = read.job_of(group) {
                origins.look(job, store)?;
            }
        }
        Ok(read)
    }

    /// The job whose ids a group has.
    fn job_of(&self, group: usize) -> Option<&str> {
        self.index.groups()[group].kind().job6()
    }

    /// What is known of the rows of an origin beyond their lines.
    fn told_of(
        &mut self,
        origin: &Origin,
        store: &Store,
        wanted: Wanted<'_>,
    ) -> Result<Told, CommandError> {
        match (self.accounts.remove(origin.job6()), origin) {
            (Some(told), _) => Ok(told),
            (None, Origin::Job(found)) => add_unsent(store, found, &mut self.index, wanted),
            (None, Origin::Convert { manifest, .. }) => Ok(skipped(manifest)),
        }
    }
}

/// The origins whose rows were found in the table.
struct Found<'a> {
    reading: &'a Reading<'a>,
    fixes: &'a Fixes<'a>,
    ontos: Vec<Onto>,
    asked: RowSet,
    /// Whether rows of any were looked for by what stands in them.
    is_by_content: bool,
}

impl<'a> Found<'a> {
    fn new(reading: &'a Reading<'a>, fixes: &'a Fixes<'a>) -> Self {
        let (ontos, asked) = (Vec::new(), RowSet::default());
        Self { reading, fixes, ontos, asked, is_by_content: false }
    }

    /// Finds the rows of an origin, or refuses the table as another one.
    fn add(&mut self, origin: &Origin, group: usize, told: Told) -> Result<(), CommandError> {
        let Reading { context, table, scratch, .. } = *self.reading;
        let again = find_again(origin, table, context, scratch)
            .map_err(|error| self.fixes.as_it_was(error, origin))?;
        if again.map.is_by_content() {
            let rows = rows_in(table)?;
            if again.is_another(rows) {
                return Err(self.fixes.another(origin, &again));
            }
            self.is_by_content = true;
        }
        if let Some(note) = again.note(&origin.name()) {
            context.printer.note(&note);
        }
        let FoundAgain { map, asked, .. } = again;
        self.asked.extend(asked.iter().filter_map(|row| map.to(row)));
        self.ontos.push(Onto { group, map, told });
        Ok(())
    }
}

/// How ids become rows.
fn id_rule(args: &Args, sources: &Sources, table: &Table) -> Result<IdRule, CommandError> {
    let Some(column) = &args.id_column else {
        let (bases, files) = (args.id_base.len(), sources.files.len());
        if bases > 1 && bases != files {
            return Err(CommandError::usage(format!(
                "--id-base has {bases} numbers for {files} files: one for all, or one for each"
            )));
        }
        let bases = args.id_base.clone();
        return Ok(if bases.is_empty() { IdRule::Pattern } else { IdRule::Base(bases) });
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
