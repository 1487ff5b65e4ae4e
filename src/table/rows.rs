//! Reads a table's text record by record, in memory that does not grow with the rows.

use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use encoding_rs::UTF_8;

use super::error::Place;
use super::json::{self, Columns};
use super::json_fault;
use super::row::{Piece, Position, Row, RowFault};
use super::scan::{self, Form, Found, Span};
use super::{Format, Ragged, Shape, TableError, Terminator};
use crate::base::DiskFile;

/// One megabyte: more made scanning no faster.
const BUFFER: usize = 1 << 20;
/// A record above this is a quote or a bracket left open, not data: two images of the largest
/// size that providers take (20 MB, in base64) fit.
const LONGEST_RECORD: usize = 64 << 20;

/// What all readings of one table share.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) source: PathBuf,
    pub(super) text: PathBuf,
    pub(super) shape: Shape,
    pub(super) columns: Columns,
    /// Excel's `sep=` line with its end, and the header without, as written; empty for JSON.
    pub(super) sep_line: String,
    pub(super) header: String,
    /// Where the first data record is looked for.
    pub(super) data: Position,
}

impl Layout {
    fn place(&self, row: u64, line: u64) -> Place {
        Place { path: self.source.clone(), row: Some(row), line }
    }

    fn column_note(&self, cell: usize) -> String {
        match self.shape.headers.get(cell) {
            Some(name) if !name.is_empty() => format!(" (column `{name}`)"),
            _ => String::new(),
        }
    }
}

/// A part of a file in memory.
#[derive(Debug)]
pub(super) struct Window {
    file: DiskFile,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    last: bool,
    limit: usize,
}

impl Window {
    pub(super) fn open(path: &std::path::Path, offset: u64) -> std::io::Result<Self> {
        let mut file = DiskFile::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let buffer = vec![0; BUFFER];
        Ok(Self { file, buffer, start: 0, end: 0, last: false, limit: LONGEST_RECORD })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn is_last(&self) -> bool {
        self.last
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads on. `Ok(false)` says that the limit of one record is reached.
    pub(super) fn fill(&mut self) -> std::io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end >= self.limit {
                return Ok(false);
            }
            self.buffer.resize(self.end * 2, 0);
        }
        loop {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.last = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(true);
        }
    }
}

/// A reading of a table. It lends one row at a time.
#[derive(Debug)]
pub struct Rows {
    layout: Arc<Layout>,
    window: Window,
    place: json::Place,
    next: Position,
    spans: Vec<Span>,
    row: Row,
}

impl Rows {
    pub(super) fn open(layout: Arc<Layout>, from: Position) -> Result<Self, TableError> {
        let window = Window::open(&layout.text, from.offset)
            .map_err(|source| TableError::io("open", &layout.source, source))?;
        let place = if from == layout.data { json::Place::Outside } else { json::Place::Element };
        Ok(Self { layout, window, place, next: from, spans: Vec::new(), row: Row::default() })
    }

    /// The next record, or `None` after the last one. The record is valid until the next call.
    pub fn next_row(&mut self) -> Result<Option<&Row>, TableError> {
        if !self.advance()? {
            return Ok(None);
        }
        if self.layout.shape.format.is_delimited() {
            self.cut()?;
        } else {
            self.parse()?;
        }
        Ok(Some(&self.row))
    }

    /// Goes to the next record without looking for its cells; `false` after the last one.
    pub(super) fn advance(&mut self) -> Result<bool, TableError> {
        loop {
            match self.find(self.window.is_last())? {
                Found::Record { start, end, next, quoted } => {
                    self.take(start, end, next, quoted)?;
                    return Ok(true);
                }
                Found::End => return Ok(false),
                Found::More => self.read_on()?,
                Found::Unclosed { quote, cell } => return Err(self.unclosed(quote, cell)),
            }
        }
    }

    /// The record that [`Rows::advance`] went to; its cells are those of an earlier one.
    pub(super) fn current(&self) -> &Row {
        &self.row
    }

    fn find(&mut self, last: bool) -> Result<Found, TableError> {
        let bytes = self.window.bytes();
        match self.layout.shape.format {
            Format::Csv | Format::Tsv | Format::Xlsx => {
                Ok(scan::record(bytes, last, self.layout.shape.delimiter, &mut self.spans))
            }
            Format::Jsonl | Format::Requests => Ok(json::line(bytes, last)),
            Format::Json => json::element(bytes, last, &mut self.place).map_err(|(at, reason)| {
                let line = self.next.line + scan::line_ends(&bytes[..at]);
                let place = self.layout.place(self.next.row, line);
                TableError::Json { place, reason: reason.to_owned() }
            }),
        }
    }

