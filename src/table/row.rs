//! One record of a table, as written and as read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Terminator;
use crate::base::short_hash;

/// Where a record starts in the UTF-8 text of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The record's number; data records count from 0.
    pub row: u64,
    /// Its first line, counted from 1.
    pub line: u64,
    /// Its first byte in [`super::Table::text_path`].
    pub offset: u64,
}

/// Why a record does not fit the header; only seen when ragged records are to be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowFault {
    /// Cells found.
    pub cells: usize,
    /// Columns of the header.
    pub expected: usize,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = if self.cells == 1 { "cell" } else { "cells" };
        write!(f, "{} {cells} where the header has {}", self.cells, self.expected)
    }
}

/// A cell's place, in the record itself or among the texts that had to be rewritten.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Piece {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) rewritten: bool,
}

/// One record. Its memory is reused for the next one, so nothing is allocated per row.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub(super) number: u64,
    pub(super) line: u64,
    pub(super) offset: u64,
    pub(super) raw: String,
    pub(super) text: String,
    pub(super) cells: Vec<Piece>,
    /// Cells that the header has and the record has not.
    pub(super) missing: usize,
    /// Where in `raw` the cells start that the header has no name for, delimiter included.
    pub(super) surplus: Option<usize>,
    pub(super) fault: Option<RowFault>,
    /// What ended the record; `None` at the end of a file or inside a JSON array.
    pub(super) ended: Option<Terminator>,
}

impl Row {
    /// A record made of cells, as tests of other rooms need it; its raw text is a CSV record.
    pub fn from_cells(number: u64, line: u64, cells: &[&str]) -> Self {
        let mut row = Self { number, line, ended: Some(Terminator::Lf), ..Self::default() };
        let mut raw = Vec::new();
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                raw.push(b',');
            }
            super::cell::push_delimited(cell, b',', cells.len() == 1, &mut raw);
            let start = row.text.len();
            row.text.push_str(cell);
            row.cells.push(Piece { start, end: row.text.len(), rewritten: true });
        }
        row.raw = String::from_utf8_lossy(&raw).into_owned();
        row
    }

    /// Its number among the data records, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The line on which it starts, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Where it starts, for coming back with [`super::Table::rows_from`].
    pub fn position(&self) -> Position {
        Position { row: self.number, line: self.line, offset: self.offset }
    }

    /// How many cells it has: as many as the header.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has no cells, which only a JSON table without keys can say.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What a cell says: unquoted, JSON strings bare, other JSON values as JSON text, and empty
    /// where the value is absent or null.
    pub fn cell(&self, index: usize) -> &str {
        match self.cells.get(index) {
            Some(piece) if piece.rewritten => &self.text[piece.start..piece.end],
            Some(piece) => &self.raw[piece.start..piece.end],
            None => "",
        }
    }

    /// All cells in order.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.cell(index))
    }

    /// Whether a cell of a JSON record or of a sheet's text stands in quotes, and so is a text.
    pub(super) fn is_quoted(&self, index: usize) -> bool {
        self.cells.get(index).is_some_and(|piece| {
            piece.rewritten
                || (piece.start > 0 && self.raw.as_bytes().get(piece.start - 1) == Some(&b'"'))
        })
    }

    /// The record as written, without its terminator.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Why the record does not fit the header. Such a record should get no request; the status
    /// `skipped` with this text belongs to it.
    pub fn fault(&self) -> Option<RowFault> {
        self.fault
    }

    /// The first eight bytes of the blake3 digest of its cells, each with its length before it
    /// (eight bytes, little-endian): equal for equal cells, however they are quoted.
    pub fn hash(&self) -> u64 {
        let mut bytes = Vec::new();
        self.push_hashed(&mut bytes);
        short_hash(&blake3::hash(&bytes))
    }

    /// The same of these cells alone, in this order.
    pub fn hash_of(&self, columns: &[usize]) -> u64 {
        let mut bytes = Vec::new();
        for column in columns {
            push_cell(self.cell(*column), &mut bytes);
        }
        short_hash(&blake3::hash(&bytes))
    }

    /// Appends the bytes that [`Row::hash`] hashes.
    pub fn push_hashed(&self, out: &mut Vec<u8>) {
        out.reserve(self.raw.len() + self.text.len() + 8 * self.len());
        self.cells().for_each(|cell| push_cell(cell, out));
    }
}

fn push_cell(cell: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(cell.len() as u64).to_le_bytes());
    out.extend_from_slice(cell.as_bytes());
}
