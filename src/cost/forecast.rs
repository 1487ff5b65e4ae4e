//! What requests will cost, added up while they are planned: each with the rates of its own size,
//! in a batch and as calls, for answers of the least, likely, greatest and worst length.
//!
//! Amounts are trillionths of the price's currency; `None` is unknown, never 0.

use super::bill::{Answer, Bill, Level, Step, Sum, scaled};
use super::lengths::Lengths;
use super::money::Currency;
use super::price::{Price, Rates, Tokens};
use super::reasks::Reasking;
use crate::request::Mode;

/// What requests are priced by.
#[derive(Debug, Clone, Default)]
pub struct Pricing {
    /// The price; `None` = unknown.
    pub price: Option<Price>,
    /// The most completion tokens of one request, where the request says so.
    pub max_tokens: Option<u64>,
    /// Whether answers are vectors, which have no tokens.
    pub is_embedding: bool,
    /// What finished rows of the same prompt had.
    pub lengths: Lengths,
    /// How often rows are asked again because of their answer.
    pub reasking: Reasking,
    /// How the requests are sent, which decides what is paid.
    pub mode: Mode,
    /// How rows are sent that the first round leaves.
    pub finish: Mode,
    /// Further members of a failover chain that calls may go to, each by its own price.
    pub others: Vec<Member>,
}

/// One more that may be asked and paid, and by what its requests are priced.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// Its provider and model, as people read them.
    pub who: String,
    /// The price and the limit of an answer; its own `others` are not looked at.
    pub pricing: Pricing,
}

const MODES: [Mode; 2] = [Mode::Batch, Mode::Realtime];

/// Rates of one mode for each level.
type Row = [Option<Rates>; 4];

impl Pricing {
    fn currency(&self) -> Option<Currency> {
        self.price.as_ref().map(|price| price.currency)
    }
}

/// Writes bills: knows the rates and the lengths of answers.
#[derive(Debug)]
pub struct Biller<'a> {
    pricing: &'a Pricing,
    answer: Answer,
    is_exact: bool,
    /// The rates of all requests, where their size does not matter.
    flat: Option<[Row; 2]>,
    /// The same for further members of a chain.
    others: Vec<Biller<'a>>,
}

impl<'a> Biller<'a> {
    /// For so many requests that are sent. Where the tokenizer is not the model's own, the
    /// range has room for prompts that are a fifth shorter or a quarter longer.
    pub fn new(pricing: &'a Pricing, sent: u64, is_exact: bool) -> Self {
        // Another member's tokenizer is hardly ever the one that was counted with.
        let others = pricing.others.iter().map(|other| Self::new(&other.pricing, sent, false));
        let others = others.collect();
        let mut biller =
            Self { pricing, answer: answer(pricing, sent), is_exact, flat: None, others };
        if pricing.price.as_ref().is_none_or(|price| price.tiers.is_empty()) {
            biller.flat = Some(biller.rates(0));
        }
        biller
    }

    /// An empty bill of these rates.
    pub fn bill(&self) -> Bill {
        let paid = [self.pricing.mode, self.pricing.finish];
        Bill { answer: self.answer, is_exact: self.is_exact, paid, ..Bill::default() }
    }

    /// Adds a request with so many prompt tokens in its texts and in its images.
    pub fn add(&self, bill: &mut Bill, text: u64, images: u64) {
        bill.requests += 1;
        let rates = self.flat.unwrap_or_else(|| self.rates(text + images));
        for (sums, rates) in bill.sums.iter_mut().zip(rates) {
            for (at, (sum, rates)) in sums.iter_mut().zip(rates).enumerate() {
                *sum = self.added(*sum, rates, at, (text, images));
            }
        }
        self.step(bill, text + images);
    }

    /// How often rows are asked again because of their answer.
    pub(super) fn reasking(&self) -> &Reasking {
        &self.pricing.reasking
    }

    /// Completion tokens of one answer, likely and at worst.
    pub(super) fn answer_tokens(&self) -> [u64; 2] {
        let likely = self.answer.levels[Level::Likely as usize].map_or(0, whole);
        [likely, self.answer.worst.unwrap_or(likely)]
    }

