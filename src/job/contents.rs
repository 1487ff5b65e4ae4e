//! Which rows a batch at the provider holds, read from its input file or, once it has ended, from
//! what it answered; and the row lists made from that.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::JobError;
use super::drive::Driver;
use super::id::CreateName;
use super::plan::visit_selected;
use crate::base::remove_file;
use crate::batch::{BadLine, Batch, Failure, FailureKind, ResultFile};
use crate::provider::{CallClass, CallError};
use crate::request::{CustomId, Source};
use crate::shard::{RowEntry, RowsWriter};
use crate::store::NewShard;

/// How often a file is fetched that does not hold what its batch counts.
const READINGS: usize = 4;

/// What a batch holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// These rows, in order.
    Rows(Vec<u64>),
    /// Nothing tells: its input file is gone and it has not ended.
    Unknown,
}

/// Finds the row of a request's id.
enum RowOf {
    Ours { job6: String, round: u32 },
    Given(HashMap<String, u64>),
}

impl RowOf {
    fn row(&self, id: &str) -> Option<u64> {
        match self {
            Self::Ours { job6, round } => CustomId::parse(id)
                .filter(|id| id.job6 == *job6 && id.round == *round)
                .map(|id| id.row),
            Self::Given(rows) => rows.get(id).copied(),
        }
    }
}

