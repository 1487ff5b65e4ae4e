//! Makes a workbook of the text that [`super::read`] makes of one, row by row through files.
//! Texts are written as strings only: nothing that a model wrote can become a formula.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::value::{Value, value};
use crate::table::scan::{self, Form, Found, Span};

/// What a sheet can hold, header included.
const MOST_ROWS: u32 = 1_048_576;
/// What one cell can hold, in UTF-16 units.
const MOST_TEXT: usize = 32_767;
/// What is left of a longer text, so that the remark after it fits.
const KEPT_TEXT: usize = 32_000;

/// What was made.
#[derive(Debug, Default)]
pub(in crate::table) struct Made {
    /// Texts too long for a cell.
    pub(in crate::table) long_texts: u64,
    /// Sheets that the rows needed.
    pub(in crate::table) sheets: u32,
}

/// Writes the records of a text into a workbook file, and the texts that are too long for a cell
/// as JSON lines into the second one, which will have the name `whole`.
pub(in crate::table) fn write(
    text: &mut File,
    sheet: &str,
    whole: &Path,
    files: (&mut File, &mut dyn Write),
) -> io::Result<Made> {
    write_up_to(MOST_ROWS, text, (sheet, whole), files)
}

/// The same, with sheets of so many rows.
pub(super) fn write_up_to(
    most_rows: u32,
    text: &mut File,
    (sheet, whole): (&str, &Path),
    (target, long): (&mut File, &mut dyn Write),
) -> io::Result<Made> {
    let mut sheets = Sheets {
        workbook: Workbook::new(),
        name: sheet.to_owned(),
        formats: Vec::new(),
        header: Vec::new(),
        most_rows,
        row: most_rows,
        made: Made::default(),
        long: Vec::new(),
        whole: whole.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    // The same rows give the same bytes, whenever they are written.
    let fixed = ExcelDateTime::from_ymd(2020, 1, 1).map_err(io::Error::other)?;
    sheets.workbook.set_properties(&DocProperties::new().set_creation_datetime(&fixed));
    text.rewind()?;
    let mut records = Records { text, buffer: vec![0; 1 << 18], start: 0, end: 0, last: false };
    let mut cells = Vec::new();
    while records.next(&mut cells)? {
        sheets.record(&cells).map_err(io::Error::other)?;
        for (column, text) in std::mem::take(&mut sheets.long) {
            let name = sheets.header.get(column).map_or("", |(name, _)| name);
            let line = serde_json::json!({
                "sheet": sheets.made.sheets, "row": sheets.row, "column": name, "text": text,
            });
            writeln!(long, "{line}")?;
        }
    }
    sheets.workbook.save_to_writer(target).map_err(io::Error::other)?;
    Ok(sheets.made)
}

/// A cell of the text: what it says, and whether it stood in quotes.
type Cell = (String, bool);

struct Sheets {
    workbook: Workbook,
    name: String,
    /// Number formats already made: the workbook keeps one for each look.
    formats: Vec<(String, Format)>,
    header: Vec<Cell>,
    most_rows: u32,
    /// The row to write next.
    row: u32,
    made: Made,
    /// The texts of the last record that were too long, with their columns.
    long: Vec<(usize, String)>,
    whole: String,
}

impl Sheets {
    fn record(&mut self, cells: &[Cell]) -> Result<(), XlsxError> {
        if self.row == self.most_rows {
            let sheet = self.workbook.add_worksheet_with_constant_memory()?;
            self.made.sheets += 1;
            let name = match self.made.sheets {
                1 => self.name.clone(),
                number => format!("{} {number}", self.name.chars().take(26).collect::<String>()),
            };
            // A name that the format does not allow came from no workbook: the default stays.
            let _ = sheet.set_name(name);
            sheet.set_freeze_panes(1, 0)?;
            self.row = 0;
            if self.made.sheets > 1 {
                let header = self.header.clone();
                self.cells(&header)?;
            } else {
                self.header = cells.to_vec();
            }
        }
        self.cells(cells)
    }

    fn cells(&mut self, cells: &[Cell]) -> Result<(), XlsxError> {
        let last = self.workbook.worksheets().len() - 1;
        let sheet = self.workbook.worksheet_from_index(last)?;
        for (column, (text, quoted)) in cells.iter().enumerate() {
            let column = u16::try_from(column).map_err(|_| XlsxError::RowColumnLimitError)?;
            let written = if *quoted { Value::Text(text) } else { value(text) };
            let place = (self.row, column);
            match written {
                Value::Empty | Value::Text("") => {}
                Value::Text(text) => {
                    if put_text(sheet, place, text, &self.whole)? {
                        self.made.long_texts += 1;
                        self.long.push((usize::from(column), text.to_owned()));
                    }
                }
                Value::Bool(value) => drop(sheet.write_boolean(place.0, place.1, value)?),
                Value::Number(number, look) => {
                    put_number(sheet, place, number, &look, &mut self.formats)?;
                }
                Value::Date(date, millis) => {
                    put_date(sheet, place, text, (date, millis), &mut self.formats)?;
                }
            }
        }
        self.row += 1;
        Ok(())
    }
}

type At = (u32, u16);

/// Writes a text; says whether it was too long.
fn put_text(sheet: &mut Worksheet, at: At, text: &str, whole: &str) -> Result<bool, XlsxError> {
    let units = text.encode_utf16().count();
    if units <= MOST_TEXT {
        sheet.write_string(at.0, at.1, text)?;
        return Ok(false);
    }
    let mut kept = 0;
    let fits = |character: &char| {
        kept += character.len_utf16();
        kept <= KEPT_TEXT
    };
    let mut start: String = text.chars().take_while(fits).collect();
    start.push_str(&format!(" … [{units} characters: the whole text is in {whole}]"));
    sheet.write_string(at.0, at.1, start)?;
    Ok(true)
}

fn put_number(
    sheet: &mut Worksheet,
    at: At,
    number: f64,
    look: &str,
    formats: &mut Vec<(String, Format)>,
) -> Result<(), XlsxError> {
    if look.is_empty() {
        sheet.write_number(at.0, at.1, number)?;
    } else {
        sheet.write_number_with_format(at.0, at.1, number, format(formats, look))?;
    }
    Ok(())
}

fn put_date(
    sheet: &mut Worksheet,
    at: At,
    text: &str,
    ((year, month, day), millis): ((u16, u8, u8), u32),
    formats: &mut Vec<(String, Format)>,
) -> Result<(), XlsxError> {
    // A day that no calendar has (Excel's 29 February 1900) stays the text it is.
    let Ok(date) = ExcelDateTime::from_ymd(year, month, day) else {
        sheet.write_string(at.0, at.1, text)?;
        return Ok(());
    };
    let look = match (millis, millis % 1000) {
        (0, _) if !text.contains(' ') => "yyyy-mm-dd",
        (_, 0) => "yyyy-mm-dd hh:mm:ss",
        _ => "yyyy-mm-dd hh:mm:ss.000",
    };
    let number = date.to_excel() + f64::from(millis) / 86_400_000.0;
    put_number(sheet, at, number, look, formats)
}

fn format<'a>(formats: &'a mut Vec<(String, Format)>, look: &str) -> &'a Format {
    let at = formats.iter().position(|(known, _)| known == look).unwrap_or_else(|| {
        formats.push((look.to_owned(), Format::new().set_num_format(look)));
        formats.len() - 1
    });
    &formats[at].1
}

