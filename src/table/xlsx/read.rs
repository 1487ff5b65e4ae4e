//! Reads a sheet into text, cell by cell. Only the texts that cells share are held in memory.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use calamine::{Data, DataRef, Reader, Sheet as Named, SheetType, SheetVisible, Xlsx, XlsxError};

use super::Sheet;
use super::value::{DIGITS, Look, moment, number, span};
use crate::table::TableError;
use crate::table::cell::push_delimited;

/// Rows and columns of a sheet, by the format.
const MOST_ROWS: u32 = 1 << 20;
const MOST_COLUMNS: usize = 1 << 14;

type Workbook = Xlsx<BufReader<File>>;

/// Reads the sheet that is asked for, else the first that is not hidden, into `text`. `source` is
/// the name that messages use.
pub(in crate::table) fn read(
    source: &Path,
    file: &Path,
    asked: Option<&str>,
    text: &Path,
) -> Result<Sheet, TableError> {
    let failed = |error: XlsxError| wrong(source, &error);
    let bytes = File::open(file).map_err(|error| TableError::io("open", source, error))?;
    let mut workbook: Workbook = Xlsx::new(BufReader::new(bytes)).map_err(failed)?;
    let (name, others) = choose(source, workbook.sheets_metadata(), asked)?;
    let mut seen = Seen::default();
    // A row may be wider than the header: then its cells need columns, and the text is made anew.
    let mut width = 0;
    loop {
        seen = Seen { width: seen.width, ..Seen::default() };
        let out = File::create(text).map_err(|error| TableError::io("write", text, error))?;
        let mut out = BufWriter::with_capacity(1 << 18, out);
        let reader = workbook.worksheet_cells_reader(&name).map_err(failed)?;
        let looks = looks(reader.styles());
        let mut lines =
            Lines { out: &mut out, width, line: String::new(), next: 0, seen: &mut seen };
        fill(reader, &looks, &mut lines, (source, &name))?;
        width = lines.width;
        out.flush().map_err(|error| TableError::io("write", text, error))?;
        if seen.width <= width {
            break;
        }
        width = seen.width;
    }
    if width == 0 {
        return Err(TableError::EmptySheet { path: source.to_owned(), sheet: name, hint: others });
    }
    let mut notes = Vec::new();
    if !others.is_empty() {
        notes.push(format!("read sheet `{name}` of {}{others}", source.display()));
    }
    if seen.empty_cells > 0 {
        seen.unknown_results = unknown_results(&mut workbook, &name);
    }
    let merged = workbook.merge_cells_by_sheet_name(&name).unwrap_or_default();
    seen.tell(merged.len(), &mut notes);
    Ok(Sheet { name, notes })
}

/// The sheet to read, and what to say about the others.
fn choose(
    source: &Path,
    sheets: &[Named],
    asked: Option<&str>,
) -> Result<(String, String), TableError> {
    let tables: Vec<&Named> = sheets.iter().filter(|s| s.typ == SheetType::WorkSheet).collect();
    let list = |names: &[&Named]| {
        let names: Vec<String> = names.iter().map(|sheet| format!("`{}`", sheet.name)).collect();
        names.join(", ")
    };
    let Some(asked) = asked else {
        let shown = |sheet: &&&Named| sheet.visible == SheetVisible::Visible;
        let first = tables.iter().find(shown).or(tables.first());
        let Some(first) = first else {
            let (path, sheet) = (source.to_owned(), String::new());
            return Err(TableError::EmptySheet { path, sheet, hint: String::new() });
        };
        let others: Vec<&Named> =
            tables.iter().filter(|s| s.name != first.name).filter(shown).copied().collect();
        let others = match others.len() {
            0 => String::new(),
            _ => format!("; --sheet NAME takes another: {}", list(&others)),
        };
        return Ok((first.name.clone(), others));
    };
    let same = |sheet: &&&Named| sheet.name.trim().eq_ignore_ascii_case(asked.trim());
    let by_number =
        || asked.trim().parse::<usize>().ok()?.checked_sub(1).and_then(|n| tables.get(n));
    match tables.iter().find(same).or_else(by_number) {
        Some(sheet) => Ok((sheet.name.clone(), String::new())),
        None => Err(TableError::NoSheet {
            path: source.to_owned(),
            sheet: asked.to_owned(),
            sheets: list(&tables),
        }),
    }
}