impl Driver<'_> {
    /// The rows of a batch. A batch that ended without its input file counts with the rows that
    /// it answered: those alone are billed.
    pub(super) async fn contents(
        &self,
        batch: &Batch,
        name: &CreateName,
    ) -> Result<Result<Contents, CallError>, JobError> {
        let row_of = self.row_of(name.round)?;
        if let Some(file) = &batch.input_file_id {
            let sent = batch.counts.total.unwrap_or(0);
            match self.ids_in(&[file], ids_of_requests, sent).await? {
                Ok(ids) => return Ok(Ok(Contents::Rows(rows(&ids, &row_of)))),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        if !batch.status.is_some_and(crate::batch::BatchStatus::is_terminal) {
            return Ok(Ok(Contents::Unknown));
        }
        let files = [&batch.output_file_id, &batch.error_file_id].into_iter().flatten();
        let files: Vec<_> = files.map(String::as_str).collect();
        let answered = batch.counts.completed.unwrap_or(0) + batch.counts.failed.unwrap_or(0);
        let ids = self.ids_in(&files, ids_of_results, answered).await?;
        Ok(ids.map(|ids| Contents::Rows(rows(&ids, &row_of))))
    }

    /// The ids in these files of a batch, which are not kept. A reading that breaks off would leave
    /// rows out that are paid already, so one with fewer ids than the batch counts, or with half
    /// a line at its end, is fetched again.
    async fn ids_in(
        &self,
        files: &[&str],
        read: fn(&Path) -> io::Result<Reading>,
        at_least: u64,
    ) -> Result<Result<Vec<String>, CallError>, JobError> {
        let path = self.folder.request_file("found");
        let mut best = Reading { ids: Vec::new(), is_whole: false };
        for _ in 0..READINGS {
            let mut all = Reading { ids: Vec::new(), is_whole: true };
            for file in files {
                match self.api.download(file, &path, &|_| {}).await {
                    Ok(_) => {}
                    Err(error) if is_gone(&error) && files.len() > 1 => continue,
                    Err(error) => return Ok(Err(error)),
                }
                let reading = read(&path).map_err(JobError::file("read", &path));
                remove_file(&path).map_err(JobError::file("remove", &path))?;
                let Reading { ids, is_whole } = reading?;
                all.ids.extend(ids);
                all.is_whole &= is_whole;
            }
            if all.is_whole && all.ids.len() as u64 >= at_least {
                return Ok(Ok(all.ids));
            }
            if (all.ids.len(), all.is_whole) >= (best.ids.len(), best.is_whole) {
                best = all;
            }
        }
        // Read again and again to the same end: then the counts are wrong, or lines are broken.
        if best.is_whole {
            return Ok(Ok(best.ids));
        }
        Ok(Err(CallError {
            class: CallClass::Unknown,
            failure: Failure::ours(
                FailureKind::Network,
                "the file breaks off or holds fewer requests than its batch",
            ),
            call: "read what a found batch holds",
            provider: self.api.name().into(),
            local: None,
        }))
    }

    fn row_of(&self, round: u32) -> Result<RowOf, JobError> {
        if self.spec.question.source != Source::Foreign {
            return Ok(RowOf::Ours { job6: self.job.short().to_owned(), round });
        }
        let compiled = self.spec.question.compile(self.table.headers())?;
        let mut rows = HashMap::new();
        visit_selected::<JobError>(self.table, &self.spec.selection, |row| {
            if let Ok(id) = compiled.custom_id(row, "") {
                rows.insert(id.into_owned(), row.number());
            }
            Ok(())
        })?;
        Ok(RowOf::Given(rows))
    }

    /// What a row list says of these rows: from the lists that are there, and for rows in none of
    /// them from the table.
    pub(super) fn entries_of(
        &self,
        rows: &[u64],
        round: u32,
        known: impl Fn(u64) -> Option<RowEntry>,
    ) -> Result<Vec<RowEntry>, JobError> {
        let mut entries: Vec<RowEntry> = rows.iter().filter_map(|row| known(*row)).collect();
        if entries.len() < rows.len() {
            let found: BTreeSet<u64> = entries.iter().map(|entry| entry.row).collect();
            let missing: BTreeSet<u64> =
                rows.iter().copied().filter(|row| !found.contains(row)).collect();
            entries.extend(self.measured(&missing, round)?);
            entries.sort_unstable_by_key(|entry| entry.row);
        }
        Ok(entries)
    }

    /// Rows of the table as a row list has them. One that is no request any more keeps its place;
    /// its answer is there all the same.
    fn measured(&self, rows: &BTreeSet<u64>, round: u32) -> Result<Vec<RowEntry>, JobError> {
        let mut compiled = self.spec.question.compile(self.table.headers())?;
        let mut entries = Vec::new();
        visit_selected::<JobError>(self.table, &self.spec.selection, |row| {
            if rows.contains(&row.number()) {
                let measure = compiled.measure(row, CustomId::length(row.number(), round)).ok();
                entries.push(RowEntry {
                    row: row.number(),
                    line: row.line(),
                    offset: row.position().offset,
                    line_bytes: measure.as_ref().map_or(0, |measure| measure.line_bytes),
                    row_hash: row.hash(),
                    content_key: measure.map_or([0; 16], |measure| measure.content_key),
                });
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// Writes the list of a shard that is about to be made.
    pub(super) fn list_rows(
        &self,
        round: u32,
        number: u64,
        entries: &[RowEntry],
    ) -> Result<NewShard, JobError> {
        let path = self.folder.rows_file(&format!("r{round}-s{number:04}"));
        let mut writer = RowsWriter::create(&path).map_err(JobError::file("write", &path))?;
        for entry in entries {
            writer.write(entry).map_err(JobError::file("write", &path))?;
        }
        writer.finish().map_err(JobError::file("write", &path))?;
        let bytes = entries.iter().map(|entry| entry.line_bytes).sum();
        Ok(NewShard {
            round,
            number,
            rows: entries.len() as u64,
            bytes,
            tokens: 0,
            reserve: None,
            mode: crate::request::Mode::Batch,
        })
    }
}

fn rows(ids: &[String], row_of: &RowOf) -> Vec<u64> {
    let rows: BTreeSet<u64> = ids.iter().filter_map(|id| row_of.row(id)).collect();
    rows.into_iter().collect()
}

/// Whether the provider says that it has no such file.
fn is_gone(error: &CallError) -> bool {
    error.class == CallClass::Rejected && !error.failure.stops_the_account()
}

/// The ids of a file, and whether its last line is one.
struct Reading {
    ids: Vec<String>,
    is_whole: bool,
}

/// The one field that matters of a request line.
#[derive(Deserialize)]
struct Line {
    custom_id: String,
}

fn ids_of_requests(path: &Path) -> io::Result<Reading> {
    let mut ids = Vec::new();
    let mut is_whole = true;
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice(&line) {
            Ok(Line { custom_id }) => ids.push(custom_id),
            Err(_) => is_whole &= line.ends_with(b"\n"),
        }
        line.clear();
    }
    Ok(Reading { ids, is_whole })
}

fn ids_of_results(path: &Path) -> io::Result<Reading> {
    let mut ids = Vec::new();
    let mut is_whole = true;
    for line in ResultFile::open(path)? {
        let (_, _, line) = line?;
        // A line that does not read is an answer that is lost, wherever it stands: its row goes out
        // again. Only what was cut off is worth another try.
        is_whole = !matches!(line, Err(BadLine::Unfinished));
        ids.extend(line.map(|line| line.custom_id));
    }
    Ok(Reading { ids, is_whole })
}
