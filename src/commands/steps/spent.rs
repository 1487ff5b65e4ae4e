//! A job's money from the ledger: what it used and cost, what it was expected to cost, and what a
//! further round of some of its rows would cost.

use std::collections::BTreeMap;

use crate::answer::RowStatus;
use crate::batch::Used;
use crate::config::is_loopback;
use crate::cost::{Forecast, Money, Price, Reasked, Saved, Spent, Tokens};
use crate::job::{Prices, Spec, terms_of, tokens_of};
use crate::request::Mode;
use crate::result::Summary;
use crate::store::{CostGroup, JobRecord, Store};
use crate::ui::CommandError;

/// The account of a job's money, what was saved left out: that takes a look at every row.
pub(in crate::commands) fn spent_briefly(
    store: &Store,
    job: &JobRecord,
    counts: &BTreeMap<RowStatus, u64>,
) -> Result<Spent, CommandError> {
    let groups = store.costs(&job.key)?;
    spent_with(store, job, counts, (&Prices::of(store, job)?, &groups))
}

/// The whole account of a job's money.
pub(in crate::commands) fn spent(
    store: &Store,
    job: &JobRecord,
    counts: &BTreeMap<RowStatus, u64>,
) -> Result<Spent, CommandError> {
    let prices = Prices::of(store, job)?;
    let groups = store.costs(&job.key)?;
    let mut spent = spent_with(store, job, counts, (&prices, &groups))?;
    spent.saved = saved(store, job, (&prices, &groups))?;
    Ok(spent)
}

fn spent_with(
    store: &Store,
    job: &JobRecord,
    counts: &BTreeMap<RowStatus, u64>,
    (prices, groups): (&Prices, &[CostGroup]),
) -> Result<Spent, CommandError> {
    let (mut all, mut not_good, mut by_calls) = (Used::default(), Used::default(), Used::default());
    let rows = store.reasked(&job.key)?;
    let mut reasked = Reasked { rows: rows.rows, good: rows.good, ..Reasked::default() };
    for group in groups {
        all += group.used;
        if group.mode == Mode::Realtime {
            by_calls += group.used;
        }
        if group.is_reask {
            reasked.used += group.used;
        }
        if !group.is_good {
            not_good += group.used;
        }
    }
    let surplus = store.surplus_costs(&job.key)?;
    all += surplus;
    let owner = prices.of_ask(None).map(|price| price.provider.clone());
    Ok(Spent {
        currency: prices.currency(),
        provider: owner.unwrap_or_else(|| job.provider.clone()),
        is_charged: !is_loopback(&job.base_url),
        all,
        not_good,
        by_calls,
        reasked,
        surplus,
        without_usage: store.rows_without_usage(&job.key)?,
        expected: terms_of(job).forecast.map(|forecast| forecast.cost),
        is_over: job.state.is_over(),
        is_complete: job.state.is_over() && counts.keys().all(|status| has_run(*status)),
        reserved: store.open_charges(&job.key)?,
        ..Spent::default()
    })
}

/// Whether a row with this status is through with the model, or never had to be sent.
fn has_run(status: RowStatus) -> bool {
    use RowStatus::{Cancelled, Expired, Missing, Pending, Unasked};
    !matches!(status, Cancelled | Expired | Missing | Pending | Unasked)
}

fn saved(
    store: &Store,
    job: &JobRecord,
    (prices, groups): (&Prices, &[CostGroup]),
) -> Result<Saved, CommandError> {
    let key = &job.key;
    let equal = store.equal_costs(key)?;
    // They were not asked as the job's other rows were.
    let mode = Spec::of(job)?.mode;
    let mut cached = (0, Some(0));
    store.each_cached_usage(key, |usage| {
        let cost = prices.cost(None, mode, usage);
        cached = (cached.0 + 1, cached.1.zip(cost).map(|(sum, cost)| sum + cost));
    })?;
    Ok(Saved {
        batch: against_realtime(store, key, (prices, groups))?,
        equal: (equal.rows, equal.cost),
        cached,
    })
}

/// What the same answers would have cost more as calls.
fn against_realtime(
    store: &Store,
    job: &str,
    (prices, groups): (&Prices, &[CostGroup]),
) -> Result<Option<u64>, CommandError> {
    // What was called saved nothing against calls.
    if groups.iter().any(|group| group.mode == Mode::Realtime) {
        return Ok(None);
    }
    let Some(paid) = groups.iter().map(|group| group.used.cost()).sum::<Option<u64>>() else {
        return Ok(None);
    };
    let asked = |ask: Option<i64>| prices.of_ask(ask);
    let price_of_call = |ask, usage| asked(ask)?.cost(Mode::Realtime, tokens_of(usage));
    let is_flat = |ask| asked(ask).is_none_or(is_flat);
    let mut calls = Some(0_u64);
    let mut add = |cost: Option<u64>| calls = calls.zip(cost).map(|(sum, cost)| sum + cost);
    if groups.iter().all(|group| is_flat(group.ask)) {
        for group in groups {
            add(price_of_call(group.ask, group.used.usage));
        }
    } else {
        store.each_usage(job, |ask, usage| add(price_of_call(ask, usage)))?;
    }
    Ok(calls.and_then(|calls| calls.checked_sub(paid)))
}

