//! What a job has used and cost, beside what it was expected to cost: for people and for programs.
//!
//! Only words and arithmetic; the sums come from the ledger. What is unknown is said to be so,
//! never 0.

use serde::Serialize;

use super::money::{Currency, Money};
use super::numbers::grouped;
use super::phrases::{LABEL, close, counted, wrapped};
use super::reasks::Reasked;
use super::terms::Range;
use crate::batch::{Usage, Used};

/// What was not paid, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Saved {
    /// By asking in batches what calls would have answered.
    pub batch: Option<u64>,
    /// Answers that rows got from rows that ask the same, and what they would have cost.
    pub equal: (u64, Option<u64>),
    /// Answers that were taken from earlier jobs, and what they would have cost.
    pub cached: (u64, Option<u64>),
}

/// The account of a job's money. Amounts are trillionths of the currency's unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// The currency; `None` where no price is known.
    pub currency: Option<Currency>,
    /// Whose price it is.
    pub provider: String,
    /// Whether it is charged; at a sandbox nothing is.
    pub is_charged: bool,
    /// Every answer of every round, surplus batches included.
    pub all: Used,
    /// Those of them that came by calls.
    pub by_calls: Used,
    /// Those of them whose row was not good after it.
    pub not_good: Used,
    /// Rows that were asked again because of their answer.
    pub reasked: Reasked,
    /// What surplus batches used beyond the answers that were taken; its `rows` are batches.
    pub surplus: Used,
    /// Answers of which it is not known what they used.
    pub without_usage: u64,
    /// What the job was expected to cost.
    pub expected: Option<Range>,
    /// Whether nothing more will be used.
    pub is_over: bool,
    /// Whether all that was to be sent has been answered, so that the two can be compared.
    pub is_complete: bool,
    /// What was not paid.
    pub saved: Saved,
    /// What running batches may still cost; `Some(None)` = unknown.
    pub reserved: Option<Option<u64>>,
}

/// The same for programs: amounts in the currency's unit, `null` = unknown.
#[derive(Debug, Clone, Serialize)]
pub struct CostDocument {
    currency: Option<Currency>,
    /// What was paid; at a sandbox what would have been.
    actual: Option<f64>,
    /// Whether it is charged.
    charged: bool,
    low: Option<f64>,
    likely: Option<f64>,
    high: Option<f64>,
    worst: Option<f64>,
    off_percent: Option<f64>,
    /// What running batches may still cost.
    reserved: Option<f64>,
    /// What of it was paid for answers to calls.
    by_calls: CountedCost,
    not_good: CountedCost,
    surplus: CountedCost,
    reasks: ReaskedDocument,
    /// Answers of which it is not known what they used.
    usage_unknown: u64,
    /// Answers whose price is unknown.
    price_unknown: u64,
    saved: SavedDocument,
}

/// Rows that were asked again because of their answer, and what their further answers cost.
#[derive(Debug, Clone, Serialize)]
struct ReaskedDocument {
    rows: u64,
    good: u64,
    answers: u64,
    cost: Option<f64>,
}

/// A number of answers, rows or batches with its cost.
#[derive(Debug, Clone, Serialize)]
struct CountedCost {
    count: u64,
    cost: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "they are the names in the document")]
struct SavedDocument {
    by_batch: Option<f64>,
    by_earlier_answers: Option<f64>,
    by_equal_rows: Option<f64>,
}

impl Spent {
    /// What was paid for all answers; `None` where that is not known.
    pub fn actual(&self) -> Option<Money> {
        self.money(self.all.cost()?)
    }

    /// How far the cost is from what was expected, in tenths of a percent.
    pub fn off(&self) -> Option<i64> {
        if !self.is_complete || self.without_usage > 0 {
            return None;
        }
        let likely = i128::from(self.expected?.likely.filter(|likely| *likely > 0)?);
        let actual = i128::from(self.actual()?.pico);
        let off = (actual - likely) * 1000;
        // To the nearest tenth, halves away from zero.
        i64::try_from((off + off.signum() * likely / 2) / likely).ok()
    }

