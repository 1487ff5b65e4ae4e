//! JSON string escapes, written straight into a byte buffer. UTF-8 stays as it is: `\u` escapes
//! make Chinese request files a quarter larger.

/// Appends a text as the inside of a JSON string, without the quotes.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len());
    let mut done = 0;
    while let Some(ahead) = next_special(&bytes[done..]) {
        let at = done + ahead;
        out.extend_from_slice(&bytes[done..at]);
        write_special(bytes[at], out);
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Appends a text as a JSON string with its quotes.
pub(super) fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Where the first byte stands that needs an escape. Eight bytes are tested at a time: most
/// cells have none at all.
fn next_special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in chunks.by_ref() {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks_exact gives eight bytes"));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let quote = zero_byte(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_byte(word ^ (ONES * u64::from(b'\\')));
        if control | quote | backslash != 0
            && let Some(inside) = chunk.iter().position(|byte| is_special(*byte))
        {
            return Some(at + inside);
        }
        at += 8;
    }
    chunks.remainder().iter().position(|byte| is_special(*byte)).map(|inside| at + inside)
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_special(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_single_byte_escapes_as_serde_does() {
        for code in 0..=0x17f_u32 {
            let text = format!("{}padpadpad", char::from_u32(code).unwrap());
            let mut out = Vec::new();
            quote(&text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }

    proptest! {
        #[test]
        fn any_text_escapes_as_serde_does(text in "(?s)[a\"\\\\\u{0}-\u{20}中😀é\u{80}]{0,40}") {
            let mut out = Vec::new();
            quote(&text, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
