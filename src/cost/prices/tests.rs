use super::*;
use crate::cost::price::{Basis, Mode, Tokens};

fn found(provider: &str, model: &str) -> Option<String> {
    PriceBook::default().find(provider, model).map(|price| price.model)
}

/// Every entry reads; `Figure` refuses what would not be exact.
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
fn field_49_which_entry_prices_a_model() {
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
        ("moonshot", "kimi-k2.6", None),
        ("moonshot-intl", "kimi-k2.6", Some("kimi-k2.6")),
        ("dashscope", "qwen-plus", None),
        ("openai-compatible", "gpt-4o", None),
        ("openai", "", None),
    ];
    for (provider, model, expected) in table {
        assert_eq!(found(provider, model).as_deref(), expected, "{provider} {model}");
    }
}

#[test]
fn a_look_at_gpt_4o() {
    let price = PriceBook::default().find("openai", "gpt-4o").expect("it is listed");
    assert_eq!(price.basis, Some(Basis::Listed));
    let tokens = Tokens { prompt: 1000, completion: 100, ..Tokens::default() };
    assert_eq!(price.cost(Mode::Batch, tokens), Some(1_750_000_000));
}
