//! One table asked of several models: what each would cost, side by side. The table is taken in
//! once; each model has its own tokenizer, image rule, price, currency and earlier answers.

use std::path::Path;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::cost_json::{CostDocument, PriceDocument};
use super::input::take_in;
use super::jobs::open_store;
use super::plan::{Planned, reuse};
use super::scratch::Scratch;
use super::show::named_from;
use super::who::{Need, who_is_asked};
use crate::commands::Context;
use crate::config::{Source, key};
use crate::cost::{Estimate, Level, Range, grouped};
use crate::provider::Vendor;
use crate::request::Mode;
use crate::ui::{Align, CommandError, ExitCode, Printer, Verbosity, counted, grid, shorten};

/// Cells of a line.
const WIDTH: usize = 80;
/// Cells that a name has at least.
const NAME: usize = 12;

/// One model of the comparison.
struct Line {
    model: String,
    provider: String,
    estimate: Estimate,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    input: &'a str,
    rows: u64,
    models: Vec<ModelDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct ModelDocument<'a> {
    model: &'a str,
    provider: &'a str,
    tokenizer: &'a str,
    exact: bool,
    requests: u64,
    /// `null` where images are sent whose rule is unknown.
    input_tokens: Option<u64>,
    output_tokens: Range,
    learned_from: u64,
    price: Option<PriceDocument<'a>>,
    cost: Option<CostDocument>,
    notes: &'a [String],
}

/// Prints what a table would cost with each of these models, in the order in which they were
/// named: `MODEL` or `PROVIDER:MODEL`.
pub(in crate::commands) fn side_by_side(
    context: &Context,
    input: &Path,
    models: &[String],
) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let scratch = Scratch::new(store.home())?;
    let taken = take_in(input, context, scratch.folder())?;
    let source = taken.source.to_string_lossy().into_owned();
    let mut lines = Vec::new();
    let mut rows = 0;
    for name in models {
        let mut context = asking(context, name);
        if !lines.is_empty() {
            // What is said of the table is the same for each of them.
            context.printer = Printer::new(Verbosity::Quiet, context.printer.colour());
        }
        let who = who_is_asked(&context, Need::NoKey)?;
        let reuse = reuse(&context, &store, &who, false);
        let planned = Planned::of(&context, taken.clone(), &who, reuse)?;
        rows = planned.plan.tally.rows;
        let estimate = planned.plan.estimate;
        let mut notes = notes(&estimate);
        notes.extend(who.warnings(&context));
        lines.push(Line { model: who.model.clone(), provider: who.name.clone(), estimate, notes });
    }
    if context.json {
        context.printer.json(&Document {
            schema_version: 1,
            input: &source,
            rows,
            models: lines.iter().map(Line::document).collect(),
        })?;
        return Ok(ExitCode::Success);
    }
    context.printer.data(&format!(
        "Input     {}   {}",
        named_from(&context.folder, &source),
        counted(rows, "row")
    ))?;
    for line in table(&lines) {
        context.printer.data(&line)?;
    }
    Ok(ExitCode::Success)
}

/// The settings with this model on top. A model alone goes to the provider that was named, else
/// to its maker.
fn asking(context: &Context, name: &str) -> Context {
    let names = context.settings.provider_names();
    let split = name.split_once(':').filter(|(provider, _)| names.iter().any(|n| n == provider));
    let is_named = context.settings.source(key::PROVIDER) == Some(&Source::Flag);
    let maker = || Vendor::of_model(name).map(Vendor::provider_name).filter(|_| !is_named);
    let (provider, model) = match split {
        Some((provider, model)) => (Some(provider), model),
        None => (maker().filter(|maker| names.iter().any(|n| n == maker)), name),
    };
    context.with_settings(|over| {
        over.text(key::PROVIDER, provider);
        over.text(key::MODEL, Some(model));
    })
}

