//! From a plan to a job: the same line finds the job it made before, a new one makes a job.

use std::path::Path;

use super::by_calls::send_now;
use super::copies::require_files_folder;
use super::former::{clear_folder, former};
use super::go_on::if_pruned;
use super::jobs::{Found, held};
use super::limits::{Paid, max_cost};
use super::money::approve;
use super::output::{Destination, Wanted, beside, require_place, require_writable};
use super::plan::Planned;
use super::rival::{Place, decide, rival};
use super::same_line::{Generations, name_of};
use super::scratch::Scratch;
use super::who::Who;
use crate::base;
use crate::commands::Context;
use crate::config::{Source, key};
use crate::cost::Terms;
use crate::job::{Event, Former, JobError, JobFolder, Onto, Plan, new_job_key};
use crate::request::Mode;
use crate::store::{Inserted, JobRecord, KnownRows, NewJob, ShardState, Store, StoreError};
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
    let generations = Generations::of(store, &planned.plan.run_digest)?;
    let name = name_of(context, store, &generations, &planned.spec)?;
    planned.plan.run_digest = match generations.meant(context.settings.get(key::AGAIN)) {
        Ok(job) => {
            if let Some(name) = &name {
                store.name_job(&job.key, name)?;
            }
            return attach(context, store, job, (&planned, who), scratch.folder());
        }
        Err(digest) => digest,
    };
    let place = place_of(context, store, &planned, (destination, name.is_some()))?;
    let former = match planned.spec.mode {
        Mode::Batch => former(context, store, &planned, who)?,
        // Calls leave nothing at the provider.
        Mode::Realtime => None,
    };
    // What is at the provider already costs nothing again.
    let is_paid = former.as_ref().is_some_and(|f| f.requests == Some(planned.plan.requests()));
    if !is_paid {
        approve(context, &planned, who)?;
    }
    let found = make(
        context,
        store,
        scratch,
        &mut planned,
        (who, former.as_ref()),
        (name.as_deref(), place),
    )?;
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

/// Makes sure that the table may be written where the line says, and that no other job will: one
/// that does is cancelled, or both go on and this one writes beside it.
fn place_of(
    context: &Context,
    store: &Store,
    planned: &Planned,
    (destination, is_named): (&Destination, bool),
) -> Result<Place, CommandError> {
    let rival = rival(store, destination.path())?;
    if rival.is_some() && is_named {
        return Ok(Place::Beside);
    }
    let wanted = Wanted {
        source: &planned.spec.source,
        table: &planned.table,
        selection: &planned.spec.selection,
    };
    require_writable(destination, planned.spec.output.overwrite, store, Some(&wanted))?;
    match (rival, destination.path()) {
        (Some(rival), Some(path)) => decide(context, store, rival, path),
        _ => Ok(Place::AsNamed),
    }
}

/// The table of states: what the same line does to the job it made before.
fn attach(
    context: &Context,
    store: &Store,
    job: JobRecord,
    (planned, who): (&Planned, &Who),
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
    require_its_mode(context, store, &found)?;
    let (was, is) = (found.spec.reask, planned.spec.reask);
    if is != was {
        let mut text = format!("job {short} keeps the --reask {was} that it was made with");
        if is_over && is > was {
            text += &format!("; batchctl retry {short} --reask {is} asks what is not good again");
        }
        context.printer.note(&text);
    }
    let mut output = planned.spec.output.clone();
    if let Some(path) = &output.path {
        require_place(path)?;
        // Where another job writes to the place named, this one was given its own beside it.
        let own = beside(path, &short);
        if found.spec.output.path.as_ref() == Some(&own) {
            output.path = Some(own);
        }
    }
    require_answers(store, &found, output.path.as_deref())?;
    output.onto = onto(&found, planned, folder)?;
    if found.spec.output != output || found.spec.said != planned.spec.said {
        // The same questions with another place or another look for the table, or in other haste.
        found.spec.output = output;
        found.spec.said.clone_from(&planned.spec.said);
        save_output(store, &mut found)?;
    }
    send_now(context, store, &mut found, who)?;
    Ok(found)
}

/// A line without `--now` that finds a job of calls would go on at the price of calls: that is
/// said, and refused where the line asks for a batch.
fn require_its_mode(context: &Context, store: &Store, found: &Found) -> Result<(), CommandError> {
    let job = &found.job;
    let is_open = !store
        .shards_of_mode(&job.key, Mode::Realtime, &[ShardState::Planned, ShardState::Calling], 1)?
        .is_empty();
    let settings = &context.settings;
    let mode = settings.get(key::MODE);
    let is_meant = mode == "realtime" || settings.get(key::FINISH) == "realtime";
    if job.state.is_over() || !is_open || is_meant {
        return Ok(());
    }
    let short = job.short();
    if mode != "batch" || settings.source(key::MODE) == Some(&Source::Default) {
        context.printer.note(&format!(
            "what is left of job {short} goes out by calls, at the realtime price, as it was begun"
        ));
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "what is left of job {short} goes out by calls, as it was begun; nothing was sent"
    ))
    .hint("add --now to go on with it, or --again for a job of its own, which pays for all rows"))
}

