use jiff::civil::date;

use super::*;
use crate::cost::money::Currency;
use crate::cost::price::{Basis, Rates, Tokens};
use crate::request::Mode;

fn found(provider: &str, model: &str) -> Option<String> {
    PriceBook::default().find(provider, model).map(|price| price.model)
}

fn price(provider: &str, model: &str) -> Price {
    PriceBook::default().find(provider, model).unwrap_or_else(|| panic!("{provider} {model}"))
}

/// Every entry reads; a figure that would not be exact is refused while it is read.
#[test]
fn the_list_reads_and_no_model_stands_twice() {
    let mut names: Vec<_> =
        listings(None).map(|entry| (&entry.price.provider, &entry.price.model)).collect();
    assert!(names.len() > 300, "{}", names.len());
    let before = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), before);
}

#[test]
fn every_entry_is_priced_dated_and_has_a_page() {
    for entry in listings(None) {
        let price = &entry.price;
        let name = format!("{} {}", price.provider, price.model);
        let one = Tokens { prompt: 1, completion: 1, ..Tokens::default() };
        let tokens =
            if entry.endpoint == "embedding" { Tokens { completion: 0, ..one } } else { one };
        assert!(price.cost(Mode::Realtime, tokens).is_some(), "{name} has no realtime price");
        let in_batch = price.cost(Mode::Batch, tokens).is_some();
        assert_eq!(in_batch, price.basis.is_some(), "{name}: a batch price says where it is from");
        assert!(first_day(&price.as_of).is_some(), "{name} has no day");
        assert!(price.vendor_page.is_some(), "{name} has no page");
        let refused = price.batch_accepted == Some(false);
        assert_eq!(refused, price.batch_refusal.is_some(), "{name}: a refusal has its reason");
        if let Some(day) = &price.deprecated_on {
            assert!(first_day(day).is_some(), "{name} retires on {day}");
        }
        for tiers in price.tiers.windows(2) {
            let [low, high] = tiers else { continue };
            let order = (low.input_from, low.output_from) < (high.input_from, high.output_from);
            assert!(order, "{name}: tiers are in order");
        }
    }
}

/// Field report 50: half of the price must not get lost. Where the provider documents one discount
/// for all, a derived figure is that share, and a listed one that is not is known to be odd.
#[test]
fn field_50_batches_cost_the_share_that_is_documented() {
    let odd = ["ft:gpt-4o-2024-08-06", "gpt-3.5-turbo-1106"];
    for entry in listings(None) {
        let price = &entry.price;
        let tenths = if price.provider == "xai" { 8 } else { 5 };
        let of_tiers = price.tiers.iter().map(|tier| (tier.realtime, tier.batch));
        let all = of_tiers.chain([(price.realtime, price.batch)]);
        for (realtime, batch) in all.filter_map(|(realtime, batch)| Some((realtime?, batch?))) {
            let pairs = [(realtime.input, batch.input), (realtime.output, batch.output)];
            for (whole, share) in
                pairs.into_iter().filter_map(|(whole, share)| Some((whole?, share?)))
            {
                let is_share = share == whole * tenths / 10;
                let is_odd =
                    odd.contains(&price.model.as_str()) && price.basis == Some(Basis::Listed);
                assert!(
                    is_share || is_odd,
                    "{} {}: {share} of {whole}",
                    price.provider,
                    price.model
                );
            }
        }
    }
}

