//! What a person decides where nothing we can do tells whether a batch exists: that this one is
//! it, or that there is none.

use std::collections::HashSet;

use super::JobError;
use super::contents::Contents;
use super::drive::Driver;
use super::fetch::lacks_files;
use super::id::CreateName;
use super::poll::last_seen;
use super::reconcile::Lost;
use crate::batch::{Batch, FailureKind};
use crate::store::{JobState, ShardRecord, ShardState};

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// It is recorded; what it means, in words.
    Done(String),
    /// It cannot be followed; why not, in words.
    Refused(String),
}

/// What a person must decide about a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Shards of which nobody knows whether their batch exists, with their rows.
    pub lost: Vec<(u64, u64)>,
    /// Shards whose batch counts answers and names no file, with their rows.
    pub empty: Vec<(u64, u64)>,
}

impl Driver<'_> {
    /// What waits for a decision.
    pub fn undecided(&self) -> Result<Undecided, JobError> {
        let of = |shard: &ShardRecord| (shard.number, shard.rows);
        Ok(Undecided {
            lost: self.stuck()?.iter().map(|(shard, _)| of(shard)).collect(),
            empty: self.without_files()?.iter().map(|(shard, _)| of(shard)).collect(),
        })
    }

    /// Takes this batch for the one that is looked for, if it is. What it holds decides, not what
    /// the person says.
    pub async fn resolve_batch(&self, id: &str) -> Result<Resolved, JobError> {
        if self.store.holds_batch(id)? {
            return Ok(Resolved::Refused(format!("batch {id} is known here already")));
        }
        let lost = self.lost()?;
        if lost.is_empty() {
            return Ok(Resolved::Refused(
                "no batch of this job is looked for; resume takes over what is its own".to_owned(),
            ));
        }
        let batch = match self.api.retrieve(id).await {
            Ok(batch) => batch,
            Err(error) if error.failure.kind == FailureKind::NotFound => {
                return Ok(Resolved::Refused(format!("{} knows no batch {id}", self.api.name())));
            }
            Err(error) => return Err(error.into()),
        };
        for lost in &lost {
            if self.is_batch_of(&batch, lost).await? {
                self.adopt(&lost.0, &lost.1, &[&batch])?;
                self.goes_on()?;
                return Ok(Resolved::Done(format!(
                    "batch {id} is the one of {} and taken over",
                    lost.0.title()
                )));
            }
        }
        Ok(Resolved::Refused(format!(
            "batch {id} is none of this job: it carries another key and another input file, and \
             its requests are not those of a shard whose batch is looked for"
        )))
    }

    /// Whether this batch is the one of a create: by its key, by its input file, or by the very
    /// rows in it.
    async fn is_batch_of(&self, batch: &Batch, (shard, create): &Lost) -> Result<bool, JobError> {
        let key = batch.metadata.get("batchctl");
        if let Some(key) = key {
            return Ok(*key == create.key);
        }
        if create.file_id.is_some() && create.file_id == batch.input_file_id {
            return Ok(true);
        }
        let Some(name) = CreateName::parse(&create.key) else { return Ok(false) };
        let Contents::Rows(rows) = self.contents(batch, &name).await?? else { return Ok(false) };
        let own: HashSet<u64> = self.entries(shard)?.iter().map(|entry| entry.row).collect();
        Ok(!rows.is_empty() && rows.iter().all(|row| own.contains(row)))
    }

    /// Follows a person who says that no batch exists: the rows go into the next round. A batch
    /// that names no file for what it counts will not do so any more: its rows are missing.
    pub fn resolve_absent(&self) -> Result<Resolved, JobError> {
        let (lost, empty) = (self.stuck()?, self.without_files()?);
        if lost.is_empty() && empty.is_empty() {
            let why = self.searches_for()?;
            return Ok(Resolved::Refused(match why {
                Some(why) => format!("{why}: resume goes on with that"),
                None => "nothing of this job waits for a decision".to_owned(),
            }));
        }
        let mut said = Vec::new();
        for lost in &lost {
            self.declare_absent(lost)?;
            said.push(format!("the {} rows of {} are sent again", lost.0.rows, lost.0.title()));
        }
        for (shard, batch) in &empty {
            let settlement = self.settlement(shard, batch)?;
            self.settle(shard, batch, settlement)?;
            said.push(format!("the rows of {} without an answer are missing", shard.title()));
        }
        self.goes_on()?;
        Ok(Resolved::Done(said.join("; ")))
    }

    fn goes_on(&self) -> Result<(), JobError> {
        let reason = Some("decided by a person");
        let now = self.clock.unix();
        Ok(self.store.set_job_state(&self.job.key, JobState::Waiting, reason, now)?)
    }

    /// Shards whose batch has ended, counts answers, and names no file for them.
    fn without_files(&self) -> Result<Vec<(ShardRecord, Batch)>, JobError> {
        let ended = self.with_creates(&[ShardState::Ended])?;
        let seen =
            ended.into_iter().filter_map(|(shard, create)| Some((shard, last_seen(&create)?)));
        Ok(seen.filter(|(_, batch)| lacks_files(batch)).collect())
    }
}
