//! Everything that can be wrong with a table, with the place and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where in a table something is wrong: the file, the record and its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the user named it (`-` for standard input).
    pub path: PathBuf,
    /// The data record, counted from 0; `None` stands for the header.
    pub row: Option<u64>,
    /// The line on which the record starts, counted from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.row {
            Some(row) => write!(f, "{path}: row {row} (line {})", self.line),
            None => write!(f, "{path}: header (line {})", self.line),
        }
    }
}

/// Why a table could not be opened, read, selected from or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The system refused something.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried, as a verb: `open`, `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing in the file, not even a header.
    #[error("{path} is empty: a table starts with a header line", path = .0.display())]
    Empty(PathBuf),
    /// The file is something else than text that forms a table.
    #[error("{path} is {what}, not a table: {remedy}", path = path.display())]
    NotATable {
        /// The file.
        path: PathBuf,
        /// What it seems to be, with its article.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A workbook that cannot be read.
    #[error("{path} cannot be read as a workbook: {reason}", path = path.display())]
    Workbook {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No sheet has this name or number.
    #[error("{path} has no sheet `{sheet}`: it has {sheets}", path = path.display())]
    NoSheet {
        /// The file.
        path: PathBuf,
        /// The sheet that was asked for.
        sheet: String,
        /// Those there are.
        sheets: String,
    },
    /// A sheet without a single value.
    #[error("{path}: sheet `{sheet}` is empty: a table starts with a header row{hint}", path = path.display())]
    EmptySheet {
        /// The file.
        path: PathBuf,
        /// The sheet.
        sheet: String,
        /// The other sheets, as a continuation of the sentence.
        hint: String,
    },
    /// A program built without workbooks was asked for one.
    #[error("{path}: this build of batchctl has no .xlsx: use CSV (\"CSV UTF-8\" in Excel)", path = .0.display())]
    NoWorkbooks(PathBuf),
    /// A zero byte in text: binary, or UTF-16 without its mark.
    #[error("{path}: line {line} contains a NUL byte: {remedy}", path = path.display())]
    Nul {
        /// The file.
        path: PathBuf,
        /// The line, counted by line feeds, from 1.
        line: u64,
        /// What to do.
        remedy: String,
    },
    /// The bytes are not text in the encoding that was asked for or found.
    #[error("{path}: line {line} is not {encoding} text: {remedy}", path = path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The line with the first wrong byte, from 1.
        line: u64,
        /// The encoding's name.
        encoding: String,
        /// What to do.
        remedy: String,
    },
    /// The bytes can be read in two ways and neither is surely right.
    #[error(
        "{path}: line {line} is not UTF-8 and may be read in two ways: `{chinese}` with --encoding \
         gb18030, `{western}` with --encoding latin1: add the right one, or save the table as UTF-8",
        path = path.display()
    )]
    Doubtful {
        /// The file.
        path: PathBuf,
        /// The line the samples are from, from 1.
        line: u64,
        /// The sample read as GB18030.
        chinese: String,
        /// The sample read as Latin-1.
        western: String,
    },
    /// No encoding has this name.
    #[error("unknown encoding `{0}`: try utf-8, gb18030, gbk, utf-16le, big5, shift_jis or latin1")]
    UnknownEncoding(String),
    /// This character cannot separate cells.
    #[error(
        "`{}` cannot be a delimiter: use one ASCII character other than a quote, such as , ; or |",
        .0.escape_default()
    )]
    BadDelimiter(char),
    /// A quote was opened and the file ended.
    #[error(
        "{place}: the quote that opens cell {cell}{column} is never closed: write \"\" for a quote \
         inside a quoted cell, or remove it"
    )]
    UnclosedQuote {
        /// The record in which the quote was opened and the line of the quote itself.
        place: Place,
        /// The cell, from 1.
        cell: usize,
        /// The column's name in brackets, or nothing.
        column: String,
    },
    /// More or fewer cells than the header has.
    #[error(
        "{place} has {cells} cell{} where the header has {expected}: check its quotes and \
         delimiters, or use --set ragged=pad or --set ragged=skip",
        if *cells == 1 { "" } else { "s" }
    )]
    Ragged {
        /// The record.
        place: Place,
        /// Cells found.
        cells: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// A record that no sane table has.
    #[error("{place} is longer than {limit} MiB: is a quote or bracket left open there?")]
    TooLong {
        /// The record.
        place: Place,
        /// The limit in MiB.
        limit: usize,
    },
    /// A record that is not the JSON it should be.
    #[error("{place}: {reason}")]
    Json {
        /// The record.
        place: Place,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The file was edited between two readings.
    #[error("{0} is no longer valid text: was the file changed while it was being read?")]
    Changed(Place),
    /// A condition names a column that the table does not have.
    #[error("no column `{column}`{hint}")]
    UnknownColumn {
        /// The name as given.
        column: String,
        /// The nearest header, or the list of them, as a continuation of the sentence.
        hint: String,
    },
    /// A condition names a column that the table has twice.
    #[error("column `{0}` occurs more than once: rename one of them in the header")]
    AmbiguousColumn(String),
    /// The column that is to be filled is none that the answers have.
    #[error(
        "the answers have no column `{column}` that could be filled: they have {added}; name one \
         of --json-fields after it"
    )]
    NothingToFill {
        /// The column of the table.
        column: String,
        /// The answers' columns.
        added: String,
    },
    /// A condition that is not of a known form.
    #[error(
        "cannot read the condition `{0}`: write column=value, column!=value, column in (a, b) or \
         column not in (a, b)"
    )]
    BadCondition(String),
    /// A range that holds nothing by its own numbers.
    #[error(
        "--start-row {start} is not before --end-row {end} (rows count from 0, the end is not included)"
    )]
    BadRange {
        /// First row asked for.
        start: u64,
        /// First row no longer asked for.
        end: u64,
    },
}

impl TableError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether the reader of our output went away, which is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}
