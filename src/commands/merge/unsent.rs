//! What a job's account says of its rows. Of a job that is named all of it counts; where only its
//! result files are, what they cannot say: rows that were not sent have their answers under the id
//! of another row, or from an earlier job.

use crate::answer::RowStatus;
use crate::answer::Wanted;
use crate::commands::steps::Found;
use crate::result::{Lent, MergeIndex, Place, Told, Whose};
use crate::shard::Manifest;
use crate::store::{ArtifactKind, OutcomeRecord, Store};
use crate::table::RowSet;
use crate::ui::CommandError;

/// Outcomes read from the ledger at a time.
const PAGE: usize = 10_000;

/// Takes in all that the account of a job has; before any file is read.
pub(super) fn add_job(
    store: &Store,
    found: &Found,
    index: &mut MergeIndex,
) -> Result<Told, CommandError> {
    let job = &found.job.key;
    let artifacts = store.artifacts(job)?;
    let folder = found.folder.results();
    let paths = artifacts.iter().map(|artifact| folder.join(&artifact.name));
    let first = index.add_job(found.job.short(), paths)?;
    let equal: RowSet = store.equal_rows(job)?.into_iter().map(|equal| equal.row).collect();
    let place_of = |record: &OutcomeRecord| {
        let (id, offset, length) = record.place?;
        let at = artifacts.iter().position(|artifact| artifact.id == id)?;
        let artifact = first + u32::try_from(at).ok()?;
        Some(Place { artifact, offset, length: u32::try_from(length).ok()? })
    };
    let mut told = Told::default();
    let mut next = 0;
    loop {
        let page = store.outcomes_from(job, next, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(told.sorted().asked_of(&found.spec.provider));
        };
        next = last.row + 1;
        for record in &page {
            let place = place_of(record);
            if let Some(cost) = record.cost {
                told.add_cost(record.row, cost);
            }
            if let Some(place) = place {
                let whose = match record.status {
                    RowStatus::Cached => Whose::Earlier,
                    _ if equal.contains(record.row) => Whose::Equal,
                    _ => Whose::Own,
                };
                let job6 = found.job.short();
                index.settle(job6, record.row, (place, record.round), whose);
            }
            if place.is_none() || is_beyond_the_line(record.status) {
                told.add(record.row, record.status, record.error.as_deref());
            }
        }
    }
}

/// Whether a status is not to be seen in the answer's line.
fn is_beyond_the_line(status: RowStatus) -> bool {
    matches!(status, RowStatus::Defaulted | RowStatus::Invalid | RowStatus::Skipped)
}

/// What result files of a job cannot say; after they are read.
pub(super) fn add_unsent(
    store: &Store,
    found: &Found,
    index: &mut MergeIndex,
    wanted: Wanted<'_>,
) -> Result<Told, CommandError> {
    let (job, job6) = (&found.job.key, found.job.short());
    for equal in store.equal_rows(job)? {
        index.lend(job6, equal.row, Lent::Row(equal.leader), wanted)?;
    }
    let artifacts = store.artifacts(job)?;
    if let Some(copies) = artifacts.into_iter().find(|a| a.kind == ArtifactKind::Cached) {
        let artifact = index.add_lent_file(found.folder.results().join(&copies.name))?;
        for record in store.rows_with_status(job, RowStatus::Cached)? {
            let Some((_, offset, length)) = record.place else { continue };
            let Ok(length) = u32::try_from(length) else { continue };
            let line = Lent::Line(Place { artifact, offset, length });
            index.lend(job6, record.row, line, wanted)?;
        }
    }
    let mut told = Told::default();
    for record in store.rows_with_status(job, RowStatus::Skipped)? {
        told.add(record.row, RowStatus::Skipped, record.error.as_deref());
    }
    Ok(told.sorted().asked_of(&found.spec.provider))
}

/// Rows that made no request.
pub(super) fn skipped(manifest: &Manifest) -> Told {
    let mut told = Told::default();
    for row in &manifest.skipped {
        told.add(row.row, RowStatus::Skipped, Some(&row.reason));
    }
    told.sorted()
}
