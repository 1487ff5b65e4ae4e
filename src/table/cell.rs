//! How one added cell is written: quoted where needed, and harmless when Excel opens it.

use std::borrow::Cow;

use serde_json::Value;

use super::xlsx::value::{is_plain_number, with_exponent};

/// One cell of an added column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: an empty cell, `null` in JSON.
    Empty,
    /// A word of ours (status, id, number): written as it is.
    Ours(&'a str),
    /// Text that a model wrote: kept from being run as a formula in CSV and TSV.
    Model(&'a str),
    /// A value that a model gave: text in CSV and TSV (JSON text for arrays and objects), native
    /// in JSON.
    Json(&'a Value),
}

impl Cell<'_> {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty | Self::Json(Value::Null) | Self::Ours("") | Self::Model(""))
    }
}

/// What an added cell says in a delimited table. `raw_formulas` turns the protection off.
pub(super) fn text(cell: Cell<'_>, raw_formulas: bool) -> Cow<'_, str> {
    match cell {
        Cell::Empty | Cell::Json(Value::Null) => Cow::Borrowed(""),
        Cell::Ours(text) => Cow::Borrowed(text),
        Cell::Model(text) if raw_formulas => Cow::Borrowed(text),
        Cell::Model(text) => harmless(text),
        Cell::Json(Value::String(text)) => self::text(Cell::Model(text), raw_formulas),
        Cell::Json(value) => Cow::Owned(value.to_string()),
    }
}

/// The text, behind an apostrophe if a spreadsheet would take it for a formula.
fn harmless(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    if formula && !is_number(text) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

/// Whether a text is a plain number: sign, digits with one point, exponent, percent sign.
fn is_number(text: &str) -> bool {
    let text = text.strip_suffix('%').unwrap_or(text);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    // `parse` also takes `inf` and `nan`.
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok()
}

/// Writes a cell of a delimited table, in quotes only where it needs them. `alone` says that the
/// record has no other cell: an empty one would be a blank line.
pub(super) fn push_delimited(text: &str, delimiter: u8, alone: bool, out: &mut Vec<u8>) {
    let special = |b: &u8| *b == delimiter || matches!(b, b'"' | b'\n' | b'\r');
    let quote = text.as_bytes().iter().any(special) || (alone && text.is_empty());
    if !quote {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        out.extend_from_slice(&rest.as_bytes()[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Writes a text for a sheet: always in quotes, which is how a sheet's text tells what is text.
pub(super) fn push_sheet_text(text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let start = out.len();
    push_delimited(text, b',', false, out);
    if out[start] != b'"' {
        out.insert(start, b'"');
        out.push(b'"');
    }
}

/// Writes a number or a truth value for a sheet bare, and any other JSON as its text.
pub(super) fn push_sheet_json(json: &str, out: &mut Vec<u8>) {
    match json {
        "null" => {}
        "true" => out.extend_from_slice(b"TRUE"),
        "false" => out.extend_from_slice(b"FALSE"),
        number if is_plain_number(number) => out.extend_from_slice(number.as_bytes()),
        number if let Some(number) = with_exponent(number) => {
            out.extend_from_slice(number.as_bytes());
        }
        other => push_sheet_text(other, out),
    }
}

/// Writes an added cell for a sheet. Strings are no formulas there, so none is changed.
pub(super) fn push_sheet(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Empty => {}
        Cell::Ours(text) | Cell::Model(text) => push_sheet_text(text, out),
        Cell::Json(Value::String(text)) => push_sheet_text(text, out),
        Cell::Json(value) => push_sheet_json(&value.to_string(), out),
    }
}

/// Writes a string as JSON, UTF-8 as it is.
pub(super) fn push_json_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string always serialises into memory");
}

/// Writes an added cell as a JSON value.
pub(super) fn push_json(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Empty => out.extend_from_slice(b"null"),
        Cell::Ours(text) | Cell::Model(text) => push_json_string(text, out),
        Cell::Json(value) => {
            serde_json::to_writer(out, value).expect("a value always serialises into memory");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_formulas_of_a_model_are_made_harmless_and_numbers_left_alone() {
        let table = [
            ("=1+1", "'=1+1"),
            ("@cmd", "'@cmd"),
            ("+86 138", "'+86 138"),
            ("- a list", "'- a list"),
            ("\t=x", "'\t=x"),
            ("\r=x", "'\r=x"),
            ("＝SUM(A1)", "'＝SUM(A1)"),
            ("－负", "'－负"),
            ("-", "'-"),
            ("-inf", "'-inf"),
            ("-5", "-5"),
            ("+3.25", "+3.25"),
            ("-1e-5", "-1e-5"),
            ("-12%", "-12%"),
            ("a=b", "a=b"),
            ("", ""),
        ];
        for (given, expected) in table {
            assert_eq!(text(Cell::Model(given), false), expected);
            assert_eq!(text(Cell::Ours(given), false), given);
            assert_eq!(text(Cell::Model(given), true), given);
            let mut json = Vec::new();
            push_json(Cell::Model(given), &mut json);
            assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), given);
        }
    }

    /// A cost of a row is often below 0.00001, which JSON writes with an exponent.
    #[test]
    fn numbers_of_any_size_are_numbers_in_a_sheet() {
        let table = [
            ("2.7e-6", "2.7E-6"),
            ("-1e+21", "-1E21"),
            ("5E-7", "5E-7"),
            ("0.5", "0.5"),
            // More digits than a sheet keeps, or more than a number holds.
            ("1.234567890123456789e-6", "\"1.234567890123456789e-6\""),
            ("1e999", "\"1e999\""),
        ];
        for (json, expected) in table {
            let mut out = Vec::new();
            push_sheet_json(json, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut model = Vec::new();
        push_sheet(Cell::Model("1e5"), &mut model);
        assert_eq!(model, b"\"1e5\"", "what a model wrote is text");
    }

    #[test]
    fn values_become_text_in_csv() {
        let table = [
            (serde_json::json!(null), ""),
            (serde_json::json!(-4), "-4"),
            (serde_json::json!(true), "true"),
            (serde_json::json!("=x"), "'=x"),
            (serde_json::json!([1, "中"]), "[1,\"中\"]"),
        ];
        for (value, expected) in &table {
            assert_eq!(text(Cell::Json(value), false), *expected);
        }
    }

    #[test]
    fn quotes_only_where_needed() {
        let table = [
            ("a b", false, "a b"),
            ("a,b", false, "\"a,b\""),
            ("a\"b", false, "\"a\"\"b\""),
            ("a\nb", false, "\"a\nb\""),
            ("a\rb", false, "\"a\rb\""),
            ("", false, ""),
            ("", true, "\"\""),
        ];
        for (given, alone, expected) in table {
            let mut out = Vec::new();
            push_delimited(given, b',', alone, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
