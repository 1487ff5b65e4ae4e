//! From result files to outcomes: each row of a shard gets exactly one, whatever the files hold,
//! in whatever order. Lines that do not read, ids that are not ours and second answers are
//! counted and reported; none of them stops the rest.

use std::collections::{HashMap, HashSet};

use super::build::each_row;
use super::drive::Driver;
use super::repack::share;
use super::{Event, JobError};
use crate::answer::{Fields, RowStatus, judge};
use crate::batch::{
    BadLine, Batch, BatchError, BatchStatus, FailureKind, ResultFile, queue_refusal,
};
use crate::request::{CustomId, Source};
use crate::shard::{RowEntry, RowsReader};
use crate::store::{
    ArtifactKind, ArtifactRecord, NewShard, OutcomeRecord, ShardRecord, ShardState,
};

/// Rounds in which nothing ran are free, but a file that is refused again and again is a fault.
const ROUNDS_WITHOUT_RUN: u32 = 20;

/// Rows that are named where several are refused; the table holds all of them.
const SHOWN: usize = 3;

/// The outcomes of one shard, with what was odd about its files.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    /// One per row of the shard that has a line, or was set aside.
    records: HashMap<u64, OutcomeRecord>,
    /// Rows of the shard in neither file.
    pub(super) missing: u64,
    answered: u64,
    failed: u64,
    duplicates: u64,
    foreign: u64,
    broken: u64,
    /// Files that end in the middle of a line, and answers that the batch counts beyond those in
    /// its output file: of a batch that ended with a part done nothing else tells that a download
    /// was cut.
    cut: u64,
}

/// Finds the row of an id in a result file.
enum Ids {
    /// Our own ids, of this job and round.
    Ours { job: String, round: u32 },
    /// The ids of a request file that came with its own.
    Given(HashMap<String, u64>),
}

impl Ids {
    fn row_of(&self, custom_id: &str) -> Option<u64> {
        match self {
            Self::Ours { job, round } => CustomId::parse(custom_id)
                .filter(|id| id.job6 == *job && id.round == *round)
                .map(|id| id.row),
            Self::Given(rows) => rows.get(custom_id).copied(),
        }
    }
}