/// What the lines of result files cost that belong to a job: those of calls by the price of who
/// answered. `None` where that is not known, and where it cannot be told from sums of their tokens.
pub(in crate::commands) fn cost_of_lines(
    store: &Store,
    job: &JobRecord,
    summary: &Summary,
) -> Result<Option<Money>, CommandError> {
    let prices = Prices::of(store, job)?;
    if prices.has_asks() || summary.usage.total() == 0 {
        return Ok(None);
    }
    let cost = |price: Option<&Price>, mode, usage| {
        price.filter(|price| is_flat(price))?.cost(mode, tokens_of(usage))
    };
    let mut batch = tokens_of(summary.usage);
    let mut pico = Some(0_u64);
    for ((provider, model), usage) in &summary.called {
        let called = tokens_of(*usage);
        batch.prompt = batch.prompt.saturating_sub(called.prompt);
        batch.cached = batch.cached.saturating_sub(called.cached);
        batch.completion = batch.completion.saturating_sub(called.completion);
        batch.reasoning = batch.reasoning.saturating_sub(called.reasoning);
        let of_call = cost(prices.of_call(None, provider, model), Mode::Realtime, *usage);
        pico = pico.zip(of_call).map(|(sum, cost)| sum.saturating_add(cost));
    }
    if batch != Tokens::default() {
        let price = prices.of_ask(None).filter(|price| is_flat(price));
        let of_batch = price.and_then(|price| price.cost(Mode::Batch, batch));
        pico = pico.zip(of_batch).map(|(sum, cost)| sum.saturating_add(cost));
    }
    Ok(pico.zip(prices.currency()).map(|(pico, currency)| Money { currency, pico }))
}

/// Whether the price of a sum of tokens is the sum of the prices of its parts.
fn is_flat(price: &Price) -> bool {
    let rates = price.realtime.or(price.batch);
    price.tiers.is_empty() && rates.is_none_or(|rates| rates.reasoning_output.is_none())
}

/// What so many rows of a job would cost once more, going by the answers it has, or by what was
/// expected of it where it has none; `price` is that of the model that is asked now.
pub(in crate::commands) fn about(
    used: Used,
    forecast: Option<&Forecast>,
    price: Option<(&Price, Mode)>,
    rows: u64,
) -> Option<u64> {
    if used.rows > 0 {
        return priced(price?, tokens_of(used.usage), (rows, used.rows));
    }
    let forecast = forecast?;
    let requests = Some(forecast.requests).filter(|n| *n > 0)?;
    // They may go out in another mode than they were expected to.
    if let (Some(price), Some(prompt), Some(completion)) =
        (price, forecast.input_tokens, forecast.output_tokens.likely)
    {
        let all = Tokens { prompt, completion, ..Tokens::default() };
        return priced(price, all, (rows, requests));
    }
    Some(scaled(forecast.cost.likely?, rows, requests))
}

/// What so many of the requests cost that have these tokens together.
fn priced((price, mode): (&Price, Mode), all: Tokens, (rows, of): (u64, u64)) -> Option<u64> {
    let part = |rows| Tokens {
        prompt: scaled(all.prompt, rows, of),
        cached: scaled(all.cached, rows, of),
        completion: scaled(all.completion, rows, of),
        reasoning: scaled(all.reasoning, rows, of),
    };
    // The rates go by the size of one request, the sum by all of them.
    let rates = price.rates(mode, part(1));
    let flat = Price { batch: rates, realtime: rates, tiers: Vec::new(), ..price.clone() };
    flat.cost(mode, part(rows))
}

fn scaled(sum: u64, part: u64, of: u64) -> u64 {
    let scaled = u128::from(sum) * u128::from(part) / u128::from(of);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Usage;
    use crate::cost::{Currency, Range, Rates, Tier};

    fn price(tiers: Vec<Tier>) -> Price {
        let rates = |input, output| {
            Some(Rates { input: Some(input), output: Some(output), ..Rates::default() })
        };
        Price {
            provider: "openai".into(),
            model: "m".into(),
            currency: Currency::USD,
            realtime: rates(4, 20),
            batch: rates(2, 10),
            basis: None,
            tiers,
            as_of: "2026-11-20".into(),
            source: String::new(),
            is_own: false,
            batch_accepted: None,
            batch_refusal: None,
            max_output_tokens: None,
            vendor_page: None,
            deprecated_on: None,
        }
    }

    #[test]
    fn the_price_of_rows_that_go_again() {
        let usage = Usage { prompt_tokens: 1_000, completion_tokens: 39, ..Usage::default() };
        let used = Used { rows: 10, usage, known: 0, unpriced: 10 };
        let forecast = Forecast {
            requests: 100,
            cost: Range { likely: Some(5_000), ..Range::default() },
            ..Forecast::default()
        };
        let counted = Forecast {
            input_tokens: Some(1_000),
            output_tokens: Range { likely: Some(200), ..Range::default() },
            ..forecast.clone()
        };
        let steep = Tier {
            input_from: 50,
            input_below: None,
            output_from: 0,
            output_below: None,
            realtime: None,
            batch: Some(Rates { input: Some(200), output: Some(0), ..Rates::default() }),
        };
        let (own, tiered) = (price(Vec::new()), price(vec![steep]));
        let none = Used::default();
        let table = [
            // 300 prompt tokens, and 11 of 11.7 completion tokens.
            (used, None, Some(&own), Some(300 * 2 + 11 * 10)),
            (used, Some(&forecast), None, None),
            (used, None, Some(&tiered), Some(300 * 200)),
            (none, Some(&forecast), Some(&own), Some(150)),
            (none, Some(&counted), Some(&own), Some(30 * 2 + 6 * 10)),
            (none, None, Some(&own), None),
            (none, Some(&Forecast::default()), Some(&own), None),
        ];
        for (used, forecast, price, expected) in table {
            let price = price.map(|price| (price, Mode::Batch));
            assert_eq!(about(used, forecast, price, 3), expected);
        }
    }
}
