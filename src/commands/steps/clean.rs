//! Removing what a finished job left at its provider. Only what is stored here and written into
//! its table may go there; every removal is recorded before and after, and what could not be
//! removed stays listed.

use std::collections::BTreeSet;

use super::follow::require_same_account;
use super::jobs::Found;
use super::who::Who;
use crate::base::redact;
use crate::batch::Batch;
use crate::commands::Context;
use crate::job::JobError;
use crate::provider::{BatchApi, CallClass, CallError};
use crate::store::{CallEnd, CleanupKind, CleanupRecord, CleanupState, Store};
use crate::ui::CommandError;

/// Characters of the provider's words that are kept.
const EXCERPT: usize = 500;
/// Seconds before a job's beginning after which its files can be younger: clocks differ.
const CLOCKS: i64 = 600;

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::commands) struct Cleaned {
    /// Files that are gone now.
    pub(in crate::commands) deleted: u64,
    /// Files that are still listed.
    pub(in crate::commands) left: u64,
}

/// Why the files of a job must stay at the provider; `None` if they may go.
pub(in crate::commands) fn must_stay(
    store: &Store,
    found: &Found,
    is_told: bool,
) -> Result<Option<&'static str>, CommandError> {
    let history = store.job_history(&found.job.key)?;
    if !found.job.state.is_over() {
        return Ok(Some("it is unfinished"));
    }
    if !store.shards(&found.job.key)?.iter().all(|shard| shard.state.is_settled()) {
        return Ok(Some("not all of its results were collected"));
    }
    if history.written.is_none() && !is_told {
        return Ok(Some("its table was never written"));
    }
    if history.pruned.is_some() {
        return Ok(None);
    }
    let is_here = |name: &str, bytes: u64| {
        let path = found.folder.results().join(name);
        path.metadata().is_ok_and(|file| file.len() == bytes)
    };
    let all_here = store.artifacts(&found.job.key)?.iter().all(|a| is_here(&a.name, a.bytes));
    Ok((!all_here).then_some("result files of it are missing here"))
}

/// Lists what a finished job left at the provider, as far as that is known here.
pub(in crate::commands) fn list_remote(
    context: &Context,
    store: &Store,
    found: &Found,
) -> Result<Vec<CleanupRecord>, CommandError> {
    let mut files = Vec::new();
    for (input, reply) in store.remote_traces(&found.job.key)? {
        let batch = reply.and_then(|reply| serde_json::from_str::<Batch>(&reply).ok());
        let runs = |batch: &Batch| batch.status.is_none_or(|status| !status.is_terminal());
        // A batch that did not end may still read its input.
        if batch.as_ref().is_some_and(runs) {
            continue;
        }
        files.extend(input.map(|file| (file, CleanupKind::Input)));
        let Some(batch) = batch else { continue };
        files.extend(batch.output_file_id.map(|file| (file, CleanupKind::Output)));
        files.extend(batch.error_file_id.map(|file| (file, CleanupKind::Error)));
    }
    // At some services these are links, which nobody can delete.
    files.retain(|(file, _)| !file.is_empty() && !file.contains("://"));
    store.list_for_cleanup(&found.job.key, &files, context.clock.unix())?;
    let all = store.cleanups(&found.job.key)?;
    Ok(all.into_iter().filter(|file| file.state != CleanupState::Deleted).collect())
}

/// Removes the files of a job at the provider. A file that cannot be removed is a warning and
/// stays listed; a key that is refused ends it with an error.
pub(in crate::commands) fn clean_remote(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
) -> Result<Cleaned, CommandError> {
    require_same_account(context, store, found, who)?;
    list_remote(context, store, found)?;
    if store.has_unclear_upload(&found.job.key)? {
        list_leftovers(context, store, found, who.api.as_ref())?;
    }
    let mut cleaned = Cleaned::default();
    for file in list_remote(context, store, found)? {
        let call = store.begin_delete(&file, context.clock.unix())?;
        let reply = context.block_on(who.api.delete_file(&file.file_id))?;
        store.end_delete(&file, call, &ended(reply.as_ref().err(), context.clock.unix()))?;
        match reply {
            Ok(()) => cleaned.deleted += 1,
            Err(error) if error.failure.stops_the_account() => {
                return Err(JobError::from(error).into());
            }
            Err(error) => {
                cleaned.left += 1;
                let text = format!("{} {}, stays listed: {error}", file.kind, file.file_id);
                context.printer.warning(&text);
            }
        }
    }
    Ok(cleaned)
}

/// Looks for uploads that may have arrived although no answer came: by our own names.
fn list_leftovers(
    context: &Context,
    store: &Store,
    found: &Found,
    api: &dyn BatchApi,
) -> Result<(), CommandError> {
    let prefix = format!("bc1-{}-", found.job.key);
    let known: BTreeSet<String> =
        store.cleanups(&found.job.key)?.into_iter().map(|file| file.file_id).collect();
    let mut after: Option<String> = None;
    loop {
        let page = context.block_on(api.list_files(after.as_deref()))?;
        let page = match page {
            Ok(page) => page,
            Err(error) if error.failure.stops_the_account() => {
                return Err(JobError::from(error).into());
            }
            Err(error) => {
                let text = format!("leftovers of uploads were not looked for: {error}");
                context.printer.warning(&text);
                return Ok(());
            }
        };
        let ours = |name: &Option<String>| name.as_ref().is_some_and(|n| n.starts_with(&prefix));
        let old = |at: Option<i64>| at.is_some_and(|at| at + CLOCKS < found.job.created);
        let passed = page.items.last().is_some_and(|file| old(file.created_at));
        let files: Vec<_> = page
            .items
            .into_iter()
            .filter(|file| ours(&file.name) && !known.contains(&file.id))
            .map(|file| (file.id, CleanupKind::Leftover))
            .collect();
        store.list_for_cleanup(&found.job.key, &files, context.clock.unix())?;
        after = page.next;
        if after.is_none() || passed {
            return Ok(());
        }
    }
}

fn ended(error: Option<&CallError>, now: i64) -> CallEnd {
    let Some(error) = error else { return CallEnd { class: "ok", now, ..CallEnd::default() } };
    let class = match error.class {
        CallClass::NotSent => "not_sent",
        CallClass::Rejected => "rejected",
        CallClass::Unknown => "unknown",
    };
    let excerpt = redact(&error.failure.message).chars().take(EXCERPT).collect();
    CallEnd { class, http: error.failure.status, excerpt: Some(excerpt), remote_id: None, now }
}
