//! blake3 in the few forms the other rooms use.

use std::io;
use std::path::Path;

use super::disk::DiskFile;

/// The digest of some bytes as 64 hex digits.
pub fn hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The digest of a whole file as 64 hex digits, read in pieces.
pub fn hex_of_file(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(DiskFile::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The first eight bytes of a digest as a number, for tables of row hashes.
pub fn short_hash(digest: &blake3::Hash) -> u64 {
    let bytes = digest.as_bytes();
    u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ])
}
