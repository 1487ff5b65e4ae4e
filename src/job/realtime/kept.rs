//! A shard's result file as it grows: lines wait until they are written, and those that the disk
//! did not take go on waiting.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::shared::Opened;
use crate::base::{DiskFile, sync_folder};
use crate::job::halt::Failures;
use crate::store::OutcomeRecord;

/// A shard as it grows.
pub(super) struct Kept {
    pub(super) opened: Opened,
    path: PathBuf,
    /// Made with the first line, or before.
    file: Option<DiskFile>,
    /// Bytes of the file, those in `lines` included.
    pub(super) bytes: u64,
    pub(super) lines: Vec<u8>,
    is_dirty: bool,
    /// Rows without an outcome in the account.
    pub(super) left: u64,
    /// Rows that have not come yet.
    pub(super) to_come: u64,
    /// The outcomes that are there, where all of them came in this run: it needs not ask for them.
    pub(super) records: Option<Vec<OutcomeRecord>>,
    /// What of its rows may stop the job.
    pub(super) failures: Failures,
}

impl Kept {
    /// A shard of which nothing is written yet, in this folder.
    pub(super) fn new(opened: Opened, results: &Path) -> Self {
        let path = results.join(&opened.file.0);
        Self {
            path,
            file: None,
            bytes: opened.file.1,
            lines: Vec::new(),
            is_dirty: false,
            left: opened.left,
            to_come: opened.left,
            records: (opened.done.0 == 0).then(Vec::new),
            failures: Failures::default(),
            opened,
        }
    }

    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens its file behind what is known of it.
    pub(super) fn open(&mut self) -> io::Result<&mut DiskFile> {
        if let Some(file) = self.file.take() {
            return Ok(self.file.insert(file));
        }
        let file = DiskFile::append(&self.path, self.opened.file.1)?;
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        Ok(self.file.insert(file))
    }

    /// Writes its lines; a kill from now on loses none of them. Of those that the disk does not
    /// take none is forgotten.
    pub(super) fn write_lines(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        let mut written = 0;
        let result = self.open().and_then(|file| write_all(file, &lines, &mut written));
        self.is_dirty |= written > 0;
        self.lines = lines;
        self.lines.drain(..written);
        result
    }

    /// Makes what was written survive a power loss.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| self.is_dirty) {
            file.sync_data()?;
            self.is_dirty = false;
        }
        Ok(())
    }

    /// Answers that are not written, or not to their end.
    pub(super) fn unwritten(&self) -> u64 {
        self.lines.split_inclusive(|byte| *byte == b'\n').count() as u64
    }
}

/// Writes all, and counts what was taken also where the rest is not.
fn write_all(file: &mut impl Write, bytes: &[u8], written: &mut usize) -> io::Result<()> {
    while *written < bytes.len() {
        match file.write(&bytes[*written..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(taken) => *written += taken,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much room left.
    struct Full(Vec<u8>, usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.1 - self.0.len()).min(3);
            self.0.extend(&bytes[..taken]);
            if taken == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_full_disk_took_is_not_written_twice() {
        let mut disk = Full(Vec::new(), 8);
        let mut written = 0;
        let error = write_all(&mut disk, b"one\ntwo\nthree\n", &mut written).unwrap_err();
        assert_eq!((error.kind(), written), (ErrorKind::StorageFull, 8));
        disk.1 = 100;
        write_all(&mut disk, &b"one\ntwo\nthree\n"[8..], &mut 0).unwrap();
        assert_eq!(disk.0, b"one\ntwo\nthree\n");
    }
}
