//! Two jobs over the same rows, side by side: how far they agree for each field, who is right by a
//! column that knows, and a table of the rows in which they differ.
//!
//! Both tables are read once for the hashes of their rows, which pair them, and the first once more
//! with the answers of both. Rows in which one has no good answer are counted apart: they are
//! neither agreement nor disagreement.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;

use super::ResultError;
use super::agree::{Accuracy, Agreement, Tally, meaning};
use super::artifacts::{Artifacts, Place};
use super::cells::Answer;
use super::pairs::{Pairs, RowHash};
use super::write::{Join, Settled, in_order, with_answer};
use crate::answer::{RowStatus, cell_text};
use crate::base::short_hash;
use crate::table::{Cell, Row, Selection, Table, Verdict, Writer};

/// Differences that are shown without a table of them.
const EXAMPLES: usize = 5;
/// Characters kept of a value that is shown.
const EXAMPLE_LENGTH: usize = 200;

/// One of the two jobs.
pub struct Side<'a> {
    /// Its table, its rows, and what it wanted of each answer.
    pub join: Join<'a>,
    /// Its result files.
    pub artifacts: &'a mut Artifacts,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Its name: the column's.
    pub name: String,
    /// The number of the field in the first job, and in the second; `None` is the text of the
    /// answer itself.
    pub places: Option<(usize, usize)>,
}

/// A column of the first table that knows what is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its place in the table.
    pub column: usize,
    /// Which of the compared fields it is for.
    pub field: usize,
}

/// What was found. The rows with and without good answers sum to the matched ones.
#[derive(Debug, Default, Serialize)]
pub struct Comparison {
    /// Rows in which both have a good answer.
    pub both_good: u64,
    /// Rows in which only the first has.
    pub only_a_good: u64,
    /// Rows in which only the second has.
    pub only_b_good: u64,
    /// Rows in which neither has.
    pub neither_good: u64,
    /// Rows in which both have a good answer and differ in some field.
    pub disagreements: u64,
    /// What there is to say for each field.
    pub fields: Vec<Agreement>,
    /// Who is right, where a column tells.
    pub accuracy: Option<Accuracy>,
    /// The first differences.
    pub examples: Vec<Difference>,
}

/// A row in which the two differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its number in the first table.
    pub row: u64,
    /// The field.
    pub field: String,
    /// What the first says; of a long text the beginning.
    pub a: String,
    /// What the second says.
    pub b: String,
}

/// The places of the columns that two tables have in common, in each of them, in the order of the
/// first. Of columns of one name the first counts.
pub fn common_columns(a: &Table, b: &Table) -> Vec<(usize, usize)> {
    let place = |headers: &[String], name: &String| headers.iter().position(|known| known == name);
    let places = a.headers().iter().enumerate().filter_map(|(at, name)| {
        let is_first = place(a.headers(), name) == Some(at);
        Some((at, place(b.headers(), name).filter(|_| is_first)?))
    });
    places.collect()
}

/// The selected rows of a table, each with a hash of these cells.
pub fn row_hashes(
    table: &Table,
    selection: &Selection,
    columns: &[usize],
) -> Result<Vec<RowHash>, ResultError> {
    let (mut selection, mut rows) = (selection.fresh(), table.rows()?);
    let (mut hashes, mut bytes) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next_row()? {
        match selection.takes(row) {
            Verdict::Take => {}
            Verdict::Pass => continue,
            Verdict::Stop => break,
        }
        bytes.clear();
        for cell in columns.iter().map(|column| row.cell(*column)) {
            bytes.extend_from_slice(&(cell.len() as u64).to_le_bytes());
            bytes.extend_from_slice(cell.as_bytes());
        }
        hashes.push(RowHash { row: row.number(), hash: short_hash(&blake3::hash(&bytes)) });
    }
    Ok(hashes)
}

/// The columns of a table of differences: for each field what each says, then what is right.
pub fn difference_columns(compared: &[Compared], has_reference: bool) -> Vec<String> {
    let both =
        compared.iter().flat_map(|field| ["a", "b"].map(|of| format!("{}_{of}", field.name)));
    both.chain(has_reference.then(|| "reference".to_owned())).collect()
}

