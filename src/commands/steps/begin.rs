//! From a plan to a job: the same line finds the job it made before, a new one makes a job.

use std::path::Path;

use super::copies::require_files_folder;
use super::jobs::{Found, held};
use super::money::approve;
use super::output::{Destination, Wanted, require_place, require_writable};
use super::plan::{Planned, Scratch};
use super::who::Who;
use crate::base;
use crate::commands::Context;
use crate::config::key;
use crate::job::{Event, JobError, JobFolder, Onto, Plan, new_job_key};
use crate::store::{
    Inserted, JobRecord, JobState, KnownRows, NewJob, ShardState, Store, StoreError,
};
use crate::ui::CommandError;

/// Attaches to the job that this very request made before, or makes a new one after asking
/// about money. Nothing is sent here.
pub(in crate::commands) fn begin(
    context: &Context,
    store: &Store,
    scratch: Scratch,
    mut planned: Planned,
    who: &Who,
    destination: &Destination,
) -> Result<Found, CommandError> {
    planned.spec.output.path = destination.path().map(Path::to_owned);
    require_files_folder(planned.spec.output.files_folder.as_deref())?;
    if let Some(job) = store.job_by_digest(&planned.plan.run_digest)? {
        return attach(context, store, job, &planned, scratch.folder());
    }
    require_writable(
        destination,
        planned.spec.output.overwrite,
        store,
        Some(&Wanted {
            source: &planned.spec.source,
            table: &planned.table,
            selection: &planned.spec.selection,
        }),
    )?;
    refuse_rival(store, destination)?;
    approve(context, &planned, who)?;
    let found = make(context, store, scratch, &planned, who)?;
    context.reporter().report(&Event::Planned {
        job: found.job.short().to_owned(),
        rows: planned.plan.tally.rows,
        requests: planned.plan.requests(),
        skipped: planned.plan.estimate.skipped,
        answered: planned.plan.estimate.answered.requests,
        equal: planned.plan.estimate.equal.requests,
        shards: planned.plan.shards.len() as u64,
        bytes: planned.plan.bytes(),
    });
    Ok(found)
}

/// The table of states: what the same line does to the job it made before.
fn attach(
    context: &Context,
    store: &Store,
    job: JobRecord,
    planned: &Planned,
    folder: &JobFolder,
) -> Result<Found, CommandError> {
    let mut found = Found::of(store, job)?;
    let short = found.job.short().to_owned();
    match found.folder.lock() {
        Ok(lock) => drop(lock),
        Err(base::LockError::Held(holder)) => return Err(held(&found.job, &holder)),
        Err(error) => return Err(JobError::lock(&short)(error).into()),
    }
    let is_over = found.job.state.is_over();
    context.printer.note(&if is_over {
        format!("job {short} was made by the same line and is {}; nothing is sent", found.job.state)
    } else {
        format!("going on with job {short}, made by the same line")
    });
    let mut output = planned.spec.output.clone();
    if let Some(path) = &output.path {
        require_place(path)?;
    }
    output.onto = onto(&found, planned, folder)?;
    if found.spec.output != output {
        // The same questions with another place or another look for the table.
        found.spec.output = output;
        save_output(store, &mut found)?;
    }
    Ok(found)
}

/// Keeps the table of this line with the job where it is not the one that was asked: the
/// questions are the same, but the answers belong beside the cells of the table that was named.
fn onto(
    found: &Found,
    planned: &Planned,
    folder: &JobFolder,
) -> Result<Option<Onto>, CommandError> {
    let spec = &planned.spec;
    if spec.source_digest == found.spec.source_digest && spec.shape == found.spec.shape {
        return Ok(None);
    }
    let input = format!("onto-{}-{}", &spec.source_digest[..8], spec.input);
    let copy = found.folder.input(&input);
    let from = folder.input(&spec.input);
    base::copy(&from, &copy)
        .and_then(|_| base::sync_folder(found.folder.root()))
        .map_err(JobError::file("write", &copy))?;
    Ok(Some(Onto {
        source: spec.source.clone(),
        input,
        shape: spec.shape.clone(),
        selection: spec.selection.clone(),
    }))
}

