//! Turns a row and its added cells into the bytes of an output record. Pure: appends to a buffer.
//!
//! Where input and output are of one dialect, the user's record is copied as it was written and
//! only what is added is made here.

use super::cell::{Cell, push_delimited, push_json, push_json_string, text};
use super::json::MESSAGES;
use super::rows::Layout;
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
    /// `"key":` of each column, for delimited tables that become JSON.
    keys: Vec<Vec<u8>>,
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
}

impl Emit {
    pub(super) fn new(layout: &Layout, new_columns: &[String], choices: &Choices) -> Self {
        let shape = &layout.shape;
        let (from, to) = (shape.format, choices.format);
        let mut taken = shape.headers.clone();
        let row_index = choices.row_index.then(|| free_name("row_index", &mut taken));
        let added = new_columns.iter().map(|name| free_name(name, &mut taken)).collect();
        let same = match (from.is_delimited(), to.is_delimited()) {
            (true, true) => shape.delimiter == choices.delimiter,
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
            keys,
            spaced: None,
            records: 0,
        }
    }

    /// The names that the added columns got.
    pub(super) fn added(&self) -> &[String] {
        &self.added
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
            push_delimited(name, self.delimiter, false, out);
            out.push(self.delimiter);
        }
        if self.same {
            out.extend_from_slice(layout.header.as_bytes());
        } else {
            self.push_cells(layout.shape.headers.iter().map(String::as_str), out);
        }
        for name in &self.added {
            out.push(self.delimiter);
            push_delimited(name, self.delimiter, false, out);
        }
        out.extend_from_slice(self.line_end.as_bytes());
    }

    /// One record.
    pub(super) fn record(&mut self, row: &Row, cells: &[Cell<'_>], out: &mut Vec<u8>) {
        match self.format {
            Format::Csv | Format::Tsv => self.delimited(row, cells, out),
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
        if self.same {
            out.extend_from_slice(mine.as_bytes());
            out.extend(std::iter::repeat_n(self.delimiter, row.missing));
        } else {
            self.push_cells(row.cells(), out);
        }
        for cell in cells {
            out.push(self.delimiter);
            push_delimited(&text(*cell, self.raw_formulas), self.delimiter, false, out);
        }
        // Cells without a name go to the end, where they shift no column; empty ones are dropped.
        if self.same && surplus.bytes().any(|b| b != self.delimiter) {
            out.extend_from_slice(surplus.as_bytes());
        }
        let ended = row.ended.filter(|_| self.same);
        out.extend_from_slice(ended.map_or(self.line_end, |end| end.as_str()).as_bytes());
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

    fn json(&mut self, row: &Row, cells: &[Cell<'_>], out: &mut Vec<u8>) {
        if !self.keys.is_empty() {
            self.built(row, cells, out);
            return;
        }
        let single_line = self.format != Format::Json;
        let Some(inner) = row.raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')) else {
            let mut pairs = Pairs { lead: "", spaced: true, first: true };
            out.push(b'{');
            self.index(row, &mut pairs, out);
            pairs.key(MESSAGES, out);
            push_raw(&row.raw, single_line, out);
            self.cells(cells, &mut pairs, out);
            out.push(b'}');
            return;
        };
        let spaced = *self.spaced.get_or_insert_with(|| inner.contains("\": "));
        let body = inner.trim_ascii();
        let (lead, trail) = if single_line {
            ("", "")
        } else {
            let before = inner.len() - inner.trim_ascii_start().len();
            (&inner[..before], &inner[inner.trim_ascii_end().len().max(before)..])
        };
        let mut pairs = Pairs { lead, spaced, first: true };
        out.push(b'{');
        self.index(row, &mut pairs, out);
        if !body.is_empty() {
            pairs.between(out);
            push_raw(body, single_line, out);
        }
        self.cells(cells, &mut pairs, out);
        out.extend_from_slice(trail.as_bytes());
        out.push(b'}');
    }

    /// An object made of a delimited record: all its values are strings.
    fn built(&self, row: &Row, cells: &[Cell<'_>], out: &mut Vec<u8>) {
        let mut pairs = Pairs { lead: "", spaced: false, first: true };
        out.push(b'{');
        self.index(row, &mut pairs, out);
        for (key, cell) in self.keys.iter().zip(row.cells()) {
            pairs.between(out);
            out.extend_from_slice(key);
            push_json_string(cell, out);
        }
        self.cells(cells, &mut pairs, out);
        out.push(b'}');
    }

    fn index(&self, row: &Row, pairs: &mut Pairs<'_>, out: &mut Vec<u8>) {
        if let Some(name) = &self.row_index {
            pairs.key(name, out);
            push_number(row.number, out);
        }
    }

    fn cells(&self, cells: &[Cell<'_>], pairs: &mut Pairs<'_>, out: &mut Vec<u8>) {
        for (name, cell) in self.added.iter().zip(cells) {
            pairs.key(name, out);
            push_json(*cell, out);
        }
    }
}

/// The punctuation between the pairs of an object, as the user's own object has it.
struct Pairs<'a> {
    lead: &'a str,
    spaced: bool,
    first: bool,
}

impl Pairs<'_> {
    fn between(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.first) {
            out.push(b',');
            if self.spaced && self.lead.is_empty() {
                out.push(b' ');
            }
        }
        out.extend_from_slice(self.lead.as_bytes());
    }

    fn key(&mut self, name: &str, out: &mut Vec<u8>) {
        self.between(out);
        push_json_string(name, out);
        out.extend_from_slice(if self.spaced { b": " } else { b":" });
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

/// The JSON keys of a delimited table's columns: JSON knows no empty and no equal keys.
fn keys(headers: &[String], others: &[String]) -> Vec<Vec<u8>> {
    let mut taken: Vec<String> = others.to_vec();
    taken.extend(headers.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    let mut key = |(index, header): (usize, &String)| {
        let mut name = header.clone();
        if header.is_empty() || seen.contains(header) {
            let base = if header.is_empty() { "column" } else { header };
            let mut number = index + 1;
            while name.is_empty() || taken.contains(&name) {
                name = format!("{base}_{number}");
                number += headers.len();
            }
            taken.push(name.clone());
        }
        seen.insert(name.clone());
        let mut key = Vec::new();
        push_json_string(&name, &mut key);
        key.push(b':');
        key
    };
    headers.iter().enumerate().map(&mut key).collect()
}

/// Copies JSON text; on a single line, line ends and the indentation after them are left out,
/// which stand between tokens only.
fn push_raw(raw: &str, single_line: bool, out: &mut Vec<u8>) {
    if !single_line || !raw.contains(['\n', '\r']) {
        out.extend_from_slice(raw.as_bytes());
        return;
    }
    for (index, line) in raw.split(['\n', '\r']).enumerate() {
        let line = if index == 0 { line } else { line.trim_ascii_start() };
        out.extend_from_slice(line.as_bytes());
    }
}

fn push_number(number: u64, out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "{number}").expect("memory takes all that is written");
}
