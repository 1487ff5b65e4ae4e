//! Which rows are asked about: a range, then conditions, then those whose column is empty, then a
//! drawing, then a maximum, in this order.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sample::{Draw, Sample};
use super::{Row, RowSet, Table, TableError};

/// Data records from `start` to before `end`, counted from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRange {
    /// The first row taken.
    pub start: u64,
    /// The first row no longer taken; `None` for all that follow.
    pub end: Option<u64>,
}

impl RowRange {
    /// Whether a row lies in it.
    pub fn contains(&self, row: u64) -> bool {
        row >= self.start && self.end.is_none_or(|end| row < end)
    }
}

/// What a selection says about one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Selected.
    Take,
    /// Not selected; a later one may be.
    Pass,
    /// Neither this nor any later row is selected.
    Stop,
}

/// The column whose empty cells are to be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Filled {
    name: String,
    column: usize,
}

/// A choice of rows. It counts what it has taken, so each pass over a table needs a fresh copy
/// ([`Selection::fresh`]); what is stored is the choice, not the count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    range: RowRange,
    #[serde(rename = "where")]
    conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skip_filled: Option<Filled>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sample: Option<Sample>,
    max_rows: Option<u64>,
    #[serde(skip)]
    only: Option<Arc<RowSet>>,
    #[serde(skip)]
    taken: u64,
}

impl Selection {
    /// A choice by range, conditions (all must hold) and a maximum. The headers are those that
    /// the conditions were parsed with: a condition on a column beyond them is an error.
    pub fn new(
        range: RowRange,
        conditions: Vec<Condition>,
        max_rows: Option<u64>,
        headers: &[String],
    ) -> Result<Self, TableError> {
        if let Some(end) = range.end.filter(|end| *end <= range.start) {
            return Err(TableError::BadRange { start: range.start, end });
        }
        for condition in &conditions {
            if headers.get(condition.column) != Some(&condition.name) {
                return Err(unknown(&condition.name, headers));
            }
        }
        Ok(Self { range, conditions, max_rows, ..Self::default() })
    }

    /// Just these rows. Such a choice is made for one pass and never stored.
    pub fn only(rows: RowSet) -> Self {
        Self { only: Some(Arc::new(rows)), ..Self::default() }
    }

    /// The numbers of the selected rows of any table that is long enough, where no cell has a
    /// say in it.
    pub fn numbers(&self) -> Option<impl Iterator<Item = u64> + '_> {
        let is_by_cells = !self.conditions.is_empty() || self.skip_filled.is_some();
        let takes = |row: &u64| {
            self.sample.as_ref().is_none_or(|sample| sample.takes(*row))
                && self.only.as_ref().is_none_or(|only| only.contains(*row))
        };
        let most =
            self.max_rows.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let end = self.range.end.unwrap_or(u64::from(u32::MAX));
        (!is_by_cells).then(|| (self.range.start..end).filter(takes).take(most))
    }

    /// The same choice, without the rows in which this column says something already.
    pub fn skipping_filled(mut self, name: &str, headers: &[String]) -> Result<Self, TableError> {
        let column = column_of(name, headers)?;
        self.skip_filled = Some(Filled { name: headers[column].clone(), column });
        Ok(self)
    }

    /// The same choice, and of what it leaves so many rows drawn at random: the same rows for the
    /// same seed, on every machine. Reads the table through once; the maximum counts afterwards.
    pub fn sampling(mut self, rows: u64, seed: u64, table: &Table) -> Result<Self, TableError> {
        let mut draw = Draw::new(rows, seed);
        let mut reading = table.rows()?;
        while let Some(row) = reading.next_row()? {
            if self.range.end.is_some_and(|end| row.number() >= end) {
                break;
            }
            if self.is_candidate(row) {
                draw.add(row.number());
            }
        }
        self.sample = Some(draw.end());
        Ok(self)
    }

    /// The place of the column whose empty cells the answers fill.
    pub fn filled_column(&self) -> Option<usize> {
        self.skip_filled.as_ref().map(|filled| filled.column)
    }

    /// Its name.
    pub fn filled_name(&self) -> Option<&str> {
        self.skip_filled.as_ref().map(|filled| filled.name.as_str())
    }

    /// The same choice, nothing taken yet.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self { taken: 0, ..self.clone() }
    }

    /// The first row that can be selected.
    pub fn start(&self) -> u64 {
        self.range.start
    }

    /// The range, as asked.
    pub fn range(&self) -> RowRange {
        self.range
    }

    /// Whether every row of any table is selected.
    pub fn is_everything(&self) -> bool {
        self.range == RowRange::default()
            && self.conditions.is_empty()
            && self.skip_filled.is_none()
            && self.sample.is_none()
            && self.only.is_none()
            && self.max_rows.is_none()
    }

    /// Judges the next row; rows come in table order.
    pub fn takes(&mut self, row: &Row) -> Verdict {
        let number = row.number();
        if self.range.end.is_some_and(|end| number >= end) || self.max_rows == Some(self.taken) {
            return Verdict::Stop;
        }
        let is_left_out = self.only.as_ref().is_some_and(|only| !only.contains(number));
        if is_left_out
            || !self.is_candidate(row)
            || self.sample.as_ref().is_some_and(|s| !s.takes(number))
        {
            return Verdict::Pass;
        }
        self.taken += 1;
        Verdict::Take
    }

    /// Whether a row passes all that comes before the drawing.
    fn is_candidate(&self, row: &Row) -> bool {
        let is_filled = |filled: &Filled| !row.cell(filled.column).trim().is_empty();
        row.number() >= self.range.start
            && self.conditions.iter().all(|c| c.holds(row))
            && !self.skip_filled.as_ref().is_some_and(is_filled)
    }
}

