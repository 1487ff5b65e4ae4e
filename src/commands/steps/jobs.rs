//! Finding the job that a person means.

use crate::commands::Context;
use crate::job::{JobError, JobFolder, Spec};
use crate::store::{JobRecord, Store};
use crate::table::Table;
use crate::ui::{CommandError, ExitCode};

/// A job with what belongs to it.
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

    /// The job's own copy of its table.
    pub(in crate::commands) fn table(&self) -> Result<Table, CommandError> {
        let text = self.folder.input(&self.spec.input);
        Ok(Table::reopen(self.spec.source.as_ref(), &text, &self.spec.shape)
            .map_err(JobError::from)?)
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
        (Some(id), _) => store.job_by_id(id)?.ok_or_else(|| {
            CommandError::usage(format!("no job or batch {id} is known here"))
                .hint("batchctl status   lists the jobs of all folders")
        })?,
        (None, Bare::OnlyUnfinished) => only_unfinished(store)?,
    };
    Found::of(store, job)
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
