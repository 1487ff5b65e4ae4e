//! Looking for batches of a job that is done already.

use super::jobs::Found;
use super::who::who_of_job;
use crate::commands::Context;
use crate::job::{find_late, may_have_late_batches};
use crate::request::Mode;
use crate::store::Store;
use crate::ui::{CommandError, counted};

/// Looks through the listing of the job's account where the job ended lately, and says what came
/// of it. Jobs that have batches there which nobody knew are unfinished from then on. An account
/// that cannot be asked is no failure: nothing of this job is open.
pub(in crate::commands) fn look_for_late(
    context: &Context,
    store: &Store,
    found: Found,
) -> Result<Found, CommandError> {
    let now = context.clock.unix();
    let is_pruned = store.job_history(&found.job.key)?.pruned.is_some();
    // Where no batch was ever meant to be, none can be late.
    let has_batches = store.has_mode(&found.job.key, Mode::Batch)?;
    if is_pruned || !has_batches || !may_have_late_batches(&found.job, now) {
        return Ok(found);
    }
    let unasked = |why: String| {
        context.printer.detail(&format!("late batches of it were not looked for: {why}"));
    };
    let who = match who_of_job(context, &found) {
        Ok(who) => who,
        Err(error) => {
            unasked(format!("{:#}", error.error));
            return Ok(found);
        }
    };
    let late = match context.block_on(find_late(store, who.api.as_ref(), &found.job, now))? {
        Ok(late) => late,
        Err(error) => {
            unasked(error.to_string());
            return Ok(found);
        }
    };
    for job in &late {
        context.printer.warning(&job.words());
    }
    let key = &found.job.key;
    if !late.iter().any(|late| late.job == found.job.short()) {
        let batches = counted(store.batch_ids(key)?.len() as u64, "batch");
        context.printer.note(&format!(
            "{} lists no other batch of it than the {batches} known here",
            who.name
        ));
        return Ok(found);
    }
    match store.job_by_id(key)? {
        Some(job) => Found::of(store, job),
        None => Ok(found),
    }
}