/// One test of one column: `column=value`, `column!=value`, `column in (a, b)`,
/// `column not in (a, b)`. Values are compared as text, without blanks around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    text: String,
    name: String,
    column: usize,
    negated: bool,
    values: Vec<String>,
}

impl Condition {
    /// Reads a condition as typed. Among several ways to read it, the one that names a column
    /// of the table is taken: headers may hold `=` or ` in ` themselves.
    pub fn parse(text: &str, headers: &[String]) -> Result<Self, TableError> {
        let readings = readings(text);
        let named = |name: &str| headers.iter().any(|header| header.trim() == name);
        let Some((name, negated, values)) =
            readings.iter().find(|(name, ..)| named(name)).or(readings.first())
        else {
            return Err(TableError::BadCondition(text.to_owned()));
        };
        let column = column_of(name, headers)?;
        Ok(Self {
            text: text.to_owned(),
            name: headers[column].clone(),
            column,
            negated: *negated,
            values: values.clone(),
        })
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a row passes.
    pub fn holds(&self, row: &Row) -> bool {
        let cell = row.cell(self.column).trim();
        self.values.iter().any(|value| value == cell) != self.negated
    }
}

/// The place of a column that the table has once.
fn column_of(name: &str, headers: &[String]) -> Result<usize, TableError> {
    let name = name.trim();
    let mut places = (0..headers.len()).filter(|i| headers[*i].trim() == name);
    let column = places.next().ok_or_else(|| unknown(name, headers))?;
    if places.next().is_some() {
        return Err(TableError::AmbiguousColumn(name.to_owned()));
    }
    Ok(column)
}

type Reading<'a> = (&'a str, bool, Vec<String>);

/// All ways to read a condition, by where its operator stands.
fn readings(text: &str) -> Vec<Reading<'_>> {
    let mut found = Vec::new();
    for (at, _) in text.char_indices() {
        let (name, rest) = (text[..at].trim(), &text[at..]);
        if name.is_empty() {
            continue;
        }
        if let Some(value) = rest.strip_prefix("!=") {
            found.push((name, true, vec![bare(value)]));
        } else if let Some(value) = rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')) {
            if !text[..at].ends_with(['!', '=']) {
                found.push((name, false, vec![bare(value)]));
            }
        } else if rest.starts_with(char::is_whitespace) {
            if let Some(values) = list_after(rest, "not in") {
                found.push((name, true, values));
            } else if let Some(values) = list_after(rest, "in") {
                found.push((name, false, values));
            }
        }
    }
    found
}

/// The values of `in (a, "b, c")` after the operator; commas and brackets of full width count.
fn list_after(rest: &str, operator: &str) -> Option<Vec<String>> {
    let rest = rest.trim();
    let head = rest.get(..operator.len()).filter(|s| s.eq_ignore_ascii_case(operator))?;
    let list = rest[head.len()..].trim();
    let list = list.strip_prefix(['(', '（'])?.strip_suffix([')', '）'])?;
    let (mut values, mut value, mut quote) = (Vec::new(), String::new(), None);
    for character in list.chars() {
        match character {
            '"' | '\'' if quote.is_none() && value.trim().is_empty() => quote = Some(character),
            _ if quote == Some(character) => quote = None,
            ',' | '，' if quote.is_none() => {
                values.push(std::mem::take(&mut value).trim().to_owned());
            }
            _ => value.push(character),
        }
    }
    values.push(value.trim().to_owned());
    Some(values)
}

