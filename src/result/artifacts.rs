//! The result files, read where an answer lies.

use std::io;
use std::path::{Path, PathBuf};

use super::ResultError;
use crate::base::DiskFile;

/// A job of thousands of shards has more files than a process may hold open.
const MOST_OPEN: usize = 64;

/// Where a result line lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which file, as numbered in [`Artifacts`].
    pub artifact: u32,
    /// The line's first byte.
    pub offset: u64,
    /// Its bytes without the line end.
    pub length: u32,
}

/// The result files of a merge, opened as they are needed.
#[derive(Debug)]
pub struct Artifacts {
    paths: Vec<PathBuf>,
    open: Vec<Option<DiskFile>>,
    opened: usize,
    buffer: Vec<u8>,
}

impl Artifacts {
    /// Files in the order of their numbers; none is opened yet.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let open = paths.iter().map(|_| None).collect();
        Self { paths, open, opened: 0, buffer: Vec::new() }
    }

    /// Adds a file and gives its number.
    pub fn push(&mut self, path: PathBuf) -> u32 {
        self.paths.push(path);
        self.open.push(None);
        u32::try_from(self.paths.len() - 1).unwrap_or(u32::MAX)
    }

    /// The path of a file.
    pub fn path(&self, artifact: u32) -> &Path {
        self.paths.get(artifact as usize).map_or(Path::new(""), PathBuf::as_path)
    }

    /// All paths in the order of their numbers.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The bytes of a line, valid until the next call.
    pub fn read(&mut self, place: Place) -> Result<&[u8], ResultError> {
        match self.fill(place) {
            Ok(()) => Ok(&self.buffer),
            Err(source) => {
                Err(ResultError::Read { path: self.path(place.artifact).to_owned(), source })
            }
        }
    }

    fn fill(&mut self, place: Place) -> io::Result<()> {
        let number = place.artifact as usize;
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no such artifact");
        let path = self.paths.get(number).ok_or_else(unknown)?;
        if self.open[number].is_none() {
            if self.opened >= MOST_OPEN {
                self.open.fill_with(|| None);
                self.opened = 0;
            }
            self.open[number] = Some(DiskFile::open(path)?);
            self.opened += 1;
        }
        let file = self.open[number].as_ref().ok_or_else(unknown)?;
        self.buffer.resize(place.length as usize, 0);
        file.read_exact_at(&mut self.buffer, place.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_from_more_files_than_stay_open() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> =
            (0..MOST_OPEN * 2 + 3).map(|n| folder.path().join(n.to_string())).collect();
        for (number, path) in paths.iter().enumerate() {
            std::fs::write(path, format!("first\nline {number}\n")).unwrap();
        }
        let mut artifacts = Artifacts::new(paths.clone());
        for number in (0..paths.len()).chain([0, 70, 5]) {
            let text = format!("line {number}");
            let place = Place {
                artifact: u32::try_from(number).unwrap(),
                offset: 6,
                length: u32::try_from(text.len()).unwrap(),
            };
            assert_eq!(artifacts.read(place).unwrap(), text.as_bytes());
            assert!(artifacts.open.iter().flatten().count() <= MOST_OPEN);
        }
        let gone = Place { artifact: 9_999, offset: 0, length: 1 };
        assert!(artifacts.read(gone).is_err());
        let past = Place { artifact: 0, offset: 100, length: 1 };
        let error = artifacts.read(past).unwrap_err().to_string();
        assert!(error.contains(&paths[0].display().to_string()), "{error}");
    }
}
