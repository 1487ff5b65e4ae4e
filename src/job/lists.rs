//! The lists of the rows of a plan's shards, as they grow and as shards are cut anew. Where no
//! job follows, nothing is listed: a million rows would be written only to be removed again.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use super::{JobError, JobFolder, Most};
use crate::shard::{RowEntry, RowsReader, RowsWriter};
use crate::store::NewShard;

/// Where the row lists of a plan go.
#[derive(Debug, Clone, Copy)]
pub enum Lists<'a> {
    /// Into a job's folder: its request files are built from them.
    In(&'a JobFolder),
    /// Nowhere: nothing is built.
    Nowhere,
}

impl<'a> Lists<'a> {
    /// The folder they go into, if they go anywhere.
    pub(super) fn folder(self) -> Option<&'a JobFolder> {
        match self {
            Self::In(folder) => Some(folder),
            Self::Nowhere => None,
        }
    }
}

/// The lists of one plan.
pub(super) enum Listing<'a> {
    /// One file a shard; that of the last one may be open.
    Files {
        /// Where they lie.
        folder: &'a JobFolder,
        /// The list that grows.
        open: Option<RowsWriter>,
        /// Those that are made durable while the next one grows.
        closing: Closing,
    },
    /// Only how long each request's line is, for shards that may have to be cut anew.
    Lengths(Vec<u32>),
    /// Nothing: no shard will be cut anew.
    Nothing,
}

/// Lists that are made durable by threads of their own: the disk takes longer than the rows of the
/// next one. Dropped, it waits for them.
#[derive(Debug, Default)]
pub(super) struct Closing(VecDeque<JoinHandle<io::Result<u64>>>);

impl Closing {
    /// Lists at once.
    const MOST: usize = 2;

    fn begin(&mut self, writer: RowsWriter) -> io::Result<()> {
        if self.0.len() >= Self::MOST {
            self.wait_for_one()?;
        }
        self.0.push_back(thread::Builder::new().spawn(move || writer.finish())?);
        Ok(())
    }

    fn wait_for_one(&mut self) -> io::Result<bool> {
        let Some(first) = self.0.pop_front() else { return Ok(false) };
        first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(true)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        for left in self.0.drain(..) {
            // Whoever wanted to know how it ends has asked.
            let _ = left.join();
        }
    }
}

/// The rows of one shard.
pub(super) enum Listed<'a> {
    /// As they stand in its list, and the folder of the list.
    Entries(&'a JobFolder, Vec<RowEntry>),
    /// The lengths of their lines.
    Lengths(&'a [u32]),
}

impl<'a> Listing<'a> {
    /// Lists without a row. What may have to be cut anew needs lengths.
    pub(super) fn begin(lists: Lists<'a>, most: Most) -> Self {
        match lists {
            Lists::In(folder) => Self::Files { folder, open: None, closing: Closing::default() },
            Lists::Nowhere if most.may_cut() => Self::Lengths(Vec::new()),
            Lists::Nowhere => Self::Nothing,
        }
    }

    /// Begins the list of a shard.
    pub(super) fn open(&mut self, shard: &NewShard) -> Result<(), JobError> {
        if let Self::Files { folder, open, .. } = self {
            let path = list(folder, shard);
            *open = Some(RowsWriter::create(&path).map_err(JobError::file("write", &path))?);
        }
        Ok(())
    }

    /// Adds a row to the list that is open.
    pub(super) fn add(&mut self, entry: &RowEntry) -> Result<(), JobError> {
        match self {
            Self::Files { folder, open, .. } => {
                let writer = open.as_mut().expect("a shard's list is opened before its rows");
                writer.write(entry).map_err(JobError::file("write", folder.root()))?;
            }
            // No provider takes a line of 4 GB.
            Self::Lengths(all) => all.push(u32::try_from(entry.line_bytes).unwrap_or(u32::MAX)),
            Self::Nothing => {}
        }
        Ok(())
    }

    /// Completes the list that is open, if one is; [`Self::wait`] tells that it is durable.
    pub(super) fn close(&mut self) -> Result<(), JobError> {
        if let Self::Files { folder, open, closing } = self
            && let Some(writer) = open.take()
        {
            closing.begin(writer).map_err(JobError::file("write", folder.root()))?;
        }
        Ok(())
    }

    /// Waits until all lists that were closed are durable.
    pub(super) fn wait(&mut self) -> Result<(), JobError> {
        if let Self::Files { folder, closing, .. } = self {
            while closing.wait_for_one().map_err(JobError::file("write", folder.root()))? {}
        }
        Ok(())
    }

    /// The rows of a shard before which so many rows stand in other shards.
    pub(super) fn of(&self, shard: &NewShard, before: usize) -> Result<Listed<'_>, JobError> {
        match self {
            Self::Files { folder, .. } => {
                let entries = RowsReader::open(&list(folder, shard))?.collect::<Result<_, _>>()?;
                Ok(Listed::Entries(folder, entries))
            }
            Self::Lengths(all) => {
                let rows = usize::try_from(shard.rows).unwrap_or(usize::MAX);
                let rest = all.get(before..).unwrap_or_default();
                Ok(Listed::Lengths(&rest[..rows.min(rest.len())]))
            }
            Self::Nothing => Ok(Listed::Lengths(&[])),
        }
    }

    /// Puts the lists of new parts in the place of the old ones.
    pub(super) fn replace(&self, parts: &[NewShard]) -> Result<(), JobError> {
        let Self::Files { folder, .. } = self else { return Ok(()) };
        for part in parts {
            let (from, to) = (aside(folder, part), list(folder, part));
            fs::rename(&from, &to).map_err(JobError::file("write", &to))?;
        }
        Ok(())
    }
}

impl Listed<'_> {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Entries(_, entries) => entries.len(),
            Self::Lengths(lengths) => lengths.len(),
        }
    }

    /// The length of the lines of these rows together.
    pub(super) fn bytes(&self, rows: Range<usize>) -> u64 {
        match self {
            Self::Entries(_, entries) => entries[rows].iter().map(|row| row.line_bytes).sum(),
            Self::Lengths(lengths) => lengths[rows].iter().copied().map(u64::from).sum(),
        }
    }

    /// Lists these rows as those of a part, beside the lists that are there.
    pub(super) fn set_aside(&self, rows: Range<usize>, part: &NewShard) -> Result<(), JobError> {
        let Self::Entries(folder, entries) = self else { return Ok(()) };
        let path = aside(folder, part);
        let write = || {
            let mut writer = RowsWriter::create(&path)?;
            entries[rows].iter().try_for_each(|entry| writer.write(entry))?;
            writer.finish()
        };
        write().map(|_| ()).map_err(JobError::file("write", &path))
    }
}

fn list(folder: &JobFolder, shard: &NewShard) -> PathBuf {
    folder.rows_file(&shard.as_record().stem())
}

fn aside(folder: &JobFolder, part: &NewShard) -> PathBuf {
    folder.rows_file(&format!("cut-{}", part.number))
}