/// A value without blanks and without one pair of quotes around it.
fn bare(value: &str) -> String {
    let value = value.trim();
    let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned()
}

/// The error for a column that is not there.
fn unknown(column: &str, headers: &[String]) -> TableError {
    let hint = match nearest(column, headers) {
        Some(header) => format!(": did you mean `{header}`?"),
        None => format!(": the table has {}", listed(headers)),
    };
    TableError::UnknownColumn { column: column.to_owned(), hint }
}

fn listed(headers: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut list: Vec<String> = headers.iter().take(SHOWN).map(|h| format!("`{h}`")).collect();
    if headers.len() > SHOWN {
        list.push(format!("and {} more", headers.len() - SHOWN));
    }
    list.join(", ")
}

/// The header that a misspelt name probably means: a third of its characters may differ.
pub fn nearest<'a>(name: &str, headers: &'a [String]) -> Option<&'a str> {
    let name: Vec<char> = name.trim().to_lowercase().chars().collect();
    let distance = |header: &String| {
        let header: Vec<char> = header.trim().to_lowercase().chars().collect();
        (edits(&name, &header), name.len().max(header.len()))
    };
    headers
        .iter()
        .map(|header| (distance(header), header))
        .filter(|((edits, length), _)| *edits <= 1.max(length / 3) && edits < length)
        .min_by_key(|((edits, _), _)| *edits)
        .map(|(_, header)| header.as_str())
}

/// How many characters must be added, removed, replaced or swapped with their neighbour to make
/// one name the other.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut costs: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let replaced = costs[j] + usize::from(a[i] != b[j]);
            let mut cost = replaced.min(costs[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut costs, next);
    }
    costs[b.len()]
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Pass, Stop, Take};
    use super::*;

    fn headers() -> Vec<String> {
        ["label", "a=b", "Content of P*", "类别", "dup", "dup"].map(String::from).to_vec()
    }

    #[test]
    fn s0_29_conditions_are_read_as_typed() {
        let row = ["good", "x", " 1, 2 ", "体育", "", ""];
        let row = Row::from_cells(0, 2, &row);
        let table = [
            ("label=good", true),
            ("label = good ", true),
            ("label==good", true),
            ("label='good'", true),
            ("label!=good", false),
            ("label != bad", true),
            ("label in (good, bad)", true),
            ("label IN (bad)", false),
            ("label not in (bad,ugly)", true),
            ("label not in (good)", false),
            ("a=b=x", true),
            ("Content of P*=1, 2", true),
            ("Content of P* in (\"1, 2\")", true),
            ("类别 in （体育，财经）", true),
            ("label=", false),
        ];
        for (text, expected) in table {
            let condition = Condition::parse(text, &headers()).unwrap();
            assert_eq!(condition.holds(&row), expected, "{text}");
        }
    }

    #[test]
    fn wrong_conditions_say_what_to_write() {
        let table = [
            ("lable=good", "no column `lable`: did you mean `label`?"),
            ("zzzzzz=good", "no column `zzzzzz`: the table has `label`, `a=b`"),
            ("label", "cannot read the condition `label`"),
            ("=x", "cannot read the condition"),
            ("dup=1", "column `dup` occurs more than once"),
        ];
        for (text, expected) in table {
            let error = Condition::parse(text, &headers()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn s1_03_s1_04_range_then_conditions_then_maximum() {
        let condition = Condition::parse("label=good", &headers()).unwrap();
        let range = RowRange { start: 2, end: Some(9) };
        let mut selection = Selection::new(range, vec![condition], Some(2), &headers()).unwrap();
        let stored = serde_json::to_string(&selection).unwrap();
        let mut judged = Vec::new();
        for number in 0..9 {
            let label = if number % 2 == 0 { "good" } else { "bad" };
            judged.push(selection.takes(&Row::from_cells(number, 0, &[label])));
        }
        assert_eq!(judged, [Pass, Pass, Take, Pass, Take, Stop, Stop, Stop, Stop]);
        assert_eq!(serde_json::from_str::<Selection>(&stored).unwrap(), selection.fresh());

        let mut all =
            Selection::new(RowRange { start: 0, end: Some(1) }, vec![], None, &[]).unwrap();
        assert_eq!(all.takes(&Row::from_cells(0, 2, &["x"])), Take);
        assert_eq!(all.takes(&Row::from_cells(1, 3, &["x"])), Stop);
        let inverted = RowRange { start: 5, end: Some(5) };
        assert!(Selection::new(inverted, vec![], None, &[]).is_err());
    }
}
