//! Reads the results: which lines there are, whose they are, and which rows they mean.

use super::fix::Fixes;
use super::found_again::{FoundAgain, find_again};
use super::origin::{Origin, Origins};
use super::sources::Sources;
use super::unsent::{add_job, add_unsent, skipped};
use super::{Args, found_again};
use crate::answer::Expected;
use crate::commands::Context;
use crate::commands::steps::{expected, form_on};
use crate::config::nearest;
use crate::result::{IdMap, IdRule, MergeIndex, Onto, Told};
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

/// Reads all results.
pub(super) fn read(reading: &Reading<'_>, origins: &mut Origins) -> Result<Lines, CommandError> {
    let Reading { args, context, store, sources, table } = *reading;
    let form = form_on(&origins.form(), context)?;
    let expected = expected(&form)?;
    let fixes = Fixes::of(reading);
    let mut index = MergeIndex::new(id_rule(args, sources, table)?);
    let mut accounts = Vec::new();
    for found in &sources.jobs {
        accounts.push((found.job.short(), add_job(store, found, &mut index)?));
    }
    let paths: Vec<_> = sources.files.iter().map(|file| context.folder.join(file)).collect();
    let read = index.add_files(&paths, expected.wanted());
    read.map_err(|error| fixes.explain(error, &index))?;
    let ids: Vec<String> =
        index.groups().iter().filter_map(|g| g.kind().job6().map(str::to_owned)).collect();
    for job6 in ids {
        origins.look(&job6, store)?;
    }
    let is_known = |job6: &str| origins.all().iter().any(|origin| origin.job6() == job6);
    let chosen = index.choose(is_known).map_err(|error| fixes.explain(error, &index))?;
    let mut known = Known {
        reading: *reading,
        fixes,
        ontos: Vec::new(),
        asked: RowSet::default(),
        is_by_content: false,
    };
    for origin in origins.all() {
        let is_of = |group: &&usize| index.groups()[**group].kind().job6() == Some(origin.job6());
        let Some(group) = chosen.iter().find(is_of).copied() else { continue };
        let account = accounts.iter_mut().find(|(job6, _)| *job6 == origin.job6());
        let told = match (account, origin) {
            (Some((_, told)), _) => std::mem::take(told),
            (None, Origin::Job { found, .. }) => {
                add_unsent(store, found, &mut index, expected.wanted())?
            }
            (None, Origin::Convert { manifest, .. }) => skipped(manifest),
        };
        known.add(origin, group, told)?;
    }
    let Known { mut ontos, asked, is_by_content, fixes, .. } = known;
    let of_jobs = ontos.len();
    for group in chosen {
        if ontos.iter().all(|onto| onto.group != group) {
            let map = index.base_of(group, table).map_err(|error| fixes.explain(error, &index))?;
            ontos.push(Onto { group, map, told: Told::default() });
        }
    }
    let is_alone = of_jobs == 1 && ontos.len() == 1 && !is_by_content;
    let only = is_alone.then(|| {
        let job6 = index.groups()[ontos[0].group].kind().job6();
        origins.all().iter().position(|origin| Some(origin.job6()) == job6)
    });
    let asked = (of_jobs > 0).then_some(asked);
    Ok(Lines { index, ontos, expected, asked, only: only.flatten() })
}

/// The origins whose rows were found in the table.
struct Known<'a> {
    reading: Reading<'a>,
    fixes: Fixes<'a>,
    ontos: Vec<Onto>,
    asked: RowSet,
    /// Whether rows of any were looked for by what stands in them.
    is_by_content: bool,
}

impl Known<'_> {
    /// Finds the rows of an origin, or refuses the table as another one.
    fn add(&mut self, origin: &Origin, group: usize, told: Told) -> Result<(), CommandError> {
        let again: FoundAgain = find_again(origin, self.reading.table, self.reading.context)?;
        if again.map.is_by_content() {
            let rows = found_again::rows_in(self.reading.table)?;
            if again.is_another(rows) {
                return Err(self.fixes.another(origin, &again));
            }
            self.is_by_content = true;
        }
        if let Some(note) = again.note(&origin.name()) {
            self.reading.context.printer.note(&note);
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
