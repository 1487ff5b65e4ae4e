//! Finds where records and cells begin and end in delimited text. Pure: works on whatever bytes
//! are at hand and says when it needs more.
//!
//! The dialect is that of the `csv` crate: a quote matters only as the first character of a cell,
//! a doubled quote inside quotes is one quote, text after a closing quote belongs to the cell, and
//! LF, CRLF and CR each end a record. Unlike it, a quote left open at the end is an error.

/// Where a cell's content lies, relative to the start of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) form: Form,
}

/// How a cell's content relates to its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The bytes are the content.
    Plain,
    /// Quotes inside are doubled.
    Doubled,
    /// A quoted part and then more text: the span starts at the opening quote.
    Mixed,
}

/// What was found at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A record: `start..end` without its terminator, which ends before `next`.
    Record { start: usize, end: usize, next: usize, quoted: bool },
    /// The record does not end within these bytes.
    More,
    /// Nothing but line ends until the end of the file.
    End,
    /// The file ends inside quotes that opened at this offset, in this cell (from 0).
    Unclosed { quote: usize, cell: usize },
}

/// Scans one record and leaves its cells in `spans`. `last` says that no bytes follow these.
pub(super) fn record(bytes: &[u8], last: bool, delimiter: u8, spans: &mut Vec<Span>) -> Found {
    spans.clear();
    let start = bytes.iter().position(|b| !matches!(b, b'\n' | b'\r')).unwrap_or(bytes.len());
    if start == bytes.len() {
        return if last { Found::End } else { Found::More };
    }
    let mut quoted = false;
    let mut at = start;
    loop {
        let (span, stop) = if bytes.get(at) == Some(&b'"') {
            quoted = true;
            match quoted_cell(bytes, at, last, delimiter) {
                Quoted::Cell(span, stop) => (span, stop),
                Quoted::More => return Found::More,
                Quoted::Unclosed => {
                    return Found::Unclosed { quote: at, cell: spans.len() };
                }
            }
        } else {
            let stop = cell_end(bytes, at, delimiter);
            (Span { start: at, end: stop, form: Form::Plain }, stop)
        };
        spans.push(Span { start: span.start - start, end: span.end - start, ..span });
        match bytes.get(stop) {
            Some(&byte) if byte == delimiter => at = stop + 1,
            Some(b'\n') => return Found::Record { start, end: stop, next: stop + 1, quoted },
            // A carriage return: alone or the first half of CRLF, which may not be here yet.
            Some(_) if stop + 1 < bytes.len() || last => {
                let next = stop + 1 + usize::from(bytes.get(stop + 1) == Some(&b'\n'));
                return Found::Record { start, end: stop, next, quoted };
            }
            None if last => return Found::Record { start, end: stop, next: stop, quoted },
            _ => return Found::More,
        }
    }
}

enum Quoted {
    Cell(Span, usize),
    More,
    Unclosed,
}

/// A cell whose opening quote is at `open`; the second value is where its text ends.
fn quoted_cell(bytes: &[u8], open: usize, last: bool, delimiter: u8) -> Quoted {
    let mut form = Form::Plain;
    let mut at = open + 1;
    loop {
        let Some(found) = find(&bytes[at..], b'"') else {
            return if last { Quoted::Unclosed } else { Quoted::More };
        };
        let quote = at + found;
        match bytes.get(quote + 1) {
            Some(b'"') => {
                form = Form::Doubled;
                at = quote + 2;
            }
            Some(&byte) if byte == delimiter || matches!(byte, b'\n' | b'\r') => {
                return Quoted::Cell(Span { start: open + 1, end: quote, form }, quote + 1);
            }
            Some(_) => {
                let stop = cell_end(bytes, quote + 1, delimiter);
                return Quoted::Cell(Span { start: open, end: stop, form: Form::Mixed }, stop);
            }
            None if last => {
                return Quoted::Cell(Span { start: open + 1, end: quote, form }, quote + 1);
            }
            None => return Quoted::More,
        }
    }
}

/// Appends what a cell says to `out`.
pub(super) fn unescape(cell: &str, form: Form, out: &mut String) {
    match form {
        Form::Plain => out.push_str(cell),
        Form::Doubled => undouble(cell, out),
        Form::Mixed => {
            let bytes = cell.as_bytes();
            let mut at = 1;
            // The scanner has seen the closing quote; if it is not there, take the rest.
            while let Some(found) = find(&bytes[at..], b'"') {
                let quote = at + found;
                if bytes.get(quote + 1) == Some(&b'"') {
                    at = quote + 2;
                    continue;
                }
                undouble(&cell[1..quote], out);
                out.push_str(&cell[quote + 1..]);
                return;
            }
            undouble(&cell[1..], out);
        }
    }
}

/// Every quote in here is followed by its double; a search for the pair itself took longer than
/// all the rest of reading.
fn undouble(mut cell: &str, out: &mut String) {
    while let Some(quote) = find(cell.as_bytes(), b'"') {
        out.push_str(&cell[..=quote]);
        cell = cell.get(quote + 2..).unwrap_or_default();
    }
    out.push_str(cell);
}

