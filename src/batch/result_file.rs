//! A result file read line by line, whatever is in it: a byte order mark, blank lines, bytes that
//! are not UTF-8, a last line that was cut. Nothing in the content stops the reading; only the
//! disk can.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::base::DiskFile;

use super::{BadLine, ResultLine, decode_line};

const BUFFER: usize = 256 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line of a result file: where it begins in bytes (after a byte order mark), its bytes without
/// the line end, and what it says or why it is set aside.
pub type PlacedLine = (u64, u64, Result<ResultLine, BadLine>);

/// Iterates over the lines of an output or error file. Memory: one buffer and the longest line.
#[derive(Debug)]
pub struct ResultFile<R = BufReader<DiskFile>> {
    reader: R,
    offset: u64,
    line: Vec<u8>,
}

impl ResultFile<BufReader<DiskFile>> {
    /// Opens a file on disk.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufReader::with_capacity(BUFFER, DiskFile::open(path)?)))
    }
}

impl<R: BufRead> ResultFile<R> {
    /// Reads from anything that is buffered; offsets count from where it stands.
    pub fn new(reader: R) -> Self {
        Self { reader, offset: 0, line: Vec::new() }
    }

    /// The bytes of the line that was last yielded, as the provider wrote it.
    pub fn raw(&self) -> &[u8] {
        content_of(&self.line, 0).1
    }

    /// The next line that is not blank; `None` at the end of the file.
    pub fn next_line(&mut self) -> io::Result<Option<PlacedLine>> {
        loop {
            let start = self.offset;
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.offset += read as u64;
            let is_ended = self.line.ends_with(b"\n");
            let (offset, content) = content_of(&self.line, start);
            if content.is_empty() {
                continue;
            }
            let line = match decode_line(content) {
                // A complete object without a line end is a whole line; the rest of one is not.
                Err(BadLine::NotJson(_)) if !is_ended => Err(BadLine::Unfinished),
                line => line,
            };
            return Ok(Some((offset, content.len() as u64, line)));
        }
    }
}

impl<R: BufRead> Iterator for ResultFile<R> {
    type Item = io::Result<PlacedLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// A line without byte order mark, surrounding blanks and line end, and where that begins.
fn content_of(line: &[u8], start: u64) -> (u64, &[u8]) {
    let marked = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let content = marked.trim_ascii_start();
    (start + (line.len() - content.len()) as u64, content.trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<PlacedLine> {
        ResultFile::new(bytes).map(|line| line.unwrap()).collect()
    }

    /// Places are what the merge reads again, so they must point at the exact bytes.
    #[test]
    fn field_22_23_bad_lines_are_set_aside_and_the_rest_is_read_at_its_place() {
        let good = br#"{"custom_id":"row-1","response":{"body":{"choices":[{"message":{"content":"a"}}]}}}"#;
        let mut file = BYTE_ORDER_MARK.to_vec();
        file.extend_from_slice(good);
        file.extend_from_slice(
            b"\r\n\n  \r\n{\"custom_id\": broken}\n{\"id\":\"x\"}\n\xff\xfe{}\n[1]\n",
        );
        file.extend_from_slice(good);
        file.extend_from_slice(b"\n{\"custom_id\":\"row-2\",\"respo");
        let lines = read(&file);
        let kinds: Vec<&str> = lines
            .iter()
            .map(|(_, _, line)| match line {
                Ok(_) => "ok",
                Err(BadLine::NotJson(_)) => "not json",
                Err(BadLine::NoCustomId) => "no id",
                Err(BadLine::Unfinished) => "unfinished",
            })
            .collect();
        assert_eq!(kinds, ["ok", "not json", "no id", "not json", "not json", "ok", "unfinished"]);
        for (offset, length, _) in lines.iter().filter(|(_, _, line)| line.is_ok()) {
            let start = usize::try_from(*offset).unwrap();
            let end = start + usize::try_from(*length).unwrap();
            assert_eq!(&file[start..end], good);
        }
    }

    #[test]
    fn a_complete_last_line_without_line_end_counts() {
        let lines =
            read(br#"{"custom_id":"row-1","error":{"code":"batch_expired","message":"m"}}"#);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].2.is_ok());
        assert!(read(b"").is_empty());
        assert!(read(BYTE_ORDER_MARK).is_empty(), "a zero-line error file");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(bytes: Vec<u8>) {
            for (offset, length, _) in read(&bytes) {
                proptest::prop_assert!(offset + length <= bytes.len() as u64);
            }
        }
    }
}
