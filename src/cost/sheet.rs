//! The estimate as people see it before they say yes: one table of tokens and prices, and lines
//! about what is likely, what is saved and how long it takes. No line is wider than 80 cells.

use super::bill::{Bill, Level};
use super::estimate::{Estimate, Part};
use super::images::Detail;
use super::lengths::FEWEST;
use super::numbers::{grouped, megabytes};
use super::price::Basis;
use super::terms::Range;
use crate::request::Mode;

/// The longest that what is queued together may take, in hours.
const WAVE_HOURS: u64 = 24;
/// Cells of a line.
const WIDTH: usize = 80;
/// Cells before the text of a line.
const LABEL: usize = 10;

/// The words around the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading<'a> {
    /// The model asked.
    pub model: &'a str,
    /// Who is paid.
    pub provider: &'a str,
    /// What is sent with images.
    pub detail: Detail,
    /// Where the limit of one answer was said, if there is one.
    pub limit: &'a str,
    /// The provider's limits for one input file: requests and bytes.
    pub limits: Option<(u64, u64)>,
    /// The prompt tokens that may be queued, where that is known, and how many times they fill up.
    pub queue: Option<(u64, u64)>,
}

/// Pieces behind a label, broken into lines between them, and within one that is too long. Lines
/// after the first are indented as far as the text of the first.
pub fn labelled(label: &str, pieces: &[String]) -> Vec<String> {
    let mut lines = vec![format!("{label:LABEL$}")];
    for piece in pieces {
        let mut gap = "   ";
        let is_whole = LABEL + piece.chars().count() <= WIDTH;
        let words: Vec<&str> = if is_whole { vec![piece] } else { piece.split(' ').collect() };
        for word in words {
            let last = lines.last_mut().expect("it begins with one line");
            let width = last.chars().count();
            if width <= LABEL {
                last.push_str(word);
            } else if width + gap.len() + word.chars().count() <= WIDTH {
                last.push_str(gap);
                last.push_str(word);
            } else {
                lines.push(format!("{:LABEL$}{word}", ""));
            }
            gap = " ";
        }
    }
    lines
}

impl Estimate {
    /// The table for people: model, requests, tokens and prices, what is likely, what is saved,
    /// upload and queue.
    pub fn lines(&self, heading: &Heading<'_>) -> Vec<String> {
        let all = self.sent + self.answered + self.equal;
        let [sent, answered, equal] = &self.bills;
        let bill = &(&(sent + answered) + equal);
        let mut lines = labelled("Model", &self.model(heading));
        let first = format!("{} {}", heading.provider, heading.model);
        lines.extend(labelled_if_any("Chain", &self.chain_words(&first)));
        lines.push(row("", ["requests", "input tok", "output tok", "realtime", "batch"]));
        let [realtime, batch] = self.prices("", |mode, level| bill.text_cost(mode, level));
        let tokens = self.tokens(Some(all.text_tokens), "");
        let output = self.output(bill, "");
        lines.push(row("text", [&grouped(all.requests), &tokens, &output, &realtime, &batch]));
        if all.images > 0 {
            let [realtime, batch] = self.prices("", |mode, level| bill.image_cost(mode, level));
            let name = format!("images ({})", word(heading.detail));
            let tokens = self.tokens(all.image_tokens, "");
            // How many requests have one is not counted; pictures are.
            let images = format!("{} img", grouped(all.images));
            lines.push(row(&name, [&images, &tokens, "–", &realtime, &batch]));
        }
        let unsent =
            [("answered before", self.answered, answered), ("equal rows", self.equal, equal)];
        for (name, part, bill) in unsent.into_iter().filter(|(_, part, _)| part.requests > 0) {
            lines.push(self.part(name, "-", part, bill));
        }
        lines.push(self.part("to send", "", self.sent, sent));
        lines.extend(self.expectations(heading.limit));
        lines.extend(self.way(heading));
        if self.skipped > 0 {
            let rows = if self.skipped == 1 { "row" } else { "rows" };
            lines.push(format!(
                "Skipped   {} {rows}: no request can be made",
                grouped(self.skipped)
            ));
        }
        lines
    }

    /// What stands behind `Model`.
    fn model(&self, heading: &Heading<'_>) -> Vec<String> {
        let exactness = if self.exact { "exact" } else { "estimate" };
        let mut pieces = vec![
            heading.model.to_owned(),
            heading.provider.to_owned(),
            format!("tokenizer {} ({exactness})", self.tokenizer),
        ];
        let Some(price) = &self.price else {
            pieces.push("prices unknown".to_owned());
            return pieces;
        };
        pieces.push(price.dated());
        pieces.extend(price.stands_for(heading.model));
        let has_batch =
            price.batch.is_some() || price.tiers.iter().any(|tier| tier.batch.is_some());
        match price.basis {
            _ if !has_batch => pieces.push("no batch price is known".to_owned()),
            Some(Basis::Derived) => {
                pieces.push("batch price derived: half of realtime".to_owned());
            }
            _ => {}
        }
        pieces
    }

