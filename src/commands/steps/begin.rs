//! From a plan to a job: the same line finds the job it made before, a new one makes a job.

use std::path::Path;

use super::jobs::{Found, held};
use super::look_again::make_files_folder;
use super::money::approve;
use super::output::{Destination, Wanted, require_writable};
use super::plan::{Planned, Scratch};
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::job::{Event, JobError, JobFolder, OutputSpec, new_job_key};
use crate::store::{Inserted, JobRecord, JobState, NewJob, Store};
use crate::ui::{CommandError, ExitCode};

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
    if let Some(job) = store.job_by_digest(&planned.plan.run_digest)? {
        return attach(context, store, job, &planned.spec.output, who);
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
    make_files_folder(planned.spec.output.files_folder.as_deref())?;
    approve(context, &planned, who)?;
    let found = make(context, store, scratch, &planned, who)?;
    context.reporter().report(&Event::Planned {
        job: found.job.short().to_owned(),
        rows: planned.plan.rows,
        requests: planned.plan.requests(),
        skipped: planned.plan.estimate.skipped,
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
    output: &OutputSpec,
    who: &Who,
) -> Result<Found, CommandError> {
    let mut found = Found::of(store, job)?;
    let short = found.job.short().to_owned();
    match found.folder.lock() {
        Ok(lock) => drop(lock),
        Err(crate::base::LockError::Held(holder)) => return Err(held(&found.job, &holder)),
        Err(error) => return Err(JobError::lock(&short)(error).into()),
    }
    if found.job.state == JobState::NeedsOperator {
        let reason = found.job.reason.clone().unwrap_or_default();
        return Err(CommandError::message(
            ExitCode::NothingAccepted,
            format!("job {short}, made by the same line, needs a person: {reason}"),
        )
        .hint(format!("batchctl status {short}   shows what was called")));
    }
    if found.job.account != who.account && !found.job.account.is_empty() {
        context.printer.warning(&format!(
            "job {short} was submitted with another key of {}; its batches may not be visible",
            who.name
        ));
    }
    let is_over = found.job.state.is_over();
    context.printer.note(&if is_over {
        format!("job {short} was made by the same line and is {}; nothing is sent", found.job.state)
    } else {
        format!("going on with job {short}, made by the same line")
    });
    if found.spec.output != *output {
        // The same questions with another place or another look for the table.
        output.clone_into(&mut found.spec.output);
        save_output(store, &mut found)?;
    }
    Ok(found)
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
    let rivals = store.live_jobs_for_output(&path.to_string_lossy())?;
    let Some(rival) = rivals.iter().find(|job| job.state != JobState::Prepared) else {
        return Ok(());
    };
    let short = rival.short();
    Err(CommandError::usage(format!(
        "job {short} is unfinished and writes to {} too, but asks something else",
        path.display()
    ))
    .hint(format!("batchctl cancel {short}   stops it and collects what is done"))
    .hint("or name another output file to keep both"))
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
    let scratch = scratch.keep();
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
            rows: planned.plan.rows,
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
        match store.insert_job(&job, &planned.plan.shards, &planned.plan.skipped)? {
            Inserted::New => {
                let job = store.job_by_id(&key)?.expect("it was just inserted");
                return Found::of(store, job);
            }
            Inserted::Same(job) => {
                remove(&folder);
                return Found::of(store, *job);
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
