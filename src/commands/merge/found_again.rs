//! The rows that were asked, in the table that the answers go onto: it may have been sorted or
//! edited since, or be another one. An answer goes to the row that was asked, wherever it stands
//! now, and to no other.

use std::collections::HashSet;
use std::path::Path;

use super::origin::Origin;
use crate::base::hex_of_file;
use crate::commands::Context;
use crate::commands::steps::read_options;
use crate::cost::grouped;
use crate::job::{JobError, visit_selected};
use crate::request::Question;
use crate::result::{Hashed, Known, RowMap, pair};
use crate::shard::{Manifest, RowHashes, low_half};
use crate::table::{RowSet, Selection, Shape, Table};
use crate::ui::CommandError;

/// Where the rows of an origin stand now.
pub(super) struct FoundAgain {
    /// From its rows to those of the table.
    pub(super) map: RowMap,
    /// Its rows that were asked.
    pub(super) asked: RowSet,
    /// How many of them stand in the table.
    pub(super) found: u64,
    /// How many of these stand elsewhere.
    pub(super) moved: u64,
    /// How many of the others may be one row or another, by what little is known of them.
    unsure: u64,
}

impl FoundAgain {
    fn of(map: RowMap, asked: RowSet) -> Self {
        let (mut found, mut moved) = (0, 0);
        for row in asked.iter() {
            let now = map.to(row);
            found += u64::from(now.is_some());
            moved += u64::from(now.is_some_and(|now| now != row));
        }
        Self { map, asked, found, moved, unsure: 0 }
    }

    /// Whether the table is another one: of the rows that it could have, not even more than half.
    pub(super) fn is_another(&self, table_rows: u64) -> bool {
        let possible = self.asked.len().min(table_rows);
        possible > 0 && self.found * 2 <= possible
    }

    /// What to tell of it, if anything.
    pub(super) fn note(&self, name: &str) -> Option<String> {
        let gone = self.asked.len() - self.found - self.unsure;
        let moved = (self.moved > 0).then(|| {
            let (moved, all) = (grouped(self.moved), grouped(self.asked.len()));
            format!("{moved} of its {all} rows stand elsewhere now, each keeps its answer")
        });
        let gone = (gone > 0).then(|| {
            let were = if gone == 1 { "row was" } else { "rows were" };
            format!("{} {were} edited or removed since, without an answer here", grouped(gone))
        });
        let unsure = (self.unsure > 0).then(|| {
            let (unsure, are) = (grouped(self.unsure), if self.unsure == 1 { "is" } else { "are" });
            format!("{unsure} of them {are} not told from others for sure and left out")
        });
        let all: Vec<String> = moved.into_iter().chain(gone).chain(unsure).collect();
        (!all.is_empty()).then(|| format!("{name}: {}", all.join("; ")))
    }
}

/// Finds the rows of an origin in a table. What must be decoded to be read goes into `scratch`.
pub(super) fn find_again(
    origin: &Origin,
    table: &Table,
    context: &Context,
    scratch: &Path,
) -> Result<FoundAgain, CommandError> {
    match origin {
        Origin::Job(job) => {
            let asked = (&job.spec.question, job.written_selection());
            by_table(&job.written_table()?, asked, table, &origin.name())
        }
        Origin::Convert { manifest, selection, .. } => {
            match as_it_was(manifest, context, scratch) {
                Some(own) => by_table(&own, (&manifest.question, selection), table, &origin.name()),
                None => by_halves(manifest, selection, table),
            }
        }
    }
}

/// The table that a manifest was made of, if it still lies there as it was.
fn as_it_was(manifest: &Manifest, context: &Context, scratch: &Path) -> Option<Table> {
    let shape: Shape = serde_json::from_value(manifest.shape.clone()).ok()?;
    let path = context.folder.join(&manifest.table);
    // Apart from the text of the other table.
    let scratch = scratch.join(&manifest.job6);
    std::fs::create_dir_all(&scratch).ok()?;
    let own = Table::open(&path, &read_options(context), &scratch).ok()?;
    let digest = hex_of_file(own.text_path()).ok()?;
    (digest == manifest.table_digest && *own.shape() == shape).then_some(own)
}

/// By the table that was asked: by all columns that both tables have, and then by those alone that
/// were asked about, since other cells may have been edited.
fn by_table(
    own: &Table,
    (question, selection): (&Question, &Selection),
    table: &Table,
    name: &str,
) -> Result<FoundAgain, CommandError> {
    let asked = rows_of(own, selection)?;
    if is_same_text(own, table)? {
        return Ok(FoundAgain::of(RowMap::same(), asked));
    }
    let places = places_of(own.headers(), table.headers());
    let question = asked_columns(question, own.headers())?;
    let question_now: Result<Vec<usize>, usize> =
        question.iter().map(|column| places[*column].ok_or(*column)).collect();
    let question_now = question_now.map_err(|column| {
        let column = &own.headers()[column];
        CommandError::usage(format!(
            "{name} asked about the column `{column}`, which the table does not have"
        ))
    })?;
    let (both, both_now): (Vec<usize>, Vec<usize>) =
        places.iter().enumerate().filter_map(|(column, now)| Some((column, (*now)?))).unzip();
    let (mut mine, mut theirs) = (hashes(own, &both)?, hashes(table, &both_now)?);
    let mut pairs = pair(&mut mine, &mut theirs, Known::Whole);
    let may_be_edited = !question.is_empty() && question.len() < both.len();
    if may_be_edited && !mine.is_empty() && !theirs.is_empty() {
        mine = rehashed(own, &question, &mine)?;
        theirs = rehashed(table, &question_now, &theirs)?;
        pairs.extend(pair(&mut mine, &mut theirs, Known::Whole));
    }
    Ok(FoundAgain::of(RowMap::moved(&pairs), asked))
}

