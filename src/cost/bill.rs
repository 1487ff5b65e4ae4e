//! A bill: what some requests cost, added up, in a batch and as calls, for answers of the least,
//! likely, greatest and worst length. The rates are looked up elsewhere.
//!
//! Amounts are trillionths of the price's currency; `None` is unknown, never 0.

use super::terms::{Forecast, Range};
use crate::request::Mode;

/// How long answers are taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// They are hardly shorter.
    Low,
    /// The best single figure.
    Likely,
    /// They are hardly longer.
    High,
    /// They cannot be longer.
    Worst,
}

const LEVELS: [Level; 4] = [Level::Low, Level::Likely, Level::High, Level::Worst];

/// Parts of a sum: what prompts cost, and the rates of completion tokens, one for each request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) text: u64,
    pub(super) images: u64,
    pub(super) output_rates: u64,
}

/// Completion tokens of one request on average.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) levels: [Option<f64>; 4],
    /// Whole, where that is the limit of the request.
    pub(super) worst: Option<u64>,
}

/// Requests of a size from which on another price holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Prompt tokens.
    pub from: u64,
    /// Requests with that many or more.
    pub requests: u64,
    /// What they likely cost, as they are sent.
    pub cost: Option<u64>,
}

/// What some requests cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Bill {
    pub(super) requests: u64,
    pub(super) answer: Answer,
    pub(super) is_exact: bool,
    /// What is paid, and what is paid for rows that the first round leaves.
    pub(super) paid: [Mode; 2],
    pub(super) sums: [[Option<Sum>; 4]; 2],
    pub(super) steps: Vec<Step>,
}

impl Default for Bill {
    /// Nothing, which costs nothing.
    fn default() -> Self {
        Self {
            requests: 0,
            answer: Answer::default(),
            is_exact: true,
            paid: [Mode::Batch; 2],
            sums: [[Some(Sum::default()); 4]; 2],
            steps: Vec::new(),
        }
    }
}

impl Bill {
    /// Requests.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Sizes from which on another price holds, and what is so large.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// All of it.
    pub fn cost(&self, mode: Mode, level: Level) -> Option<u64> {
        let sum = self.sum(mode, level)?;
        let input = sum.text.saturating_add(sum.images);
        let input = match level {
            Level::Low if !self.is_exact => input / 5 * 4,
            Level::High if !self.is_exact => input.saturating_add(input / 4),
            _ => input,
        };
        Some(input.saturating_add(self.output(sum, level)?))
    }

    /// What texts and answers cost.
    pub fn text_cost(&self, mode: Mode, level: Level) -> Option<u64> {
        let sum = self.sum(mode, level)?;
        Some(sum.text.saturating_add(self.output(sum, level)?))
    }

    /// What images cost.
    pub fn image_cost(&self, mode: Mode, level: Level) -> Option<u64> {
        Some(self.sum(mode, level)?.images)
    }

    /// Completion tokens of all requests.
    pub fn output_tokens(&self, level: Level) -> Option<u64> {
        match (level, self.requests) {
            (_, 0) => Some(0),
            (Level::Worst, requests) => Some(self.answer.worst?.saturating_mul(requests)),
            (_, requests) => Some(scaled(requests, self.answer.levels[level as usize]?)),
        }
    }

    /// What is expected of these requests.
    pub fn forecast(&self, input_tokens: Option<u64>, learned_from: u64) -> Forecast {
        let range = |of: &dyn Fn(Level) -> Option<u64>| {
            let [low, likely, high, worst] = LEVELS.map(of);
            Range { low, likely, high, worst }
        };
        Forecast {
            requests: self.requests,
            input_tokens,
            output_tokens: range(&|level| self.output_tokens(level)),
            cost: range(&|level| self.paid(level)),
            learned_from,
            ..Forecast::default()
        }
    }

    /// What all of it costs as it is sent; at worst every row is left over by the first round.
    pub fn paid(&self, level: Level) -> Option<u64> {
        let [mode, finish] = self.paid;
        let cost = self.cost(mode, level)?;
        if level == Level::Worst && finish != mode {
            return Some(cost.max(self.cost(finish, level)?));
        }
        Some(cost)
    }

    /// The same with unknown amounts: the prompts have parts that nobody can count.
    pub fn make_unknown(&mut self) {
        self.sums = [[None; 4]; 2];
        self.steps.iter_mut().for_each(|step| step.cost = None);
    }

    fn sum(&self, mode: Mode, level: Level) -> Option<Sum> {
        self.sums[mode as usize][level as usize]
    }

    fn output(&self, sum: Sum, level: Level) -> Option<u64> {
        match (level, self.requests) {
            (_, 0) => Some(0),
            (Level::Worst, _) => Some(self.answer.worst?.saturating_mul(sum.output_rates)),
            _ => Some(scaled(sum.output_rates, self.answer.levels[level as usize]?)),
        }
    }
}

impl std::ops::Add<&Bill> for &Bill {
    type Output = Bill;

    /// Both together; steps are kept only of the first.
    fn add(self, other: &Bill) -> Bill {
        let mut both = self.clone();
        if self.requests == 0 {
            (both.answer, both.is_exact) = (other.answer, other.is_exact);
            both.paid = other.paid;
        }
        both.requests += other.requests;
        for (sums, others) in both.sums.iter_mut().zip(other.sums) {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = sum.zip(other).map(|(a, b)| Sum {
                    text: a.text.saturating_add(b.text),
                    images: a.images.saturating_add(b.images),
                    output_rates: a.output_rates.saturating_add(b.output_rates),
                });
            }
        }
        both
    }
}

/// A whole number times a fractional one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, of what is not negative; too large a float ends at the largest number"
)]
pub(super) fn scaled(whole: u64, factor: f64) -> u64 {
    (whole as f64 * factor).round() as u64
}
