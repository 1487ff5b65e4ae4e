//! Further rounds: when nothing of a job is open any more, the rows that may succeed when sent
//! again are gathered from all its shards and cut into new ones. Which rows those are is said by
//! the ledger; nothing is sent here.

use std::collections::BTreeMap;

use super::drive::Driver;
use super::price::at_mode;
use super::repack::share;
use super::{Event, JobError, JobFolder, Spec};
use crate::answer::RowStatus;
use crate::request::{CustomId, Mode, Question, Source};
use crate::shard::{Cut, Cutter, Limits, RowEntry, RowsWriter};
use crate::store::{Asking, Leftover, NewShard, Rounds, ShardRecord};

/// Rows of a shard that is called: an answer counts against budgets by itself once its shard is
/// settled, and until then as its worst case.
const MOST_CALLS: u64 = 5_000;

/// A row with the prompt tokens it is taken to have.
pub(super) type Weighed = (RowEntry, u64);

impl Driver<'_> {
    /// Plans the next round if nothing is open and rows are left that may go out again by
    /// themselves. Returns whether there is one. A kill before its shards are in the ledger
    /// leaves nothing but row lists, which the next run writes anew.
    pub(super) fn plan_next_round(&self) -> Result<bool, JobError> {
        if !self.options.submit || self.is_stopping()? || self.is_halted()? {
            return Ok(false);
        }
        let left = self.leftovers()?;
        let Some(highest) = left.iter().map(|left| left.round).max() else { return Ok(false) };
        let round = highest + 1;
        let mut first = self.store.last_number(&self.job.key, round)? + 1;
        let (mut groups, mut reasked) = (Vec::new(), 0);
        for (asks, mut entries) in self.leftover_entries(&left, round)? {
            entries.sort_unstable_by_key(|(entry, _)| entry.row);
            let mode = self.mode_of(asks);
            let mut shards = if asks.is_reask {
                reasked += entries.len() as u64;
                self.list_reasks((asks.ask, mode), (round, first), &mut entries)?
            } else {
                list_round(self.folder, &self.limits(mode), (round, first), &entries)?
            };
            for shard in &mut shards {
                shard.mode = mode;
            }
            self.reserve_for_mode(asks, mode, &mut shards)?;
            first += shards.len() as u64;
            groups.push((asks, shards));
        }
        self.store.insert_round(&self.job.key, &groups)?;
        let shards: Vec<&NewShard> = groups.iter().flat_map(|(_, shards)| shards).collect();
        self.reporter.report(&Event::NextRound {
            round,
            rows: shards.iter().map(|shard| shard.rows).sum(),
            shards: shards.len() as u64,
            reasked,
            statuses: counted(&left),
        });
        Ok(!shards.is_empty())
    }

    /// The rows that may go out again by themselves; none while anything is open.
    pub(super) fn leftovers(&self) -> Result<Vec<Leftover>, JobError> {
        let counts = self.store.shard_counts(&self.job.key)?;
        let is_open = counts.keys().any(|state| !state.is_settled());
        // A surplus batch may still answer some of them.
        if is_open || self.store.open_surplus(&self.job.key)? > 0 {
            return Ok(Vec::new());
        }
        let rounds = Rounds { most: self.options.rounds, reasks: self.options.reasks };
        Ok(self.store.leftovers(&self.job.key, rounds)?)
    }

    /// How rows go out again: those that a batch left as the line says it, those that are asked
    /// because of their answers as the job's own.
    fn mode_of(&self, asks: Asking) -> Mode {
        if asks.is_reask { self.spec.mode } else { self.options.finish }
    }

    /// Shards that go out in another mode than the job's first ones cost its price.
    fn reserve_for_mode(
        &self,
        asks: Asking,
        mode: Mode,
        shards: &mut [NewShard],
    ) -> Result<(), JobError> {
        let Some(modes) = self.planned_otherwise(asks, mode)? else { return Ok(()) };
        let prices = self.prices()?;
        let price = prices.of_ask(asks.ask);
        for shard in shards.iter_mut().filter(|shard| shard.reserve.is_none()) {
            let share = self.store.planned_share((&self.job.key, asks), shard)?;
            shard.reserve =
                share.zip(price).and_then(|(share, price)| at_mode(share, price, modes));
        }
        Ok(())
    }

    /// The mode whose price rows were planned with, where it is not that of the shards they go out
    /// in now, and that one. Where only some were, the price is the higher of both: too much may
    /// be reserved for a while, never too little.
    fn planned_otherwise(
        &self,
        asks: Asking,
        mode: Mode,
    ) -> Result<Option<(Mode, Mode)>, JobError> {
        let shards = self.store.shards(&self.job.key)?;
        let same = || shards.iter().filter(|shard| shard.asks == asks && shard.round > 0);
        let first = same().map(|shard| shard.round).min();
        let mut modes = same().filter(|shard| Some(shard.round) == first).map(|s| s.mode);
        let from = match mode {
            Mode::Realtime if modes.any(|first| first == Mode::Batch) => Mode::Batch,
            Mode::Batch if first.is_some() && modes.all(|m| m == Mode::Realtime) => Mode::Realtime,
            _ => return Ok(None),
        };
        Ok(Some((from, mode)))
    }

    /// Lists the shards of rows that are asked because of their answers.
    fn list_reasks(
        &self,
        (ask, mode): (Option<i64>, Mode),
        numbers: (u32, u64),
        entries: &mut [Weighed],
    ) -> Result<Vec<NewShard>, JobError> {
        let question = self.question(ask)?;
        self.with_objections(numbers.0, &question.model, entries)?;
        let mut shards = list_round(self.folder, &self.limits(mode), numbers, entries)?;
        self.reserve((ask, &question, mode), &mut shards, entries)?;
        Ok(shards)
    }

    /// What one shard may hold.
    fn limits(&self, mode: Mode) -> Limits {
        // A job of an older release did not keep what it was cut by.
        let api = || self.api.limits(self.spec.question.endpoint).with_margin();
        let mut limits = self.spec.limits.unwrap_or_else(api);
        if mode == Mode::Realtime {
            limits.max_requests = limits.max_requests.min(MOST_CALLS);
        }
        limits
    }

    /// The places of these rows in the table, from the row lists of the shards they were last in,
    /// by what they are asked; those that are asked because of an answer from where they were last
    /// asked without one, so that all lines are as long as those of their first question. A row
    /// that was not sent but gets what an equal one gets is in no list, and in none of the next
    /// round's.
    fn leftover_entries(
        &self,
        left: &[Leftover],
        round: u32,
    ) -> Result<BTreeMap<Asking, Vec<Weighed>>, JobError> {
        let mut newest: BTreeMap<u64, (Asking, Weighed)> = BTreeMap::new();
        for shard in self.store.shards(&self.job.key)?.into_iter().filter(|s| !s.asks.is_reask) {
            for mut entry in self.entries(&shard)? {
                let Ok(at) = left.binary_search_by_key(&entry.row, |left| left.row) else {
                    continue;
                };
                let Leftover { round: last, is_reask, .. } = left[at];
                if last != shard.round && !is_reask {
                    continue;
                }
                let tokens = share(shard.tokens, entry.line_bytes, shard.bytes);
                if self.spec.question.source != Source::Foreign {
                    let length = |round| CustomId::length(entry.row, round) as u64;
                    entry.line_bytes = entry.line_bytes - length(shard.round) + length(round);
                }
                newest.insert(entry.row, (Asking { is_reask, ..shard.asks }, (entry, tokens)));
            }
        }
        let mut groups: BTreeMap<Asking, Vec<Weighed>> = BTreeMap::new();
        for (asks, entry) in newest.into_values() {
            groups.entry(asks).or_default().push(entry);
        }
        Ok(groups)
    }

    /// What was asked of a shard's rows: the job's own request, with the question of the retry
    /// that the shard belongs to.
    pub(super) fn spec_of(&self, shard: &ShardRecord) -> Result<Spec, JobError> {
        Ok(Spec { question: self.question(shard.asks.ask)?, ..self.spec.clone() })
    }

    /// The question with this number; `None` is the job's own.
    pub(super) fn question(&self, ask: Option<i64>) -> Result<Question, JobError> {
        match ask {
            Some(ask) => read_question(&self.store.question(ask)?, self.job.short()),
            None => Ok(self.spec.question.clone()),
        }
    }
}