impl Driver<'_> {
    /// Reads the recorded files of a shard.
    pub(super) fn settlement(
        &self,
        shard: &ShardRecord,
        batch: &Batch,
    ) -> Result<Settlement, JobError> {
        let entries = self.entries(shard)?;
        let ids = self.ids(shard)?;
        let fields = self.fields()?;
        let keys: HashMap<u64, [u8; 16]> =
            entries.iter().map(|entry| (entry.row, entry.content_key)).collect();
        let mut settlement =
            Settlement { records: self.settled_before(shard, &entries)?, ..Settlement::default() };
        let mut outputs = 0;
        for artifact in self.artifacts_of(shard)? {
            let path = self.folder.results().join(&artifact.name);
            for line in ResultFile::open(&path).map_err(JobError::file("read", &path))? {
                let (offset, length, line) = line.map_err(JobError::file("read", &path))?;
                outputs += u64::from(artifact.kind == ArtifactKind::Output);
                let line = match line {
                    Ok(line) => line,
                    Err(why) => {
                        settlement.broken += 1;
                        settlement.cut += u64::from(why == BadLine::Unfinished);
                        continue;
                    }
                };
                let row = ids.row_of(&line.custom_id);
                let Some((row, key)) = row.and_then(|row| Some((row, *keys.get(&row)?))) else {
                    settlement.foreign += 1;
                    continue;
                };
                let judged = judge(&line, fields.as_ref());
                let record = OutcomeRecord {
                    row,
                    round: shard.round,
                    status: judged.status,
                    place: Some((artifact.id, offset, length)),
                    content_key: Some(key),
                    usage: line.usage,
                    error: judged.error,
                    class: judged.class,
                };
                settlement.take(record);
            }
        }
        if batch.status.unwrap_or(BatchStatus::Completed) == BatchStatus::Completed {
            let is_missing = |e: &&RowEntry| !settlement.records.contains_key(&e.row);
            settlement.missing = entries.iter().filter(is_missing).count() as u64;
        } else {
            settlement.cut += batch.counts.completed.unwrap_or(0).saturating_sub(outputs);
        }
        Ok(settlement)
    }

    /// Records the outcomes of a shard, those of rows without a line included.
    pub(super) fn settle(
        &self,
        shard: &ShardRecord,
        batch: &Batch,
        mut settlement: Settlement,
    ) -> Result<(), JobError> {
        self.report_oddities(shard, &settlement);
        let entries = self.entries(shard)?;
        if batch.status == Some(BatchStatus::Failed) && settlement.answered + settlement.failed == 0
        {
            return self.settle_refused(shard, batch, &entries, &settlement);
        }
        for entry in &entries {
            settlement
                .records
                .entry(entry.row)
                .or_insert_with(|| without_line(shard, entry, batch));
        }
        let mut records: Vec<_> = settlement.records.into_values().collect();
        records.sort_unstable_by_key(|record| record.row);
        self.settle_and_judge(shard, &records)?;
        self.report_fetched(shard, settlement.answered, settlement.failed);
        Ok(())
    }

    /// The check refused the file: nothing ran, nothing is billed. Rows that the provider names
    /// are set aside with its words, the others go into the next round.
    fn settle_refused(
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
        if named.is_empty() || shard.round > ROUNDS_WITHOUT_RUN {
            let words = words_of(batch);
            self.warn(&format!(
                "{} refused shard {}: {words} (nothing ran, nothing is billed)",
                self.api.name(),
                shard.number
            ));
            self.store.set_shard_state(shard.id, ShardState::Rejected, Some(&words))?;
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
                error: Some(format!("refused by {}: {}", self.api.name(), words(error))),
                class: Some(FailureKind::Invalid),
            })
            .collect();
        let rest: Vec<_> = sent.iter().filter(|e| !named.contains_key(&e.row)).copied().collect();
        self.warn(&format!(
            "{} refused {} of {} rows of shard {} at validation (nothing ran, nothing is \
             billed): {}; the other {} go out again",
            self.api.name(),
            refused.len(),
            entries.len(),
            shard.number,
            first_named(&sent, &named),
            rest.len()
        ));
        let next = self.list_rest(shard, &rest)?;
        self.store.replan_shard(&self.job.key, shard.id, &refused, next.as_ref())?;
        Ok(())
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

    /// Rows whose request could not be built any more: they have their outcome already.
    pub(super) fn settled_before(
        &self,
        shard: &ShardRecord,
        entries: &[RowEntry],
    ) -> Result<HashMap<u64, OutcomeRecord>, JobError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(HashMap::new());
        };
        let known = self.store.outcomes_between(&self.job.key, first.row, last.row)?;
        let mine = |o: &OutcomeRecord| o.round == shard.round && o.status == RowStatus::Skipped;
        Ok(known.into_iter().filter(mine).map(|known| (known.row, known)).collect())
    }

    pub(super) fn entries(&self, shard: &ShardRecord) -> Result<Vec<RowEntry>, JobError> {
        let reader = RowsReader::open(&self.folder.rows_file(&shard.stem()))?;
        reader.map(|entry| entry.map_err(JobError::from)).collect()
    }

    fn ids(&self, shard: &ShardRecord) -> Result<Ids, JobError> {
        if self.spec.question.source != Source::Foreign {
            return Ok(Ids::Ours { job: self.job.short().to_owned(), round: shard.round });
        }
        let compiled = self.spec.question.compile(self.table.headers())?;
        let mut rows = HashMap::new();
        let entries = RowsReader::open(&self.folder.rows_file(&shard.stem()))?;
        each_row(self.table, entries, |row, entry| {
            if let Ok(id) = compiled.custom_id(row, "") {
                rows.insert(id.into_owned(), entry.row);
            }
            Ok(())
        })?;
        Ok(Ids::Given(rows))
    }

    pub(super) fn fields(&self) -> Result<Option<Fields>, JobError> {
        self.spec
            .fields
            .as_deref()
            .map(Fields::parse)
            .transpose()
            .map_err(|e| JobError::Spec { job: self.job.short().to_owned(), detail: e.to_string() })
    }

    pub(super) fn artifacts_of(
        &self,
        shard: &ShardRecord,
    ) -> Result<Vec<ArtifactRecord>, JobError> {
        let all = self.store.artifacts_of(shard.id)?;
        Ok(all.into_iter().filter(|artifact| !artifact.is_spare()).collect())
    }

    fn report_oddities(&self, shard: &ShardRecord, settlement: &Settlement) {
        let odd = [
            (settlement.broken, "lines do not read and were set aside"),
            (settlement.foreign, "lines carry ids that are not of this shard"),
            (settlement.duplicates, "rows were answered twice; the good answer is kept"),
        ];
        for (count, what) in odd.into_iter().filter(|(count, _)| *count > 0) {
            let text = format!("shard {}: {count} {what}", shard.number);
            self.reporter.report(&Event::Warning { text });
        }
    }
}

impl Settlement {
    /// Whether another reading of the same files may hold more.
    pub(super) fn is_short(&self) -> bool {
        self.missing + self.cut > 0
    }

    /// Takes the outcome of a line; of two for the same row the good one stays, else the first.
    fn take(&mut self, record: OutcomeRecord) {
        let good = record.status.is_good();
        match self.records.get(&record.row) {
            Some(known) if known.place.is_some() => {
                self.duplicates += 1;
                if known.status.is_good() || !good {
                    return;
                }
                self.failed -= 1;
            }
            _ => {}
        }
        if good {
            self.answered += 1;
        } else {
            self.failed += 1;
        }
        self.records.insert(record.row, record);
    }
}

/// The outcome of a row that is in neither file.
fn without_line(shard: &ShardRecord, entry: &RowEntry, batch: &Batch) -> OutcomeRecord {
    let (status, error) = match batch.status {
        Some(BatchStatus::Expired) => (RowStatus::Expired, "not run before the batch expired"),
        Some(BatchStatus::Cancelled) => {
            (RowStatus::Cancelled, "not run before the batch was cancelled")
        }
        Some(BatchStatus::Failed) => (RowStatus::Error, "the batch failed"),
        _ => (RowStatus::Missing, "in neither result file of its completed batch"),
    };
    OutcomeRecord {
        row: entry.row,
        round: shard.round,
        status,
        place: None,
        content_key: Some(entry.content_key),
        usage: None,
        error: Some(error.to_owned()),
        class: (status == RowStatus::Error).then_some(FailureKind::Server),
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
