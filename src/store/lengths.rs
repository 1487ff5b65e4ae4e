//! How long the answers of finished rows were, for the forecast of rows that ask the same.

use rusqlite::params;

use super::{Store, StoreError};

impl Store {
    /// Completion tokens of finished rows of jobs with this prompt, those of the newest jobs
    /// first, at most so many. Rows that failed have no answer, copies were not paid, and rows
    /// that were asked otherwise in a retry say nothing about the job's own question.
    pub fn answer_lengths(&self, prompt: &str, most: u32) -> Result<Vec<u64>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT o.completion_tokens FROM job j JOIN outcome o ON o.job = j.key \
                 JOIN artifact a ON a.id = o.artifact JOIN shard s ON s.id = a.shard \
                 WHERE j.prompt = ?1 AND o.round > 0 AND o.completion_tokens IS NOT NULL \
                 AND o.status IN ('ok', 'truncated', 'unparsed', 'invalid', 'refused') \
                 AND s.ask IS NULL ORDER BY j.rowid DESC LIMIT ?2",
            )?
            .query_map(params![prompt, most], |row| row.get(0))?
            .collect()
        })
    }
}
