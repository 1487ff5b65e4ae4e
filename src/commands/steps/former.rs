//! Taking over what another home has sent of the very same run, when a job is made.

use super::plan::Planned;
use super::who::Who;
use crate::base::{LockError, rename};
use crate::commands::Context;
use crate::job::{Former, JobError, JobFolder, find_formers};
use crate::store::Store;
use crate::ui::{CommandError, ExitCode};

/// The job by which another home sent this very run, if its batches are at the provider and
/// nobody here holds them. The new job takes over its key, and so its batches, before anything
/// is sent. A listing that cannot be had now is no reason to stop: the run itself needs one
/// before its first create.
pub(super) fn former(
    context: &Context,
    store: &Store,
    planned: &Planned,
    who: &Who,
) -> Result<Option<Former>, CommandError> {
    if planned.plan.requests() == 0 {
        return Ok(None);
    }
    let found = context.block_on(find_formers(who.api.as_ref(), &planned.plan.run_digest))?;
    let mut formers = Vec::new();
    for former in found.unwrap_or_default() {
        let mut is_held = store.job_by_id(&former.key)?.is_some();
        for id in &former.ids {
            is_held |= store.holds_batch(id)?;
        }
        if !is_held {
            formers.push(former);
        }
    }
    let mut formers = formers.into_iter();
    let Some(newest) = formers.next() else { return Ok(None) };
    let key = &newest.key;
    context.printer.note(&format!(
        "{} of this very run {} at {} already, of job {} in another home: taken over, only the \
         rest is sent",
        newest.batches(),
        if newest.ids.len() == 1 { "is" } else { "are" },
        who.name,
        &key[..6]
    ));
    for older in formers {
        context.printer.warning(&format!(
            "{} of an older job {} of this very run are at {} too and are left alone: {}",
            older.batches(),
            &older.key[..6],
            who.name,
            older.ids.join(", ")
        ));
    }
    Ok(Some(newest))
}

/// Makes room for the folder of a job that is taken over. One of the same name that no ledger
/// knows was left by a ledger that an older copy took the place of: it may hold answers, so it is
/// only put aside.
pub(super) fn clear_folder(store: &Store, key: &str) -> Result<(), CommandError> {
    let left = JobFolder::of(store.home(), key);
    if !left.root().exists() || store.job_by_id(key)?.is_some() {
        return Ok(());
    }
    match left.try_lock() {
        Ok(_lock) => {
            let aside = |n: u32| left.root().with_extension(format!("aside{n}"));
            let free = (1..=u32::MAX).map(aside).find(|path| !path.exists());
            let free = free.expect("there are numbers enough");
            Ok(rename(left.root(), &free).map_err(JobError::file("rename", left.root()))?)
        }
        Err(LockError::Held(holder)) => Err(CommandError::message(
            ExitCode::Locked,
            format!("job {} is being made by another {holder}", &key[..6]),
        )),
        Err(error) => Err(JobError::lock(&key[..6])(error).into()),
    }
}
