//! How providers did when they were last called: kept across runs, so that a new run does not
//! begin with the one that was down a minute ago.

use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError};

/// How one provider does with one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthRecord {
    /// The name it is called by.
    pub provider: String,
    /// Its address as it is stored.
    pub base_url: String,
    /// The model.
    pub model: String,
    /// Failures in a row.
    pub failures: u32,
    /// It is not asked before this time, in Unix milliseconds.
    pub until: Option<i64>,
    /// Why it failed last, without keys.
    pub reason: Option<String>,
    /// When it last answered, in Unix milliseconds.
    pub answered: Option<i64>,
    /// When this was written, in Unix milliseconds.
    pub updated: i64,
}

fn read_health(row: &Row<'_>) -> rusqlite::Result<HealthRecord> {
    Ok(HealthRecord {
        provider: row.get(0)?,
        base_url: row.get(1)?,
        model: row.get(2)?,
        failures: row.get(3)?,
        until: row.get(4)?,
        reason: row.get(5)?,
        answered: row.get(6)?,
        updated: row.get(7)?,
    })
}

const SELECT: &str =
    "SELECT provider, base_url, model, failures, until, reason, answered, updated FROM health";

impl Store {
    /// How a provider does with a model; `None` if it was never called.
    pub fn health(
        &self,
        provider: &str,
        base_url: &str,
        model: &str,
    ) -> Result<Option<HealthRecord>, StoreError> {
        self.read(|c| {
            let query = format!("{SELECT} WHERE provider = ?1 AND base_url = ?2 AND model = ?3");
            c.query_row(&query, params![provider, base_url, model], read_health).optional()
        })
    }

    /// How all providers do that were ever called, by name and model.
    pub fn all_health(&self) -> Result<Vec<HealthRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&format!("{SELECT} ORDER BY provider, base_url, model"))?
                .query_map([], read_health)?
                .collect()
        })
    }

    /// Records how a provider does. A time of an answer that is not said now stays.
    pub fn put_health(&self, health: &HealthRecord) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO health AS h (provider, base_url, model, failures, until, reason, \
                 answered, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT (provider, base_url, model) DO UPDATE SET \
                 failures = excluded.failures, until = excluded.until, reason = excluded.reason, \
                 answered = coalesce(excluded.answered, h.answered), updated = excluded.updated",
                params![
                    health.provider,
                    health.base_url,
                    health.model,
                    health.failures,
                    health.until,
                    health.reason,
                    health.answered,
                    health.updated
                ],
            )?;
            Ok(())
        })
    }

    /// Forgets how a provider did, with all its models: a person says that it is well again.
    pub fn reset_health(&self, provider: &str) -> Result<u64, StoreError> {
        self.write(|tx| {
            let gone = tx.execute("DELETE FROM health WHERE provider = ?1", [provider])?;
            Ok(gone as u64)
        })
    }
}
