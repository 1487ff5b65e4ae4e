//! What kind of table a text is, by its first lines.

use super::scan::{self, Found};

/// Delimiters that are looked for, the likelier first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records looked at.
const RECORDS: usize = 50;

/// What the first characters say about the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Cells between delimiters.
    Delimited,
    /// One JSON value a line.
    Lines,
    /// One JSON array.
    Array,
    /// An object that goes over several lines: JSON, but no table.
    Object,
}

/// Judges a text by its first characters.
pub(super) fn look(sample: &str) -> Look {
    let text = sample.trim_start();
    let first = text.lines().next().unwrap_or_default().trim();
    // A line may be longer than the sample: then it is no pretty-printed JSON.
    let whole_line = first.len() == text.trim_end().len() && !text.contains('\n')
        || serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok();
    match text.as_bytes() {
        [b'{', rest @ ..] if starts_key(rest) => {
            if whole_line {
                Look::Lines
            } else {
                Look::Object
            }
        }
        [b'[', rest @ ..]
            if matches!(rest.trim_ascii_start().first(), None | Some(b'{' | b'[' | b']')) =>
        {
            // Arrays on two or more lines of their own: one conversation a line.
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let alone = first.ends_with(']') && whole_line && lines.count() > 1;
            if alone { Look::Lines } else { Look::Array }
        }
        _ => Look::Delimited,
    }
}

fn starts_key(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), None | Some(b'"' | b'}'))
}

/// The delimiter that cuts the first records into the most even cells. `whole` says that the
/// sample is the whole text.
pub(super) fn delimiter(sample: &[u8], whole: bool) -> u8 {
    let mut best = (b',', 0.0, 0);
    for delimiter in DELIMITERS {
        let (columns, even) = evenness(sample, whole, delimiter);
        if columns > 1 && (even, columns) > (best.1, best.2) {
            best = (delimiter, even, columns);
        }
    }
    best.0
}

/// How many cells the first record has, and the share of records that have as many.
fn evenness(mut sample: &[u8], whole: bool, delimiter: u8) -> (usize, f64) {
    let mut spans = Vec::new();
    let (mut columns, mut same, mut records) = (0, 0_u32, 0_u32);
    while (records as usize) < RECORDS {
        let Found::Record { next, .. } = scan::record(sample, whole, delimiter, &mut spans) else {
            break;
        };
        sample = &sample[next..];
        records += 1;
        if records == 1 {
            columns = spans.len();
        }
        same += u32::from(spans.len() == columns);
    }
    (columns, f64::from(same) / f64::from(records.max(1)))
}

/// Excel's first line `sep=;`: its delimiter and its length with its line end.
pub(super) fn sep_line(sample: &str) -> Option<(u8, usize)> {
    let line = sample.split_inclusive(['\n', '\r']).next()?;
    let delimiter = line.get(..4).filter(|s| s.eq_ignore_ascii_case("sep=")).map(|_| &line[4..])?;
    let mut characters = delimiter.trim_end_matches(['\n', '\r']).chars();
    let (character, None) = (characters.next()?, characters.next()) else { return None };
    let byte = super::shape::delimiter_byte(character).ok()?;
    let crlf = line.ends_with('\r') && sample[line.len()..].starts_with('\n');
    Some((byte, line.len() + usize::from(crlf)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_the_delimiter_is_the_one_that_cuts_evenly() {
        let table: &[(&str, u8)] = &[
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n3,5;4,5\n", b';'),
            ("a\tb\n1, x\t2\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("question\nhello, you; there\n", b','),
            ("name;note\nA;\"x, y\"\nB;z, w, v\n", b';'),
            ("id,text;raw\n1,hello\n2,you\n", b','),
            ("a;b,c;d\n1;2;3\n", b';'),
            ("\"a;b\",c\n1,2\n", b','),
            ("", b','),
        ];
        for (text, expected) in table {
            assert_eq!(delimiter(text.as_bytes(), true) as char, *expected as char, "{text:?}");
        }
    }

    #[test]
    fn the_first_characters_tell_the_kind() {
        let table = [
            ("a,b\n", Look::Delimited),
            ("{\"a\":1}\n{\"a\":2}\n", Look::Lines),
            ("{\"a\":1}", Look::Lines),
            ("{\"a\":\"a very long li", Look::Lines),
            ("{\n  \"a\": 1\n}\n", Look::Object),
            ("\n [\n{\"a\":1}\n]", Look::Array),
            ("[{\"a\":1},{\"a\":2}]", Look::Array),
            ("[[{\"role\":\"user\"}],\n[{\"role\":\"user\"}]]", Look::Array),
            ("[{\"role\":\"user\"}]\n[{\"role\":\"user\"}]\n", Look::Lines),
            ("[]", Look::Array),
            ("{name},b\n1,2\n", Look::Delimited),
            ("[note],b\n1,2\n", Look::Delimited),
        ];
        for (text, expected) in table {
            assert_eq!(look(text), expected, "{text:?}");
        }
    }

    #[test]
    fn excels_own_first_line_is_known() {
        assert_eq!(sep_line("sep=;\r\na;b"), Some((b';', 7)));
        assert_eq!(sep_line("SEP=|\na|b"), Some((b'|', 6)));
        assert_eq!(sep_line("sep=ab\n"), None);
        assert_eq!(sep_line("separate,b\n"), None);
        assert_eq!(sep_line("中文,b\n"), None);
    }
}
