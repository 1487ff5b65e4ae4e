//! What is known of a job before it is sent, as numbers.

use serde::Serialize;

use super::bill::{Bill, Level};
use super::members::OtherBill;
use super::money::Money;
use super::price::Price;
use super::reasks::Reasks;
use super::terms::Forecast;
use crate::request::Mode;

/// Requests of an estimate, and what is known of their prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Requests.
    pub requests: u64,
    /// Prompt tokens without images.
    pub text_tokens: u64,
    /// Images.
    pub images: u64,
    /// Their prompt tokens; `None` where the model's rule is unknown.
    pub image_tokens: Option<u64>,
}

impl Default for Part {
    fn default() -> Self {
        Self { requests: 0, text_tokens: 0, images: 0, image_tokens: Some(0) }
    }
}

impl Part {
    /// All prompt tokens; `None` if there are images whose rule is unknown.
    pub fn input_tokens(&self) -> Option<u64> {
        match (self.images, self.image_tokens) {
            (0, _) => Some(self.text_tokens),
            (_, Some(tokens)) => Some(self.text_tokens + tokens),
            (_, None) => None,
        }
    }
}

impl std::ops::Add for Part {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            text_tokens: self.text_tokens + other.text_tokens,
            images: self.images + other.images,
            image_tokens: self.image_tokens.zip(other.image_tokens).map(|(a, b)| a + b),
        }
    }
}

/// What is known about a job before it is sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// What would be sent.
    #[serde(flatten)]
    pub sent: Part,
    /// What an earlier job answered; not sent.
    pub answered: Part,
    /// What asks the same as an earlier row; not sent.
    pub equal: Part,
    /// Selected rows for which no request can be made.
    pub skipped: u64,
    /// Bytes of all input files.
    pub bytes: u64,
    /// Input files.
    pub shards: u64,
    /// Most completion tokens of one request, from `--max-tokens`.
    pub max_tokens: Option<u64>,
    /// Whether the tokenizer is the model's own.
    pub exact: bool,
    /// The tokenizer's name.
    pub tokenizer: &'static str,
    /// What all of it is priced by; `None` = unknown.
    #[serde(skip)]
    pub price: Option<Price>,
    /// Finished rows of the same prompt that the length of answers is learned from.
    #[serde(skip)]
    pub learned_from: u64,
    /// Whether answers are vectors, which have no tokens.
    #[serde(skip)]
    pub is_embedding: bool,
    /// What is sent, what was answered before, what asks the same as an earlier row.
    #[serde(skip)]
    pub bills: [Bill; 3],
    /// What all that is sent counts as against budgets until it is settled, in trillionths.
    #[serde(skip)]
    pub reserve: Option<u64>,
    /// What second questions are expected to cost, where there may be some.
    #[serde(skip)]
    pub reasks: Option<Reasks>,
    /// How it is sent, which decides what is paid.
    #[serde(skip)]
    pub mode: Mode,
    /// How rows are sent that the first round leaves.
    #[serde(skip)]
    pub finish: Mode,
    /// What calls would cost with each further member of a failover chain.
    #[serde(skip)]
    pub others: Vec<OtherBill>,
    /// The limit on cost that the files were cut for, in trillionths, where they were.
    #[serde(skip)]
    pub cut_below: Option<u64>,
}

impl Estimate {
    /// The bill of what is sent.
    pub fn sent_bill(&self) -> &Bill {
        &self.bills[0]
    }

    /// What is expected of what is sent, second questions included.
    pub fn forecast(&self) -> Forecast {
        let forecast = self.sent_bill().forecast(self.sent.input_tokens(), self.learned_from);
        let forecast = Forecast { reserve: self.reserve, ..forecast };
        let own =
            self.reasks.as_ref().map_or_else(|| forecast.clone(), |reasks| reasks.with(&forecast));
        self.dearest(own)
    }

    /// An amount in the price's currency.
    pub fn money(&self, pico: u64) -> Option<Money> {
        Some(Money { currency: self.price.as_ref()?.currency, pico })
    }

    /// Whether nothing is charged for any of it as it is sent, whoever answers.
    pub fn is_free(&self) -> bool {
        let is_free =
            |price: Option<&Price>, mode| price.and_then(|price| price.is_free(mode)) == Some(true);
        let own = self.price.as_ref();
        is_free(own, self.mode)
            && is_free(own, self.finish)
            && self.payees().all(|other| is_free(other.price.as_ref(), Mode::Realtime))
    }

    /// What tables show: the worst case where there is one, else what is likely.
    pub(super) fn shown(&self) -> Level {
        let has_worst = self.max_tokens.is_some() || self.is_embedding;
        if has_worst { Level::Worst } else { Level::Likely }
    }
}
