//! What a job's account says of rows beyond their lines: why there is none, or what a line cannot
//! show.

use std::collections::HashMap;

use crate::answer::RowStatus;

/// Statuses of rows with their reasons; twelve bytes a row, since a cancelled job has many.
#[derive(Debug, Default)]
pub struct Told {
    rows: Vec<(u32, RowStatus, u32)>,
    reasons: Vec<String>,
    known: HashMap<String, u32>,
    is_sorted: bool,
    /// What rows cost, in trillionths.
    costs: Vec<(u32, u64)>,
    /// Who was asked; empty where that is not known.
    provider: String,
}

impl Told {
    /// Notes what is said of a row; once for each.
    pub fn add(&mut self, row: u64, status: RowStatus, reason: Option<&str>) {
        let Ok(row) = u32::try_from(row) else { return };
        let reason = reason.unwrap_or_default();
        let number = self.known.get(reason).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.reasons.len()).unwrap_or(u32::MAX);
            self.reasons.push(reason.to_owned());
            self.known.insert(reason.to_owned(), number);
            number
        });
        self.rows.push((row, status, number));
        self.is_sorted = false;
    }

    /// Notes what a row cost, in trillionths of the job's currency; once for each.
    pub fn add_cost(&mut self, row: u64, cost: u64) {
        self.costs.extend(u32::try_from(row).ok().map(|row| (row, cost)));
        self.is_sorted = false;
    }

    /// Notes who was asked.
    #[must_use]
    pub fn asked_of(mut self, provider: &str) -> Self {
        provider.clone_into(&mut self.provider);
        self
    }

    /// Makes it ready to be asked.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.rows.sort_by_key(|(row, ..)| *row);
        self.costs.sort_by_key(|(row, _)| *row);
        self.known = HashMap::new();
        self.is_sorted = true;
        self
    }

    /// What a row cost, where that is known.
    pub(super) fn cost_of(&self, row: u64) -> Option<u64> {
        let row = u32::try_from(row).ok()?;
        let at = self.costs.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(self.costs[at].1)
    }

    /// Who was asked, where that is known.
    pub(super) fn provider(&self) -> Option<String> {
        (!self.provider.is_empty()).then(|| self.provider.clone())
    }

    /// What is said of a row, with the reason if there is one.
    pub(super) fn of(&self, row: u64) -> Option<(RowStatus, Option<&str>)> {
        debug_assert!(self.is_sorted || self.rows.is_empty(), "asked before it was sorted");
        let row = u32::try_from(row).ok()?;
        let at = self.rows.binary_search_by_key(&row, |(row, ..)| *row).ok()?;
        let (_, status, reason) = self.rows[at];
        let reason = self.reasons.get(reason as usize).map(String::as_str);
        Some((status, reason.filter(|reason| !reason.is_empty())))
    }
}
