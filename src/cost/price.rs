//! What one model costs at one provider, and what one request of it comes to.

use serde::{Deserialize, Serialize};

use super::money::Currency;
use crate::request::Mode;

/// Prices of tokens, in trillionths of the currency's unit for each: a price of 1 per million
/// tokens is 1,000,000. `None` is unknown, or not sold; 0 is free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Prompt tokens.
    pub input: Option<u64>,
    /// Prompt tokens that the provider had in its cache; where unknown they cost as the others.
    pub cached_input: Option<u64>,
    /// Completion tokens, those of reasoning included.
    pub output: Option<u64>,
    /// Completion tokens of an answer with reasoning, where that is priced otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_output: Option<u64>,
}

/// Where the figures of a batch come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The source gives them.
    Listed,
    /// The provider documents one discount for all; the source gives realtime figures.
    Derived,
    /// The user set them.
    Set,
}

/// Rates for requests of a certain size; they hold for the whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The fewest prompt tokens, cached ones included.
    pub input_from: u64,
    /// The prompt tokens from which on it holds no longer.
    pub input_below: Option<u64>,
    /// The fewest completion tokens.
    pub output_from: u64,
    /// The completion tokens from which on it holds no longer.
    pub output_below: Option<u64>,
    /// Rates of calls.
    pub realtime: Option<Rates>,
    /// Rates in a batch.
    pub batch: Option<Rates>,
}

/// What a model costs at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The provider.
    pub provider: String,
    /// The entry that was found: the model's own name, or the longest beginning of it.
    pub model: String,
    /// The currency of all figures.
    pub currency: Currency,
    /// Rates of calls.
    pub realtime: Option<Rates>,
    /// Rates in a batch.
    pub batch: Option<Rates>,
    /// Where the batch rates come from.
    pub basis: Option<Basis>,
    /// Rates by the size of a request, where those above do not hold for all.
    pub tiers: Vec<Tier>,
    /// The day of the figures: `2026-11-20`, or `2026-09` where only the month is known.
    pub as_of: String,
    /// Where the figures were read, in a few words.
    pub source: String,
    /// Whether the user set it.
    #[serde(default)]
    pub is_own: bool,
    /// Whether the model can be asked in batches; `None` where nobody knows.
    pub batch_accepted: Option<bool>,
    /// Why it is thought not to be taken in batches, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_refusal: Option<String>,
    /// The most completion tokens of one request.
    pub max_output_tokens: Option<u64>,
    /// The provider's own page of prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_page: Option<String>,
    /// The day from which on the model is or was no longer served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_on: Option<String>,
}

/// Tokens of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the prompt, cached ones included.
    pub prompt: u64,
    /// Of these, what the provider had in its cache.
    pub cached: u64,
    /// Of the completion, reasoning included.
    pub completion: u64,
    /// Of these, what was reasoning.
    pub reasoning: u64,
}

impl Price {
    /// The rates that hold for a request: those of its tier, above the last one those of the last.
    pub fn rates(&self, mode: Mode, tokens: Tokens) -> Option<Rates> {
        let holds = |tier: &&Tier| {
            tokens.prompt >= tier.input_from
                && tier.input_below.is_none_or(|below| tokens.prompt < below)
                && tokens.completion >= tier.output_from
                && tier.output_below.is_none_or(|below| tokens.completion < below)
        };
        let is_above = |tier: &Tier| tokens.prompt >= tier.input_from;
        let own = self.of(mode);
        let tier = self.tiers.iter().find(holds);
        let tier = tier.or_else(|| self.tiers.iter().rfind(|tier| own.is_none() && is_above(tier)));
        match (tier, mode) {
            (Some(tier), Mode::Batch) => tier.batch,
            (Some(tier), Mode::Realtime) => tier.realtime,
            (None, _) => own,
        }
    }

    /// Whether a prompt is longer than the table's tiers reach: those of the last one are taken,
    /// which is to be said.
    pub fn is_beyond(&self, prompt: u64) -> bool {
        !self.tiers.is_empty()
            && self.tiers.iter().all(|tier| tier.input_below.is_some_and(|below| prompt >= below))
    }

    /// What one request costs, in trillionths; `None` where a figure that it needs is unknown.
    ///
    /// Where reasoning is priced otherwise, an answer with any of it costs that price as a whole:
    /// so the provider's page has it, and it is the dearer reading. For a bound, say that all of
    /// the completion is reasoning.
    pub fn cost(&self, mode: Mode, tokens: Tokens) -> Option<u64> {
        let rates = self.rates(mode, tokens)?;
        let cached = tokens.cached.min(tokens.prompt);
        let part = |tokens: u64, rate: Option<u64>| match tokens {
            0 => Some(0),
            tokens => Some(tokens.saturating_mul(rate?)),
        };
        let output = rates.reasoning_output.filter(|_| tokens.reasoning > 0).or(rates.output);
        let input = part(tokens.prompt - cached, rates.input)?;
        let cached = part(cached, rates.cached_input.or(rates.input))?;
        let output = part(tokens.completion, output)?;
        Some(input.saturating_add(cached).saturating_add(output))
    }

    /// Whether nothing is charged for any request sent so; `None` where that is unknown.
    pub fn is_free(&self, mode: Mode) -> Option<bool> {
        let tiers = self.tiers.iter().map(|tier| match mode {
            Mode::Batch => tier.batch,
            Mode::Realtime => tier.realtime,
        });
        let mut known = self.of(mode).map(Some).into_iter().chain(tiers).peekable();
        known.peek()?;
        known.try_fold(true, |free, rates| Some(free && rates?.is_free()))
    }

    /// The most that a token costs in a call as a multiple of what it costs in a batch, as
    /// numerator and denominator; `None` where that is unknown.
    pub fn times_realtime(&self) -> Option<(u64, u64)> {
        let pairs = std::iter::once((self.of(Mode::Batch), self.of(Mode::Realtime)))
            .chain(self.tiers.iter().map(|tier| (tier.batch, tier.realtime)))
            .filter_map(|(batch, realtime)| Some((batch?, realtime?)));
        let rates = pairs.flat_map(|(batch, realtime)| {
            [(realtime.input, batch.input), (realtime.output, batch.output)]
        });
        let known = rates.filter_map(|(realtime, batch)| Some((realtime?, batch?)));
        let more = |a: &(u64, u64), b: &(u64, u64)| {
            (u128::from(a.0) * u128::from(b.1)).cmp(&(u128::from(b.0) * u128::from(a.1)))
        };
        known.max_by(more).filter(|(realtime, batch)| *batch > 0 || *realtime == 0)
    }

    fn of(&self, mode: Mode) -> Option<Rates> {
        let rates = match mode {
            Mode::Batch => self.batch,
            Mode::Realtime => self.realtime,
        };
        rates.filter(|rates| rates.input.is_some() || rates.output.is_some())
    }
}

impl Rates {
    /// Whether all that is known of them is 0.
    fn is_free(&self) -> bool {
        let known = [self.input, self.cached_input, self.output, self.reasoning_output];
        known.iter().flatten().all(|rate| *rate == 0) && self.input.is_some()
    }
}
