//! What a job waits for and why, and until when its answers can be had.

use serde::Serialize;

use super::rounds::BatchView;
use crate::provider::Dialect;
use crate::store::{JobRecord, JobState, ShardState};
use crate::ui::{counted, duration, moment};

/// What is known of the job besides its shards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// Whether a process drives it now.
    pub(super) is_driven: bool,
    /// Whether a person asked for it to be stopped.
    pub(super) is_cancel_wished: bool,
    /// Whether its last run stopped at a limit of money or requests.
    pub(super) is_at_limit: bool,
}

/// What it waits for, one sentence each; empty for a job that is over.
pub(super) fn waits_for(job: &JobRecord, batches: &[BatchView], around: Around) -> Vec<String> {
    if job.state.is_over() {
        return Vec::new();
    }
    let count = |state: ShardState| batches.iter().filter(|b| b.state == state).count() as u64;
    let mut waits = Vec::new();
    if job.state == JobState::NeedsOperator {
        waits.push(format!("a person: {}", job.reason.as_deref().unwrap_or("nobody knows why")));
    }
    waits.extend(batches.iter().filter(|b| is_unclear(b)).map(|batch| unclear(batch, around)));
    let refused: Vec<&BatchView> =
        batches.iter().filter(|b| b.state == ShardState::Rejected).collect();
    if let Some(first) = refused.first() {
        let shards = counted(refused.len() as u64, "shard");
        let words = first.detail.as_deref().unwrap_or("no reason given");
        waits.push(format!("you: {shards} refused by the provider: {words}"));
    }
    let running = count(ShardState::Running);
    if running > 0 {
        let verb = if running == 1 { "runs" } else { "run" };
        waits.push(format!("the provider: {} {verb}", counted(running, "batch")));
    }
    let ended = count(ShardState::Ended) + count(ShardState::Stored);
    if ended > 0 {
        waits.push(format!("its results: {} ended and not collected", counted(ended, "batch")));
    }
    let deferred = batches.iter().filter(|b| b.state.as_str() == "deferred").count() as u64;
    if deferred > 0 {
        let shards = counted(deferred, "shard");
        waits.push(format!(
            "room in the provider's queue: {shards} did not fit in, sent again later"
        ));
    }
    let unsent = count(ShardState::Planned) + count(ShardState::Uploaded);
    if unsent > 0 {
        let shards = counted(unsent, "shard");
        waits.push(if around.is_driven {
            format!("its turn: {shards} without a batch")
        } else if around.is_at_limit {
            format!("a limit: {shards} without a batch, for the reason above")
        } else {
            format!("you: {shards} without a batch: batchctl resume {}", job.short())
        });
    }
    waits.push(driver(job, around));
    waits
}

/// Who moves it on.
fn driver(job: &JobRecord, around: Around) -> String {
    match (around.is_driven, around.is_cancel_wished) {
        (true, true) => "another process is stopping it".to_owned(),
        (true, false) => "another process drives it".to_owned(),
        (false, true) => format!(
            "nobody drives it; it is to be stopped: batchctl cancel {} collects what is done",
            job.short()
        ),
        (false, false) => "nobody drives it now".to_owned(),
    }
}

/// Whether nobody knows if its batch exists.
pub(super) fn is_unclear(batch: &BatchView) -> bool {
    matches!(batch.state.as_str(), "creating" | "unknown" | "fenced")
}

/// A create without a clear answer, and what is done about it.
fn unclear(batch: &BatchView, around: Around) -> String {
    let when = batch.since.map(|at| format!(" since {}", moment(at))).unwrap_or_default();
    let key = batch.create_key.as_deref().unwrap_or("no key");
    let done = match (batch.state, around.is_driven) {
        (ShardState::Creating, true) => "the call is under way",
        (_, true) => "it is being looked for in the provider's list",
        (_, false) => "resume looks for it in the provider's list; nothing is sent again before",
    };
    format!("a clear word about the batch of shard {} ({key}){when}: {done}", batch.shard)
}

/// Until when results can be fetched that are still only at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct CollectBefore {
    /// Unix seconds by the provider's clock.
    pub(super) at: i64,
    /// Batches whose results are not here yet.
    pub(super) batches: u64,
    /// Whether half of the time is over.
    pub(super) is_urgent: bool,
}

