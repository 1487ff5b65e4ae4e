//! The sweep: batches of this job at the provider that the ledger does not hold, left by another
//! home or by a later life of a restored one. They are taken for ours, never cancelled.

use std::collections::{HashMap, HashSet};

use super::late::take_in_late;
use super::listing::list_kept;
use super::place::{Known, Place, Shards};
use super::search::{is_stillborn, matches};
use crate::batch::Batch;
use crate::job::agenda::Agenda;
use crate::job::contents::Contents;
use crate::job::drive::{Driver, Ending};
use crate::job::id::CreateName;
use crate::job::poll::as_json;
use crate::job::{Event, JobError};
use crate::provider::{CallClass, CallError};
use crate::request::Mode;
use crate::shard::RowEntry;
use crate::store::{CallKind, CreateState, FoundBatch, Holder, NewShard, ShardState, SurplusState};

/// Why a sweep is not through.
enum Halt {
    /// A call failed.
    Call(CallError),
    /// Batches are there of which nothing can be said.
    Unclear(String),
    /// A person must decide.
    Person(String),
}

impl Driver<'_> {
    /// Looks through the listing for batches with our job key. `Some` if nothing may be sent.
    pub(in crate::job) async fn sweep(
        &self,
        agenda: &mut Agenda,
    ) -> Result<Option<Ending>, JobError> {
        // Dropped at any point it has recorded whole batches only.
        let swept = tokio::select! {
            swept = self.sweep_whole() => swept?,
            cause = self.stop.raised() => return Ok(Some(Ending::Stopped(cause))),
        };
        match swept {
            Ok(()) => {
                agenda.has_swept(self.clock.instant());
                Ok(None)
            }
            Err(Halt::Unclear(why)) => Ok(Some(Ending::Unclear(why))),
            Err(Halt::Person(why)) => Ok(Some(Ending::NeedsOperator(why))),
            Err(Halt::Call(error)) if error.is_local() => Err(error.into()),
            Err(Halt::Call(error)) if error.failure.stops_the_account() => {
                Ok(Some(Ending::Refused(error.failure)))
            }
            Err(Halt::Call(error))
                if error.class == CallClass::Rejected && !error.failure.is_repeatable() =>
            {
                // A service without a listing: what it made cannot be found again. One that is
                // only busy has one, and what it would show is not paid again.
                let text = format!("{error}; batches of an earlier run cannot be looked for");
                self.complain(agenda, &text);
                agenda.has_swept(self.clock.instant());
                Ok(None)
            }
            Err(Halt::Call(error)) => Ok(Some(Ending::Unreachable(error.failure))),
        }
    }

    /// The sweep of a job that only waits: what cannot be had now is looked for an hour later.
    pub(in crate::job) async fn sweep_while_waiting(
        &self,
        agenda: &mut Agenda,
    ) -> Result<(), JobError> {
        let now = self.clock.instant();
        if !self.options.submit || !self.options.wait || !agenda.is_sweep_due(now) {
            return Ok(());
        }
        if !self.store.has_mode(&self.job.key, Mode::Batch)? {
            return Ok(());
        }
        if let Some(ending) = self.sweep(agenda).await? {
            agenda.has_swept(now);
            match ending {
                Ending::Unclear(why) | Ending::NeedsOperator(why) => self.complain(agenda, &why),
                Ending::Refused(failure) | Ending::Unreachable(failure) => {
                    let text = format!("looking for batches of this job: {}", failure.message);
                    self.complain(agenda, &text);
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn sweep_whole(&self) -> Result<Result<(), Halt>, JobError> {
        let batches = match list_kept(self.api).await {
            Ok(batches) => batches,
            Err(error) => {
                self.log_failure(CallKind::List, None, &error)?;
                return Ok(Err(Halt::Call(error)));
            }
        };
        for late in take_in_late(self.store, &batches, self.job, self.clock.unix())? {
            self.warn(&late.words());
        }
        let mut ours = self.not_held(&batches)?;
        if ours.is_empty() {
            return self.require_no_other(&batches);
        }
        // The earliest of equals is the one that was meant.
        ours.sort_by_key(|(batch, name)| (name.round, batch.created_at, name.attempt));
        let mut shards = self.known_shards()?;
        for (_, name) in &ours {
            shards.take_number(name.round, name.number);
        }
        let mut unclear = None;
        for (batch, name) in ours {
            match self.take_in(batch, &name, &mut shards).await? {
                Ok(()) => {}
                Err(Halt::Unclear(why)) => unclear = Some(why),
                Err(halt) => return Ok(Err(halt)),
            }
        }
        Ok(unclear.map_or(Ok(()), |why| Err(Halt::Unclear(why))))
    }

    /// The batches of the listing that carry our key and are not in the ledger. Those of a create
    /// that is looked for are left to that search.
    fn not_held<'b>(&self, batches: &'b [Batch]) -> Result<Vec<(&'b Batch, CreateName)>, JobError> {
        let mut held: HashSet<String> = self.store.batch_ids(&self.job.key)?.into_iter().collect();
        for (_, create) in self.lost()? {
            let found: Vec<_> =
                matches(batches, &create, &held).iter().map(|batch| batch.id.clone()).collect();
            held.extend(found);
        }
        let name_of = |batch: &Batch| CreateName::parse(batch.metadata.get("batchctl")?);
        Ok(batches
            .iter()
            .filter(|batch| !held.contains(&batch.id))
            .filter_map(|batch| Some((batch, name_of(batch)?)))
            .filter(|(_, name)| name.job == self.job.key)
            .collect())
    }

    /// Before its first create a job has no batch anywhere. Where the very same run is at the
    /// provider under another job that this ledger does not know, another home drives it.
    fn require_no_other(&self, batches: &[Batch]) -> Result<Result<(), Halt>, JobError> {
        if !self.store.batch_ids(&self.job.key)?.is_empty() {
            return Ok(Ok(()));
        }
        for former in crate::job::former::formers(batches, &self.job.run_digest) {
            if self.store.job_by_id(&former.key)?.is_none() {
                return Ok(Err(Halt::Person(format!(
                    "the very same run is at {} as job {}, which another home has made meanwhile \
                     ({} of it); nothing is sent a second time",
                    self.api.name(),
                    &former.key[..6],
                    former.batches()
                ))));
            }
        }
        Ok(Ok(()))
    }

    fn known_shards(&self) -> Result<Shards, JobError> {
        let creates = self.store.creates(&self.job.key)?;
        let with_batch: HashMap<i64, u32> = creates
            .iter()
            .filter(|create| create.state == CreateState::Created)
            .map(|create| (create.shard, create.attempt))
            .collect();
        let mut shards = Shards::default();
        for shard in self.store.shards(&self.job.key)? {
            let entries = self.entries(&shard)?;
            let attempt = with_batch.get(&shard.id).copied();
            let (has_batch, attempt) = (attempt.is_some(), attempt.unwrap_or(0));
            shards.add(Known { shard, has_batch, attempt, entries });
        }
        Ok(shards)
    }

    /// Takes one batch for ours.
    async fn take_in(
        &self,
        batch: &Batch,
        name: &CreateName,
        shards: &mut Shards,
    ) -> Result<Result<(), Halt>, JobError> {
        if is_stillborn(batch) {
            self.note_stillborn(batch, name, shards)?;
            return Ok(Ok(()));
        }
        let rows = match self.rows_of(batch, name, shards).await? {
            Ok(rows) => rows,
            Err(halt) => return Ok(Err(halt)),
        };
        match shards.place(name, &rows) {
            Place::Of { shard, closed } => {
                let holder = Holder::Shard(shards.get(shard).shard.id);
                self.record(batch, name, holder, &closed, &rows, shards)?;
                let known = shards.get_mut(shard);
                (known.has_batch, known.shard.state) = (true, ShardState::Running);
                known.attempt = name.attempt;
                let shard = known.shard.clone();
                self.tell_taken(&shard.stem(), shard.number, batch, rows.len());
            }
            Place::New { rows, closed } => {
                let number = match shards.named(name) {
                    Some(_) => shards.next_number(name.round),
                    None => name.number,
                };
                let entries = self.entries_of(&rows, name.round, |row| shards.entry(row))?;
                let new = self.list_rows(name.round, number, &entries)?;
                self.record(batch, name, Holder::New(&new), &closed, &rows, shards)?;
                let mut shard = new.as_record();
                shard.state = ShardState::Running;
                self.tell_taken(&shard.stem(), number, batch, entries.len());
                shards.add(Known { shard, has_batch: true, attempt: name.attempt, entries });
            }
            Place::Surplus(holder) => self.note_surplus(batch, name, shards, holder)?,
            Place::Nothing => {}
        }
        Ok(Ok(()))
    }

    /// The rows of a batch: without asking where it reads the very file that was built from a
    /// shard of ours.
    async fn rows_of(
        &self,
        batch: &Batch,
        name: &CreateName,
        shards: &Shards,
    ) -> Result<Result<Vec<u64>, Halt>, JobError> {
        if let Some(known) = shards.named(name).map(|at| shards.get(at)) {
            let create = self.store.newest_create(known.shard.id)?;
            let is_its_file = |create: &crate::store::CreateRecord| {
                create.file_id.is_some() && create.file_id == batch.input_file_id
            };
            if create.as_ref().is_some_and(is_its_file) {
                return Ok(Ok(known.entries.iter().map(|entry| entry.row).collect()));
            }
        }
        Ok(match self.contents(batch, name).await? {
            Ok(Contents::Rows(rows)) => Ok(rows),
            Ok(Contents::Unknown) => Err(Halt::Unclear(format!(
                "batch {} of this job runs and its input file is gone: which rows it holds is \
                 known when it has ended, and nothing is sent before",
                batch.id
            ))),
            Err(error) => Err(Halt::Call(error)),
        })
    }

    /// Records a batch with its shard; the open shards that lose rows to it go on with the others.
    fn record(
        &self,
        batch: &Batch,
        name: &CreateName,
        holder: Holder<'_>,
        closed: &[usize],
        rows: &[u64],
        shards: &mut Shards,
    ) -> Result<(), JobError> {
        let taken: HashSet<u64> = rows.iter().copied().collect();
        let mut ids = Vec::new();
        let mut rest = Vec::new();
        for at in closed {
            let known = shards.get(*at).clone();
            ids.push(known.shard.id);
            let left: Vec<RowEntry> =
                known.entries.into_iter().filter(|e| !taken.contains(&e.row)).collect();
            if !left.is_empty() {
                let number = shards.next_number(known.shard.round);
                rest.push((self.list_rows(known.shard.round, number, &left)?, left));
            }
        }
        let new: Vec<NewShard> = rest.iter().map(|(new, _)| new.clone()).collect();
        let found = found(batch, name);
        self.store.take_in(&self.job.key, holder, &found, (&ids, &new), self.clock.unix())?;
        for at in closed {
            shards.get_mut(*at).shard.state = ShardState::Settled;
        }
        let listed = self.store.shards(&self.job.key)?;
        for (new, entries) in rest {
            let is_it = |shard: &&crate::store::ShardRecord| {
                (shard.round, shard.number) == (new.round, new.number)
            };
            let shard = listed.iter().find(is_it).cloned();
            let shard = shard.expect("it was just recorded");
            shards.add(Known { shard, has_batch: false, attempt: 0, entries });
        }
        Ok(())
    }

    /// A batch that never ran: the next create of its shard must not have its key again.
    fn note_stillborn(
        &self,
        batch: &Batch,
        name: &CreateName,
        shards: &Shards,
    ) -> Result<(), JobError> {
        let Some(known) = shards.named(name).map(|at| shards.get(at)) else { return Ok(()) };
        let waits = [ShardState::Planned, ShardState::Uploaded];
        if !known.has_batch && waits.contains(&known.shard.state) {
            let found = found(batch, name);
            self.store.note_stillborn(known.shard.id, &found, self.clock.unix())?;
        }
        Ok(())
    }

    /// Its rows are in other batches: it is paid for all the same, so what it answers is kept.
    fn note_surplus(
        &self,
        batch: &Batch,
        name: &CreateName,
        shards: &Shards,
        holder: usize,
    ) -> Result<(), JobError> {
        let mut create = None;
        for at in shards.named(name).into_iter().chain([holder]) {
            create = create.or(self.store.newest_create(shards.get(at).shard.id)?);
        }
        let create = create.expect("a shard with a batch has a create");
        let reply = as_json(batch);
        self.store.add_surplus(
            &self.job.key,
            create.id,
            (&batch.id, &reply),
            SurplusState::Running,
            self.clock.unix(),
        )?;
        self.warn(&format!(
            "batch {} ({name}) is one too many: its rows are in another batch too, so they may be \
             billed twice; it is not stopped, what it answers is kept",
            batch.id
        ));
        Ok(())
    }

    fn tell_taken(&self, stem: &str, number: u64, batch: &Batch, rows: usize) {
        self.reporter.report(&Event::Note {
            text: format!(
                "batch {} ({stem}, {rows} rows) is of this job and was not known here: taken over",
                batch.id
            ),
        });
        self.reporter.report(&Event::Submitted {
            shard: number,
            shards: self.shard_count(),
            batch: batch.id.clone(),
        });
    }
}

fn found(batch: &Batch, name: &CreateName) -> FoundBatch {
    FoundBatch {
        key: name.to_string(),
        attempt: name.attempt,
        batch: batch.id.clone(),
        input_file: batch.input_file_id.clone(),
        reply: as_json(batch),
        status_word: batch.status_word.clone(),
    }
}
