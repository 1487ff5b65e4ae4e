//! The bill: one JSON line for each batch that was created, each that was executed, and each
//! call that answers at once. Append-only, so that tests can judge what was paid for. Lines about the
//! latter wait in memory for a moment, and are written before any other line and before each read.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::base::{FileLock, LockError};

/// How long another process may hold the ledger before that is an error.
const PATIENCE: u32 = 10_000;

/// The ledger of one state folder.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    lock: PathBuf,
    /// Threads of this process queue here; other processes at the lock file.
    turn: Mutex<()>,
    /// Lines that are still to be written.
    pending: Mutex<Vec<u8>>,
}

impl Ledger {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("ledger.jsonl"),
            lock: state_dir.join("ledger.lock"),
            turn: Mutex::new(()),
            pending: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line at the next [`Ledger::flush`], which a kill may prevent.
    pub(super) fn append_soon(&self, line: &impl Serialize) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let before = pending.len();
        match serde_json::to_writer(&mut *pending, line) {
            Ok(()) => pending.push(b'\n'),
            // Lines have nothing in them that JSON has not.
            Err(_) => pending.truncate(before),
        }
    }

    /// Whether lines wait.
    pub(super) fn is_behind(&self) -> bool {
        !self.pending.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Writes the lines that wait.
    pub(super) fn flush(&self) -> io::Result<()> {
        if self.is_behind() { self.write(&[]) } else { Ok(()) }
    }

    /// Appends one line, behind those that wait.
    pub(super) fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        self.write(&whole)
    }

    /// What a killed writer left behind is cut off first. Lines that cannot be written are lost to
    /// the bill, as on a full disk.
    fn write(&self, line: &[u8]) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.wait_for_lock()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&self.path)?;
        cut_torn_end(&mut file)?;
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole = std::mem::take(&mut *pending);
        drop(pending);
        whole.extend_from_slice(line);
        file.write_all(&whole)
    }

    /// Whether there is a line that begins like this.
    pub(super) fn has(&self, start: &str) -> io::Result<bool> {
        let mut wanted = vec![start.to_owned()];
        self.drop_present(&mut wanted)?;
        Ok(wanted.is_empty())
    }

    /// Takes out of the list the beginnings that some line has.
    pub(super) fn drop_present(&self, starts: &mut Vec<String>) -> io::Result<()> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut line = Vec::new();
        while !starts.is_empty() && reader.read_until(b'\n', &mut line)? > 0 {
            if line.ends_with(b"\n") {
                starts.retain(|start| !line.starts_with(start.as_bytes()));
            }
            line.clear();
        }
        Ok(())
    }

    fn wait_for_lock(&self) -> io::Result<FileLock> {
        for _ in 0..PATIENCE {
            match FileLock::acquire(&self.lock) {
                Ok(lock) => return Ok(lock),
                Err(LockError::Held(_)) => std::thread::sleep(Duration::from_millis(1)),
                Err(LockError::Io { source, .. }) => return Err(source),
            }
        }
        Err(io::Error::other("another process keeps the ledger locked"))
    }
}

/// Leaves the file at the end of its last whole line.
fn cut_torn_end(file: &mut File) -> io::Result<()> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut byte = [0];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            break;
        }
        end -= 1;
    }
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_off_and_whole_ones_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path());
        assert!(!ledger.has("{").unwrap());
        ledger.append(br#"{"event":"created","batch":"a"}"#).unwrap();
        let mut torn = OpenOptions::new().append(true).open(ledger.path()).unwrap();
        torn.write_all(br#"{"event":"exec"#).unwrap();
        assert!(!ledger.has(r#"{"event":"exec"#).unwrap());
        ledger.append(br#"{"event":"created","batch":"b"}"#).unwrap();
        let text = std::fs::read_to_string(ledger.path()).unwrap();
        assert_eq!(
            text,
            "{\"event\":\"created\",\"batch\":\"a\"}\n{\"event\":\"created\",\"batch\":\"b\"}\n"
        );
        assert!(ledger.has(r#"{"event":"created","batch":"b""#).unwrap());
    }
}
