//! What of the row cache is no outcome: answers that came from another home, and what is forgotten.
//! Neither changes anything of the jobs.

use rusqlite::params;

use super::{Store, StoreError};

/// An answer from another home, whose line lies in a file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedAnswer {
    /// Digest of what decides the answer.
    pub key: [u8; 16],
    /// Who answered.
    pub provider: String,
    /// At which address, as it is stored and hashed.
    pub address: String,
    /// When, in Unix seconds.
    pub answered: i64,
    /// Digest of the entry.
    pub digest: [u8; 16],
    /// Where its line begins in the file.
    pub offset: u64,
    /// The length of its line.
    pub length: u64,
    /// What it cost, in trillionths of the currency.
    pub cost: Option<(String, u64)>,
    /// Prompt, completion, cached and reasoning tokens, where given.
    pub tokens: Option<[u64; 4]>,
}

impl Store {
    /// Takes answers of another home over, whose lines lie in this file of the cache; one whose
    /// key is there already stays as it is. Returns how many were taken.
    pub fn import_answers(
        &self,
        file: &str,
        answers: &[ImportedAnswer],
    ) -> Result<u64, StoreError> {
        self.write(|tx| {
            let mut insert = tx.prepare(
                "INSERT INTO cache_import (key, provider, address, answered, digest, file, \
                 place, length, currency, cost, prompt_tokens, completion_tokens, \
                 cached_tokens, reasoning_tokens) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
                 ?10, ?11, ?12, ?13, ?14) ON CONFLICT (key) DO NOTHING",
            )?;
            let mut taken = 0;
            for answer in answers {
                let count = |at: usize| answer.tokens.map(|tokens| tokens[at]);
                taken += insert.execute(params![
                    answer.key,
                    answer.provider,
                    answer.address,
                    answer.answered,
                    answer.digest,
                    file,
                    answer.offset,
                    answer.length,
                    answer.cost.as_ref().map(|(currency, _)| currency),
                    answer.cost.as_ref().map(|(_, cost)| cost),
                    count(0),
                    count(1),
                    count(2),
                    count(3),
                ])? as u64;
            }
            Ok(taken)
        })
    }

    /// The files of the cache that entries lie in.
    pub fn import_files(&self) -> Result<Vec<String>, StoreError> {
        self.read(|c| {
            c.prepare("SELECT DISTINCT file FROM cache_import ORDER BY file")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Forgets the entries that were answered before that moment. The jobs keep their answers.
    pub fn forget_before(&self, before: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE cache_forgotten SET before = max(before, ?1)", [before])?;
            tx.execute("DELETE FROM cache_import WHERE answered < ?1", [before])?;
            Ok(())
        })
    }

    /// Forgets every entry there is. The jobs keep their answers.
    pub fn forget_all(&self) -> Result<(), StoreError> {
        self.write(|tx| {
            // By file and by time: what is answered in this very second in a file that is not there
            // yet is none of them, nor is what a running job adds to its file from now on. A
            // clock that was wrong may have left answers of a day to come.
            tx.execute(
                "UPDATE cache_forgotten SET all_before = max(unixepoch(), coalesce((SELECT \
                 max(o.settled) FROM outcome o WHERE o.content_key IS NOT NULL AND \
                 o.status IN ('ok', 'cached')), 0)), \
                 artifact = coalesce((SELECT max(id) FROM artifact), 0)",
                [],
            )?;
            tx.execute("DELETE FROM cache_import", [])?;
            Ok(())
        })
    }
}
