//! Rows of a job that were not sent, for a merge of its result files: their answers stand under
//! the id of another row, or came with an earlier job.

use crate::answer::RowStatus;
use crate::commands::steps::Found;
use crate::result::{MergeIndex, Place, Settled};
use crate::store::{ArtifactKind, Store};
use crate::ui::CommandError;

/// What is known of these rows, in no order.
pub(super) fn unsent_rows(
    store: &Store,
    found: &Found,
    index: &mut MergeIndex,
) -> Result<Vec<Settled>, CommandError> {
    let job = &found.job.key;
    let mut known = Vec::new();
    for equal in store.equal_rows(job)? {
        if let Some((place, rounds)) = index.place_of(equal.leader) {
            let place = Some(place);
            known.push(Settled { place, rounds, is_shared: true, ..Settled::new(equal.row, None) });
        }
    }
    let artifacts = store.artifacts(job)?;
    let Some(copies) = artifacts.into_iter().find(|a| a.kind == ArtifactKind::Cached) else {
        return Ok(known);
    };
    let artifact = index.add_known_file(found.folder.results().join(&copies.name));
    for record in store.rows_with_status(job, RowStatus::Cached)? {
        let place = record.place.and_then(|(_, offset, length)| {
            Some(Place { artifact, offset, length: u32::try_from(length).ok()? })
        });
        let status = Some(RowStatus::Cached);
        known.push(Settled { place, is_shared: true, ..Settled::new(record.row, status) });
    }
    Ok(known)
}
