//! What the rows of a job used and cost, summed over what is stored: whatever was polled, resumed
//! or merged again, every answer that was paid for is one row of a table here (P7).

use rusqlite::{Connection, Row, params};

use super::outcomes::COUNTS;
use super::{Store, StoreError};
use crate::batch::{Usage, Used};
use crate::request::Mode;

/// Answers of one question and of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostGroup {
    /// The retry's question; `None` is the job's own, or one whose files were pruned.
    pub ask: Option<i64>,
    /// How they were sent.
    pub mode: Mode,
    /// Whether they were asked for because of an answer before them.
    pub is_reask: bool,
    /// Whether their rows are good.
    pub is_good: bool,
    /// What they used.
    pub used: Used,
}

/// Rows that were not sent because another asks the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Equal {
    /// How many there are.
    pub rows: u64,
    /// What their answers would have cost, over all rounds; `None` where that of one is unknown.
    pub cost: Option<u64>,
}

/// Rows that the model answered, well or not, or for which it ran without an answer that came
/// here.
const ANSWERED: &str = "(status IN ('ok', 'truncated', 'refused', 'unparsed', 'invalid') OR \
    (status = 'error' AND place IS NOT NULL AND (class IS NULL OR class = 'no_answer')))";

fn read_used(row: &Row<'_>, at: usize) -> rusqlite::Result<Used> {
    let (rows, priced): (u64, u64) = (row.get(at)?, row.get(at + 1)?);
    Ok(Used {
        rows,
        known: row.get(at + 2)?,
        unpriced: rows - priced,
        usage: Usage {
            prompt_tokens: row.get(at + 3)?,
            completion_tokens: row.get(at + 4)?,
            cached_tokens: row.get(at + 5)?,
            reasoning_tokens: row.get(at + 6)?,
        },
    })
}

fn read_usage(row: &Row<'_>, at: usize) -> rusqlite::Result<Usage> {
    Ok(Usage {
        prompt_tokens: row.get(at)?,
        completion_tokens: row.get(at + 1)?,
        cached_tokens: row.get(at + 2)?,
        reasoning_tokens: row.get(at + 3)?,
    })
}

fn number(c: &Connection, query: &str, job: &str) -> rusqlite::Result<u64> {
    c.prepare(query)?.query_row([job], |row| row.get(0))
}

impl Store {
    /// What the answers of a job's rows used over all rounds, good or not, surplus batches apart.
    pub fn costs(&self, job: &str) -> Result<Vec<CostGroup>, StoreError> {
        self.read(|c| {
            // By file first: joining a million rows to their shards takes longer than adding them.
            c.prepare(
                "SELECT s.ask, coalesce(s.mode, 'batch'), coalesce(s.reask, 0), g.good, sum(g.n), sum(g.priced), sum(g.cost), \
                 sum(g.prompt), sum(g.completion), sum(g.cached), sum(g.reasoning) FROM ( \
                 SELECT artifact, status IN ('ok', 'cached') AS good, count(*) AS n, \
                 count(cost) AS priced, coalesce(sum(cost), 0) AS cost, \
                 sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion, \
                 sum(cached_tokens) AS cached, sum(reasoning_tokens) AS reasoning \
                 FROM outcome WHERE job = ?1 AND prompt_tokens IS NOT NULL \
                 GROUP BY artifact, good) g LEFT JOIN artifact a ON a.id = g.artifact \
                 LEFT JOIN shard s ON s.id = a.shard GROUP BY s.ask, s.mode, s.reask, g.good",
            )?
            .query_map([job], |row| {
                Ok(CostGroup {
                    ask: row.get(0)?,
                    mode: Mode::read(&row.get::<_, String>(1)?).unwrap_or_default(),
                    is_reask: row.get(2)?,
                    is_good: row.get(3)?,
                    used: read_used(row, 4)?,
                })
            })?
            .collect()
        })
    }