#[test]
fn s1_10_which_entry_prices_a_model() {
    let table = [
        ("openai", "gpt-4o", Some("gpt-4o")),
        ("openai", " GPT-4o ", Some("gpt-4o")),
        ("openai", "gpt-4o-2024-08-06", Some("gpt-4o-2024-08-06")),
        ("openai", "gpt-4o-2031-01-01", Some("gpt-4o")),
        ("openai", "gpt-4o-mini-2031-07-18", Some("gpt-4o-mini")),
        ("openai", "gpt-4o-maxi", None),
        ("openai", "gpt-5.9", None),
        ("openai", "openai/gpt-4o", None),
        ("openai", "glm-4-flash", None),
        ("openai", "ft:gpt-4o-2024-08-06:acme::x", Some("ft:gpt-4o-2024-08-06")),
        ("openai", "ft:gpt-4o:acme::x", None),
        ("openai", "ft:gpt-4.1-2031-04-14:acme::x", None),
        ("zhipu", "glm-4-flash-x", None),
        ("zhipu", "GLM-4-Flash", Some("glm-4-flash")),
        ("zai", "glm-4-flash", None),
        ("groq", "openai/gpt-oss-120b", Some("openai/gpt-oss-120b")),
        // Its figures would be in another currency than its bills.
        ("moonshot", "kimi-k2.6", None),
        ("moonshot-intl", "kimi-k2.6", Some("kimi-k2.6")),
        ("dashscope", "qwen-plus", None),
        ("openai-compatible", "gpt-4o", None),
        ("openai", "", None),
    ];
    for (provider, model, expected) in table {
        assert_eq!(found(provider, model).as_deref(), expected, "{provider} {model}");
    }
    let fine_tune = price("openai", "ft:gpt-4o-mini-2024-07-18:acme::x");
    let base = price("openai", "gpt-4o-mini-2024-07-18");
    let input = |price: &Price| price.realtime.and_then(|rates| rates.input);
    assert!(input(&fine_tune) > input(&base));
    assert_eq!(
        price("openai", "gpt-4o-2031-01-01").stands_for("gpt-4o-2031-01-01").as_deref(),
        Some("price of gpt-4o")
    );
    assert_eq!(price("openai", "gpt-4o").stands_for("GPT-4o"), None);
}

/// Currencies are those of the bills; the same model costs something else at another service.
#[test]
fn zhipu_and_zai_have_their_own_currencies() {
    for (provider, currency) in [("zhipu", Currency::CNY), ("zai", Currency::USD)] {
        assert_eq!(price(provider, "glm-5.1").currency, currency);
    }
    for entry in listings(None) {
        let cny = entry.price.provider == "zhipu";
        assert_eq!(entry.price.currency == Currency::CNY, cny, "{}", entry.price.model);
    }
}

const fn tokens(prompt: u64, completion: u64) -> Tokens {
    Tokens { prompt, cached: 0, completion, reasoning: 0 }
}

