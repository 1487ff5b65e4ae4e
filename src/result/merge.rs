//! Result and error files from anywhere, in any number and order, indexed in one pass, and the
//! lines of jobs as their account has them.
//!
//! Only the place of each row's line is kept. Two lines for one row are weighed against each other
//! when the second is met, so nothing but the rare double is decoded twice. Lines are kept by the
//! kind of their ids: what rows they mean is known only when the table is.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::artifacts::{Artifacts, Place};
use super::counts::{MergeCounts, Share};
use super::group::{Contradiction, FirstId, Group};
use super::ids::{IdKind, IdRule, read_pattern};
use super::places::{MOST_FILES, MOST_ROWS, Sharing, Spot};
use super::{ResultError, RowMap};
use crate::answer::Wanted;
use crate::batch::decode_line;

const BUFFER: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Kinds of ids that are kept apart; what comes after is nobody's.
const MOST_KINDS: usize = 64;
/// Ids of no row that are remembered, to find out where they come from.
const MOST_STRANGERS: usize = 64;

/// Result lines with the best one of each row found.
#[derive(Debug)]
pub struct MergeIndex {
    pub(super) artifacts: Artifacts,
    pub(super) groups: Vec<Group>,
    pub(super) counts: MergeCounts,
    pub(super) shares: Vec<Share>,
    /// The first file that is no job's.
    pub(super) first_file: u32,
    rule: IdRule,
    strangers: Vec<String>,
    /// The kind of ids of the file that is read, with the first of them.
    kind: Option<(IdKind, FirstId)>,
    /// Two different good answers for one foreign id.
    contradiction: Option<ResultError>,
}

/// Where a line stands, for messages and for reading it again.
#[derive(Clone, Copy)]
struct Line<'a> {
    content: &'a [u8],
    place: Place,
    number: u64,
}

impl MergeIndex {
    /// One without lines.
    pub fn new(rule: IdRule) -> Self {
        Self {
            artifacts: Artifacts::new(Vec::new()),
            groups: Vec::new(),
            counts: MergeCounts::default(),
            shares: Vec::new(),
            first_file: 0,
            rule,
            strangers: Vec::new(),
            kind: None,
            contradiction: None,
        }
    }

    /// Reads all files once. Of two answers the one that has what is wanted is better.
    pub fn build(paths: &[PathBuf], rule: IdRule, wanted: Wanted<'_>) -> Result<Self, ResultError> {
        let mut index = Self::new(rule);
        index.add_files(paths, wanted)?;
        Ok(index)
    }

    /// Reads files that are no job's, after those of jobs.
    pub fn add_files(&mut self, paths: &[PathBuf], wanted: Wanted<'_>) -> Result<(), ResultError> {
        self.first_file = self.push_files([])?;
        for path in paths {
            let artifact = self.push_files([path.clone()])?;
            if !matches!(&self.rule, IdRule::Base(bases) if bases.len() == 1) {
                self.kind = None;
            }
            self.add_file(artifact, path, wanted)?;
        }
        // All is read by then, so that it can be told what the files hold.
        self.contradiction.take().map_or(Ok(()), Err)
    }

    /// Adds the result files of a job, whose lines are found by its account
    /// ([`MergeIndex::settle`]). Returns the number of the first.
    pub fn add_job(
        &mut self,
        job6: &str,
        files: impl IntoIterator<Item = PathBuf>,
    ) -> Result<u32, ResultError> {
        let artifact = self.push_files(files)?;
        let first = FirstId { id: job6.to_owned(), artifact, line: 0 };
        self.group_of(IdKind::Ours(job6.to_owned()), || first);
        Ok(artifact)
    }

    /// Takes in what a job's account has for a row: where its line lies, in which round it was
    /// given, and whose it is.
    pub fn settle(&mut self, job6: &str, row: u64, (place, round): (Place, u32), whose: Whose) {
        let kind = IdKind::Ours(job6.to_owned());
        let Some(group) = self.groups.iter_mut().find(|group| group.kind == kind) else { return };
        let sharing = whose.sharing();
        group.places.set(row, Spot { place, round, sharing });
        if sharing != Sharing::Equal {
            group.note(place.artifact, row);
            self.counts.lines += 1;
            self.shares[place.artifact as usize].lines += 1;
        }
    }