/// Reads a question that was kept for a retry.
fn read_question(text: &str, job: &str) -> Result<Question, JobError> {
    serde_json::from_str(text)
        .map_err(|e| JobError::Spec { job: job.to_owned(), detail: e.to_string() })
}

/// Writes the row lists of a round, numbered from `first` on, cut by the limits.
pub(super) fn list_round(
    folder: &JobFolder,
    limits: &Limits,
    (round, first): (u32, u64),
    entries: &[Weighed],
) -> Result<Vec<NewShard>, JobError> {
    let mut cutter = Cutter::new(*limits);
    let mut shards: Vec<NewShard> = Vec::new();
    let mut start = 0;
    for (at, (entry, _)) in entries.iter().enumerate() {
        // A line that was sent before fits; one that would not is for the provider to judge.
        let cut = cutter.push(entry.line_bytes).unwrap_or(Cut::Same);
        if cut == Cut::New && at > start {
            let number = first + shards.len() as u64;
            shards.push(list(folder, (round, number), &entries[start..at])?);
            start = at;
        }
    }
    if start < entries.len() {
        let number = first + shards.len() as u64;
        shards.push(list(folder, (round, number), &entries[start..])?);
    }
    Ok(shards)
}

/// Writes the row list of one shard.
fn list(
    folder: &JobFolder,
    (round, number): (u32, u64),
    entries: &[Weighed],
) -> Result<NewShard, JobError> {
    let path = folder.rows_file(&format!("r{round}-s{number:04}"));
    let write = || {
        let mut writer = RowsWriter::create(&path)?;
        entries.iter().try_for_each(|(entry, _)| writer.write(entry))?;
        writer.finish()
    };
    let rows = write().map_err(JobError::file("write", &path))?;
    let bytes = entries.iter().map(|(entry, _)| entry.line_bytes).sum();
    let tokens = entries.iter().map(|(_, tokens)| tokens).sum();
    Ok(NewShard { round, number, rows, bytes, tokens, reserve: None, mode: Mode::Batch })
}

/// How many rows go out again for which reason, the commonest first.
fn counted(left: &[Leftover]) -> Vec<(RowStatus, u64)> {
    let mut counts: BTreeMap<RowStatus, u64> = BTreeMap::new();
    for left in left {
        *counts.entry(left.status).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    counts
}
