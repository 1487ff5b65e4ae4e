//! The row cache: every good answer that an outcome points to is an entry, found by its content
//! key through one index; no row is stored twice for it. Beside that there is only what an outcome
//! cannot say: what was forgotten, and answers that came from another home.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cache_hits::Costs;
use super::{Store, StoreError};

/// Earlier answers that are looked at for one row: the newest whose file is damaged is no reason to
/// pay again where an older one is there.
const MOST_ANSWERS: u32 = 3;

/// The outcomes `o` that are entries: good, and neither forgotten nor pruned (that takes the key).
/// The first words are those of the index.
const ENTRIES: &str = "o.content_key IS NOT NULL AND o.status IN ('ok', 'cached') \
    AND o.artifact IS NOT NULL AND o.settled >= (SELECT before FROM cache_forgotten) \
    AND (o.settled > (SELECT all_before FROM cache_forgotten) \
    OR o.artifact > (SELECT artifact FROM cache_forgotten))";

/// From where an answer can be used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A job of this home.
    Job {
        /// Its key.
        job: String,
        /// The row it was recorded for.
        row: u64,
        /// Whether that job had copied it from a still earlier one.
        is_copy: bool,
    },
    /// Another home; the cache keeps a file of its own for it.
    Import {
        /// Digest of the entry: its line is used only as long as it fits.
        digest: [u8; 16],
    },
}

/// Where a good answer lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierAnswer {
    /// From where it is.
    pub origin: Origin,
    /// The file, below the home.
    pub file: String,
    /// Where its line begins.
    pub offset: u64,
    /// The length of its line.
    pub length: u64,
    /// When it was answered, in Unix seconds.
    pub answered: i64,
}

/// What is known of an entry besides its line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryNotes {
    /// The provider of its job.
    pub provider: String,
    /// The address of its job.
    pub address: String,
    /// The whole request of its job as JSON; `None` for one from another home.
    pub spec: Option<String>,
    /// What it cost, in trillionths of the currency, where that is known.
    pub cost: Option<(String, u64)>,
    /// Rows that got it since.
    pub hits: u64,
    /// When the newest job of those rows was made, in Unix seconds.
    pub last_hit: Option<i64>,
}

/// The cache in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheTotals {
    /// Entries: different requests with a good answer.
    pub entries: u64,
    /// Those of them that are too old.
    pub expired: u64,
    /// Those of them that came from another home.
    pub imported: u64,
    /// The bytes of their lines.
    pub bytes: u64,
    /// When the oldest was answered.
    pub oldest: Option<i64>,
    /// When the newest was answered.
    pub newest: Option<i64>,
}

fn read_answer(row: &Row<'_>) -> rusqlite::Result<EarlierAnswer> {
    let (job, name): (String, String) = (row.get(0)?, row.get(3)?);
    Ok(EarlierAnswer {
        file: format!("jobs/{job}/results/{name}"),
        origin: Origin::Job { job, row: row.get(1)?, is_copy: row.get(2)? },
        offset: row.get(4)?,
        length: row.get(5)?,
        answered: row.get(6)?,
    })
}

fn read_import(row: &Row<'_>) -> rusqlite::Result<EarlierAnswer> {
    let file: String = row.get(1)?;
    Ok(EarlierAnswer {
        file: format!("cache/{file}"),
        origin: Origin::Import { digest: row.get(0)? },
        offset: row.get(2)?,
        length: row.get(3)?,
        answered: row.get(4)?,
    })
}

