//! The result files, read where an answer lies.

use std::io;
use std::ops::Range;
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
    window: Window,
}

/// Bytes of one file that were read together: where the lines of neighbours lie near each other, as
/// those of calls do, many are read at once.
#[derive(Debug, Default)]
struct Window {
    artifact: u32,
    /// Where its first byte lies in the file.
    from: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Bytes that are read at once.
    const SIZE: u64 = 1 << 16;
    /// Of these, the bytes before the line that is asked for: those of rows that follow.
    const BEFORE: u64 = 1 << 14;

    /// Where a line lies in it, if it does.
    fn find(&self, place: Place) -> Option<Range<usize>> {
        let start = usize::try_from(place.offset.checked_sub(self.from)?).ok()?;
        let end = start.checked_add(place.length as usize)?;
        (self.artifact == place.artifact && end <= self.bytes.len()).then_some(start..end)
    }

    /// Whether a line that is not in it comes soon after it. Lines in no order are read one by
    /// one.
    fn is_near(&self, place: Place) -> bool {
        let end =
            if self.artifact == place.artifact { self.from + self.bytes.len() as u64 } else { 0 };
        let is_behind = place.offset + u64::from(place.length) > end;
        is_behind && place.offset < end + Self::SIZE && u64::from(place.length) < Self::BEFORE
    }

    /// Reads the part of the file around a line; where the file ends sooner, as much as there is.
    fn read(&mut self, file: &DiskFile, place: Place) -> io::Result<()> {
        self.artifact = place.artifact;
        self.from = place.offset.saturating_sub(Self::BEFORE);
        self.bytes.resize(usize::try_from(Self::SIZE).expect("a small number"), 0);
        let read = file.read_at(&mut self.bytes, self.from);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        read.map(|_| ())
    }
}

impl Artifacts {
    /// Files in the order of their numbers; none is opened yet.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let open = paths.iter().map(|_| None).collect();
        Self { paths, open, opened: 0, buffer: Vec::new(), window: Window::default() }
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
        if let Some(range) = self.window.find(place) {
            return Ok(&self.window.bytes[range]);
        }
        match self.fill(place) {
            Ok(Some(range)) => Ok(&self.window.bytes[range]),
            Ok(None) => Ok(&self.buffer),
            Err(source) => {
                Err(ResultError::Read { path: self.path(place.artifact).to_owned(), source })
            }
        }
    }

    /// Reads a line: into the window, then this is where it lies there, or by itself.
    fn fill(&mut self, place: Place) -> io::Result<Option<Range<usize>>> {
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
        if self.window.is_near(place) {
            self.window.read(file, place)?;
            if let Some(range) = self.window.find(place) {
                return Ok(Some(range));
            }
        }
        self.buffer.resize(place.length as usize, 0);
        file.read_exact_at(&mut self.buffer, place.offset)?;
        Ok(None)
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
        let path = folder.path().join("long");
        let lines: Vec<String> = (0..9_000)
            .map(|n| format!("line {n} {}", "x".repeat(n % 997 * (n % 13) % 5_000)))
            .collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        let artifact = artifacts.push(path);
        let places: Vec<Place> = lines
            .iter()
            .scan(0, |offset, line| {
                let place =
                    Place { artifact, offset: *offset, length: u32::try_from(line.len()).unwrap() };
                *offset += line.len() as u64 + 1;
                Some(place)
            })
            .collect();
        let swapped = (0..lines.len()).map(|n| (n ^ 31).min(lines.len() - 1));
        let shuffled = (0..lines.len()).map(|n| n * 7_919 % lines.len());
        for number in (0..lines.len()).chain(swapped).chain(shuffled).chain((0..lines.len()).rev())
        {
            let read = artifacts.read(places[number]).unwrap();
            assert!(read == lines[number].as_bytes(), "line {number}");
        }
        let gone = Place { artifact: 9_999, offset: 0, length: 1 };
        assert!(artifacts.read(gone).is_err());
        let past = Place { artifact: 0, offset: 100, length: 1 };
        let error = artifacts.read(past).unwrap_err().to_string();
        assert!(error.contains(&paths[0].display().to_string()), "{error}");
    }
}
