//! Request files without a job, in one pass: each line is written as soon as it is built, and
//! the file is cut by what was written. A second thread hashes and writes, so that the first
//! only reads and builds. No file has its name before the caller gives it one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::plan::{REPORT_EVERY, digest_of};
use super::{Event, JobError, Reporter, Spec, Tally, key_of_digest, require_space, visit_selected};
use crate::base::{AtomicFile, SealedFile};
use crate::request::{Compiled, CustomId, Skip, SkipKind};
use crate::shard::{Cut, Cutter, Limits, RowHashes, RowHashesWriter};
use crate::table::{Row, Table};

/// Bytes handed to the writing thread at a time; a longer line goes as a whole.
const BLOCK: usize = 1 << 20;
/// Blocks that wait for the writing thread: two more are in work.
const WAITING: usize = 2;

/// A complete request file.
#[derive(Debug)]
pub struct RequestFile {
    /// The file; it has no name yet.
    pub file: SealedFile,
    /// Its lines.
    pub requests: u64,
    /// Its length.
    pub bytes: u64,
    /// blake3 of its bytes, as 64 hex digits.
    pub digest: String,
}

/// A table as request files.
#[derive(Debug)]
pub struct Converted {
    /// What became of the rows.
    pub tally: Tally,
    /// The first six characters of every id: out of the table and the options, so that the same
    /// command gives the same ids.
    pub job6: String,
    /// The files in order.
    pub files: Vec<RequestFile>,
    /// The hashes of all selected rows.
    pub row_hashes: RowHashes,
}

impl Converted {
    /// Lines in all files.
    pub fn requests(&self) -> u64 {
        self.files.iter().map(|file| file.requests).sum()
    }
}

/// Where [`convert`] writes.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The path of a request file, by its number from 1.
    pub file: &'a (dyn Fn(u64) -> PathBuf + Sync),
    /// Where the hashes of rows may lie until the manifest is written.
    pub scratch: &'a Path,
}

/// Builds the request files of a table.
pub fn convert(
    spec: &Spec,
    table: &Table,
    limits: &Limits,
    places: Places<'_>,
    reporter: &dyn Reporter,
) -> Result<Converted, JobError> {
    let hashes = places.scratch.join("row-hashes");
    let hashes = RowHashesWriter::create(&hashes).map_err(JobError::file("write", &hashes))?;
    thread::scope(|scope| {
        let (to_writer, blocks) = sync_channel(WAITING);
        let (give_back, empty) = channel();
        let writing = scope.spawn(move || write_files(&blocks, &give_back, places));
        let mut builder = Builder {
            compiled: spec.question.compile(table.headers())?,
            cutter: Cutter::new(*limits),
            job6: key_of_digest(&digest_of_input(spec))[..6].to_owned(),
            id: String::new(),
            block: Block::default(),
            to_writer,
            empty,
            hashes,
            tally: Tally::default(),
        };
        let built = visit_selected(table, &spec.selection, |row| {
            builder.take(row, reporter).map_err(|error| error.at(places.scratch))
        });
        let finished = built.and_then(|()| builder.finish(places.scratch));
        // What the writing thread says comes first: it is why building stopped.
        let files = writing.join().expect("the writing thread does not panic")?;
        let (tally, job6, row_hashes) = finished?;
        Ok(Converted { tally, job6, files, row_hashes })
    })
}

