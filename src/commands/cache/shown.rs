//! The cache in words and as documents.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::Shown;
use crate::config::is_loopback;
use crate::cost::{Currency, Money};
use crate::store::{CacheTotals, HitGroup};
use crate::ui::{bytes, clean, count, counted, duration, minute, shorten};

/// Cells of an answer that are shown.
const TEXT_WIDTH: usize = 76;

/// What hits saved: rehearsals are no money.
#[derive(Debug, Default)]
struct Saved {
    rows: u64,
    rehearsed: u64,
    amounts: BTreeMap<Currency, u64>,
}

impl Saved {
    fn of(hits: &[HitGroup]) -> Self {
        let mut saved = Self::default();
        for group in hits {
            saved.rows += group.rows;
            if is_loopback(&group.address) {
                saved.rehearsed += group.rows;
                continue;
            }
            for (currency, pico) in &group.costs {
                let Ok(currency) = Currency::try_from(currency.clone()) else { continue };
                let sum = saved.amounts.entry(currency).or_default();
                *sum = sum.saturating_add(*pico);
            }
        }
        saved
    }

    fn amounts(&self) -> impl Iterator<Item = Money> {
        self.amounts.iter().map(|(currency, pico)| Money { currency: *currency, pico: *pico })
    }
}

/// The figures of `cache stats`.
pub(super) fn stats_lines(
    totals: &CacheTotals,
    age: Option<Duration>,
    hits: &[HitGroup],
) -> Vec<String> {
    let saved = Saved::of(hits);
    let imported = match totals.imported {
        0 => String::new(),
        imported => format!(", {} of them imported", count(imported)),
    };
    let valid = totals.entries - totals.expired.min(totals.entries);
    let limit = match age {
        Some(age) => format!("older than {}", duration(age)),
        None => "no cache_ttl is set".to_owned(),
    };
    let at = |moment: Option<i64>| moment.map_or_else(|| "–".to_owned(), minute);
    let mut lines = vec![
        format!("entries   {}{imported}", count(totals.entries)),
        format!("valid     {}", count(valid)),
        format!("expired   {}  ({limit})", count(totals.expired)),
        format!("oldest    {}", at(totals.oldest)),
        format!("newest    {}", at(totals.newest)),
        format!("size      {}", bytes(totals.bytes)),
        format!("hits      {}, as many calls saved", counted(saved.rows, "row")),
    ];
    let mut amounts: Vec<String> = saved.amounts().map(|money| money.show()).collect();
    if saved.rehearsed > 0 {
        let rows = counted(saved.rehearsed, "row");
        amounts.push(format!("nothing by {rows} of rehearsals"));
    }
    if !amounts.is_empty() {
        lines.push(format!("saved     {}", amounts.join(", ")));
    }
    lines
}

/// The same for programs.
pub(super) fn stats_document(
    totals: &CacheTotals,
    age: Option<Duration>,
    hits: &[HitGroup],
) -> Value {
    let saved = Saved::of(hits);
    let amounts =
        saved.amounts().map(|money| json!({ "currency": money.currency, "amount": money.units() }));
    json!({
        "schema_version": 1,
        "entries": totals.entries,
        "valid": totals.entries - totals.expired.min(totals.entries),
        "expired": totals.expired,
        "imported": totals.imported,
        "ttl_seconds": age.map(|age| age.as_secs()),
        "oldest": totals.oldest,
        "newest": totals.newest,
        "bytes": totals.bytes,
        "hits": saved.rows,
        "rehearsed_hits": saved.rehearsed,
        "saved_calls": saved.rows,
        "saved": amounts.collect::<Vec<_>>(),
    })
}

fn cost(shown: &Shown) -> Option<Money> {
    let (currency, pico) = shown.cost.clone()?;
    Some(Money { currency: Currency::try_from(currency).ok()?, pico })
}

/// An entry in two lines: what is known of it, and how the answer begins.
pub(super) fn details(shown: &Shown) -> Vec<String> {
    let model = shown.model.as_deref().unwrap_or("?");
    let mut parts = vec![format!("{}  {} {model}", minute(shown.answered), shown.provider)];
    if let Some(usage) = shown.usage {
        parts.push(format!("{} tokens", count(usage.total())));
    }
    parts.extend(cost(shown).map(|money| money.show()));
    parts.push(match shown.last_hit {
        Some(last) => format!("{}, last {}", counted(shown.hits, "hit"), minute(last)),
        None => counted(shown.hits, "hit"),
    });
    parts.push(match &shown.job {
        Some(job) => format!("job {}", &job[..job.len().min(6)]),
        None => "imported".to_owned(),
    });
    let text = shown.text.as_deref().unwrap_or("(its answer cannot be read any more)");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = clean(&parts.join("  "));
    vec![format!("{} {line}", &shown.key[..8]), format!("  {}", shorten(&clean(&text), TEXT_WIDTH))]
}

/// The same for programs.
pub(super) fn document(shown: &Shown) -> Value {
    json!({
        "key": shown.key,
        "provider": shown.provider,
        "model": shown.model,
        "address": shown.address,
        "answered": shown.answered,
        "bytes": shown.bytes,
        "usage": shown.usage,
        "currency": shown.cost.as_ref().map(|(currency, _)| currency),
        "cost": cost(shown).map(|money| money.units()),
        "hits": shown.hits,
        "last_hit": shown.last_hit,
        "job": shown.job.as_deref().map(|job| &job[..job.len().min(6)]),
        "sandbox": shown.is_sandbox,
        "text": shown.text,
    })
}
