//! Which encoding a text is in, by its marks, its bytes and, as a last resort, its characters.

use serde::{Deserialize, Serialize};

use super::TableError;

/// A character encoding of the Encoding Standard, stored by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Encoding(pub(super) &'static encoding_rs::Encoding);

impl Encoding {
    /// What everything is read as inside.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);
    pub(super) const GB18030: Self = Self(encoding_rs::GB18030);
    pub(super) const UTF_16LE: Self = Self(encoding_rs::UTF_16LE);
    pub(super) const UTF_16BE: Self = Self(encoding_rs::UTF_16BE);

    /// The encoding that people mean by this label, also by names that only Windows or Python use.
    pub fn for_label(label: &str) -> Result<Self, TableError> {
        let lower = label.trim().to_ascii_lowercase();
        let known = match lower.as_str() {
            "cp936" | "ms936" | "936" => "gbk",
            "utf-8-sig" | "utf8-sig" | "utf-8-bom" => "utf-8",
            "utf16" | "utf16le" | "utf_16" => "utf-16le",
            "utf16be" => "utf-16be",
            "latin-1" => "latin1",
            "cp950" => "big5",
            "cp932" => "shift_jis",
            other => other,
        };
        encoding_rs::Encoding::for_label(known.as_bytes())
            .filter(|found| *found != encoding_rs::REPLACEMENT)
            .map(Self)
            .ok_or_else(|| TableError::UnknownEncoding(label.to_owned()))
    }

    /// Its name, such as `UTF-8` or `GB18030`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether text in it needs no decoding.
    pub fn is_utf8(self) -> bool {
        self == Self::UTF_8
    }

    pub(super) fn is_utf16(self) -> bool {
        self == Self::UTF_16LE || self == Self::UTF_16BE
    }

    /// GBK or its superset.
    pub(super) fn is_chinese(self) -> bool {
        self == Self::GB18030 || self.0 == encoding_rs::GBK
    }

    /// The byte order mark that text in it may start with.
    pub(super) fn mark(self) -> &'static [u8] {
        let marks: [(Self, &'static [u8]); 4] = [
            (Self::UTF_8, b"\xef\xbb\xbf"),
            (Self::UTF_16LE, b"\xff\xfe"),
            (Self::UTF_16BE, b"\xfe\xff"),
            (Self::GB18030, b"\x84\x31\x95\x33"),
        ];
        marks.iter().find(|(encoding, _)| *encoding == self).map_or(b"", |(_, mark)| mark)
    }

    /// The encoding whose mark these bytes start with.
    pub(super) fn by_mark(head: &[u8]) -> Option<Self> {
        [Self::UTF_8, Self::UTF_16LE, Self::UTF_16BE, Self::GB18030]
            .into_iter()
            .find(|encoding| head.starts_with(encoding.mark()))
    }
}

impl TryFrom<String> for Encoding {
    type Error = TableError;
    fn try_from(name: String) -> Result<Self, TableError> {
        Self::for_label(&name)
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> Self {
        encoding.name().to_owned()
    }
}

/// Counts how many of a text's characters, read as GB18030, are common Chinese ones: the 6,763
/// of GB2312. Latin-1 text often reads as GB18030 without an error, but as rare characters.
#[derive(Debug, Default)]
pub(super) struct Commonness {
    /// The bytes of a character that the last piece of text broke off in.
    pending: Vec<u8>,
    common: u64,
    rare: u64,
}

impl Commonness {
    /// Takes the next piece of the bytes as they stand in the file.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match *self.pending.as_slice() {
                [] if byte < 0x81 => {}
                // The second byte of a four-byte character is a digit.
                [_] if byte.is_ascii_digit() => self.pending.push(byte),
                [lead] => self.count(lead, byte),
                [_, _, _] => {
                    self.rare += 1;
                    self.pending.clear();
                }
                _ => self.pending.push(byte),
            }
        }
    }

    fn count(&mut self, lead: u8, trail: u8) {
        self.pending.clear();
        match (lead, trail) {
            // Punctuation, digits and letters of full width say nothing either way.
            (0xa1..=0xa3, 0xa1..=0xfe) => {}
            (0xb0..=0xf7, 0xa1..=0xfe) => self.common += 1,
            _ => self.rare += 1,
        }
    }

    /// Whether this is Chinese text: three in four characters are common.
    pub(super) fn is_chinese(&self) -> bool {
        self.common > 0 && self.common >= 3 * self.rare
    }
}