    /// What those answers of the rows from `first` to `last` used that do not count any more: a row
    /// that was asked again has paid for each of its answers. Rows without such are left out.
    pub fn earlier_costs(
        &self,
        job: &str,
        (first, last): (u64, u64),
    ) -> Result<Vec<(u64, Used)>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT row, count(*), count(cost), coalesce(sum(cost), 0), \
                 coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), \
                 coalesce(sum(cached_tokens), 0), coalesce(sum(reasoning_tokens), 0) \
                 FROM outcome o WHERE job = ?1 AND row BETWEEN ?2 AND ?3 AND \
                 prompt_tokens IS NOT NULL AND NOT ({COUNTS}) GROUP BY row"
            ))?
            .query_map(params![job, first, last], |row| Ok((row.get(0)?, read_used(row, 1)?)))?
            .collect()
        })
    }

    /// What the surplus batches of a job used that is in no row's outcome, and how many there are.
    pub fn surplus_costs(&self, job: &str) -> Result<Used, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT count(*), count(cost), coalesce(sum(cost), 0), \
                 coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0), \
                 coalesce(sum(cached_tokens), 0), coalesce(sum(reasoning_tokens), 0) \
                 FROM surplus WHERE job = ?1 AND prompt_tokens + completion_tokens > 0",
            )?
            .query_row([job], |row| read_used(row, 0))
        })
    }

    /// Answers of a job of which nobody knows what they used: their line says nothing of it, or
    /// no line came though their batch completed. Rows with another's answer are none.
    pub fn rows_without_usage(&self, job: &str) -> Result<u64, StoreError> {
        self.read(|c| {
            // Most jobs have none, and need not be sorted to know that.
            let any = format!(
                "SELECT EXISTS (SELECT 1 FROM outcome WHERE job = ?1 AND round > 0 AND \
                 prompt_tokens IS NULL AND (status = 'missing' OR {ANSWERED}))"
            );
            if number(c, &any, job)? == 0 {
                return Ok(0);
            }
            let silent = number(
                c,
                &format!(
                    "SELECT count(*) FROM (SELECT 1 FROM outcome WHERE job = ?1 AND round > 0 \
                     AND place IS NOT NULL AND {ANSWERED} GROUP BY artifact, place \
                     HAVING max(prompt_tokens) IS NULL)"
                ),
                job,
            )?;
            let lost = number(
                c,
                &format!(
                    "SELECT count(*) FROM outcome WHERE job = ?1 AND round > 0 AND \
                     prompt_tokens IS NULL AND place IS NULL AND (status = 'missing' OR \
                     {ANSWERED}) AND row NOT IN (SELECT row FROM equal_row WHERE job = ?1)"
                ),
                job,
            )?;
            Ok(silent + lost)
        })
    }

    /// What rows would have cost that got the answer of another, in all rounds in which that was
    /// asked.
    pub fn equal_costs(&self, job: &str) -> Result<Equal, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT count(DISTINCT e.row), count(*) - count(o.cost), coalesce(sum(o.cost), 0) \
                 FROM equal_row e \
                 JOIN outcome o ON o.job = e.job AND o.row = e.leader \
                 WHERE e.job = ?1 AND o.prompt_tokens IS NOT NULL",
            )?
            .query_row([job], |row| {
                let (rows, unpriced): (u64, u64) = (row.get(0)?, row.get(1)?);
                let cost: u64 = row.get(2)?;
                Ok(Equal { rows, cost: (unpriced == 0).then_some(cost) })
            })
        })
    }

    /// What the batches of a job that are not settled may still cost; `Some(None)` where no price
    /// is known of one, `None` where there are none.
    pub fn open_charges(&self, job: &str) -> Result<Option<Option<u64>>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT count(*), count(cost), sum(cost) FROM charge WHERE job = ?1 AND \
                 settled = 0",
            )?
            .query_row([job], |row| {
                let (all, priced): (u64, u64) = (row.get(0)?, row.get(1)?);
                let cost: Option<u64> = row.get(2)?;
                Ok((all > 0).then(|| cost.filter(|_| priced == all)))
            })
        })
    }

    /// The tokens of every answer of a job's rows, one by one, with the question it answers.
    pub fn each_usage(
        &self,
        job: &str,
        mut visit: impl FnMut(Option<i64>, Usage),
    ) -> Result<(), StoreError> {
        self.read(|c| {
            let mut query = c.prepare(
                "SELECT s.ask, o.prompt_tokens, o.completion_tokens, o.cached_tokens, \
                 o.reasoning_tokens FROM outcome o LEFT JOIN artifact a ON a.id = o.artifact \
                 LEFT JOIN shard s ON s.id = a.shard \
                 WHERE o.job = ?1 AND o.prompt_tokens IS NOT NULL",
            )?;
            let mut rows = query.query([job])?;
            while let Some(row) = rows.next()? {
                visit(row.get(0)?, read_usage(row, 1)?);
            }
            Ok(())
        })
    }

    /// What the answers used that were taken from earlier jobs, one by one; `None` where their own
    /// job no longer tells.
    pub fn each_cached_usage(
        &self,
        job: &str,
        mut visit: impl FnMut(Option<Usage>),
    ) -> Result<(), StoreError> {
        self.read(|c| {
            let mut earlier = c.prepare(
                // The first condition on the status is that of the index.
                "SELECT prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens \
                 FROM outcome WHERE content_key = ?1 AND status IN ('ok', 'cached') AND \
                 status = 'ok' AND prompt_tokens IS NOT NULL UNION ALL \
                 SELECT prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens \
                 FROM cache_import WHERE key = ?1 AND prompt_tokens IS NOT NULL LIMIT 1",
            )?;
            let mut query = c.prepare(
                "SELECT content_key FROM outcome WHERE job = ?1 AND round = 0 AND \
                 status = 'cached'",
            )?;
            let mut rows = query.query([job])?;
            while let Some(row) = rows.next()? {
                let key: Option<[u8; 16]> = row.get(0)?;
                let mut found = earlier.query(params![key])?;
                visit(found.next()?.map(|row| read_usage(row, 0)).transpose()?);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{outcome, store_with_job};
    use super::*;
    use crate::answer::RowStatus;
    use crate::batch::FailureKind;
    use crate::store::{ArtifactKind, ArtifactRecord, OutcomeRecord};

    const JOB: &str = "k7f2qd0000";

    fn usage(prompt_tokens: u64, completion_tokens: u64) -> Usage {
        Usage { prompt_tokens, completion_tokens, ..Usage::default() }
    }

    fn answer(row: u64, status: RowStatus, place: Option<u64>, cost: Option<u64>) -> OutcomeRecord {
        OutcomeRecord {
            place: place.map(|at| (1, at, 9)),
            usage: Some(usage(5, 2)),
            cost,
            ..outcome(row, status)
        }
    }

    fn with_file() -> (tempfile::TempDir, Store, i64) {
        let (home, store) = store_with_job();
        let shard = store.shards(JOB).unwrap()[0].id;
        let artifact = ArtifactRecord {
            id: 0,
            shard,
            kind: ArtifactKind::Output,
            name: "a".into(),
            bytes: 9,
            digest: String::new(),
        };
        store.record_artifacts(shard, &[artifact]).unwrap();
        (home, store, shard)
    }

    /// P7: the sums are those of the rows, however often they are written; an answer that is
    /// replaced in its round was paid for too.
    #[test]
    fn p7_costs_are_counted_once_and_none_is_lost() {
        let (_home, store, shard) = with_file();
        let total = || {
            let mut all = Used::default();
            store.costs(JOB).unwrap().into_iter().for_each(|group| all += group.used);
            all
        };
        let first = [
            answer(0, RowStatus::Ok, Some(0), Some(100)),
            answer(1, RowStatus::Unparsed, Some(9), Some(30)),
        ];
        for _ in 0..3 {
            store.settle_shard(JOB, shard, &first).unwrap();
            assert_eq!((total().rows, total().cost()), (2, Some(130)));
        }
        let other = [answer(1, RowStatus::Ok, Some(18), Some(50))];
        for _ in 0..2 {
            // Written again it is the same answer.
            store.record_outcomes(JOB, &other).unwrap();
            assert_eq!((total().usage, total().cost()), (usage(15, 6), Some(180)));
        }
        let lost = OutcomeRecord { usage: None, ..answer(1, RowStatus::Missing, None, None) };
        store.record_outcomes(JOB, &[lost]).unwrap();
        assert_eq!(total().cost(), Some(180), "what was paid stays paid");
        let unknown = [OutcomeRecord { round: 2, ..answer(1, RowStatus::Ok, Some(27), None) }];
        store.record_outcomes(JOB, &unknown).unwrap();
        assert_eq!((total().cost(), total().known, total().unpriced), (None, 180, 1));
        let groups = store.costs(JOB).unwrap();
        assert_eq!(groups.iter().map(|group| group.is_good).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn answers_without_a_count_are_counted_once_for_all_rows_that_share_them() {
        let (_home, store, shard) = with_file();
        let silent =
            |row, status, place| OutcomeRecord { usage: None, ..answer(row, status, place, None) };
        let failed = |row, class| OutcomeRecord {
            class: Some(class),
            ..silent(row, RowStatus::Error, Some(row * 9))
        };
        let table = [
            (silent(0, RowStatus::Ok, Some(0)), 1),
            (silent(1, RowStatus::Ok, Some(0)), 1),
            (silent(2, RowStatus::Truncated, Some(9)), 2),
            (failed(3, FailureKind::Server), 2),
            (silent(4, RowStatus::Expired, None), 2),
            (silent(5, RowStatus::Missing, None), 3),
            (answer(6, RowStatus::Ok, Some(27), None), 3),
            (OutcomeRecord { round: 0, ..silent(7, RowStatus::Cached, Some(36)) }, 3),
            (failed(8, FailureKind::NoAnswer), 4),
            (failed(9, FailureKind::Invalid), 4),
        ];
        for (record, expected) in table {
            store.settle_shard(JOB, shard, std::slice::from_ref(&record)).unwrap();
            assert_eq!(store.rows_without_usage(JOB).unwrap(), expected, "{record:?}");
        }
    }
}
