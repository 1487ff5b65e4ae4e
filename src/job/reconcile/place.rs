//! Where a found batch belongs among the shards of its job. Pure: the rows are read elsewhere.

use std::collections::{HashMap, HashSet};

use crate::job::id::CreateName;
use crate::shard::RowEntry;
use crate::store::{ShardRecord, ShardState};

/// A shard with its rows.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// As the ledger has it.
    pub(super) shard: ShardRecord,
    /// Whether its newest create made a batch.
    pub(super) has_batch: bool,
    /// Which of its creates that was, from 1; 0 if there is none.
    pub(super) attempt: u32,
    /// Its rows.
    pub(super) entries: Vec<RowEntry>,
}

impl Known {
    /// Whether it waits to be sent: nothing of it can be at the provider.
    fn is_open(&self) -> bool {
        let may_exist = [ShardState::Creating, ShardState::Unknown, ShardState::Settled];
        !self.has_batch && !may_exist.contains(&self.shard.state)
    }

    /// Whether this is a later create of it. One is made only when every earlier batch has ended
    /// without running: another life of this home knew that the one we hold did.
    fn is_followed_by(&self, name: &CreateName, rows: &HashSet<u64>) -> bool {
        self.has_batch
            && matches!(
                self.shard.state,
                ShardState::Running | ShardState::Ended | ShardState::Deferred
            )
            && name.attempt > self.attempt
            && self.entries.len() == rows.len()
            && self.entries.iter().all(|entry| rows.contains(&entry.row))
    }
}

/// What becomes of a found batch. Numbers are places in the list of shards.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the batch of this shard; the others lose their rows to it.
    Of {
        /// The shard.
        shard: usize,
        /// Shards that wait to be sent and have rows of it.
        closed: Vec<usize>,
    },
    /// A shard is made for it, of those of its rows that no other batch has.
    New {
        /// The rows, in order.
        rows: Vec<u64>,
        /// Shards that wait to be sent and have rows of it, or its name.
        closed: Vec<usize>,
    },
    /// All of its rows are in other batches; this shard is one of theirs.
    Surplus(usize),
    /// It has nothing of this job.
    Nothing,
}

/// All shards of a job.
#[derive(Debug, Default)]
pub(super) struct Shards {
    list: Vec<Known>,
    by_row: HashMap<u64, Vec<usize>>,
    by_name: HashMap<(u32, u64), usize>,
    last: HashMap<u32, u64>,
}

impl Shards {
    /// Adds a shard.
    pub(super) fn add(&mut self, known: Known) {
        let (at, name) = (self.list.len(), (known.shard.round, known.shard.number));
        for entry in &known.entries {
            self.by_row.entry(entry.row).or_default().push(at);
        }
        self.by_name.insert(name, at);
        self.take_number(name.0, name.1);
        self.list.push(known);
    }

    /// Takes note of a number that is in use at the provider.
    pub(super) fn take_number(&mut self, round: u32, number: u64) {
        let last = self.last.entry(round).or_default();
        *last = number.max(*last);
    }

    /// A number for a new shard of a round; each is given once.
    pub(super) fn next_number(&mut self, round: u32) -> u64 {
        let last = self.last.entry(round).or_default();
        *last += 1;
        *last
    }

    /// The shard at a place.
    pub(super) fn get(&self, at: usize) -> &Known {
        &self.list[at]
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, at: usize) -> &mut Known {
        &mut self.list[at]
    }

    /// The shard of this name.
    pub(super) fn named(&self, name: &CreateName) -> Option<usize> {
        self.by_name.get(&(name.round, name.number)).copied()
    }

    /// What the row lists say of a row.
    pub(super) fn entry(&self, row: u64) -> Option<RowEntry> {
        let entries = &self.list[*self.by_row.get(&row)?.first()?].entries;
        let at = entries.binary_search_by_key(&row, |entry| entry.row).ok()?;
        Some(entries[at])
    }

    /// Where a batch with this name and these rows belongs.
    pub(super) fn place(&self, name: &CreateName, rows: &[u64]) -> Place {
        let all: HashSet<u64> = rows.iter().copied().collect();
        if let Some(shard) = self.named(name).filter(|at| self.get(*at).is_followed_by(name, &all))
        {
            return Place::Of { shard, closed: Vec::new() };
        }
        let mut rest: Vec<u64> =
            all.iter().copied().filter(|row| self.held(*row, name.round).is_none()).collect();
        rest.sort_unstable();
        if rest.is_empty() {
            let holder = all.iter().min().and_then(|row| self.held(*row, name.round));
            return holder.map_or(Place::Nothing, Place::Surplus);
        }
        let named = self.named(name);
        let same = named.filter(|at| {
            let known = self.get(*at);
            !known.has_batch
                && rest.len() == all.len()
                && known.entries.len() == all.len()
                && known.entries.iter().all(|entry| all.contains(&entry.row))
        });
        if let Some(shard) = same {
            return Place::Of { shard, closed: self.open_with(&all, Some(shard)) };
        }
        let mut closed = self.open_with(&all, None);
        closed.extend(named.filter(|at| self.get(*at).is_open() && !closed.contains(at)));
        Place::New { rows: rest, closed }
    }

