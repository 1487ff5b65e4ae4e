//! Texts in JSON tables that hold half of a character's code. JavaScript and Python write such
//! texts where one was cut in the middle of a character; no request can hold them.

use super::row::Row;

/// Rows whose texts hold half of a character's code: they are asked with � in its place.
#[derive(Debug, Default)]
pub(super) struct Halves {
    rows: u64,
    first: String,
}

impl Halves {
    /// Takes a row into the count.
    pub(super) fn look(&mut self, row: &Row) {
        let Some(half) = half_character(row.raw()) else { return };
        self.rows += 1;
        if self.rows == 1 {
            self.first = format!("row {} (line {}) holds `{half}`", row.number, row.line);
        }
    }

    /// What there is to say of them.
    pub(super) fn note(self) -> Option<String> {
        let more = match self.rows {
            0 => return None,
            1 => String::new(),
            2 => ", and 1 more row such a one".to_owned(),
            rows => format!(", and {} more rows such ones", rows - 1),
        };
        let first = self.first;
        Some(format!("{first}, half of a character, which is asked as \u{fffd}{more}"))
    }
}

/// The first code in a record that is half of a character: `\ud83d` without the other half.
/// JavaScript and Python write such texts where one was cut in the middle of a character.
fn half_character(raw: &str) -> Option<&str> {
    let code = |at: usize| {
        let digits = raw.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    // Nearly no record has one.
    raw.contains("\\u").then_some(())?;
    let mut at = 0;
    while let Some(next) = raw[at..].find('\\').map(|offset| at + offset) {
        let (is_half, length) = match code(next) {
            Some(0xd800..=0xdbff) => match code(next + 6) {
                Some(0xdc00..=0xdfff) => (false, 12),
                _ => (true, 6),
            },
            Some(0xdc00..=0xdfff) => (true, 6),
            _ => (false, 1 + raw[next + 1..].chars().next().map_or(0, char::len_utf8)),
        };
        if is_half {
            return raw.get(next..next + length);
        }
        at = next + length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is no character is found wherever it stands, and nothing else is.
    #[test]
    fn halves_of_characters_are_found() {
        let table = [
            (r#"{"a":"plain"}"#, None),
            (r#"{"a":"\ud83d\ude00 \u4e2d \n"}"#, None),
            (r#"{"a":"x\ud83d"}"#, Some("\\ud83d")),
            (r#"{"a":"\uDE00x"}"#, Some("\\uDE00")),
            (r#"{"a":"\ud83d\u0041"}"#, Some("\\ud83d")),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, Some("\\ud83d")),
            (r#"{"a":"\\ud83d"}"#, None),
            (r#"{"a":"\\\ud83d"}"#, Some("\\ud83d")),
            (r#"{"a":"\中\u12"#, None),
            ("\\", None),
        ];
        for (raw, expected) in table {
            assert_eq!(half_character(raw), expected, "{raw}");
        }
    }
}
