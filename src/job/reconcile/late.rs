//! Batches of jobs that are done: a create that came late, or what another life of this home made.
//! One listing of an account shows those of all its jobs. They are paid for, so their jobs are
//! opened again to collect what they answer; none is ever cancelled for being late.

use std::collections::BTreeMap;

use super::listing::list_kept;
use super::search::is_stillborn;
use crate::batch::{Batch, BatchStatus};
use crate::job::JobError;
use crate::job::id::CreateName;
use crate::job::poll::as_json;
use crate::provider::BatchApi;
use crate::store::{JobRecord, JobState, Store};

/// How long after its end a job is looked after. By then every create of it has come or never
/// will, and services that keep result files for a short time keep them for about as long.
const LOOKED_AFTER_SECONDS: i64 = 48 * 60 * 60;

/// Whether a job ended so lately that a batch of it may still turn up.
pub fn may_have_late_batches(job: &JobRecord, now: i64) -> bool {
    job.state == JobState::Done && now - job.updated < LOOKED_AFTER_SECONDS
}

/// A job that was done and has batches nobody knew of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateJob {
    /// The job's short id.
    pub job: String,
    /// The provider's ids of these batches.
    pub batches: Vec<String>,
}

impl LateJob {
    /// What a person must know.
    pub fn words(&self) -> String {
        let (job, ids) = (&self.job, self.batches.join(", "));
        let (subject, object) = match self.batches.len() {
            1 => ("batch", "it is"),
            _ => ("batches", "they are"),
        };
        format!(
            "{subject} {ids} of job {job}, which was done, turned up: {object} one too many and \
             may be billed; what is answered is kept: batchctl resume {job}"
        )
    }
}

/// Asks the account of a job for its batches, and opens the jobs again that have late ones.
pub async fn find_late(
    store: &Store,
    api: &dyn BatchApi,
    of: &JobRecord,
    now: i64,
) -> Result<Vec<LateJob>, JobError> {
    let batches = list_kept(api).await.map_err(JobError::from)?;
    take_in_late(store, &batches, of, now)
}

/// Opens the jobs again that are done, belong to the account of this job, and have batches in this
/// listing that the ledger does not hold.
pub(super) fn take_in_late(
    store: &Store,
    batches: &[Batch],
    of: &JobRecord,
    now: i64,
) -> Result<Vec<LateJob>, JobError> {
    let mut named: BTreeMap<String, Vec<(&Batch, CreateName)>> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| has_results(batch)) {
        let name = batch.metadata.get("batchctl").and_then(|key| CreateName::parse(key));
        if let Some(name) = name {
            named.entry(name.job.clone()).or_default().push((batch, name));
        }
    }
    let mut late = Vec::new();
    for (key, batches) in named {
        let Some(job) = store.job_by_id(&key)?.filter(|job| job.key == key) else { continue };
        let is_of_account = (&job.base_url, &job.account) == (&of.base_url, &of.account);
        if is_of_account && may_have_late_batches(&job, now) {
            late.extend(take_in(store, &job, &batches, now)?);
        }
    }
    Ok(late)
}

/// Whether something of a batch ran or may still run.
fn has_results(batch: &Batch) -> bool {
    let has_file = batch.output_file_id.is_some() || batch.error_file_id.is_some();
    let is_over = batch.status.is_some_and(BatchStatus::is_terminal);
    !is_stillborn(batch) && (has_file || !is_over)
}

fn take_in(
    store: &Store,
    job: &JobRecord,
    batches: &[(&Batch, CreateName)],
    now: i64,
) -> Result<Option<LateJob>, JobError> {
    let held = store.batch_ids(&job.key)?;
    let unknown: Vec<_> = batches.iter().filter(|(batch, _)| !held.contains(&batch.id)).collect();
    if unknown.is_empty() {
        return Ok(None);
    }
    let shards = store.shards(&job.key)?;
    let creates = store.creates(&job.key)?;
    let mut surplus = Vec::new();
    for (batch, name) in unknown {
        // All rows of a job that is done have their outcome, so whatever this one holds is beside
        // it, and it hardly matters beside which shard.
        let shard = shards.iter().find(|s| (s.round, s.number) == (name.round, name.number));
        let named = creates.iter().find(|create| shard.is_some_and(|s| s.id == create.shard));
        if let Some(create) = named.or(creates.first()) {
            surplus.push((create.id, batch.id.clone(), as_json(batch)));
        }
    }
    let batches: Vec<String> = surplus.iter().map(|(_, id, _)| id.clone()).collect();
    let reason = format!("batch {} turned up after its end", batches.join(", "));
    let is_open = !surplus.is_empty() && store.open_for_late(&job.key, &surplus, &reason, now)?;
    Ok(is_open.then(|| LateJob { job: job.short().to_owned(), batches }))
}
