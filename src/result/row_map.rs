//! From the rows that ids speak of to the rows of the table that is written: by a number that is
//! taken off, or, where the table was sorted or edited since, by what stands in the rows.

/// No row.
const NONE: u32 = u32::MAX;

/// Which row of the written table is which of the rows that ids speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowMap {
    /// The rows count from this number on.
    From(i64),
    /// Found again by what stands in them.
    Moved {
        /// The written row of each row asked.
        to: Vec<u32>,
        /// The row asked of each written one.
        from: Vec<u32>,
    },
}

impl RowMap {
    /// Every row is the one of its number.
    pub fn same() -> Self {
        Self::From(0)
    }

    /// Pairs of a row asked and the written one; each row is in one pair at most.
    pub fn moved(pairs: &[(u32, u32)]) -> Self {
        let (mut to, mut from) = (Vec::new(), Vec::new());
        for (asked, written) in pairs {
            put(&mut to, *asked, *written);
            put(&mut from, *written, *asked);
        }
        Self::Moved { to, from }
    }

    /// The written row of a number.
    pub fn to(&self, number: u64) -> Option<u64> {
        match self {
            Self::From(first) => number.checked_sub_signed(*first),
            Self::Moved { to, .. } => look(to, number),
        }
    }

    /// The number of a written row.
    pub fn from(&self, row: u64) -> Option<u64> {
        match self {
            Self::From(first) => row.checked_add_signed(*first),
            Self::Moved { from, .. } => look(from, row),
        }
    }

    /// Whether rows were looked for by what stands in them.
    pub fn is_by_content(&self) -> bool {
        matches!(self, Self::Moved { .. })
    }
}

fn put(rows: &mut Vec<u32>, at: u32, row: u32) {
    let at = at as usize;
    if at >= rows.len() {
        rows.resize(at + 1, NONE);
    }
    rows[at] = row;
}

fn look(rows: &[u32], at: u64) -> Option<u64> {
    let row = *rows.get(usize::try_from(at).ok()?)?;
    (row != NONE).then_some(row.into())
}

/// A row and the hash of what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashed {
    /// The row, from 0.
    pub row: u32,
    /// Its hash.
    pub hash: u64,
}

/// How much of a hash is known of the rows that were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// All of it.
    Whole,
    /// Its low 32 bits.
    Half,
}

impl Known {
    fn of(self, hash: u64) -> u64 {
        match self {
            Self::Whole => hash,
            Self::Half => hash & u64::from(u32::MAX),
        }
    }
}

/// Pairs the rows asked with the rows of a table that have the same hash. A row which is where it
/// was stays there; of several equal ones the first goes to the first. By half a hash, rows are
/// taken only where no two different ones have the same half. What finds no partner is left in
/// the lists. Both come sorted by row.
pub fn pair(asked: &mut Vec<Hashed>, table: &mut Vec<Hashed>, known: Known) -> Vec<(u32, u32)> {
    let mut pairs = at_their_place(asked, table, known);
    asked.sort_unstable_by_key(|row| (row.hash, row.row));
    table.sort_unstable_by_key(|row| (known.of(row.hash), row.row));
    let (mut lost, mut strangers) = (Vec::new(), Vec::new());
    let mut groups = table.chunk_by(|a, b| known.of(a.hash) == known.of(b.hash)).peekable();
    for asked in asked.chunk_by(|a, b| a.hash == b.hash) {
        let hash = asked[0].hash;
        while let Some(other) = groups.next_if(|group| known.of(group[0].hash) < hash) {
            strangers.extend_from_slice(other);
        }
        let same = groups.next_if(|group| known.of(group[0].hash) == hash).unwrap_or_default();
        let both = if is_sure(asked, same, known) { asked.len().min(same.len()) } else { 0 };
        pairs.extend(asked.iter().zip(same).take(both).map(|(a, b)| (a.row, b.row)));
        lost.extend_from_slice(&asked[both..]);
        strangers.extend_from_slice(&same[both..]);
    }
    strangers.extend(groups.flatten());
    lost.sort_unstable_by_key(|row| row.row);
    strangers.sort_unstable_by_key(|row| row.row);
    (*asked, *table) = (lost, strangers);
    pairs
}

/// Whether rows of the same hash are surely equal.
fn is_sure(asked: &[Hashed], table: &[Hashed], known: Known) -> bool {
    known == Known::Whole
        || (asked.len() == table.len() && table.iter().all(|row| row.hash == table[0].hash))
}

/// The rows that are still where they were; they are taken out of both lists.
fn at_their_place(
    asked: &mut Vec<Hashed>,
    table: &mut Vec<Hashed>,
    known: Known,
) -> Vec<(u32, u32)> {
    let mut pairs = Vec::new();
    let mut there = table.iter().peekable();
    asked.retain(|row| {
        while there.next_if(|other| other.row < row.row).is_some() {}
        let same = |other: &&Hashed| other.row == row.row && known.of(other.hash) == row.hash;
        let is_there = there.peek().is_some_and(same);
        if is_there {
            pairs.push((row.row, row.row));
        }
        !is_there
    });
    let mut taken = pairs.iter().peekable();
    table.retain(|row| {
        while taken.next_if(|(_, at)| *at < row.row).is_some() {}
        taken.peek().is_none_or(|(_, at)| *at != row.row)
    });
    pairs
}

#[cfg(test)]
#[path = "row_map_tests.rs"]
mod tests;
