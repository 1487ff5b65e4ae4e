//! Room on the disk that is set aside for the answers of calls that are out: a file that is given
//! up when the disk is full, so that what was paid for can still be written. It is no part of the
//! job; what a killed run left of it the next one takes over.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::base::{DiskFile, remove_file};

/// The least that is set aside: a few answers, and what the ledger needs to tell of them.
const LEAST: u64 = 256 << 10;
/// And the most.
const MOST: u64 = 64 << 20;
/// Bytes of an answer's line where none has come yet.
const USUAL_LINE: u64 = 2 << 10;
/// Bytes that are written at once.
const PIECE: usize = 256 << 10;

/// How much room the answers of so many calls take, going by the lines that came: twice their mean,
/// since some are longer.
pub(super) fn room_for(calls: u64, (lines, bytes): (u64, u64)) -> u64 {
    let mean = bytes.checked_div(lines).unwrap_or(USUAL_LINE);
    let wanted = calls.saturating_mul(mean).saturating_mul(2).clamp(LEAST, MOST);
    wanted.next_power_of_two()
}

/// The room of one run; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    file: Option<DiskFile>,
    bytes: u64,
}

impl Room {
    /// None yet; it is to be this file.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, file: None, bytes: 0 }
    }

    /// Sees to it that so many bytes are set aside. The error tells that the disk has no room for
    /// the answers that may come.
    pub(super) fn hold(&mut self, wanted: u64) -> io::Result<()> {
        if wanted <= self.bytes {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(DiskFile::create(&self.path)?),
        };
        // Some file systems write nothing at all for bytes that can be squeezed.
        let mut noise = blake3::Hasher::new().finalize_xof();
        let mut piece = vec![0; PIECE];
        noise.fill(&mut piece);
        while self.bytes < wanted {
            file.write_all(&piece)?;
            self.bytes += PIECE as u64;
        }
        Ok(())
    }

    /// Gives it up: whoever writes now may have it.
    pub(super) fn give_up(&mut self) {
        if self.file.take().is_some() {
            self.bytes = 0;
            // What stays is taken over by the next run.
            let _ = remove_file(&self.path);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_set_aside_and_given_up() {
        assert_eq!(room_for(0, (0, 0)), LEAST);
        assert_eq!(room_for(1_000, (0, 0)), 4 << 20, "1,000 lines as they usually are, twice");
        assert_eq!(room_for(1_000, (10, 10_000)), 2 << 20, "going by those that came");
        assert_eq!(room_for(u64::MAX, (1, u64::MAX)), MOST);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spare");
        std::fs::write(&path, "left by a killed run").unwrap();
        let mut room = Room::at(path.clone());
        room.hold(LEAST).unwrap();
        room.hold(LEAST / 2).unwrap();
        assert_eq!(path.metadata().unwrap().len(), LEAST);
        room.hold(2 * LEAST).unwrap();
        assert_eq!(path.metadata().unwrap().len(), 2 * LEAST);
        room.give_up();
        assert!(!path.exists());
        room.hold(LEAST).unwrap();
        drop(room);
        assert!(!path.exists());
    }
}
