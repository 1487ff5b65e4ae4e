//! What a job was made under: the price of that day, what it was expected to cost, and the limits
//! a person set. It is stored with the job, so that a later price list changes no old account.

use serde::{Deserialize, Serialize};

use super::money::Money;
use super::price::Price;

/// A range of a quantity that is not known before a run; `None` is unknown, never 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// It is hardly less.
    pub low: Option<u64>,
    /// The best single figure.
    pub likely: Option<u64>,
    /// It is hardly more.
    pub high: Option<u64>,
    /// It cannot be more.
    pub worst: Option<u64>,
}

/// What a job is expected to use and to cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Requests that are sent.
    pub requests: u64,
    /// Prompt tokens; `None` where there are images whose rule is unknown.
    pub input_tokens: Option<u64>,
    /// Completion tokens.
    pub output_tokens: Range,
    /// Cost in the mode that is paid, in trillionths of the price's currency.
    pub cost: Range,
    /// Finished rows of the same prompt that the output is learned from; 0 = it is assumed.
    pub learned_from: u64,
    /// What is counted against budgets until it is settled, in trillionths: the worst case, or
    /// one and a half times what is likely where there is no worst case.
    #[serde(default)]
    pub reserve: Option<u64>,
}

impl Range {
    /// Both together; what is unknown of one is unknown of both.
    pub(super) fn and(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        Self {
            low: sum(self.low, other.low),
            likely: sum(self.likely, other.likely),
            high: sum(self.high, other.high),
            worst: sum(self.worst, other.worst),
        }
    }
}

impl Forecast {
    /// What is expected of a job and of rows that are asked again, both together; their prices
    /// are in one currency.
    #[must_use]
    pub fn and(self, again: &Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        Self {
            requests: self.requests.saturating_add(again.requests),
            input_tokens: sum(self.input_tokens, again.input_tokens),
            output_tokens: self.output_tokens.and(again.output_tokens),
            cost: self.cost.and(again.cost),
            learned_from: self.learned_from,
            reserve: sum(self.reserve, again.reserve),
        }
    }

    /// What it may well come to, for asking whether that is all right: the upper end of the range
    /// where lengths of answers were learned, else what is reserved. In trillionths; `None` =
    /// unknown.
    pub fn may_cost(&self) -> Option<u64> {
        self.cost.high.or(self.reserve)
    }
}

/// What a job was made under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The price; `None` = unknown.
    pub price: Option<Price>,
    /// The prices of the further members of its chain, in their order; unknown where one is
    /// missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Option<Price>>,
    /// What it was expected to cost.
    pub forecast: Option<Forecast>,
    /// What it may cost at most.
    pub max_cost: Option<Money>,
    /// How many requests it may send at most, over all rounds.
    pub max_requests: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_forecasts_together() {
        let of = |likely, worst| Forecast {
            requests: 2,
            cost: Range { likely, worst, ..Range::default() },
            ..Forecast::default()
        };
        let both = of(Some(5), Some(9)).and(&of(Some(2), None));
        assert_eq!((both.requests, both.cost.likely, both.cost.worst), (4, Some(7), None));
    }
}