    /// What a request is counted as against a budget until it is settled: its worst case, or
    /// where no limit is known one and a half times what is likely. Where a call may go to
    /// several, it is the dearest one's.
    pub fn reserve(&self, prompt: u64) -> Option<u64> {
        let mode = self.pricing.mode;
        let own = if let Some(completion) = self.answer.worst {
            let tokens = Tokens { prompt, cached: 0, completion, reasoning: completion };
            self.pricing.price.as_ref()?.cost(mode, tokens)?
        } else {
            let mut bill = self.bill();
            self.add(&mut bill, prompt, 0);
            bill.cost(mode, Level::Likely).map(reserve_of)?
        };
        if mode == Mode::Batch {
            return Some(own);
        }
        self.others.iter().try_fold(own, |most, other| {
            let is_added = other.pricing.currency() == self.pricing.currency();
            Some(most.max(other.reserve(prompt).filter(|_| is_added)?))
        })
    }

    /// Empty bills of the further members of a chain.
    pub fn other_bills(&self) -> Vec<Bill> {
        self.others.iter().map(Biller::bill).collect()
    }

    /// Adds a request to the bill of each further member.
    pub fn add_others(&self, bills: &mut [Bill], text: u64, images: u64) {
        for (other, bill) in self.others.iter().zip(bills) {
            other.add(bill, text, images);
        }
    }

    fn added(
        &self,
        sum: Option<Sum>,
        rates: Option<Rates>,
        level: usize,
        (text, images): (u64, u64),
    ) -> Option<Sum> {
        let (sum, tokens) = (sum?, self.answer.levels[level]?);
        let rates = rates?;
        let part = |tokens: u64| match tokens {
            0 => Some(0),
            tokens => Some(tokens.saturating_mul(rates.input?)),
        };
        // Where thinking costs more, a bound takes all of the answer for it.
        let is_bound = level >= Level::High as usize;
        let dearer = rates.reasoning_output.filter(|_| is_bound);
        let output = if tokens > 0.0 { dearer.or(rates.output)? } else { 0 };
        Some(Sum {
            text: sum.text.saturating_add(part(text)?),
            images: sum.images.saturating_add(part(images)?),
            output_rates: sum.output_rates.saturating_add(output),
        })
    }

    /// The rates of a request with this prompt, for every mode and level.
    fn rates(&self, prompt: u64) -> [Row; 2] {
        let Some(price) = &self.pricing.price else { return [[None; 4]; 2] };
        MODES.map(|mode| {
            self.answer.levels.map(|tokens| {
                let completion = whole(tokens?);
                price.rates(mode, Tokens { prompt, completion, ..Tokens::default() })
            })
        })
    }

    /// Counts a request whose price is another because of its size.
    fn step(&self, bill: &mut Bill, prompt: u64) {
        let Some(price) = &self.pricing.price else { return };
        let starts = price.tiers.iter().map(|tier| tier.input_from);
        let Some(from) = starts.filter(|from| *from > 0 && *from <= prompt).max() else { return };
        let cost = self.single(prompt);
        match bill.steps.iter_mut().find(|step| step.from == from) {
            Some(step) => {
                step.requests += 1;
                step.cost = step.cost.zip(cost).map(|(sum, cost)| sum.saturating_add(cost));
            }
            None => bill.steps.push(Step { from, requests: 1, cost }),
        }
    }

    /// What one request likely costs as it is sent.
    fn single(&self, prompt: u64) -> Option<u64> {
        let tokens = self.answer.levels[Level::Likely as usize]?;
        let rates = self.rates(prompt)[self.pricing.mode as usize][Level::Likely as usize]?;
        let output = if tokens > 0.0 { scaled(rates.output?, tokens) } else { 0 };
        Some(prompt.saturating_mul(rates.input?).saturating_add(output))
    }
}

/// One and a half times what is likely.
pub fn reserve_of(likely: u64) -> u64 {
    likely.saturating_add(likely.div_ceil(2))
}

fn answer(pricing: &Pricing, sent: u64) -> Answer {
    if pricing.is_embedding {
        return Answer { levels: [Some(0.0); 4], worst: Some(0) };
    }
    let own = pricing.price.as_ref().and_then(|price| price.max_output_tokens);
    // No model answers with more than it can.
    let worst = pricing.max_tokens.map(|most| own.map_or(most, |own| most.min(own)));
    let per_row = pricing.lengths.per_row(sent, worst.or(own));
    #[expect(clippy::cast_precision_loss, reason = "a limit is far below 2^53")]
    let most = worst.map(|tokens| tokens as f64);
    Answer { levels: [per_row.low, Some(per_row.likely), per_row.high, most], worst }
}

/// Tokens of one answer as a whole number, for finding its tier.
fn whole(tokens: f64) -> u64 {
    scaled(1, tokens)
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
