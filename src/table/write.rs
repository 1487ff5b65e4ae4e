//! Writes a table with added columns: atomically, in the user's own dialect, in memory that does
//! not grow with the rows.

mod keeper;
mod workbook;

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::emit::{Choices, Emit};
use super::encode::{Encode, EncodeError, beyond_gbk};
use super::shape::delimiter_byte;
use super::{Encoding, Format, Row, Table, TableError};
use crate::base::AtomicFile;

pub use keeper::Keeper;

/// Bytes gathered before they are hashed and handed on: blake3 is several times faster on large
/// pieces than on rows.
const GATHERED: usize = 1 << 18;

/// Where a table goes.
pub enum Target {
    /// A file, which appears under its name only when it is complete.
    Path(PathBuf),
    /// Standard output.
    Stdout,
    /// Anywhere else.
    Stream(Box<dyn Write + Send>),
}

/// How a table is written; what is `None` is as in the input.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The format.
    pub format: Format,
    /// A label such as `gbk`.
    pub encoding: Option<String>,
    /// Whether a byte order mark comes first.
    pub bom: Option<bool>,
    /// What separates cells.
    pub delimiter: Option<char>,
    /// Whether the row's number becomes the first column, `row_index`.
    pub row_index: bool,
    /// Whether texts of models may start as formulas do (the setting `csv_raw`).
    pub raw_formulas: bool,
    /// The place of a column of the table that the added column of its name is written into,
    /// where that says something.
    pub fill: Option<usize>,
}

