//! Finding the job that a person means.

use crate::commands::Context;
use crate::config::nearest;
use crate::job::{JobError, JobFolder, Spec};
use crate::store::{JobRecord, Store};
use crate::table::{Selection, Table};
use crate::ui::{CommandError, ExitCode};

/// A job with what belongs to it.
#[derive(Clone)]
pub(in crate::commands) struct Found {
    /// As the ledger knows it.
    pub(in crate::commands) job: JobRecord,
    /// What was asked.
    pub(in crate::commands) spec: Spec,
    /// Its files.
    pub(in crate::commands) folder: JobFolder,
}

impl Found {
    /// Looks a record's belongings up.
    pub(in crate::commands) fn of(store: &Store, job: JobRecord) -> Result<Self, CommandError> {
        let spec = Spec::of(&job)?;
        let folder = JobFolder::of(store.home(), &job.key);
        Ok(Self { job, spec, folder })
    }

    /// Whether another process drives it now.
    pub(in crate::commands) fn is_driven(&self) -> bool {
        matches!(self.folder.try_lock(), Err(crate::base::LockError::Held(_)))
    }

    /// The job's own copy of its table.
    pub(in crate::commands) fn table(&self) -> Result<Table, CommandError> {
        let text = self.folder.input(&self.spec.input);
        Ok(Table::reopen(self.spec.source.as_ref(), &text, &self.spec.shape)
            .map_err(JobError::from)?)
    }
}

impl Found {
    /// The table that the answers are written onto.
    pub(in crate::commands) fn written_table(&self) -> Result<Table, CommandError> {
        let Some(onto) = &self.spec.output.onto else { return self.table() };
        let text = self.folder.input(&onto.input);
        Ok(Table::reopen(onto.source.as_ref(), &text, &onto.shape).map_err(JobError::from)?)
    }

    /// The rows of that table that were asked.
    pub(in crate::commands) fn written_selection(&self) -> &Selection {
        self.spec.output.onto.as_ref().map_or(&self.spec.selection, |onto| &onto.selection)
    }
}

/// Opens the ledger of the home.
pub(in crate::commands) fn open_store(context: &Context) -> Result<Store, CommandError> {
    Ok(Store::open(&context.home)?)
}

/// Which jobs an absent id may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Bare {
    /// The only unfinished job.
    OnlyUnfinished,
    /// The newest job of this folder.
    Last,
}

/// The job a person names: its short id, its key, a batch id, `last`, or nothing.
pub(in crate::commands) fn find_job(
    context: &Context,
    store: &Store,
    id: Option<&str>,
    bare: Bare,
) -> Result<Found, CommandError> {
    let job = match (id, bare) {
        (Some("last"), _) | (None, Bare::Last) => {
            let job = store.last_job(&context.folder.to_string_lossy())?;
            let job = job.ok_or_else(|| {
                CommandError::usage("no job was started in this folder")
                    .hint("batchctl status   lists the jobs of all folders")
            })?;
            context.printer.note(&format!("job {} of {}", job.short(), job.folder));
            job
        }
        (Some(id), _) => match store.job_by_id(id)? {
            Some(job) => job,
            None => return Err(unknown(store, id)?),
        },
        (None, Bare::OnlyUnfinished) => only_unfinished(store)?,
    };
    Found::of(store, job)
}

/// The error for an id that nothing has, with the one that was meant if one is near.
fn unknown(store: &Store, id: &str) -> Result<CommandError, CommandError> {
    let jobs = store.jobs()?;
    let error = CommandError::usage(format!("no job or batch {id} is known here"));
    let list = "batchctl status   lists the jobs of all folders";
    Ok(match nearest(id, jobs.iter().map(JobRecord::short)) {
        Some(meant) => error.hint(format!("did you mean {meant}?")).hint(list),
        None if jobs.is_empty() => {
            error.hint("no job was started yet; one begins with: batchctl workflow in.csv out.csv")
        }
        None => error.hint(list),
    })
}

fn only_unfinished(store: &Store) -> Result<JobRecord, CommandError> {
    let mut open: Vec<_> = store.jobs()?.into_iter().filter(|job| !job.state.is_over()).collect();
    match open.len() {
        0 => Err(CommandError::usage("no job is unfinished").hint("batchctl status   lists all")),
        1 => Ok(open.remove(0)),
        _ => {
            let list: Vec<_> =
                open.iter().map(|job| format!("{} in {}", job.short(), job.folder)).collect();
            Err(CommandError::usage(format!(
                "several jobs are unfinished: {}; name one, or say last",
                list.join(", ")
            ))
            .hint("batchctl status   shows them"))
        }
    }
}

/// The error for a job that another process drives.
pub(in crate::commands) fn held(job: &JobRecord, holder: &str) -> CommandError {
    CommandError::message(
        ExitCode::Locked,
        format!("job {} is driven by another {holder}", job.short()),
    )
    .hint(format!("batchctl watch {}   follows it", job.short()))
}
