//! The manifest beside request files that were made without a job (`OUT.manifest.json`): all
//! that is needed to put answers back onto the table, and to see whether it is still that table.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RowHashes;
use crate::base::AtomicFile;
use crate::request::{Form, Question};

/// What request files were made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the rules by which the lines were built ([`crate::request::RULES`]).
    pub rules: u32,
    /// The first six characters of every id.
    pub job6: String,
    /// The table as it was named.
    pub table: PathBuf,
    /// The digest of the table's bytes, as 64 hex digits.
    pub table_digest: String,
    /// How the table was written; kept as the room of tables wrote it.
    pub shape: Value,
    /// Which rows were selected; kept as the room of tables wrote it.
    pub selection: Value,
    /// What was asked.
    pub question: Question,
    /// What each answer is to hold.
    #[serde(flatten)]
    pub form: Form,
    /// The request files, in order.
    pub files: Vec<ManifestFile>,
    /// Rows that made no request.
    pub skipped: Vec<SkippedRow>,
    /// The hashes of the selected rows.
    pub row_hashes: RowHashes,
    /// Members that a newer version wrote and this one does not know; they are written back.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One request file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its name, beside the manifest.
    pub name: String,
    /// Its lines.
    pub requests: u64,
    /// Its length.
    pub bytes: u64,
    /// The digest of its bytes, as 64 hex digits.
    pub digest: String,
}

/// A row that made no request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRow {
    /// The row in the table, from 0.
    pub row: u64,
    /// The line on which its record begins, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Why a manifest could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It could not be read or written.
    #[error("the manifest {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not a manifest.
    #[error("{path} is not a manifest of batchctl: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
}

impl Manifest {
    /// Writes the manifest; it appears under its name only when it is complete.
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        let io = |source| ManifestError::Io { path: path.to_owned(), source };
        let mut file = AtomicFile::create(path).map_err(io)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|error| io(error.into()))?;
        io::Write::write_all(&mut file, b"\n").map_err(io)?;
        file.commit().map_err(io)
    }

    /// Reads a manifest.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read(path)
            .map_err(|source| ManifestError::Io { path: path.to_owned(), source })?;
        let damaged = |message| ManifestError::Damaged { path: path.to_owned(), message };
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RULES;

    fn manifest() -> Manifest {
        Manifest {
            rules: RULES,
            job6: "k7f2qd".into(),
            table: "in.csv".into(),
            table_digest: "0".repeat(64),
            shape: serde_json::json!({"format": "csv", "later": [1]}),
            selection: serde_json::json!({"range": null}),
            question: Question::default(),
            form: Form { fields: Some("a,b.c".into()), ..Form::default() },
            files: vec![ManifestFile {
                name: "out.jsonl".into(),
                requests: 2,
                bytes: 600,
                digest: "1".repeat(64),
            }],
            skipped: vec![SkippedRow { row: 7, line: 9, reason: "image not found: a.png".into() }],
            row_hashes: RowHashes::Read(vec![1, u32::MAX, 0x1122_3344]),
            other: Map::new(),
        }
    }

    #[test]
    fn a_manifest_reads_back_with_what_it_does_not_know() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.manifest.json");
        let mut given = manifest();
        given.other.insert("from_a_newer_version".into(), 1.into());
        given.write(&path).unwrap();
        let read = Manifest::read(&path).unwrap();
        assert_eq!(read, given);
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"from_a_newer_version\": 1"));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let packed = serde_json::to_string(&manifest().row_hashes).unwrap();
        let text = serde_json::to_string(&manifest()).unwrap();
        std::fs::write(&path, text.replace(&packed, "\"MTIzNDU=\"")).unwrap();
        let error = Manifest::read(&path).unwrap_err().to_string();
        assert!(error.contains("row_hashes cannot be read"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        let error = Manifest::read(&path).unwrap_err().to_string();
        assert!(error.contains("a.json is not a manifest of batchctl: missing field"), "{error}");
        assert!(matches!(Manifest::read(Path::new("/gone/a")), Err(ManifestError::Io { .. })));
    }
}
