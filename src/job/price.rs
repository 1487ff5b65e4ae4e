//! What rows cost, by the prices that their job was made under: a list of prices that is newer
//! than a job changes nothing of its account.

use std::collections::BTreeMap;
use std::iter;

use serde_json::Value;

use super::JobError;
use super::drive::Driver;
use crate::batch::{ResultLine, Usage};
use crate::cost::{Currency, Price, Terms, Tokens};
use crate::request::Mode;
use crate::store::{JobRecord, ShardRecord, Store};

/// The prices of one job: its own, and those of retries that ask another model.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    own: Option<Price>,
    asks: BTreeMap<i64, Option<Price>>,
    /// Those of the further members of its chain, by provider and model.
    others: BTreeMap<(String, String), Option<Price>>,
    currency: Option<Currency>,
}

impl Prices {
    /// The prices that a job and its retries were made under.
    pub fn of(store: &Store, job: &JobRecord) -> Result<Self, JobError> {
        let Terms { price: own, others, .. } = terms_of(job);
        let model = model_in(&job.spec, "/question/model");
        let mut prices =
            Self { currency: own.as_ref().map(|price| price.currency), own, ..Self::default() };
        let members = members_in(&job.spec);
        prices.others =
            members.into_iter().zip(others.into_iter().chain(iter::repeat(None))).collect();
        for ask in store.asks(&job.key)? {
            let kept = ask.price.as_deref().and_then(|text| serde_json::from_str(text).ok());
            // Another prompt for the same model costs what the job's own does.
            let is_same = model.is_some() && model_in(&ask.question, "/model") == model;
            let price: Option<Price> = kept.or_else(|| prices.own.clone().filter(|_| is_same));
            if prices.currency.is_none() {
                prices.currency = price.as_ref().map(|price| price.currency);
            }
            prices.asks.insert(ask.id, price);
        }
        Ok(prices)
    }

    /// The currency of all amounts of the job; `None` where no price is known.
    pub fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// The price of what a shard asks: the job's own question, or that of a retry. Currencies are
    /// never added, so a price in another one than the job's is as good as unknown.
    pub fn of_ask(&self, ask: Option<i64>) -> Option<&Price> {
        let price = match ask {
            Some(ask) => self.asks.get(&ask)?.as_ref(),
            None => self.own.as_ref(),
        };
        price.filter(|price| Some(price.currency) == self.currency)
    }

    /// The price of an answer that a provider gave to a call, whoever of the chain it was.
    pub fn of_call(&self, ask: Option<i64>, provider: &str, model: &str) -> Option<&Price> {
        match self.others.get(&(provider.to_owned(), model.to_owned())) {
            Some(price) if ask.is_none() => {
                price.as_ref().filter(|price| Some(price.currency) == self.currency)
            }
            _ => self.of_ask(ask),
        }
    }

    /// Whether retries of the job have questions of their own.
    pub fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// What a row of a shard with this question cost that was sent so, to the job's provider.
    pub fn cost(&self, ask: Option<i64>, mode: Mode, usage: Option<Usage>) -> Option<u64> {
        self.of_ask(ask)?.cost(mode, tokens_of(usage?))
    }
}

/// What a job was made under; nothing is known of one that an older release made.
pub fn terms_of(job: &JobRecord) -> Terms {
    let terms = job.terms.as_deref().and_then(|text| serde_json::from_str(text).ok());
    terms.unwrap_or_default()
}

/// The tokens of a request that its price goes by.
pub fn tokens_of(usage: Usage) -> Tokens {
    Tokens {
        prompt: usage.prompt_tokens,
        cached: usage.cached_tokens,
        completion: usage.completion_tokens,
        reasoning: usage.reasoning_tokens,
    }
}

/// What a result line says was used. No request has no tokens: an empty count is none.
pub(super) fn used(line: &ResultLine) -> Option<Usage> {
    line.usage.filter(|usage| usage.total() > 0)
}

/// Of two counts for one row the larger: a request of a batch is run and billed once, however
/// many lines its files hold.
pub(super) fn larger(one: Option<Usage>, other: Option<Usage>) -> Option<Usage> {
    match (one, other) {
        (Some(one), Some(other)) if other.total() > one.total() => Some(other),
        (one, other) => one.or(other),
    }
}

/// The further members of a job's chain: their providers and models.
fn members_in(spec: &str) -> Vec<(String, String)> {
    let value: Value = serde_json::from_str(spec).unwrap_or_default();
    let others = value.get("others").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    others
        .iter()
        .map(|other| (text(other.get("provider")), text(other.pointer("/question/model"))))
        .collect()
}

/// What something that was reserved at the price of one mode is to be reserved at in another: the
/// dearest of its rates decides. `None` where one of them is unknown.
pub fn at_mode(reserve: u64, price: &Price, (from, to): (Mode, Mode)) -> Option<u64> {
    if from == to {
        return Some(reserve);
    }
    let kinds = [
        Tokens { prompt: 1_000, ..Tokens::default() },
        Tokens { completion: 1_000, ..Tokens::default() },
    ];
    let mut most: Option<(u64, u64)> = None;
    for tokens in kinds {
        // Embeddings have no price of an answer.
        let Some(before) = price.cost(from, tokens) else { continue };
        let after = price.cost(to, tokens)?;
        if before == 0 && after > 0 {
            return None;
        }
        let is_more = most.is_none_or(|(known, of)| {
            u128::from(after) * u128::from(of) > u128::from(known) * u128::from(before)
        });
        if before > 0 && is_more {
            most = Some((after, before));
        }
    }
    let (after, before) = most?;
    let scaled = (u128::from(reserve) * u128::from(after)).div_ceil(u128::from(before));
    Some(u64::try_from(scaled).unwrap_or(u64::MAX))
}

fn model_in(json: &str, place: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).ok()?;
    value.pointer(place)?.as_str().map(str::to_owned)
}

impl Driver<'_> {
    /// The prices of this job as they stand: a retry may have added some since it was opened.
    pub(super) fn prices(&self) -> Result<Prices, JobError> {
        Prices::of(self.store, self.job)
    }

    /// The question that a shard asks.
    pub(super) fn ask_of(&self, shard: i64) -> Result<Option<i64>, JobError> {
        let shards: Vec<ShardRecord> = self.store.shards(&self.job.key)?;
        Ok(shards.into_iter().find(|known| known.id == shard).and_then(|known| known.asks.ask))
    }
}