/// What a file that starts like this is, if it is no text at all, and what to do about it.
pub(super) fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const EXCEL: &str = "open it in Excel and save it as \"CSV UTF-8 (Comma delimited)\" \
                         (另存为 → CSV UTF-8（逗号分隔）), or as .xlsx; a workbook with a password also looks like this";
    const CONVERT: &str = "give a CSV, TSV, JSONL or JSON file";
    let signatures: [(&[u8], &str, &str); 12] = [
        (b"PK\x03\x04", "a zip archive but no Excel workbook", "unpack it first"),
        (b"PK\x05\x06", "an empty zip archive, no Excel workbook", "save the table anew"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", EXCEL),
        (b"%PDF", "a PDF document", CONVERT),
        (b"\x89PNG", "a PNG image", "name a table that has the image's path in a column"),
        (b"\xff\xd8\xff", "a JPEG image", "name a table that has the image's path in a column"),
        (b"GIF8", "a GIF image", "name a table that has the image's path in a column"),
        (b"PAR1", "a Parquet file", "write it as CSV first; Parquet cannot be read yet"),
        (b"\x1f\x8b", "compressed with gzip", "unpack it first"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it first"),
        (b"SQLite format 3", "a database", "export the table as CSV first"),
        (b"\x7fELF", "a program", CONVERT),
    ];
    let (_, what, remedy) = signatures.iter().find(|(start, ..)| head.starts_with(start))?;
    Some((what, remedy))
}

/// What to do about a text with NUL bytes, by where they are in its first bytes.
pub(super) fn nul_remedy(head: &[u8]) -> &'static str {
    let zeros = |parity: usize| {
        head.iter().enumerate().filter(|(i, b)| i % 2 == parity && **b == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    if odd * 8 > head.len() && odd > 4 * even {
        "it looks like UTF-16 without a byte order mark: add --encoding utf-16le"
    } else if even * 8 > head.len() && even > 4 * odd {
        "it looks like UTF-16 without a byte order mark: add --encoding utf-16be"
    } else {
        "this is a binary file, or UTF-16 without a byte order mark (--encoding utf-16le); save \
         it as CSV UTF-8"
    }
}

/// A few characters around a byte, for an error that shows two readings.
pub(super) fn sample(bytes: &[u8], at: usize, encoding: &'static encoding_rs::Encoding) -> String {
    const AROUND: usize = 24;
    let is_break = |b: &u8| matches!(b, b'\n' | b'\r');
    let line = bytes[..at].iter().rposition(is_break).map_or(0, |i| i + 1);
    let mut start = line.max(at.saturating_sub(AROUND));
    // Not from the middle of a character: after an ASCII byte, or at the start of the line.
    while start > line && start < at && bytes[start - 1] >= 0x80 {
        start += 1;
    }
    let end = bytes[at..].iter().position(is_break).map_or(bytes.len(), |i| at + i);
    let end = end.min(at + AROUND);
    let (text, _) = encoding.decode_without_bom_handling(&bytes[start..end]);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.trim_end_matches('\u{fffd}').trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_chinese_is_told_from_western_text_that_reads_as_chinese() {
        let chinese = ["这家餐厅的菜很好吃，服务也不错。", "朱镕基与李喆昨天在北京见面", "abc,好"];
        let other: [&[u8]; 5] = [
            b"K\xf6ln,M\xfcnchen",
            b"stra\xdfe,gr\xfc\xdfe",
            b"caf\xe9s and na\xefve",
            b"only ascii",
            b"\xa1\xb0quotes only\xa1\xb1",
        ];
        for text in chinese {
            let (bytes, _, _) = encoding_rs::GB18030.encode(text);
            for cut in 0..bytes.len() {
                let mut commonness = Commonness::default();
                commonness.add(&bytes[..cut]);
                commonness.add(&bytes[cut..]);
                assert!(commonness.is_chinese(), "{text} cut at {cut}");
            }
        }
        for bytes in other {
            let mut commonness = Commonness::default();
            commonness.add(bytes);
            assert!(!commonness.is_chinese(), "{bytes:?}");
        }
    }

    #[test]
    fn labels_of_windows_and_python_are_known() {
        let table = [
            ("cp936", "GBK"),
            ("UTF-8-sig", "UTF-8"),
            ("latin1", "windows-1252"),
            ("utf-16", "UTF-16LE"),
            ("gb2312", "GBK"),
            ("GB18030", "gb18030"),
        ];
        for (label, name) in table {
            assert_eq!(Encoding::for_label(label).unwrap().name(), name);
        }
        assert!(Encoding::for_label("klingon").is_err());
        assert!(Encoding::for_label("iso-2022-kr").is_err());
        let stored = serde_json::to_string(&Encoding::UTF_16BE).unwrap();
        assert_eq!(stored, "\"UTF-16BE\"");
        assert_eq!(serde_json::from_str::<Encoding>(&stored).unwrap(), Encoding::UTF_16BE);
    }

    #[test]
    fn a_sample_shows_the_word_in_both_readings() {
        let bytes = b"city\nnear K\xf6ln am Rhein\n";
        assert_eq!(sample(bytes, 11, encoding_rs::WINDOWS_1252), "near Köln am Rhein");
        assert_eq!(sample(bytes, 11, encoding_rs::GB18030), "near K鰈n am Rhein");
    }
}
