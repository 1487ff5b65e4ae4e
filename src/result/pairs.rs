//! Which row of one table is which row of another: the same number with the same cells, else the
//! same cells where they occur once. Only hashes are held, sixteen bytes a row.

use serde::Serialize;

/// A row of a table: its number, and a hash of the cells that both tables have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowHash {
    /// Its number, from 0.
    pub row: u64,
    /// Of its cells.
    pub hash: u64,
}

/// The rows that both tables have, and how many only one has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// Numbers in the first and in the second table, in the order of the first.
    #[serde(skip)]
    numbers: Vec<(u64, u64)>,
    /// Rows of both.
    pub matched: u64,
    /// Those of them that have another number in the other table.
    pub moved: u64,
    /// Rows of the first table alone.
    pub only_a: u64,
    /// Rows of the second table alone.
    pub only_b: u64,
    /// Rows of either that stand elsewhere in the other, but several times: which is which cannot
    /// be told. They are among those of one alone.
    pub ambiguous: u64,
}

impl Pairs {
    /// Finds them; both lists are in the order of their rows.
    pub fn find(a: &[RowHash], b: &[RowHash]) -> Self {
        let (mut pairs, rest_a, rest_b) = in_place(a, b);
        let (moved, ambiguous) = moved(rest_a, rest_b);
        let matched = (pairs.len() + moved.len()) as u64;
        let elsewhere = moved.len() as u64;
        pairs.extend(moved);
        pairs.sort_unstable();
        Self {
            numbers: pairs,
            matched,
            moved: elsewhere,
            only_a: a.len() as u64 - matched,
            only_b: b.len() as u64 - matched,
            ambiguous,
        }
    }

    /// The row of the second table that is this row of the first.
    pub fn of(&self, row: u64) -> Option<u64> {
        let at = self.numbers.binary_search_by_key(&row, |(a, _)| *a).ok()?;
        Some(self.numbers[at].1)
    }
}

type Rest = Vec<RowHash>;

/// Rows with the same number and the same cells, and those that are left of each.
fn in_place(a: &[RowHash], b: &[RowHash]) -> (Vec<(u64, u64)>, Rest, Rest) {
    let (mut pairs, mut rest_a, mut rest_b) = (Vec::new(), Vec::new(), Vec::new());
    let mut others = b.iter().copied().peekable();
    for one in a {
        while let Some(before) = others.next_if(|other| other.row < one.row) {
            rest_b.push(before);
        }
        match others.next_if(|other| other == one) {
            Some(other) => pairs.push((one.row, other.row)),
            None => rest_a.push(*one),
        }
    }
    rest_b.extend(others);
    (pairs, rest_a, rest_b)
}

/// Rows whose cells occur once in what is left of each; and how many there are of cells that both
/// have and one has several times.
fn moved(mut a: Rest, mut b: Rest) -> (Vec<(u64, u64)>, u64) {
    a.sort_unstable_by_key(|row| row.hash);
    b.sort_unstable_by_key(|row| row.hash);
    let (mut pairs, mut ambiguous) = (Vec::new(), 0);
    let mut others = b.chunk_by(|one, other| one.hash == other.hash).peekable();
    for group in a.chunk_by(|one, other| one.hash == other.hash) {
        while others.next_if(|other| other[0].hash < group[0].hash).is_some() {}
        let Some(other) = others.next_if(|other| other[0].hash == group[0].hash) else { continue };
        match (group, other) {
            ([one], [other]) => pairs.push((one.row, other.row)),
            _ => ambiguous += (group.len() + other.len()) as u64,
        }
    }
    (pairs, ambiguous)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(hashes: &[u64]) -> Vec<RowHash> {
        (0..).zip(hashes).map(|(row, hash)| RowHash { row, hash: *hash }).collect()
    }

    type Case<'a> = (&'a [u64], &'a [u64], &'a [(u64, u64)], (u64, u64, u64, u64));

    #[test]
    fn rows_are_paired_by_number_then_by_unique_cells() {
        // Pairs, then: moved, only in the first, only in the second, ambiguous.
        let table: [Case<'_>; 7] = [
            (&[1, 2, 3], &[1, 2, 3], &[(0, 0), (1, 1), (2, 2)], (0, 0, 0, 0)),
            (&[1, 2, 3], &[3, 2, 1], &[(0, 2), (1, 1), (2, 0)], (2, 0, 0, 0)),
            (&[1, 2], &[1, 9, 2], &[(0, 0), (1, 2)], (1, 0, 1, 0)),
            // Equal rows in their places are no doubt; elsewhere they are.
            (&[7, 7], &[7, 7], &[(0, 0), (1, 1)], (0, 0, 0, 0)),
            (&[7, 7, 1], &[1, 7, 7], &[(1, 1), (0, 2), (2, 0)], (2, 0, 0, 0)),
            (&[7, 7, 1], &[1, 2, 3, 7, 7], &[(2, 0)], (1, 2, 4, 4)),
            (&[1], &[2], &[], (0, 1, 1, 0)),
        ];
        for (a, b, expected, counts) in table {
            let pairs = Pairs::find(&rows(a), &rows(b));
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(pairs.numbers, expected, "{a:?} {b:?}");
            assert_eq!((pairs.moved, pairs.only_a, pairs.only_b, pairs.ambiguous), counts);
            for (one, other) in expected {
                assert_eq!(pairs.of(one), Some(other));
            }
        }
    }

    proptest! {
        /// A table that was sorted anew is the same table, if its rows differ.
        #[test]
        fn a_sorted_table_is_the_same(order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let pairs = Pairs::find(&rows(&(0..40).collect::<Vec<_>>()), &rows(&order));
            prop_assert_eq!((pairs.matched, pairs.only_a, pairs.only_b), (40, 0, 0));
            for row in 0..40 {
                prop_assert_eq!(order[usize::try_from(pairs.of(row).unwrap()).unwrap()], row);
            }
        }
    }
}