impl WriteOptions {
    /// Everything as in the input, except the format if the output's name promises another.
    pub fn like(table: &Table, output: Option<&Path>) -> Self {
        let named = output.and_then(Format::from_name);
        let format = Format::of_output(named, table.shape().format);
        // Lines of requests stay what they are under a name that promises JSONL.
        let format = match (format, table.shape().format) {
            (Format::Jsonl, Format::Requests) => Format::Requests,
            (format, _) => format,
        };
        Self {
            format,
            encoding: None,
            bom: None,
            delimiter: None,
            row_index: false,
            raw_formulas: false,
            fill: None,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file, or `-` for a stream.
    pub path: PathBuf,
    /// What the user should know about it.
    pub notes: Vec<String>,
    /// The blake3 digest of its bytes, as 64 hex digits.
    pub digest: String,
}

/// A table being written. Dropped before [`Writer::finish`], it leaves a file that was there
/// before untouched.
#[derive(Debug)]
pub struct Writer {
    emit: Emit,
    buffer: Vec<u8>,
    store: Store,
    path: PathBuf,
    encoding: Encoding,
    bom: bool,
    /// Whether the user's own characters may take four bytes in GB18030, as they did.
    four_bytes: bool,
    /// The sheet's name, for a workbook.
    sheet: Option<String>,
    /// An added character that the encoding does not have.
    lacking: Option<char>,
    /// Cells of the table that got an answer.
    filled: u64,
    notes: Vec<String>,
}

#[derive(Debug)]
enum Store {
    /// UTF-8 goes straight to its place.
    Direct(Box<Sink>),
    /// Anything else is written as UTF-8 first; a file without a name, which no crash leaves.
    Spool { text: BufWriter<File>, target: Target },
}

impl Writer {
    /// Begins a table. A new column whose name the table has gets the suffix `_batchctl`.
    pub fn create(
        target: Target,
        table: &Table,
        new_columns: &[String],
        options: &WriteOptions,
    ) -> Result<Self, TableError> {
        let layout = table.layout();
        let shape = &layout.shape;
        let from_same_kind = shape.format.is_delimited() || !options.format.is_delimited();
        let choices = Choices {
            format: options.format,
            delimiter: delimiter(table, options)?,
            row_index: options.row_index,
            raw_formulas: options.raw_formulas,
            fill: options.fill,
        };
        let emit = Emit::new(layout, new_columns, &choices);
        if let Some(column) = options.fill.filter(|_| emit.fill().is_none()) {
            return Err(TableError::NothingToFill {
                column: shape.headers[column].clone(),
                added: new_columns.join(", "),
            });
        }
        let becomes_json = shape.format.is_delimited() && !options.format.is_delimited();
        let encoding = match &options.encoding {
            Some(label) => Encoding::for_label(label)?,
            // JSON is UTF-8, whatever the table it is made of was.
            None if becomes_json => Encoding::UTF_8,
            None if options.format == Format::Xlsx => Encoding::UTF_8,
            None => shape.encoding,
        };
        let kept = encoding == shape.encoding && from_same_kind && !becomes_json;
        // Who has a workbook has Excel, which needs the mark to see UTF-8.
        let from_workbook = shape.format == Format::Xlsx && !becomes_json;
        let like_input = if kept { shape.bom } else { encoding.is_utf16() };
        let bom = options.bom.unwrap_or(like_input || from_workbook);
        let path = target.path().to_owned();
        let failed = |error| TableError::io("write", &path, error);
        let store = if encoding.is_utf8() && options.format != Format::Xlsx {
            let mut sink = Sink::create(target)?;
            sink.begin(encoding, bom).map_err(failed)?;
            Store::Direct(Box::new(sink))
        } else {
            let text = target.spool().map_err(failed)?;
            Store::Spool { text: BufWriter::with_capacity(GATHERED, text), target }
        };
        let mut writer = Self {
            four_bytes: emit.is_same() && encoding.is_chinese() && shape.encoding.is_chinese(),
            emit,
            buffer: Vec::with_capacity(GATHERED * 2),
            store,
            path,
            encoding,
            bom,
            sheet: (options.format == Format::Xlsx)
                .then(|| shape.sheet.clone().unwrap_or_else(|| "Sheet1".to_owned())),
            lacking: None,
            filled: 0,
            notes: Vec::new(),
        };
        writer.note_renamed(new_columns);
        writer.emit.head(layout, &mut writer.buffer);
        Ok(writer)
    }

    /// The final names of the added columns, in order.
    pub fn columns(&self) -> &[String] {
        self.emit.added()
    }

    /// How many cells of the column that is filled got an answer so far.
    pub fn filled(&self) -> u64 {
        self.filled
    }

    /// Writes a row with one cell for each added column.
    pub fn write(&mut self, row: &Row, added: &[Cell<'_>]) -> Result<(), TableError> {
        debug_assert_eq!(added.len(), self.columns().len());
        if self.four_bytes && self.lacking.is_none() {
            self.lacking = added.iter().find_map(|cell| beyond_gbk(&self.emit.says(*cell)));
        }
        self.filled += u64::from(self.emit.fills(added));
        self.emit.record(row, added, &mut self.buffer);
        if self.buffer.len() >= GATHERED { self.pass_on() } else { Ok(()) }
    }

    /// Completes the table: encodes it where it is not UTF-8, and gives it its name.
    pub fn finish(self) -> Result<Written, TableError> {
        self.finish_for(&())
    }

    /// The same; the keeper is told the digest when all is written and the name not yet given, so
    /// that a ledger can know the table before anybody sees it. Its error keeps the old table.
    pub fn finish_for(mut self, keeper: &dyn Keeper) -> Result<Written, TableError> {
        self.emit.tail(&mut self.buffer);
        self.pass_on()?;
        let failed = |error| TableError::io("write", &self.path, error);
        let digest = match self.store {
            Store::Direct(sink) => sink.commit(keeper).map_err(failed)?,
            Store::Spool { text, target } => {
                let mut text = text.into_inner().map_err(|e| failed(e.into_error()))?;
                if let Some(sheet) = &self.sheet {
                    let made = workbook::workbook(&mut text, sheet, target, keeper)?;
                    self.notes.extend(made.1);
                    let digest = made.0.commit(keeper).map_err(failed)?;
                    return Ok(Written { path: self.path, notes: self.notes, digest });
                }
                let encode = || Encode::new(self.encoding, self.four_bytes);
                let lacking = match self.lacking {
                    Some(character) => Some(character),
                    None => first_lacking(&mut text, encode()).map_err(failed)?,
                };
                let (encode, bom) = match lacking {
                    Some(character) => {
                        self.notes.push(switched(&self.path, self.encoding, character));
                        (Encode::new(Encoding::UTF_8, false), true)
                    }
                    None => (encode(), self.bom),
                };
                let encoding = if lacking.is_some() { Encoding::UTF_8 } else { self.encoding };
                let mut sink = Sink::create(target)?;
                sink.begin(encoding, bom).map_err(failed)?;
                text.rewind().map_err(failed)?;
                match encode.all(&mut text, |bytes| sink.push(bytes)) {
                    Ok(()) => {}
                    Err(EncodeError::Io(error)) => return Err(failed(error)),
                    Err(EncodeError::Lacks(_)) => unreachable!("looked for just before"),
                }
                sink.commit(keeper).map_err(failed)?
            }
        };
        Ok(Written { path: self.path, notes: self.notes, digest })
    }

    fn pass_on(&mut self) -> Result<(), TableError> {
        let passed = match &mut self.store {
            Store::Direct(sink) => sink.push(&self.buffer),
            Store::Spool { text, .. } => text.write_all(&self.buffer),
        };
        self.buffer.clear();
        passed.map_err(|error| TableError::io("write", &self.path, error))
    }

    fn note_renamed(&mut self, asked: &[String]) {
        let renamed = asked.iter().zip(self.emit.added()).filter(|(asked, got)| asked != got);
        let renamed: Vec<String> =
            renamed.map(|(asked, got)| format!("`{asked}` is written as `{got}`")).collect();
        if !renamed.is_empty() {
            self.notes.push(format!("the table has the column already: {}", renamed.join(", ")));
        }
    }
}

/// What separates cells in the output.
fn delimiter(table: &Table, options: &WriteOptions) -> Result<u8, TableError> {
    let shape = table.shape();
    match (options.delimiter, options.format) {
        (_, Format::Xlsx) => Ok(b','),
        (Some(delimiter), _) => delimiter_byte(delimiter),
        (None, format) if format == shape.format => Ok(shape.delimiter),
        (None, Format::Tsv) => Ok(b'\t'),
        (None, _) => Ok(b','),
    }
}

/// The first character of a text that an encoding does not have.
fn first_lacking(text: &mut File, encode: Encode) -> io::Result<Option<char>> {
    text.rewind()?;
    match encode.all(text, |_| Ok(())) {
        Ok(()) => Ok(None),
        Err(EncodeError::Lacks(character)) => Ok(Some(character)),
        Err(EncodeError::Io(error)) => Err(error),
    }
}

fn switched(path: &Path, encoding: Encoding, character: char) -> String {
    let name = if encoding.is_chinese() { "GBK" } else { encoding.name() };
    format!(
        "{} is written as UTF-8 with BOM, which Excel opens: {name} has no `{character}`",
        path.display()
    )
}

impl Target {
    fn path(&self) -> &Path {
        match self {
            Self::Path(path) => path,
            Self::Stdout | Self::Stream(_) => Path::new("-"),
        }
    }

    /// A nameless file to write to first, on the file system of the target.
    fn spool(&self) -> io::Result<File> {
        match self {
            Self::Path(path) => match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => tempfile::tempfile_in(folder),
                _ => tempfile::tempfile_in("."),
            },
            Self::Stdout | Self::Stream(_) => tempfile::tempfile(),
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.path()).finish()
    }
}

/// The final bytes on their way, hashed.
struct Sink {
    end: End,
    hasher: blake3::Hasher,
}

enum End {
    File(AtomicFile, PathBuf),
    Stream(Box<dyn Write + Send>),
}

impl Sink {
    fn create(target: Target) -> Result<Self, TableError> {
        let end = match target {
            Target::Path(path) => {
                let file = AtomicFile::create(&path);
                let file = file.map_err(|error| TableError::io("create", &path, error))?;
                End::File(file, path)
            }
            Target::Stdout => End::Stream(Box::new(io::stdout())),
            Target::Stream(stream) => End::Stream(stream),
        };
        Ok(Self { end, hasher: blake3::Hasher::new() })
    }

    fn begin(&mut self, encoding: Encoding, bom: bool) -> io::Result<()> {
        if bom { self.push(encoding.mark()) } else { Ok(()) }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        match &mut self.end {
            End::File(file, _) => file.write_all(bytes),
            End::Stream(stream) => stream.write_all(bytes),
        }
    }

    fn commit(self, keeper: &dyn Keeper) -> io::Result<String> {
        let digest = self.hasher.finalize().to_hex().to_string();
        match self.end {
            End::File(file, path) => {
                keeper.before(&path, &digest)?;
                file.commit()?;
                keeper.after(&path, &digest)?;
            }
            End::Stream(mut stream) => stream.flush()?,
        }
        Ok(digest)
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}
