//! What shards may cost and did cost, counted against the limits of their job and of the day.
//!
//! A charge is made with the intent of a create: it holds the shard's worst case until the shard
//! is settled, and from then on what its rows cost. Where nothing ran it goes. Whatever moves a
//! shard keeps its charge right in the same transaction, so none is left behind or counted twice.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::budget::{item_of, local_day};
use super::{Asking, OutcomeRecord, ShardState};
use crate::answer::RowStatus;
use crate::batch::FailureKind;

/// What the surplus batches of a shard cost, as far as that is known; `None` if there is none.
fn surplus_cost(tx: &Transaction<'_>, shard: i64) -> rusqlite::Result<Option<u64>> {
    tx.prepare(
        "SELECT CASE WHEN count(*) > 0 THEN coalesce(sum(surplus.cost), 0) END FROM surplus \
         JOIN batch_create ON batch_create.id = surplus.create_id \
         WHERE batch_create.shard = ?1 AND surplus.state = 'settled'",
    )?
    .query_row([shard], |row| row.get(0))
}

/// Whether a batch or calls of the shard may run, or its costs are not known yet.
fn is_open(state: ShardState) -> bool {
    state.is_queued()
        || matches!(state, ShardState::Ended | ShardState::Stored | ShardState::Calling)
}

/// Makes the charge of a shard, as of this time, or puts it to this cost.
fn put(
    tx: &Transaction<'_>,
    shard: i64,
    (cost, is_settled): (Option<u64>, bool),
    now: i64,
) -> rusqlite::Result<()> {
    let item = item_of(tx, shard)?;
    let cost = cost.map(storable);
    tx.prepare(
        "INSERT INTO charge (shard, job, base_url, day, currency, cost, requests, settled) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (shard) DO UPDATE SET \
         cost = excluded.cost, settled = excluded.settled, \
         day = CASE WHEN charge.settled AND NOT excluded.settled THEN excluded.day \
         ELSE charge.day END",
    )?
    .execute(params![
        shard,
        item.job,
        item.base_url,
        local_day(now),
        item.currency,
        cost,
        item.rows,
        is_settled
    ])?;
    Ok(())
}

/// An amount as SQL can hold it; more than that is more than any limit.
pub(super) fn storable(amount: u64) -> u64 {
    amount.min(i64::MAX.unsigned_abs())
}

/// What the rows of one question were first planned with.
pub(super) struct Planned {
    reserve: Option<u128>,
    rows: u128,
    bytes: u128,
}

impl Planned {
    /// Adds up the shards in which the rows of a question first went out. Rows that are asked about
    /// their answers went out in those that were measured for it, longer from time to time.
    pub(super) fn of(tx: &Connection, (job, asks): (&str, Asking)) -> rusqlite::Result<Self> {
        let mut all = Self { reserve: Some(0), rows: 0, bytes: 0 };
        let mut shards = tx.prepare(
            "SELECT reserve, rows, bytes FROM shard WHERE job = ?1 AND ask IS ?2 AND reask = ?3 \
             AND taken = 0 AND round = (SELECT CASE ?3 WHEN 0 THEN min(round) ELSE max(round) END \
             FROM shard WHERE job = ?1 AND ask IS ?2 AND reask = ?3 AND round > 0 AND (?3 = 0 OR taken = 0))",
        )?;
        let mut found = shards.query(params![job, asks.ask, asks.is_reask])?;
        while let Some(row) = found.next()? {
            let reserve: Option<u64> = row.get(0)?;
            all.reserve = all.reserve.zip(reserve).map(|(sum, reserve)| sum + u128::from(reserve));
            all.rows += u128::from(row.get::<_, u64>(1)?);
            all.bytes += u128::from(row.get::<_, u64>(2)?);
        }
        Ok(all)
    }

    /// What some of the rows could cost in another shard: the larger of their shares by rows and
    /// by bytes. `None` where that is unknown.
    pub(super) fn share(&self, rows: u64, bytes: u64) -> Option<u64> {
        let reserve = self.reserve.filter(|_| self.rows > 0)?;
        let part = |part: u64, of: u128| (reserve * u128::from(part)).div_ceil(of.max(1));
        let most = part(rows, self.rows).max(part(bytes, self.bytes));
        Some(storable(u64::try_from(most).unwrap_or(u64::MAX)))
    }
}

/// Reserves what a shard could cost, for the day of this time.
pub(super) fn reserve(tx: &Transaction<'_>, shard: i64, now: i64) -> rusqlite::Result<()> {
    let reserve = item_of(tx, shard)?.reserve;
    let before = surplus_cost(tx, shard)?.unwrap_or(0);
    put(tx, shard, (reserve.map(|reserve| reserve.saturating_add(before)), false), now)
}