/// A job whose answers were pruned writes no table any more: where the one that the line names is
/// not there already, the line would end well and leave nothing.
fn require_answers(
    store: &Store,
    found: &Found,
    output: Option<&Path>,
) -> Result<(), CommandError> {
    let Some(words) = if_pruned(store, found)? else { return Ok(()) };
    let written = store.outputs_of(&found.job.key)?;
    let is_there = |path: &Path| path.is_file() && written.iter().any(|own| Path::new(own) == path);
    if output.is_some_and(is_there) {
        return Ok(());
    }
    Err(CommandError::usage(format!("{words}; nothing was sent and no table was written"))
        .hint("the same line with --again pays for all of it anew"))
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

fn make(
    context: &Context,
    store: &Store,
    scratch: Scratch,
    planned: &mut Planned,
    (who, former): (&Who, Option<&Former>),
    (name, place): (Option<&str>, Place),
) -> Result<Found, CommandError> {
    let home = store.home().to_owned();
    let named_path = planned.spec.output.path.clone();
    let terms = terms(context, planned, who)?;
    // Held until the job is in the ledger, so that nobody takes its folder for abandoned.
    let (scratch, _planner) = scratch.keep();
    JobFolder::remove_unlisted(&home, |key| Ok::<_, StoreError>(store.job_by_id(key)?.is_some()))?;
    loop {
        let key = match former {
            Some(former) => former.key.clone(),
            None => new_job_key().map_err(JobError::Random)?,
        };
        if former.is_some() {
            clear_folder(store, &key)?;
        }
        if place == Place::Beside {
            planned.spec.output.path = named_path.as_deref().map(|path| beside(path, &key[..6]));
        }
        let job = new_job(context, planned, (who, &terms), &key)?;
        // The folder comes first: a job in the ledger always has its files. A folder without a
        // job is rubbish.
        let folder = scratch.adopt(&home, &key).map_err(JobError::file("write", scratch.root()))?;
        let Plan { shards, tally, cached, equal, .. } = &planned.plan;
        let known = KnownRows { cached: cached.as_ref(), equal, name };
        let inserted = store.insert_job_with(&job, shards, &tally.skipped, &known);
        if inserted.is_err() {
            remove(&folder);
        }
        match inserted? {
            Inserted::New => {
                folder.set_listed();
                let job = store.job_by_id(&key)?.expect("it was just inserted");
                if let (Place::Beside, Some(path)) = (place, &job.output_path) {
                    context.printer.note(&format!("another job writes there; writing {path}"));
                }
                return Found::of(store, job);
            }
            Inserted::Same(job) => {
                planned.spec.output.path = named_path;
                let found = attach(context, store, *job, (planned, who), &folder);
                remove(&folder);
                return found;
            }
            Inserted::Taken if former.is_some() => {
                remove(&folder);
                return Err(CommandError::usage(format!(
                    "job {} at {} has the six characters of a job of this home; nothing was sent",
                    key, who.name
                ))
                .hint("set BATCHCTL_HOME to another folder to take it over"));
            }
            Inserted::Taken => {
                folder.give_back(&scratch).map_err(JobError::file("write", scratch.root()))?;
            }
        }
    }
}

/// What the ledger keeps of a job under this key.
fn new_job(
    context: &Context,
    planned: &Planned,
    (who, terms): (&Who, &Terms),
    key: &str,
) -> Result<NewJob, CommandError> {
    let output = planned.spec.output.path.as_ref();
    Ok(NewJob {
        key: key.to_owned(),
        run_digest: planned.plan.run_digest.clone(),
        folder: context.folder.to_string_lossy().into_owned(),
        provider: who.name.clone(),
        base_url: who.stored_url.clone(),
        account: who.account.clone(),
        spec: serde_json::to_string(&planned.spec)?,
        rows: planned.plan.tally.rows,
        requests: planned.plan.requests(),
        output_path: output.map(|path| path.to_string_lossy().into_owned()),
        terms: Some(serde_json::to_string(terms)?),
        prompt: Some(planned.spec.prompt_digest(who.is_sandbox)),
        now: context.clock.unix(),
    })
}

/// What a new job is made under: the price of this day, what it is expected to cost, and the
/// limits that were set. A job that was made before keeps its own.
fn terms(context: &Context, planned: &Planned, who: &Who) -> Result<Terms, CommandError> {
    let estimate = &planned.plan.estimate;
    let unpriced = estimate.unpriced().next().map(|other| other.who.as_str());
    let asked = Paid {
        model: &planned.spec.question.model,
        price: estimate.price.as_ref(),
        mode: estimate.mode,
        unpriced,
    };
    Ok(Terms {
        price: estimate.price.clone(),
        others: who.others.iter().map(|other| other.price.clone()).collect(),
        forecast: Some(estimate.forecast()),
        max_cost: max_cost(context, who, asked)?,
        max_requests: context.settings.get(key::MAX_REQUESTS),
    })
}

fn remove(folder: &JobFolder) {
    // Best effort: the folder belongs to no job.
    let _ = folder.remove();
}

/// Whether the settings ask for waiting.
pub(in crate::commands) fn waits(context: &Context) -> bool {
    !context.settings.get(key::NO_WAIT)
}
