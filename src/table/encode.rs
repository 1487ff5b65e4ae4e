//! UTF-8 text into the encoding of the user's file.

use std::io::{self, Read};

use encoding_rs::{Encoder, EncoderResult, GB18030, GBK};

use super::Encoding;

/// Bytes handled at once.
const PIECE: usize = 1 << 18;

/// Encodes a text piece by piece.
pub(super) struct Encode {
    encoding: Encoding,
    encoder: Encoder,
    /// Whether characters that GBK lacks may be written in GB18030's four bytes.
    four_bytes: bool,
}

/// Why a text could not be encoded.
#[derive(Debug)]
pub(super) enum EncodeError {
    /// The encoding does not have this character.
    Lacks(char),
    /// Reading or writing failed.
    Io(io::Error),
}

impl From<io::Error> for EncodeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Encode {
    pub(super) fn new(encoding: Encoding, four_bytes: bool) -> Self {
        // GBK's encoder differs from GB18030's in the euro sign (0x80, as Excel writes it) and in
        // having no four-byte characters, which are added here.
        let table = if encoding.is_chinese() { GBK } else { encoding.0 };
        Self { encoding, encoder: table.new_encoder(), four_bytes }
    }

    /// Appends the bytes of a text; `last` says that no text follows.
    pub(super) fn push(&mut self, text: &str, last: bool, out: &mut Vec<u8>) -> Result<(), char> {
        if self.encoding.is_utf8() {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        if self.encoding.is_utf16() {
            let little = self.encoding == Encoding::UTF_16LE;
            for unit in text.encode_utf16() {
                out.extend(if little { unit.to_le_bytes() } else { unit.to_be_bytes() });
            }
            return Ok(());
        }
        let mut rest = text;
        loop {
            out.reserve(rest.len().max(64));
            let (result, used) =
                self.encoder.encode_from_utf8_to_vec_without_replacement(rest, out, last);
            rest = &rest[used..];
            match result {
                EncoderResult::InputEmpty => return Ok(()),
                EncoderResult::OutputFull => {}
                EncoderResult::Unmappable(character) => {
                    if !(self.four_bytes && self.encoding.is_chinese()) {
                        return Err(character);
                    }
                    let mut utf8 = [0; 4];
                    out.extend_from_slice(&GB18030.encode(character.encode_utf8(&mut utf8)).0);
                }
            }
        }
    }

    /// Encodes all of a UTF-8 source and hands the bytes on in pieces.
    pub(super) fn all(
        mut self,
        mut source: impl Read,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), EncodeError> {
        let mut buffer = vec![0; PIECE];
        let (mut kept, mut out) = (0, Vec::new());
        loop {
            let read = source.read(&mut buffer[kept..])?;
            let bytes = &buffer[..kept + read];
            // A character may be cut by the end of the piece.
            let valid = str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
            let text = str::from_utf8(&bytes[..valid]).expect("checked up to there");
            out.clear();
            self.push(text, read == 0, &mut out).map_err(EncodeError::Lacks)?;
            sink(&out)?;
            if read == 0 {
                return Ok(());
            }
            let rest = bytes.len() - valid;
            buffer.copy_within(valid..valid + rest, 0);
            kept = rest;
        }
    }
}

/// The first character of a text that code page 936 (GBK, as Excel reads it) does not have.
pub(super) fn beyond_gbk(text: &str) -> Option<char> {
    if text.is_ascii() {
        return None;
    }
    Encode::new(Encoding::GB18030, false).push(text, true, &mut Vec::new()).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str, label: &str, four_bytes: bool) -> Result<Vec<u8>, char> {
        let mut out = Vec::new();
        let encoding = Encoding::for_label(label).unwrap();
        Encode::new(encoding, four_bytes).push(text, true, &mut out)?;
        Ok(out)
    }

    #[test]
    fn b13_each_encoding_writes_what_it_has_and_names_what_it_lacks() {
        assert_eq!(bytes("中€", "gbk", false).unwrap(), b"\xd6\xd0\x80");
        assert_eq!(bytes("a😀", "gb18030", false), Err('😀'));
        assert_eq!(bytes("a😀", "gbk", true).unwrap(), b"a\x94\x39\xfc\x36");
        assert_eq!(bytes("a😀", "utf-16le", false).unwrap(), b"a\0\x3d\xd8\x00\xde");
        assert_eq!(bytes("a", "utf-16be", false).unwrap(), b"\0a");
        assert_eq!(bytes("Köln", "latin1", false).unwrap(), b"K\xf6ln");
        assert_eq!(bytes("中", "latin1", false), Err('中'));
        assert_eq!(beyond_gbk("中文，是 €"), None);
        assert_eq!(beyond_gbk("好👍"), Some('👍'));
    }

    #[test]
    fn pieces_may_cut_characters() {
        let text = "字a".repeat(PIECE);
        let mut out = Vec::new();
        let sink = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        Encode::new(Encoding::GB18030, false).all(text.as_bytes(), sink).unwrap();
        assert_eq!(GB18030.decode(&out).0, text);
    }
}
