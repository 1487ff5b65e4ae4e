//! Turns a row and its added cells into the bytes of an output record. Pure: appends to a buffer.
//!
//! Where input and output are of one dialect, the user's record is copied as it was written and
//! only what is added is made here.

mod json;

use self::json::keys;
use super::cell::{Cell, push_delimited, push_sheet, push_sheet_json, push_sheet_text, text};
use super::fill::{Fill, delimited_cell};
use super::rows::Layout;
use super::xlsx::value::is_plain_number;
use super::{Format, Row};

/// What an output looks like.
#[derive(Debug)]
pub(super) struct Emit {
    format: Format,
    delimiter: u8,
    line_end: &'static str,
    /// Whether the user's records are copied as they are.
    same: bool,
    raw_formulas: bool,
    row_index: Option<String>,
    added: Vec<String>,
    /// The added column that is written into one of the table's.
    fill: Option<Fill>,
    /// `"key":` of each column, for delimited tables that become JSON.
    keys: Vec<Vec<u8>>,
    /// What the user's records were.
    from: Format,
    /// Whether the user's JSON has blanks after colons and commas; known from the first record.
    spaced: Option<bool>,
    records: u64,
}

/// The choices that [`super::WriteOptions`] leads to.
#[derive(Debug)]
pub(super) struct Choices {
    pub(super) format: Format,
    pub(super) delimiter: u8,
    pub(super) row_index: bool,
    pub(super) raw_formulas: bool,
    pub(super) fill: Option<usize>,
}

impl Emit {
    pub(super) fn new(layout: &Layout, new_columns: &[String], choices: &Choices) -> Self {
        let shape = &layout.shape;
        let (from, to) = (shape.format, choices.format);
        let mut taken = shape.headers.clone();
        let row_index = choices.row_index.then(|| free_name("row_index", &mut taken));
        let filled = |name: &&String| {
            choices.fill.is_some_and(|column| shape.headers[column].trim() == name.trim())
        };
        let fill = choices.fill.and_then(|column| {
            let added = new_columns.iter().position(|name| filled(&name))?;
            Some(Fill { added, column })
        });
        let added = new_columns
            .iter()
            .map(|name| if filled(&name) { name.clone() } else { free_name(name, &mut taken) })
            .collect();
        let same = match (from.is_delimited(), to.is_delimited()) {
            (true, true) => {
                shape.delimiter == choices.delimiter
                    && (from == Format::Xlsx) == (to == Format::Xlsx)
            }
            (from, to) => from == to,
        };
        let keys = if from.is_delimited() && !to.is_delimited() {
            keys(&shape.headers, &taken[shape.headers.len()..])
        } else {
            Vec::new()
        };
        let line_end =
            if from.is_delimited() == to.is_delimited() { shape.terminator.as_str() } else { "\n" };
        Self {
            format: to,
            delimiter: choices.delimiter,
            line_end,
            same,
            raw_formulas: choices.raw_formulas,
            row_index,
            added,
            fill,
            keys,
            from,
            spaced: None,
            records: 0,
        }
    }

    /// Records as lines of JSON, with nothing added.
    pub(super) fn of_lines(layout: &Layout) -> Self {
        let choices = Choices {
            format: Format::Jsonl,
            delimiter: b',',
            row_index: false,
            raw_formulas: true,
            fill: None,
        };
        Self::new(layout, &[], &choices)
    }

    /// The names that the added columns got.
    pub(super) fn added(&self) -> &[String] {
        &self.added
    }

    /// The columns that come after the table's own, with their places among the added.
    fn beside(&self) -> impl Iterator<Item = (usize, &String)> {
        let filled = self.fill.map(|fill| fill.added);
        self.added.iter().enumerate().filter(move |(index, _)| Some(*index) != filled)
    }

