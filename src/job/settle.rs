//! From result files to outcomes: each row of a shard gets exactly one, whatever the files hold,
//! in whatever order. Lines that do not read, ids that are not ours and second answers are
//! counted and reported; none of them stops the rest.

use std::collections::HashMap;

use super::build::each_row;
use super::drive::Driver;
use super::price::{larger, used};
use super::{Event, JobError};
use crate::answer::{Expected, RowStatus, judge};
use crate::batch::{BadLine, Batch, BatchStatus, FailureKind, ResultFile};
use crate::request::{CustomId, Source};
use crate::shard::{RowEntry, RowsReader};
use crate::store::{ArtifactKind, ArtifactRecord, OutcomeRecord, ShardRecord};

/// The outcomes of one shard, with what was odd about its files.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    /// One per row of the shard that has a line, or was set aside.
    pub(super) records: HashMap<u64, OutcomeRecord>,
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
pub(super) enum Ids {
    /// Our own ids, of this job and round.
    Ours { job: String, round: u32 },
    /// The ids of a request file that came with its own.
    Given(HashMap<String, u64>),
}

impl Ids {
    pub(super) fn row_of(&self, custom_id: &str) -> Option<u64> {
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
        let expected = self.expected()?;
        let prices = self.prices()?;
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
                let judged = judge(&line, expected.wanted());
                let record = OutcomeRecord {
                    row,
                    round: shard.round,
                    status: judged.status,
                    place: Some((artifact.id, offset, length)),
                    content_key: Some(key),
                    usage: used(&line),
                    cost: None,
                    error: judged.error,
                    class: judged.class,
                };
                settlement.take(record);
            }
        }
        for record in settlement.records.values_mut() {
            record.cost = prices.cost(shard.asks.ask, shard.mode, record.usage);
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

    /// Rows whose request could not be built any more: they have their outcome already.
    pub(super) fn settled_before(
        &self,
        shard: &ShardRecord,
        entries: &[RowEntry],
    ) -> Result<HashMap<u64, OutcomeRecord>, JobError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(HashMap::new());
        };
        let range = (first.row, last.row);
        let known = self.store.outcomes_of_round(&self.job.key, shard.round, range)?;
        let mine = |o: &OutcomeRecord| o.status == RowStatus::Skipped;
        Ok(known.into_iter().filter(mine).map(|known| (known.row, known)).collect())
    }

    pub(super) fn entries(&self, shard: &ShardRecord) -> Result<Vec<RowEntry>, JobError> {
        let reader = RowsReader::open(&self.folder.rows_file(&shard.stem()))?;
        reader.map(|entry| entry.map_err(JobError::from)).collect()
    }

    pub(super) fn ids(&self, shard: &ShardRecord) -> Result<Ids, JobError> {
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

    /// What each answer is to hold.
    pub(super) fn expected(&self) -> Result<Expected, JobError> {
        Expected::read(&self.spec.form)
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
            let text = format!("{}: {count} {what}", shard.title());
            self.reporter.report(&Event::Warning { text });
        }
    }
}

impl Settlement {
    /// Whether another reading of the same files may hold more.
    pub(super) fn is_short(&self) -> bool {
        self.missing + self.cut > 0
    }

    /// Takes the outcome of a line; of two for the same row the good one stays, else the first,
    /// and the larger count of tokens.
    fn take(&mut self, mut record: OutcomeRecord) {
        let good = record.status.is_good();
        match self.records.get_mut(&record.row) {
            Some(known) if known.place.is_some() => {
                self.duplicates += 1;
                known.usage = larger(known.usage, record.usage);
                record.usage = known.usage;
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
        cost: None,
        error: Some(error.to_owned()),
        class: (status == RowStatus::Error).then_some(FailureKind::Server),
    }
}
