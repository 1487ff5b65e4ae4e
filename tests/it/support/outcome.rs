//! A written table, looked at from outside: cells by name, and the bytes of the original records,
//! found by a scanner of its own so that a mistake of the program's cannot hide itself.

use std::collections::BTreeMap;

/// A table with its header.
#[derive(Debug)]
pub(crate) struct Cells {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Cells {
    /// Reads comma-separated UTF-8, with or without a byte order mark.
    #[track_caller]
    pub(crate) fn csv(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut rows: Vec<Vec<String>> = reader
            .records()
            .map(|record| {
                let record = record.unwrap_or_else(|error| panic!("not a table: {error}\n{text}"));
                record.iter().map(str::to_owned).collect()
            })
            .collect();
        assert!(!rows.is_empty(), "the table has no header");
        Self { header: rows.remove(0), rows }
    }

    /// The names of the columns.
    pub(crate) fn header(&self) -> Vec<&str> {
        self.header.iter().map(String::as_str).collect()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All cells of a column.
    #[track_caller]
    pub(crate) fn column(&self, name: &str) -> Vec<&str> {
        let index = self
            .header
            .iter()
            .position(|header| header == name)
            .unwrap_or_else(|| panic!("no column {name} among {:?}", self.header));
        self.rows.iter().map(|row| row[index].as_str()).collect()
    }

    /// Rows by status.
    #[track_caller]
    pub(crate) fn statuses(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for status in self.column("status") {
            *counts.entry(status).or_default() += 1;
        }
        counts
    }
}

/// The records of a delimited table without their line ends: split at line feeds outside quotes.
/// Right for every encoding in which quote and line feed are single bytes.
pub(crate) fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let (mut start, mut is_quoted) = (0, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => {
                records.push(without_return(&bytes[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < bytes.len() {
        records.push(without_return(&bytes[start..]));
    }
    records
}

fn without_return(record: &[u8]) -> &[u8] {
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// Fails unless every record of `written` begins with the bytes of its record of `original`
/// (chosen by `rows`; the header first) and the separator.
#[track_caller]
pub(crate) fn keeps_originals(original: &[u8], written: &[u8], rows: &[usize], separator: u8) {
    let (original, written) = (records(original), records(written));
    assert_eq!(written.len(), rows.len() + 1, "records written");
    let wanted = std::iter::once(0).chain(rows.iter().map(|row| row + 1));
    for (wanted, written) in wanted.map(|at| original[at]).zip(written) {
        let same =
            written.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&separator));
        assert!(
            same,
            "the original cells changed:\n{}\n{}",
            String::from_utf8_lossy(wanted),
            String::from_utf8_lossy(written)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_outside_quotes() {
        let text = b"a,b\r\n\"1\n2\",\"say \"\"x\"\"\"\nlast";
        let expected: [&[u8]; 3] = [b"a,b", b"\"1\n2\",\"say \"\"x\"\"\"", b"last"];
        assert_eq!(records(text), expected);
        keeps_originals(text, b"a,b,c\n\"1\n2\",\"say \"\"x\"\"\",ok\n", &[0], b',');
    }

    #[test]
    #[should_panic(expected = "the original cells changed")]
    fn a_changed_cell_is_seen() {
        keeps_originals(b"a\n\"1\"\n", b"a,b\n1,ok\n", &[0], b',');
    }

    #[test]
    fn cells_are_found_by_name() {
        let cells = Cells::csv("\u{feff}a,status\n1,ok\n2,ok\n3,skipped\n");
        assert_eq!((cells.header(), cells.len()), (vec!["a", "status"], 3));
        assert_eq!(cells.column("a"), ["1", "2", "3"]);
        assert_eq!(cells.statuses(), BTreeMap::from([("ok", 2), ("skipped", 1)]));
    }
}