/// The earliest end of the provider's promise to keep results that are not here yet: from the end
/// of a batch, or from its creation while it runs.
pub(super) fn collect_before(
    batches: &[BatchView],
    dialect: Option<&Dialect>,
    now: i64,
) -> Option<CollectBefore> {
    let keeps = i64::try_from(dialect?.retention()?.as_secs()).ok()?;
    let open = |state| matches!(state, ShardState::Running | ShardState::Ended);
    let starts: Vec<i64> = batches
        .iter()
        .filter(|batch| open(batch.state))
        .filter_map(|batch| batch.seen.as_ref())
        .filter_map(|batch| batch.ended_at.or(batch.created_at))
        .collect();
    let first = *starts.iter().min()?;
    Some(CollectBefore {
        at: first + keeps,
        batches: starts.len() as u64,
        is_urgent: now >= first + keeps / 2,
    })
}

impl CollectBefore {
    /// The date with what it is about.
    pub(super) fn line(&self, provider: &str, now: i64) -> String {
        let left = u64::try_from(self.at - now).unwrap_or(0);
        let left = match left {
            0 => "passed: what was not fetched may be gone".to_owned(),
            left => format!("{} left", duration(std::time::Duration::from_secs(left))),
        };
        format!("collect   before {}, {left}; {provider} keeps results so long", moment(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rounds::tests::shard;
    use super::*;
    use crate::provider::dialect;

    const IDLE: Around = Around { is_driven: false, is_cancel_wished: false, is_at_limit: false };

    fn job(state: JobState) -> JobRecord {
        JobRecord {
            key: "k7f2qd0000".into(),
            run_digest: "d".into(),
            state,
            reason: Some("two batches match".into()),
            folder: "/data".into(),
            created: 1,
            updated: 1,
            provider: "openai".into(),
            base_url: "https://api.openai.com/v1".into(),
            account: String::new(),
            spec: "{}".into(),
            rows: 10,
            requests: 10,
            output_path: None,
            terms: None,
            prompt: None,
        }
    }

    #[test]
    fn each_state_says_what_it_waits_for() {
        let table = [
            (ShardState::Planned, "you: 1 shard without a batch: batchctl resume"),
            (ShardState::Running, "the provider: 1 batch runs"),
            (ShardState::Ended, "its results: 1 batch ended"),
            (ShardState::Rejected, "you: 1 shard refused by the provider: no reason given"),
            (ShardState::Unknown, "resume looks for it in the provider's list"),
        ];
        for (state, expected) in table {
            let waits = waits_for(&job(JobState::Waiting), &[shard(1, state)], IDLE);
            assert!(waits.iter().any(|text| text.contains(expected)), "{state}: {waits:?}");
            assert_eq!(waits.last().unwrap(), "nobody drives it now");
        }
        let limit = Around { is_at_limit: true, ..IDLE };
        let waits = waits_for(&job(JobState::Waiting), &[shard(1, ShardState::Planned)], limit);
        assert_eq!(waits[0], "a limit: 1 shard without a batch, for the reason above");
        let waits = waits_for(&job(JobState::NeedsOperator), &[], IDLE);
        assert_eq!(waits[0], "a person: two batches match");
        assert!(waits_for(&job(JobState::Done), &[shard(1, ShardState::Settled)], IDLE).is_empty());
    }

    /// The retention clock: field failures 13 and 17, reliability.md section 5.
    #[test]
    fn results_are_asked_for_in_time() {
        let day = 86_400;
        let ended = |at: i64| {
            let mut view = shard(1, ShardState::Ended);
            view.seen = serde_json::from_value(serde_json::json!({
                "id": "batch_1", "status": "completed", "status_word": "completed",
                "input_file_id": null, "output_file_id": "file-1", "error_file_id": null,
                "counts": {"total": null, "completed": null, "failed": null}, "errors": [],
                "metadata": {}, "created_at": at - 100, "expires_at": null, "ended_at": at,
            }))
            .ok();
            assert!(view.seen.is_some(), "the stored form of a batch");
            view
        };
        let openai = dialect("openai").unwrap();
        let early = collect_before(&[ended(0), ended(day)], Some(openai), 2 * day).unwrap();
        assert_eq!(early, CollectBefore { at: 30 * day, batches: 2, is_urgent: false });
        assert!(collect_before(&[ended(0)], Some(openai), 15 * day).unwrap().is_urgent);
        assert!(early.line("openai", 2 * day).contains("28d left"));
        assert!(early.line("openai", 31 * day).contains("passed"));
        let stored = shard(1, ShardState::Stored);
        assert_eq!(collect_before(&[stored], Some(openai), 0), None, "they are here");
        assert_eq!(collect_before(&[ended(0)], None, 0), None, "nobody knows");
    }
}
