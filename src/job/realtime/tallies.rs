//! Calls counted by who was asked, until they are in the account.

use super::journal::Mark;
use crate::store::AskedRecord;

/// One count for each member of a chain, in its order.
#[derive(Debug, Clone)]
pub(super) struct Tallies {
    all: Vec<AskedRecord>,
}

impl Tallies {
    /// Counts of these providers and models.
    pub(super) fn new(members: impl IntoIterator<Item = (String, String)>) -> Self {
        let of = |(provider, model): (String, String)| AskedRecord::of(&provider, &model);
        Self { all: members.into_iter().map(of).collect() }
    }

    fn of(&mut self, member: usize) -> Option<&mut AskedRecord> {
        // A chain that got shorter: what an earlier one did is the first one's.
        let at = if member < self.all.len() { member } else { 0 };
        self.all.get_mut(at)
    }

    /// A call was begun.
    pub(super) fn sent(&mut self, member: usize) {
        if let Some(one) = self.of(member) {
            one.calls += 1;
        }
    }

    /// A call was not begun after all.
    pub(super) fn not_sent(&mut self, member: usize) {
        if let Some(one) = self.of(member) {
            one.calls = one.calls.saturating_sub(1);
        }
    }

    /// A row got its outcome, which may be that it has no answer.
    pub(super) fn settled(&mut self, member: usize, has_failed: bool) {
        if let Some(one) = self.of(member) {
            one.answers += 1;
            one.rows_failed += u64::from(has_failed);
        }
    }

    /// A call ended without an answer.
    pub(super) fn ended(&mut self, member: usize, mark: Mark) {
        let Some(one) = self.of(member) else { return };
        match mark {
            Mark::Refused => one.refused += 1,
            Mark::Failed => one.failed += 1,
            Mark::Unanswered => one.unanswered += 1,
            Mark::Sent | Mark::Out => {}
        }
    }

    /// All of them.
    #[cfg(test)]
    pub(super) fn all(&self) -> &[AskedRecord] {
        &self.all
    }

    /// Hands over what was counted and begins anew.
    pub(super) fn take(&mut self) -> Vec<AskedRecord> {
        let fresh = self.all.iter().map(|one| AskedRecord::of(&one.provider, &one.model));
        let fresh = fresh.collect();
        std::mem::replace(&mut self.all, fresh)
    }
}
