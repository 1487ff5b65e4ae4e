//! Whether a table is the one that was asked: each row's hash against the one on record.

use std::cell::Cell;

use super::jobs::Found;
use crate::job::JobError;
use crate::shard::{RowHashes, RowsReader, low_half};
use crate::ui::CommandError;

/// The hashes of rows as they were asked; of each its low 32 bits, which are enough to see that
/// a table was edited or is another one.
#[derive(Debug, Default)]
pub(in crate::commands) enum RowCheck {
    /// Nothing is on record.
    #[default]
    Nothing,
    /// By row number, sorted. No row beyond four thousand million is ever looked up.
    ByRow(Vec<(u32, u32)>),
    /// In the order of the selected rows, which is the order in which they are asked about.
    InOrder {
        /// The hashes.
        hashes: Vec<u32>,
        /// How many were asked about.
        asked: Cell<usize>,
    },
}

impl RowCheck {
    /// Those of a job, from its row lists.
    pub(in crate::commands) fn of_job(
        found: &Found,
        store: &crate::store::Store,
    ) -> Result<Self, CommandError> {
        let mut hashes = Vec::new();
        for shard in store.shards(&found.job.key)? {
            let path = found.folder.rows_file(&shard.stem());
            for entry in RowsReader::open(&path).map_err(JobError::from)? {
                let entry = entry.map_err(JobError::from)?;
                if let Ok(row) = u32::try_from(entry.row) {
                    hashes.push((row, low_half(entry.row_hash)));
                }
            }
        }
        hashes.sort_unstable();
        Ok(Self::ByRow(hashes))
    }

    /// Those of request files of `convert`; only for the very selection they were made from.
    pub(in crate::commands) fn in_order(hashes: RowHashes) -> Self {
        match hashes {
            RowHashes::Read(hashes) => Self::InOrder { hashes, asked: Cell::new(0) },
            RowHashes::Spooled(_) => Self::Nothing,
        }
    }

    /// Whether the row is the one that was asked; yes for rows of which nothing is on record.
    pub(in crate::commands) fn fits(&self, row: u64, hash: u64) -> bool {
        match self {
            Self::Nothing => true,
            Self::ByRow(hashes) => {
                let at = hashes.partition_point(|(known, _)| u64::from(*known) < row);
                hashes
                    .get(at)
                    .is_none_or(|(known, kept)| u64::from(*known) != row || *kept == low_half(hash))
            }
            Self::InOrder { hashes, asked } => {
                let at = asked.replace(asked.get() + 1);
                hashes.get(at).is_none_or(|kept| *kept == low_half(hash))
            }
        }
    }
}
