//! Prices as people read them, in 80 columns.

use jiff::civil::Date;

use crate::cost::{Basis, Listing, Price, Rates, Tier, Tokenizer, Tokens, first_day, rate_text};
use crate::request::Mode;
use crate::ui::{Align, count, grid};

/// Cells of a line.
const WIDTH: usize = 80;
/// Where the text of a labelled line begins.
const INDENT: usize = 15;

/// All prices of some providers, a small table for each.
pub(super) fn list(own: &[Price], listed: &[Listing], today: Date) -> Vec<String> {
    let mut lines = Vec::new();
    if !own.is_empty() {
        lines.push("set by you   a million tokens, input/output".to_owned());
        let rows = own.iter().map(|price| row(price, false, today));
        lines.extend(rows_of(rows.collect()));
    }
    for group in listed.chunk_by(|a, b| a.price.provider == b.price.provider) {
        let listed = group.iter().find(|entry| !entry.price.is_own);
        let Some(first) = listed.or(group.first()) else { continue };
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!(
            "{}   {} for a million tokens, input/output",
            first.price.provider, first.price.currency
        ));
        let rows =
            group.iter().map(|entry| row(&entry.price, entry.endpoint == "embedding", today));
        lines.extend(rows_of(rows.collect()));
        lines.push(format!("  {}", days_of(group)));
        lines.extend(first.price.vendor_page.as_ref().map(|page| format!("  {page}")));
    }
    lines
}

/// The days of a provider's figures: one, or from the oldest to the newest.
fn days_of(group: &[Listing]) -> String {
    let listed = group.iter().filter(|entry| !entry.price.is_own);
    let mut days: Vec<&str> = listed.map(|entry| entry.price.as_of.as_str()).collect();
    days.sort_unstable();
    match (days.first(), days.last()) {
        (Some(first), Some(last)) if first != last => format!("prices of {first} to {last}"),
        (first, _) => format!("prices of {}", first.unwrap_or(&"no day")),
    }
}

