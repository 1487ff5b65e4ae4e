//! Excel workbooks (`.xlsx`, `.xlsm`): one sheet becomes the UTF-8 text that all other formats
//! become, and back. Nothing is edited in place: styles, widths, formulas and further sheets of
//! the user's workbook are not carried over.
//!
//! The text is CSV in which quotes tell the type: a text is always quoted, numbers, dates, times,
//! percentages and truth values never are. That is how a job which keeps only this text can write
//! numbers as numbers and dates as dates, and ids that are texts as texts.

#[cfg(feature = "xlsx")]
mod read;
#[cfg(all(test, feature = "xlsx"))]
mod tests;
#[cfg_attr(not(feature = "xlsx"), allow(dead_code, reason = "half of it is for workbooks only"))]
pub(super) mod value;
#[cfg(feature = "xlsx")]
mod write;

use std::fs::File;
use std::io::Read;
use std::path::Path;

#[cfg(feature = "xlsx")]
pub(super) use read::read;
#[cfg(feature = "xlsx")]
pub(super) use write::write;

/// A workbook's sheet, read into a text file.
#[cfg(feature = "xlsx")]
#[derive(Debug)]
pub(super) struct Sheet {
    /// The sheet's name.
    pub(super) name: String,
    /// What the user should know about it.
    pub(super) notes: Vec<String>,
}

/// Whether a file is a zip archive that holds a workbook, whatever its name.
pub(super) fn is_workbook(path: &Path) -> bool {
    // The first entries are the parts of the format itself; a zip of anything else has neither.
    let mut head = Vec::with_capacity(1 << 16);
    let read = File::open(path).and_then(|file| file.take(1 << 16).read_to_end(&mut head));
    let has = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    read.is_ok()
        && head.starts_with(b"PK\x03\x04")
        && (has(b"[Content_Types].xml") || has(b"xl/") || has(b"_rels/.rels"))
        && !has(b"word/document.xml")
        && !has(b"ppt/presentation.xml")
}
