//! Whether an image file goes on to its end: a broken copy or download is told from a good file
//! without decoding it. Each format says where it ends in its own way.

use super::sniff::Kind;

/// Whether the bytes hold the whole image. Bytes behind the end do not matter.
pub(super) fn is_whole(kind: Kind, bytes: &[u8]) -> bool {
    match kind {
        Kind::Jpeg => jpeg_ends(bytes),
        Kind::Png => png_ends(bytes).is_some(),
        Kind::Gif => gif_ends(bytes).is_some(),
        Kind::Webp => webp_ends(bytes),
    }
}

/// An end marker must stand behind the start of the scan; one before it may belong to a
/// thumbnail. It is looked for from the back, where it nearly always is.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let Some(scan) = jpeg_scan(bytes) else { return false };
    bytes[scan..].windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}

/// Where the first scan begins, found by walking the segments.
fn jpeg_scan(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        let marker = match bytes.get(at..at + 2)? {
            [0xff, 0xff] => {
                at += 1;
                continue;
            }
            [0xff, marker] => *marker,
            _ => return None,
        };
        at += 2;
        match marker {
            0x01 | 0xd0..=0xd8 => {}
            0xd9 => return None,
            _ => {
                let length = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
                at += usize::from(length);
                if marker == 0xda {
                    return Some(at).filter(|at| *at <= bytes.len());
                }
            }
        }
    }
}

/// Chunks of length, name, data and checksum, up to `IEND`.
fn png_ends(bytes: &[u8]) -> Option<()> {
    let mut at = 8_usize;
    loop {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        let name = bytes.get(at + 4..at + 8)?;
        at = at.checked_add(usize::try_from(length).ok()?)?.checked_add(12)?;
        if at > bytes.len() {
            return None;
        }
        if name == b"IEND" {
            return Some(());
        }
    }
}

/// Blocks up to the trailer; each block ends in sub-blocks that tell their own length.
fn gif_ends(bytes: &[u8]) -> Option<()> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        match *bytes.get(at)? {
            0x3b => return Some(()),
            0x21 => at += 2,
            0x2c => at += 11 + table(*bytes.get(at + 9)?),
            _ => return None,
        }
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += length + 1;
            if length == 0 {
                break;
            }
        }
    }
}

/// The header tells the length of all that follows it.
fn webp_ends(bytes: &[u8]) -> bool {
    let length = bytes.get(4..8).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
    length.is_some_and(|length| bytes.len() as u64 >= u64::from(length) + 8)
}
