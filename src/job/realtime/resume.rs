//! Beginning the shards whose rows are called, and going on with those that a killed run left:
//! answers that are on disk and not in the account are put there first, then the rows without one
//! are known.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader};
use std::path::Path;

use super::build::Builder;
use super::chain::Chain;
use super::journal;
use super::judge::{Judge, Placed, member_of};
use super::tallies::Tallies;
use crate::base::{DiskFile, crash_point};
use crate::job::drive::Driver;
use crate::job::{JobError, JobFolder};
use crate::request::Question;
use crate::shard::RowEntry;
use crate::store::{
    ArtifactKind, ArtifactRecord, BegunCalls, CalledGroup, OutcomeRecord, ShardRecord, ShardState,
};

/// A shard whose rows are called from now on.
pub(super) struct Begun {
    pub(super) shard: ShardRecord,
    pub(super) artifact: i64,
    /// Its result file: the name, and its bytes.
    pub(super) file: (String, u64),
    pub(super) entries: Vec<RowEntry>,
    /// Rows that have their outcome, in order.
    pub(super) asked: Vec<u64>,
    /// How many have one, and how many of these are not good.
    pub(super) done: (u64, u64),
}

/// Who may have been asked for rows: those of the chain, then those of the job's own request who
/// are not in it now, as a key is gone.
fn asked_of<'a>(
    driver: &'a Driver<'_>,
    chain: Option<&'a Chain<'_>>,
) -> Vec<(&'a str, &'a Question)> {
    let members = chain.map(Chain::members).unwrap_or_default();
    let mut all: Vec<_> =
        members.iter().map(|member| (member.name.as_str(), &member.question)).collect();
    let first = (driver.job.provider.as_str(), &driver.spec.question);
    let others = driver.spec.others.iter().map(|other| (other.provider.as_str(), &other.question));
    for (name, question) in std::iter::once(first).chain(others) {
        if !all.iter().any(|known| known.0 == name && known.1.model == question.model) {
            all.push((name, question));
        }
    }
    all
}

/// Begins a shard, or goes on with it; `None` where a limit of money or requests has no room. The
/// chain is needed for nothing but the order in which its members were asked.
pub(super) fn begin(
    driver: &Driver<'_>,
    chain: Option<&Chain<'_>>,
    shard: &ShardRecord,
) -> Result<Option<Begun>, JobError> {
    let name = JobFolder::result_name(shard, ArtifactKind::Calls);
    let now = driver.clock.unix();
    let begun = driver.store.begin_calling(shard, &name, &driver.budget(), now)?;
    let BegunCalls::Calling(artifact, counted) = begun else { return Ok(None) };
    let entries = driver.entries(shard)?;
    let mut bytes = artifact.bytes;
    if shard.state == ShardState::Calling {
        bytes = recover(driver, chain, shard, (&artifact, counted), &entries)?;
    }
    let known = outcomes(driver, shard, &entries)?;
    let mut asked: Vec<u64> = known.iter().map(|record| record.row).collect();
    asked.sort_unstable();
    let bad = known.iter().filter(|record| !record.status.is_good()).count() as u64;
    let done = (known.len() as u64, bad);
    let shard = ShardRecord { state: ShardState::Calling, ..shard.clone() };
    Ok(Some(Begun { shard, artifact: artifact.id, file: (name, bytes), entries, asked, done }))
}

/// The outcomes that rows of this shard have in its round.
pub(super) fn outcomes(
    driver: &Driver<'_>,
    shard: &ShardRecord,
    entries: &[RowEntry],
) -> Result<Vec<OutcomeRecord>, JobError> {
    let rows = entries.iter().map(|entry| entry.row);
    let (Some(first), Some(last)) = (rows.clone().min(), rows.clone().max()) else {
        return Ok(Vec::new());
    };
    let mine: HashSet<u64> = rows.collect();
    let known = driver.store.outcomes_of_round(&driver.job.key, shard.round, (first, last))?;
    Ok(known.into_iter().filter(|record| mine.contains(&record.row)).collect())
}

/// Puts the answers of a killed run into the account that had not come there, and counts the calls
/// that were out. Returns how long the result file is: what stands behind its last whole line is
/// no answer.
fn recover(
    driver: &Driver<'_>,
    chain: Option<&Chain<'_>>,
    shard: &ShardRecord,
    (artifact, counted): (&ArtifactRecord, u64),
    entries: &[RowEntry],
) -> Result<u64, JobError> {
    let path = driver.folder.results().join(&artifact.name);
    let asked = asked_of(driver, chain);
    let questions: Vec<_> = asked.iter().map(|(_, question)| *question).collect();
    let mut builder = Builder::of(driver, &questions, shard, entries)?;
    let names = asked.iter().take(builder.members()).enumerate();
    let members: Vec<_> =
        names.map(|(at, (name, _))| ((*name).to_owned(), builder.model(at).to_owned())).collect();
    let mut tallies = Tallies::new(members.clone());
    let by_row: HashMap<u64, &RowEntry> = entries.iter().map(|entry| (entry.row, entry)).collect();
    let ids = driver.ids(shard)?;
    let judge = Judge::of(driver)?;
    let mut records: HashMap<u64, OutcomeRecord> = HashMap::new();
    let mut bytes = artifact.bytes;
    for (offset, line) in
        lines_from(&path, artifact.bytes).map_err(JobError::file("read", &path))?
    {
        bytes = offset + line.len() as u64 + 1;
        // Not ours, or half a line of an earlier disk that was full: it settles nothing.
        let Ok(read) = crate::batch::decode_line(&line) else { continue };
        let row = ids.row_of(&read.custom_id);
        let Some(entry) = row.and_then(|row| by_row.get(&row)) else { continue };
        let (member, provider, model) = member_of(&line, &members);
        let key = builder.key(member, entry)?;
        let length = line.len() as u64;
        let placed = Placed { row: entry.row, key, artifact: artifact.id, offset, length };
        let record = judge.outcome(shard, placed, &read, (&provider, &model));
        if records.insert(entry.row, record).is_none() {
            tallies.settled(member, matches!(read.outcome, crate::batch::Outcome::Failed(_)));
        }
    }
    let sent = driver.folder.sent_file(&shard.stem());
    let has_line = |row: u64| records.contains_key(&row);
    let known: HashSet<u64> =
        outcomes(driver, shard, entries)?.into_iter().map(|record| record.row).collect();
    let counted =
        journal::count(&sent, counted, |row| has_line(row) || known.contains(&row), &mut tallies)
            .map_err(JobError::file("read", &sent))?;
    let mut records: Vec<_> = records.into_values().collect();
    records.sort_unstable_by_key(|record| record.row);
    // A kill may have come before they were synced, and a power loss after it.
    if !records.is_empty() {
        crate::base::sync_file(&path).map_err(JobError::file("sync", &path))?;
    }
    crash_point!("recovered", path.display());
    let group = CalledGroup {
        records,
        files: vec![(shard.id, artifact.id, bytes, counted)],
        asked: tallies.take(),
    };
    driver.store.record_called(&driver.job.key, &group)?;
    Ok(bytes)
}

/// The whole lines of a file from this byte on, each with its place.
fn lines_from(path: &Path, from: u64) -> io::Result<Vec<(u64, Vec<u8>)>> {
    use std::io::{BufRead, Seek, SeekFrom};
    let mut file = match DiskFile::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && from == 0 => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let (mut lines, mut offset) = (Vec::new(), from);
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok(lines);
        }
        lines.push((offset, line));
        offset += read as u64;
    }
}