/// The columns that decide what a row asks, those of images among them.
fn asked_columns(question: &Question, headers: &[String]) -> Result<Vec<usize>, CommandError> {
    let compiled = question.compile(headers).map_err(JobError::from)?;
    let mut columns = compiled.columns().to_vec();
    let names = &question.images.columns;
    columns.extend((0..headers.len()).filter(|at| names.contains(&headers[*at])));
    columns.sort_unstable();
    columns.dedup();
    Ok(columns)
}

/// By the halves of hashes that a manifest has of the selected rows.
fn by_halves(
    manifest: &Manifest,
    selection: &Selection,
    table: &Table,
) -> Result<FoundAgain, CommandError> {
    let RowHashes::Read(halves) = &manifest.row_hashes else {
        return Err(CommandError::usage("the manifest has no hashes of its rows"));
    };
    let shape: Shape = serde_json::from_value(manifest.shape.clone())?;
    let places = places_of(&shape.headers, table.headers());
    let lacking = places.iter().position(Option::is_none).map(|at| &shape.headers[at]);
    if let Some(name) = lacking {
        return Err(CommandError::usage(format!("the table has no column `{name}` any more")));
    }
    let places: Vec<usize> = places.into_iter().flatten().collect();
    let mut theirs = hashes(table, &places)?;
    // Of the same table the selection takes the same rows; of another one only numbers do.
    let here = picked(table, selection)?;
    let is_same = here.len() == halves.len() && {
        let now = |row: &u32| theirs.get(*row as usize).map(|now| low_half(now.hash));
        here.iter().zip(halves).all(|(row, half)| now(row) == Some(*half))
    };
    if is_same {
        let asked = here.into_iter().map(u64::from).collect();
        return Ok(FoundAgain::of(RowMap::same(), asked));
    }
    let numbers = selection.numbers().ok_or_else(|| {
        CommandError::usage(
            "the rows that were asked were chosen by their cells, and the table was edited since \
             or is another one",
        )
    })?;
    let mut mine: Vec<Hashed> = numbers
        .zip(halves)
        .filter_map(|(row, half)| Some(Hashed { row: row.try_into().ok()?, hash: (*half).into() }))
        .collect();
    let asked = mine.iter().map(|hashed| u64::from(hashed.row)).collect();
    let pairs = pair(&mut mine, &mut theirs, Known::Half);
    let left: HashSet<u32> = theirs.iter().map(|hashed| low_half(hashed.hash)).collect();
    let is_unsure = |lost: &&Hashed| left.contains(&low_half(lost.hash));
    let unsure = mine.iter().filter(is_unsure).count() as u64;
    Ok(FoundAgain { unsure, ..FoundAgain::of(RowMap::moved(&pairs), asked) })
}

/// Whether two tables are read from the same text in the same way.
fn is_same_text(one: &Table, other: &Table) -> Result<bool, CommandError> {
    if one.text_path() == other.text_path() {
        return Ok(true);
    }
    let digest = |table: &Table| {
        let path = table.text_path();
        hex_of_file(path).map_err(JobError::file("read", path))
    };
    Ok(one.shape() == other.shape() && digest(one)? == digest(other)?)
}

/// For each column of one table that of the same name in the other; of several of one name the
/// first is the first.
fn places_of(headers: &[String], others: &[String]) -> Vec<Option<usize>> {
    let nth = |all: &[String], at: usize| all[..at].iter().filter(|h| **h == all[at]).count();
    headers
        .iter()
        .enumerate()
        .map(|(at, header)| {
            let mut same = (0..others.len()).filter(|other| others[*other] == *header);
            same.nth(nth(headers, at))
        })
        .collect()
}

/// The hash of these columns in each row.
fn hashes(table: &Table, columns: &[usize]) -> Result<Vec<Hashed>, CommandError> {
    let mut all = Vec::new();
    let mut rows = table.rows().map_err(JobError::from)?;
    while let Some(row) = rows.next_row().map_err(JobError::from)? {
        let Ok(number) = u32::try_from(row.number()) else { break };
        all.push(Hashed { row: number, hash: row.hash_of(columns) });
    }
    Ok(all)
}

/// The hash of other columns in some of the rows.
fn rehashed(
    table: &Table,
    columns: &[usize],
    rows: &[Hashed],
) -> Result<Vec<Hashed>, CommandError> {
    let mut wanted = rows.iter().map(|row| row.row).peekable();
    let mut all = hashes(table, columns)?;
    all.retain(|hashed| wanted.next_if_eq(&hashed.row).is_some());
    Ok(all)
}

/// How many rows a table has.
pub(super) fn rows_in(table: &Table) -> Result<u64, CommandError> {
    Ok(hashes(table, &[])?.len() as u64)
}

fn rows_of(table: &Table, selection: &Selection) -> Result<RowSet, CommandError> {
    let mut rows = RowSet::default();
    visit_selected::<JobError>(table, selection, |row| {
        rows.insert(row.number());
        Ok(())
    })?;
    Ok(rows)
}

fn picked(table: &Table, selection: &Selection) -> Result<Vec<u32>, CommandError> {
    let mut rows = Vec::new();
    visit_selected::<JobError>(table, selection, |row| {
        rows.extend(u32::try_from(row.number()));
        Ok(())
    })?;
    Ok(rows)
}
