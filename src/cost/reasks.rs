//! What second questions will cost: rows whose answer is not the JSON that was wanted are asked
//! again, with that answer and what was wrong with it, at most so many times.

use super::bill::{Bill, Level};
use super::estimate::Estimate;
use super::forecast::{Biller, reserve_of};
use super::numbers::grouped;
use super::sheet::labelled;
use super::terms::{Forecast, Range};
use crate::batch::Used;

/// What share of answers is taken to be not as wanted where no finished row tells.
const ASSUMED_FIRST: f64 = 0.05;
/// The same of answers to second questions.
const ASSUMED_AGAIN: f64 = 0.5;
/// Prompt tokens of what is said about an answer, besides the wanted form: likely, and at most.
const REMARK: (u64, u64) = (60, 660);

/// How often rows are asked again, and how common answers are because of which they are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reasking {
    /// The most times for one row; 0 is never.
    pub times: u32,
    /// Prompt tokens of the line that names the wanted form.
    pub form_tokens: u64,
    /// First answers of finished rows of the same prompt, and those of them that were not as
    /// wanted.
    pub first: (u64, u64),
    /// Answers to second questions of the same prompt, and those of them that were not as wanted.
    pub again: (u64, u64),
}

/// Second questions on average for one row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PerRow {
    likely: f64,
    /// It is hardly more; `None` where nothing was learned.
    high: Option<f64>,
}

impl Reasking {
    fn per_row(&self) -> PerRow {
        let (first, first_high) = share(self.first, ASSUMED_FIRST);
        let (again, again_high) = share(self.again, ASSUMED_AGAIN);
        let sum = |first: f64, again: f64| {
            let rounds = 0..i32::try_from(self.times).unwrap_or(i32::MAX);
            rounds.map(|round| first * again.powi(round)).sum::<f64>()
        };
        let is_learned = self.first.0 > 0;
        PerRow { likely: sum(first, again), high: is_learned.then(|| sum(first_high, again_high)) }
    }
}

/// The share of some answers that was bad, and what it is hardly above.
fn share((answers, bad): (u64, u64), assumed: f64) -> (f64, f64) {
    if answers == 0 {
        return (assumed, 1.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "rows of a table")]
    let (answers, bad) = (answers as f64, bad as f64);
    // Three standard deviations of a count above it, and three for a kind that was not seen yet.
    (bad / answers, ((bad + 3.0 * bad.sqrt() + 3.0) / answers).min(1.0))
}

/// The bills of second questions while requests are added up.
#[derive(Debug, Default)]
pub struct ReaskBills {
    likely: Bill,
    worst: Bill,
}

impl ReaskBills {
    /// Empty ones of these rates.
    pub fn new(biller: &Biller<'_>) -> Self {
        Self { likely: biller.bill(), worst: biller.bill() }
    }

    /// Adds a second question about a request with this prompt.
    pub fn add(&mut self, biller: &Biller<'_>, (text, images): (u64, u64)) {
        let form = biller.reasking().form_tokens;
        let [likely, worst] = biller.answer_tokens();
        let longer = text.saturating_add(likely).saturating_add(REMARK.0 + form);
        biller.add(&mut self.likely, longer, images);
        let longest = text.saturating_add(worst);
        biller.add(&mut self.worst, longest.saturating_add(REMARK.1 + form), images);
    }

    /// What they come to.
    pub fn finish(&self, biller: &Biller<'_>) -> Reasks {
        let reasking = biller.reasking();
        let per_row = reasking.per_row();
        let part = |whole: u64, share: f64| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an estimate, of what is not negative"
            )]
            let part = (whole as f64 * share).round() as u64;
            part
        };
        let times = u64::from(reasking.times);
        let likely = |of: &dyn Fn(Level) -> Option<u64>| Range {
            low: per_row.high.map(|_| 0),
            likely: of(Level::Likely).map(|all| part(all, per_row.likely)),
            high: per_row.high.and_then(|high| Some(part(of(Level::High)?, high))),
            worst: None,
        };
        let cost = likely(&|level| self.likely.paid(level));
        let worst = self.worst.paid(Level::Worst);
        let output = likely(&|level| self.likely.output_tokens(level));
        let worst_output = self.worst.output_tokens(Level::Worst);
        Reasks {
            times: reasking.times,
            requests: part(self.likely.requests(), per_row.likely),
            cost: Range { worst: worst.map(|all| all.saturating_mul(times)), ..cost },
            output_tokens: Range {
                worst: worst_output.map(|all| all.saturating_mul(times)),
                ..output
            },
            learned: reasking.first,
        }
    }
}

