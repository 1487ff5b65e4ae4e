//! The cells that an answer becomes.

use std::borrow::Cow;

use serde_json::Value;

use super::columns::Column;
use super::summary::Summary;
use super::write::Settled;
use crate::answer::{Judged, RowStatus};
use crate::batch::{Outcome, Reply, ResultLine, Usage};
use crate::cost::PICO;
use crate::table::Cell;

/// One value for each wanted field.
pub(super) type Values<'a> = Cow<'a, [Option<Value>]>;

/// All that is known about a row, for its cells.
pub(super) struct Answer<'a> {
    pub(super) provider: &'a str,
    pub(super) status: RowStatus,
    /// The status it had, if it was filled by the user's rule.
    pub(super) was: Option<RowStatus>,
    pub(super) error: Option<String>,
    /// What each thing in the answer says, or the one thing that every row is; filled where the
    /// user's rule says so.
    pub(super) things: Vec<Values<'a>>,
    pub(super) settled: Option<&'a Settled>,
    pub(super) line: Option<&'a ResultLine>,
    pub(super) judged: Option<&'a Judged<'a>>,
    /// Its own tokens: those of a shared line count where it was paid for.
    pub(super) usage: Option<Usage>,
    pub(super) is_parsed: bool,
    /// What was mended to read the answer.
    pub(super) repairs: String,
    pub(super) has_line: bool,
    pub(super) is_broken: bool,
}

/// Numbers as values, so that JSON outputs have numbers.
#[derive(Default)]
pub(super) struct Numbers {
    rounds: Value,
    prompt_tokens: Value,
    completion_tokens: Value,
    cost: Value,
    seconds: Value,
    is_further: bool,
}

impl Numbers {
    /// Those of the further rows of an answer: what it used stands in its first row alone, so
    /// that the sum of a column stays right; so does its text, or a table would grow with the
    /// square of an answer.
    pub(super) fn of_further(&self) -> Self {
        Self { rounds: self.rounds.clone(), is_further: true, ..Self::default() }
    }
}

impl Answer<'_> {
    /// Takes the row into the account.
    pub(super) fn count(&self, summary: &mut Summary) {
        summary.lines.lines += u64::from(self.has_line);
        summary.lines.broken_lines += u64::from(self.is_broken);
        if let Some(parsed) = summary.parsed.as_mut() {
            *parsed += u64::from(self.is_parsed);
        }
        summary.add(self.status, self.error.as_deref(), self.usage);
        if let (Some(by), Some(usage)) = (self.line.and_then(|line| line.by.as_ref()), self.usage) {
            *summary.called.entry((by.provider.clone(), by.model.clone())).or_default() += usage;
        }
        self.was.into_iter().for_each(|was| summary.count_filled(was));
    }

    /// What the model replied, if it did.
    pub(super) fn reply(&self) -> Option<&Reply> {
        self.line.and_then(|line| match &line.outcome {
            Outcome::Answered(reply) => Some(reply),
            Outcome::Failed(_) => None,
        })
    }

    /// What all answers of the row used together, so that the sum of a column is what was paid.
    pub(super) fn numbers(&self) -> Numbers {
        let earlier = self.settled.map(|settled| settled.earlier).unwrap_or_default();
        let has_earlier = earlier.rows > 0;
        let tokens = |of: fn(Usage) -> u64| -> Value {
            let known = self.usage.map(of).or(has_earlier.then_some(0));
            known.map(|known| known + of(earlier.usage)).into()
        };
        let own = self.settled.and_then(|settled| settled.cost);
        // Where an answer of unknown price was paid for, the sum is unknown too.
        let own = own.or((has_earlier && self.usage.is_none()).then_some(0));
        let cost = own.zip(earlier.cost()).map(|(own, earlier)| own + earlier);
        let rounds = self.settled.map(|settled| settled.rounds).filter(|rounds| *rounds > 0);
        let by = self.line.and_then(|line| line.by.as_ref()).map(|by| by.seconds);
        Numbers {
            rounds: rounds.into(),
            prompt_tokens: tokens(|usage| usage.prompt_tokens),
            completion_tokens: tokens(|usage| usage.completion_tokens),
            cost: cost.map(in_units).into(),
            seconds: by.or(self.settled.and_then(|settled| settled.seconds)).into(),
            is_further: false,
        }
    }

    /// One cell of the row that these values become; an answer of several things has more.
    pub(super) fn cell<'s>(
        &'s self,
        column: Column,
        values: &'s [Option<Value>],
        numbers: &'s Numbers,
    ) -> Cell<'s> {
        let reply = self.reply();
        match column {
            Column::Field(number) => {
                values.get(number).and_then(Option::as_ref).map_or(Cell::Empty, Cell::Json)
            }
            Column::Raw if numbers.is_further => Cell::Empty,
            Column::Raw => model(self.judged.map(|judged| judged.content)),
            Column::ParsingSuccess => Cell::Ours(if self.is_parsed { "True" } else { "False" }),
            Column::Status => Cell::Ours(self.status.as_str()),
            Column::Error => model(self.error.as_deref()),
            Column::Model => {
                // Of a row without an answer a batch does not say which model failed, nor do we.
                let asked = |line: &'s ResultLine| {
                    let by = line.by.as_ref().filter(|_| reply.is_some());
                    by.map(|by| by.model.as_str())
                };
                let of = |line: &'s ResultLine| line.model.as_deref().or(asked(line));
                model(self.line.and_then(of))
            }
            Column::CustomId => {
                let sent = self.settled.and_then(|settled| settled.custom_id.as_deref());
                model(self.line.map(|line| line.custom_id.as_str()).or(sent))
            }
            Column::Provider => {
                let of = |settled: &'s Settled| settled.provider.as_deref().or(Some(self.provider));
                // A line that a call left says itself who was asked.
                let by = self.line.and_then(|line| line.by.as_ref());
                model(by.map(|by| by.provider.as_str()).or(self.settled.and_then(of)))
            }
            Column::FinishReason => model(reply.and_then(|reply| reply.finish_reason.as_deref())),
            Column::ParseStatus => self
                .judged
                .and_then(|judged| judged.parse_status)
                .map_or(Cell::Empty, |status| Cell::Ours(status.as_str())),
            Column::Repairs => model(Some(&self.repairs)),
            Column::Rounds => number(&numbers.rounds),
            Column::PromptTokens => number(&numbers.prompt_tokens),
            Column::CompletionTokens => number(&numbers.completion_tokens),
            Column::Cost => number(&numbers.cost),
            Column::Seconds => number(&numbers.seconds),
        }
    }
}

/// What was mended to read an answer, in words.
pub(super) fn mended(judged: Option<&Judged<'_>>) -> String {
    let repairs = judged.iter().flat_map(|judged| &judged.repairs);
    repairs.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn model(text: Option<&str>) -> Cell<'_> {
    text.filter(|text| !text.is_empty()).map_or(Cell::Empty, Cell::Model)
}

/// Units of the currency as a decimal number, for a cell.
#[expect(clippy::cast_precision_loss, reason = "what one answer costs has few digits")]
pub(super) fn in_units(pico: u64) -> f64 {
    pico as f64 / PICO as f64
}

fn number(value: &Value) -> Cell<'_> {
    if value.is_null() { Cell::Empty } else { Cell::Json(value) }
}
