//! Making an image smaller: the same bytes in give the same bytes out, so that a length that was
//! planned is the length that is written.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::ImageSize;
use super::sniff::Kind;

/// More pixels than this are not decoded: they would take half a gigabyte.
const MOST_PIXELS: u64 = 128_000_000;
/// JPEG quality of what is encoded anew; above it files grow and models see nothing more.
const QUALITY: u8 = 85;

/// An image made smaller.
pub(super) struct Small {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
    pub(super) size: ImageSize,
}

/// Makes an image fit into a square of that side. JPEG stays JPEG, all else becomes PNG (of
/// moving images the first picture). The turn that a camera noted is carried out, since the note
/// itself is lost. Errors are words that follow "image".
pub(super) fn fit(
    kind: Kind,
    bytes: &[u8],
    size: ImageSize,
    longest: u32,
) -> Result<Small, String> {
    if u64::from(size.width) * u64::from(size.height) > MOST_PIXELS {
        let ImageSize { width, height } = size;
        return Err(format!("has too many pixels to be made smaller ({width} x {height})"));
    }
    let damaged = |error: image::ImageError| format!("cannot be decoded ({error})");
    let small =
        decode(kind, bytes).map_err(damaged)?.resize(longest, longest, FilterType::Triangle);
    let size = ImageSize { width: small.width(), height: small.height() };
    let mut bytes = Vec::new();
    let kind = if kind == Kind::Jpeg {
        let small = DynamicImage::from(small.to_rgb8());
        small
            .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))
            .map_err(damaged)?;
        Kind::Jpeg
    } else {
        small.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(damaged)?;
        Kind::Png
    };
    Ok(Small { kind, bytes, size })
}

fn decode(kind: Kind, bytes: &[u8]) -> image::ImageResult<DynamicImage> {
    let format = match kind {
        Kind::Jpeg => ImageFormat::Jpeg,
        Kind::Png => ImageFormat::Png,
        Kind::Gif => ImageFormat::Gif,
        Kind::Webp => ImageFormat::WebP,
    };
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}
