//! Outcomes: what became of each settled row, and where its answer lies.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use rusqlite::{Row, Transaction, params};

use super::{NewShard, ShardState, Store, StoreError, charges, known, shards, word};
use crate::answer::RowStatus;
use crate::batch::{FailureKind, Usage};

/// The outcome of one row in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeRecord {
    /// The row, from 0.
    pub row: u64,
    /// The pass it was sent in, from 1; 0 for a row that was never sent.
    pub round: u32,
    /// What became of it.
    pub status: RowStatus,
    /// Artifact, offset and length of its line.
    pub place: Option<(i64, u64, u64)>,
    /// Digest of what decides its answer.
    pub content_key: Option<[u8; 16]>,
    /// Tokens, where the provider gave them.
    pub usage: Option<Usage>,
    /// What it cost, in trillionths of the job's currency; `None` where nothing ran or no price
    /// is known.
    pub cost: Option<u64>,
    /// Why it is not good.
    pub error: Option<String>,
    /// What kind of failure that is, where it is known: it decides what goes out again.
    pub class: Option<FailureKind>,
}

/// Writes outcomes down, each for its own row and for the rows that ask the same: they were not
/// sent, so they have its status and the place of its answer, and no tokens of their own (P7).
pub(super) fn insert<R: Borrow<OutcomeRecord>>(
    tx: &Transaction<'_>,
    job: &str,
    records: impl Iterator<Item = R>,
) -> rusqlite::Result<()> {
    let mut fan_out = known::fan_out(tx, job)?;
    // Most rows have no outcome yet. What replaces one keeps a copy of the pages that it touches,
    // which costs as much again.
    let mut fresh = tx.prepare(&insert_sql("NOTHING"))?;
    let mut again = None;
    for record in records {
        let record = record.borrow();
        let (artifact, place, length) = match record.place {
            Some((artifact, place, length)) => (Some(artifact), Some(place), Some(length)),
            None => (None, None, None),
        };
        let values = params![
            job,
            record.row,
            record.round,
            record.status.as_str(),
            artifact,
            place,
            length,
            record.content_key,
            record.usage.map(|u| u.prompt_tokens),
            record.usage.map(|u| u.completion_tokens),
            record.usage.map(|u| u.cached_tokens),
            record.usage.map(|u| u.reasoning_tokens),
            record.error,
            record.class.map(FailureKind::as_str),
            record.cost,
        ];
        if fresh.execute(values)? == 0 {
            let again = match &mut again {
                Some(again) => again,
                None => again.insert(tx.prepare(&upsert())?),
            };
            again.execute(values)?;
        }
        if let Some(fan_out) = &mut fan_out {
            fan_out.execute(params![job, record.row, record.round])?;
        }
    }
    Ok(())
}

/// Writes an outcome. What the one that it replaces used was paid for and is kept: added where
/// that was another answer, left as it is where this is the same one written again (P7).
fn upsert() -> String {
    const SAME: &str = "o.artifact IS excluded.artifact AND o.place IS excluded.place";
    let kept = |name: &str| {
        format!(
            "{name} = CASE WHEN o.prompt_tokens IS NULL THEN excluded.{name} \
             WHEN {SAME} OR excluded.prompt_tokens IS NULL THEN o.{name} \
             ELSE o.{name} + excluded.{name} END, "
        )
    };
    let columns =
        ["prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost"];
    let kept: String = columns.into_iter().map(kept).collect();
    insert_sql(&format!(
        "UPDATE SET {kept}status = excluded.status, \
         artifact = excluded.artifact, place = excluded.place, length = excluded.length, \
         content_key = excluded.content_key, error = excluded.error, class = excluded.class, \
         settled = excluded.settled"
    ))
}

/// Writes an outcome, or does this where the row has one in its round.
fn insert_sql(otherwise: &str) -> String {
    format!(
        "INSERT INTO outcome AS o (job, row, round, status, artifact, place, length, content_key, \
         prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, error, class, cost, \
         settled) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, unixepoch()) \
         ON CONFLICT (job, row, round) DO {otherwise}"
    )
}

/// Takes away what these rows used in their rounds: it is counted elsewhere from now on.
pub(super) fn give_up_usage(
    tx: &Transaction<'_>,
    job: &str,
    records: &[OutcomeRecord],
) -> rusqlite::Result<()> {
    let mut statement = tx.prepare(
        "UPDATE outcome SET prompt_tokens = NULL, completion_tokens = NULL, \
         cached_tokens = NULL, reasoning_tokens = NULL, cost = NULL \
         WHERE job = ?1 AND row = ?2 AND round = ?3",
    )?;
    for record in records {
        statement.execute(params![job, record.row, record.round])?;
    }
    Ok(())
}

