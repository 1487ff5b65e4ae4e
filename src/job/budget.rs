//! Limits of money and of requests: which shards stay at home because of them, and what to tell.
//! A shard is reserved with its worst case, so reserves that turn out too large make a job wait
//! for its own batches; only where nothing of it runs any more does it stop.

use super::JobError;
use super::drive::Driver;
use super::price::terms_of;
use crate::cost::{Currency, Money, grouped};
use crate::provider::Address;
use crate::store::{Budget, Cap, Limit, Over, ShardRecord, ShardState, Store, StoreError};

/// What all jobs of this home may cost in one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DailyBudget {
    /// As much as they want.
    #[default]
    None,
    /// So much.
    Of(Money),
    /// A limit that cannot be kept for this job, and why: nothing is sent under it.
    Unclear(String),
}

/// Why nothing more is sent: the next shard could pass a limit. Nothing of the job is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverBudget {
    /// The limit and the figures, in words.
    pub why: String,
    /// What would let the whole rest go.
    pub raise: Raise,
}

const TO_GO_ON: &str = "; to go on: ";
const OR: &str = ", or ";

/// The lines that go on with a job, from the reason that was recorded where it met a limit.
pub fn lines_in_reason(reason: &str) -> impl Iterator<Item = &str> {
    let lines = reason.split_once(TO_GO_ON).map(|(_, lines)| lines.split(OR));
    lines.into_iter().flatten()
}

/// What lets a job go on that met a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raise {
    /// `--max-cost` of so much.
    MaxCost(Money),
    /// A day's budget of so much, or another day.
    Daily(Money),
    /// `max_requests` of so many.
    MaxRequests(u64),
    /// No figure is known.
    Nothing,
}

impl OverBudget {
    /// Why, and the line that goes on, in one sentence.
    pub(super) fn sentence(&self, job: &str) -> String {
        format!("{}{TO_GO_ON}{}", self.why, self.lines(job).join(OR))
    }

    /// The line that goes on with the job, and what it depends on.
    pub fn lines(&self, job: &str) -> Vec<String> {
        let resume = format!("batchctl resume {job}");
        match self.raise {
            Raise::MaxCost(money) => {
                vec![format!("{resume} --max-cost {}", money.rounded_up().typed())]
            }
            Raise::Daily(money) => vec![
                format!("{resume}   (tomorrow)"),
                format!("{resume} --set daily_budget={}", money.rounded_up().typed()),
            ],
            Raise::MaxRequests(most) => vec![format!("{resume} --set max_requests={most}")],
            Raise::Nothing => vec![resume],
        }
    }
}

/// Whether nothing is charged at an address.
fn is_rehearsal(url: &str) -> bool {
    url.starts_with("sandbox:") || Address::parse(url).is_ok_and(|address| address.is_loopback())
}

fn cap(money: Money) -> Cap {
    Cap { currency: money.currency.code().to_owned(), most: money.pico }
}

/// What the jobs of the day have spent and reserved, where that has reached this limit: then
/// nothing is left of it for calls to this address outside of a job.
pub fn day_used_up(
    store: &Store,
    (limit, base_url): (Money, &str),
    now: i64,
) -> Result<Option<Money>, StoreError> {
    let about = (base_url, limit.currency.code());
    let pico = store.charged_on_day(about, is_rehearsal, now)?;
    Ok((pico >= limit.pico).then_some(Money { currency: limit.currency, pico }))
}

impl Driver<'_> {
    /// The limits under which the job sends.
    pub(super) fn budget(&self) -> Budget {
        let terms = terms_of(self.job);
        let daily = match &self.options.daily_budget {
            DailyBudget::Of(money) => Some(cap(*money)),
            DailyBudget::None | DailyBudget::Unclear(_) => None,
        };
        Budget {
            max_cost: terms.max_cost.map(cap),
            daily,
            max_requests: terms.max_requests,
            is_rehearsal,
        }
    }

    /// The first of these shards, as many as the limits have room for.
    pub(super) fn within_budget(
        &self,
        mut open: Vec<ShardRecord>,
    ) -> Result<Vec<ShardRecord>, JobError> {
        if matches!(self.options.daily_budget, DailyBudget::Unclear(_)) {
            return Ok(Vec::new());
        }
        let budget = self.budget();
        let Some(first) = open.first().filter(|_| !budget.is_none()) else { return Ok(open) };
        let (_, mut counted) = self.store.counted(first.id, &budget, self.clock.unix())?;
        let mut room = 0;
        for shard in &open {
            let item = self.store.charge_item(shard.id)?;
            if budget.passed_by(&item, &counted).is_some() {
                break;
            }
            counted.add(&item);
            room += 1;
        }
        open.truncate(room);
        Ok(open)
    }

    /// Why the next shard is not sent, if that is for a limit.
    pub(super) fn over_budget(&self) -> Result<Option<OverBudget>, JobError> {
        let mut unsent = self.unsent_shards()?;
        // What has begun has its reserve.
        unsent.retain(|shard| shard.state != ShardState::Calling);
        let Some(next) = unsent.first() else { return Ok(None) };
        if let DailyBudget::Unclear(why) = &self.options.daily_budget {
            return Ok(Some(OverBudget { why: why.clone(), raise: Raise::Nothing }));
        }
        let budget = self.budget();
        if budget.is_none() {
            return Ok(None);
        }
        let (item, counted) = self.store.counted(next.id, &budget, self.clock.unix())?;
        Ok(budget.passed_by(&item, &counted).map(|over| told(&over, &budget, &unsent)))
    }
}

/// A limit that a shard could pass, in words.
fn told(over: &Over, budget: &Budget, unsent: &[ShardRecord]) -> OverBudget {
    let cap = match over.limit {
        Limit::MaxCost => budget.max_cost.as_ref(),
        Limit::Daily => budget.daily.as_ref(),
        Limit::MaxRequests => None,
    };
    let currency: Option<Currency> = cap.and_then(|cap| cap.currency.parse().ok());
    let amount = |number: u64| match currency {
        Some(currency) => Money { currency, pico: number }.show(),
        None => grouped(number),
    };
    let (name, spent) = match over.limit {
        Limit::MaxCost => ("--max-cost", "spent"),
        Limit::Daily => ("daily_budget", "spent today"),
        Limit::MaxRequests => ("max_requests", "requests sent:"),
    };
    let number = unsent.first().map_or(0, |shard| shard.number);
    let next = match over.next {
        Some(next) => format!("shard {number} could add {}", amount(next)),
        None => format!("what shard {number} could cost is unknown"),
    };
    let why = format!(
        "{spent} {}, reserved {}; {next}, and {name} is {}",
        amount(over.spent),
        amount(over.reserved),
        amount(over.most)
    );
    let rest = |of: fn(&ShardRecord) -> Option<u64>| {
        let all = unsent.iter().map(of).try_fold(0_u64, |sum, n| Some(sum.saturating_add(n?)));
        all.map(|all| all.saturating_add(over.spent).saturating_add(over.reserved))
    };
    let money = || Some(Money { currency: currency?, pico: rest(|shard| shard.reserve)? });
    let raise = match over.limit {
        Limit::MaxCost => money().map(Raise::MaxCost),
        Limit::Daily => money().map(Raise::Daily),
        Limit::MaxRequests => rest(|shard| Some(shard.rows)).map(Raise::MaxRequests),
    };
    let raise = raise.filter(|_| over.next.is_some()).unwrap_or(Raise::Nothing);
    OverBudget { why, raise }
}
