//! Rows that ask the same, found while a table is read.

/// The first row of each request: 20 bytes for each and 8 for a slot of the table, of which a
/// quarter at least is free. A million different requests take 37 MB.
#[derive(Debug, Default)]
pub struct EqualRequests {
    /// In the order in which they came: rows come by the million, and a memory access for each
    /// that no cache foresees is most of what finding them takes.
    firsts: Vec<First>,
    /// As many as a power of two says.
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct First {
    content_key: [u8; 16],
    row: u32,
}

/// Where a request stands among the first ones.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Counted from 1; 0 is a free slot.
    place: u32,
    /// Part of its key: others are mostly told apart by it.
    tag: u32,
}

const FEWEST_SLOTS: usize = 1 << 10;

impl EqualRequests {
    /// Takes a row by its content key. Returns the earlier row that asks the same, if there is
    /// one. Rows from the four-thousand-millionth on are not compared.
    pub fn leader_of(&mut self, row: u64, content_key: [u8; 16]) -> Option<u64> {
        if self.firsts.len() >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        let (mut at, tag) = start_of(&content_key);
        let mask = self.slots.len() - 1;
        loop {
            let slot = &mut self.slots[at & mask];
            let Some(place) = slot.place.checked_sub(1) else {
                let place = u32::try_from(self.firsts.len() + 1);
                if let (Ok(row), Ok(place)) = (u32::try_from(row), place) {
                    *slot = Slot { place, tag };
                    self.firsts.push(First { content_key, row });
                }
                return None;
            };
            if slot.tag == tag {
                let first = &self.firsts[place as usize];
                if first.content_key == content_key {
                    return Some(u64::from(first.row));
                }
            }
            at += 1;
        }
    }

    /// Makes twice as many slots.
    fn grow(&mut self) {
        let count = FEWEST_SLOTS.max(2 * self.slots.len());
        self.slots = Vec::new();
        self.slots.resize(count, Slot::default());
        for (place, first) in (1..).zip(&self.firsts) {
            let (mut at, tag) = start_of(&first.content_key);
            while self.slots[at & (count - 1)].place > 0 {
                at += 1;
            }
            self.slots[at & (count - 1)] = Slot { place, tag };
        }
    }
}

/// Where the search for a key begins, and its tag. Content keys are digests already: some of
/// their bytes are as good as a hash of them.
fn start_of(content_key: &[u8; 16]) -> (usize, u32) {
    let (words, _) = content_key.as_chunks();
    (u32::from_le_bytes(words[0]) as usize, u32::from_le_bytes(words[1]))
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

    /// However often the table grew, each row finds the first that asks the same.
    #[test]
    fn many_requests_are_found_again() {
        let mut equal = EqualRequests::default();
        let key = |n: u64| {
            let hash = blake3::hash(&n.to_le_bytes());
            *hash.as_bytes().first_chunk().unwrap()
        };
        for row in 0..20_000 {
            assert_eq!(equal.leader_of(row, key(row)), None);
            let earlier = row / 3;
            assert_eq!(equal.leader_of(row, key(earlier)), Some(earlier), "row {row}");
        }
    }
}