/// Field reports 51 and 52: tiers, free models, unknown figures. The costs are in millionths of a
/// price of 1 per million, so `2 a million` times 1,000 tokens is 2,000.
#[test]
fn field_52_what_one_request_costs() {
    use Mode::{Batch, Realtime};
    const M: u64 = 1_000_000;
    let cached = |prompt, cached, completion| Tokens { cached, ..tokens(prompt, completion) };
    let table: &[(&str, &str, Mode, Tokens, Option<u64>)] = &[
        ("openai", "gpt-4o", Realtime, tokens(1000, 100), Some(2500 + 1000)),
        ("openai", "gpt-4o", Batch, tokens(1000, 100), Some(1250 + 500)),
        ("openai", "gpt-4o", Realtime, cached(1000, 400, 0), Some(1500 + 500)),
        // The source has no price for cached tokens in a batch: they cost as the others.
        ("openai", "gpt-4o", Batch, cached(1000, 400, 0), Some(1250)),
        // More cached tokens than there are.
        ("openai", "gpt-4o", Realtime, cached(1000, 9999, 0), Some(1250)),
        // `above 200,000` is exclusive and counts the whole request.
        ("gemini", "gemini-2.5-pro", Batch, tokens(200_000, 1000), Some(125_000 + 5000)),
        ("gemini", "gemini-2.5-pro", Batch, tokens(200_004, 1000), Some(250_005 + 7500)),
        ("gemini", "gemini-2.5-pro", Batch, cached(200_004, 200_004, 0), Some(50_001)),
        // GLM: ranges of prompt and answer; 32,000 belongs to the upper one.
        ("zhipu", "glm-4.7", Realtime, tokens(31_999, 199), Some(63_998 + 1592)),
        ("zhipu", "glm-4.7", Realtime, tokens(31_999, 200), Some(95_997 + 2800)),
        ("zhipu", "glm-4.7", Realtime, tokens(32_000, 199), Some(128_000 + 3184)),
        ("zhipu", "glm-4.7", Realtime, tokens(250_000, 1), Some(1_000_000 + 16)),
        // Realtime is known, a batch is not: never a guess.
        ("zhipu", "glm-4.7", Batch, tokens(1000, 1), None),
        // Priced by tiers alone; above the last one it is the last one.
        ("dashscope-intl", "qwen-flash", Batch, tokens(1000, 1000), Some(25 + 200)),
        ("dashscope-intl", "qwen-flash", Batch, tokens(256_000, 0), Some(32_000)),
        ("dashscope-intl", "qwen-flash", Batch, tokens(2_000_000, 0), Some(250_000)),
        // Free, here also in a batch; free elsewhere, and in a batch nobody knows.
        ("zhipu", "glm-4-flash", Batch, tokens(1_000_000, 1_000_000), Some(0)),
        ("zhipu", "glm-4.7-flash", Realtime, tokens(1000, 1000), Some(0)),
        ("zhipu", "glm-4.7-flash", Batch, tokens(1000, 1000), None),
        ("openai", "text-embedding-3-small", Batch, tokens(1000, 0), Some(10)),
        ("xai", "grok-4.7", Batch, tokens(1000, 100), Some(1600 + 480)),
        ("openai", "gpt-4o", Batch, tokens(0, 0), Some(0)),
    ];
    for (provider, model, mode, tokens, expected) in table {
        let cost = price(provider, model).cost(*mode, *tokens);
        let expected = expected.map(|cost| cost * M);
        assert_eq!(cost, expected, "{provider} {model} {mode:?} {tokens:?}");
    }
    let edge = price("gemini", "gemini-2.5-pro");
    assert_eq!(edge.cost(Batch, tokens(200_000, 0)), Some(200_000 * 625_000));
    assert_eq!(edge.cost(Batch, tokens(200_001, 0)), Some(200_001 * 1_250_000));
    // An output that no source prices is unknown, unless there is none.
    let own = OwnPrice { realtime: Rates { output: None, ..own("m", 1).realtime }, ..own("m", 1) };
    let embedding = PriceBook::new(vec![own]).find("router", "m").expect("it is set");
    assert_eq!(embedding.cost(Realtime, tokens(7, 0)), Some(7));
    assert_eq!(embedding.cost(Realtime, tokens(7, 1)), None);
}

/// An answer with reasoning costs its own price as a whole, in a batch half of it.
#[test]
fn reasoning_has_its_own_price_where_there_is_one() {
    let price = price("dashscope-intl", "qwen-plus-latest");
    let with = |reasoning| Tokens { reasoning, ..tokens(0, 1000) };
    assert_eq!(price.cost(Mode::Realtime, with(0)), Some(1200 * 1_000_000));
    assert_eq!(price.cost(Mode::Realtime, with(10)), Some(4000 * 1_000_000));
    assert_eq!(price.cost(Mode::Batch, with(10)), Some(2000 * 1_000_000));
}

#[test]
fn free_and_beyond_the_tiers_are_known_as_such() {
    let table = [
        ("zhipu", "glm-4-flash", Some(true), Some(true)),
        ("zhipu", "glm-4.7-flash", None, Some(true)),
        ("openai", "gpt-4o", Some(false), Some(false)),
        ("zhipu", "glm-4.7", None, Some(false)),
        ("dashscope-intl", "qwen-flash", Some(false), Some(false)),
    ];
    for (provider, model, batch, realtime) in table {
        let price = price(provider, model);
        let free = (price.is_free(Mode::Batch), price.is_free(Mode::Realtime));
        assert_eq!(free, (batch, realtime), "{provider} {model}");
    }
    let beyond = [
        ("dashscope-intl", "qwen-flash", 999_999, false),
        ("dashscope-intl", "qwen-flash", 1_000_000, true),
        ("zhipu", "glm-4.7", 200_000, true),
        ("gemini", "gemini-2.5-pro", 9_000_000, false),
        ("openai", "gpt-4o", 9_000_000, false),
    ];
    for (provider, model, prompt, expected) in beyond {
        assert_eq!(price(provider, model).is_beyond(prompt), expected, "{model} {prompt}");
    }
}