/// How many lines end in these bytes: LF, CRLF or CR.
pub(super) fn line_ends(bytes: &[u8]) -> u64 {
    let feeds = count(bytes, b'\n');
    if find(bytes, b'\r').is_none() {
        return feeds;
    }
    let pairs = bytes.windows(2).filter(|pair| pair == b"\r\n").count() as u64;
    feeds + count(bytes, b'\r') - pairs
}

/// How often a byte occurs. Summed up in bytes first, so that the compiler counts 16 at a time.
pub(super) fn count(bytes: &[u8], byte: u8) -> u64 {
    let sum = |piece: &[u8]| piece.iter().map(|b| u8::from(*b == byte)).sum::<u8>();
    bytes.chunks(255).map(|piece| u64::from(sum(piece))).sum()
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks the zero bytes of a word; right for the lowest one, which is all that is asked.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// Where an unquoted cell ends: at the delimiter, a line end, or the end of the bytes.
/// Eight bytes at a time: a step per byte was a third of the whole scan.
fn cell_end(bytes: &[u8], from: usize, delimiter: u8) -> usize {
    let splat = ONES.wrapping_mul(u64::from(delimiter));
    let (line_feed, carriage) = (ONES * u64::from(b'\n'), ONES * u64::from(b'\r'));
    let mut at = from;
    let (words, rest) = bytes[from..].as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let hits = zeros(word ^ splat) | zeros(word ^ line_feed) | zeros(word ^ carriage);
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let stop = |b: &u8| *b == delimiter || matches!(b, b'\n' | b'\r');
    at + rest.iter().position(stop).unwrap_or(rest.len())
}

/// Where a byte first is.
pub(super) fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    let splat = ONES * u64::from(byte);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let hits = zeros(u64::from_le_bytes(*word) ^ splat);
        if hits != 0 {
            return Some(index * 8 + (hits.trailing_zeros() / 8) as usize);
        }
    }
    let found = rest.iter().position(|b| *b == byte)?;
    Some(words.len() * 8 + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<Vec<String>> {
        let mut spans = Vec::new();
        let mut rest = text.as_bytes();
        let mut records = Vec::new();
        while let Found::Record { start, end, next, .. } = record(rest, true, b',', &mut spans) {
            let raw = str::from_utf8(&rest[start..end]).unwrap();
            let read = |span: &Span| {
                let mut out = String::new();
                unescape(&raw[span.start..span.end], span.form, &mut out);
                out
            };
            records.push(spans.iter().map(read).collect());
            rest = &rest[next..];
        }
        records
    }

    #[test]
    fn b13_cells_are_found_in_every_dialect_people_bring() {
        let table: &[(&str, &[&[&str]])] = &[
            ("a,b\nc,d\n", &[&["a", "b"], &["c", "d"]]),
            ("a,b\r\nc,d", &[&["a", "b"], &["c", "d"]]),
            ("a,b\rc,d\r", &[&["a", "b"], &["c", "d"]]),
            ("\n\na,b\n\n\r\nc,\n", &[&["a", "b"], &["c", ""]]),
            ("a,", &[&["a", ""]]),
            ("\"a\nb\",c", &[&["a\nb", "c"]]),
            ("\"say \"\"hi\"\"\",\"\"\n", &[&["say \"hi\"", ""]]),
            ("\"a\"b\"c,d\n", &[&["ab\"c", "d"]]),
            ("\"a\"\"b\"c\n", &[&["a\"bc"]]),
            ("a\"b, \"c\"\n", &[&["a\"b", " \"c\""]]),
            ("\"\"\"\"\n", &[&["\""]]),
            ("中文，是,值\n", &[&["中文，是", "值"]]),
            ("", &[]),
            ("\r\n\n", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(cells(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_cut_record_asks_for_more_and_never_ends_early() {
        let text = "ab,\"c\"\"\nd\",e\r\nf";
        let mut spans = Vec::new();
        for cut in 0..text.len() - 1 {
            let found = record(&text.as_bytes()[..cut], false, b',', &mut spans);
            assert_eq!(found, Found::More, "cut at {cut}");
        }
        let found = record(text.as_bytes(), false, b',', &mut spans);
        assert_eq!(found, Found::Record { start: 0, end: 12, next: 14, quoted: true });
    }

    #[test]
    fn an_open_quote_at_the_end_says_where_it_opened() {
        let found = record(b"\na,\"b\nc,d\n", true, b',', &mut Vec::new());
        assert_eq!(found, Found::Unclosed { quote: 3, cell: 1 });
    }

    #[test]
    fn lines_end_in_three_ways() {
        assert_eq!(line_ends(b"a\nb\r\nc\rd"), 3);
        assert_eq!(line_ends(b"\n\n"), 2);
        assert_eq!(line_ends(&b"\r\n".repeat(700)), 700);
        assert_eq!(line_ends(&b"\n".repeat(700)), 700);
    }

    #[test]
    fn bytes_are_found_at_any_distance() {
        for length in 0..40 {
            let mut bytes = vec![b'x'; length];
            assert_eq!(find(&bytes, b'"'), None);
            assert_eq!(cell_end(&bytes, 0, b','), length);
            for at in 0..length {
                bytes[at] = b'"';
                assert_eq!(find(&bytes, b'"'), Some(at));
                bytes[at] = b'\r';
                assert_eq!(cell_end(&bytes, 0, b','), at);
                bytes[at] = b'x';
            }
        }
    }
}
