//! The limits of money and requests, and what is counted against them: the charges of one job, or
//! of one day. Nothing is written here.

use rusqlite::{Connection, Transaction};

use super::{Store, StoreError, single_calls};

/// The most that may be spent in one currency, in trillionths of its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// Three letters.
    pub currency: String,
    /// The amount.
    pub most: u64,
}

/// The limits that a create must keep.
#[derive(Debug, Clone)]
pub struct Budget {
    /// What the whole job may cost, all its rounds together.
    pub max_cost: Option<Cap>,
    /// What all jobs of this home may cost in one day.
    pub daily: Option<Cap>,
    /// Requests the whole job may send.
    pub max_requests: Option<u64>,
    /// Whether nothing is charged at an address. Such costs are no real ones: each of these
    /// addresses is counted by itself, all others together.
    pub is_rehearsal: fn(&str) -> bool,
}

/// Which limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// What the whole job may cost.
    MaxCost,
    /// What all jobs may cost in one day.
    Daily,
    /// How many requests the whole job may send.
    MaxRequests,
}

/// Why a shard is not sent: it could pass a limit. Amounts are in trillionths of the limit's
/// currency, for [`Limit::MaxRequests`] they are requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Which limit.
    pub limit: Limit,
    /// What is settled already.
    pub spent: u64,
    /// What may still come of shards on their way.
    pub reserved: u64,
    /// What the shard could cost; `None` where that is unknown or in another currency.
    pub next: Option<u64>,
    /// The limit.
    pub most: u64,
}

/// What counts against the limits, and what one more shard would add.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    spent: u64,
    reserved: u64,
}

/// What is counted against the limits of one job now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    job: Sum,
    day: Sum,
    requests: Sum,
}

/// What a shard adds to what is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// The job's key.
    pub job: String,
    /// Where its calls go.
    pub base_url: String,
    /// Its price's currency, where that is known.
    pub currency: Option<String>,
    /// The most it can cost, where that is known.
    pub reserve: Option<u64>,
    /// Its requests.
    pub rows: u64,
}

impl Budget {
    /// No limits.
    pub fn none() -> Self {
        Self { max_cost: None, daily: None, max_requests: None, is_rehearsal: |_| false }
    }

    /// Whether there is no limit.
    pub fn is_none(&self) -> bool {
        self.max_cost.is_none() && self.daily.is_none() && self.max_requests.is_none()
    }

    /// The limit that one more shard could pass.
    pub fn passed_by(&self, item: &Item, counted: &Counted) -> Option<Over> {
        let over = |limit, sum: Sum, next: Option<u64>, most| {
            let all = next.map(|next| sum.spent.saturating_add(sum.reserved).saturating_add(next));
            let Sum { spent, reserved } = sum;
            all.is_none_or(|all| all > most).then_some(Over { limit, spent, reserved, next, most })
        };
        let cost = |limit, sum, cap: &Option<Cap>| {
            let cap = cap.as_ref()?;
            let is_same = item.currency.as_ref() == Some(&cap.currency);
            over(limit, sum, item.reserve.filter(|_| is_same), cap.most)
        };
        let requests =
            || over(Limit::MaxRequests, counted.requests, Some(item.rows), self.max_requests?);
        requests()
            .or_else(|| cost(Limit::MaxCost, counted.job, &self.max_cost))
            .or_else(|| cost(Limit::Daily, counted.day, &self.daily))
    }
}

impl Counted {
    /// Counts a shard as if it were on its way.
    pub fn add(&mut self, item: &Item) {
        let reserve = item.reserve.unwrap_or(0);
        for sum in [&mut self.job, &mut self.day] {
            sum.reserved = sum.reserved.saturating_add(reserve);
        }
        self.requests.reserved = self.requests.reserved.saturating_add(item.rows);
    }
}

/// The local calendar day of a time in Unix seconds: `2026-11-21`.
pub(super) fn local_day(unix: i64) -> String {
    let time = jiff::Timestamp::from_second(unix).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::system()).date().to_string()
}

/// What a shard would add.
pub(super) fn item_of(c: &Connection, shard: i64) -> rusqlite::Result<Item> {
    c.prepare(
        "SELECT shard.job, job.base_url, CASE \
         WHEN json_valid(ask.price) THEN json_extract(ask.price, '$.currency') \
         WHEN json_valid(job.terms) THEN json_extract(job.terms, '$.price.currency') END, \
         shard.reserve, shard.rows FROM shard JOIN job ON job.key = shard.job \
         LEFT JOIN ask ON ask.id = shard.ask WHERE shard.id = ?1",
    )?
    .query_row([shard], |row| {
        Ok(Item {
            job: row.get(0)?,
            base_url: row.get(1)?,
            currency: row.get(2)?,
            reserve: row.get(3)?,
            rows: row.get(4)?,
        })
    })
}

