use proptest::prelude::*;

use super::*;

fn rows(hashes: &[u64]) -> Vec<Hashed> {
    (0u32..).zip(hashes).map(|(row, hash)| Hashed { row, hash: *hash }).collect()
}

fn paired(asked: &[u64], table: &[u64], known: Known) -> Vec<(u32, u32)> {
    let (mut asked, mut table) = (rows(asked), rows(table));
    let mut pairs = pair(&mut asked, &mut table, known);
    pairs.sort_unstable();
    pairs
}

/// What it is, the rows asked, the rows now, how much is known, the pairs.
type Case<'a> = (&'a str, &'a [u64], &'a [u64], Known, &'a [(u32, u32)]);

#[test]
fn rows_are_found_again_where_they_stand_now() {
    let half = Known::Half;
    // Rows that differ, and not in that half of their hash.
    let (one, other, two) = (1 | (1 << 40), 1 | (1 << 41), 2 | (1 << 40));
    let table: [Case<'_>; 11] = [
        ("the same", &[1, 2, 3], &[1, 2, 3], Known::Whole, &[(0, 0), (1, 1), (2, 2)]),
        ("sorted", &[1, 2, 3], &[3, 1, 2], Known::Whole, &[(0, 1), (1, 2), (2, 0)]),
        ("one edited", &[1, 2, 3], &[1, 9, 3], Known::Whole, &[(0, 0), (2, 2)]),
        ("one put first", &[1, 2], &[9, 1, 2], Known::Whole, &[(0, 1), (1, 2)]),
        ("equal ones in order", &[5, 5, 1], &[1, 5, 5], Known::Whole, &[(0, 2), (1, 1), (2, 0)]),
        ("one more of equal ones", &[5], &[5, 5], Known::Whole, &[(0, 0)]),
        ("one less of equal ones", &[5, 5], &[1, 5], Known::Whole, &[(1, 1)]),
        ("halves", &[1, 2], &[two, one], half, &[(0, 1), (1, 0)]),
        (
            "two rows of one half, one in its place",
            &[1, 1],
            &[one, 7, other],
            half,
            &[(0, 0), (1, 2)],
        ),
        (
            "two rows of one half, neither in its place",
            &[1, 1, 8],
            &[9, 8, one, other],
            half,
            &[(2, 1)],
        ),
        (
            "two equal rows of one half",
            &[1, 1, 8],
            &[9, 8, one, one],
            half,
            &[(0, 2), (1, 3), (2, 1)],
        ),
    ];
    for (what, asked, now, known, expected) in table {
        assert_eq!(paired(asked, now, known), expected, "{what}");
    }
}

#[test]
fn a_map_goes_both_ways() {
    let moved = RowMap::moved(&[(0, 2), (3, 0)]);
    assert_eq!([0, 1, 2, 3, 9].map(|row| moved.to(row)), [Some(2), None, None, Some(0), None]);
    assert_eq!([0, 1, 2, 3].map(|row| moved.from(row)), [Some(3), None, Some(0), None]);
    let later = RowMap::From(-5);
    assert_eq!((later.to(0), later.from(5), later.from(4)), (Some(5), Some(0), None));
    assert_eq!((RowMap::From(1).to(0), RowMap::From(1).from(0)), (None, Some(1)));
}

proptest! {
    /// No row is in two pairs, both rows of a pair are equal, and no equal ones are left over.
    #[test]
    fn field_44_a_pair_is_two_equal_rows(
        asked in prop::collection::vec(0u64..12, 0..40), table in prop::collection::vec(0u64..12, 0..40),
    ) {
        let (mut lost, mut strangers) = (rows(&asked), rows(&table));
        let pairs = pair(&mut lost, &mut strangers, Known::Whole);
        let (mut from, mut to) = (std::collections::HashSet::new(), std::collections::HashSet::new());
        for (a, b) in &pairs {
            prop_assert!(from.insert(*a) && to.insert(*b));
            prop_assert_eq!(asked[*a as usize], table[*b as usize]);
        }
        prop_assert_eq!(pairs.len() + lost.len(), asked.len());
        prop_assert_eq!(pairs.len() + strangers.len(), table.len());
        prop_assert!(lost.iter().all(|row| strangers.iter().all(|other| other.hash != row.hash)));
    }
}
