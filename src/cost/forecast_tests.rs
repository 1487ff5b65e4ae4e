use super::*;
use crate::cost::{Basis, Currency, Range, Tier};

/// A price of so much per million tokens.
fn rates(input: u64, output: u64) -> Rates {
    Rates { input: Some(input * 1_000_000), output: Some(output * 1_000_000), ..Rates::default() }
}

fn price() -> Price {
    Price {
        provider: "openai".into(),
        model: "m".into(),
        currency: Currency::USD,
        realtime: Some(rates(4, 16)),
        batch: Some(rates(2, 8)),
        basis: Some(Basis::Derived),
        tiers: Vec::new(),
        as_of: "2026-11-20".into(),
        source: "a test".into(),
        batch_accepted: Some(true),
        batch_refusal: None,
        max_output_tokens: Some(16_384),
        vendor_page: None,
        deprecated_on: None,
        is_own: false,
    }
}

fn billed(pricing: &Pricing, requests: &[(u64, u64)], is_exact: bool) -> Bill {
    let biller = Biller::new(pricing, requests.len() as u64, is_exact);
    let mut bill = biller.bill();
    for (text, images) in requests {
        biller.add(&mut bill, *text, *images);
    }
    bill
}

#[test]
fn s1_20_batch_and_realtime_are_summed_exactly() {
    let pricing = Pricing { price: Some(price()), max_tokens: Some(10), ..Pricing::default() };
    let bill = billed(&pricing, &[(100, 0), (7, 3)], true);
    // 110 prompt tokens and 20 completion tokens.
    assert_eq!(bill.cost(Mode::Batch, Level::Worst), Some((110 * 2 + 20 * 8) * 1_000_000));
    assert_eq!(bill.cost(Mode::Realtime, Level::Worst), Some((110 * 4 + 20 * 16) * 1_000_000));
    assert_eq!(bill.image_cost(Mode::Batch, Level::Worst), Some(6_000_000));
    assert_eq!(bill.text_cost(Mode::Batch, Level::Worst), Some((107 * 2 + 20 * 8) * 1_000_000));
    assert_eq!(bill.output_tokens(Level::Worst), Some(20));
    let forecast = bill.forecast(Some(110), 0);
    assert_eq!((forecast.cost.low, forecast.cost.high), (None, None), "nothing was learned");
    assert_eq!(forecast.cost.likely, forecast.cost.worst, "no answer is longer than its limit");
    let biller = Biller::new(&pricing, 2, true);
    let reserves = [100, 10].map(|prompt| biller.reserve(prompt).unwrap());
    assert_eq!(reserves.iter().sum::<u64>(), forecast.cost.worst.unwrap());
}

/// Without a limit one and a half times what is likely is set aside.
#[test]
fn without_a_limit_there_is_no_worst_case() {
    let pricing = Pricing { price: Some(price()), ..Pricing::default() };
    let bill = billed(&pricing, &[(100, 0)], true);
    let likely = (100 * 2 + 300 * 8) * 1_000_000;
    assert_eq!(bill.cost(Mode::Batch, Level::Likely), Some(likely));
    assert_eq!(bill.cost(Mode::Batch, Level::Worst), None);
    assert_eq!(Biller::new(&pricing, 1, true).reserve(100), Some(likely / 2 * 3));
}

/// Field report 52: what is not known is not 0, for each way on its own.
#[test]
fn field_52_unknown_stays_unknown() {
    let nothing = Pricing { max_tokens: Some(5), ..Pricing::default() };
    let bill = billed(&nothing, &[(100, 0)], true);
    assert_eq!(bill.cost(Mode::Batch, Level::Likely), None);
    assert_eq!(bill.output_tokens(Level::Likely), Some(5));
    assert_eq!(Biller::new(&nothing, 1, true).reserve(100), None);
    let no_batch = Pricing { price: Some(Price { batch: None, ..price() }), ..nothing.clone() };
    let bill = billed(&no_batch, &[(100, 0)], true);
    assert_eq!(bill.cost(Mode::Batch, Level::Likely), None);
    assert_eq!(bill.cost(Mode::Realtime, Level::Likely), Some((400 + 80) * 1_000_000));
    let no_output = Rates { output: None, ..rates(2, 0) };
    let price = Price { batch: Some(no_output), ..price() };
    let pricing = Pricing { price: Some(price), ..nothing };
    assert_eq!(billed(&pricing, &[(100, 0)], true).cost(Mode::Batch, Level::Worst), None);
    let vectors = Pricing { is_embedding: true, max_tokens: None, ..pricing };
    let bill = billed(&vectors, &[(100, 0)], true);
    assert_eq!(
        bill.forecast(None, 0).cost,
        Range {
            low: Some(200_000_000),
            likely: Some(200_000_000),
            high: Some(200_000_000),
            worst: Some(200_000_000),
        }
    );
}

/// The price of a request goes by its own size, and the step is told.
#[test]
fn b08_a_step_of_the_price_is_crossed_by_some_rows() {
    let tier = |input_from, input_below, batch| Tier {
        input_from,
        input_below,
        output_from: 0,
        output_below: None,
        realtime: None,
        batch,
    };
    let tiers = vec![tier(0, Some(200), Some(rates(2, 8))), tier(200, None, Some(rates(4, 12)))];
    let price = Price { tiers, batch: None, realtime: None, ..price() };
    let pricing = Pricing { price: Some(price), max_tokens: Some(10), ..Pricing::default() };
    let bill = billed(&pricing, &[(199, 0), (200, 0), (150, 60)], true);
    let large = (200 * 4 + 120 + 210 * 4 + 120) * 1_000_000;
    let cost = bill.cost(Mode::Batch, Level::Worst);
    assert_eq!(cost, Some((199 * 2 + 80) * 1_000_000 + large));
    assert_eq!(bill.steps(), [Step { from: 200, requests: 2, cost: Some(large) }]);
    let biller = Biller::new(&pricing, 3, true);
    let reserves = [199, 200, 210].map(|prompt| biller.reserve(prompt).unwrap());
    assert_eq!(reserves.iter().sum::<u64>(), cost.unwrap());
}

/// Learned lengths make a range; a tokenizer that is not the model's own makes it wider.
#[test]
fn learned_lengths_make_a_range() {
    let lengths = Lengths::of(&(80..120).collect::<Vec<_>>());
    let pricing = Pricing { price: Some(price()), lengths, ..Pricing::default() };
    let bill = billed(&pricing, &[(100, 0); 50], true);
    let forecast = bill.forecast(Some(5_000), 40);
    let Range { low, likely, high, worst } = forecast.cost;
    assert_eq!((likely, worst), (Some((5_000 * 2 + 4_975 * 8) * 1_000_000), None));
    assert!(low < likely && likely < high);
    let rough = billed(&pricing, &[(100, 0); 50], false).forecast(None, 40).cost;
    assert!(rough.low < low && rough.likely == likely && high < rough.high);
}

#[test]
fn bills_add_up_and_some_are_unknown() {
    let pricing = Pricing { price: Some(price()), max_tokens: Some(10), ..Pricing::default() };
    let (one, other) = (billed(&pricing, &[(5, 1)], true), billed(&pricing, &[(7, 2)], true));
    let both = billed(&pricing, &[(5, 1), (7, 2)], true);
    assert_eq!(&one + &other, both);
    assert_eq!(&Bill::default() + &both, both);
    let mut unknown = other;
    unknown.make_unknown();
    assert_eq!((&one + &unknown).cost(Mode::Batch, Level::Worst), None);
    assert_eq!((&one + &unknown).output_tokens(Level::Worst), Some(20));
}