/// The digest of input and options.
fn digest_of_input(spec: &Spec) -> String {
    let mut hasher = digest_of(spec);
    hasher.update(spec.source_digest.as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// Whole lines of one file.
#[derive(Debug, Default)]
struct Block {
    lines: Vec<u8>,
    requests: u64,
    /// Whether the file ends here.
    is_last: bool,
}

/// Why building stops.
enum Halt {
    /// The writing thread has stopped and says why.
    Writer,
    /// The hashes of rows cannot be written.
    Hashes(io::Error),
}

impl Halt {
    fn at(self, scratch: &Path) -> JobError {
        let error = match self {
            Self::Writer => io::ErrorKind::BrokenPipe.into(),
            Self::Hashes(error) => error,
        };
        JobError::file("write", scratch)(error)
    }
}

struct Builder {
    compiled: Compiled,
    cutter: Cutter,
    job6: String,
    id: String,
    block: Block,
    to_writer: SyncSender<Block>,
    /// Written buffers come back to be used again.
    empty: Receiver<Vec<u8>>,
    hashes: RowHashesWriter,
    tally: Tally,
}

impl Builder {
    fn take(&mut self, row: &Row, reporter: &dyn Reporter) -> Result<(), Halt> {
        self.tally.rows += 1;
        if self.tally.rows.is_multiple_of(REPORT_EVERY) {
            reporter.report(&Event::Planning { rows: self.tally.rows });
        }
        self.hashes.push(row.hash()).map_err(Halt::Hashes)?;
        let start = self.block.lines.len();
        match self.build(row) {
            Ok(Cut::Same) => {}
            Ok(Cut::New) => self.begin_file(start)?,
            Err(skip) => {
                self.block.lines.truncate(start);
                self.tally.skip(row, skip);
                return Ok(());
            }
        }
        self.block.requests += 1;
        if self.block.lines.len() >= BLOCK { self.send() } else { Ok(()) }
    }

    /// Appends the row's line to the block.
    fn build(&mut self, row: &Row) -> Result<Cut, Skip> {
        if let Some(fault) = row.fault() {
            return Err(Skip::new(SkipKind::Ragged, fault.to_string()));
        }
        let lines = &mut self.block.lines;
        let start = lines.len();
        self.id.clear();
        CustomId::write(&self.job6, row.number(), 1, &mut self.id);
        self.compiled.write_line(row, &self.id, lines)?;
        self.cutter.push((lines.len() - start) as u64)
    }

    /// The line from `start` on belongs to the next file.
    fn begin_file(&mut self, start: usize) -> Result<(), Halt> {
        let mut next = self.empty.try_recv().unwrap_or_default();
        next.extend_from_slice(&self.block.lines[start..]);
        self.block.lines.truncate(start);
        self.block.is_last = true;
        self.send()?;
        self.block.lines = next;
        Ok(())
    }

    fn send(&mut self) -> Result<(), Halt> {
        let empty = self.empty.try_recv().unwrap_or_default();
        let next = Block { lines: empty, ..Block::default() };
        self.to_writer.send(std::mem::replace(&mut self.block, next)).map_err(|_| Halt::Writer)
    }

    fn finish(mut self, scratch: &Path) -> Result<(Tally, String, RowHashes), JobError> {
        self.block.is_last = true;
        self.send().map_err(|halt| halt.at(scratch))?;
        self.tally.finish(&self.compiled);
        let hashes = self.hashes.finish().map_err(JobError::file("write", scratch))?;
        Ok((self.tally, self.job6, hashes))
    }
}

/// Writes blocks to their files until the builder ends. Files of no line are not made; dropped
/// on an error, the files that are complete go too.
fn write_files(
    blocks: &Receiver<Block>,
    give_back: &Sender<Vec<u8>>,
    places: Places<'_>,
) -> Result<Vec<RequestFile>, JobError> {
    let mut files = Vec::new();
    let mut open: Option<OpenFile> = None;
    for Block { mut lines, requests, is_last } in blocks {
        if !lines.is_empty() {
            let file = match &mut open {
                Some(file) => file,
                None => open.insert(OpenFile::create((places.file)(files.len() as u64 + 1))?),
            };
            file.write(&lines, requests)?;
        }
        if is_last && let Some(file) = open.take() {
            files.push(file.finish()?);
        }
        lines.clear();
        // The builder may have ended already; then nobody needs the buffer.
        let _ = give_back.send(lines);
    }
    Ok(files)
}

struct OpenFile {
    path: PathBuf,
    file: AtomicFile,
    digest: blake3::Hasher,
    requests: u64,
    bytes: u64,
}

impl OpenFile {
    fn create(path: PathBuf) -> Result<Self, JobError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        require_space(folder.unwrap_or(Path::new(".")), 0)?;
        let file = AtomicFile::create(&path).map_err(JobError::file("write", &path))?;
        Ok(Self { path, file, digest: blake3::Hasher::new(), requests: 0, bytes: 0 })
    }

    fn write(&mut self, lines: &[u8], requests: u64) -> Result<(), JobError> {
        self.digest.update(lines);
        self.requests += requests;
        self.bytes += lines.len() as u64;
        self.file.write_all(lines).map_err(JobError::file("write", &self.path))
    }

    fn finish(self) -> Result<RequestFile, JobError> {
        Ok(RequestFile {
            file: self.file.seal().map_err(JobError::file("write", &self.path))?,
            requests: self.requests,
            bytes: self.bytes,
            digest: self.digest.finalize().to_hex().to_string(),
        })
    }
}