/// [`RowStatus::worth`] in SQL; a test holds the two together.
macro_rules! worth {
    ($table:literal) => {
        concat!(
            "CASE ",
            $table,
            ".status WHEN 'ok' THEN 4 WHEN 'cached' THEN 4 WHEN 'invalid' THEN 3 \
             WHEN 'unparsed' THEN 2 WHEN 'truncated' THEN 1 WHEN 'refused' THEN 1 ELSE 0 END"
        )
    };
}

pub(super) fn read_outcome(row: &Row<'_>) -> rusqlite::Result<OutcomeRecord> {
    let place = match (row.get(3)?, row.get(4)?, row.get(5)?) {
        (Some(artifact), Some(place), Some(length)) => Some((artifact, place, length)),
        _ => None,
    };
    let usage = row.get::<_, Option<u64>>(7)?.map(|prompt_tokens| -> rusqlite::Result<Usage> {
        Ok(Usage {
            prompt_tokens,
            completion_tokens: row.get(8)?,
            cached_tokens: row.get(9)?,
            reasoning_tokens: row.get(10)?,
        })
    });
    Ok(OutcomeRecord {
        row: row.get(0)?,
        round: row.get(1)?,
        status: word(2, &row.get::<_, String>(2)?, RowStatus::read)?,
        place,
        content_key: row.get(6)?,
        usage: usage.transpose()?,
        error: row.get(11)?,
        class: row
            .get::<_, Option<String>>(12)?
            .map(|class| word(12, &class, FailureKind::read))
            .transpose()?,
        cost: row.get(13)?,
    })
}

/// Holds for the outcome `o` that counts among all those of its row: the one of the most
/// [worth](RowStatus::worth), and of equals that of the newest round. By `NOT EXISTS` and not as
/// the first of a sorted list: that is one step in the key for each of a million rows.
pub(super) const COUNTS: &str = concat!(
    "NOT EXISTS (SELECT 1 FROM outcome b WHERE b.job = o.job AND b.row = o.row AND \
     b.round <> o.round AND (",
    worth!("b"),
    ", b.round) > (",
    worth!("o"),
    ", o.round))"
);

/// Holds for the outcome `o` that is the newest of a row without a good one: what becomes of the
/// row next goes by it.
pub(super) const NEWEST_BAD: &str = "NOT EXISTS (SELECT 1 FROM outcome b WHERE b.job = o.job AND \
    b.row = o.row AND (b.round > o.round OR b.status IN ('ok', 'cached')))";

/// The outcomes that count, one per row, and what else is asked of them.
fn counting(more: &str) -> String {
    format!("SELECT {COLUMNS} FROM outcome o WHERE job = ?1 AND {COUNTS} {more}")
}

/// What [`read_outcome`] reads.
pub(super) const COLUMNS: &str = "row, round, status, artifact, place, length, content_key, \
    prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, error, class, cost";

