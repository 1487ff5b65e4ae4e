//! `prune`: make room. Removes the local files of finished jobs, and with `--remote` what they
//! left at the provider. The account stays: the same line does not pay again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Context;
use super::flags::JsonArg;
use super::steps::{
    Bare, Cleaned, Found, Who, clean_remote, find_job, list_remote, must_stay, open_store,
    who_of_job,
};
use crate::base::LockError;
use crate::config::parse_duration;
use crate::job::JobError;
use crate::store::Store;
use crate::ui::{CommandError, ExitCode, bytes, counted, minute};

/// The age from which jobs are removed where nobody says one.
const OLD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What stands below its help.
const AFTER: &str = "The answers of a pruned job leave the row cache with it, but for those that a \
    later job has a copy of; batchctl cache export keeps them in a file.";

/// Arguments of `prune`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Only these finished jobs, whatever their age [default: all that are old enough]
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Jobs that finished longer ago than that, as 30d, 12h, 0 [default: 30d, and asks first]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "ids")]
    pub older_than: Option<Duration>,
    /// Also delete their files at the provider: input, output and error files, leftovers of uploads
    #[arg(long)]
    pub remote: bool,
    /// Also jobs whose table was never written: their answers are lost
    #[arg(long)]
    pub unwritten: bool,
    /// Say what would go, remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// A job with what it would free.
struct Candidate {
    found: Found,
    bytes: u64,
    files: u64,
    /// Files at the provider.
    remote: u64,
    /// Why it stays.
    stays: Option<&'static str>,
    cleaned: Cleaned,
    is_pruned: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let mut candidates = candidates(args, context, &store)?;
    let may_go = candidates.iter().any(|candidate| candidate.stays.is_none());
    let goes = may_go && !args.dry_run && is_wanted(args, context, &candidates)?;
    let mut worst = ExitCode::Success;
    if goes {
        let mut open = BTreeMap::new();
        for candidate in candidates.iter_mut().filter(|candidate| candidate.stays.is_none()) {
            if let Err(error) = remove(args, context, &store, candidate, &mut open) {
                let error = super::refine(error, None);
                let job = candidate.found.job.short();
                context.printer.warning(&format!("job {job}: {:#}", error.error));
                // A job that was named is not passed over as one of many old ones is.
                let is_told = error.exit == ExitCode::Locked && !args.ids.is_empty();
                if is_told || matches!(error.exit, ExitCode::Credentials | ExitCode::Storage) {
                    worst = error.exit;
                }
            }
        }
    }
    tell(args, context, &candidates, goes)?;
    Ok(worst)
}

/// The finished jobs that are meant, with what they hold.
fn candidates(
    args: &Args,
    context: &Context,
    store: &Store,
) -> Result<Vec<Candidate>, CommandError> {
    let mut meant = Vec::new();
    for id in &args.ids {
        let found = find_job(context, store, Some(id), Bare::Last)?;
        if !found.job.state.is_over() {
            let job = found.job.short();
            return Err(CommandError::usage(format!("job {job} is {}", found.job.state))
                .hint(format!("batchctl cancel {job}   stops it and collects what is done")));
        }
        meant.push(found);
    }
    if args.ids.is_empty() {
        let age = i64::try_from(args.older_than.unwrap_or(OLD).as_secs()).unwrap_or(i64::MAX);
        let newest = context.clock.unix().saturating_sub(age);
        let jobs = store.jobs()?.into_iter().rev();
        for job in jobs.filter(|job| job.state.is_over() && job.updated <= newest) {
            meant.push(Found::of(store, job)?);
        }
    }
    let mut candidates = Vec::new();
    for found in meant {
        let candidate = Candidate::of(args, context, store, found)?;
        // One that was pruned before is of no interest unless something is left to do.
        if !args.ids.is_empty() || candidate.files + candidate.remote > 0 {
            candidates.push(candidate);
        }
    }
    Ok(candidates)
}

impl Candidate {
    fn of(
        args: &Args,
        context: &Context,
        store: &Store,
        found: Found,
    ) -> Result<Self, CommandError> {
        let held = JobError::file("read", found.folder.root());
        let (files, bytes) = found.folder.holds().map_err(held)?;
        let history = store.job_history(&found.job.key)?;
        let mut stays = None;
        if history.written.is_none() && history.pruned.is_none() && !args.unwritten {
            stays = Some("its table was never written (--unwritten removes it all the same)");
        }
        let mut remote = 0;
        if args.remote {
            remote = list_remote(context, store, &found)?.len() as u64;
            stays = stays.or(must_stay(store, &found, args.unwritten)?);
        }
        let cleaned = Cleaned::default();
        Ok(Self { found, bytes, files, remote, stays, cleaned, is_pruned: false })
    }
}

