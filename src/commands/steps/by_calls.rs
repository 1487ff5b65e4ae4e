//! A job that was begun in batches and is wanted now: what of it is not sent yet goes out by calls,
//! at the realtime price, which is asked about. Batches that run go on; they cannot be had sooner.

use super::again::lock;
use super::again_price::AgainPrice;
use super::begin::save_output;
use super::form::is_on_line;
use super::jobs::Found;
use super::mode::{Wanted, wanted};
use super::who::{Who, who_of_job};
use crate::commands::Context;
use crate::config::key;
use crate::cost::Price;
use crate::job::{WantedRows, terms_of};
use crate::request::Mode;
use crate::store::{JobState, ShardRecord, ShardState, Store};
use crate::ui::{CommandError, counted};

/// [`send_now`] for a job of which it is not known yet who is asked.
pub(in crate::commands) fn send_job_now(
    context: &Context,
    store: &Store,
    found: &mut Found,
) -> Result<(), CommandError> {
    if wanted(context) != Wanted::Of(Mode::Realtime) || found.job.state.is_over() {
        return Ok(());
    }
    let who = who_of_job(context, found)?;
    send_now(context, store, found, &who)
}

/// Whether the line wants calls of what a job left that is over, and it left rows without an answer.
pub(in crate::commands) fn wants_rest_now(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<bool, CommandError> {
    let is_said = is_on_line(context, key::MODE) && wanted(context) == Wanted::Of(Mode::Realtime);
    if !is_said || found.job.state != JobState::Done {
        return Ok(false);
    }
    let rest = WantedRows { is_rest: true, ..WantedRows::default() };
    let classes = store.open_classes(&found.job.key)?;
    Ok(classes.iter().any(|(status, class, _)| rest.takes(*status, *class)))
}

/// Makes calls of what is not sent, where the line asks for it; `who` is asked and paid.
pub(super) fn send_now(
    context: &Context,
    store: &Store,
    found: &mut Found,
    who: &Who,
) -> Result<(), CommandError> {
    let is_wanted = wanted(context) == Wanted::Of(Mode::Realtime);
    if !is_wanted || found.job.state.is_over() {
        return Ok(());
    }
    // Whoever drives it now may be making batches of these very shards.
    let lock = lock(found)?;
    let unsent: Vec<ShardRecord> = store
        .shards(&found.job.key)?
        .into_iter()
        .filter(|shard| shard.mode == Mode::Batch && is_unsent(shard.state))
        .collect();
    let rows: u64 = unsent.iter().map(|shard| shard.rows).sum();
    if rows > 0 {
        approve(context, store, (found, who), rows)?;
        let price = terms_of(&found.job).price;
        // The dearest rate decides: a reserve may be too high for a while, never too low.
        let rate = price.as_ref().and_then(Price::times_realtime);
        let made = store.to_calls(&found.job.key, |shard| {
            let (reserve, rate) = (shard.reserve?, rate?);
            Some(reserve.saturating_mul(rate.0).div_ceil(rate.1.max(1)))
        })?;
        let job = found.job.short();
        context.printer.note(&format!("job {job}: {} go out by calls, now", counted(made, "row")));
    }
    if found.spec.mode != Mode::Realtime {
        // What its batches leave goes out so too.
        found.spec.mode = Mode::Realtime;
        save_output(store, found)?;
        let running = store.shard_counts(&found.job.key)?;
        if let Some(batches) = running.get(&ShardState::Running) {
            context.printer.note(&format!(
                "{} at {} already and {} waited for; what is left of it goes out by calls",
                counted(*batches, "batch") + if *batches == 1 { " is" } else { " are" },
                who.name,
                if *batches == 1 { "is" } else { "are" },
            ));
        }
    }
    // Driving takes the lock itself.
    drop(lock);
    Ok(())
}

fn is_unsent(state: ShardState) -> bool {
    matches!(
        state,
        ShardState::Planned | ShardState::Rejected | ShardState::Deferred | ShardState::Uploaded
    )
}

/// Asks about what so many rows cost now, beside what they would in a batch.
fn approve(
    context: &Context,
    store: &Store,
    (found, who): (&Found, &Who),
    rows: u64,
) -> Result<(), CommandError> {
    let question = found.spec.question.clone();
    let batch = AgainPrice::of(store, (found, who), &question)?.likely(rows);
    let now = AgainPrice::of(store, (found, who), &question)?.by(Mode::Realtime);
    context.printer.note(&format!(
        "{} not sent yet: {} by calls, {batch} in a batch",
        counted(rows, "row"),
        now.likely(rows)
    ));
    now.approve(context, who, rows)
}