    /// Gives a row of a job the line of another one that asks the same, or one of an earlier job,
    /// unless its own is better. `false` if there is no such line.
    pub fn lend(
        &mut self,
        job6: &str,
        row: u64,
        from: Lent,
        wanted: Wanted<'_>,
    ) -> Result<bool, ResultError> {
        let kind = IdKind::Ours(job6.to_owned());
        let Some(group) = self.groups.iter_mut().find(|group| group.kind == kind) else {
            return Ok(false);
        };
        let spot = match from {
            Lent::Row(leader) => {
                let Some(spot) = group.places.get(leader) else { return Ok(false) };
                Spot { sharing: Sharing::Equal, ..spot }
            }
            Lent::Line(place) => {
                group.note(place.artifact, row);
                self.counts.lines += 1;
                self.shares[place.artifact as usize].lines += 1;
                Spot { place, round: 0, sharing: Sharing::Cached }
            }
        };
        match group.offer(row, spot, &mut self.artifacts, wanted) {
            Err(Contradiction::Unread(error)) => Err(error),
            Err(Contradiction::TwoAnswers(_)) | Ok(()) => Ok(true),
        }
    }

    /// Adds a file whose lines are lent. Returns its number.
    pub fn add_lent_file(&mut self, path: PathBuf) -> Result<u32, ResultError> {
        self.push_files([path])
    }

    /// The kinds of ids that were met.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The groups that count. Those of known jobs do; lines of others in their files are of no row
    /// here. Without any, all ids must be of one kind. What the user said of ids holds in any case.
    pub fn choose(&self, is_known: impl Fn(&str) -> bool) -> Result<Vec<usize>, ResultError> {
        let is_sure = |group: &Group| match &group.kind {
            IdKind::Ours(job6) => is_known(job6),
            kind => matches!(kind, IdKind::Numbered | IdKind::Listed),
        };
        let (sure, others): (Vec<usize>, Vec<usize>) =
            (0..self.groups.len()).partition(|at| is_sure(&self.groups[*at]));
        let has_lines_of =
            |file: &u32| sure.iter().any(|at| self.groups[*at].files.contains_key(file));
        let Some(first) = sure.first().or(others.first()) else { return Ok(Vec::new()) };
        let stray = others
            .iter()
            .find(|at| **at != *first && !self.groups[**at].files.keys().all(has_lines_of));
        if let Some(stray) = stray {
            let (first, second) = (&self.groups[*first].first, &self.groups[*stray].first);
            return Err(self.mixed(first.clone(), second.clone()));
        }
        Ok(if sure.is_empty() { vec![*first] } else { sure })
    }

    /// What was read so far.
    pub fn counts(&self) -> MergeCounts {
        self.counts
    }

    /// The number of the first file that is no job's.
    pub fn first_file(&self) -> u32 {
        self.first_file
    }

    /// The path of a file.
    pub fn path(&self, artifact: u32) -> &Path {
        self.artifacts.path(artifact)
    }

    /// Some of the ids that belong to no row.
    pub fn strangers(&self) -> &[String] {
        &self.strangers
    }

    /// Adds files and gives the number of the first.
    fn push_files(&mut self, paths: impl IntoIterator<Item = PathBuf>) -> Result<u32, ResultError> {
        let first = self.artifacts.paths().len();
        for path in paths {
            self.artifacts.push(path);
            self.shares.push(Share::default());
        }
        if self.artifacts.paths().len() > MOST_FILES {
            return Err(ResultError::TooManyFiles(MOST_FILES));
        }
        Ok(u32::try_from(first).unwrap_or(u32::MAX))
    }

    fn add_file(
        &mut self,
        artifact: u32,
        path: &Path,
        wanted: Wanted<'_>,
    ) -> Result<(), ResultError> {
        let failed = |source| ResultError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let mut raw = Vec::new();
        let (mut offset, mut number) = (0u64, 0u64);
        loop {
            raw.clear();
            let read = reader.read_until(b'\n', &mut raw).map_err(failed)?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            let (skipped, content) = content_of(&raw);
            if !content.is_empty() {
                let too_long = |_| failed(io::Error::other("a line of more than 4 GiB"));
                let length = u32::try_from(content.len()).map_err(too_long)?;
                let place = Place { artifact, offset: offset + skipped, length };
                self.add_line(Line { content, place, number }, wanted)?;
            }
            offset += read as u64;
        }
    }

    fn add_line(&mut self, line: Line<'_>, wanted: Wanted<'_>) -> Result<(), ResultError> {
        let artifact = line.place.artifact;
        self.counts.lines += 1;
        self.shares[artifact as usize].lines += 1;
        let Some(id) = custom_id(line.content) else {
            self.counts.broken_lines += 1;
            return Ok(());
        };
        let first = || FirstId { id: id.clone().into_owned(), artifact, line: line.number };
        let Some((kind, number, round)) = self.number(&id, artifact, &first)? else {
            self.stranger(&id);
            return Ok(());
        };
        let Some(at) = self.group_of(kind, first) else {
            self.stranger(&id);
            return Ok(());
        };
        let group = &mut self.groups[at];
        group.note(artifact, number);
        let old = group.places.get(number);
        if let Some(old) = old
            && old.place.length == line.place.length
            && self.artifacts.read(old.place)? == line.content
        {
            group.surplus += 1;
            return Ok(());
        }
        let spot = Spot { place: line.place, round, sharing: Sharing::Own };
        match group.offer(number, spot, &mut self.artifacts, wanted) {
            Err(Contradiction::Unread(error)) => return Err(error),
            Err(Contradiction::TwoAnswers(old)) if self.contradiction.is_none() => {
                self.contradiction = Some(ResultError::TwoAnswers {
                    id: id.into_owned(),
                    first: self.artifacts.path(old.artifact).to_owned(),
                    second: self.artifacts.path(artifact).to_owned(),
                });
            }
            Ok(()) | Err(Contradiction::TwoAnswers(_)) => {}
        }
        Ok(())
    }