    fn read_on(&mut self) -> Result<(), TableError> {
        let read = self.window.fill();
        if read.map_err(|source| TableError::io("read", &self.layout.source, source))? {
            return Ok(());
        }
        if let Found::Unclosed { quote, cell } = self.find(true)? {
            return Err(self.unclosed(quote, cell));
        }
        let place = self.layout.place(self.next.row, self.next.line);
        Err(TableError::TooLong { place, limit: LONGEST_RECORD >> 20 })
    }

    fn unclosed(&self, quote: usize, cell: usize) -> TableError {
        let line = self.next.line + scan::line_ends(&self.window.bytes()[..quote]);
        TableError::UnclosedQuote {
            place: self.layout.place(self.next.row, line),
            cell: cell + 1,
            column: self.layout.column_note(cell),
        }
    }

    /// Copies a found record into the row and moves on.
    fn take(
        &mut self,
        start: usize,
        end: usize,
        next: usize,
        quoted: bool,
    ) -> Result<(), TableError> {
        let bytes = &self.window.bytes()[..next];
        let row = &mut self.row;
        row.number = self.next.row;
        row.line = self.next.line + if start == 0 { 0 } else { scan::line_ends(&bytes[..start]) };
        row.offset = self.next.offset + start as u64;
        // The standard library takes several times as long to check it.
        let text = UTF_8
            .decode_without_bom_handling_and_without_replacement(&bytes[start..end])
            .ok_or_else(|| TableError::Changed(self.layout.place(row.number, row.line)))?;
        row.raw.clear();
        row.raw.push_str(&text);
        row.text.clear();
        row.ended = terminator(&bytes[end..]);
        // Only quoted cells and JSON elements can hold line ends of their own.
        let inner = if quoted { scan::line_ends(&bytes[start..end]) } else { 0 };
        self.next = Position {
            row: row.number + 1,
            line: row.line + inner + scan::line_ends(&bytes[end..]),
            offset: self.next.offset + next as u64,
        };
        self.window.consume(next);
        Ok(())
    }

    /// Cells of a delimited record.
    fn cut(&mut self) -> Result<(), TableError> {
        let row = &mut self.row;
        row.cells.clear();
        for span in &self.spans {
            row.cells.push(match span.form {
                Form::Plain => Piece { start: span.start, end: span.end, rewritten: false },
                form => {
                    let start = row.text.len();
                    scan::unescape(&row.raw[span.start..span.end], form, &mut row.text);
                    Piece { start, end: row.text.len(), rewritten: true }
                }
            });
        }
        (row.missing, row.surplus, row.fault) = (0, None, None);
        let expected = self.layout.shape.headers.len();
        if row.cells.len() == expected { Ok(()) } else { self.fit(expected) }
    }

    /// Makes a ragged record as long as the header, if that is allowed.
    fn fit(&mut self, expected: usize) -> Result<(), TableError> {
        let row = &mut self.row;
        let cells = row.cells.len();
        match self.layout.shape.ragged {
            Ragged::Error => {
                let place = self.layout.place(row.number, row.line);
                return Err(TableError::Ragged { place, cells, expected });
            }
            Ragged::Pad => {}
            Ragged::Skip => row.fault = Some(RowFault { cells, expected }),
        }
        if cells > expected {
            // The surplus starts at the delimiter before its first cell.
            let first = self.spans[expected];
            let before = row.raw.as_bytes()[..first.start].iter();
            let delimiter = self.layout.shape.delimiter;
            row.surplus = before.rev().position(|b| *b == delimiter).map(|n| first.start - n - 1);
        }
        row.missing = expected.saturating_sub(cells);
        row.cells.resize(expected, Piece::default());
        Ok(())
    }

    /// Cells of a JSON record.
    fn parse(&mut self) -> Result<(), TableError> {
        let row = &mut self.row;
        json::cells(&row.raw, &self.layout.columns, &mut row.cells, &mut row.text).map_err(
            |error| {
                let place = self.layout.place(row.number, row.line);
                TableError::Json { place, reason: json_fault::reason(&row.raw, &error) }
            },
        )
    }
}

/// The terminator at the start of these bytes.
fn terminator(bytes: &[u8]) -> Option<Terminator> {
    match bytes {
        [b'\r', b'\n', ..] => Some(Terminator::CrLf),
        [b'\r', ..] => Some(Terminator::Cr),
        [b'\n', ..] => Some(Terminator::Lf),
        _ => None,
    }
}
