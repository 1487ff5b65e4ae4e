//! The list of prices in the program: read from its file once, when it is first needed.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::names::{is_same, plain};
use crate::cost::money::Currency;
use crate::cost::price::{Basis, Price, Rates, Tier};

/// The file, as the program was built with it.
const FILE: &str = include_str!("../prices.json");

/// One model of the list: its price, and what else is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The price.
    pub price: Price,
    /// `chat`, `responses` or `embedding`.
    pub endpoint: String,
    /// The most prompt tokens of one request.
    pub max_input_tokens: Option<u64>,
    /// Whether it is known to take images.
    pub vision: bool,
    /// Whether it refuses `temperature` and its kin.
    pub rejects_sampling: bool,
    /// How sure the figures are, where it was noted.
    pub confidence: Option<String>,
    /// What else is to be known.
    pub note: Option<String>,
    /// The name as it is looked up.
    plain: String,
}

/// The whole list.
pub(super) struct Table {
    pub(super) listings: Vec<Listing>,
}

impl Table {
    /// The list in the program; reading it takes about a millisecond, once.
    pub(super) fn built_in() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::read(FILE).expect("a test reads the file of the program"))
    }

    fn read(text: &str) -> Result<Self, serde_json::Error> {
        let file: File = serde_json::from_str(text)?;
        let listings = file.models.into_iter().map(|entry| {
            let provider = file.providers.get(&entry.provider).ok_or_else(|| {
                let text = format!("{} of {} is not in providers", entry.provider, entry.model);
                <serde_json::Error as serde::de::Error>::custom(text)
            })?;
            Ok(entry.listing(provider, &file.sources))
        });
        Ok(Self { listings: listings.collect::<Result<_, serde_json::Error>>()? })
    }

    /// The entry of a model at a provider: its own name, else the longest one it is a version of.
    pub(super) fn find(&self, provider: &str, model: &str) -> Option<&Listing> {
        let asked = plain(model);
        self.listings
            .iter()
            .filter(|entry| entry.price.provider == provider && is_same(&asked, &entry.plain))
            .max_by_key(|entry| entry.plain.len())
    }
}

#[derive(Deserialize)]
struct File {
    sources: HashMap<String, SourceEntry>,
    providers: HashMap<String, ProviderEntry>,
    models: Vec<ModelEntry>,
}

#[derive(Deserialize)]
struct SourceEntry {
    title: String,
}

/// What holds for all models of a provider that say nothing else.
#[derive(Deserialize)]
struct ProviderEntry {
    currency: Currency,
    as_of: String,
    source: String,
    vendor_page: Option<String>,
    confidence: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct ModelEntry {
    provider: String,
    model: String,
    mode: Option<String>,
    currency: Option<Currency>,
    as_of: Option<String>,
    source: Option<String>,
    vendor_page: Option<String>,
    realtime: Option<Figures>,
    batch: Option<Figures>,
    basis: Option<Basis>,
    #[serde(default)]
    tiers: Vec<TierEntry>,
    max_input_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    #[serde(default)]
    vision: bool,
    #[serde(default)]
    rejects_sampling_params: bool,
    deprecated_on: Option<String>,
    batch_accepted: Option<bool>,
    batch_refusal: Option<String>,
    confidence: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct TierEntry {
    input_tokens_above: Option<u64>,
    input_tokens_range: Option<(u64, Option<u64>)>,
    output_tokens_range: Option<(u64, Option<u64>)>,
    realtime: Option<Figures>,
    batch: Option<Figures>,
}

/// Prices of a million tokens.
#[derive(Deserialize, Clone, Copy)]
struct Figures {
    input: Option<Figure>,
    cached_input: Option<Figure>,
    output: Option<Figure>,
    reasoning_output: Option<Figure>,
}

/// A price of a million tokens as trillionths a token.
#[derive(Deserialize, Clone, Copy)]
#[serde(try_from = "f64")]
struct Figure(u64);

impl TryFrom<f64> for Figure {
    type Error = String;

    /// Exact: the whole number of millionths whose nearest double is this one.
    #[expect(clippy::cast_possible_truncation, reason = "checked before")]
    #[expect(clippy::cast_sign_loss, reason = "checked before")]
    fn try_from(figure: f64) -> Result<Self, String> {
        let millionths = (figure * 1e6).round();
        #[expect(clippy::float_cmp, reason = "the double must be the very same")]
        let is_whole = millionths / 1e6 == figure;
        if !is_whole || !(0.0..1e12).contains(&millionths) {
            return Err(format!("{figure} is no price with at most six decimals"));
        }
        Ok(Self(millionths as u64))
    }
}

impl From<Figures> for Rates {
    fn from(figures: Figures) -> Self {
        let of = |figure: Option<Figure>| figure.map(|figure| figure.0);
        Self {
            input: of(figures.input),
            cached_input: of(figures.cached_input),
            output: of(figures.output),
            reasoning_output: of(figures.reasoning_output),
        }
    }
}

impl ModelEntry {
    fn listing(self, of: &ProviderEntry, sources: &HashMap<String, SourceEntry>) -> Listing {
        let source = self.source.as_ref().unwrap_or(&of.source);
        let title = sources.get(source).map_or(source, |source| &source.title);
        Listing {
            plain: self.model.to_ascii_lowercase(),
            price: Price {
                provider: self.provider,
                model: self.model,
                currency: self.currency.unwrap_or(of.currency),
                realtime: self.realtime.map(Rates::from),
                batch: self.batch.map(Rates::from),
                basis: self.basis,
                tiers: tiers(&self.tiers),
                as_of: self.as_of.unwrap_or_else(|| of.as_of.clone()),
                source: title.clone(),
                is_own: false,
                batch_accepted: self.batch_accepted,
                batch_refusal: self.batch_refusal,
                max_output_tokens: self.max_output_tokens,
                vendor_page: self.vendor_page.or_else(|| of.vendor_page.clone()),
                deprecated_on: self.deprecated_on,
            },
            endpoint: self.mode.unwrap_or_else(|| "chat".to_owned()),
            max_input_tokens: self.max_input_tokens,
            vision: self.vision,
            rejects_sampling: self.rejects_sampling_params,
            confidence: self.confidence.or_else(|| of.confidence.clone()),
            note: self.note.or_else(|| of.note.clone()),
        }
    }
}

/// The tiers as ranges, by length of prompt; each `above` ends where the next one begins.
fn tiers(entries: &[TierEntry]) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = entries.iter().map(tier).collect();
    tiers.sort_by_key(|tier| (tier.input_from, tier.output_from));
    for at in 1..tiers.len() {
        let next = tiers[at].input_from;
        let before = &mut tiers[at - 1];
        if before.input_below.is_none() && before.input_from < next {
            before.input_below = Some(next);
        }
    }
    tiers
}

fn tier(entry: &TierEntry) -> Tier {
    let above = entry.input_tokens_above.map(|above| (above + 1, None));
    let (input_from, input_below) = above.or(entry.input_tokens_range).unwrap_or((0, None));
    let (output_from, output_below) = entry.output_tokens_range.unwrap_or((0, None));
    Tier {
        input_from,
        input_below,
        output_from,
        output_below,
        realtime: entry.realtime.map(Rates::from),
        batch: entry.batch.map(Rates::from),
    }
}
