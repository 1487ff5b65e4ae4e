//! What asking rows of a job again will cost: their prompts are taken to be as long as those of
//! its first round were on average.

use super::jobs::Found;
use super::learned::{learn_shares, lengths_of, reasking};
use super::limits::Paid;
use super::money::Purchase;
use super::who::Who;
use crate::commands::Context;
use crate::cost::{
    Biller, Forecast, Lengths, Money, Price, Pricing, Range, ReaskBills, Reasks, Terms,
};
use crate::job::terms_of;
use crate::request::{Endpoint, Mode, Question};
use crate::store::Store;
use crate::ui::CommandError;

/// The price of one question put to rows of a job again.
pub(super) struct AgainPrice {
    pricing: Pricing,
    /// Prompt tokens of a row; `None` where there are images of unknown size.
    prompt: Option<u64>,
    pub(super) model: String,
}

impl AgainPrice {
    /// The price of a question that may be otherwise than the job's own: the job's, or that of
    /// another model as it is today.
    pub(super) fn of(
        store: &Store,
        (found, who): (&Found, &Who),
        question: &Question,
    ) -> Result<Self, CommandError> {
        let is_same_model = question.model == found.spec.question.model;
        let price = if is_same_model { terms_of(&found.job).price } else { who.price.clone() };
        Self::priced(store, found, question, price)
    }

    /// The price of the job's own question, as it was asked.
    pub(super) fn own(store: &Store, found: &Found) -> Result<Self, CommandError> {
        Self::priced(store, found, &found.spec.question, terms_of(&found.job).price)
    }

    fn priced(
        store: &Store,
        found: &Found,
        question: &Question,
        price: Option<Price>,
    ) -> Result<Self, CommandError> {
        let own = &found.spec.question;
        let terms = terms_of(&found.job);
        let mut reasking = reasking(&found.spec, &question.model);
        let lengths = match &found.job.prompt {
            Some(prompt) if question == own => {
                learn_shares(store, prompt, &mut reasking)?;
                lengths_of(store, prompt)?
            }
            _ => Lengths::default(),
        };
        let first = store.shards(&found.job.key)?.into_iter().filter(|shard| shard.round == 1);
        let (tokens, rows) =
            first.fold((0_u64, 0_u64), |(tokens, rows), s| (tokens + s.tokens, rows + s.rows));
        let is_known = terms.forecast.is_none_or(|forecast| forecast.input_tokens.is_some());
        Ok(Self {
            pricing: Pricing {
                price,
                max_tokens: question.most_output(),
                is_embedding: question.endpoint == Endpoint::Embeddings,
                lengths,
                reasking,
                ..Pricing::default()
            },
            prompt: is_known.then_some(tokens.div_ceil(rows.max(1))),
            model: question.model.clone(),
        })
    }

    /// The same for rows that are sent so.
    #[must_use]
    pub(super) fn by(mut self, mode: Mode) -> Self {
        (self.pricing.mode, self.pricing.finish) = (mode, mode);
        self
    }

    /// What so many rows are expected to cost, and what of it is for second questions.
    fn forecasts(&self, rows: u64) -> (Forecast, Option<Reasks>) {
        let first = self.first(rows);
        let biller = Biller::new(&self.pricing, rows, true);
        let Some(prompt) = self.prompt.filter(|_| self.pricing.reasking.times > 0) else {
            return (first, None);
        };
        let mut bills = ReaskBills::new(&biller);
        (0..rows).for_each(|_| bills.add(&biller, (prompt, 0)));
        let reasks = bills.finish(&biller);
        (reasks.with(&first), Some(reasks))
    }

    /// What so many rows are expected to cost.
    pub(super) fn forecast(&self, rows: u64) -> Forecast {
        self.forecasts(rows).0
    }

    /// What second questions about so many rows will likely cost; `None` = unknown.
    pub(super) fn likely_reasks(&self, rows: u64) -> Option<u64> {
        self.forecasts(rows).1?.likely_cost()
    }

    /// What of it is for second questions, for people.
    pub(super) fn reasks(&self, rows: u64) -> Option<String> {
        let reasks = self.forecasts(rows).1?;
        let shown = |pico: Option<u64>| {
            let money = pico
                .zip(self.price())
                .map(|(pico, price)| Money { currency: price.currency, pico });
            money.map_or_else(|| "unknown".to_owned(), |money| money.show())
        };
        Some(format!("re-asks: {}", reasks.words(shown).join("; ")))
    }

    /// What the first questions alone are expected to cost.
    pub(super) fn first(&self, rows: u64) -> Forecast {
        let biller = Biller::new(&self.pricing, rows, true);
        let mut bill = biller.bill();
        for _ in 0..rows {
            biller.add(&mut bill, self.prompt.unwrap_or(0), 0);
        }
        if self.prompt.is_none() {
            bill.make_unknown();
        }
        let tokens = self.prompt.map(|prompt| prompt.saturating_mul(rows));
        let reserve = self.prompt.and_then(|prompt| biller.reserve(prompt));
        let reserve = reserve.map(|reserve| reserve.saturating_mul(rows));
        Forecast { reserve, ..bill.forecast(tokens, self.pricing.lengths.count()) }
    }

    /// What the job is made under once so many rows of it are asked again: what they are expected
    /// to cost is part of what the whole job is.
    pub(super) fn terms_with(&self, found: &Found, rows: u64) -> Terms {
        let mut terms = terms_of(&found.job);
        let currency = |price: &Price| price.currency;
        let is_same = terms.price.as_ref().map(currency) == self.price().map(currency);
        let mut again = self.forecast(rows);
        if !is_same {
            // Currencies are never added.
            (again.cost, again.reserve) = (Range::default(), None);
        }
        terms.forecast = terms.forecast.map(|forecast| forecast.and(&again));
        terms
    }

    /// What so many rows will likely cost, for people.
    pub(super) fn likely(&self, rows: u64) -> String {
        let likely = self.forecast(rows).cost.likely;
        let money = likely
            .zip(self.price())
            .map(|(pico, price)| Money { currency: price.currency, pico }.show());
        money.map_or("unknown".to_owned(), |money| match money.strip_prefix('<') {
            Some(more) => format!("less than {more}"),
            None => format!("about {money}"),
        })
    }

    /// The model that is asked.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// The price; `None` = unknown.
    pub(super) fn price(&self) -> Option<&Price> {
        self.pricing.price.as_ref()
    }

    /// Returns if the limits that the line names let so many requests begin.
    pub(super) fn require_limits(
        &self,
        context: &Context,
        who: &Who,
        requests: u64,
    ) -> Result<(), CommandError> {
        self.purchase(who, &self.forecast(requests)).limit(context).map(drop)
    }

    /// Returns if so many requests may be paid for; what they are stands above the question.
    pub(super) fn approve(
        &self,
        context: &Context,
        who: &Who,
        requests: u64,
    ) -> Result<(), CommandError> {
        self.purchase(who, &self.forecast(requests)).approve(context, || Ok(())).map(drop)
    }

    /// What is paid at which price.
    pub(super) fn paid(&self) -> Paid<'_> {
        let mode = self.pricing.mode;
        Paid { model: &self.model, price: self.price(), mode, unpriced: None }
    }

    fn purchase<'a>(&'a self, who: &'a Who, forecast: &'a Forecast) -> Purchase<'a> {
        let paid = self.paid();
        let is_free = paid.price.and_then(|price| price.is_free(paid.mode)) == Some(true);
        Purchase { who, paid, forecast, is_free, is_again: true }
    }
}
