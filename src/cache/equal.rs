//! Rows that ask the same, found while a table is read.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

/// The first row of each request. One entry takes 21 bytes: a million different requests take
/// 44 MB, 22 MB up to 900,000.
#[derive(Debug, Default)]
pub struct EqualRequests {
    first: HashMap<[u8; 16], u32, BuildHasherDefault<KeyHasher>>,
}

impl EqualRequests {
    /// Takes a row by its content key. Returns the earlier row that asks the same, if there is
    /// one. Rows from the four-thousand-millionth on are not compared.
    pub fn leader_of(&mut self, row: u64, content_key: [u8; 16]) -> Option<u64> {
        match self.first.entry(content_key) {
            Entry::Occupied(first) => Some(u64::from(*first.get())),
            Entry::Vacant(place) => {
                if let Ok(row) = u32::try_from(row) {
                    place.insert(row);
                }
                None
            }
        }
    }
}

/// Content keys are digests already: their first bytes are as good as a hash of them.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length before an array's bytes is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b04_the_first_of_equal_rows_leads_whatever_stands_between() {
        let mut equal = EqualRequests::default();
        let key = |n: u128| n.to_be_bytes();
        let rows = [(3, 7), (4, 8), (5, 7), (9, 9), (10, 7), (11, 8)];
        let leaders: Vec<_> =
            rows.into_iter().map(|(row, n)| equal.leader_of(row, key(n))).collect();
        assert_eq!(leaders, [None, None, Some(3), None, Some(3), Some(4)]);
        let far = u64::from(u32::MAX) + 1;
        assert_eq!(equal.leader_of(far, key(1)), None);
        assert_eq!(equal.leader_of(far + 1, key(1)), None, "it is sent rather than lost");
        assert_eq!(equal.leader_of(far + 2, key(7)), Some(3));
    }

    /// Keys that share their first eight bytes are still told apart.
    #[test]
    fn a_short_hash_makes_no_rows_equal() {
        let mut equal = EqualRequests::default();
        for row in 0..100_u64 {
            let mut key = [0; 16];
            key[8..].copy_from_slice(&row.to_le_bytes());
            assert_eq!(equal.leader_of(row, key), None);
        }
    }
}
