//! Result lines whose ids are of one kind, by the numbers in them. Which row of the table a number
//! means is another question ([`super::RowMap`]).

use std::collections::BTreeMap;

use super::ResultError;
use super::artifacts::{Artifacts, Place};
use super::ids::IdKind;
use super::places::{Places, Sharing, Spot};
use super::prefer::Weight;
use crate::answer::Wanted;

/// The first id of a group, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstId {
    /// The id.
    pub id: String,
    /// Its file, by its number.
    pub artifact: u32,
    /// Its line, from 1; 0 for what a job's account says.
    pub line: u64,
}

/// The numbers in the ids of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Lines.
    pub lines: u64,
    /// The least number.
    pub least: u64,
    /// The greatest.
    pub most: u64,
}

/// Lines with ids of one kind, the best one of each number.
#[derive(Debug)]
pub struct Group {
    pub(super) kind: IdKind,
    pub(super) first: FirstId,
    pub(super) places: Places,
    pub(super) files: BTreeMap<u32, Span>,
    /// Lines that another one of the same number made surplus.
    pub(super) surplus: u64,
}

impl Group {
    pub(super) fn new(kind: IdKind, first: FirstId) -> Self {
        let places = Places::default();
        Self { kind, first, places, files: BTreeMap::new(), surplus: 0 }
    }

    /// Of which kind its ids are.
    pub fn kind(&self) -> &IdKind {
        &self.kind
    }

    /// The id that was met first.
    pub fn first(&self) -> &FirstId {
        &self.first
    }

    /// The files that it has lines of, by their numbers.
    pub fn files(&self) -> &BTreeMap<u32, Span> {
        &self.files
    }

    /// Notes that a file has a line of this number.
    pub(super) fn note(&mut self, artifact: u32, number: u64) {
        let fresh = Span { lines: 0, least: number, most: number };
        let span = self.files.entry(artifact).or_insert(fresh);
        span.lines += 1;
        span.least = span.least.min(number);
        span.most = span.most.max(number);
    }

    /// Takes the line of a number in, if it is better than the one it has.
    pub(super) fn offer(
        &mut self,
        number: u64,
        new: Spot,
        artifacts: &mut Artifacts,
        wanted: Wanted<'_>,
    ) -> Result<(), Contradiction> {
        let Some(old) = self.places.get(number) else {
            self.places.set(number, new);
            return Ok(());
        };
        let weights = [weigh(old, artifacts, wanted)?, weigh(new, artifacts, wanted)?];
        let [held, found] = &weights;
        let is_foreign = !matches!(self.kind, IdKind::Ours(_));
        if is_foreign && old.place.artifact != new.place.artifact && held.contradicts(found) {
            return Err(Contradiction::TwoAnswers(old.place));
        }
        let loser = if found > held { old } else { new };
        self.surplus += u64::from(loser.sharing != Sharing::Equal);
        if found > held {
            self.places.set(number, new);
        }
        Ok(())
    }
}

/// Why a line could not be taken in.
pub(super) enum Contradiction {
    /// Another file has a different good answer, there.
    TwoAnswers(Place),
    /// A line could not be read again.
    Unread(ResultError),
}

impl From<ResultError> for Contradiction {
    fn from(error: ResultError) -> Self {
        Self::Unread(error)
    }
}

/// Weighs a line where it lies.
pub(super) fn weigh(
    spot: Spot,
    artifacts: &mut Artifacts,
    wanted: Wanted<'_>,
) -> Result<Weight, ResultError> {
    Ok(Weight::of(artifacts.read(spot.place)?, spot.round, wanted))
}
