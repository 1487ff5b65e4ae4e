//! A batch as a client sees it.

use serde_json::{Value, json};

use super::Family;
use super::server::Desk;
use super::shelf::StoredBatch;
use crate::batch::BatchStatus;

/// What a client may know of a batch's state now.
struct Seen {
    status: BatchStatus,
    counts: (u64, u64, u64),
}

fn see(desk: &Desk, batch: &StoredBatch) -> Seen {
    let plan = &batch.record.plan;
    if let Some(settled) = &batch.settled {
        let counts = (plan.total, settled.completed, settled.failed);
        return Seen { status: settled.status, counts };
    }
    let moment = plan.at(desk.now(), batch.cancelled);
    // Until the result files are there, the end has not come.
    let status = match moment.status {
        BatchStatus::Completed | BatchStatus::Expired => BatchStatus::Finalizing,
        BatchStatus::Cancelled => BatchStatus::Cancelling,
        other => other,
    };
    let done = if plan.upstream { desk.shared.progress(&batch.record.id) } else { moment.done };
    let counts = match status {
        BatchStatus::Validating | BatchStatus::Failed => (0, 0, 0),
        _ => (plan.total, done, 0),
    };
    Seen { status, counts }
}

/// The batch object, as it is now.
pub(super) fn shape(desk: &Desk, batch: &StoredBatch) -> Value {
    let (record, plan) = (&batch.record, &batch.record.plan);
    let seen = see(desk, batch);
    let (total, completed, failed) = seen.counts;
    let settled = batch.settled.as_ref();
    let (fate, usual) = (record.fate(), desk.shared.options.batch_duration);
    let nameless = fate.nameless().map_or(0, |time| time.millis(usual));
    let named = settled.filter(|settled| desk.now() >= settled.ended.saturating_add(nameless));
    let mut body = json!({
        "id": record.id,
        "object": "batch",
        "endpoint": record.endpoint,
        "errors": errors(&seen, batch),
        "input_file_id": record.input_file_id,
        "completion_window": record.completion_window,
        "status": seen.status.as_str(),
        "output_file_id": named.and_then(|settled| settled.output_file_id.as_ref()),
        "error_file_id": named.and_then(|settled| settled.error_file_id.as_ref()),
        "created_at": plan.created / 1000,
        "request_counts": {"total": total, "completed": completed, "failed": failed},
        "metadata": record.metadata,
    });
    let stamps = stamps(desk, batch, seen.status);
    for (name, stamp) in stamps {
        body[name] = stamp.map_or(Value::Null, |stamp| json!(stamp / 1000));
    }
    if desk.family == Family::OpenAi {
        body["model"] = json!(record.model);
        body["usage"] = settled.map_or(Value::Null, |settled| {
            json!({
                "input_tokens": settled.usage.prompt_tokens,
                "input_tokens_details": {"cached_tokens": settled.usage.cached_tokens},
                "output_tokens": settled.usage.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": settled.usage.reasoning_tokens},
                "total_tokens": settled.usage.total(),
            })
        });
    }
    fate.disguise(&mut body, named.is_some());
    let word = fate.word().filter(|(_, time)| match time {
        Some(time) => desk.now() < plan.created.saturating_add(time.millis(usual)),
        None => settled.is_none(),
    });
    if let Some((word, _)) = word {
        body["status"] = json!(word);
    }
    body
}

fn errors(seen: &Seen, batch: &StoredBatch) -> Value {
    match seen.status {
        BatchStatus::Failed => {
            let died = batch.settled.as_ref().map(|settled| &settled.problems);
            json!({"object": "list", "data": died.unwrap_or(&batch.record.problems)})
        }
        _ => Value::Null,
    }
}

/// When each state was reached, in milliseconds.
fn stamps(
    desk: &Desk,
    batch: &StoredBatch,
    status: BatchStatus,
) -> [(&'static str, Option<i64>); 8] {
    let plan = &batch.record.plan;
    let end = batch.settled.as_ref().map(|settled| settled.ended);
    let others = plan.cancelled_by_others().filter(|at| *at <= end.unwrap_or_else(|| desk.now()));
    let until = batch.cancelled.or(end).unwrap_or_else(|| desk.now());
    let started = Some(plan.started()).filter(|start| plan.valid && *start <= until);
    let answered = match status {
        BatchStatus::Finalizing | BatchStatus::Completed if plan.upstream => end,
        BatchStatus::Finalizing | BatchStatus::Completed => Some(plan.answered().min(plan.expires)),
        _ => None,
    };
    let at_end = |wanted: BatchStatus| end.filter(|_| status == wanted);
    [
        ("in_progress_at", started),
        ("expires_at", Some(plan.expires)),
        ("finalizing_at", answered),
        ("completed_at", at_end(BatchStatus::Completed)),
        ("failed_at", end.or(Some(plan.started())).filter(|_| status == BatchStatus::Failed)),
        ("expired_at", at_end(BatchStatus::Expired)),
        ("cancelling_at", batch.cancelled.or(others)),
        ("cancelled_at", at_end(BatchStatus::Cancelled)),
    ]
}
