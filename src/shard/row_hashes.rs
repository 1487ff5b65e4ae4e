//! The hashes of the selected rows in a manifest: of each its low 32 bits, which are enough to
//! see that a table was edited, as base64 of little-endian numbers. A million rows are five
//! megabytes of it, so they go from row to disk and from disk to manifest, never into memory.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes encoded at a time: whole hashes, and a multiple of three, so that the pieces make one
/// base64 text.
const PIECE: usize = 3 << 14;

/// The hashes of rows, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowHashes {
    /// Read from a manifest.
    Read(Vec<u32>),
    /// On disk, to be written into a manifest.
    Spooled(PathBuf),
}

impl Default for RowHashes {
    fn default() -> Self {
        Self::Read(Vec::new())
    }
}

/// Takes the hashes of rows as they come.
#[derive(Debug)]
pub struct RowHashesWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl RowHashesWriter {
    /// Begins the file that holds them.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: BufWriter::new(File::create(path)?) })
    }

    /// Adds the hash of the next row.
    pub fn push(&mut self, hash: u64) -> io::Result<()> {
        self.file.write_all(&low_half(hash).to_le_bytes())
    }

    /// The hashes, as long as their file is there.
    pub fn finish(mut self) -> io::Result<RowHashes> {
        self.file.flush()?;
        Ok(RowHashes::Spooled(self.path))
    }
}

/// The half of a row's hash that is kept.
pub fn low_half(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl fmt::Display for RowHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(hashes) => hashes.chunks(PIECE / 4).try_for_each(|piece| {
                let bytes: Vec<u8> = piece.iter().flat_map(|hash| hash.to_le_bytes()).collect();
                f.write_str(&STANDARD.encode(bytes))
            }),
            Self::Spooled(path) => {
                let mut file = File::open(path).map_err(|_| fmt::Error)?;
                let mut piece = Vec::with_capacity(PIECE);
                loop {
                    piece.clear();
                    let part = Read::by_ref(&mut file).take(PIECE as u64).read_to_end(&mut piece);
                    if part.map_err(|_| fmt::Error)? == 0 {
                        return Ok(());
                    }
                    f.write_str(&STANDARD.encode(&piece))?;
                }
            }
        }
    }
}

impl Serialize for RowHashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowHashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Packed)
    }
}

struct Packed;

impl Visitor<'_> for Packed {
    type Value = RowHashes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64 of numbers of four bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RowHashes, E> {
        let unreadable = || E::custom("row_hashes cannot be read");
        let mut hashes = Vec::with_capacity(text.len() / 16 * 3);
        for piece in text.as_bytes().chunks(PIECE / 3 * 4) {
            let bytes = STANDARD.decode(piece).map_err(|_| unreadable())?;
            let (four, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(unreadable());
            }
            hashes.extend(four.iter().map(|four| u32::from_le_bytes(*four)));
        }
        Ok(RowHashes::Read(hashes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than one piece, and every remainder of a piece by three.
    #[test]
    fn hashes_go_through_a_manifest_piece_by_piece() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 2, 3, 12_287, 12_288, 12_289, 30_001_u64] {
            let path = folder.path().join("hashes");
            let mut writer = RowHashesWriter::create(&path).unwrap();
            let hashes: Vec<u64> =
                (0..count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            for hash in &hashes {
                writer.push(*hash).unwrap();
            }
            let text = serde_json::to_string(&writer.finish().unwrap()).unwrap();
            let read: RowHashes = serde_json::from_str(&text).unwrap();
            assert_eq!(read, RowHashes::Read(hashes.iter().map(|hash| low_half(*hash)).collect()));
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            let whole: Vec<u8> =
                hashes.iter().flat_map(|hash| low_half(*hash).to_le_bytes()).collect();
            assert_eq!(text, format!("\"{}\"", STANDARD.encode(whole)));
        }
        for damaged in ["\"MTIzNDU=\"", "\"?\"", "7"] {
            assert!(serde_json::from_str::<RowHashes>(damaged).is_err(), "{damaged}");
        }
    }
}
