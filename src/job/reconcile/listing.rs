//! The provider's listing of batches, read back as far as it can matter.

use std::collections::HashSet;

use crate::batch::Batch;
use crate::provider::{BatchApi, CallError};

/// Batches a page.
const A_PAGE: u32 = 100;

/// How far a listing is read beyond the time that matters: the provider's own machines need not
/// agree on the time.
const MARGIN_SECONDS: i64 = 600;

/// Reads the listing, newest first, back to ten minutes before this time by the provider's clock,
/// or to its end. The time is asked for after each page: the provider's clock may be unknown before
/// the first one. Only a complete reading is returned: absence from a part proves nothing.
pub(super) async fn list_back_to(
    api: &dyn BatchApi,
    since: impl Fn() -> Option<i64>,
) -> Result<Vec<Batch>, CallError> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut seen = HashSet::new();
    let mut after: Option<String> = None;
    loop {
        let page = api.list(after.as_deref(), A_PAGE).await?;
        // Only a page that lies wholly before the time ends it: a listing need not be sorted to
        // the second.
        let since = since();
        let is_before = |batch: &Batch| {
            since.zip(batch.created_at).is_some_and(|(since, at)| at < since - MARGIN_SECONDS)
        };
        let is_far_enough = !page.items.is_empty() && page.items.iter().all(is_before);
        let known = batches.len();
        batches.extend(page.items.into_iter().filter(|batch| seen.insert(batch.id.clone())));
        let is_standing_still = batches.len() == known;
        match page.next {
            Some(next) if !is_far_enough && !is_standing_still => after = Some(next),
            _ => return Ok(batches),
        }
    }
}

/// How far back batches are looked for that may have been forgotten. By the provider's clock: a
/// local one may be wrong by days, and then a job's own time of birth would hide its batches. No
/// provider keeps result files for longer, so an older batch has nothing left to collect and runs
/// no more.
const KEPT_SECONDS: i64 = 31 * 24 * 60 * 60;

/// Reads the listing back as far as batches can still be worth anything.
pub(in crate::job) async fn list_kept(api: &dyn BatchApi) -> Result<Vec<Batch>, CallError> {
    list_back_to(api, || api.server_time().map(|now| now - KEPT_SECONDS)).await
}

/// Whether this batch was made by this create.
pub(super) fn is_of(batch: &Batch, key: &str) -> bool {
    batch.metadata.get("batchctl").is_some_and(|found| found == key)
}
