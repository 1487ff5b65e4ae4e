//! What calls outside of jobs cost: one sum for each day, address and currency. They are paid as jobs
//! are, so the budget of a day counts them.

use rusqlite::{Connection, params};

use super::budget::local_day;
use super::charges::storable;
use super::{Store, StoreError};

impl Store {
    /// Counts what a call to this address cost, in trillionths of the currency, on the day of this
    /// time.
    pub fn charge_single_call(
        &self,
        (base_url, currency): (&str, &str),
        cost: u64,
        now: i64,
    ) -> Result<(), StoreError> {
        if cost == 0 {
            return Ok(());
        }
        self.write(|tx| {
            tx.prepare(
                "INSERT INTO single_calls AS s VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE \
                 SET cost = min(s.cost, ?5 - excluded.cost) + excluded.cost",
            )?
            .execute(params![
                local_day(now),
                base_url,
                currency,
                storable(cost),
                i64::MAX
            ])?;
            Ok(())
        })
    }
}

/// What such calls cost on a day in one currency, at the addresses that count.
pub(super) fn on_day(
    c: &Connection,
    (day, currency): (&str, &str),
    counts: impl Fn(&str) -> bool,
) -> rusqlite::Result<u64> {
    let mut all = 0_u64;
    let mut query =
        c.prepare("SELECT base_url, cost FROM single_calls WHERE day = ?1 AND currency = ?2")?;
    let mut rows = query.query([day, currency])?;
    while let Some(row) = rows.next()? {
        if counts(&row.get::<_, String>(0)?) {
            all = all.saturating_add(row.get(1)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B10: each day, address and currency by itself; rehearsals are counted apart, as those of jobs
    /// are, and no sum overflows.
    #[test]
    fn b10_single_calls_count_on_their_day() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let is_rehearsal = |url: &str| url.starts_with("local");
        let (now, day) = (1_763_770_000, 86_400);
        let calls = [
            ("a", "USD", 5, now),
            ("a", "USD", 7, now),
            ("b", "USD", 11, now),
            ("local", "USD", 100, now),
            ("a", "CNY", 1_000, now),
            ("a", "USD", 10_000, now + day),
            ("a", "EUR", u64::MAX, now),
            ("a", "EUR", u64::MAX, now),
            ("a", "GBP", 0, now),
        ];
        for (url, currency, cost, at) in calls {
            store.charge_single_call((url, currency), cost, at).unwrap();
        }
        let table = [
            ("a", "USD", now, 23),
            ("elsewhere", "USD", now, 23),
            ("local", "USD", now, 100),
            ("a", "CNY", now, 1_000),
            ("a", "USD", now + day, 10_000),
            ("a", "USD", now - day, 0),
            ("a", "EUR", now, i64::MAX.unsigned_abs()),
            ("a", "GBP", now, 0),
        ];
        for (url, currency, at, expected) in table {
            let charged = store.charged_on_day((url, currency), is_rehearsal, at).unwrap();
            assert_eq!(charged, expected, "{url} {currency} {at}");
        }
    }
}
