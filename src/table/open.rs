//! A table that has been opened: its shape and headers are known, its text is UTF-8.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decode::{self, Text};
use super::error::Place;
use super::half::Halves;
use super::json::{self, Columns};
use super::json_fault;
use super::row::Position;
use super::rows::{Layout, Rows, Window};
use super::scan::{self, Form, Found};
use super::shape::delimiter_byte;
use super::sniff::{self, Look};
use super::xlsx;
use super::{Encoding, Format, ReadOptions, Shape, TableError, Terminator};
#[cfg(feature = "xlsx")]
use crate::base::private_dir;

/// Bytes of text looked at for format and delimiter.
const SAMPLE: usize = 64 << 10;
/// More keys than this are data used as keys, and would be held in memory.
const MOST_KEYS: usize = 4096;
/// The columns that every request file has.
const REQUEST_COLUMNS: [&str; 4] = ["custom_id", "method", "url", "body"];

/// A table on disk, ready to be read any number of times.
#[derive(Debug, Clone)]
pub struct Table {
    layout: Arc<Layout>,
    notes: Vec<String>,
}

impl Table {
    /// Opens a table (`-` is standard input): finds out encoding, format and delimiter where the
    /// options do not say them, and reads the header. What is not a UTF-8 file is decoded once
    /// into `scratch/input.utf8`, which must stay as long as the table is used.
    ///
    /// JSON tables are read through once, since any object may bring a new key.
    pub fn open(path: &Path, options: &ReadOptions, scratch: &Path) -> Result<Self, TableError> {
        let bytes = decode::regular(path, scratch)?;
        if xlsx::is_workbook(&bytes) {
            return Self::workbook(path, &bytes, options, scratch);
        }
        let text = decode::text_of(path, &bytes, options.encoding.as_deref(), scratch)?;
        let opening = Opening { source: path, text: &text, options };
        let (layout, note) = opening.layout()?;
        let notes = text.note.into_iter().chain(note).collect();
        Ok(Self { layout: Arc::new(layout), notes })
    }

    #[cfg(feature = "xlsx")]
    fn workbook(
        source: &Path,
        bytes: &Path,
        options: &ReadOptions,
        scratch: &Path,
    ) -> Result<Self, TableError> {
        private_dir(scratch).map_err(|error| TableError::io("create", scratch, error))?;
        let path = scratch.join("input.utf8");
        let sheet = xlsx::read(source, bytes, options.sheet.as_deref(), &path)?;
        let text = Text { path, start: 0, encoding: Encoding::UTF_8, bom: false, note: None };
        let mut layout = Opening { source, text: &text, options }.base(Format::Xlsx);
        layout.shape.sheet = Some(sheet.name);
        let headers = read_header(&mut layout)?;
        layout.shape.headers = headers.ok_or_else(|| TableError::Empty(source.to_owned()))?;
        Ok(Self { layout: Arc::new(layout), notes: sheet.notes })
    }

    #[cfg(not(feature = "xlsx"))]
    fn workbook(source: &Path, _: &Path, _: &ReadOptions, _: &Path) -> Result<Self, TableError> {
        Err(TableError::NoWorkbooks(source.to_owned()))
    }

    /// Opens the UTF-8 text of a table that was opened before (the copy that a job keeps), without
    /// finding out anything anew. `source` is the name used in messages.
    pub fn reopen(source: &Path, text: &Path, shape: &Shape) -> Result<Self, TableError> {
        let mut head = [0; 3];
        let read = File::open(text).and_then(|mut file| file.read(&mut head));
        read.map_err(|error| TableError::io("open", text, error))?;
        let bom = head == Encoding::UTF_8.mark();
        let start = if bom { 3 } else { 0 };
        let mut layout = Layout {
            source: source.to_owned(),
            text: text.to_owned(),
            columns: Columns::new(if shape.format.is_delimited() { &[] } else { &shape.headers }),
            shape: shape.clone(),
            sep_line: String::new(),
            header: String::new(),
            data: Position { row: 0, line: 1, offset: start },
        };
        if shape.format.is_delimited() {
            let headers =
                read_header(&mut layout)?.ok_or_else(|| TableError::Empty(source.to_owned()))?;
            if headers != shape.headers {
                return Err(TableError::Changed(Place {
                    path: source.to_owned(),
                    row: None,
                    line: 1,
                }));
            }
        }
        Ok(Self { layout: Arc::new(layout), notes: Vec::new() })
    }

    /// The columns in order; duplicates and empty names are kept.
    pub fn headers(&self) -> &[String] {
        &self.layout.shape.headers
    }

