//! A price that the user set: `[prices."my-finetune"]`.

use super::table::Listing;
use crate::cost::money::{Currency, PICO, pico_of};
use crate::cost::price::{Basis, Price, Rates};

/// Tokens that a price is told for.
const MILLION: u64 = 1_000_000;

/// A price that the user set. Figures are trillionths of the currency's unit a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPrice {
    /// The model, or the beginning of its name.
    pub model: String,
    /// The provider it is for; `None` for any.
    pub provider: Option<String>,
    /// The currency of all figures.
    pub currency: Currency,
    /// Rates of calls.
    pub realtime: Rates,
    /// What a batch costs of that, in millionths.
    pub batch_factor: Option<u64>,
    /// Prompt tokens in a batch, where they are set by themselves.
    pub batch_input: Option<u64>,
    /// Completion tokens in a batch, where they are set by themselves.
    pub batch_output: Option<u64>,
    /// The day of the figures, where it was said.
    pub as_of: Option<String>,
    /// Where it was set, for people.
    pub place: String,
}

impl OwnPrice {
    /// One without figures yet, in dollars.
    pub fn of(model: &str, place: String) -> Self {
        Self {
            model: model.trim().to_owned(),
            provider: None,
            currency: Currency::USD,
            realtime: Rates::default(),
            batch_factor: None,
            batch_input: None,
            batch_output: None,
            as_of: None,
            place,
        }
    }

    /// Whether it holds at this provider, whose own kind may be named too.
    pub fn is_of(&self, provider: &str, kinds: &[&str]) -> bool {
        self.provider.as_deref().is_none_or(|name| name == provider || kinds.contains(&name))
    }

    /// What was set, by the names of the configuration file.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let Rates { input, cached_input, output, .. } = self.realtime;
        let all = [
            ("provider", self.provider.clone()),
            ("currency", Some(self.currency.to_string())),
            ("input", input.map(rate_text)),
            ("cached_input", cached_input.map(rate_text)),
            ("output", output.map(rate_text)),
            ("batch_factor", self.batch_factor.map(rate_text)),
            ("batch_input", self.batch_input.map(rate_text)),
            ("batch_output", self.batch_output.map(rate_text)),
            ("as_of", self.as_of.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// It as a price, wherever it holds.
    pub fn alone(&self) -> Price {
        self.price(self.provider.as_deref().unwrap_or("any provider"), None)
    }

    /// Whether it is meant for this model at this provider.
    pub(super) fn is_for(&self, provider: &str, kinds: &[&str], model: &str) -> bool {
        let asked = model.trim().to_ascii_lowercase();
        self.is_of(provider, kinds) && asked.starts_with(&self.model.to_ascii_lowercase())
    }

    /// The longer name counts for more, and of two the one for a certain provider.
    pub(super) fn weight(&self) -> (usize, bool) {
        (self.model.len(), self.provider.is_some())
    }

    /// Whether it goes before what the list has on a model that it is meant for: it names the model
    /// at least as closely.
    pub(super) fn is_above(&self, listed: &Listing) -> bool {
        self.model.len() >= listed.price.model.len()
    }

    /// As a price; what the list knows besides figures still holds.
    pub(super) fn price(&self, provider: &str, listed: Option<&Listing>) -> Price {
        let batch = self.batch();
        Price {
            provider: provider.to_owned(),
            model: self.model.clone(),
            currency: self.currency,
            realtime: Some(self.realtime),
            batch,
            basis: batch.map(|_| Basis::Set),
            tiers: Vec::new(),
            as_of: self.as_of.clone().unwrap_or_default(),
            source: self.place.clone(),
            is_own: true,
            batch_accepted: listed.and_then(|listing| listing.price.batch_accepted),
            batch_refusal: listed.and_then(|listing| listing.price.batch_refusal.clone()),
            max_output_tokens: listed.and_then(|listing| listing.price.max_output_tokens),
            vendor_page: listed.and_then(|listing| listing.price.vendor_page.clone()),
            deprecated_on: listed.and_then(|listing| listing.price.deprecated_on.clone()),
        }
    }

    /// Rates in a batch; `None` where nothing was said about it.
    fn batch(&self) -> Option<Rates> {
        let share = |rate: Option<u64>| Some(share_of(rate?, self.batch_factor?));
        let rates = Rates {
            input: self.batch_input.or_else(|| share(self.realtime.input)),
            cached_input: share(self.realtime.cached_input),
            output: self.batch_output.or_else(|| share(self.realtime.output)),
            reasoning_output: None,
        };
        (rates.input.is_some() || rates.output.is_some()).then_some(rates)
    }
}

/// A share in millionths of a rate, rounded up: a bound must not come out too low.
fn share_of(rate: u64, millionths: u64) -> u64 {
    let share = (u128::from(rate) * u128::from(millionths)).div_ceil(u128::from(MILLION));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// A price of a million tokens, `0.30`, as trillionths a token; also a factor as millionths.
/// `None` if it is no number, negative, has more than six decimals or is a million and more.
pub fn per_million(text: &str) -> Option<u64> {
    let pico = pico_of(text.trim())?;
    (pico.is_multiple_of(MILLION) && pico < MILLION * PICO).then_some(pico / MILLION)
}

/// Trillionths a token as the price of a million tokens: `0.3`.
pub fn rate_text(rate: u64) -> String {
    let text = format!("{}.{:06}", rate / MILLION, rate % MILLION);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
