//! One line of a result file, as far as it takes to know whose it is.

use std::borrow::Cow;

use serde::Deserialize;

use crate::batch::decode_line;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line without byte order mark, surrounding blanks and line end, and how much stands before.
pub(super) fn content_of(line: &[u8]) -> (u64, &[u8]) {
    let marked = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let content = marked.trim_ascii_start();
    ((line.len() - content.len()) as u64, content.trim_ascii_end())
}

/// The part of a line that is needed for its place. The rest is checked to be JSON and passed by.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    custom_id: Cow<'a, str>,
}

/// The id of a line; `None` if the line cannot be read at all.
pub(super) fn custom_id(content: &[u8]) -> Option<Cow<'_, str>> {
    let head = std::str::from_utf8(content)
        .ok()
        .and_then(|text| serde_json::from_str::<Head<'_>>(text).ok().map(|head| head.custom_id));
    match head {
        Some(id) if !id.is_empty() => Some(id),
        // Numbers as ids and keys that stand twice are for the patient reader.
        _ => decode_line(content).ok().map(|line| Cow::Owned(line.custom_id)),
    }
}

/// Whether a line is one of a result file rather than a record of a table: people mix up the
/// arguments of `merge`.
pub fn looks_like_results(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Keys {
        #[serde(default)]
        custom_id: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        response: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        error: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        body: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Keys>(line.trim_start_matches('\u{feff}')).is_ok_and(|keys| {
        keys.custom_id.is_some()
            && keys.body.is_none()
            && (keys.response.is_some() || keys.error.is_some())
    })
}