impl Store {
    /// Records the outcomes of a shard's rows and that the shard is settled, in one transaction:
    /// either all of its rows have their outcome or none.
    pub fn settle_shard(
        &self,
        job: &str,
        shard: i64,
        records: &[OutcomeRecord],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            insert(tx, job, records.iter())?;
            charges::settle(tx, shard, records)?;
            shards::set_state(tx, shard, ShardState::Settled, None)
        })
    }

    /// The same, and why nothing more of the job is sent (as JSON); an earlier reason stays.
    pub fn settle_and_halt(
        &self,
        job: &str,
        shard: i64,
        records: &[OutcomeRecord],
        halt: &str,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            insert(tx, job, records.iter())?;
            tx.execute("UPDATE job SET halt = coalesce(halt, ?2) WHERE key = ?1", [job, halt])?;
            charges::settle(tx, shard, records)?;
            shards::set_state(tx, shard, ShardState::Settled, None)
        })
    }

    /// Records outcomes of rows whose shard goes on.
    pub fn record_outcomes(&self, job: &str, records: &[OutcomeRecord]) -> Result<(), StoreError> {
        self.write(|tx| insert(tx, job, records.iter()))
    }

    /// Records that a shard's file was refused: the named rows have their outcome, the rest goes
    /// on in a new shard of the next round. One transaction: no row is in both or in neither.
    pub fn replan_shard(
        &self,
        job: &str,
        shard: i64,
        refused: &[OutcomeRecord],
        next: Option<&NewShard>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            insert(tx, job, refused.iter())?;
            shards::insert_next(tx, job, next, shard)?;
            shards::set_state(tx, shard, ShardState::Settled, None)
        })
    }

    /// The outcomes of the rows from `first` to `last`, both included, in row order.
    pub fn outcomes_between(
        &self,
        job: &str,
        first: u64,
        last: u64,
    ) -> Result<Vec<OutcomeRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&counting("AND row BETWEEN ?2 AND ?3 ORDER BY row"))?
                .query_map(params![job, first, last], read_outcome)?
                .collect()
        })
    }

    /// The outcomes that the rows from `first` to `last`, both included, have in this very round.
    pub fn outcomes_of_round(
        &self,
        job: &str,
        round: u32,
        (first, last): (u64, u64),
    ) -> Result<Vec<OutcomeRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT {COLUMNS} FROM outcome WHERE job = ?1 AND row BETWEEN ?2 AND ?3 AND \
                 round = ?4 ORDER BY row"
            ))?
            .query_map(params![job, first, last, round], read_outcome)?
            .collect()
        })
    }

    /// The outcomes of at most `limit` rows from row `from` on, in row order.
    pub fn outcomes_from(
        &self,
        job: &str,
        from: u64,
        limit: usize,
    ) -> Result<Vec<OutcomeRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&counting("AND row >= ?2 ORDER BY row LIMIT ?3"))?
                .query_map(params![job, from, limit], read_outcome)?
                .collect()
        })
    }

    /// The outcomes with one status, in row order.
    pub fn rows_with_status(
        &self,
        job: &str,
        status: RowStatus,
    ) -> Result<Vec<OutcomeRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&counting("AND status = ?2 ORDER BY row"))?
                .query_map(params![job, status.as_str()], read_outcome)?
                .collect()
        })
    }

    /// How many rows ended how.
    pub fn status_counts(&self, job: &str) -> Result<BTreeMap<RowStatus, u64>, StoreError> {
        self.read(|c| {
            c.prepare(&format!("SELECT status, count(*) FROM ({}) GROUP BY status", counting("")))?
                .query_map([job], |row| {
                    Ok((word(0, &row.get::<_, String>(0)?, RowStatus::read)?, row.get(1)?))
                })?
                .collect()
        })
    }

    /// Tokens over all rounds of all rows: what was used, good or not.
    pub fn usage(&self, job: &str) -> Result<Usage, StoreError> {
        self.read(|c| {
            c.query_row(
                // What surplus batches used was paid for too.
                "SELECT coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), \
                 coalesce(sum(cached_tokens), 0), coalesce(sum(reasoning_tokens), 0) FROM ( \
                 SELECT prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens \
                 FROM outcome WHERE job = ?1 UNION ALL \
                 SELECT prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens \
                 FROM surplus WHERE job = ?1)",
                [job],
                |row| {
                    Ok(Usage {
                        prompt_tokens: row.get(0)?,
                        completion_tokens: row.get(1)?,
                        cached_tokens: row.get(2)?,
                        reasoning_tokens: row.get(3)?,
                    })
                },
            )
        })
    }

    /// How many different reasons there are of rows that are not good.
    pub fn count_errors(&self, job: &str) -> Result<u64, StoreError> {
        self.read(|c| {
            let sql = format!("SELECT count(DISTINCT error) FROM ({})", counting(""));
            c.query_row(&sql, [job], |row| row.get(0))
        })
    }

    /// How many rows were skipped because of their image: a file may be mended, a row of the
    /// job's own copy of the table may not.
    pub fn count_skipped_images(&self, job: &str) -> Result<u64, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT count(*) FROM outcome o WHERE job = ?1 AND {COUNTS} \
                 AND status = 'skipped' AND error LIKE 'image %'"
            );
            c.query_row(&sql, [job], |row| row.get(0))
        })
    }

    /// The commonest reasons of rows that are not good, most frequent first.
    pub fn error_groups(&self, job: &str, most: u64) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT error, count(*) AS n FROM ({}) WHERE error IS NOT NULL \
                 GROUP BY error ORDER BY n DESC, error LIMIT ?2",
                counting("")
            ))?
            .query_map(params![job, most], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }
}
