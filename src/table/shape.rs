//! How a table is written: format, encoding, delimiter, line ends. A job stores this, so that
//! its output can look like its input.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Encoding, TableError};

/// The kinds of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Cells separated by a delimiter, quoted where needed.
    Csv,
    /// The same with tabs.
    Tsv,
    /// One JSON object (or message array) a line.
    Jsonl,
    /// One JSON array of objects or of message arrays.
    Json,
    /// A sheet of an Excel workbook.
    Xlsx,
    /// JSONL whose lines are requests already: `custom_id` and `body`.
    Requests,
}

impl Format {
    /// The format that a file's name promises, if it promises one.
    pub fn from_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "xlsx" | "xlsm" => Some(Self::Xlsx),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// What a table becomes under a name: what the name promises, else what it was; but a workbook
    /// under a name that says nothing, or on standard output, becomes CSV.
    pub fn of_output(named: Option<Self>, input: Self) -> Self {
        match (named, input) {
            (Some(named), _) => named,
            (None, Self::Xlsx) => Self::Csv,
            (None, input) => input,
        }
    }

    /// Whether the text that is read has cells between delimiters, not JSON; so has what a
    /// workbook's sheet becomes.
    pub fn is_delimited(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Xlsx)
    }
}

/// What ends a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terminator {
    /// Line feed.
    #[default]
    Lf,
    /// Carriage return and line feed.
    CrLf,
    /// A lone carriage return, as old Macintosh programs write.
    Cr,
}

impl Terminator {
    /// The characters themselves.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Cr => "\r",
        }
    }
}

/// How the user's file is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// What kind of table.
    pub format: Format,
    /// How its characters are written.
    pub encoding: Encoding,
    /// Whether it starts with a byte order mark.
    pub bom: bool,
    /// What separates cells; `,` for JSON formats, where it is not used in reading.
    pub delimiter: u8,
    /// What ends the header, and so every record that is added.
    pub terminator: Terminator,
    /// Excel's first line `sep=;`, which is no record and is copied to the output.
    pub sep_line: bool,
    /// What to do about records with too few or too many cells.
    pub ragged: Ragged,
    /// The sheet of a workbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The columns in order, duplicates and empty names included.
    pub headers: Vec<String>,
}

/// What to do about records with too few or too many cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ragged {
    /// Stop and name the record.
    #[default]
    Error,
    /// Absent cells are empty; surplus cells are kept at the end of the record, unused.
    Pad,
    /// The record is read but [`super::Row::fault`] says why it should not be asked about.
    Skip,
}

/// What the user said about the input; the rest is found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOptions {
    /// A label such as `gbk`, `latin1`, `utf-16le`.
    pub encoding: Option<String>,
    /// What separates cells.
    pub delimiter: Option<char>,
    /// What to do about records with too few or too many cells.
    pub ragged: Ragged,
    /// The sheet of a workbook, by name or by number from 1; else the first that is not hidden.
    #[serde(default)]
    pub sheet: Option<String>,
    /// The format, if neither name nor content should decide.
    pub format: Option<Format>,
}

/// The delimiter as a byte, if it can be one.
pub(super) fn delimiter_byte(delimiter: char) -> Result<u8, TableError> {
    match u8::try_from(delimiter) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Ok(byte),
        _ => Err(TableError::BadDelimiter(delimiter)),
    }
}
