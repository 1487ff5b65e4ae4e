//! Prices as JSON, in units of the currency for a million tokens.

use serde_json::{Value, json};

use crate::cost::{Listing, Price, Rates, Tier};
use crate::request::Mode;

/// One price with all that is known of the model.
pub(super) fn document(price: &Price, listing: Option<&Listing>) -> Value {
    json!({
        "provider": price.provider,
        "model": price.model,
        "currency": price.currency,
        "unit": "1M tokens",
        "batch": rates(price.batch),
        "realtime": rates(price.realtime),
        "basis": price.basis,
        "tiers": price.tiers.iter().map(tier).collect::<Vec<_>>(),
        "free_in_batch": price.is_free(Mode::Batch),
        "free_in_realtime": price.is_free(Mode::Realtime),
        "batch_accepted": price.batch_accepted,
        "set_by_user": price.is_own,
        "as_of": Some(&price.as_of).filter(|day| !day.is_empty()),
        "source": price.source,
        "vendor_page": price.vendor_page,
        "deprecated_on": price.deprecated_on,
        "max_input_tokens": listing.and_then(|listing| listing.max_input_tokens),
        "max_output_tokens": price.max_output_tokens,
        "vision": listing.map(|listing| listing.vision),
        "confidence": listing.and_then(|listing| listing.confidence.as_deref()),
        "note": listing.and_then(|listing| listing.note.as_deref()),
    })
}

fn rates(rates: Option<Rates>) -> Value {
    let Some(rates) = rates else { return Value::Null };
    let mut told = json!({
        "input": units(rates.input),
        "cached_input": units(rates.cached_input),
        "output": units(rates.output),
    });
    if rates.reasoning_output.is_some() {
        told["reasoning_output"] = json!(units(rates.reasoning_output));
    }
    told
}

fn tier(tier: &Tier) -> Value {
    json!({
        "input_tokens": [tier.input_from, tier.input_below],
        "output_tokens": [tier.output_from, tier.output_below],
        "batch": rates(tier.batch),
        "realtime": rates(tier.realtime),
    })
}

#[expect(clippy::cast_precision_loss, reason = "JSON numbers are doubles")]
fn units(rate: Option<u64>) -> Option<f64> {
    rate.map(|rate| rate as f64 / 1e6)
}