fn looks(styles: &[calamine::Style]) -> Vec<Look> {
    let format =
        |style: &calamine::Style| style.number_format.as_ref().map(|f| Look::of(&f.format_code));
    styles.iter().map(|style| format(style).unwrap_or(Look::Plain)).collect()
}

/// What was met on the way.
#[derive(Debug, Default)]
struct Seen {
    /// Columns up to the last one with a value.
    width: usize,
    errors: u64,
    /// The first number with more digits than a spreadsheet keeps.
    long_number: Option<String>,
    /// Cells without a value, which may be formulas that nobody calculated.
    empty_cells: u64,
    unknown_results: u64,
}

impl Seen {
    fn tell(&self, merged: usize, notes: &mut Vec<String>) {
        if self.errors > 0 {
            notes.push(match self.errors {
                1 => "1 cell holds an error such as #N/A, read as that text".to_owned(),
                errors => format!("{errors} cells hold errors such as #N/A, read as these texts"),
            });
        }
        if let Some(number) = &self.long_number {
            notes.push(format!(
                "numbers with more than {DIGITS} digits lose their last ones in a spreadsheet \
                 (`{number}`): write such ids as text"
            ));
        }
        if self.unknown_results > 0 {
            notes.push(format!(
                "{} formulas have no stored result and are read as empty: open the workbook in \
                 Excel or LibreOffice and save it once",
                self.unknown_results
            ));
        }
        if merged > 0 {
            notes.push(format!(
                "{merged} merged area{}: only the first cell of each has its text, the others are \
                 read as empty",
                if merged == 1 { "" } else { "s" }
            ));
        }
    }
}

/// The text being made: one record for each row of the sheet, a blank line for an empty one, so
/// that lines count as the sheet's rows do as long as no cell has lines of its own.
struct Lines<'a, W> {
    out: &'a mut W,
    width: usize,
    line: String,
    /// The row of the sheet that comes next, from 0.
    next: u32,
    seen: &'a mut Seen,
}

fn fill<W: Write>(
    mut reader: calamine::XlsxCellReader<'_, BufReader<File>>,
    looks: &[Look],
    lines: &mut Lines<'_, W>,
    (source, sheet): (&Path, &str),
) -> Result<(), TableError> {
    let written =
        |result: std::io::Result<()>| result.map_err(|e| TableError::io("write", source, e));
    // The row being gathered and its cells so far.
    let (mut row, mut cells) = (0, 0);
    let mut last = None;
    while let Some((cell, style)) =
        reader.next_cell_with_style_id().map_err(|e| wrong(source, &e))?
    {
        let (at, column) = (cell.get_position().0, cell.get_position().1 as usize);
        if at >= MOST_ROWS || column >= MOST_COLUMNS {
            return Err(beyond(source, sheet, last));
        }
        last = Some((at, column));
        if at != row {
            written(lines.end(row, cells))?;
            (row, cells) = (at, 0);
        }
        if row < lines.next || column < cells {
            let reason = format!("the cells of row {} are out of order", at + 1);
            return Err(TableError::Workbook { path: source.to_owned(), reason });
        }
        let look = looks.get(style).copied().unwrap_or(Look::Plain);
        if lines.cell(cell.get_value(), look, column, cells) {
            cells = column + 1;
            lines.seen.width = lines.seen.width.max(cells);
        }
    }
    written(lines.end(row, cells))
}

