//! The same run in an earlier home: batches that carry its digest and that no job here holds. A
//! fresh home takes over the key of the job that made them, for their ids are made from it.

use std::collections::BTreeMap;

use super::id::CreateName;
use super::reconcile::{is_stillborn, list_kept};
use crate::batch::Batch;
use crate::provider::{BatchApi, CallError};

/// Characters of the run digest that a batch carries.
const SHOWN_OF_DIGEST: usize = 16;

/// A job that another home made of the same run, as far as its batches tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// Its ten characters.
    pub key: String,
    /// The ids of its batches.
    pub ids: Vec<String>,
    /// Requests in its batches of the first round; `None` where the provider does not say.
    pub requests: Option<u64>,
    /// When its newest batch was made, by the provider's clock.
    newest: Option<i64>,
}

impl Former {
    /// `3 batches`.
    pub fn batches(&self) -> String {
        let count = self.ids.len();
        format!("{count} batch{}", if count == 1 { "" } else { "es" })
    }
}

/// Looks through the provider's listing for the run with this digest; the newest job first.
pub async fn find_formers(api: &dyn BatchApi, run_digest: &str) -> Result<Vec<Former>, CallError> {
    Ok(formers(&list_kept(api).await?, run_digest))
}

/// The jobs in a listing that are of this run, the newest first. Batches that never ran cost
/// nothing and hold nothing.
pub(super) fn formers(batches: &[Batch], run_digest: &str) -> Vec<Former> {
    let digest = &run_digest[..SHOWN_OF_DIGEST];
    let mut jobs: BTreeMap<String, Former> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| !is_stillborn(batch)) {
        if batch.metadata.get("batchctl_run").is_none_or(|found| found != digest) {
            continue;
        }
        let name = batch.metadata.get("batchctl").and_then(|key| CreateName::parse(key));
        let Some(name) = name else { continue };
        let former = jobs.entry(name.job.clone()).or_insert_with(|| Former {
            key: name.job,
            ids: Vec::new(),
            requests: Some(0),
            newest: None,
        });
        if name.round == 1 {
            let total = batch.counts.total.filter(|total| *total > 0);
            former.requests = former.requests.zip(total).map(|(sum, total)| sum + total);
        }
        former.newest = former.newest.max(batch.created_at);
        former.ids.push(batch.id.clone());
    }
    let mut jobs: Vec<_> = jobs.into_values().collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.newest));
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchStatus, RequestCounts};

    fn batch(id: &str, key: &str, run: &str, created_at: i64, total: u64) -> Batch {
        let metadata = [("batchctl", key), ("batchctl_run", run)];
        Batch {
            id: id.into(),
            status: Some(BatchStatus::InProgress),
            status_word: "in_progress".into(),
            input_file_id: None,
            output_file_id: None,
            error_file_id: None,
            counts: RequestCounts { total: Some(total), ..RequestCounts::default() },
            errors: Vec::new(),
            metadata: metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            created_at: Some(created_at),
            expires_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn jobs_of_the_same_run_newest_first() {
        let run = "0123456789abcdef0123";
        let short = &run[..16];
        let failed = Batch {
            status: Some(BatchStatus::Failed),
            ..batch("f", "bc1-k7f2qd0003-r1-s0001-c1", short, 99, 3)
        };
        let listing = [
            batch("d", "bc1-k7f2qd0001-r2-s0001-c1", short, 40, 1),
            batch("c", "bc1-k7f2qd0002-r1-s0001-c1", short, 30, 0),
            batch("b", "bc1-k7f2qd0001-r1-s0002-c1", short, 20, 2),
            batch("a", "bc1-k7f2qd0001-r1-s0001-c1", short, 10, 3),
            batch("x", "bc1-k7f2qd0001-r1-s0001-c1", "another", 10, 3),
            batch("y", "mine", short, 10, 3),
            failed,
        ];
        let found: Vec<_> = formers(&listing, run)
            .into_iter()
            .map(|former| (former.batches(), former.key, former.requests))
            .collect();
        let expected = [
            ("3 batches".to_owned(), "k7f2qd0001".to_owned(), Some(5)),
            ("1 batch".to_owned(), "k7f2qd0002".to_owned(), None),
        ];
        assert_eq!(found, expected);
    }
}