fn rows_of(rows: Vec<Vec<String>>) -> Vec<String> {
    let head = ["MODEL", "BATCH", "REALTIME", "NOTES"].map(ToOwned::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let lines = grid(&rows, &[Align::Left, Align::Right, Align::Right, Align::Left]);
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

fn row(price: &Price, is_input_only: bool, today: Date) -> Vec<String> {
    let mut notes = Vec::new();
    if price.is_own {
        notes.push("yours".to_owned());
    }
    match (price.is_free(Mode::Batch), price.is_free(Mode::Realtime)) {
        (Some(true), _) => notes.push("free".to_owned()),
        (None, Some(true)) => notes.push("free in realtime".to_owned()),
        _ => {}
    }
    if !price.tiers.is_empty() && price.is_free(Mode::Realtime) != Some(true) {
        notes.push("tiers".to_owned());
    }
    if price.basis == Some(Basis::Derived) {
        notes.push("derived".to_owned());
    }
    if price.batch_accepted == Some(false) {
        notes.push("not in batches".to_owned());
    }
    if let Some(day) = &price.deprecated_on {
        let is_over = first_day(day).is_some_and(|day| day <= today);
        notes.push(if is_over { "retired".to_owned() } else { format!("until {day}") });
    }
    let cell = |mode| pair(price, mode, is_input_only).unwrap_or_else(|| "unknown".to_owned());
    vec![price.model.clone(), cell(Mode::Batch), cell(Mode::Realtime), notes.join(", ")]
}

/// Input and output of the smallest request; `+` where longer ones cost more. The user's have
/// their own currency in front.
fn pair(price: &Price, mode: Mode, is_input_only: bool) -> Option<String> {
    let rates = price.rates(mode, Tokens::default())?;
    let sign = if price.is_own { price.currency.sign() } else { String::new() };
    let text = |rate: Option<u64>| rate.map_or_else(|| "?".to_owned(), rate_text);
    let plus = if price.tiers.iter().any(|tier| of(mode, tier) != Some(rates)) { "+" } else { "" };
    if is_input_only {
        return Some(format!("{sign}{}{plus}", text(rates.input)));
    }
    Some(format!("{sign}{}/{}{plus}", text(rates.input), text(rates.output)))
}

fn of(mode: Mode, tier: &Tier) -> Option<Rates> {
    match mode {
        Mode::Batch => tier.batch,
        Mode::Realtime => tier.realtime,
    }
}

/// All that is known of one model's price.
pub(super) fn one(model: &str, price: &Price, listing: Option<&Listing>) -> Vec<String> {
    let stands_for = price.stands_for(model).map(|text| format!(" ({text})")).unwrap_or_default();
    let mut lines = vec![
        format!("{model} at {}{stands_for}", price.provider),
        format!("  {} for a million tokens   {}", price.currency, price.dated()),
    ];
    let has_output = listing.is_none_or(|listing| listing.endpoint != "embedding");
    lines.extend(figures(price, has_output));
    for (name, text) in facts(model, price, listing) {
        lines.extend(labelled(name, &text));
    }
    lines
}

fn figures(price: &Price, has_output: bool) -> Vec<String> {
    let all = || {
        let tiers = price.tiers.iter().flat_map(|tier| [tier.batch, tier.realtime]);
        tiers.chain([price.batch, price.realtime]).flatten()
    };
    let has_reasoning = all().any(|rates| rates.reasoning_output.is_some());
    let mut head: Vec<String> = ["", "input", "cached", "output"].map(ToOwned::to_owned).to_vec();
    if has_reasoning {
        head.push("with reasoning".to_owned());
    }
    let mut rows = vec![head];
    let mut push = |name: String, rates: Option<Rates>| {
        let text = |rate: Option<u64>| rate.map_or_else(|| "-".to_owned(), rate_text);
        rows.push(match rates {
            None => vec![name, "unknown".to_owned(), String::new(), "unknown".to_owned()],
            Some(rates) => {
                let rates = Rates { output: rates.output.filter(|_| has_output), ..rates };
                let cells = [rates.input, rates.cached_input, rates.output, rates.reasoning_output];
                let cells = cells.into_iter().take(if has_reasoning { 4 } else { 3 });
                std::iter::once(name).chain(cells.map(text)).collect()
            }
        });
    };
    for (name, mode, own) in
        [("batch", Mode::Batch, price.batch), ("realtime", Mode::Realtime, price.realtime)]
    {
        let in_tiers = price.tiers.iter().any(|tier| of(mode, tier).is_some());
        let covers_all = price.tiers.first().is_some_and(|tier| tier.input_from == 0);
        if !in_tiers || !covers_all {
            push(name.to_owned(), own);
        }
        for tier in price.tiers.iter().filter(|_| in_tiers) {
            push(format!("{name}, {}", size_of(tier)), of(mode, tier));
        }
    }
    let lines = grid(&rows, &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right]);
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

/// For which requests a tier holds.
fn size_of(tier: &Tier) -> String {
    let range = |from: u64, below: Option<u64>| match (from, below) {
        (0, None) => None,
        (from, None) => Some(format!("from {}", count(from))),
        (0, Some(below)) => Some(format!("below {}", count(below))),
        (from, Some(below)) => Some(format!("{} to {}", count(from), count(below - 1))),
    };
    let prompt = range(tier.input_from, tier.input_below).map(|text| format!("prompt {text}"));
    let answer = range(tier.output_from, tier.output_below).map(|text| format!("answer {text}"));
    let parts: Vec<String> = prompt.into_iter().chain(answer).collect();
    if parts.is_empty() { "any length".to_owned() } else { parts.join(", ") }
}

fn facts(model: &str, price: &Price, listing: Option<&Listing>) -> Vec<(&'static str, String)> {
    let (tokenizer, is_exact) = Tokenizer::for_model(model);
    let exactness = if is_exact { "exact" } else { "an estimate for this model" };
    let mut facts = vec![
        ("batch price", batch_price(price)),
        ("in batches", in_batches(price)),
        ("tokenizer", format!("{} ({exactness})", tokenizer.name())),
    ];
    if let Some(last) = price.tiers.last().and_then(|tier| tier.input_below) {
        let text = format!("prompts from {} tokens are priced as the last tier", count(last));
        facts.push(("tiers", text));
    }
    let prompt = listing.and_then(|listing| listing.max_input_tokens);
    let longest = [("prompt", prompt), ("answer", price.max_output_tokens)];
    let longest: Vec<String> = longest
        .into_iter()
        .filter_map(|(name, tokens)| Some(format!("{name} {} tokens", count(tokens?))))
        .collect();
    if !longest.is_empty() {
        facts.push(("longest", longest.join(", ")));
    }
    if let Some(listing) = listing {
        facts.push(("images", if listing.vision { "yes" } else { "not known to" }.to_owned()));
        if listing.endpoint == "responses" {
            facts.push(("endpoint", "--endpoint responses alone".to_owned()));
        }
        if listing.rejects_sampling {
            facts.push(("sampling", "refuses temperature and its kin".to_owned()));
        }
    }
    facts.extend(price.deprecated_on.clone().map(|day| ("served until", day)));
    if !price.is_own {
        let confidence = listing.and_then(|listing| listing.confidence.clone());
        facts.extend(confidence.map(|word| ("confidence", word)));
        facts.extend(listing.and_then(|listing| listing.note.clone()).map(|note| ("note", note)));
    }
    facts.push(("source", price.source.clone()));
    facts.extend(price.vendor_page.clone().map(|page| ("page", page)));
    facts
}

fn batch_price(price: &Price) -> String {
    let free = if price.is_free(Mode::Batch) == Some(true) { "free, " } else { "" };
    let text = match price.basis {
        Some(Basis::Listed) => "as the source lists it",
        Some(Basis::Derived) => "derived: the provider documents one discount for all models",
        Some(Basis::Set) => "as you set it",
        None if price.is_own => "unknown: set batch_factor, or batch_input and batch_output",
        None if price.is_free(Mode::Realtime) == Some(true) => "unknown; calls are free",
        None => "unknown: no source lists one, and half is not guessed",
    };
    format!("{free}{text}")
}

fn in_batches(price: &Price) -> String {
    match (price.batch_accepted, &price.batch_refusal) {
        (Some(true), _) => "taken, as far as is known".to_owned(),
        (Some(false), Some(why)) => format!("{why}; the provider decides"),
        (Some(false), None) => "not taken, as far as is known; the provider decides".to_owned(),
        (None, _) if price.basis == Some(Basis::Listed) => "priced, so it is taken".to_owned(),
        (None, _) => "not known; the provider decides".to_owned(),
    }
}

/// A labelled text, broken between words where a line is full.
fn labelled(name: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let is_full = INDENT + line.chars().count() + 1 + word.chars().count() > WIDTH;
        if is_full && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    let label = |at: usize| if at == 0 { name } else { "" };
    let label_width = INDENT - 3;
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| format!("  {:<label_width$} {line}", label(at)).trim_end().to_owned())
        .collect()
}