    /// A shard that has this row in a batch of this round or a later one.
    fn held(&self, row: u64, round: u32) -> Option<usize> {
        let mut with = self.by_row.get(&row)?.iter().copied();
        with.find(|at| self.list[*at].has_batch && self.list[*at].shard.round >= round)
    }

    /// The shards that wait to be sent and have rows of these.
    fn open_with(&self, rows: &HashSet<u64>, but: Option<usize>) -> Vec<usize> {
        let with = rows.iter().filter_map(|row| self.by_row.get(row)).flatten().copied();
        let open: HashSet<usize> =
            with.filter(|at| Some(*at) != but && self.list[*at].is_open()).collect();
        let mut open: Vec<_> = open.into_iter().collect();
        open.sort_unstable();
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(row: u64) -> RowEntry {
        RowEntry { row, line: 0, offset: 0, line_bytes: 1, row_hash: 0, content_key: [0; 16] }
    }

    fn shards(list: &[(u32, u64, ShardState, bool, &[u64])]) -> Shards {
        let mut shards = Shards::default();
        for (round, number, state, has_batch, rows) in list {
            let shard = ShardRecord {
                id: 0,
                job: String::new(),
                round: *round,
                number: *number,
                state: *state,
                rows: rows.len() as u64,
                bytes: 0,
                tokens: 0,
                cuts: 0,
                detail: None,
                asks: crate::store::Asking::default(),
                reserve: None,
                mode: crate::request::Mode::Batch,
            };
            let entries = rows.iter().copied().map(entry).collect();
            shards.add(Known {
                shard,
                has_batch: *has_batch,
                attempt: u32::from(*has_batch),
                entries,
            });
        }
        shards
    }

    #[test]
    fn where_a_found_batch_belongs() {
        use ShardState::{Planned, Running, Settled, Uploaded};
        let name = |round, number| CreateName { job: String::new(), round, number, attempt: 1 };
        let of = |shard, closed: &[usize]| Place::Of { shard, closed: closed.to_vec() };
        let new = |rows: &[u64], closed: &[usize]| Place::New {
            rows: rows.to_vec(),
            closed: closed.to_vec(),
        };
        let first: &[_] = &[(1, 1, Planned, false, &[0, 1][..]), (1, 2, Uploaded, false, &[2, 3])];
        let running: &[_] = &[(1, 1, Running, true, &[0, 1][..]), (1, 2, Planned, false, &[2, 3])];
        // The rows of an absent batch are planned again, then it comes after all.
        let late: &[_] = &[(1, 1, Settled, false, &[0, 1][..]), (2, 1, Planned, false, &[0, 1])];
        let too_late: &[_] = &[(1, 1, Settled, false, &[0, 1][..]), (2, 1, Running, true, &[0, 1])];
        let ended: &[_] = &[(1, 1, Settled, true, &[0, 1][..]), (2, 1, Planned, false, &[1])];
        let table: [(&str, &[_], CreateName, &[u64], Place); 13] = [
            ("a restored older copy", first, name(1, 1), &[0, 1], of(0, &[])),
            ("a later round", first, name(2, 1), &[1], new(&[1], &[0])),
            ("cut otherwise", first, name(1, 1), &[0, 1, 2], new(&[0, 1, 2], &[0, 1])),
            ("its name is another's", first, name(1, 2), &[0], new(&[0], &[0, 1])),
            ("a duplicate", running, name(1, 1), &[0, 1], Place::Surplus(0)),
            ("of rows that run, by another name", running, name(1, 7), &[1], Place::Surplus(0)),
            ("half of it runs", running, name(1, 7), &[1, 2], new(&[2], &[1])),
            ("absent and late, not sent again", late, name(1, 1), &[0, 1], of(0, &[1])),
            ("absent and late, sent again", too_late, name(1, 1), &[0, 1], Place::Surplus(1)),
            ("the next round of another life", ended, name(2, 1), &[0], new(&[0], &[1])),
            ("the very next round", ended, name(2, 1), &[1], of(1, &[])),
            (
                "a later create, known to another life",
                running,
                CreateName { attempt: 2, ..name(1, 1) },
                &[0, 1],
                of(0, &[]),
            ),
            ("no rows of ours", first, name(3, 1), &[], Place::Nothing),
        ];
        for (what, list, name, rows, expected) in table {
            let found = shards(list).place(&name, rows);
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn numbers_are_given_once() {
        let mut shards = shards(&[(1, 4, ShardState::Planned, false, &[1])]);
        shards.take_number(1, 9);
        assert_eq!(
            (shards.next_number(1), shards.next_number(1), shards.next_number(2)),
            (10, 11, 1)
        );
    }
}