/// Adds up charges. A sum of SQL's own would fail where single amounts are enormous.
fn add_up(
    c: &Connection,
    (column, condition): (&str, &str),
    values: &[&dyn rusqlite::ToSql],
    counts: impl Fn(&str) -> bool,
) -> rusqlite::Result<Sum> {
    let mut sum = Sum::default();
    let query = format!(
        "SELECT base_url, settled, sum({column} / 1000000), sum({column} % 1000000) \
         FROM charge WHERE {condition} GROUP BY base_url, settled"
    );
    let mut statement = c.prepare(&query)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        let (large, small): (Option<u64>, Option<u64>) = (row.get(2)?, row.get(3)?);
        let part = large.unwrap_or(0).saturating_mul(1_000_000).saturating_add(small.unwrap_or(0));
        if counts(&row.get::<_, String>(0)?) {
            let of = if row.get(1)? { &mut sum.spent } else { &mut sum.reserved };
            *of = of.saturating_add(part);
        }
    }
    Ok(sum)
}

/// Which addresses are counted together with this one.
fn same_pot(to: &str, is_rehearsal: fn(&str) -> bool) -> impl Fn(&str) -> bool {
    let is_paid = !is_rehearsal(to);
    move |url| url == to || (is_paid && !is_rehearsal(url))
}

/// What is counted against the limits without this shard.
fn counted(
    c: &Connection,
    (item, but): (&Item, i64),
    budget: &Budget,
    now: i64,
) -> rusqlite::Result<Counted> {
    let same_pot = same_pot(&item.base_url, budget.is_rehearsal);
    let job = match &budget.max_cost {
        Some(Cap { currency, .. }) => add_up(
            c,
            ("cost", "job = ?1 AND currency = ?2 AND (shard <> ?3 OR settled)"),
            &[&item.job, currency, &but],
            |_| true,
        )?,
        None => Sum::default(),
    };
    let day = match &budget.daily {
        Some(Cap { currency, .. }) => {
            let day = local_day(now);
            let mut sum = add_up(
                c,
                ("cost", "day = ?1 AND currency = ?2 AND (shard <> ?3 OR settled)"),
                &[&day, currency, &but],
                &same_pot,
            )?;
            let single = single_calls::on_day(c, (&day, currency), same_pot)?;
            sum.spent = sum.spent.saturating_add(single);
            sum
        }
        None => Sum::default(),
    };
    let requests = match budget.max_requests {
        Some(_) => add_up(
            c,
            ("requests", "job = ?1 AND (shard <> ?2 OR settled)"),
            &[&item.job, &but],
            |_| true,
        )?,
        None => Sum::default(),
    };
    Ok(Counted { job, day, requests })
}

/// The limit that a shard could pass if it were sent now.
pub(super) fn passed(
    tx: &Transaction<'_>,
    shard: i64,
    budget: &Budget,
    now: i64,
) -> rusqlite::Result<Option<Over>> {
    if budget.is_none() {
        return Ok(None);
    }
    let item = item_of(tx, shard)?;
    Ok(budget.passed_by(&item, &counted(tx, (&item, shard), budget, now)?))
}

impl Store {
    /// What is counted now against the limits of the job of a shard, and what the shard adds.
    pub fn counted(
        &self,
        shard: i64,
        budget: &Budget,
        now: i64,
    ) -> Result<(Item, Counted), StoreError> {
        self.read(|c| {
            let item = item_of(c, shard)?;
            let counted = counted(c, (&item, shard), budget, now)?;
            Ok((item, counted))
        })
    }

    /// What a shard would add to what is counted.
    pub fn charge_item(&self, shard: i64) -> Result<Item, StoreError> {
        self.read(|c| item_of(c, shard))
    }

    /// What was spent and is reserved on the day of this time in one currency, by all jobs and single
    /// calls that are counted together with calls to this address.
    pub fn charged_on_day(
        &self,
        (base_url, currency): (&str, &str),
        is_rehearsal: fn(&str) -> bool,
        now: i64,
    ) -> Result<u64, StoreError> {
        self.read(|c| {
            let which = ("cost", "day = ?1 AND currency = ?2");
            let pot = same_pot(base_url, is_rehearsal);
            let day = local_day(now);
            let sum = add_up(c, which, &[&day, &currency], &pot)?;
            let single = single_calls::on_day(c, (&day, currency), pot)?;
            Ok(sum.spent.saturating_add(sum.reserved).saturating_add(single))
        })
    }

    /// What a job has spent and what is reserved for it, in one currency.
    pub fn charged(&self, job: &str, currency: &str) -> Result<(u64, u64), StoreError> {
        self.read(|c| {
            let which = ("cost", "job = ?1 AND currency = ?2");
            let sum = add_up(c, which, &[&job, &currency], |_| true)?;
            Ok((sum.spent, sum.reserved))
        })
    }
}