/// What second questions are expected to use and to cost, in trillionths of the price's currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasks {
    /// The most times for one row.
    pub times: u32,
    /// How many there will likely be.
    pub requests: u64,
    /// Their cost, as they are sent.
    pub cost: Range,
    /// Their completion tokens.
    pub output_tokens: Range,
    /// Finished first answers that the share is learned from, and those that were not as wanted;
    /// where there are none it is assumed.
    pub learned: (u64, u64),
}

impl Reasks {
    /// What they will likely cost in batches; `None` = unknown.
    pub fn likely_cost(&self) -> Option<u64> {
        self.cost.likely
    }

    /// What is set aside for them: their worst case, or one and a half times what is likely.
    fn reserve(&self) -> Option<u64> {
        self.cost.worst.or_else(|| self.cost.likely.map(reserve_of))
    }

    /// A forecast of first questions with what is expected of these too.
    #[must_use]
    pub fn with(&self, first: &Forecast) -> Forecast {
        Forecast {
            cost: first.cost.and(self.cost),
            output_tokens: first.output_tokens.and(self.output_tokens),
            reserve: first.reserve.zip(self.reserve()).map(|(a, b)| a.saturating_add(b)),
            ..first.clone()
        }
    }

    /// How often, how likely and what it costs; amounts are worded by whoever knows the currency.
    pub fn words(&self, shown: impl Fn(Option<u64>) -> String) -> Vec<String> {
        let times =
            if self.times == 1 { "once".to_owned() } else { format!("{} times", self.times) };
        let source = match self.learned {
            (0, _) => "assumed: 5 % of the answers are bad".to_owned(),
            (answers, bad) => {
                format!("{} of {} earlier answers were bad", grouped(bad), grouped(answers))
            }
        };
        let more = |pico: Option<u64>| match pico {
            Some(0) => "free".to_owned(),
            Some(pico) => format!("+{}", shown(Some(pico))),
            None => "unknown".to_owned(),
        };
        let worst = match self.output_tokens.worst {
            Some(_) => format!("worst {}", more(self.cost.worst)),
            None => "no worst case without --max-tokens".to_owned(),
        };
        vec![
            format!("at most {times} a row, where the JSON is not as wanted"),
            format!("likely {} ({source})", more(self.cost.likely)),
            worst,
        ]
    }
}

/// What became of rows that were asked again, and what their second answers used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasked {
    /// Rows, those that ask the same as another among them.
    pub rows: u64,
    /// Those of them that are good by it.
    pub good: u64,
    /// What it used; its `rows` are answers.
    pub used: Used,
}

impl Reasked {
    /// The parts of its line; none where no row was asked again.
    pub(super) fn words(&self, shown: impl Fn(u64) -> String) -> Vec<String> {
        if self.rows == 0 {
            return Vec::new();
        }
        let rows = if self.rows == 1 { "row" } else { "rows" };
        let answers = if self.used.rows == 1 { "answer" } else { "answers" };
        let verb = if self.good == 1 { "is" } else { "are" };
        let cost = match self.used.cost() {
            Some(pico) => format!("{} of the cost", shown(pico)),
            None => format!("{} tokens", grouped(self.used.usage.total())),
        };
        vec![
            format!(
                "{} {rows}, of which {} {verb} good now;",
                grouped(self.rows),
                grouped(self.good)
            ),
            format!("{} further {answers}, {cost}", grouped(self.used.rows)),
        ]
    }
}

