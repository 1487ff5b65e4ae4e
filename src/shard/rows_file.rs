//! The list of the rows of a shard (`shards/r1-s0003.rows`): a text file of one row a line, kept
//! until prune. With it a shard can be built again and its answers be matched.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use crate::base::{AtomicFile, DiskFile};

const HEADER: &str = "batchctl rows 1";
/// The last line, with the number of rows: a list that was cut short must not pass for a
/// shorter one, since its missing rows would be paid again.
const END: &str = "end";
const COLUMNS: usize = 6;

/// One row of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowEntry {
    /// The row in the table, from 0.
    pub row: u64,
    /// The line on which its record begins, from 1.
    pub line: u64,
    /// Where its record begins in the UTF-8 text, in bytes.
    pub offset: u64,
    /// The length of its request line in bytes, with the line feed.
    pub line_bytes: u64,
    /// The hash of its cells.
    pub row_hash: u64,
    /// The hash of all that decides its answer.
    pub content_key: [u8; 16],
}

/// Why a row list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The file could not be read.
    #[error("cannot read the row list {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not a row list that this program can read.
    #[error("the row list {path} is damaged at line {line}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        what: &'static str,
    },
}

/// Writes a row list; it appears under its name only when it is complete.
#[derive(Debug)]
pub struct RowsWriter {
    file: AtomicFile,
    rows: u64,
}

impl RowsWriter {
    /// Begins the list.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = AtomicFile::create(path)?;
        writeln!(file, "{HEADER}")?;
        Ok(Self { file, rows: 0 })
    }

    /// Adds a row.
    pub fn write(&mut self, entry: &RowEntry) -> io::Result<()> {
        let RowEntry { row, line, offset, line_bytes, row_hash, content_key } = entry;
        let key = u128::from_be_bytes(*content_key);
        writeln!(self.file, "{row} {line} {offset} {line_bytes} {row_hash:016x} {key:032x}")?;
        self.rows += 1;
        Ok(())
    }

    /// Makes the list durable, gives it its name, and tells how many rows it has.
    pub fn finish(mut self) -> io::Result<u64> {
        writeln!(self.file, "{END} {}", self.rows)?;
        self.file.commit()?;
        Ok(self.rows)
    }
}

/// Reads a row list, row by row.
#[derive(Debug)]
pub struct RowsReader {
    path: PathBuf,
    file: BufReader<DiskFile>,
    text: String,
    line: u64,
    rows: u64,
    done: bool,
}

impl RowsReader {
    /// Opens a list and checks its header.
    pub fn open(path: &Path) -> Result<Self, RowsError> {
        let io = |source| RowsError::Io { path: path.to_owned(), source };
        let file = BufReader::with_capacity(1 << 16, DiskFile::open(path).map_err(io)?);
        let mut reader = Self {
            path: path.to_owned(),
            file,
            text: String::new(),
            line: 0,
            rows: 0,
            done: false,
        };
        reader.read_line()?;
        if reader.text != HEADER {
            return Err(reader.damaged("it does not begin as a row list of version 1 does"));
        }
        Ok(reader)
    }

    fn read_line(&mut self) -> Result<(), RowsError> {
        self.text.clear();
        self.line += 1;
        let io = |source| RowsError::Io { path: self.path.clone(), source };
        self.file.read_line(&mut self.text).map_err(io)?;
        match self.text.pop() {
            Some('\n') => Ok(()),
            _ => Err(self.damaged("it is cut short")),
        }
    }

    fn read_entry(&mut self) -> Result<Option<RowEntry>, RowsError> {
        self.read_line()?;
        if let Some(count) = self.text.strip_prefix(END) {
            self.done = true;
            if count.trim().parse() != Ok(self.rows) {
                return Err(self.damaged("it does not have as many rows as it says"));
            }
            return Ok(None);
        }
        let entry = parse(&self.text).ok_or_else(|| self.damaged("it is no row"))?;
        self.rows += 1;
        Ok(Some(entry))
    }

    fn damaged(&self, what: &'static str) -> RowsError {
        RowsError::Damaged { path: self.path.clone(), line: self.line, what }
    }
}

impl Iterator for RowsReader {
    type Item = Result<RowEntry, RowsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let entry = self.read_entry();
        self.done |= entry.is_err();
        entry.transpose()
    }
}

fn parse(line: &str) -> Option<RowEntry> {
    let mut parts = [""; COLUMNS];
    let mut given = line.split(' ');
    for part in &mut parts {
        *part = given.next()?;
    }
    if given.next().is_some() {
        return None;
    }
    Some(RowEntry {
        row: parts[0].parse().ok()?,
        line: parts[1].parse().ok()?,
        offset: parts[2].parse().ok()?,
        line_bytes: parts[3].parse().ok()?,
        row_hash: u64::from_str_radix(parts[4], 16).ok()?,
        content_key: u128::from_str_radix(parts[5], 16).ok()?.to_be_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(row: u64) -> RowEntry {
        let content_key = u128::from(row).to_be_bytes();
        RowEntry {
            row,
            line: row + 2,
            offset: row * 9,
            line_bytes: 300,
            row_hash: !row,
            content_key,
        }
    }

    fn read(path: &Path) -> Result<Vec<RowEntry>, RowsError> {
        RowsReader::open(path)?.collect()
    }

    #[test]
    fn a_list_reads_back_and_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r1-s0003.rows");
        let mut writer = RowsWriter::create(&path).unwrap();
        writer.write(&entry(41)).unwrap();
        assert!(!path.exists(), "not before it is complete");
        assert_eq!(writer.finish().unwrap(), 1);
        assert_eq!(read(&path).unwrap(), [entry(41)]);
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "batchctl rows 1\n41 43 369 300 ffffffffffffffd6 00000000000000000000000000000029\nend 1\n"
        );
    }

    /// Cut anywhere or changed, a list is refused and never read as a shorter one.
    #[test]
    fn a_damaged_list_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rows");
        let mut writer = RowsWriter::create(&path).unwrap();
        for row in [1, 22, 333] {
            writer.write(&entry(row)).unwrap();
        }
        writer.finish().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(read(&path).is_err(), "cut at {length}");
        }
        let text = String::from_utf8(whole).unwrap();
        for (from, to, expected) in [
            ("rows 1", "rows 2", "line 1: it does not begin"),
            ("end 3", "end 4", "line 5: it does not have as many rows"),
            ("22 24", "22 x", "line 3: it is no row"),
            ("22 24", "22 24 25", "line 3: it is no row"),
        ] {
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(matches!(read(&folder.path().join("gone")), Err(RowsError::Io { .. })));
    }

    proptest! {
        #[test]
        fn any_entries_read_back(
            given in prop::collection::vec(any::<([u64; 5], u128)>(), 0..20)
        ) {
            let entries: Vec<RowEntry> = given
                .into_iter()
                .map(|([row, line, offset, line_bytes, row_hash], key)| RowEntry {
                    row, line, offset, line_bytes, row_hash, content_key: key.to_be_bytes(),
                })
                .collect();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.rows");
            let mut writer = RowsWriter::create(&path).unwrap();
            for entry in &entries {
                writer.write(entry).unwrap();
            }
            prop_assert_eq!(writer.finish().unwrap(), entries.len() as u64);
            prop_assert_eq!(read(&path).unwrap(), entries);
        }
    }
}