    /// A row of requests that are sent or not.
    fn part(&self, name: &str, sign: &str, part: Part, bill: &Bill) -> String {
        let count = format!("{sign}{}", grouped(part.requests));
        let tokens = self.tokens(part.input_tokens(), sign);
        let output = self.output(bill, sign);
        let [realtime, batch] = self.prices(sign, |mode, level| bill.cost(mode, level));
        row(name, [&count, &tokens, &output, &realtime, &batch])
    }

    /// The realtime and batch cells.
    fn prices(&self, sign: &str, cost: impl Fn(Mode, Level) -> Option<u64>) -> [String; 2] {
        [Mode::Realtime, Mode::Batch].map(|mode| {
            let is_free = self.price.as_ref().and_then(|price| price.is_free(mode)) == Some(true);
            match cost(mode, self.shown()) {
                Some(_) if is_free => "free".to_owned(),
                Some(pico) => format!("{sign}{}", self.amount(Some(pico))),
                None => "unknown".to_owned(),
            }
        })
    }

    fn tokens(&self, tokens: Option<u64>, sign: &str) -> String {
        let approximate = if self.exact { "" } else { "~" };
        tokens.map_or("unknown".to_owned(), |t| format!("{sign}{approximate}{}", grouped(t)))
    }

    /// The completion tokens: the most there can be, else about how many.
    fn output(&self, bill: &Bill, sign: &str) -> String {
        if self.is_embedding {
            return "–".to_owned();
        }
        let mark = match (sign, self.shown()) {
            ("-", _) => "- ",
            (_, Level::Worst) => "≤ ",
            _ => "~ ",
        };
        let tokens = bill.output_tokens(self.shown());
        tokens.map_or("unknown".to_owned(), |tokens| format!("{mark}{}", grouped(tokens)))
    }

    pub(super) fn amount(&self, pico: Option<u64>) -> String {
        let money = pico.and_then(|pico| self.money(pico));
        money.map_or("unknown".to_owned(), |money| money.show())
    }

    /// What it will cost: likely, at worst, above a step of the price, against realtime.
    fn expectations(&self, limit: &str) -> Vec<String> {
        if self.sent.requests == 0 {
            return Vec::new();
        }
        let bill = self.sent_bill();
        let forecast = self.forecast();
        let mut lines = Vec::new();
        if !self.is_embedding {
            lines.extend(labelled("Likely", &self.likely(forecast.cost, forecast.output_tokens)));
            if !self.is_free() {
                lines.extend(labelled("Worst", &[self.worst(limit)]));
            }
            lines.extend(self.reask_lines());
        }
        lines.extend(self.way_of_sending());
        for step in bill.steps() {
            let rows = if step.requests == 1 { "row" } else { "rows" };
            let text = format!(
                "{} {rows} with {} or more prompt tokens: another price holds for them, {} of \
                 what is likely",
                grouped(step.requests),
                grouped(step.from),
                self.amount(step.cost)
            );
            lines.extend(labelled("Step", &[text]));
        }
        lines.extend(self.saved());
        lines
    }

    fn likely(&self, cost: Range, tokens: Range) -> Vec<String> {
        let is_free = self.is_free();
        let range = |range: Range, show: &dyn Fn(u64) -> String| match (range.low, range.high) {
            (Some(low), Some(high)) => format!(" ({} to {})", show(low), show(high)),
            _ => String::new(),
        };
        let price = if is_free { "free".to_owned() } else { self.amount(cost.likely) };
        let prices =
            if is_free { String::new() } else { range(cost, &|pico| self.amount(Some(pico))) };
        let output = tokens.likely.map_or_else(|| "unknown".to_owned(), grouped);
        let source = match self.learned_from {
            0 => "assumed: no finished row of exactly this question".to_owned(),
            rows @ 1..FEWEST => {
                let word = if rows == 1 { "row" } else { "rows" };
                format!("from {rows} earlier {word} of this prompt, too few to tell a range")
            }
            rows => format!("from {} earlier rows of this prompt", grouped(rows)),
        };
        vec![
            format!("{price}{prices}"),
            format!("output tokens {output}{}", range(tokens, &grouped)),
            source,
        ]
    }

    /// `named` says where the limit of one answer was said.
    fn worst(&self, named: &str) -> String {
        let forecast = self.forecast();
        let own = self.price.as_ref().and_then(|price| price.max_output_tokens);
        if let Some(most) = self.max_tokens {
            let price = self.amount(forecast.cost.worst);
            let limit = match own.filter(|own| *own < most) {
                None => format!("{} tokens ({named})", grouped(most)),
                Some(own) => {
                    let own = grouped(own);
                    format!("{own} tokens, the model's own maximum ({named} {most} is more)")
                }
            };
            let again = match self.reasks.map(|reasks| reasks.times) {
                None => String::new(),
                Some(1) => ", and every row is asked once more".to_owned(),
                Some(times) => format!(", and every row is asked {times} times more"),
            };
            return format!("{price} if every answer has {limit}{again}");
        }
        let own = own.map_or(String::new(), |own| format!(" ({} tokens a row)", grouped(own)));
        let reserve = match forecast.reserve {
            None => String::new(),
            reserve => format!("; reserved: {}, 1.5 x likely", self.amount(reserve)),
        };
        format!(
            "without --max-tokens it is the model's own maximum{own}, which is of no use{reserve}"
        )
    }

