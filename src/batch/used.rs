//! Answers that were paid for, added up: tokens, and what they cost as far as that is known.

use super::Usage;

/// Answers that were paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// How many.
    pub rows: u64,
    /// Their tokens.
    pub usage: Usage,
    /// What those of them cost whose price is known, in trillionths.
    pub known: u64,
    /// Those whose price is unknown.
    pub unpriced: u64,
}

impl Used {
    /// Takes one answer in; one without a count of tokens is none.
    pub fn add(&mut self, usage: Option<Usage>, cost: Option<u64>) {
        let Some(usage) = usage else { return };
        self.rows += 1;
        self.usage += usage;
        match cost {
            Some(cost) => self.known = self.known.saturating_add(cost),
            None => self.unpriced += 1,
        }
    }

    /// What all of them cost; `None` where that of one is unknown.
    pub fn cost(&self) -> Option<u64> {
        (self.unpriced == 0).then_some(self.known)
    }
}

impl std::ops::AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.usage += other.usage;
        self.known = self.known.saturating_add(other.known);
        self.unpriced += other.unpriced;
    }
}