/// Stores where and how the table is to be written.
pub(in crate::commands) fn save_output(
    store: &Store,
    found: &mut Found,
) -> Result<(), CommandError> {
    let spec = serde_json::to_string(&found.spec)?;
    let path = found.spec.output.path.as_ref().map(|path| path.to_string_lossy().into_owned());
    store.set_spec(&found.job.key, &spec, path.as_deref())?;
    found.job.spec = spec;
    found.job.output_path = path;
    Ok(())
}

/// A live job with the same OUTPUT but other requests: a typo was mended, and both would be paid.
fn refuse_rival(store: &Store, destination: &Destination) -> Result<(), CommandError> {
    let Some(path) = destination.path() else { return Ok(()) };
    let mut rival = None;
    for job in store.live_jobs_for_output(&path.to_string_lossy())? {
        if is_sent(store, &job)? {
            rival = Some(job);
            break;
        }
    }
    let Some(rival) = rival else { return Ok(()) };
    let short = rival.short();
    Err(CommandError::usage(format!(
        "job {short} is unfinished and writes to {} too, but asks something else",
        path.display()
    ))
    .hint(format!("batchctl cancel {short}   stops it and collects what is done"))
    .hint("or name another output file to keep both"))
}

/// Whether anything of a job is, or may be, at the provider: one that was refused or never got
/// there costs nothing and stands in nobody's way.
fn is_sent(store: &Store, job: &JobRecord) -> Result<bool, CommandError> {
    let unsent = [ShardState::Planned, ShardState::Uploaded, ShardState::Rejected];
    let shards = store.shards(&job.key)?;
    Ok(job.state == JobState::Running || shards.iter().any(|shard| !unsent.contains(&shard.state)))
}

fn make(
    context: &Context,
    store: &Store,
    scratch: Scratch,
    planned: &Planned,
    who: &Who,
) -> Result<Found, CommandError> {
    let home = store.home().to_owned();
    let spec = serde_json::to_string(&planned.spec)?;
    // Held until the job is in the ledger, so that nobody takes its folder for abandoned.
    let (scratch, _planner) = scratch.keep();
    JobFolder::remove_unlisted(&home, |key| Ok::<_, StoreError>(store.job_by_id(key)?.is_some()))?;
    loop {
        let key = new_job_key().map_err(JobError::Random)?;
        let job = NewJob {
            key: key.clone(),
            run_digest: planned.plan.run_digest.clone(),
            folder: context.folder.to_string_lossy().into_owned(),
            provider: who.name.clone(),
            base_url: who.stored_url.clone(),
            account: who.account.clone(),
            spec: spec.clone(),
            rows: planned.plan.tally.rows,
            requests: planned.plan.requests(),
            output_path: planned
                .spec
                .output
                .path
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            now: context.clock.unix(),
        };
        // The folder comes first: a job in the ledger always has its files. A folder without a
        // job is rubbish.
        let folder = scratch.adopt(&home, &key).map_err(JobError::file("write", scratch.root()))?;
        let Plan { shards, tally, cached, equal, .. } = &planned.plan;
        let known = KnownRows { cached: cached.as_ref(), equal, name: None };
        let inserted = store.insert_job_with(&job, shards, &tally.skipped, &known);
        if inserted.is_err() {
            remove(&folder);
        }
        match inserted? {
            Inserted::New => {
                folder.set_listed();
                let job = store.job_by_id(&key)?.expect("it was just inserted");
                return Found::of(store, job);
            }
            Inserted::Same(job) => {
                let found = attach(context, store, *job, planned, &folder);
                remove(&folder);
                return found;
            }
            Inserted::Taken => {
                folder.give_back(&scratch).map_err(JobError::file("write", scratch.root()))?;
            }
        }
    }
}

fn remove(folder: &JobFolder) {
    // Best effort: the folder belongs to no job.
    let _ = folder.remove();
}

/// Whether the settings ask for waiting.
pub(in crate::commands) fn waits(context: &Context) -> bool {
    !context.settings.get(key::NO_WAIT)
}
