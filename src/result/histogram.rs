//! A distribution of token counts in bounded memory: exact to 4,095, to a thousandth above.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts up to this one are kept as they are; larger ones to their twelve highest bits.
const EXACT_BITS: u32 = 12;

/// How often each count occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: BTreeMap<u64, u64>,
    number: u64,
    sum: u64,
    most: u64,
}

/// What is said of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The sum over the number.
    pub mean: f64,
    /// Half of them are not above it.
    pub p50: u64,
    /// 95 of 100 are not above it.
    pub p95: u64,
    /// The largest.
    pub max: u64,
}

impl Histogram {
    /// Takes a count in.
    pub fn add(&mut self, count: u64) {
        let above = (u64::BITS - count.leading_zeros()).saturating_sub(EXACT_BITS);
        *self.counts.entry(count >> above << above).or_default() += 1;
        self.number += 1;
        self.sum = self.sum.saturating_add(count);
        self.most = self.most.max(count);
    }

    /// How they are spread; `None` where there are none.
    #[expect(clippy::cast_precision_loss, reason = "a mean is no exact number")]
    pub fn spread(&self) -> Option<Spread> {
        (self.number > 0).then(|| Spread {
            mean: self.sum as f64 / self.number as f64,
            p50: self.below(50),
            p95: self.below(95),
            max: self.most,
        })
    }

    /// The smallest count that so many of a hundred are not above.
    fn below(&self, percent: u64) -> u64 {
        let wanted = (u128::from(self.number) * u128::from(percent)).div_ceil(100);
        let mut seen = 0;
        for (count, number) in &self.counts {
            seen += u128::from(*number);
            if seen >= wanted {
                return *count;
            }
        }
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_of_small_and_large_counts() {
        let spread = |counts: &[u64]| {
            let mut all = Histogram::default();
            for count in counts {
                all.add(*count);
            }
            all.spread().map(|s| (s.p50, s.p95, s.max))
        };
        let hundred: Vec<u64> = (1..=100).collect();
        let table: [(&[u64], _); 5] = [
            (&[], None),
            (&[7], Some((7, 7, 7))),
            (&[1, 2, 3, 4], Some((2, 4, 4))),
            (&hundred, Some((50, 95, 100))),
            (&[4_095, 100_001, u64::MAX], Some((100_000, u64::MAX >> 52 << 52, u64::MAX))),
        ];
        for (counts, expected) in table {
            assert_eq!(spread(counts), expected, "{counts:?}");
        }
    }

    /// A result file of any size fits.
    #[test]
    fn memory_is_bounded() {
        let mut all = Histogram::default();
        (0..4_000_000).for_each(|count| all.add(count * 1_000));
        assert!(all.counts.len() < 80_000, "{}", all.counts.len());
    }
}
