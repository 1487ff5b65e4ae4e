//! Result and error files from anywhere, in any number and order, indexed in one pass, and the
//! lines of jobs as their account has them.
//!
//! Only the place of each row's line is kept. Two lines for one row are weighed against each other
//! when the second is met, so nothing but the rare double is decoded twice. Lines are kept by the
//! kind of their ids: what rows they mean is known only when the table is.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::artifacts::{Artifacts, Place};
use super::counts::{MergeCounts, Share};
use super::group::{Contradiction, FirstId, Group};
use super::ids::{IdKind, IdRule, plain_number, read_pattern};
use super::line::{content_of, custom_id};
use super::places::{MOST_FILES, MOST_ROWS, Sharing, Spot};
use super::{ResultError, RowMap};
use crate::answer::Wanted;

const BUFFER: usize = 1 << 20;
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

    /// The kinds of ids that were met.
    pub fn groups(&self) -> &[Group] {
        &self.groups
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
    pub(super) fn push_files(
        &mut self,
        paths: impl IntoIterator<Item = PathBuf>,
    ) -> Result<u32, ResultError> {
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
        let spot = Spot { place: line.place, round, sharing: Sharing::Own };
        self.take_in(at, &id, (number, spot), line.content, wanted)
    }

    /// Takes a line in, unless its number has an equal or a better one.
    fn take_in(
        &mut self,
        group: usize,
        id: &str,
        (number, spot): (u64, Spot),
        content: &[u8],
        wanted: Wanted<'_>,
    ) -> Result<(), ResultError> {
        let group = &mut self.groups[group];
        group.note(spot.place.artifact, number);
        if let Some(old) = group.places.get(number)
            && old.place.length == spot.place.length
            && self.artifacts.read(old.place)? == content
        {
            group.surplus += 1;
            return Ok(());
        }
        match group.offer(number, spot, &mut self.artifacts, wanted) {
            Err(Contradiction::Unread(error)) => return Err(error),
            Err(Contradiction::TwoAnswers(old)) if self.contradiction.is_none() => {
                self.contradiction = Some(ResultError::TwoAnswers {
                    id: id.to_owned(),
                    first: self.artifacts.path(old.artifact).to_owned(),
                    second: self.artifacts.path(spot.place.artifact).to_owned(),
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
        let as_number = || match &self.rule {
            IdRule::Base(_) => plain_number(id).map(|number| (IdKind::Number, number, 1)),
            _ => None,
        };
        let Some((kind, number, round)) = read_pattern(id).or_else(as_number) else {
            return Ok(None);
        };
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
    pub(super) fn group_of(
        &mut self,
        kind: IdKind,
        first: impl FnOnce() -> FirstId,
    ) -> Option<usize> {
        let at = self.groups.iter().position(|group| group.kind == kind);
        if at.is_none() && self.groups.len() < MOST_KINDS {
            self.groups.push(Group::new(kind, first()));
            return Some(self.groups.len() - 1);
        }
        at
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
