//! What a file is by its first bytes, whatever its name says.

/// The image formats that every provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    Gif,
    Webp,
}

/// How far the text of an SVG file is searched for its tag.
const SVG_SEARCHED: usize = 1024;

/// The format of an image, or why it is not one that can be sent, as words that follow "image".
pub(super) fn kind(bytes: &[u8]) -> Result<Kind, &'static str> {
    let riff = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Ok(Kind::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Kind::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Kind::Gif),
        _ if riff => Ok(Kind::Webp),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => {
            Err("is TIFF, not JPEG, PNG, GIF or WebP")
        }
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Err("is BMP, not JPEG, PNG, GIF or WebP"),
        [b'%', b'P', b'D', b'F', ..] => Err("is PDF, not JPEG, PNG, GIF or WebP"),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Err(iso_media(brand)),
        _ => Err(text_or_unknown(bytes)),
    }
}

/// Whether bytes are a picture of any kind, also one that no provider takes.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    const OTHERS: [&str; 5] = ["TIFF", "BMP", "AVIF", "HEIC", "SVG"];
    match kind(bytes) {
        Ok(_) => true,
        Err(what) => OTHERS.iter().any(|other| what.contains(&format!("is {other},"))),
    }
}

/// HEIC and its kin are boxes as in films; the brand tells them apart.
fn iso_media(brand: &[u8]) -> &'static str {
    match brand.get(..4) {
        Some(b"avif" | b"avis") => "is AVIF, not JPEG, PNG, GIF or WebP",
        Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => {
            "is HEIC, not JPEG, PNG, GIF or WebP"
        }
        _ => "is a film, not JPEG, PNG, GIF or WebP",
    }
}

fn text_or_unknown(bytes: &[u8]) -> &'static str {
    let start = &bytes[..bytes.len().min(SVG_SEARCHED)];
    // The cut may fall inside of a character.
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    if !is_utf8 || start.contains(&0) {
        return "is of an unknown kind, not JPEG, PNG, GIF or WebP";
    }
    if start.windows(4).any(|window| window == b"<svg") {
        "is SVG, not JPEG, PNG, GIF or WebP"
    } else {
        "is text and not a picture"
    }
}