/// Compares. The settled rows of each come in row order. Rows that differ are written where there
/// is a writer, which has the columns of [`difference_columns`] and is left to be finished.
pub fn compare<A: Display, B: Display>(
    (a, settled_a): (Side<'_>, impl IntoIterator<Item = Result<Settled, A>>),
    (b, settled_b): (Side<'_>, impl IntoIterator<Item = Result<Settled, B>>),
    pairs: &Pairs,
    (compared, reference): (&[Compared], Option<&Reference>),
    mut writer: Option<&mut Writer>,
) -> Result<Comparison, ResultError> {
    let mut tallies = vec![Tally::default(); compared.len()];
    let mut found = Comparison {
        accuracy: reference.map(|reference| Accuracy {
            column: a.join.table.headers()[reference.column].clone(),
            field: compared[reference.field].name.clone(),
            ..Accuracy::default()
        }),
        ..Comparison::default()
    };
    let mut of_a = in_order(settled_a);
    // Where no row has moved, the second job is asked in its own order too.
    let mut of_b: Box<dyn FnMut(u64) -> Result<Option<Settled>, ResultError>> = if pairs.moved == 0
    {
        Box::new(in_order(settled_b))
    } else {
        let kept = Kept::all(settled_b)?;
        Box::new(move |row| Ok(kept.find(row)))
    };
    let (mut selection, mut rows) = (a.join.selection.fresh(), a.join.table.rows()?);
    while let Some(row) = rows.next_row()? {
        match selection.takes(row) {
            Verdict::Take => {}
            Verdict::Pass => continue,
            Verdict::Stop => break,
        }
        let Some(other) = pairs.of(row.number()) else { continue };
        let (one, two) = (of_a(row.number())?, of_b(other)?);
        let (from_a, from_b) = (&mut *a.artifacts, &mut *b.artifacts);
        with_answer(&a.join, row, one.as_ref(), from_a, |one| {
            with_answer(&b.join, row, two.as_ref(), from_b, |two| {
                let meeting = Meeting { row, one, two, compared, reference };
                meeting.judge(&mut tallies, &mut found, writer.as_deref_mut())
            })
        })?;
    }
    found.fields =
        tallies.iter().zip(compared).map(|(tally, field)| tally.report(&field.name)).collect();
    Ok(found)
}

/// Two answers to one row.
struct Meeting<'a> {
    row: &'a Row,
    one: &'a Answer<'a>,
    two: &'a Answer<'a>,
    compared: &'a [Compared],
    reference: Option<&'a Reference>,
}

impl Meeting<'_> {
    fn judge(
        &self,
        tallies: &mut [Tally],
        found: &mut Comparison,
        writer: Option<&mut Writer>,
    ) -> Result<(), ResultError> {
        let are_good = (self.one.status.is_good(), self.two.status.is_good());
        match are_good {
            (true, true) => found.both_good += 1,
            (true, false) => found.only_a_good += 1,
            (false, true) => found.only_b_good += 1,
            (false, false) => found.neither_good += 1,
        }
        if let (Some(reference), Some(accuracy)) = (self.reference, &mut found.accuracy) {
            let field = &self.compared[reference.field];
            let one = are_good.0.then(|| said(self.one, field.places.map(|places| places.0)));
            let two = are_good.1.then(|| said(self.two, field.places.map(|places| places.1)));
            accuracy.add(self.row.cell(reference.column), one.as_deref(), two.as_deref());
        }
        if are_good != (true, true) {
            return Ok(());
        }
        let mut differs = false;
        for (field, tally) in self.compared.iter().zip(tallies) {
            let one = said(self.one, field.places.map(|places| places.0));
            let two = said(self.two, field.places.map(|places| places.1));
            if !tally.add(&one, &two) {
                differs = true;
                if found.examples.len() < EXAMPLES {
                    found.examples.push(self.difference(field));
                }
            }
        }
        found.disagreements += u64::from(differs);
        match writer.filter(|_| differs) {
            Some(writer) => self.write(writer),
            None => Ok(()),
        }
    }

    fn difference(&self, field: &Compared) -> Difference {
        let short = |text: String| text.chars().take(EXAMPLE_LENGTH).collect();
        let text = |answer: &Answer<'_>, place: Option<usize>| match place {
            Some(place) => value(answer, place)
                .map_or_else(String::new, |value| cell_text(&value).into_owned()),
            None => content(answer).to_owned(),
        };
        Difference {
            row: self.row.number(),
            field: field.name.clone(),
            a: short(text(self.one, field.places.map(|places| places.0))),
            b: short(text(self.two, field.places.map(|places| places.1))),
        }
    }

    fn write(&self, writer: &mut Writer) -> Result<(), ResultError> {
        let values: Vec<Option<Cow<'_, Value>>> = self
            .compared
            .iter()
            .flat_map(|field| match field.places {
                Some((a, b)) => [value(self.one, a), value(self.two, b)],
                None => [None, None],
            })
            .collect();
        let texts = [content(self.one), content(self.two)];
        let mut cells: Vec<Cell<'_>> = Vec::new();
        for (at, value) in values.iter().enumerate() {
            cells.push(match value {
                _ if self.compared[at / 2].places.is_none() => Cell::Model(texts[at % 2]),
                Some(value) => Cell::Json(value),
                None => Cell::Empty,
            });
        }
        if let Some(reference) = self.reference {
            // The user's own words, as they stand in their column.
            cells.push(Cell::Ours(self.row.cell(reference.column)));
        }
        Ok(writer.write(self.row, &cells)?)
    }
}

/// What an answer says for a field; of an answer of several things the list of what each says.
fn value<'a>(answer: &'a Answer<'_>, place: usize) -> Option<Cow<'a, Value>> {
    match answer.things.as_slice() {
        [only] => only.get(place)?.as_ref().map(Cow::Borrowed),
        things => {
            let of = |values: &[Option<Value>]| values.get(place).cloned().flatten();
            let all = things.iter().map(|values| of(values).unwrap_or_default());
            Some(Cow::Owned(all.collect()))
        }
    }
}

fn content<'a>(answer: &'a Answer<'_>) -> &'a str {
    answer.judged.map_or("", |judged| judged.content)
}

/// What an answer says for a field, or with its whole text.
fn said(answer: &Answer<'_>, place: Option<usize>) -> String {
    match place {
        Some(place) => meaning(value(answer, place).as_deref()),
        None => meaning(Some(&Value::String(content(answer).to_owned()))),
    }
}

/// What is kept of settled rows that are asked for in no order: status and place.
struct Kept(Vec<(u64, Option<Place>, Option<RowStatus>)>);

impl Kept {
    fn all<E: Display>(
        settled: impl IntoIterator<Item = Result<Settled, E>>,
    ) -> Result<Self, ResultError> {
        let kept = settled.into_iter().map(|settled| {
            let settled = settled.map_err(|error| ResultError::Settled(error.to_string()))?;
            Ok((settled.row, settled.place, settled.status))
        });
        Ok(Self(kept.collect::<Result<_, ResultError>>()?))
    }

    fn find(&self, row: u64) -> Option<Settled> {
        let at = self.0.binary_search_by_key(&row, |(row, ..)| *row).ok()?;
        let (row, place, status) = self.0[at];
        Some(Settled { place, ..Settled::new(row, status) })
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