    /// How the user's file is written.
    pub fn shape(&self) -> &Shape {
        &self.layout.shape
    }

    /// What was guessed about the file, as sentences for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The file as the user named it.
    pub fn source_path(&self) -> &Path {
        &self.layout.source
    }

    /// The UTF-8 text that all readings read: the user's file itself or its decoded copy.
    pub fn text_path(&self) -> &Path {
        &self.layout.text
    }

    /// The size of that text in bytes, for a progress bar over [`Position::offset`].
    pub fn text_bytes(&self) -> Result<u64, TableError> {
        let size = std::fs::metadata(&self.layout.text).map(|data| data.len());
        size.map_err(|error| TableError::io("read", &self.layout.text, error))
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Reads the data records from the first one on.
    pub fn rows(&self) -> Result<Rows, TableError> {
        Rows::open(Arc::clone(&self.layout), self.layout.data)
    }

    /// Reads on from a record seen before.
    pub fn rows_from(&self, position: Position) -> Result<Rows, TableError> {
        Rows::open(Arc::clone(&self.layout), position)
    }
}

/// The way from a text to a layout.
struct Opening<'a> {
    source: &'a Path,
    text: &'a Text,
    options: &'a ReadOptions,
}

impl Opening<'_> {
    fn layout(&self) -> Result<(Layout, Option<String>), TableError> {
        let (bytes, whole) = self.sample()?;
        let sample = valid_part(&bytes);
        if whole && sample.trim().is_empty() {
            return Err(TableError::Empty(self.source.to_owned()));
        }
        let format = self.format(sample)?;
        if format.is_delimited() {
            self.delimited(format, sample, whole)
        } else {
            self.json(format)
        }
    }

    fn sample(&self) -> Result<(Vec<u8>, bool), TableError> {
        let failed = |error| TableError::io("read", self.source, error);
        let mut file = File::open(&self.text.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.text.start)).map_err(failed)?;
        let mut bytes = Vec::with_capacity(SAMPLE);
        file.take(SAMPLE as u64).read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.len() < SAMPLE;
        Ok((bytes, whole))
    }

    /// The format: the user's word, then the name, then the content.
    fn format(&self, sample: &str) -> Result<Format, TableError> {
        if let Some(format) = self.options.format {
            return Ok(format);
        }
        // A workbook is known by its content; under its name there may be text all the same.
        let named = Format::from_name(self.source).filter(|format| *format != Format::Xlsx);
        if let Some(format) = named.filter(|format| format.is_delimited()) {
            return Ok(format);
        }
        match sniff::look(sample) {
            Look::Lines => Ok(Format::Jsonl),
            Look::Array => Ok(Format::Json),
            Look::Object => Err(TableError::NotATable {
                path: self.source.to_owned(),
                what: "a single JSON object".to_owned(),
                remedy: "write one object per line, or an array of objects".to_owned(),
            }),
            Look::Delimited => Ok(named.unwrap_or(Format::Csv)),
        }
    }

    fn base(&self, format: Format) -> Layout {
        let shape = Shape {
            format,
            encoding: self.text.encoding,
            bom: self.text.bom,
            delimiter: b',',
            terminator: Terminator::Lf,
            sep_line: false,
            sheet: None,
            ragged: self.options.ragged,
            headers: Vec::new(),
        };
        Layout {
            source: self.source.to_owned(),
            text: self.text.path.clone(),
            shape,
            columns: Columns::default(),
            sep_line: String::new(),
            header: String::new(),
            data: Position { row: 0, line: 1, offset: self.text.start },
        }
    }

    fn delimited(
        &self,
        format: Format,
        sample: &str,
        whole: bool,
    ) -> Result<(Layout, Option<String>), TableError> {
        let mut layout = self.base(format);
        let sep = sniff::sep_line(sample);
        layout.shape.sep_line = sep.is_some();
        let body = &sample.as_bytes()[sep.map_or(0, |(_, length)| length)..];
        let mut note = None;
        layout.shape.delimiter = match (self.options.delimiter, sep, format) {
            (Some(delimiter), ..) => delimiter_byte(delimiter)?,
            (None, Some((delimiter, _)), _) => delimiter,
            (None, None, Format::Tsv) => b'\t',
            (None, None, _) => {
                let guess = sniff::delimiter(body, whole);
                let shown =
                    if guess == b'\t' { "TAB".to_owned() } else { char::from(guess).to_string() };
                note = (guess != b',').then(|| format!("cells are separated by {shown}"));
                guess
            }
        };
        let headers = read_header(&mut layout)?;
        layout.shape.headers = headers.ok_or_else(|| TableError::Empty(self.source.to_owned()))?;
        Ok((layout, note))
    }

    /// Reads a JSON table through for its keys.
    fn json(&self, format: Format) -> Result<(Layout, Option<String>), TableError> {
        let mut layout = self.base(format);
        if format == Format::Requests {
            layout.columns = request_columns();
        }
        let guess = format == Format::Jsonl && self.options.format.is_none();
        let mut rows = Rows::open(Arc::new(self.base(format)), layout.data)?;
        let mut halves = Halves::default();
        while rows.advance()? {
            let row = rows.current();
            halves.look(row);
            let place =
                || Place { path: self.source.to_owned(), row: Some(row.number), line: row.line };
            if row.number == 0 {
                layout.shape.terminator = row.ended.unwrap_or_default();
                if guess && is_request(row.raw()) {
                    layout.shape.format = Format::Requests;
                    layout.columns = request_columns();
                }
            }
            json::collect_keys(row.raw(), &mut layout.columns).map_err(|error| {
                TableError::Json { place: place(), reason: json_fault::reason(row.raw(), &error) }
            })?;
            if layout.columns.names().len() > MOST_KEYS {
                let reason =
                    format!("more than {MOST_KEYS} different keys: are keys used as data?");
                return Err(TableError::Json { place: place(), reason });
            }
        }
        layout.shape.headers = layout.columns.names().to_vec();
        // Requests are sent as they stand.
        let is_asked = layout.shape.format != Format::Requests;
        Ok((layout, halves.note().filter(|_| is_asked)))
    }
}