/// The records of a text, a piece at a time.
struct Records<'a> {
    text: &'a mut File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    last: bool,
}

impl Records<'_> {
    /// The next record's cells; `false` after the last one.
    fn next(&mut self, cells: &mut Vec<Cell>) -> io::Result<bool> {
        let mut spans = Vec::new();
        loop {
            let bytes = &self.buffer[self.start..self.end];
            match scan::record(bytes, self.last, b',', &mut spans) {
                Found::Record { start, end, next, .. } => {
                    let raw = str::from_utf8(&bytes[start..end]).map_err(io::Error::other)?;
                    cells.clear();
                    cells.extend(spans.iter().map(|span| cell(raw, span)));
                    self.start += next;
                    return Ok(true);
                }
                Found::End => return Ok(false),
                Found::Unclosed { .. } => {
                    return Err(io::Error::other("the table's own text ends inside a quote"));
                }
                Found::More => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        let read = self.text.read(&mut self.buffer[self.end..])?;
        self.last = read == 0;
        self.end += read;
        Ok(())
    }
}

fn cell(raw: &str, span: &Span) -> Cell {
    let mut text = String::new();
    scan::unescape(&raw[span.start..span.end], span.form, &mut text);
    let quoted = match span.form {
        Form::Plain => span.start > 0 && raw.as_bytes()[span.start - 1] == b'"',
        Form::Doubled | Form::Mixed => true,
    };
    (text, quoted)
}
