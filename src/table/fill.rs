//! Answers that go into a column that the table has already: the one cell is replaced in the
//! user's record, and nothing else of it is touched.

use std::ops::Range;

use super::Row;
use super::scan::{self, Form, Found};

/// Which of the added columns is written into which of the table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fill {
    /// Its place among the added columns.
    pub(super) added: usize,
    /// Its place among the table's.
    pub(super) column: usize,
}

/// Where a cell lies in its delimited record, quotes included; `None` for a record that ends
/// before it.
pub(super) fn delimited_cell(raw: &str, column: usize, delimiter: u8) -> Option<Range<usize>> {
    let mut spans = Vec::new();
    let Found::Record { .. } = scan::record(raw.as_bytes(), true, delimiter, &mut spans) else {
        return None;
    };
    let span = spans.get(column)?;
    let quoted = span.start > 0 && raw.as_bytes()[span.start - 1] == b'"';
    Some(match span.form {
        Form::Plain | Form::Doubled if quoted => span.start - 1..span.end + 1,
        _ => span.start..span.end,
    })
}

/// Where an empty value lies in its JSON record; `None` where the key is absent.
pub(super) fn json_value(row: &Row, column: usize) -> Option<Range<usize>> {
    let piece = row.cells.get(column).filter(|piece| !piece.rewritten && piece.end > 0)?;
    if row.is_quoted(column) {
        return Some(piece.start - 1..piece.end + 1);
    }
    let is_null = row.raw.get(piece.start..)?.starts_with("null");
    Some(piece.start..if is_null { piece.start + 4 } else { piece.end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_with_its_quotes() {
        let table: &[(&str, usize, Option<&str>)] = &[
            ("a,b,c", 1, Some("b")),
            ("a,\"b\",c", 1, Some("\"b\"")),
            ("a,\"b\"\"\",c", 1, Some("\"b\"\"\"")),
            ("a,\"b\"x,c", 1, Some("\"b\"x")),
            ("\"\",b", 0, Some("\"\"")),
            ("a,,c", 1, Some("")),
            ("a", 1, None),
        ];
        for (raw, column, expected) in table {
            let found = delimited_cell(raw, *column, b',').map(|range| &raw[range]);
            assert_eq!(found, *expected, "{raw}");
        }
    }
}