impl Estimate {
    /// The line about second questions; none where there will be none.
    pub(super) fn reask_lines(&self) -> Vec<String> {
        let Some(reasks) = &self.reasks else { return Vec::new() };
        labelled("Re-asks", &reasks.words(|pico| self.amount(pico)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Currency, Lengths, Price, Pricing, Rates};

    fn price() -> Price {
        let rates = Some(Rates { input: Some(2), output: Some(10), ..Rates::default() });
        Price {
            provider: "openai".into(),
            model: "m".into(),
            currency: Currency::USD,
            realtime: rates,
            batch: rates,
            basis: None,
            tiers: Vec::new(),
            as_of: "2026-11-20".into(),
            source: String::new(),
            is_own: false,
            batch_accepted: None,
            batch_refusal: None,
            max_output_tokens: None,
            vendor_page: None,
            deprecated_on: None,
        }
    }

    fn reasks(pricing: &Pricing) -> Reasks {
        let biller = Biller::new(pricing, 100, true);
        let mut bills = ReaskBills::new(&biller);
        (0..100).for_each(|_| bills.add(&biller, (1_000, 0)));
        bills.finish(&biller)
    }

    /// B07: the price of the ladder, at worst every row on every rung.
    #[test]
    fn b07_what_second_questions_cost() {
        let reasking = |times, first, again| Reasking { times, form_tokens: 40, first, again };
        let pricing = |reasking, max_tokens| Pricing {
            price: Some(price()),
            max_tokens,
            reasking,
            lengths: Lengths::of(&[50; 5]),
            ..Pricing::default()
        };
        // A question of 1,000 with an answer of 50 and 100 more: 1,150 tokens, and 50 for the
        // next answer; at worst 1,000 + 200 + 700 and 200.
        let (one, most) = (1_150 * 2 + 50 * 10, 1_900 * 2 + 200 * 10);
        let table = [
            (reasking(1, (0, 0), (0, 0)), 5, one * 5, most * 100),
            (reasking(2, (0, 0), (0, 0)), 8, one * 15 / 2, most * 200),
            (reasking(2, (1_000, 200), (0, 0)), 30, one * 30, most * 200),
            (reasking(3, (1_000, 200), (100, 10)), 22, one * 222 / 10, most * 300),
            (reasking(2, (1_000, 0), (0, 0)), 0, 0, most * 200),
        ];
        for (reasking, requests, likely, worst) in table {
            let all = reasks(&pricing(reasking, Some(200)));
            assert_eq!(all.requests, requests, "{reasking:?}");
            assert_eq!((all.cost.likely, all.cost.worst), (Some(likely), Some(worst)), "{all:?}");
            assert!(all.cost.high.is_none_or(|high| high >= likely && high <= worst), "{all:?}");
            assert_eq!(all.cost.high.is_some(), reasking.first.0 > 0, "learned or assumed");
        }
        let unbounded = reasks(&pricing(reasking(1, (0, 0), (0, 0)), None));
        assert_eq!((unbounded.cost.likely, unbounded.cost.worst), (Some(one * 5), None));
        let first = Forecast { reserve: Some(7), ..Forecast::default() };
        assert_eq!(unbounded.with(&first).reserve, Some(7 + reserve_of(one * 5)));
        let words = |reasks: &Reasks| {
            let shown = |pico: Option<u64>| pico.map_or_else(String::new, |pico| pico.to_string());
            reasks.words(shown)[1..].join("; ")
        };
        assert_eq!(
            words(&unbounded),
            "likely +14000 (assumed: 5 % of the answers are bad); no worst case without --max-tokens"
        );
        let unknown = Pricing { price: None, ..pricing(reasking(1, (0, 0), (0, 0)), Some(9)) };
        assert!(words(&reasks(&unknown)).ends_with("worst unknown"));
        assert_eq!(reasks(&unknown).cost, Range { low: None, ..Range::default() });
    }
}