fn request_columns() -> Columns {
    Columns::new(&REQUEST_COLUMNS.map(String::from))
}

/// Whether a line is a request with an id of its own.
fn is_request(raw: &str) -> bool {
    let mut keys = Columns::default();
    let read = !raw.starts_with('[') && json::collect_keys(raw, &mut keys).is_ok();
    read && ["custom_id", "body"].iter().all(|key| keys.names().iter().any(|name| name == key))
}

/// The part of a sample before a character that its end cuts through.
fn valid_part(bytes: &[u8]) -> &str {
    match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// Reads the header of a delimited table, sets its line end, and moves `data` behind it. `None`
/// if there is no record at all.
fn read_header(layout: &mut Layout) -> Result<Option<Vec<String>>, TableError> {
    let source: PathBuf = layout.source.clone();
    let failed = |error| TableError::io("read", &source, error);
    let mut window = Window::open(&layout.text, layout.data.offset).map_err(failed)?;
    let mut spans = Vec::new();
    if layout.shape.sep_line {
        window.fill().map_err(failed)?;
        let text = valid_part(window.bytes());
        let length = sniff::sep_line(text).map_or(0, |(_, length)| length);
        text[..length].clone_into(&mut layout.sep_line);
        window.consume(length);
        layout.data.line += 1;
        layout.data.offset += length as u64;
    }
    let place = |line| Place { path: source.clone(), row: None, line };
    loop {
        let bytes = window.bytes();
        match scan::record(bytes, window.is_last(), layout.shape.delimiter, &mut spans) {
            Found::Record { start, end, next, .. } => {
                let line = layout.data.line + scan::line_ends(&bytes[..start]);
                let raw = str::from_utf8(&bytes[start..end])
                    .map_err(|_| TableError::Changed(place(line)))?;
                raw.clone_into(&mut layout.header);
                layout.shape.terminator = match &bytes[end..next] {
                    b"\r\n" => Terminator::CrLf,
                    b"\r" => Terminator::Cr,
                    _ => Terminator::Lf,
                };
                layout.data.line += scan::line_ends(&bytes[..next]);
                layout.data.offset += next as u64;
                return Ok(Some(spans.iter().map(|span| header_name(raw, *span)).collect()));
            }
            Found::End => return Ok(None),
            Found::More => {
                if !window.fill().map_err(failed)? {
                    return Err(TableError::TooLong { place: place(layout.data.line), limit: 64 });
                }
            }
            Found::Unclosed { quote, cell } => {
                let line = layout.data.line + scan::line_ends(&bytes[..quote]);
                let (cell, column) = (cell + 1, String::new());
                return Err(TableError::UnclosedQuote { place: place(line), cell, column });
            }
        }
    }
}

fn header_name(raw: &str, span: scan::Span) -> String {
    let mut name = String::new();
    let form: Form = span.form;
    scan::unescape(&raw[span.start..span.end], form, &mut name);
    name
}
