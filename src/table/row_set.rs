//! A set of rows by their numbers, one bit each.

/// Rows by number, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
}

impl RowSet {
    /// Adds a row; rows beyond four thousand million are nobody's.
    pub fn insert(&mut self, row: u64) {
        let Ok(row) = u32::try_from(row) else { return };
        let (word, bit) = (row as usize / 64, row % 64);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << bit;
    }

    /// Whether a row is in it.
    pub fn contains(&self, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// How many rows it has.
    pub fn len(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// One more than the last row.
    pub fn end(&self) -> u64 {
        let last = self.words.iter().rposition(|word| *word != 0);
        last.map_or(0, |at| (at as u64 + 1) * 64 - u64::from(self.words[at].leading_zeros()))
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.end()).filter(|row| self.contains(*row))
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
}

impl Extend<u64> for RowSet {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, rows: I) {
        rows.into_iter().for_each(|row| self.insert(row));
    }
}

impl FromIterator<u64> for RowSet {
    fn from_iter<I: IntoIterator<Item = u64>>(rows: I) -> Self {
        let mut set = Self::default();
        set.extend(rows);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_it_once() {
        let set: RowSet = [0, 63, 64, 1000, 63, u64::MAX].into_iter().collect();
        assert_eq!(set.len(), 4);
        for (row, expected) in [(0, true), (1, false), (64, true), (1000, true), (u64::MAX, false)]
        {
            assert_eq!(set.contains(row), expected, "{row}");
        }
        assert_eq!((set.end(), RowSet::default().end()), (1001, 0));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 1000]);
        assert!(RowSet::default().is_empty() && !set.is_empty());
    }
}
