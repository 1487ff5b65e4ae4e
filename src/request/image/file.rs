//! Reading one file with a bound on its size.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use super::super::{Skip, SkipKind};

/// What tells whether a file is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// The stamp of a file as it is now.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// Reads a regular file of at most `max_bytes` into the buffer. Nothing else is even opened: a
/// FIFO would block for ever. `cell` is what messages call the file.
pub(super) fn read(
    path: &Path,
    cell: &str,
    max_bytes: u64,
    buffer: &mut Vec<u8>,
) -> Result<Stamp, Skip> {
    let unfit = |what: String| Skip::new(SkipKind::ImageUnfit, format!("image {what}: {cell}"));
    let failed = |error: std::io::Error| unfit(format!("cannot be read ({error})"));
    let check = |metadata: &Metadata| match metadata.len() {
        _ if !metadata.is_file() => Err(unfit("is not a regular file".to_owned())),
        0 => Err(unfit("is an empty file".to_owned())),
        size if size > max_bytes => {
            Err(unfit(format!("is too large ({size} bytes, at most {max_bytes})")))
        }
        size => Ok(size),
    };
    check(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let size = check(&metadata)?;
    buffer.clear();
    let read = file.take(size + 1).read_to_end(buffer).map_err(failed)?;
    if read as u64 != size {
        return Err(unfit("changed while it was read".to_owned()));
    }
    Ok(Stamp::from(&metadata))
}
