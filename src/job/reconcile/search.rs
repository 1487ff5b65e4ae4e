//! The search itself: listings, adoption of what is found, the fence, and what becomes of rows
//! whose batch never was.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::listing::{is_of, list_back_to};
use super::{Search, Step, next_step};
use crate::batch::{Batch, BatchStatus};
use crate::job::agenda::Agenda;
use crate::job::drive::Driver;
use crate::job::poll::as_json;
use crate::job::{Event, JobError};
use crate::provider::{CallClass, CallError};
use crate::store::{CallEnd, CallKind, CreateRecord, ShardRecord, ShardState, SurplusState};

/// The pause after a listing that could not be had.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// A shard with its create that got no clear answer.
pub(in crate::job) type Lost = (ShardRecord, CreateRecord);

impl Driver<'_> {
    /// Takes the search for lost batches as far as it can go now, and notes when it goes on.
    pub(in crate::job) async fn search(&self, agenda: &mut Agenda) -> Result<(), JobError> {
        let now = self.clock.instant();
        if agenda.next_look.is_some_and(|at| at > now) {
            return Ok(());
        }
        agenda.next_look = None;
        let mut due = Vec::new();
        for lost in self.lost()? {
            match next_step(&self.search_of(&lost.1)) {
                Step::Look { after } => {
                    // The first look of a process comes at once: it does not know how long ago
                    // the last one was.
                    let last = agenda.looked.get(&lost.1.id);
                    let at = last.map_or(now, |last| *last + after);
                    if at <= now {
                        due.push(lost);
                    } else {
                        agenda.look_at(at);
                    }
                }
                Step::Fence if self.options.submit => self.fence(&lost, agenda).await?,
                Step::Absent if self.options.submit => {
                    self.declare_absent(&lost)?;
                    self.tell_absent(&lost.0);
                }
                // Once in a process is enough: a person is asked meanwhile.
                Step::AskPerson if !agenda.looked.contains_key(&lost.1.id) => due.push(lost),
                Step::Fence | Step::Absent | Step::AskPerson => {}
            }
        }
        if due.is_empty() { Ok(()) } else { self.look(&due, agenda).await }
    }

    /// Why a person must decide, if nothing we can do tells whether a batch exists.
    pub(in crate::job) fn for_a_person(&self) -> Result<Option<String>, JobError> {
        Ok(self.stuck()?.first().map(|(shard, create)| {
            format!(
                "no clear answer came to the create of {}, and no batch of it is listed \
                 (batchctl={} in the batch's metadata, input file {})",
                shard.title(),
                create.key,
                create.file_id.as_deref().unwrap_or("unknown")
            )
        }))
    }

    /// Shards of which nothing we can do tells whether their batch exists.
    pub(in crate::job) fn stuck(&self) -> Result<Vec<Lost>, JobError> {
        let stuck = |lost: &Lost| next_step(&self.search_of(&lost.1)) == Step::AskPerson;
        Ok(self.lost()?.into_iter().filter(stuck).collect())
    }

    /// What is being looked for, if anything is.
    pub(in crate::job) fn searches_for(&self) -> Result<Option<String>, JobError> {
        let lost = self.lost()?;
        Ok((!lost.is_empty()).then(|| {
            format!("no clear answer came to the create of {}; it is looked for", names(&lost))
        }))
    }

    pub(in crate::job) fn lost(&self) -> Result<Vec<Lost>, JobError> {
        self.with_creates(&[ShardState::Creating, ShardState::Unknown])
    }

    fn search_of(&self, create: &CreateRecord) -> Search {
        Search {
            listings: create.listings,
            searched: Duration::from_secs(create.searched),
            is_fenced: create.fenced.is_some(),
            fence_trusted: self.api.fence_trusted(),
        }
    }

    /// One listing for all that are due.
    async fn look(&self, due: &[Lost], agenda: &mut Agenda) -> Result<(), JobError> {
        // A listing shows what was there when it was asked for, not when its answer was read.
        let asked = self.clock.instant();
        let asked_by_provider = self.api.server_time();
        let since = due.iter().map(|(_, create)| create.intended).min().flatten();
        let batches = match list_back_to(self.api, || since).await {
            Ok(batches) => batches,
            Err(error) => {
                self.log_failure(CallKind::List, None, &error)?;
                self.complain(agenda, &format!("looking for {}: {error}", names(due)));
                agenda.look_at(self.clock.instant() + AFTER_FAILURE);
                return Ok(());
            }
        };
        let held: HashSet<String> = self.store.batch_ids(&self.job.key)?.into_iter().collect();
        for (shard, create) in due {
            let found = matches(&batches, create, &held);
            if found.is_empty() {
                self.note_absence(create, agenda, (asked, asked_by_provider))?;
            } else {
                self.adopt(shard, create, &found)?;
            }
            agenda.looked.insert(create.id, asked);
        }
        // What follows from the new knowledge is due at once.
        agenda.look_at(asked);
        Ok(())
    }

    /// One more complete listing without the batch. The search has gone on for as long as this
    /// process has looked, or as the provider's clock says, whichever is longer: both are sound,
    /// and only the latter knows of the time between two processes.
    fn note_absence(
        &self,
        create: &CreateRecord,
        agenda: &Agenda,
        (asked, by_provider): (Instant, Option<i64>),
    ) -> Result<(), JobError> {
        let since_last = agenda.looked.get(&create.id).map_or(Duration::ZERO, |last| asked - *last);
        let here = create.searched + since_last.as_secs();
        let by_provider = match (create.fenced, create.intended, by_provider) {
            (None, Some(begun), Some(now)) => u64::try_from(now - begun).unwrap_or(0),
            _ => 0,
        };
        if create.listings == 0 {
            self.warn(&format!(
                "no batch {} is listed; it is looked for on, so that nothing is paid twice",
                create.key
            ));
        }
        Ok(self.store.not_listed(create.id, create.listings + 1, here.max(by_provider))?)
    }

    /// Takes the earliest match for ours. Others of the same create are asked to stop, and what
    /// they answer all the same is kept.
    pub(in crate::job) fn adopt(
        &self,
        shard: &ShardRecord,
        create: &CreateRecord,
        found: &[&Batch],
    ) -> Result<(), JobError> {
        // Newest first in the listing, so the last of equals is the earliest.
        let first = found.iter().rev().min_by_key(|batch| batch.created_at);
        let Some(batch) = first else { return Ok(()) };
        if create.fenced.is_some() && is_stillborn(batch) {
            self.declare_absent(&(shard.clone(), create.clone()))?;
            self.tell_absent(shard);
            return Ok(());
        }
        let words = (as_json(batch), batch.status_word.clone());
        self.store.adopt(
            &self.job.key,
            create,
            &batch.id,
            (&words.0, &words.1),
            self.clock.unix(),
        )?;
        for other in found.iter().filter(|other| other.id != batch.id) {
            self.note_duplicate(shard, create, other)?;
        }
        self.forget_request_file(shard);
        self.reporter.report(&Event::Submitted {
            shard: shard.number,
            shards: self.shard_count(),
            batch: batch.id.clone(),
        });
        Ok(())
    }

    /// One and the same create made several batches: all but the first are asked to stop.
    fn note_duplicate(
        &self,
        shard: &ShardRecord,
        create: &CreateRecord,
        other: &Batch,
    ) -> Result<(), JobError> {
        let named = (other.id.as_str(), as_json(other));
        self.store.add_surplus(
            &self.job.key,
            create.id,
            (named.0, &named.1),
            SurplusState::Unwanted,
            self.clock.unix(),
        )?;
        self.warn(&format!(
            "one create of {} made several batches: {} is one too many and may be billed; \
             it is asked to stop, and what it answers is kept",
            shard.title(),
            other.id
        ));
        Ok(())
    }

    /// Deletes the input file, so that a create that arrives late cannot run.
    async fn fence(&self, (_, create): &Lost, agenda: &mut Agenda) -> Result<(), JobError> {
        let call = self.store.begin_fence(&self.job.key, create.id, self.clock.unix())?;
        let file = create.file_id.clone().unwrap_or_default();
        match self.api.delete_file(&file).await {
            Ok(()) => {
                let now = self.clock.unix();
                let ended =
                    CallEnd { class: "ok", remote_id: Some(file), now, ..CallEnd::default() };
                self.store.end_fence(create.id, call, &ended)?;
                agenda.looked.remove(&create.id);
                agenda.look_at(self.clock.instant());
            }
            Err(error) => {
                self.store.end_call(call, &self.ended_badly(&error))?;
                self.fence_failed(create, &error, agenda);
                agenda.look_at(self.clock.instant() + AFTER_FAILURE);
            }
        }
        Ok(())
    }

    fn fence_failed(&self, create: &CreateRecord, error: &CallError, agenda: &mut Agenda) {
        let outlook = match error.class {
            CallClass::Rejected => "nothing is sent again until it can be",
            CallClass::NotSent | CallClass::Unknown => "trying again",
        };
        let key = &create.key;
        self.complain(agenda, &format!("deleting the input file of {key}: {error}; {outlook}"));
    }

    /// The batch does not exist and never will: its rows go into the next round.
    pub(in crate::job) fn declare_absent(&self, (shard, create): &Lost) -> Result<(), JobError> {
        let entries = self.entries(shard)?;
        let known = self.settled_before(shard, &entries)?;
        let rest: Vec<_> = entries.iter().filter(|e| !known.contains_key(&e.row)).collect();
        let next = self.list_rest(shard, &rest)?;
        self.store.declare_absent(&self.job.key, create, next.as_ref(), self.clock.unix())?;
        self.forget_request_file(shard);
        Ok(())
    }

    fn tell_absent(&self, shard: &ShardRecord) {
        self.warn(&format!(
            "the batch of {} never was (nothing ran, nothing is billed): its rows are sent \
             again",
            shard.title()
        ));
    }
}

/// The batches of the listing that this create made: those with its key, and those of its input
/// file that the ledger does not hold already.
pub(super) fn matches<'a>(
    batches: &'a [Batch],
    create: &CreateRecord,
    held: &HashSet<String>,
) -> Vec<&'a Batch> {
    let reads_its_file =
        |batch: &Batch| create.file_id.is_some() && batch.input_file_id == create.file_id;
    batches
        .iter()
        .filter(|batch| !held.contains(&batch.id))
        .filter(|batch| is_of(batch, &create.key) || reads_its_file(batch))
        .collect()
}

/// Whether a batch failed before any of it ran, as one does whose input file was deleted.
pub(in crate::job) fn is_stillborn(batch: &Batch) -> bool {
    let ran = batch.counts.completed.unwrap_or(0) + batch.counts.failed.unwrap_or(0);
    let has_file = batch.output_file_id.is_some() || batch.error_file_id.is_some();
    batch.status == Some(BatchStatus::Failed) && ran == 0 && !has_file
}

fn names(lost: &[Lost]) -> String {
    let names: Vec<_> = lost.iter().take(3).map(|(_, create)| create.key.as_str()).collect();
    let more = if lost.len() > names.len() { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
