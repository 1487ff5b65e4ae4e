//! What a retry would send, for programs: the document of `retry --dry-run --json`. The schema is
//! told by `batchctl help json`.

use serde::Serialize;

use super::again_price::AgainPrice;
use super::jobs::Found;
use super::show::show_request;
use crate::commands::Context;
use crate::cost::{Currency, Money};
use crate::job::RetryPlan;
use crate::ui::CommandError;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    job: &'a str,
    provider: &'a str,
    model: &'a str,
    round: u32,
    requests: u64,
    shards: usize,
    bytes: u64,
    /// Rows that were wanted and of which no request can be made.
    skipped: usize,
    /// `null` = unknown, never 0.
    cost: Option<Cost>,
    first_request: Option<serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct Cost {
    currency: Currency,
    low: Option<f64>,
    likely: Option<f64>,
    high: Option<f64>,
    worst: Option<f64>,
    reserved: Option<f64>,
}

/// Prints it, where a document is wanted; else the first request alone.
pub(super) fn show_again(
    context: &Context,
    found: &Found,
    plan: &RetryPlan,
    price: &AgainPrice,
) -> Result<(), CommandError> {
    if !context.json {
        return plan.first_request.iter().try_for_each(|line| show_request(context, line));
    }
    let first_request = plan.first_request.as_deref().map(serde_json::from_str).transpose()?;
    let forecast = price.forecast(plan.requests());
    let cost = price.price().map(|known| {
        let currency = known.currency;
        let units = |pico: Option<u64>| pico.map(|pico| Money { currency, pico }.units());
        let range = forecast.cost;
        Cost {
            currency,
            low: units(range.low),
            likely: units(range.likely),
            high: units(range.high),
            worst: units(range.worst),
            reserved: units(forecast.reserve),
        }
    });
    context.printer.json(&Document {
        schema_version: 1,
        job: found.job.short(),
        provider: &found.job.provider,
        model: price.model(),
        round: plan.round,
        requests: plan.requests(),
        shards: plan.shards.len(),
        bytes: plan.bytes(),
        skipped: plan.unbuilt.len(),
        cost,
        first_request,
    })?;
    Ok(())
}
