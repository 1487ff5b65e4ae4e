//! Cutting requests into files that a provider takes, and remembering which row went where: the
//! row list of a shard, and the manifest of files that leave without a job.
//!
//! Plain values and text files; nothing here builds a request or sends one.

mod limits;
mod manifest;
mod row_hashes;
mod rows_file;

pub use limits::{Cut, Cutter, Limits};
pub use manifest::{Manifest, ManifestError, ManifestFile, SkippedRow};
pub use row_hashes::{RowHashes, RowHashesWriter, low_half};
pub use rows_file::{RowEntry, RowsError, RowsReader, RowsWriter};
