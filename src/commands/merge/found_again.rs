//! The rows that were asked, in the table that the answers go onto: it may have been sorted or
//! edited since, or be another one. An answer goes to the row that was asked, wherever it stands
//! now, and to no other.

use super::origin::Origin;
use crate::base::hex_of_file;
use crate::commands::Context;
use crate::commands::steps::Found;
use crate::cost::grouped;
use crate::job::{JobError, visit_selected};
use crate::result::{Hashed, Known, RowMap, pair};
use crate::shard::{Manifest, RowHashes, low_half};
use crate::table::{RowSet, Selection, Table};
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
}

impl FoundAgain {
    fn of(map: RowMap, asked: RowSet) -> Self {
        let (mut found, mut moved) = (0, 0);
        for row in asked.iter() {
            let now = map.to(row);
            found += u64::from(now.is_some());
            moved += u64::from(now.is_some_and(|now| now != row));
        }
        Self { map, asked, found, moved }
    }

    /// Whether the table is another one: of the rows that it could have, not even more than half.
    pub(super) fn is_another(&self, table_rows: u64) -> bool {
        let possible = self.asked.len().min(table_rows);
        possible > 0 && self.found * 2 <= possible
    }

    /// What to tell of it, if anything.
    pub(super) fn note(&self, name: &str) -> Option<String> {
        let gone = self.asked.len() - self.found;
        let moved = (self.moved > 0).then(|| {
            let (moved, all) = (grouped(self.moved), grouped(self.asked.len()));
            format!("{moved} of its {all} rows stand elsewhere now, each keeps its answer")
        });
        let gone = (gone > 0).then(|| {
            let were = if gone == 1 { "row was" } else { "rows were" };
            format!("{} {were} edited or removed since, without an answer here", grouped(gone))
        });
        let both: Vec<String> = moved.into_iter().chain(gone).collect();
        (!both.is_empty()).then(|| format!("{name}: {}", both.join("; ")))
    }
}

/// Finds the rows of an origin in a table.
pub(super) fn find_again(
    origin: &Origin,
    table: &Table,
    context: &Context,
) -> Result<FoundAgain, CommandError> {
    match origin {
        Origin::Job { found, .. } => of_job(found, table),
        Origin::Convert { manifest, selection, path } => of_manifest(manifest, selection, table)
            .map_err(|error| {
                let was = context.shell.quote(&manifest.table.display().to_string());
                error.hint(format!(
                    "give the table as it was when {} was made: --original-csv {was}",
                    path.display()
                ))
            }),
    }
}

/// By the job's own copy of its table.
fn of_job(found: &Found, table: &Table) -> Result<FoundAgain, CommandError> {
    let own = found.written_table()?;
    let asked = rows_of(&own, found.written_selection())?;
    if is_same_text(&own, table)? {
        return Ok(FoundAgain::of(RowMap::same(), asked));
    }
    let places = places_of(own.headers(), table.headers());
    let both: (Vec<usize>, Vec<usize>) =
        places.iter().enumerate().filter_map(|(mine, place)| Some((mine, (*place)?))).unzip();
    let (mut mine, mut theirs) = (hashes(&own, &both.0)?, hashes(table, &both.1)?);
    let mut pairs = pair(&mut mine, &mut theirs, Known::Whole);
    // What was asked of a row may stand as it was when other cells of it do not.
    let question = &found.spec.question;
    let used = question.compile(own.headers()).map_err(JobError::from)?.columns().to_vec();
    let used_now: Option<Vec<usize>> =
        used.iter().map(|column| places.get(*column).copied().flatten()).collect();
    let Some(used_now) = used_now else {
        let lacking = used.iter().find(|column| places.get(**column).copied().flatten().is_none());
        let name = lacking.and_then(|column| own.headers().get(*column)).cloned();
        return Err(CommandError::usage(format!(
            "job {} asked about the column `{}`, which the table does not have",
            found.job.short(),
            name.unwrap_or_default()
        )));
    };
    if !used.is_empty() && used.len() < both.0.len() && !mine.is_empty() && !theirs.is_empty() {
        let (mut mine, mut theirs) =
            (rehashed(&own, &used, &mine)?, rehashed(table, &used_now, &theirs)?);
        pairs.extend(pair(&mut mine, &mut theirs, Known::Whole));
    }
    Ok(FoundAgain::of(RowMap::moved(&pairs), asked))
}

/// By the halves of hashes that a manifest has of the selected rows.
fn of_manifest(
    manifest: &Manifest,
    selection: &Selection,
    table: &Table,
) -> Result<FoundAgain, CommandError> {
    let RowHashes::Read(halves) = &manifest.row_hashes else {
        return Err(CommandError::usage("the manifest has no hashes of its rows"));
    };
    let other = || CommandError::usage("the table lacks columns of the one that was asked");
    let shape: crate::table::Shape = serde_json::from_value(manifest.shape.clone())?;
    let places: Option<Vec<usize>> =
        places_of(&shape.headers, table.headers()).into_iter().collect();
    let mut theirs = hashes(table, &places.ok_or_else(other)?)?;
    // The selection picks the same rows of the same table; of another one only those by number.
    let here = picked(table, selection);
    let is_same = here.as_ref().is_ok_and(|rows| {
        rows.len() == halves.len()
            && rows.iter().zip(halves).all(|(row, half)| {
                theirs.get(*row as usize).is_some_and(|now| low_half(now.hash) == *half)
            })
    });
    let rows: Vec<u32> = match (here, selection.numbers()) {
        (Ok(rows), _) if is_same => rows,
        (_, Some(numbers)) => {
            numbers.take(halves.len()).filter_map(|row| u32::try_from(row).ok()).collect()
        }
        _ => {
            return Err(CommandError::usage(
                "the rows that were asked were chosen by their cells, and the table was edited \
                 since or is another one",
            ));
        }
    };
    let asked: RowSet = rows.iter().map(|row| u64::from(*row)).collect();
    if is_same {
        return Ok(FoundAgain::of(RowMap::same(), asked));
    }
    let mut mine: Vec<Hashed> = rows
        .iter()
        .zip(halves)
        .map(|(row, half)| Hashed { row: *row, hash: (*half).into() })
        .collect();
    let pairs = pair(&mut mine, &mut theirs, Known::Half);
    Ok(FoundAgain::of(RowMap::moved(&pairs), asked))
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

fn picked(table: &Table, selection: &Selection) -> Result<Vec<u32>, JobError> {
    let mut rows = Vec::new();
    visit_selected::<JobError>(table, selection, |row| {
        rows.extend(u32::try_from(row.number()));
        Ok(())
    })?;
    Ok(rows)
}
