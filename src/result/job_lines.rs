//! The lines of a job as its account has them: where each row's lies, and which rows have that of
//! another one.

use std::path::PathBuf;

use super::ResultError;
use super::artifacts::Place;
use super::group::{Contradiction, FirstId};
use super::ids::IdKind;
use super::merge::MergeIndex;
use super::places::{Sharing, Spot};
use crate::answer::Wanted;

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

impl MergeIndex {
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
    /// unless its own is better. Without such a line, or any of the job, nothing is done.
    pub fn lend(
        &mut self,
        job6: &str,
        row: u64,
        from: Lent,
        wanted: Wanted<'_>,
    ) -> Result<(), ResultError> {
        let kind = IdKind::Ours(job6.to_owned());
        let Some(group) = self.groups.iter_mut().find(|group| group.kind == kind) else {
            return Ok(());
        };
        let spot = match from {
            Lent::Row(leader) => {
                let Some(spot) = group.places.get(leader) else { return Ok(()) };
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
            Err(Contradiction::TwoAnswers(_)) | Ok(()) => Ok(()),
        }
    }

    /// Adds a file whose lines are lent. Returns its number.
    pub fn add_lent_file(&mut self, path: PathBuf) -> Result<u32, ResultError> {
        self.push_files([path])
    }
}