/// From when on answers count, up to when all are forgotten that lie in files up to this one.
fn forgotten(c: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    c.query_row("SELECT before, all_before, artifact FROM cache_forgotten", [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

fn has_imports(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row("SELECT EXISTS (SELECT 1 FROM cache_import)", [], |row| row.get(0))
}

impl Store {
    /// Whether there may be an answer from this address: if not, no row need be looked up. Jobs
    /// that may have asked others than their own provider count for all addresses.
    pub fn has_answers(&self, address: &str) -> Result<bool, StoreError> {
        self.read(|c| {
            let found = c.query_row(
                "SELECT 1 FROM job WHERE (base_url = ?1 OR (json_valid(spec) AND \
                 coalesce(json_array_length(spec, '$.others'), 0) > 0)) AND EXISTS \
                 (SELECT 1 FROM outcome \
                 WHERE job = job.key AND status IN ('ok', 'cached')) LIMIT 1",
                [address],
                |_| Ok(()),
            );
            Ok(found.optional()?.is_some() || has_imports(c)?)
        })
    }

    /// Good answers for these content keys that were given at `since` or later: for each key a
    /// few, the newest first. The address is part of the key, so it need not be named.
    pub fn earlier_answers(
        &self,
        keys: &[[u8; 16]],
        since: i64,
    ) -> Result<Vec<Vec<EarlierAnswer>>, StoreError> {
        self.read(|c| {
            let (before, all_before, artifact) = forgotten(c)?;
            let mut query = c.prepare(
                "SELECT o.job, o.row, o.status = 'cached', a.name, o.place, o.length, o.settled \
                 FROM outcome o JOIN artifact a ON a.id = o.artifact \
                 WHERE o.content_key = ?1 AND o.status IN ('ok', 'cached') AND o.settled >= ?2 \
                 AND (o.settled > ?3 OR o.artifact > ?4) ORDER BY o.settled DESC LIMIT ?5",
            )?;
            let mut imports = c.prepare(
                "SELECT digest, file, place, length, answered FROM cache_import \
                 WHERE key = ?1 AND answered >= ?2",
            )?;
            let any_import = has_imports(c)?;
            let answers = |key: &[u8; 16]| {
                let oldest = since.max(before);
                let which = params![key, oldest, all_before, artifact, MOST_ANSWERS];
                let found = query.query_map(which, read_answer)?;
                let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
                if any_import {
                    for import in imports.query_map(params![key, since], read_import)? {
                        found.push(import?);
                    }
                }
                Ok(found)
            };
            keys.iter().map(answers).collect()
        })
    }

    /// The cache in figures; entries that were answered before `since` are too old.
    pub fn cache_totals(&self, since: i64) -> Result<CacheTotals, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT count(*), coalesce(sum(at < ?1), 0), coalesce(sum(foreign_one), 0), \
                 coalesce(sum(length), 0), min(at), max(at) FROM ( \
                 SELECT max(o.settled) AS at, o.length AS length, 0 AS foreign_one \
                 FROM outcome o WHERE {ENTRIES} GROUP BY o.content_key UNION ALL \
                 SELECT answered, length, 1 FROM cache_import i WHERE NOT EXISTS \
                 (SELECT 1 FROM outcome o WHERE o.content_key = i.key AND {ENTRIES}))"
            );
            c.query_row(&sql, [since], |row| {
                Ok(CacheTotals {
                    entries: row.get(0)?,
                    expired: row.get(1)?,
                    imported: row.get(2)?,
                    bytes: row.get(3)?,
                    oldest: row.get(4)?,
                    newest: row.get(5)?,
                })
            })
        })
    }

    /// The keys of at most `limit` entries in the order of keys, those after `last`.
    pub fn cache_keys(
        &self,
        last: Option<[u8; 16]>,
        limit: usize,
    ) -> Result<Vec<[u8; 16]>, StoreError> {
        self.read(|c| {
            // Every blob is above the empty one.
            let last = last.as_ref().map_or(&[][..], |key| &key[..]);
            c.prepare(&format!(
                "SELECT content_key FROM (SELECT DISTINCT o.content_key FROM outcome o WHERE \
                 {ENTRIES} AND o.content_key > ?1 ORDER BY o.content_key LIMIT ?2) UNION \
                 SELECT key FROM (SELECT key FROM cache_import WHERE key > ?1 ORDER BY key \
                 LIMIT ?2) ORDER BY 1 LIMIT ?2"
            ))?
            .query_map(params![last, limit], |row| row.get(0))?
            .collect()
        })
    }

    /// The keys of the entries that were answered last, newest first.
    pub fn newest_cache_keys(&self, limit: usize) -> Result<Vec<[u8; 16]>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT key FROM (SELECT o.content_key AS key, max(o.settled) AS at \
                 FROM outcome o WHERE {ENTRIES} GROUP BY o.content_key UNION ALL \
                 SELECT key, answered FROM cache_import) GROUP BY key \
                 ORDER BY max(at) DESC, key LIMIT ?1"
            ))?
            .query_map([limit], |row| row.get(0))?
            .collect()
        })
    }

    /// What is known of an entry besides its line.
    pub fn entry_notes(&self, key: &[u8; 16], origin: &Origin) -> Result<EntryNotes, StoreError> {
        self.read(|c| {
            let mut notes = match origin {
                Origin::Job { job, .. } => c.query_row(
                    "SELECT provider, base_url, spec FROM job WHERE key = ?1",
                    [job],
                    |row| {
                        Ok(EntryNotes {
                            provider: row.get(0)?,
                            address: row.get(1)?,
                            spec: row.get(2)?,
                            ..EntryNotes::default()
                        })
                    },
                )?,
                Origin::Import { .. } => c.query_row(
                    "SELECT provider, address FROM cache_import WHERE key = ?1",
                    [key],
                    |row| {
                        Ok(EntryNotes {
                            provider: row.get(0)?,
                            address: row.get(1)?,
                            ..EntryNotes::default()
                        })
                    },
                )?,
            };
            notes.cost = Costs::of(c)?.find(key)?;
            (notes.hits, notes.last_hit) = c.query_row(
                "SELECT count(*), max(j.created) FROM outcome o JOIN job j ON j.key = o.job \
                 WHERE o.content_key = ?1 AND o.status IN ('ok', 'cached') \
                 AND o.status = 'cached'",
                [key],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(notes)
        })
    }

    /// Which of these keys have an entry.
    pub fn are_cached(&self, keys: &[[u8; 16]]) -> Result<Vec<bool>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare(&format!(
                "SELECT EXISTS (SELECT 1 FROM outcome o WHERE o.content_key = ?1 AND {ENTRIES}) \
                 OR EXISTS (SELECT 1 FROM cache_import WHERE key = ?1)"
            ))?;
            keys.iter().map(|key| query.query_row([key], |row| row.get(0))).collect()
        })
    }
}
