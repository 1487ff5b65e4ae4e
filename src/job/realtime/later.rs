//! A row that is asked again at a time.

use std::cmp::Ordering;
use std::time::Instant;

use super::shared::Item;

/// A row, and when; the soonest is the greatest, as a heap wants it.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) due: Instant,
    pub(super) item: Box<Item>,
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due).then_with(|| other.item.entry.row.cmp(&self.item.entry.row))
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Later {}