    /// The lines of an account; none where nothing was used and nothing is saved.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = tokens_lines(self.all.usage);
        if self.all.rows > 0 || self.without_usage > 0 {
            lines.extend(wrapped("cost", &self.cost_words()));
            lines.extend(self.parts());
            let reasked = self.reasked.words(|pico| self.shown(Some(pico)));
            lines.extend(wrapped("re-asked", &reasked));
        }
        lines.extend(wrapped("saved", &self.saved_words()));
        lines
    }

    /// The cost in a cell of a list.
    pub fn short(&self) -> String {
        if self.all.rows == 0 {
            return "–".to_owned();
        }
        if !self.is_charged {
            return "rehearsal".to_owned();
        }
        match self.actual() {
            Some(money) if self.without_usage == 0 => shown(money),
            _ => match self.money(self.all.known) {
                Some(known) if known.pico > 0 => format!("> {}", known.show()),
                _ => "unknown".to_owned(),
            },
        }
    }

    /// What was charged as a script reads it: `1.71USD`, or `unknown`.
    pub fn plain(&self) -> String {
        let nothing = !self.is_charged || (self.is_over && self.all.rows == 0);
        let known = self.all.rows > 0 && self.without_usage == 0;
        match self.actual().filter(|_| known) {
            _ if nothing => "0".to_owned(),
            Some(money) => money.typed(),
            None => "unknown".to_owned(),
        }
    }

    /// For programs.
    pub fn document(&self) -> CostDocument {
        let units = |pico: Option<u64>| Some(self.money(pico?)?.units());
        let counted = |count, pico| CountedCost { count, cost: units(pico) };
        let expected = self.expected.unwrap_or_default();
        CostDocument {
            currency: self.currency,
            actual: self.actual().map(|money| money.units()),
            charged: self.is_charged,
            low: units(expected.low),
            likely: units(expected.likely),
            high: units(expected.high),
            worst: units(expected.worst),
            #[expect(clippy::cast_precision_loss, reason = "a percentage")]
            off_percent: self.off().map(|tenths| tenths as f64 / 10.0),
            reserved: units(self.reserved.map_or(Some(0), |reserved| reserved)),
            by_calls: counted(self.by_calls.rows, self.by_calls.cost()),
            not_good: counted(self.not_good.rows, self.not_good.cost()),
            surplus: counted(self.surplus.rows, self.surplus.cost()),
            reasks: ReaskedDocument {
                rows: self.reasked.rows,
                good: self.reasked.good,
                answers: self.reasked.used.rows,
                cost: units(self.reasked.used.cost()),
            },
            usage_unknown: self.without_usage,
            price_unknown: self.all.unpriced,
            saved: SavedDocument {
                by_batch: units(self.saved.batch),
                by_earlier_answers: units(self.saved.cached.1),
                by_equal_rows: units(self.saved.equal.1),
            },
        }
    }

    /// An amount of the account's currency as people read it; `unknown` without one.
    pub fn shown(&self, pico: Option<u64>) -> String {
        let money = pico.and_then(|pico| self.money(pico));
        money.map_or_else(|| "unknown".to_owned(), |money| money.show())
    }

    fn money(&self, pico: u64) -> Option<Money> {
        Some(Money { currency: self.currency?, pico })
    }

    fn cost_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.is_charged {
            words.push("nothing was charged;".to_owned());
        }
        let known = self.money(self.all.known).filter(|known| known.pico > 0);
        let so_far = if self.is_complete { "" } else { " so far" };
        match (self.actual(), known) {
            (Some(money), _) if money.pico == 0 => words.push("free;".to_owned()),
            (Some(money), _) if self.is_charged => {
                let least = if self.without_usage > 0 { "at least " } else { "" };
                words.push(format!("{least}{}{so_far};", self.by_mode(money)));
            }
            (Some(money), _) => {
                // A price of the user's own for the sandbox is nobody else's.
                let at = match self.provider.as_str() {
                    "" | "sandbox" => String::new(),
                    provider => format!(" at {provider}"),
                };
                let is_mixed = self.by_calls.rows > 0 && self.by_calls.rows < self.all.rows;
                let cost = if is_mixed { self.by_mode(money) } else { money.show() };
                words.push(format!("would be {cost}{at}{so_far};"));
            }
            (None, Some(known)) => {
                let answers = counted(self.all.unpriced, "answer");
                words.push(format!("at least {};", known.show()));
                words.push(format!("the price of {answers} is unknown;"));
            }
            (None, None) if !self.is_charged => {
                words.push("what it would be is unknown: no price of it is known;".to_owned());
            }
            (None, None) => words.push("unknown: no price of it is known;".to_owned()),
        }
        words.extend(self.expected_words());
        close(&mut words);
        words
    }

    /// An amount with how it was spent: in batches, by calls, or each part of it.
    fn by_mode(&self, money: Money) -> String {
        let calls = self.by_calls;
        if calls.rows == 0 {
            return format!("{} in batch", money.show());
        }
        if calls.rows == self.all.rows {
            return format!("{} by calls", money.show());
        }
        let batch = self.all.known.saturating_sub(calls.known);
        let (batch, rows) = (self.shown(Some(batch)), self.all.rows - calls.rows);
        format!(
            "{}: {batch} in batch for {}, {} by calls for {}",
            money.show(),
            counted(rows, "answer"),
            self.shown(calls.cost()),
            counted(calls.rows, "answer")
        )
    }

    fn expected_words(&self) -> Vec<String> {
        let Some(expected) = self.expected else { return Vec::new() };
        let Some(likely) = expected.likely.and_then(|likely| self.money(likely)) else {
            return Vec::new();
        };
        if likely.pico == 0 {
            return Vec::new();
        }
        let all = if self.is_complete { "" } else { " for all rows" };
        // Nothing was known of the answers' length: that the figure was far off is no surprise.
        let is_assumed = expected.low.is_none() && expected.high.is_none();
        let verb = if is_assumed { "assumed" } else { "estimated" };
        let mut words = vec![format!("{verb} {}{all}", likely.show())];
        if let (Some(low), Some(high)) = (expected.low, expected.high) {
            let (low, high) = (self.shown(Some(low)), self.shown(Some(high)));
            words.push(format!("(low {low}, high {high})"));
        }
        if let Some(last) = words.last_mut() {
            last.push(',');
        }
        words.extend(self.off().map(|tenths| {
            let sign = if tenths < 0 { '-' } else { '+' };
            let tenths = tenths.unsigned_abs();
            format!("off by {sign}{}.{} %", grouped(tenths / 10), tenths % 10)
        }));
        words
    }

    /// What of the cost is for answers that are of no use.
    fn parts(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let parts = [
            (self.not_good, counted(self.not_good.rows, "answer") + " that are not good"),
            (self.surplus, counted(self.surplus.rows, "surplus batch")),
        ];
        for (used, what) in parts.into_iter().filter(|(used, _)| used.rows > 0) {
            let what = what.replace("1 answer that are", "1 answer that is");
            let cost = match used.cost().and_then(|pico| self.money(pico)) {
                Some(money) if money.pico == 0 => continue,
                Some(money) => money.show(),
                None => format!("{} tokens", grouped(used.usage.total())),
            };
            lines.push(format!("{:LABEL$}of it {cost} for {what}", ""));
        }
        if self.without_usage > 0 {
            let rows = counted(self.without_usage, "row");
            lines.push(format!("{:LABEL$}usage unknown for {rows}", ""));
        }
        lines
    }

    fn saved_words(&self) -> Vec<String> {
        let saved = self.saved;
        let parts = [
            (saved.batch, "against realtime".to_owned()),
            (saved.equal.1, format!("by {}", counted(saved.equal.0, "equal row"))),
            (saved.cached.1, format!("by {}", counted(saved.cached.0, "earlier answer"))),
        ];
        let mut words: Vec<String> = parts
            .into_iter()
            .filter_map(|(pico, how)| {
                let money = self.money(pico.filter(|pico| *pico > 0)?)?;
                Some(format!("{} {how},", money.show()))
            })
            .collect();
        if let Some(first) = words.first_mut().filter(|_| !self.is_charged) {
            first.insert_str(0, "would be ");
        }
        close(&mut words);
        words
    }
}