    /// What is paid where that is not the price of a batch alone.
    fn way_of_sending(&self) -> Vec<String> {
        let bill = self.sent_bill();
        match (self.mode, self.finish) {
            (Mode::Realtime, _) => {
                let mut pieces = vec!["sent now, by calls, at the realtime price".to_owned()];
                if let Some(batch) = bill.cost(Mode::Batch, Level::Likely) {
                    let price = match batch {
                        0 => "free".to_owned(),
                        batch => format!("likely {}", self.amount(Some(batch))),
                    };
                    pieces.push(format!("as a batch, up to 24 hours: {price}"));
                }
                labelled("Mode", &pieces)
            }
            (Mode::Batch, Mode::Realtime) => labelled(
                "Finish",
                &["what the batch leaves is sent by calls, at the realtime price: at most all \
                   of it"
                    .to_owned()],
            ),
            (Mode::Batch, Mode::Batch) => Vec::new(),
        }
    }

    /// What a batch, earlier answers and equal rows save, as far as that is known.
    fn saved(&self) -> Vec<String> {
        let [sent, answered, equal] = &self.bills;
        let likely = |bill: &Bill, mode| bill.cost(mode, Level::Likely);
        let mut pieces = Vec::new();
        if self.mode == Mode::Batch
            && let (Some(realtime), Some(batch)) =
                (likely(sent, Mode::Realtime), likely(sent, Mode::Batch))
            && let Some(saved) = realtime.checked_sub(batch).filter(|saved| *saved > 0)
        {
            let percent = u128::from(saved) * 100 / u128::from(realtime);
            pieces.push(format!("{} ({percent} %) against realtime", self.amount(Some(saved))));
        }
        for (bill, words) in [(answered, "by earlier answers"), (equal, "by equal rows")] {
            if let Some(saved) = likely(bill, self.mode).filter(|saved| *saved > 0) {
                pieces.push(format!("{} {words}", self.amount(Some(saved))));
            }
        }
        labelled_if_any("Saves", &pieces)
    }

    /// The files, and how the prompt tokens fit into what may be queued, which is the time.
    fn way(&self, heading: &Heading<'_>) -> Vec<String> {
        let shards = if self.shards == 1 { "shard" } else { "shards" };
        let mut text = format!("{} in {} {shards}", megabytes(self.bytes), grouped(self.shards));
        if let Some((requests, bytes)) = heading.limits {
            let (requests, bytes) = (grouped(requests), megabytes(bytes));
            text += &format!(" (limit {requests} requests, {bytes})");
        }
        let mut pieces = vec![text];
        if let Some(limit) = self.cut_below {
            let limit = self.amount(Some(limit));
            pieces.push(format!("cut so that several fit below the limit of {limit}"));
        }
        if self.mode == Mode::Realtime {
            let size = format!("{} in {} {shards}", megabytes(self.bytes), grouped(self.shards));
            pieces[0] = format!("{size}, answered one by one and kept as they come");
            return labelled("Calls", &pieces);
        }
        let mut lines = labelled("Upload", &pieces);
        let Some((limit, waves)) = heading.queue else {
            let text = "prompt tokens that may be queued: unknown".to_owned();
            lines.extend(labelled("Queue", &[text]));
            return lines;
        };
        let tokens = self.sent.input_tokens().map_or_else(|| "unknown".to_owned(), grouped);
        let word = if waves == 1 { "wave" } else { "waves" };
        lines.extend(labelled(
            "Queue",
            &[
                format!("prompt tokens {tokens} of {} that may be queued", grouped(limit)),
                format!(
                    "{} {word}, minutes to {} hours",
                    grouped(waves),
                    grouped(waves.max(1).saturating_mul(WAVE_HOURS))
                ),
            ],
        ));
        lines
    }
}

fn labelled_if_any(label: &str, pieces: &[String]) -> Vec<String> {
    if pieces.is_empty() { Vec::new() } else { labelled(label, pieces) }
}

fn row(name: &str, cells: [&str; 5]) -> String {
    let mut line = format!("  {name}");
    let mut end = 2_usize;
    for (cell, width) in cells.iter().zip([23, 12, 14, 14, 11]) {
        end += width;
        // What is too wide pushes the others aside, but never touches them.
        let free = end.saturating_sub(line.chars().count() + cell.chars().count());
        line.extend(std::iter::repeat_n(' ', free.max(1)));
        line.push_str(cell);
    }
    line
}

fn word(detail: Detail) -> &'static str {
    match detail {
        Detail::Low => "low",
        Detail::High => "high",
        Detail::Auto => "auto",
        Detail::Original => "original",
    }
}

#[cfg(test)]
#[path = "sheet_tests.rs"]
mod tests;