/// Whether it is to be done: an age or ids on the line say so, a terminal is asked, and elsewhere
/// the line to type is named.
fn is_wanted(
    args: &Args,
    context: &Context,
    candidates: &[Candidate],
) -> Result<bool, CommandError> {
    if args.older_than.is_some() || !args.ids.is_empty() {
        return Ok(true);
    }
    if !context.is_interactive {
        return Ok(false);
    }
    let going: Vec<_> = candidates.iter().filter(|c| c.stays.is_none()).collect();
    for candidate in &going {
        context.printer.note(&candidate.line(args));
    }
    let freed: u64 = going.iter().map(|candidate| candidate.bytes).sum();
    let jobs = counted(going.len() as u64, "job");
    Ok(context.printer.confirm(&format!("remove the files of {jobs}, {}?", bytes(freed)))?)
}

/// Removes what belongs to a job: first at the provider, while everything is still here.
fn remove(
    args: &Args,
    context: &Context,
    store: &Store,
    candidate: &mut Candidate,
    open: &mut BTreeMap<(String, String), Who>,
) -> Result<(), CommandError> {
    let found = &candidate.found;
    let _lock = match found.folder.try_lock() {
        Ok(lock) => lock,
        Err(LockError::Held(holder)) => {
            return Err(CommandError::message(
                ExitCode::Locked,
                format!("it is in use by another {holder}"),
            ));
        }
        Err(error) => return Err(JobError::lock(found.job.short())(error).into()),
    };
    let mut remote = Ok(());
    if args.remote && (candidate.remote > 0 || store.has_unclear_upload(&found.job.key)?) {
        remote = clean(context, store, found, open).map(|cleaned| candidate.cleaned = cleaned);
    }
    // What the provider refuses must not keep the disk full.
    if candidate.files > 0 {
        store.prune_job(&found.job.key, context.clock.unix())?;
        found.folder.clear().map_err(JobError::file("remove", found.folder.root()))?;
        candidate.is_pruned = true;
    }
    remote
}

fn clean(
    context: &Context,
    store: &Store,
    found: &Found,
    open: &mut BTreeMap<(String, String), Who>,
) -> Result<Cleaned, CommandError> {
    let account = (found.job.provider.clone(), found.job.base_url.clone());
    if !open.contains_key(&account) {
        open.insert(account.clone(), who_of_job(context, found)?);
    }
    clean_remote(context, store, found, &open[&account])
}

impl Candidate {
    fn line(&self, args: &Args) -> String {
        let job = &self.found.job;
        let mut line = format!(
            "{}  {}  {}  {} in {}",
            job.short(),
            job.state,
            minute(job.updated),
            bytes(self.bytes),
            counted(self.files, "file")
        );
        if args.remote {
            let files = counted(self.remote, "file");
            line += &format!(", {files} at {}", job.provider);
        }
        line + &self.stays.map(|why| format!("   stays: {why}")).unwrap_or_default()
    }
}

/// A job as `--json` prints it.
#[derive(Serialize)]
struct JobView<'a> {
    job: &'a str,
    bytes: u64,
    files: u64,
    remote_files: u64,
    remote_deleted: u64,
    remote_left: u64,
    pruned: bool,
    stays: Option<&'a str>,
}

fn tell(
    args: &Args,
    context: &Context,
    candidates: &[Candidate],
    went: bool,
) -> Result<(), CommandError> {
    if context.json {
        let jobs: Vec<_> = candidates.iter().map(Candidate::view).collect();
        let document = serde_json::json!({ "schema_version": 1, "done": went, "jobs": jobs });
        return Ok(context.printer.json(&document)?);
    }
    if candidates.is_empty() {
        context.printer.note("nothing to prune; --older-than TIME names another age than 30 days");
        return Ok(());
    }
    for candidate in candidates {
        context.printer.data(&candidate.line(args))?;
    }
    let sum = |of: fn(&Candidate) -> u64| -> u64 { candidates.iter().map(of).sum() };
    if went {
        let freed = sum(|c| if c.is_pruned { c.bytes } else { 0 });
        context.printer.note(&format!("freed {}", bytes(freed)));
        if args.remote {
            let deleted = counted(sum(|c| c.cleaned.deleted), "file");
            let left = sum(|c| c.cleaned.left);
            let left = if left > 0 { format!(", {left} left and listed") } else { String::new() };
            context.printer.note(&format!("deleted {deleted} at the providers{left}"));
        }
    } else {
        let free = sum(|c| if c.stays.is_none() { c.bytes } else { 0 });
        context.printer.note(&format!("nothing was removed; this would free {}", bytes(free)));
        if !args.dry_run && free > 0 {
            let remote = if args.remote { " --remote" } else { "" };
            context.printer.note(&format!("do it: batchctl prune --older-than 30d{remote}"));
        }
    }
    Ok(())
}

impl Candidate {
    fn view(&self) -> JobView<'_> {
        JobView {
            job: self.found.job.short(),
            bytes: self.bytes,
            files: self.files,
            remote_files: self.remote,
            remote_deleted: self.cleaned.deleted,
            remote_left: self.cleaned.left,
            pruned: self.is_pruned,
            stays: self.stays,
        }
    }
}