/// The line of tokens; none where there are none.
pub fn tokens_lines(usage: Usage) -> Vec<String> {
    if usage.total() == 0 {
        return Vec::new();
    }
    let with = |tokens: u64, what: &str, part: u64, of_it: &str| {
        let part = if part > 0 { format!(" ({} {of_it})", grouped(part)) } else { String::new() };
        format!("{} {what}{part},", grouped(tokens))
    };
    let mut words = vec![
        with(usage.prompt_tokens, "prompt", usage.cached_tokens, "cached"),
        with(usage.completion_tokens, "completion", usage.reasoning_tokens, "reasoning"),
    ];
    close(&mut words);
    wrapped("tokens", &words)
}

/// An amount as people read it; nothing is free.
pub fn shown(money: Money) -> String {
    if money.pico == 0 { "free".to_owned() } else { money.show() }
}

#[cfg(test)]
mod tests {
    use super::super::phrases::WIDTH;
    use super::*;
    use crate::cost::PICO;

    fn used(rows: u64, prompt_tokens: u64, completion_tokens: u64, known: u64) -> Used {
        let usage = Usage { prompt_tokens, completion_tokens, ..Usage::default() };
        Used { rows, usage, known, unpriced: 0 }
    }

    fn spent() -> Spent {
        Spent {
            currency: Some(Currency::USD),
            provider: "openai".into(),
            is_charged: true,
            is_over: true,
            all: used(1_200, 812_000, 430_000, 1_710_000_000_000),
            expected: Some(Range {
                low: Some(1_400_000_000_000),
                likely: Some(1_650_000_000_000),
                high: Some(2_100_000_000_000),
                worst: Some(4_000_000_000_000),
            }),
            is_complete: true,
            ..Spent::default()
        }
    }

