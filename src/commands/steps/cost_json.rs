//! Prices and costs as programs read them: decimal numbers in the currency's unit, `null` where
//! something is unknown. The schema is told by `batchctl help json`.

use serde::Serialize;

use crate::cost::{Basis, Currency, Estimate, Level, Money, Price, Range};
use crate::request::Mode;

/// Which price all figures go by.
#[derive(Debug, Serialize)]
pub(super) struct PriceDocument<'a> {
    currency: Currency,
    model: &'a str,
    as_of: &'a str,
    source: &'a str,
    batch_basis: Option<Basis>,
    /// Whether the model can be asked in batches; `null` where nobody knows.
    batch_accepted: Option<bool>,
}

impl<'a> PriceDocument<'a> {
    /// What a program may want to know of a price.
    pub(super) fn of(price: &'a Price) -> Self {
        Self {
            currency: price.currency,
            model: &price.model,
            as_of: &price.as_of,
            source: &price.source,
            batch_basis: price.basis,
            batch_accepted: price.batch_accepted,
        }
    }
}

/// What a run will cost.
#[derive(Debug, Serialize)]
pub(super) struct CostDocument {
    currency: Currency,
    low: Option<f64>,
    likely: Option<f64>,
    high: Option<f64>,
    worst: Option<f64>,
    /// What counts against budgets until it is settled.
    reserved: Option<f64>,
    /// What of it is for second questions.
    reasks: Option<ReaskDocument>,
    realtime: RealtimeDocument,
    saved: SavedDocument,
}

#[derive(Debug, Serialize)]
struct ReaskDocument {
    /// The most times for one row.
    times: u32,
    /// How many there will likely be.
    requests: u64,
    likely: Option<f64>,
    worst: Option<f64>,
    /// Earlier answers that the share of bad ones is learned from; 0 = it is assumed.
    learned_from: u64,
}

#[derive(Debug, Serialize)]
struct RealtimeDocument {
    likely: Option<f64>,
    worst: Option<f64>,
}

/// What is likely saved.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the document")]
struct SavedDocument {
    by_batch: Option<f64>,
    by_earlier_answers: Option<f64>,
    by_equal_rows: Option<f64>,
}

impl CostDocument {
    /// The amounts of an estimate; `None` where no price is known.
    pub(super) fn of(estimate: &Estimate) -> Option<Self> {
        let currency = estimate.price.as_ref()?.currency;
        let units = |pico: Option<u64>| pico.map(|pico| Money { currency, pico }.units());
        let forecast = estimate.forecast();
        let Range { low, likely, high, worst } = forecast.cost;
        let [sent, answered, equal] = &estimate.bills;
        let realtime = |level| sent.cost(Mode::Realtime, level);
        let by_batch = realtime(Level::Likely).zip(sent.cost(Mode::Batch, Level::Likely));
        let saved = |bill: &crate::cost::Bill| units(bill.cost(Mode::Batch, Level::Likely));
        Some(Self {
            currency,
            low: units(low),
            likely: units(likely),
            high: units(high),
            worst: units(worst),
            reserved: units(forecast.reserve),
            reasks: estimate.reasks.map(|reasks| ReaskDocument {
                times: reasks.times,
                requests: reasks.requests,
                likely: units(reasks.cost.likely),
                worst: units(reasks.cost.worst),
                learned_from: reasks.learned.0,
            }),
            realtime: RealtimeDocument {
                likely: units(realtime(Level::Likely)),
                worst: units(realtime(Level::Worst)),
            },
            saved: SavedDocument {
                by_batch: units(by_batch.map(|(now, later)| now.saturating_sub(later))),
                by_earlier_answers: saved(answered),
                by_equal_rows: saved(equal),
            },
        })
    }
}