/// What a person should know of the figures.
fn notes(estimate: &Estimate) -> Vec<String> {
    let mut notes = Vec::new();
    if !estimate.exact {
        notes.push(format!("tokens estimated with {}", estimate.tokenizer));
    }
    if estimate.sent.input_tokens().is_none() {
        notes.push("what its images cost is unknown".to_owned());
    }
    match &estimate.price {
        None => notes.push("no price known".to_owned()),
        Some(price) => {
            if price.batch_accepted != Some(false) && price.is_free(Mode::Batch).is_none() {
                notes.push("no batch price known".to_owned());
            }
        }
    }
    match estimate.learned_from {
        0 if estimate.is_embedding => {}
        0 => notes.push("length of answers assumed".to_owned()),
        rows => notes.push(format!("learned from {}", counted(rows, "earlier row"))),
    }
    if let Some(reasks) = &estimate.reasks {
        let words = reasks.words(|pico| match pico.and_then(|pico| estimate.money(pico)) {
            Some(money) => money.show(),
            None => "unknown".to_owned(),
        });
        notes.push(format!("with re-asks: {}", words.join(", ")));
    }
    let unsent = estimate.answered.requests;
    if unsent > 0 {
        notes.push(format!("{} answered before", counted(unsent, "row")));
    }
    notes
}

impl Line {
    fn document(&self) -> ModelDocument<'_> {
        let forecast = self.estimate.forecast();
        ModelDocument {
            model: &self.model,
            provider: &self.provider,
            tokenizer: self.estimate.tokenizer,
            exact: self.estimate.exact,
            requests: forecast.requests,
            input_tokens: forecast.input_tokens,
            output_tokens: forecast.output_tokens,
            learned_from: forecast.learned_from,
            price: self.estimate.price.as_ref().map(PriceDocument::of),
            cost: CostDocument::of(&self.estimate),
            notes: &self.notes,
        }
    }

    /// What is set aside where there is no worst case, in brackets.
    fn reserve(&self) -> String {
        let reserve = self.estimate.forecast().reserve.and_then(|pico| self.estimate.money(pico));
        reserve.map_or_else(|| "-".to_owned(), |money| format!("({})", money.show()))
    }

    fn cells(&self) -> Vec<String> {
        let estimate = &self.estimate;
        let (bill, batch) = (estimate.sent_bill(), estimate.forecast().cost);
        let price = |mode, level| {
            let is_free = estimate.price.as_ref().and_then(|price| price.is_free(mode));
            let cost = match (mode, level) {
                (Mode::Batch, Level::Likely) => batch.likely,
                (Mode::Batch, Level::Worst) => batch.worst,
                _ => bill.cost(mode, level),
            };
            match cost.and_then(|pico| estimate.money(pico)) {
                Some(_) if is_free == Some(true) => "free".to_owned(),
                Some(money) => money.show(),
                // Without --max-tokens there is no worst case, but a reserve.
                None if level == Level::Worst && estimate.max_tokens.is_none() => self.reserve(),
                None => "unknown".to_owned(),
            }
        };
        let approximate = if estimate.exact { "" } else { "~" };
        let tokens = estimate.sent.input_tokens();
        let tokens =
            tokens.map_or("unknown".to_owned(), |t| format!("{approximate}{}", grouped(t)));
        vec![
            self.model.clone(),
            self.provider.clone(),
            tokens,
            price(Mode::Batch, Level::Likely),
            price(Mode::Batch, Level::Worst),
            price(Mode::Realtime, Level::Likely),
        ]
    }
}

/// The models in a table, and below it what is to be known of each.
fn table(lines: &[Line]) -> Vec<String> {
    let head = ["model", "provider", "input tok", "batch likely", "worst", "realtime likely"];
    let rows = std::iter::once(head.map(str::to_owned).to_vec());
    let mut rows: Vec<_> = rows.chain(lines.iter().map(Line::cells)).collect();
    let has_reserve = rows.iter().any(|row| row.get(4).is_some_and(|cell| cell.starts_with('(')));
    let right = Align::Right;
    let columns = [Align::Left, Align::Left, right, right, right, right];
    let mut shown = grid(&rows, &columns);
    // The names give way, the model's first; the figures stay.
    for column in [0, 1] {
        let width = shown.iter().map(|line| line.width()).max().unwrap_or_default();
        let longest = rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
        let room = longest.saturating_sub(width.saturating_sub(WIDTH)).max(NAME);
        for row in &mut rows {
            row[column] = shorten(&row[column], room);
        }
        shown = grid(&rows, &columns);
    }
    if has_reserve {
        shown.push("  (…) is set aside: 1.5 x likely, as there is no --max-tokens".to_owned());
    }
    for line in lines.iter().filter(|line| !line.notes.is_empty()) {
        shown.push(format!("  {}: {}", line.model, line.notes.join("; ")));
    }
    shown
}