fn own(model: &str, input: u64) -> OwnPrice {
    let realtime = Rates { input: Some(input), output: Some(4 * input), ..Rates::default() };
    OwnPrice { realtime, ..OwnPrice::of(model, "config.toml:3".to_owned()) }
}

#[test]
fn s1_20_the_users_prices_go_first() {
    let at = |name: &str, price| OwnPrice { provider: Some(name.to_owned()), ..price };
    let book = PriceBook::new(vec![
        own("my-", 1),
        own("my-finetune", 2),
        at("router", own("my-finetune", 3)),
        at("openai", own("gpt-4o", 4)),
        own("ft:gpt-4o", 5),
        own("gpt-5", 6),
        own("gpt-4.1-nano", 7),
        own("gpt-4.1", 8),
        own("gpt-4.1-mini-2031", 9),
    ]);
    let input =
        |name: &str, kind: &str, model: &str| book.find_in(name, &[kind], model)?.realtime?.input;
    let table = [
        ("openai", "openai", "my-finetune", Some(2)),
        ("openai", "openai", "My-Finetune-7", Some(2)),
        ("openai", "openai", "my-other", Some(1)),
        ("router", "openai-compatible", "my-finetune", Some(3)),
        ("openai", "openai", "gpt-4o", Some(4)),
        // A beginning prices what the list does not know, or knows by that very name (a date).
        ("openai", "openai", "gpt-4o-2031-01-01", Some(4)),
        ("openai", "openai", "GPT-4o-maxi", Some(4)),
        // What the list has by a longer name keeps its price.
        ("openai", "openai", "gpt-4o-mini", Some(150_000)),
        ("openai", "openai", "gpt-4o-mini-2031-07-18", Some(150_000)),
        ("openai", "openai", "gpt-4o-2024-08-06", Some(2_500_000)),
        ("openai", "openai", "gpt-5-pro", Some(15_000_000)),
        ("openai", "openai", "gpt-4.1-nano", Some(7)),
        ("second", "openai", "gpt-4o", Some(4)),
        ("second", "openai", "gpt-4.1", Some(8)),
        // Closer than the list's `gpt-4.1-mini`, of which it is a version there.
        ("second", "openai", "gpt-4.1-mini-2031-01-01", Some(9)),
        ("second", "openai", "gpt-4.1-mini", Some(400_000)),
        ("second", "openai", "gpt-3.5-turbo", Some(500_000)),
        ("zhipu", "zhipu", "gpt-4o", None),
        ("openai", "openai", "ft:gpt-4o:acme::x", Some(5)),
        ("router", "openai-compatible", "gpt-4.1", Some(8)),
        ("router", "openai-compatible", "gpt-3.5-turbo", None),
    ];
    for (name, kind, model, expected) in table {
        assert_eq!(input(name, kind, model), expected, "{name} ({kind}) {model}");
    }
    let price = book.find("openai", "gpt-4o").expect("it is set");
    assert_eq!((price.is_own, price.max_output_tokens), (true, Some(16_384)));
    assert_eq!(price.dated(), "prices set by you");
    assert_eq!((price.batch, price.basis), (None, None), "half is not guessed");
}

#[test]
fn a_factor_and_figures_for_batches() {
    let cached = Rates { cached_input: Some(100), ..own("m", 300_000).realtime };
    let with = |factor, input, output| {
        let own = OwnPrice {
            batch_factor: factor,
            batch_input: input,
            batch_output: output,
            realtime: cached,
            ..own("m", 0)
        };
        let price = PriceBook::new(vec![own]).find("openai", "m").expect("it is set");
        (price.batch.map(|rates| (rates.input, rates.cached_input, rates.output)), price.basis)
    };
    let set = Some(Basis::Set);
    let table = [
        ((None, None, None), (None, None)),
        ((Some(500_000), None, None), (Some((Some(150_000), Some(50), Some(600_000))), set)),
        ((Some(333_333), None, None), (Some((Some(100_000), Some(34), Some(400_000))), set)),
        ((Some(0), None, None), (Some((Some(0), Some(0), Some(0))), set)),
        ((Some(500_000), Some(7), None), (Some((Some(7), Some(50), Some(600_000))), set)),
        ((None, Some(7), Some(8)), (Some((Some(7), None, Some(8))), set)),
        // An output that is not known in a batch stays unknown.
        ((None, Some(7), None), (Some((Some(7), None, None)), set)),
    ];
    for ((factor, input, output), expected) in table {
        assert_eq!(with(factor, input, output), expected, "{factor:?} {input:?} {output:?}");
    }
}

