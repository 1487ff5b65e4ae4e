//! A batch that failed before any of it ran: which rows the provider named, and how the others go
//! on. Nothing of it is billed.

use std::collections::{HashMap, HashSet};

use super::JobError;
use super::drive::Driver;
use super::repack::share;
use super::settle::Settlement;
use super::submit::speaks_of_a_missing_file;
use crate::answer::RowStatus;
use crate::batch::{Batch, BatchError, FailureKind, queue_refusal};
use crate::shard::RowEntry;
use crate::store::{NewShard, OutcomeRecord, ShardRecord, ShardState};

/// Rounds in which nothing ran are free, but a file that is refused again and again is a fault.
const ROUNDS_WITHOUT_RUN: u32 = 20;

/// Rows that are named where several are refused; the table holds all of them.
const SHOWN: usize = 3;

impl Driver<'_> {
    /// The check refused the file: nothing ran, nothing is billed. Rows that the provider names
    /// are set aside with its words, the others go into the next round.
    pub(super) fn settle_refused(
        &self,
        shard: &ShardRecord,
        batch: &Batch,
        entries: &[RowEntry],
        settlement: &Settlement,
    ) -> Result<(), JobError> {
        if let Some(full) = queue_refusal(&batch.errors) {
            return self.defer(shard, &full.message);
        }
        let sent: Vec<_> =
            entries.iter().filter(|e| !settlement.records.contains_key(&e.row)).collect();
        let named: HashMap<u64, &BatchError> = batch
            .errors
            .iter()
            .filter_map(|error| {
                let index = usize::try_from(error.line?.checked_sub(1)?).ok()?;
                Some((sent.get(index)?.row, error))
            })
            .collect();
        let complaint = words_of(batch);
        if named.is_empty()
            && shard.round <= ROUNDS_WITHOUT_RUN
            && self.never_was(shard, &complaint)?
        {
            self.warn(&format!(
                "the batch of {} found its file gone (nothing ran, nothing is billed): its \
                 rows are sent again",
                shard.title()
            ));
            let next = self.list_rest(shard, &sent)?;
            return Ok(self.store.replan_shard(&self.job.key, shard.id, &[], next.as_ref())?);
        }
        if named.is_empty() || shard.round > ROUNDS_WITHOUT_RUN {
            self.warn(&format!(
                "{} refused {}: {complaint} (nothing ran, nothing is billed)",
                self.api.name(),
                shard.title()
            ));
            self.store.set_shard_state(shard.id, ShardState::Rejected, Some(&complaint))?;
            return Ok(());
        }
        let refused: Vec<_> = sent
            .iter()
            .filter_map(|entry| Some((entry, named.get(&entry.row)?)))
            .map(|(entry, error)| OutcomeRecord {
                row: entry.row,
                round: shard.round,
                status: RowStatus::Skipped,
                place: None,
                content_key: Some(entry.content_key),
                usage: None,
                cost: None,
                error: Some(format!("refused by {}: {}", self.api.name(), words(error))),
                class: Some(FailureKind::Invalid),
            })
            .collect();
        let rest: Vec<_> = sent.iter().filter(|e| !named.contains_key(&e.row)).copied().collect();
        self.warn(&format!(
            "{} refused {} of {} rows of {} at validation (nothing ran, nothing is \
             billed): {}; the other {} go out again",
            self.api.name(),
            refused.len(),
            entries.len(),
            shard.title(),
            first_named(&sent, &named),
            rest.len()
        ));
        let next = self.list_rest(shard, &rest)?;
        self.store.replan_shard(&self.job.key, shard.id, &refused, next.as_ref())?;
        Ok(())
    }

    /// Whether a batch that failed counts as one that never was: its file was gone before it ran,
    /// as after a fence, or its rows were sent on by another home.
    fn never_was(&self, shard: &ShardRecord, words: &str) -> Result<bool, JobError> {
        Ok(speaks_of_a_missing_file(words, None) || !self.rows_taken_in(shard)?.is_empty())
    }

    /// Writes the row list of the shard that carries on with the rest.
    pub(super) fn list_rest(
        &self,
        shard: &ShardRecord,
        rest: &[&RowEntry],
    ) -> Result<Option<NewShard>, JobError> {
        let on_their_way = self.rows_taken_in(shard)?;
        let rest: Vec<_> = rest.iter().filter(|e| !on_their_way.contains(&e.row)).collect();
        if rest.is_empty() {
            return Ok(None);
        }
        let round = shard.round + 1;
        let number = self.store.last_number(&self.job.key, round)? + 1;
        let rest: Vec<RowEntry> = rest.into_iter().map(|entry| **entry).collect();
        let next = self.list_rows(round, number, &rest)?;
        let tokens = share(shard.tokens, next.bytes, shard.bytes);
        Ok(Some(NewShard { tokens, ..next }))
    }

    /// Rows of this shard that another home has sent on already: a batch of them was found, and
    /// they must not be sent a second time.
    pub(super) fn rows_taken_in(&self, shard: &ShardRecord) -> Result<HashSet<u64>, JobError> {
        let taken = self.store.taken_shards(&self.job.key)?;
        if taken.is_empty() {
            return Ok(HashSet::new());
        }
        let mut rows = HashSet::new();
        for other in self.store.shards(&self.job.key)? {
            let is_later = other.round >= shard.round && other.id != shard.id;
            if is_later && taken.contains(&other.id) {
                rows.extend(self.entries(&other)?.into_iter().map(|entry| entry.row));
            }
        }
        Ok(rows)
    }
}

/// The first rows that the check named, as rows and lines of the table.
fn first_named(sent: &[&RowEntry], named: &HashMap<u64, &BatchError>) -> String {
    let found = sent.iter().filter_map(|entry| Some((entry, named.get(&entry.row)?)));
    let mut list: Vec<_> = found
        .take(SHOWN)
        .map(|(entry, error)| format!("row {} (line {}): {}", entry.row, entry.line, words(error)))
        .collect();
    if named.len() > SHOWN {
        list.push("…".to_owned());
    }
    list.join("; ")
}

/// What the check complained of, in the provider's words.
fn words_of(batch: &Batch) -> String {
    if batch.errors.is_empty() {
        return format!("batch {} failed and no reason was given", batch.id);
    }
    let first: Vec<_> = batch.errors.iter().take(5).map(words).collect();
    first.join("; ")
}

fn words(error: &BatchError) -> String {
    match &error.code {
        Some(code) if !error.message.contains(code) => format!("{code}: {}", error.message),
        _ => error.message.clone(),
    }
}