    fn text(spent: &Spent) -> String {
        let lines = spent.lines();
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
        lines.join("\n")
    }

    /// B08: actual beside estimate, with what of it was for nothing and what was saved.
    #[test]
    fn b08_the_whole_account() {
        let mut all = spent();
        all.all.usage.cached_tokens = 1_024;
        all.all.usage.reasoning_tokens = 120_000;
        all.not_good = used(4, 900, 2_000, 30_000_000_000);
        all.surplus = used(1, 9_000, 20_000, 120_000_000_000);
        all.without_usage = 0;
        all.saved = Saved {
            batch: Some(1_710_000_000_000),
            equal: (2, Some(40_000_000_000)),
            cached: (5, Some(100_000_000_000)),
        };
        insta::assert_snapshot!(text(&all), @r"
        tokens    812,000 prompt (1,024 cached), 430,000 completion (120,000 reasoning)
        cost      $1.71 in batch; estimated $1.65 (low $1.40, high $2.10), off by +3.6 %
                  of it $0.030 for 4 answers that are not good
                  of it $0.12 for 1 surplus batch
        saved     $1.71 against realtime, $0.040 by 2 equal rows,
                  $0.10 by 5 earlier answers
        ");
    }

    /// Field report 52: what is unknown is never printed as 0.
    #[test]
    fn field_52_every_kind_of_cost() {
        let none = Spent { currency: None, expected: None, ..spent() };
        let unknown = Spent {
            all: Used { unpriced: 1_200, known: 0, ..none.all },
            not_good: Used { unpriced: 4, ..used(4, 900, 2_000, 0) },
            ..none
        };
        let free = Spent { all: used(3, 60, 90, 0), expected: None, ..spent() };
        let part_known =
            Spent { all: Used { unpriced: 3, ..spent().all }, expected: None, ..spent() };
        let rehearsal = Spent {
            is_charged: false,
            saved: Saved { batch: Some(PICO), ..Saved::default() },
            ..spent()
        };
        let open = Spent { is_complete: false, all: used(600, 9, 9, PICO), ..spent() };
        let silent = Spent { without_usage: 3, ..spent() };
        let large =
            Spent { all: used(9, 9, 9, 123_456 * PICO), currency: Some(Currency::CNY), ..spent() };
        let nothing = Spent { all: Used::default(), ..spent() };
        let cases = [&unknown, &free, &part_known, &rehearsal, &open, &silent, &large, &nothing];
        let texts: Vec<String> = cases.iter().map(|spent| text(spent)).collect();
        insta::assert_snapshot!(texts.join("\n--\n"), @r"
        tokens    812,000 prompt, 430,000 completion
        cost      unknown: no price of it is known
                  of it 2,900 tokens for 4 answers that are not good
        --
        tokens    60 prompt, 90 completion
        cost      free
        --
        tokens    812,000 prompt, 430,000 completion
        cost      at least $1.71; the price of 3 answers is unknown
        --
        tokens    812,000 prompt, 430,000 completion
        cost      nothing was charged; would be $1.71 at openai; estimated $1.65
                  (low $1.40, high $2.10), off by +3.6 %
        saved     would be $1.00 against realtime
        --
        tokens    9 prompt, 9 completion
        cost      $1.00 in batch so far; estimated $1.65 for all rows
                  (low $1.40, high $2.10)
        --
        tokens    812,000 prompt, 430,000 completion
        cost      at least $1.71 in batch; estimated $1.65 (low $1.40, high $2.10)
                  usage unknown for 3 rows
        --
        tokens    9 prompt, 9 completion
        cost      ¥123,456 in batch; estimated ¥1.65 (low ¥1.40, high ¥2.10),
                  off by +7,482,081.8 %
        --
        ");
        let short: Vec<String> = cases.iter().map(|spent| spent.short()).collect();
        insta::assert_snapshot!(short.join(" | "), @"unknown | free | > $1.71 | rehearsal | $1.00 | > $1.71 | ¥123,456 | –");
        assert_eq!(
            serde_json::to_value(unknown.document()).unwrap()["actual"],
            serde_json::Value::Null
        );
    }

    #[test]
    fn the_error_of_an_estimate_to_a_tenth() {
        let table = [
            (1_000, 1_000, Some(0)),
            (1_036, 1_000, Some(36)),
            (964, 1_000, Some(-36)),
            (1, 3, Some(-667)),
            (3_000, 1, Some(2_999_000)),
            (5, 0, None),
        ];
        for (actual, likely, expected) in table {
            let spent = Spent {
                all: used(1, 1, 1, actual),
                expected: Some(Range { likely: Some(likely), ..Range::default() }),
                ..spent()
            };
            assert_eq!(spent.off(), expected, "{actual} of {likely}");
        }
    }
}