    /// Which column of the table a record's answer goes into, if it has one.
    fn filling<'a>(&self, cells: &[Cell<'a>]) -> Option<(usize, Cell<'a>)> {
        let fill = self.fill?;
        let cell = cells.get(fill.added).copied().filter(|cell| !cell.is_empty())?;
        Some((fill.column, cell))
    }

    /// Whether one of these cells goes into the table's own column.
    pub(super) fn fills(&self, cells: &[Cell<'_>]) -> bool {
        self.filling(cells).is_some()
    }

    /// The added column that is written into one of the table's.
    pub(super) fn fill(&self) -> Option<Fill> {
        self.fill
    }

    /// Whether the user's records are copied as they are.
    pub(super) fn is_same(&self) -> bool {
        self.same
    }

    /// What an added cell will say, for checks of what an encoding can hold.
    pub(super) fn says<'a>(&self, cell: Cell<'a>) -> std::borrow::Cow<'a, str> {
        text(cell, self.raw_formulas)
    }

    /// What stands before the first record.
    pub(super) fn head(&self, layout: &Layout, out: &mut Vec<u8>) {
        if !self.format.is_delimited() {
            return;
        }
        if self.same {
            out.extend_from_slice(layout.sep_line.as_bytes());
        }
        if let Some(name) = &self.row_index {
            self.push_name(name, out);
            out.push(self.delimiter);
        }
        if self.same {
            out.extend_from_slice(layout.header.as_bytes());
        } else if self.format == Format::Xlsx {
            for (index, name) in layout.shape.headers.iter().enumerate() {
                if index > 0 {
                    out.push(self.delimiter);
                }
                self.push_name(name, out);
            }
        } else {
            self.push_cells(layout.shape.headers.iter().map(String::as_str), out);
        }
        for (_, name) in self.beside() {
            out.push(self.delimiter);
            self.push_name(name, out);
        }
        out.extend_from_slice(self.line_end.as_bytes());
    }

    fn push_name(&self, name: &str, out: &mut Vec<u8>) {
        if self.format == Format::Xlsx {
            push_sheet_text(name, out);
        } else {
            push_delimited(name, self.delimiter, false, out);
        }
    }

    /// One record.
    pub(super) fn record(&mut self, row: &Row, cells: &[Cell<'_>], out: &mut Vec<u8>) {
        match self.format {
            Format::Csv | Format::Tsv | Format::Xlsx => self.delimited(row, cells, out),
            Format::Jsonl | Format::Requests => {
                self.json(row, cells, out);
                out.extend_from_slice(self.line_end.as_bytes());
            }
            Format::Json => {
                out.extend_from_slice(if self.records == 0 { b"[\n" } else { b",\n" });
                self.json(row, cells, out);
            }
        }
        self.records += 1;
    }

    /// What stands after the last record.
    pub(super) fn tail(&self, out: &mut Vec<u8>) {
        if self.format == Format::Json {
            out.extend_from_slice(if self.records == 0 { b"[]\n" } else { b"\n]\n" });
        }
    }

    fn delimited(&self, row: &Row, cells: &[Cell<'_>], out: &mut Vec<u8>) {
        if self.row_index.is_some() {
            push_number(row.number, out);
            out.push(self.delimiter);
        }
        let (mine, surplus) = row.raw.split_at(row.surplus.unwrap_or(row.raw.len()));
        let filling = self.filling(cells);
        if self.same {
            self.push_raw_cells(mine, row, filling, out);
        } else if self.format == Format::Xlsx {
            self.push_sheet_cells(row, filling, out);
        } else {
            let filled = filling.map(|(column, cell)| (column, text(cell, self.raw_formulas)));
            self.push_cells(
                row.cells().enumerate().map(|(index, cell)| match &filled {
                    Some((column, text)) if *column == index => text,
                    _ => cell,
                }),
                out,
            );
        }
        for (index, _) in self.beside() {
            out.push(self.delimiter);
            self.push_added(cells[index], out);
        }
        // Cells without a name go to the end, where they shift no column; empty ones are dropped.
        if self.same && surplus.bytes().any(|b| b != self.delimiter) {
            out.extend_from_slice(surplus.as_bytes());
        }
        let ended = row.ended.filter(|_| self.same);
        out.extend_from_slice(ended.map_or(self.line_end, |end| end.as_str()).as_bytes());
    }

    fn push_added(&self, cell: Cell<'_>, out: &mut Vec<u8>) {
        if self.format == Format::Xlsx {
            push_sheet(cell, out);
        } else {
            push_delimited(&text(cell, self.raw_formulas), self.delimiter, false, out);
        }
    }

    /// The user's record as it was written, but for the cell that is filled.
    fn push_raw_cells(
        &self,
        raw: &str,
        row: &Row,
        filling: Option<(usize, Cell<'_>)>,
        out: &mut Vec<u8>,
    ) {
        let present = row.len() - row.missing;
        match filling {
            Some((column, cell)) if column >= present => {
                out.extend_from_slice(raw.as_bytes());
                out.extend(std::iter::repeat_n(self.delimiter, column + 1 - present));
                self.push_added(cell, out);
                out.extend(std::iter::repeat_n(self.delimiter, row.len() - column - 1));
                return;
            }
            Some((column, cell)) => {
                let place = delimited_cell(raw, column, self.delimiter).unwrap_or_default();
                out.extend_from_slice(&raw.as_bytes()[..place.start]);
                self.push_added(cell, out);
                out.extend_from_slice(&raw.as_bytes()[place.end..]);
            }
            None => out.extend_from_slice(raw.as_bytes()),
        }
        out.extend(std::iter::repeat_n(self.delimiter, row.missing));
    }

    fn push_cells<'a>(&self, cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
        let alone = self.added.is_empty() && self.row_index.is_none();
        let start = out.len();
        for (index, cell) in cells.enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            push_delimited(cell, self.delimiter, false, out);
        }
        if alone && out.len() == start {
            push_delimited("", self.delimiter, true, out);
        }
    }

    /// The cells of another table for a sheet: numbers where they surely are numbers.
    fn push_sheet_cells(&self, row: &Row, filling: Option<(usize, Cell<'_>)>, out: &mut Vec<u8>) {
        for (index, cell) in row.cells().enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            if let Some((_, cell)) = filling.filter(|(column, _)| *column == index) {
                push_sheet(cell, out);
            } else if !self.from.is_delimited() && !row.is_quoted(index) {
                push_sheet_json(cell, out);
            } else if self.from.is_delimited() && is_plain_number(cell) {
                out.extend_from_slice(cell.as_bytes());
            } else {
                push_sheet_text(cell, out);
            }
        }
    }
}

/// A name that no other column has; it joins the taken ones.
fn free_name(name: &str, taken: &mut Vec<String>) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while taken.contains(&free) {
        free = match number {
            1 => format!("{name}_batchctl"),
            _ => format!("{name}_batchctl{number}"),
        };
        number += 1;
    }
    taken.push(free.clone());
    free
}

fn push_number(number: u64, out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "{number}").expect("memory takes all that is written");
}
