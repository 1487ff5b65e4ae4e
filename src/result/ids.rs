//! From a `custom_id` to a row: by exact pattern, or by a column of the table.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::ResultError;
use crate::request::CustomId;
use crate::table::Table;

/// How ids are to be read.
#[derive(Debug, Default)]
pub enum IdRule {
    /// By pattern: ours, `row_N` and `row-N` from 0, `request-N` from 1.
    #[default]
    Pattern,
    /// By pattern or as plain numbers, the first row being called this (`--id-base`); one number
    /// for all files, or one for each. Below 0 where a file goes on behind rows of others.
    Base(Vec<i64>),
    /// The ids stand in a column of the table (`--id-column`).
    Map(IdMap),
}

/// The kinds of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdKind {
    /// Ours, of the job with these first six characters.
    Ours(String),
    /// `row_N`, `row-N`: from 0.
    Row,
    /// `request-N`: from 1.
    Request,
    /// A number alone.
    Number,
    /// Of a known pattern; the numbers were made rows by what the user said.
    Numbered,
    /// Found in a column of the table.
    Listed,
}

impl IdKind {
    /// The job whose ids these are.
    pub fn job6(&self) -> Option<&str> {
        match self {
            Self::Ours(job6) => Some(job6),
            _ => None,
        }
    }
}

/// The kind of an id, its number and its round; `None` for ids of no known pattern.
pub(super) fn read_pattern(id: &str) -> Option<(IdKind, u64, u32)> {
    if let Some(ours) = CustomId::parse(id) {
        return Some((IdKind::Ours(ours.job6), ours.row, ours.round));
    }
    let (pattern, digits) = match id.strip_prefix("row_").or_else(|| id.strip_prefix("row-")) {
        Some(digits) => (IdKind::Row, digits),
        None => (IdKind::Request, id.strip_prefix("request-")?),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = if is_number { digits.parse().ok()? } else { return None };
    Some((pattern, number, 1))
}

/// The number that an id is and nothing else. What it counts from is nobody's custom.
pub fn plain_number(id: &str) -> Option<u64> {
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| id.parse().ok()).flatten()
}

/// Ids by row. Held as digests: 16 bytes a row, whatever the length of the ids.
#[derive(Debug, Default)]
pub struct IdMap {
    sorted: Vec<(u64, u32)>,
}

impl IdMap {
    /// Takes rows with their ids in any order; empty ids belong to no row.
    pub fn new<'a>(ids: impl IntoIterator<Item = (u64, &'a str)>) -> Result<Self, ResultError> {
        let mut builder = IdMapBuilder::default();
        for (row, id) in ids {
            builder.push(row, id);
        }
        builder.finish(|row| format!("(row {row})"))
    }

    /// Reads the ids in a column of the table (its position).
    pub fn of_column(table: &Table, column: usize) -> Result<Self, ResultError> {
        let mut builder = IdMapBuilder::default();
        let mut rows = table.rows()?;
        while let Some(row) = rows.next_row()? {
            builder.push(row.number(), row.cell(column));
        }
        builder.finish(|twice| id_in_row(table, column, twice).unwrap_or_default())
    }

    /// The row of an id.
    pub fn row(&self, id: &str) -> Option<u64> {
        let digest = digest(id);
        let at = self.sorted.binary_search_by_key(&digest, |(digest, _)| *digest).ok()?;
        Some(self.sorted[at].1.into())
    }
}

fn id_in_row(table: &Table, column: usize, wanted: u64) -> Option<String> {
    let mut rows = table.rows().ok()?;
    while let Some(row) = rows.next_row().ok()? {
        if row.number() == wanted {
            return Some(row.cell(column).trim().to_owned());
        }
    }
    None
}

/// Fills an [`IdMap`] from a stream.
#[derive(Debug, Default)]
struct IdMapBuilder {
    entries: Vec<(u64, u32)>,
}

impl IdMapBuilder {
    fn push(&mut self, row: u64, id: &str) {
        if let Ok(row) = u32::try_from(row)
            && !id.trim().is_empty()
        {
            self.entries.push((digest(id), row));
        }
    }

    /// `id_of` finds an id for the message about one that stands twice.
    fn finish(self, id_of: impl Fn(u64) -> String) -> Result<IdMap, ResultError> {
        let mut sorted = self.entries;
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (first, second) = (pair[0].1.into(), pair[1].1.into());
            return Err(ResultError::SameIdTwice { id: id_of(second), first, second });
        }
        Ok(IdMap { sorted })
    }
}

fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.trim().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_by_exact_pattern_only() {
        let ours = |job: &str| IdKind::Ours(job.to_owned());
        let table = [
            ("k7f2qd-0000041-r1", Some((ours("k7f2qd"), 41, 1))),
            ("k7f2qd-0000041-r12", Some((ours("k7f2qd"), 41, 12))),
            ("row_0", Some((IdKind::Row, 0, 1))),
            ("row-000012", Some((IdKind::Row, 12, 1))),
            ("request-1", Some((IdKind::Request, 1, 1))),
            ("request_1", None),
            ("row_", None),
            ("row_1a", None),
            ("row_-1", None),
            ("xrow_1", None),
            ("k7f2qd-41-r1", None),
            ("k7f2qd-0000041", None),
            ("row_99999999999999999999999", None),
            ("", None),
        ];
        for (id, expected) in table {
            assert_eq!(read_pattern(id), expected, "{id}");
        }
    }

    #[test]
    fn ids_that_are_numbers() {
        let table = [
            ("0", Some(0)),
            ("0017", Some(17)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("１", None),
            ("99999999999999999999999", None),
        ];
        for (id, number) in table {
            assert_eq!(plain_number(id), number, "{id}");
            assert_eq!(read_pattern(id), None, "what it counts from is not guessed: {id}");
        }
    }

    #[test]
    fn ids_in_a_column() {
        let map = IdMap::new([(0, "订单-1"), (1, ""), (2, " A "), (5, "b")]).unwrap();
        let table = [("订单-1", Some(0)), ("A", Some(2)), ("b", Some(5)), ("c", None), ("", None)];
        for (id, row) in table {
            assert_eq!(map.row(id), row, "{id}");
        }
        let twice = IdMap::new([(3, "x"), (7, "y"), (9, "x")]).unwrap_err();
        assert!(matches!(twice, ResultError::SameIdTwice { first: 3, second: 9, .. }));
    }
}