/// Keeps the charge of a shard as its new state wants it: one of a batch that was found is made
/// now, one of a shard of which nothing ran goes. What was settled stays.
pub(super) fn follow(tx: &Transaction<'_>, shard: i64, state: ShardState) -> rusqlite::Result<()> {
    let is_settled: Option<bool> = tx
        .prepare("SELECT settled FROM charge WHERE shard = ?1")?
        .query_row([shard], |row| row.get(0))
        .optional()?;
    match (is_open(state), is_settled) {
        (true, Some(false)) | (false, Some(true) | None) => Ok(()),
        (true, _) => {
            let now = tx.query_row("SELECT unixepoch()", [], |row| row.get(0))?;
            reserve(tx, shard, now)
        }
        (false, Some(false)) => {
            if let Some(cost) = surplus_cost(tx, shard)? {
                return put(tx, shard, (Some(cost), true), 0);
            }
            tx.prepare("DELETE FROM charge WHERE shard = ?1")?.execute([shard])?;
            Ok(())
        }
    }
}

/// Settles the charge of a shard with what its rows cost, if any of them ran. Comes before the
/// shard's own state.
pub(super) fn settle(
    tx: &Transaction<'_>,
    shard: i64,
    records: &[OutcomeRecord],
) -> rusqlite::Result<()> {
    let has_charge =
        tx.prepare("SELECT 1 FROM charge WHERE shard = ?1 AND NOT settled")?.exists([shard])?;
    if !has_charge || !records.iter().any(ran) {
        return Ok(());
    }
    let item = item_of(tx, shard)?;
    // A row that ran and does not say what it used has cost its share of the worst case at most.
    let mute = records.iter().filter(|record| is_silent(record)).count() as u128;
    let unsaid = item.reserve.filter(|_| mute > 0).map(|reserve| {
        let cost = u128::from(reserve) * mute / u128::from(item.rows.max(1));
        u64::try_from(cost).unwrap_or(u64::MAX)
    });
    let nothing = item.reserve.map(|_| 0);
    let known = records.iter().filter_map(|record| record.cost);
    let parts = known.chain(unsaid).chain(surplus_cost(tx, shard)?).chain(nothing);
    put(tx, shard, (parts.reduce(u64::saturating_add), true), 0)
}

/// Whether the provider did something for a row.
fn ran(record: &OutcomeRecord) -> bool {
    use RowStatus::{Cancelled, Expired, Missing, Skipped};
    record.cost.is_some_and(|cost| cost > 0)
        || record.status == Missing
        || (record.place.is_some() && !matches!(record.status, Cancelled | Expired | Skipped))
}

/// Whether a row may have been billed and nobody told how much.
fn is_silent(record: &OutcomeRecord) -> bool {
    use RowStatus::{Error, Invalid, Missing, Ok, Truncated, Unparsed};
    let has_answer = record.place.is_some()
        && match record.status {
            Ok | Truncated | Unparsed | Invalid => true,
            Error => matches!(record.class, None | Some(FailureKind::NoAnswer)),
            _ => false,
        };
    record.cost.is_none() && (has_answer || record.status == Missing)
}

/// Adds what a surplus batch cost to the charge of its shard: answers that were taken, told
/// against those they replace, and all others. Called once for a batch, in the transaction that
/// settles it.
pub(super) fn add_surplus(
    tx: &Transaction<'_>,
    (job, batch): (&str, &str),
    records: &[OutcomeRecord],
    others: u64,
) -> rusqlite::Result<()> {
    let (shard, is_settled): (i64, bool) = tx.query_row(
        "SELECT b.shard, s.state = 'settled' FROM surplus s JOIN batch_create b \
         ON b.id = s.create_id WHERE s.batch_id = ?1",
        [batch],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if is_settled {
        return Ok(());
    }
    let mut replaced = 0_u64;
    let mut known =
        tx.prepare("SELECT cost FROM outcome WHERE job = ?1 AND row = ?2 AND round = ?3")?;
    for record in records {
        let cost = known.query_row(params![job, record.row, record.round], |row| row.get(0));
        replaced = replaced.saturating_add(cost.optional()?.flatten().unwrap_or(0));
    }
    let new = records.iter().filter_map(|record| record.cost).fold(others, u64::saturating_add);
    if new == replaced {
        return Ok(());
    }
    let before: Option<(Option<u64>, bool)> = tx
        .prepare("SELECT cost, settled FROM charge WHERE shard = ?1")?
        .query_row([shard], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (before, is_settled) = before.unwrap_or((Some(0), true));
    let cost = before.unwrap_or(0).saturating_add(new).saturating_sub(replaced);
    let now = tx.query_row("SELECT unixepoch()", [], |row| row.get(0))?;
    put(tx, shard, (Some(cost), is_settled), now)
}

#[cfg(test)]
#[path = "charges_tests.rs"]
mod tests;
