//! Who was asked by calls for the rows of a job, and how often without an answer.

use rusqlite::{Transaction, params};

use super::{Store, StoreError};

/// Calls to one provider and model, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedRecord {
    /// The name it is called by.
    pub provider: String,
    /// The model that was asked for.
    pub model: String,
    /// Calls that were sent.
    pub calls: u64,
    /// Rows that it settled, good or not.
    pub answers: u64,
    /// Those of them that it settled without an answer.
    pub rows_failed: u64,
    /// Calls that it refused for the rate, or for want of capacity.
    pub refused: u64,
    /// Calls that failed in any other way and were not billed.
    pub failed: u64,
    /// Calls that may have been billed although no answer came.
    pub unanswered: u64,
}

impl AskedRecord {
    /// One without calls.
    pub fn of(provider: &str, model: &str) -> Self {
        Self { provider: provider.to_owned(), model: model.to_owned(), ..Self::default() }
    }

    /// Whether there is nothing to count.
    pub fn is_empty(&self) -> bool {
        self.calls + self.answers + self.refused + self.failed + self.unanswered == 0
    }

    /// Counts the calls of another one of the same provider and model too.
    pub fn add(&mut self, more: &Self) {
        self.calls += more.calls;
        self.answers += more.answers;
        self.rows_failed += more.rows_failed;
        self.refused += more.refused;
        self.failed += more.failed;
        self.unanswered += more.unanswered;
    }
}

/// Adds calls to the account of a job.
pub(super) fn add(tx: &Transaction<'_>, job: &str, asked: &[AskedRecord]) -> rusqlite::Result<()> {
    let mut statement = tx.prepare(
        "INSERT INTO asked AS a (job, provider, model, calls, answers, refused, failed, \
         unanswered, rows_failed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (job, provider, model) DO UPDATE SET calls = a.calls + excluded.calls, \
         answers = a.answers + excluded.answers, refused = a.refused + excluded.refused, \
         failed = a.failed + excluded.failed, unanswered = a.unanswered + excluded.unanswered, \
         rows_failed = a.rows_failed + excluded.rows_failed",
    )?;
    for one in asked.iter().filter(|one| !one.is_empty()) {
        statement.execute(params![
            job,
            one.provider,
            one.model,
            one.calls,
            one.answers,
            one.refused,
            one.failed,
            one.unanswered,
            one.rows_failed
        ])?;
    }
    Ok(())
}

impl Store {
    /// Who was asked by calls for a job's rows, the busiest first.
    pub fn asked(&self, job: &str) -> Result<Vec<AskedRecord>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT provider, model, calls, answers, refused, failed, unanswered, rows_failed \
                 FROM asked \
                 WHERE job = ?1 ORDER BY answers DESC, calls DESC, provider, model",
            )?
            .query_map([job], |row| {
                Ok(AskedRecord {
                    provider: row.get(0)?,
                    model: row.get(1)?,
                    calls: row.get(2)?,
                    answers: row.get(3)?,
                    refused: row.get(4)?,
                    failed: row.get(5)?,
                    unanswered: row.get(6)?,
                    rows_failed: row.get(7)?,
                })
            })?
            .collect()
        })
    }
}
