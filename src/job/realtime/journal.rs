//! The list of the calls that were begun for a shard (`shards/r1-s0001.sent`): eight bytes each,
//! written before the call and never synced. After a kill it tells which rows were asked and have
//! no line in the results: those calls may have been billed although no answer came.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::Path;

use super::tallies::Tallies;
use crate::base::DiskFile;

/// Bytes of one mark: the row in the lower six, the member's place in the chain, what happened.
const MARK: u64 = 8;
const ROW_BITS: u32 = 48;
const MEMBER_BITS: u32 = 8;

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A call was begun.
    Sent = 0,
    /// The call that was begun before is still out.
    Out = 1,
    /// It was one too many, and did nothing.
    Refused = 2,
    /// It failed and did nothing.
    Failed = 3,
    /// It ended without an answer and may have been billed.
    Unanswered = 4,
}

impl Mark {
    const ALL: [Self; 5] = [Self::Sent, Self::Out, Self::Refused, Self::Failed, Self::Unanswered];

    fn write(self, row: u64, member: usize) -> [u8; 8] {
        let member = u64::try_from(member).unwrap_or(0) & 0xff;
        let row = row & ((1 << ROW_BITS) - 1);
        (row | member << ROW_BITS | (self as u64) << (ROW_BITS + MEMBER_BITS)).to_le_bytes()
    }

    fn read(bytes: [u8; 8]) -> Option<(Self, u64, usize)> {
        let number = u64::from_le_bytes(bytes);
        let kind = number >> (ROW_BITS + MEMBER_BITS);
        let mark = Self::ALL.into_iter().find(|mark| *mark as u64 == kind)?;
        let member = usize::try_from((number >> ROW_BITS) & 0xff).ok()?;
        Some((mark, number & ((1 << ROW_BITS) - 1), member))
    }
}

/// The list of one shard as it grows.
#[derive(Debug)]
pub(super) struct Journal {
    file: DiskFile,
    bytes: u64,
    /// Marks that are not written yet.
    ready: Vec<u8>,
    out: HashMap<u64, usize>,
}

impl Journal {
    /// Goes on with the list that is there, if there is one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let known = path.metadata().map_or(0, |about| about.len());
        let whole = known - known % MARK;
        let file = DiskFile::append(path, whole)?;
        Ok(Self { file, bytes: whole, ready: Vec::new(), out: HashMap::new() })
    }

    /// Hands the marks to the system: a kill from now on loses none of them.
    pub(super) fn write_out(&mut self) -> io::Result<()> {
        if self.ready.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.ready);
        let bytes = self.ready.len() as u64;
        self.ready.clear();
        if let Err(error) = written {
            // Half a mark would put all that follow out of step.
            self.file.cut(self.bytes)?;
            return Err(error);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// A call is about to begin; it must not before its mark is [written out](Self::write_out).
    pub(super) fn sent(&mut self, row: u64, member: usize) {
        self.ready.extend(Mark::Sent.write(row, member));
        self.out.insert(row, member);
    }

    /// The answer of a row came, and its line says it; or its call was not begun after all.
    pub(super) fn answered(&mut self, row: u64) {
        self.out.remove(&row);
    }

    /// The call of a row ended without one.
    pub(super) fn ended(&mut self, row: u64, member: usize, mark: Mark) -> io::Result<()> {
        self.out.remove(&row);
        self.ready.extend(mark.write(row, member));
        self.write_out()
    }

    /// Calls that are out.
    pub(super) fn out(&self) -> &HashMap<u64, usize> {
        &self.out
    }

    /// Everything up to now is about to be counted but for what is still out, which is listed
    /// again. Returns where the list is counted from on.
    pub(super) fn carry_over(&mut self) -> io::Result<u64> {
        self.write_out()?;
        let counted = self.bytes;
        let marks = self.out.iter().flat_map(|(row, member)| Mark::Out.write(*row, *member));
        self.ready.extend(marks);
        self.write_out()?;
        Ok(counted)
    }
}

/// Counts what a list says from this byte on, where a killed run left it. `has_line` tells whether
/// a row has its line. Returns how long the list is.
pub(super) fn count(
    path: &Path,
    counted: u64,
    has_line: impl Fn(u64) -> bool,
    tallies: &mut Tallies,
) -> io::Result<u64> {
    let mut bytes = Vec::new();
    match DiskFile::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let from = usize::try_from(counted).unwrap_or(usize::MAX).min(bytes.len());
    let mut out: HashMap<u64, usize> = HashMap::new();
    for mark in bytes[from..].chunks_exact(8) {
        let mark = Mark::read(mark.try_into().expect("eight bytes each"));
        let Some((mark, row, member)) = mark else { continue };
        match mark {
            Mark::Sent => {
                tallies.sent(member);
                out.insert(row, member);
            }
            Mark::Out => {
                out.insert(row, member);
            }
            ended => {
                out.remove(&row);
                tallies.ended(member, ended);
            }
        }
    }
    for (row, member) in out {
        if !has_line(row) {
            tallies.ended(member, Mark::Unanswered);
        }
    }
    Ok(bytes.len() as u64 - bytes.len() as u64 % MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a killed run leaves: calls that ended are counted as they ended, calls that were out
    /// and have no line may have been billed, those that have one were answered.
    #[test]
    fn what_was_out_without_a_line_may_have_been_billed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r1-s0001.sent");
        let mut journal = Journal::open(&path).unwrap();
        for row in [1, 2, 3, 4, 70_000_000_000] {
            journal.sent(row, 0);
        }
        journal.answered(1);
        journal.ended(2, 0, Mark::Refused).unwrap();
        journal.sent(2, 3);
        assert_eq!(path.metadata().unwrap().len(), 48, "the last one is not written yet");
        journal.write_out().unwrap();
        assert_eq!(std::fs::read(&path).unwrap()[..8], 1_u64.to_le_bytes(), "a plain row number");
        let members = || Tallies::new(["a", "b", "c", "d"].map(|name| (name.into(), "m".into())));
        let counted = |from, lines: &[u64]| {
            let mut tallies = members();
            let length = count(&path, from, |row| lines.contains(&row), &mut tallies).unwrap();
            let of = |at: usize| {
                let one = &tallies.all()[at];
                (one.calls, one.refused, one.failed, one.unanswered)
            };
            (length, of(0), of(3))
        };
        assert_eq!(counted(0, &[1, 3]), (56, (5, 1, 0, 2), (1, 0, 0, 1)));
        let from = journal.carry_over().unwrap();
        journal.ended(3, 0, Mark::Failed).unwrap();
        journal.ended(4, 0, Mark::Unanswered).unwrap();
        assert_eq!(counted(from, &[1]), (56 + 32 + 16, (0, 0, 1, 2), (0, 0, 0, 1)));
        drop(journal);
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend([1, 2, 3]);
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(counted(from, &[1]).0, 104, "a torn mark is none");
        assert_eq!(Journal::open(&path).unwrap().bytes, 104);
        assert_eq!(counted(4096, &[]), (104, (0, 0, 0, 0), (0, 0, 0, 0)), "an unsynced list");
    }
}
