//! What is checked at the end of each schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use batchctl::answer::{RowStatus, judge};
use batchctl::batch::decode_line;
use batchctl::job::JobFolder;
use batchctl::store::{OutcomeRecord, Store};

use super::{KEY, ROWS, text_of};
use crate::support::memory::Memory;
use crate::support::memory::chance::Fault;
use crate::support::memory::life::{Bill, answer};

/// How a seed ended.
pub(super) struct End {
    pub(super) memory: Memory,
    pub(super) runs: usize,
    pub(super) deaths: u64,
    /// How often an older copy of the home took its place.
    pub(super) restored: u64,
    /// Rounds in which something was billed.
    pub(super) bill_rounds: usize,
    pub(super) statuses: BTreeMap<RowStatus, u64>,
    pub(super) output: Vec<Row>,
}

/// A row of the output: its status and its answer.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "a row has a number, which is called so")]
pub(super) struct Row {
    row: u64,
    status: RowStatus,
    answer: Option<String>,
}

/// The output, row by row: what the ledger says, and the answers where they lie.
pub(super) fn rows(store: &Store, home: &Path) -> Result<Vec<Row>, String> {
    let folder = JobFolder::of(home, KEY).results();
    let artifacts = store.artifacts(KEY).map_err(|error| error.to_string())?;
    let path_of = |id: i64| -> Option<PathBuf> {
        artifacts.iter().find(|artifact| artifact.id == id).map(|found| folder.join(&found.name))
    };
    let outcomes = store.outcomes_from(KEY, 0, 1000).map_err(|error| error.to_string())?;
    let row = |outcome: OutcomeRecord| -> Result<Row, String> {
        let answer = match outcome.place.filter(|_| outcome.status.is_good()) {
            Some((artifact, offset, length)) => {
                let path = path_of(artifact).ok_or("an outcome points to no file")?;
                let bytes = fs::read(path).map_err(|error| error.to_string())?;
                let range = usize::try_from(offset).ok().zip(usize::try_from(offset + length).ok());
                let (from, to) = range.ok_or("no such place")?;
                let line = decode_line(bytes.get(from..to).ok_or("no such place")?);
                let line = line.map_err(|error| error.to_string())?;
                Some(judge(&line, None).content.to_owned())
            }
            None => None,
        };
        Ok(Row { row: outcome.row, status: outcome.status, answer })
    };
    outcomes.into_iter().map(row).collect()
}

impl End {
    /// Whether every row must have its answer.
    pub(super) fn is_clean(&self) -> bool {
        !self.memory.faults(|faults| faults.had(Fault::is_lossy))
    }

    /// Checks what was promised.
    pub(super) fn judged(mut self, reference: &[Row]) -> Result<Self, String> {
        let bill = self.memory.settle();
        let differs = || {
            (self.is_clean() && self.output != reference)
                .then(|| format!("no fault was lossy, and the output is {:?}", self.output))
        };
        let wrong = twice(&bill, self.restored > 0)
            .or_else(|| self.sums())
            .or_else(|| self.lost(&bill))
            .or_else(differs);
        if let Some(wrong) = wrong {
            return Err(format!("{wrong}\n{}", self.memory.log()));
        }
        let rounds = bill.batches.keys().filter_map(|shard| shard.split('-').nth(2));
        self.bill_rounds = rounds.collect::<BTreeSet<_>>().len();
        Ok(self)
    }

    /// P2: every row has one status, and they sum to the rows.
    fn sums(&self) -> Option<String> {
        let numbers: Vec<u64> = self.output.iter().map(|row| row.row).collect();
        let sum: u64 = self.statuses.values().sum();
        if sum == ROWS && numbers == (0..ROWS).collect::<Vec<_>>() {
            return None;
        }
        Some(format!("P2: {:?} for the rows {numbers:?}", self.statuses))
    }

    /// P3: a good answer that the provider handed over is in the output, and none is made up.
    fn lost(&self, bill: &Bill) -> Option<String> {
        self.output.iter().find_map(|row| {
            let start = format!("k7f2qd-{:07}-", row.row);
            let its = bill.runs.iter().filter(|(id, _)| id.starts_with(&start));
            let mut files = its.flat_map(|(_, runs)| runs.iter().flatten());
            let was_had = files.clone().any(|file| bill.handed_over.contains(file));
            let is_there = row.status == RowStatus::Ok
                && row.answer.as_deref() == Some(answer(&text_of(row.row)).as_str());
            let is_sound = if is_there { files.next().is_some() } else { !was_had };
            (!is_sound).then(|| format!("P3: a good answer was had: {was_had}; now {row:?}"))
        })
    }
}

/// P1: what was billed twice. After an older home was restored nobody knows any more which rows
/// got no answer, and those may go out once more; no row does that has one.
fn twice(bill: &Bill, is_restored: bool) -> Option<String> {
    let was_had = |run: &Option<String>| match run {
        Some(file) => bill.handed_over.contains(file),
        None => false,
    };
    let row = bill.runs.iter().find(|(_, runs)| match runs.split_last() {
        Some((_, before)) if is_restored => before.iter().any(was_had),
        _ => runs.len() > 1,
    });
    let row = row.map(|(id, runs)| format!("P1: {id} was billed {} times", runs.len()));
    row.or_else(|| {
        let shard = bill.batches.iter().find(|(_, batches)| batches.len() > 1 && !is_restored);
        shard.map(|(shard, batches)| format!("P1: {shard} has the billable batches {batches:?}"))
    })
}
