//! Whether a table is the one that was asked: each row's hash against the one on record.

use std::cell::Cell;

use super::jobs::Found;
use crate::job::JobError;
use crate::shard::{Manifest, RowsReader};
use crate::ui::CommandError;

/// The hashes of rows as they were asked; of each its low 32 bits, which are enough to see that
/// a table was edited or is another one.
#[derive(Debug, Default)]
pub(in crate::commands) enum RowCheck {
    /// Nothing is on record.
    #[default]
    Nothing,
    /// By row number, sorted.
    ByRow(Vec<(u64, u32)>),
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
                hashes.push((entry.row, low(entry.row_hash)));
            }
        }
        hashes.sort_unstable();
        Ok(Self::ByRow(hashes))
    }

    /// Those of request files of `convert`; only for the very selection they were made from.
    pub(in crate::commands) fn of_manifest(manifest: &Manifest, same_selection: bool) -> Self {
        match manifest.row_hashes() {
            Some(hashes) if same_selection => Self::InOrder { hashes, asked: Cell::new(0) },
            _ => Self::Nothing,
        }
    }

    /// Whether the row is the one that was asked; yes for rows of which nothing is on record.
    pub(in crate::commands) fn fits(&self, row: u64, hash: u64) -> bool {
        match self {
            Self::Nothing => true,
            Self::ByRow(hashes) => {
                let at = hashes.partition_point(|(known, _)| *known < row);
                hashes.get(at).is_none_or(|(known, kept)| *known != row || *kept == low(hash))
            }
            Self::InOrder { hashes, asked } => {
                let at = asked.replace(asked.get() + 1);
                hashes.get(at).is_none_or(|kept| *kept == low(hash))
            }
        }
    }
}

fn low(hash: u64) -> u32 {
    let bytes = hash.to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