#[test]
fn prices_of_a_million_tokens_are_exact() {
    let table = [
        ("0.30", Some(300_000)),
        ("5", Some(5_000_000)),
        ("0", Some(0)),
        (".5", Some(500_000)),
        ("0.000001", Some(1)),
        ("0.0000001", None),
        ("-1", None),
        ("1e3", None),
        ("nan", None),
        ("", None),
        ("999999.999999", Some(999_999_999_999)),
        ("1000000", None),
    ];
    for (text, expected) in table {
        assert_eq!(per_million(text), expected, "{text}");
    }
}

/// A price that is older than 180 days says so, and where to look.
#[test]
fn old_prices_and_retired_models_say_so() {
    let table = [
        ("2026-11-20", Some(1), None),
        ("2026-05-25", Some(180), None),
        (
            "2026-05-24",
            Some(181),
            Some("prices set by you, of 2026-05-24, 181 days old: check config.toml:3"),
        ),
        (
            "2026-05",
            Some(204),
            Some("prices set by you, of 2026-05, 204 days old: check config.toml:3"),
        ),
        ("2027-01-01", Some(-41), None),
        ("", None, None),
        ("yesterday", None, None),
    ];
    for (day, age, said) in table {
        let own = OwnPrice { as_of: Some(day.to_owned()), ..own("m", 1) };
        let price = PriceBook::new(vec![own]).find("router", "m").expect("it is set");
        let today = date(2026, 11, 21);
        assert_eq!(price.age_days(today), age, "{day}");
        assert_eq!(price.is_old(today).as_deref(), said, "{day}");
    }
    let listed = price("openai", "gpt-4o");
    assert_eq!(
        listed.is_old(date(2027, 6, 11)).as_deref(),
        Some(
            "prices of 2026-11-20, 203 days old: check https://developers.openai.com/api/docs/pricing"
        )
    );
    let retired = price("openai", "gpt-5");
    assert_eq!(retired.retired("gpt-5", date(2026, 12, 10)), None);
    assert_eq!(
        retired.retired("gpt-5", date(2026, 12, 11)).as_deref(),
        Some("gpt-5 is no longer served since 2026-12-11, by the list of prices")
    );
}

/// Field report 58: it is the model that batches do not take, and only the provider knows.
#[test]
fn field_58_models_that_batches_refuse() {
    let today = date(2026, 11, 21);
    let table = [
        (
            "zhipu",
            "glm-5.3",
            Some(
                "glm-5.3 at zhipu: refused for batches (code 1210) in tests of 2026-09; the provider decides",
            ),
        ),
        ("zhipu", "glm-5.1", None),
        ("zhipu", "glm-4.7", None),
        (
            "moonshot-intl",
            "kimi-k3",
            Some(
                "kimi-k3 at moonshot-intl: batches there take only kimi-k2.5 and kimi-k2.6, as far as is known; the provider decides",
            ),
        ),
        ("moonshot-intl", "kimi-k2.6", None),
        ("openai", "gpt-4o", None),
    ];
    for (provider, model, expected) in table {
        let price = price(provider, model);
        assert_eq!(price.batch_warning(model).as_deref(), expected, "{provider} {model}");
        assert_eq!(price.warnings(model, today).first().map(String::as_str), expected);
    }
    // A price of the user's own changes nothing of that.
    let book = PriceBook::new(vec![own("glm-5.3", 1)]);
    assert!(book.find("zhipu", "glm-5.3").expect("it is set").batch_warning("glm-5.3").is_some());
}
