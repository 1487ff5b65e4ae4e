//! Draws rows at random, the same ones for the same seed on every machine and in every release.
//!
//! Each row has a lot, the digest of seed and row number; the lowest lots win. So a drawing needs
//! one pass, remembers the highest winning lot only, and grows without losing rows: the sample of
//! 100 is part of the sample of 200.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use crate::base::short_hash;

/// A row's lot, and its number for the case that two lots are equal.
type Lot = (u64, u64);

/// A drawing that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    rows: u64,
    seed: u64,
    /// The highest lot that won; `None` if none did.
    last: Option<Lot>,
}

impl Sample {
    /// Whether a row that took part was drawn.
    pub(super) fn takes(&self, row: u64) -> bool {
        self.last.is_some_and(|last| lot(self.seed, row) <= last)
    }
}

/// A drawing being made; it holds 16 bytes for each row that is wanted.
pub(super) struct Draw {
    rows: u64,
    seed: u64,
    best: BinaryHeap<Lot>,
}

impl Draw {
    pub(super) fn new(rows: u64, seed: u64) -> Self {
        Self { rows, seed, best: BinaryHeap::new() }
    }

    /// Lets a row take part.
    pub(super) fn add(&mut self, row: u64) {
        self.best.push(lot(self.seed, row));
        if self.best.len() as u64 > self.rows {
            self.best.pop();
        }
    }

    pub(super) fn end(self) -> Sample {
        Sample { rows: self.rows, seed: self.seed, last: self.best.peek().copied() }
    }
}

fn lot(seed: u64, row: u64) -> Lot {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..].copy_from_slice(&row.to_le_bytes());
    (short_hash(&blake3::hash(&bytes)), row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: u64, seed: u64, of: u64) -> Vec<u64> {
        let mut draw = Draw::new(rows, seed);
        (0..of).for_each(|row| draw.add(row));
        let sample = draw.end();
        (0..of).filter(|row| sample.takes(*row)).collect()
    }

    /// S0.30: written down, since a later release must draw the same.
    #[test]
    fn s0_30_a_seed_draws_the_same_rows_for_ever() {
        assert_eq!(drawn(5, 0, 100), DRAWN_BY_0);
        assert_eq!(drawn(5, 1, 100), DRAWN_BY_1);
    }

    const DRAWN_BY_0: [u64; 5] = [0, 18, 22, 48, 88];
    const DRAWN_BY_1: [u64; 5] = [14, 48, 50, 72, 95];

    #[test]
    fn s0_30_a_sample_has_its_size_and_favours_nobody() {
        for (rows, of, expected) in [(0, 9, 0), (3, 9, 3), (9, 9, 9), (10, 9, 9), (1, 0, 0)] {
            assert_eq!(drawn(rows, 7, of).len(), expected, "{rows} of {of}");
        }
        let small = drawn(100, 3, 10_000);
        let large = drawn(200, 3, 10_000);
        assert!(small.iter().all(|row| large.contains(row)));
        let mut times = [0_u32; 10];
        for seed in 0..2000 {
            for row in drawn(3, seed, 10) {
                times[usize::try_from(row).unwrap()] += 1;
            }
        }
        assert!(times.iter().all(|n| (500..700).contains(n)), "about 600 each: {times:?}");
    }
}
