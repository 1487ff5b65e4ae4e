//! What the row cache was good for: rows that got an earlier answer, and what that would have cost.

use rusqlite::{Connection, OptionalExtension, Row, Statement};

use super::{Store, StoreError};

/// Looks up what the answers for keys cost where they were paid for.
pub(super) struct Costs<'c> {
    paid: Statement<'c>,
    imported: Statement<'c>,
}

impl<'c> Costs<'c> {
    pub(super) fn of(c: &'c Connection) -> rusqlite::Result<Self> {
        let paid = c.prepare(
            "SELECT json_extract(j.terms, '$.price.currency'), o.cost FROM outcome o \
             JOIN job j ON j.key = o.job WHERE o.content_key = ?1 AND \
             o.status IN ('ok', 'cached') AND o.status = 'ok' AND o.cost IS NOT NULL \
             AND json_valid(j.terms) LIMIT 1",
        )?;
        let imported = c.prepare("SELECT currency, cost FROM cache_import WHERE key = ?1")?;
        Ok(Self { paid, imported })
    }

    /// Currency and trillionths, where both are known.
    pub(super) fn find(&mut self, key: &[u8; 16]) -> rusqlite::Result<Option<(String, u64)>> {
        for query in [&mut self.paid, &mut self.imported] {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let found: Option<(Option<String>, Option<u64>)> =
                query.query_row([key], read).optional()?;
            if let Some((Some(currency), Some(cost))) = found {
                return Ok(Some((currency, cost)));
            }
        }
        Ok(None)
    }
}

/// Rows of the jobs at one address that got an earlier answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HitGroup {
    /// The address of their jobs.
    pub address: String,
    /// How many rows.
    pub rows: u64,
    /// What they would have cost by currency, in trillionths, as far as that is known.
    pub costs: Vec<(String, u64)>,
}

impl Store {
    /// The rows of all jobs that got an earlier answer, by address: those of jobs that were pruned
    /// since count too, but what they would have cost is known no more.
    pub fn cache_hits(&self) -> Result<Vec<HitGroup>, StoreError> {
        self.read(|c| {
            let mut groups: Vec<HitGroup> = Vec::new();
            let mut counts = c.prepare(
                "SELECT j.base_url, o.content_key, count(*) FROM outcome o \
                 JOIN job j ON j.key = o.job WHERE o.status = 'cached' \
                 GROUP BY j.base_url, o.content_key",
            )?;
            let mut costs = Costs::of(c)?;
            let mut rows = counts.query([])?;
            while let Some(row) = rows.next()? {
                let (address, key): (String, Option<[u8; 16]>) = (row.get(0)?, row.get(1)?);
                let rows: u64 = row.get(2)?;
                if groups.last().is_none_or(|group| group.address != address) {
                    groups.push(HitGroup { address, rows: 0, costs: Vec::new() });
                }
                let group = groups.last_mut().expect("pushed above");
                group.rows += rows;
                let Some(key) = key else { continue };
                let Some((currency, cost)) = costs.find(&key)? else { continue };
                let cost = cost.saturating_mul(rows);
                match group.costs.iter_mut().find(|(known, _)| *known == currency) {
                    Some((_, sum)) => *sum = sum.saturating_add(cost),
                    None => group.costs.push((currency, cost)),
                }
            }
            Ok(groups)
        })
    }
}