    fn stranger(&mut self, id: &str) {
        self.counts.unknown_ids += 1;
        if self.strangers.len() < MOST_STRANGERS {
            self.strangers.push(id.to_owned());
        }
    }

    /// Kind, number and round of an id; `None` if it can belong to no row.
    fn number(
        &mut self,
        id: &str,
        artifact: u32,
        first: &impl Fn() -> FirstId,
    ) -> Result<Option<(IdKind, u64, u32)>, ResultError> {
        if let IdRule::Map(map) = &self.rule {
            return Ok(map.row(id).map(|row| (IdKind::Listed, row, 1)));
        }
        let Some((kind, number, round)) = read_pattern(id) else { return Ok(None) };
        let found = match &self.rule {
            IdRule::Base(bases) if kind.job6().is_none() => {
                let file = (artifact - self.first_file) as usize;
                let base = bases.get(file).or(bases.first()).copied().unwrap_or_default();
                match &self.kind {
                    Some((other, met)) if *other != kind => {
                        return Err(self.mixed(met.clone(), first()));
                    }
                    Some(_) => {}
                    None => self.kind = Some((kind, first())),
                }
                RowMap::From(base).to(number).map(|row| (IdKind::Numbered, row, round))
            }
            _ => Some((kind, number, round)),
        };
        Ok(found.filter(|(_, number, _)| *number < MOST_ROWS))
    }

    /// The error for two kinds of ids that cannot both be right.
    pub(super) fn mixed(&self, first: FirstId, second: FirstId) -> ResultError {
        ResultError::MixedIds {
            first: first.id,
            path: self.artifacts.path(second.artifact).to_owned(),
            second: second.id,
            line: second.line,
        }
    }

    /// The place of the group of a kind, which is made where it is new.
    fn group_of(&mut self, kind: IdKind, first: impl FnOnce() -> FirstId) -> Option<usize> {
        let at = self.groups.iter().position(|group| group.kind == kind);
        if at.is_none() && self.groups.len() < MOST_KINDS {
            self.groups.push(Group::new(kind, first()));
            return Some(self.groups.len() - 1);
        }
        at
    }
}

/// Whose line a job's account has for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The row's own.
    Own,
    /// That of a row which asks the same.
    Equal,
    /// A copy of that of an earlier job.
    Earlier,
}

impl Whose {
    fn sharing(self) -> Sharing {
        match self {
            Self::Own => Sharing::Own,
            Self::Equal => Sharing::Equal,
            Self::Earlier => Sharing::Cached,
        }
    }
}

/// A line that a row has from elsewhere.
#[derive(Debug, Clone, Copy)]
pub enum Lent {
    /// That of another row of the job.
    Row(u64),
    /// One of a file that was added for it.
    Line(Place),
}

/// A line without byte order mark, surrounding blanks and line end, and how much stands before.
fn content_of(line: &[u8]) -> (u64, &[u8]) {
    let marked = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let content = marked.trim_ascii_start();
    ((line.len() - content.len()) as u64, content.trim_ascii_end())
}

/// The part of a line that is needed for its place. The rest is checked to be JSON and passed by.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    custom_id: Cow<'a, str>,
}

/// The id of a line; `None` if the line cannot be read at all.
fn custom_id(content: &[u8]) -> Option<Cow<'_, str>> {
    let head = std::str::from_utf8(content)
        .ok()
        .and_then(|text| serde_json::from_str::<Head<'_>>(text).ok().map(|head| head.custom_id));
    match head {
        Some(id) if !id.is_empty() => Some(id),
        // Numbers as ids and keys that stand twice are for the patient reader.
        _ => decode_line(content).ok().map(|line| Cow::Owned(line.custom_id)),
    }
}

/// Whether a line is one of a result file rather than a record of a table: people mix up the
/// arguments of `merge`.
pub fn looks_like_results(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Keys {
        #[serde(default)]
        custom_id: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        response: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        error: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        body: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Keys>(line.trim_start_matches('\u{feff}')).is_ok_and(|keys| {
        keys.custom_id.is_some()
            && keys.body.is_none()
            && (keys.response.is_some() || keys.error.is_some())
    })
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
