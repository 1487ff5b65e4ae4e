//! What an image cell may hold: an address, a data URL, or a path.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::{Skip, SkipKind};
use super::{ImageSize, size_of, sniff};

/// So much of a data URL is decoded to see what it holds; a multiple of four. Headers of JPEG
/// files can be long, as they may carry a thumbnail.
const LOOKED_AT: usize = 1 << 18;
/// So much of a data URL is shown in a message.
const SHOWN: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    Url(&'a str),
    Data(&'a str),
    Path(&'a str),
}

impl<'a> Reference<'a> {
    pub(super) fn of(cell: &'a str) -> Self {
        let starts = |scheme: &str| {
            cell.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if starts("http://") || starts("https://") {
            Self::Url(cell)
        } else if starts("data:") {
            Self::Data(cell)
        } else {
            Self::Path(cell)
        }
    }
}

/// Checks that a data URL holds an image in base64 that providers take, and tells its pixels.
pub(super) fn check_data_url(url: &str, max_bytes: u64) -> Result<Option<ImageSize>, Skip> {
    let unfit = |what: &str| {
        let start: String = url.chars().take(SHOWN).collect();
        Skip::new(SkipKind::ImageUnfit, format!("image {what}: {start}…"))
    };
    let (_, data) = (url.split_once(','))
        .filter(|(label, _)| label.to_ascii_lowercase().ends_with(";base64"))
        .ok_or_else(|| unfit("is a data URL without base64"))?;
    let digits = data.trim_end_matches('=').as_bytes();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if !data.len().is_multiple_of(4)
        || data.len() - digits.len() > 2
        || !digits.iter().all(is_digit)
    {
        return Err(unfit("is a data URL with damaged base64"));
    }
    if data.len() as u64 / 4 * 3 > max_bytes.saturating_add(2) {
        return Err(unfit("is too large"));
    }
    let start = STANDARD
        .decode(&data[..data.len().min(LOOKED_AT)])
        .map_err(|_| unfit("is a data URL with damaged base64"))?;
    sniff::kind(&start).map_err(unfit)?;
    Ok(size_of(&start))
}

/// The pixels of an image in a data URL, by its header; `None` where that does not tell.
pub fn size_of_data_url(url: &str) -> Option<ImageSize> {
    let (_, data) = url.split_once(";base64,")?;
    let start = data.as_bytes().get(..data.len().min(LOOKED_AT))?;
    size_of(&STANDARD.decode(start).ok()?)
}
