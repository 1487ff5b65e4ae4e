//! Building a shard's request file from its row list and the job's copy of the table: always the
//! same bytes, so a file can be removed after its upload and made again.

use std::io::Write;
use std::path::Path;

use super::{JobError, JobFolder, Objections, Spec};
use crate::base::{AtomicFile, free_space};
use crate::request::CustomId;
use crate::shard::{RowEntry, RowsError, RowsReader};
use crate::store::ShardRecord;
use crate::table::{Position, Table};

/// Bytes that stay free on the disk whatever is built.
const SPARE: u64 = 64 << 20;

/// A request file on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltFile {
    /// Its bytes.
    pub bytes: u64,
    /// blake3 of its bytes.
    pub digest: String,
    /// Rows that could not be built although they could be planned: an image that vanished.
    pub lost: Vec<(u64, String)>,
}

/// Writes the request file of a shard, each request with what there is to object to the row's last
/// answer where that is what its rows are asked about. A row that cannot become a request any more is left out
/// and returned.
pub fn build_shard(
    spec: &Spec,
    table: &Table,
    folder: &JobFolder,
    job_key: &str,
    (shard, mut objections): (&ShardRecord, Option<&mut Objections<'_>>),
) -> Result<BuiltFile, JobError> {
    let path = folder.request_file(&shard.stem());
    require_space(folder.root(), shard.bytes)?;
    let mut compiled = spec.question.compile(table.headers())?;
    let entries = RowsReader::open(&folder.rows_file(&shard.stem()))?;
    let mut file = AtomicFile::create(&path).map_err(JobError::file("write", &path))?;
    let mut digest = blake3::Hasher::new();
    let mut built = BuiltFile { bytes: 0, digest: String::new(), lost: Vec::new() };
    let mut line = Vec::new();
    each_row(table, entries, |row, _| {
        line.clear();
        let id = CustomId { job6: job_key[..6].to_owned(), row: row.number(), round: shard.round }
            .to_string();
        let objection = match objections.as_mut().map(|all| all.of(row.number())).transpose() {
            Ok(objection) => objection,
            Err(reason) => {
                built.lost.push((row.number(), reason));
                return Ok(());
            }
        };
        match compiled.write_asked(row, (&id, objection.as_ref()), &mut line) {
            Ok(()) => {
                digest.update(&line);
                built.bytes += line.len() as u64;
                file.write_all(&line).map_err(JobError::file("write", &path))
            }
            Err(skip) => {
                built.lost.push((row.number(), skip.reason));
                Ok(())
            }
        }
    })?;
    file.commit().map_err(JobError::file("write", &path))?;
    built.digest = digest.finalize().to_hex().to_string();
    Ok(built)
}

/// Walks the rows of a list through the table, starting at the first one's place.
pub fn each_row(
    table: &Table,
    entries: impl IntoIterator<Item = Result<RowEntry, RowsError>>,
    mut visit: impl FnMut(&crate::table::Row, &RowEntry) -> Result<(), JobError>,
) -> Result<(), JobError> {
    let mut rows = None;
    for entry in entries {
        let entry = entry?;
        let rows = match &mut rows {
            Some(rows) => rows,
            None => rows.insert(table.rows_from(Position {
                row: entry.row,
                line: entry.line,
                offset: entry.offset,
            })?),
        };
        while let Some(row) = rows.next_row()? {
            if row.number() == entry.row {
                visit(row, &entry)?;
                break;
            }
        }
    }
    Ok(())
}

/// Refuses to begin what the disk cannot hold.
pub fn require_space(folder: &Path, needed: u64) -> Result<(), JobError> {
    let free = free_space(folder).map_err(JobError::file("look at", folder))?;
    let needed = needed + SPARE;
    if free < needed {
        return Err(JobError::NoSpace { folder: folder.to_owned(), needed, free });
    }
    Ok(())
}