impl<W: Write> Lines<'_, W> {
    /// Adds a value to the row that is being gathered, which has that many cells; says whether
    /// there was one.
    fn cell(&mut self, value: &DataRef<'_>, look: Look, column: usize, cells: usize) -> bool {
        let (text, bare) = match value {
            DataRef::Empty => {
                self.seen.empty_cells += 1;
                return false;
            }
            DataRef::String(text) | DataRef::DurationIso(text) => (text.as_str().into(), false),
            DataRef::SharedString(text) => ((*text).into(), false),
            DataRef::Float(value) => (self.number(*value, look).into(), true),
            DataRef::Int(value) => (value.to_string().into(), true),
            DataRef::Bool(value) => ((if *value { "TRUE" } else { "FALSE" }).into(), true),
            DataRef::DateTime(value) if value.is_duration() => (span(value.as_f64()).into(), true),
            DataRef::DateTime(value) if value.as_f64() >= 0.0 => {
                (moment(value.as_f64(), value.to_ymd_hms_milli(), look).into(), true)
            }
            DataRef::DateTime(value) => (number(value.as_f64()).into(), true),
            DataRef::DateTimeIso(text) => (text.replacen('T', " ", 1).into(), true),
            DataRef::Error(_) => {
                self.seen.errors += 1;
                (Data::from(value.clone()).to_string().into(), false)
            }
        };
        let text: std::borrow::Cow<'_, str> = text;
        if text.is_empty() {
            return false;
        }
        // Commas up to this column: one before it and one for each column passed over.
        let commas = if self.line.is_empty() && cells == 0 { column } else { column + 1 - cells };
        self.line.extend(std::iter::repeat_n(',', commas));
        if bare && !text.contains([',', '"', '\n', '\r']) {
            self.line.push_str(&text);
        } else {
            push_text(&text, &mut self.line);
        }
        true
    }

    fn number(&mut self, value: f64, look: Look) -> String {
        let text = look.text(value);
        if value.abs() >= 1e15 && value.fract() == 0.0 && self.seen.long_number.is_none() {
            self.seen.long_number = Some(text.clone());
        }
        text
    }

    /// Ends the row that was gathered, with blank lines before it for rows that are not there.
    fn end(&mut self, row: u32, cells: usize) -> std::io::Result<()> {
        if cells == 0 {
            return Ok(());
        }
        // The first row is the header; it says how many cells the others have.
        self.width = self.width.max(if self.next == 0 { cells } else { 0 });
        for _ in self.next..row {
            self.out.write_all(b"\n")?;
        }
        self.next = row + 1;
        self.line.extend(std::iter::repeat_n(',', self.width.saturating_sub(cells)));
        self.line.push('\n');
        let written = self.out.write_all(self.line.as_bytes());
        self.line.clear();
        written
    }
}

/// A cell whose reference is none. It is named by the one before it: the number that its own
/// became may have wrapped around.
fn beyond(source: &Path, sheet: &str, last: Option<(u32, usize)>) -> TableError {
    let cell = last.map_or_else(
        || "the first cell".to_owned(),
        |(row, column)| format!("the cell after {}{}", letters(column), row + 1),
    );
    let reason = format!(
        "sheet `{sheet}`: {cell} lies beyond XFD1048576, the last cell that a sheet has: is the \
         file damaged? open it in Excel and save it again"
    );
    TableError::Workbook { path: source.to_owned(), reason }
}

/// What a column of a sheet is called: A, B, and so on, AA behind Z.
fn letters(column: usize) -> String {
    let digit = char::from(b'A' + u8::try_from(column % 26).unwrap_or_default());
    let before = if column < 26 { String::new() } else { letters(column / 26 - 1) };
    before + &digit.to_string()
}

/// A text in quotes, whether it needs them or not.
fn push_text(text: &str, line: &mut String) {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    push_delimited(text, b',', false, &mut bytes);
    let quoted = bytes.first() == Some(&b'"');
    if !quoted {
        line.push('"');
    }
    line.push_str(&String::from_utf8_lossy(&bytes));
    if !quoted {
        line.push('"');
    }
}

/// How many formulas have no stored result. A count for a warning: what cannot be read ends it.
fn unknown_results(workbook: &mut Workbook, name: &str) -> u64 {
    let Ok(mut reader) = workbook.worksheet_cells_reader(name) else { return 0 };
    let mut count = 0;
    while let Ok(Some(cell)) = reader.next_cell_with_formula_metadata() {
        count += u64::from(cell.formula.is_some() && cell.value == DataRef::Empty);
    }
    count
}

fn wrong(source: &Path, error: &XlsxError) -> TableError {
    let path = source.to_owned();
    match error {
        XlsxError::Password => TableError::Workbook {
            path,
            reason: "it is protected by a password: save a copy without one".to_owned(),
        },
        error => TableError::Workbook {
            path,
            reason: format!("{error}: is the file complete? open it in Excel and save it again"),
        },
    }
}
