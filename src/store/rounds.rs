//! Further rounds of a job: which rows go out again, with which question, and what stops a job
//! until a person has seen it.

use rusqlite::{OptionalExtension, params};

use super::outcomes::{COUNTS, NEWEST_BAD};
use super::{Asking, EqualRow, NewShard, Store, StoreError, shards, word};
use crate::answer::RowStatus;
use crate::batch::FailureKind;

/// A row that goes out again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// The row, from 0.
    pub row: u64,
    /// The round in which it was last sent.
    pub round: u32,
    /// What became of it there.
    pub status: RowStatus,
    /// Whether it is asked because of an answer that it had, and not for want of one.
    pub is_reask: bool,
}

/// How often rows go out again by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounds {
    /// Rounds that a row may run in without being answered.
    pub most: u32,
    /// How often a row is asked again because of its answer.
    pub reasks: u32,
}

/// A row that is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRow {
    /// The row, from 0.
    pub row: u64,
    /// What became of it.
    pub status: RowStatus,
    /// What kind of failure that is, where it is known.
    pub class: Option<FailureKind>,
}

/// A question of a retry that is not the job's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The ledger's number.
    pub id: i64,
    /// The question, as JSON.
    pub question: String,
    /// The price of its model, as JSON; `None` where it is the job's own or unknown.
    pub price: Option<String>,
}

/// What a retry asks again.
#[derive(Debug, Clone, Copy)]
pub struct NewRetry<'a> {
    /// The round it goes out in; no shard of the job has it or a later one.
    pub round: u32,
    /// The question as JSON, where it is not the job's own.
    pub question: Option<&'a str>,
    /// The price of that question's model as JSON, where it is another than the job's and known.
    pub price: Option<&'a str>,
    /// What the job is made under from now on, as JSON.
    pub terms: &'a str,
    /// Its shards.
    pub shards: &'a [NewShard],
    /// Every row that is asked again, itself or by an equal one.
    pub rows: &'a [u64],
    /// Those of them that get the outcome of another.
    pub equal: &'a [EqualRow],
    /// Unix seconds.
    pub now: i64,
}

/// How many outcomes with such a status the row of `o` has since the newest retry.
fn counted(status: &str) -> String {
    format!(
        "(SELECT count(*) FROM outcome r WHERE r.job = o.job AND r.row = o.row AND \
         r.round >= j.counted_from AND r.status {status})"
    )
}

impl Store {
    /// The rows of a job that are not good, in row order.
    pub fn open_rows(&self, job: &str) -> Result<Vec<OpenRow>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT row, status, class FROM outcome o WHERE job = ?1 AND status NOT IN \
                 ('ok', 'cached') AND {COUNTS} ORDER BY row"
            ))?
            .query_map([job], |row| {
                let class: Option<String> = row.get(2)?;
                Ok(OpenRow {
                    row: row.get(0)?,
                    status: word(1, &row.get::<_, String>(1)?, RowStatus::read)?,
                    class: class.map(|class| word(2, &class, FailureKind::read)).transpose()?,
                })
            })?
            .collect()
        })
    }

    /// How many rows that are not good there are of each status and kind of failure.
    pub fn open_classes(
        &self,
        job: &str,
    ) -> Result<Vec<(RowStatus, Option<FailureKind>, u64)>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT status, class, count(*) FROM outcome o WHERE job = ?1 AND status NOT IN \
                 ('ok', 'cached') AND {COUNTS} GROUP BY status, class"
            ))?
            .query_map([job], |row| {
                let class: Option<String> = row.get(1)?;
                Ok((
                    word(0, &row.get::<_, String>(0)?, RowStatus::read)?,
                    class.map(|class| word(1, &class, FailureKind::read)).transpose()?,
                    row.get(2)?,
                ))
            })?
            .collect()
        })
    }

    /// Whether rows of a job get the outcome of others that ask the same.
    pub fn has_equal_rows(&self, job: &str) -> Result<bool, StoreError> {
        self.read(|c| {
            let query = "SELECT 1 FROM equal_row WHERE job = ?1 LIMIT 1";
            Ok(c.query_row(query, [job], |_| Ok(())).optional()?.is_some())
        })
    }

    /// The newest round of a job.
    pub fn newest_round(&self, job: &str) -> Result<u32, StoreError> {
        self.read(|c| {
            let query = "SELECT coalesce(max(round), 0) FROM shard WHERE job = ?1";
            c.query_row(query, [job], |row| row.get(0))
        })
    }

    /// Puts a job that is over back to work: its new shards are there, nobody wants it stopped any
    /// more, and the rounds are counted from this one on. All or nothing.
    pub fn begin_retry(&self, job: &str, retry: &NewRetry<'_>) -> Result<(), StoreError> {
        self.write(|tx| {
            let ask = match retry.question {
                Some(question) => {
                    let insert = "INSERT INTO ask (job, question, price) VALUES (?1, ?2, ?3)";
                    tx.execute(insert, params![job, question, retry.price])?;
                    Some(tx.last_insert_rowid())
                }
                None => None,
            };
            shards::insert(tx, job, retry.shards, Asking { ask, is_reask: false })?;
            // Asked otherwise, rows that asked the same may not any more.
            let mut part =
                tx.prepare("DELETE FROM equal_row WHERE job = ?1 AND (row = ?2 OR leader = ?2)")?;
            for row in retry.rows {
                part.execute(params![job, row])?;
            }
            let mut follow =
                tx.prepare("INSERT INTO equal_row (job, leader, row) VALUES (?1, ?2, ?3)")?;
            for EqualRow { leader, row } in retry.equal {
                follow.execute(params![job, leader, row])?;
            }
            tx.execute("DELETE FROM wish WHERE job = ?1", [job])?;
            tx.execute(
                "UPDATE job SET state = 'waiting', reason = 'rows are to go out again', \
                 counted_from = ?2, halt = NULL, halt_told = 0, exit = NULL, written = NULL, \
                 updated = ?3, terms = ?4 WHERE key = ?1",
                params![job, retry.round, retry.now, retry.terms],
            )?;
            Ok(())
        })
    }

    /// The rows that go out again by themselves, in row order: those whose newest outcome is
    /// expired, missing, or an error that may pass, and that had fewer than `most` such ones; and
    /// those with an answer that is not the JSON that was wanted, and at most `reasks` such ones.
    /// An error of a call is none of them: it was asked again as often as was said. Only what came since the job was planned, or since its newest retry, is looked at. Answers
    /// do not count as rounds: each question may go out as often as the first.
    pub fn leftovers(&self, job: &str, rounds: Rounds) -> Result<Vec<Leftover>, StoreError> {
        let classes: Vec<_> =
            FailureKind::repeatable().map(|kind| format!("'{}'", kind.as_str())).collect();
        let query = format!(
            "SELECT o.row, o.round, o.status, {answers} > 0 FROM outcome o JOIN job j ON \
             j.key = o.job WHERE o.job = ?1 AND o.round >= j.counted_from AND CASE \
             WHEN o.status IN ('expired', 'missing') OR (o.status = 'error' AND o.class IN \
             ({classes}) AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.id = o.artifact AND \
             a.kind = 'calls')) THEN {passes} < ?2 WHEN o.status IN ('unparsed', 'invalid') \
             THEN {answers} <= ?3 ELSE 0 END AND {NEWEST_BAD} ORDER BY o.row",
            answers = counted("IN ('unparsed', 'invalid')"),
            passes = counted("NOT IN ('skipped', 'unparsed', 'invalid')"),
            classes = classes.join(", ")
        );
        self.read(|c| {
            c.prepare(&query)?
                .query_map(params![job, rounds.most, rounds.reasks], |row| {
                    Ok(Leftover {
                        row: row.get(0)?,
                        round: row.get(1)?,
                        status: word(2, &row.get::<_, String>(2)?, RowStatus::read)?,
                        is_reask: row.get(3)?,
                    })
                })?
                .collect()
        })
    }

    /// Makes the shards of a further round, all or none, each group with what it asks.
    pub fn insert_round(
        &self,
        job: &str,
        groups: &[(Asking, Vec<NewShard>)],
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            groups.iter().try_for_each(|(asks, group)| shards::insert(tx, job, group, *asks))
        })
    }

    /// The question with this number, as JSON.
    pub fn question(&self, ask: i64) -> Result<String, StoreError> {
        self.read(|c| {
            c.query_row("SELECT question FROM ask WHERE id = ?1", [ask], |row| row.get(0))
        })
    }

    /// The questions of a job's retries, oldest first.
    pub fn asks(&self, job: &str) -> Result<Vec<Ask>, StoreError> {
        self.read(|c| {
            c.prepare("SELECT id, question, price FROM ask WHERE job = ?1 ORDER BY id")?
                .query_map([job], |row| {
                    Ok(Ask { id: row.get(0)?, question: row.get(1)?, price: row.get(2)? })
                })?
                .collect()
        })
    }

    /// Why nothing more of a job is sent, as JSON, and whether a person was told.
    pub fn halt(&self, job: &str) -> Result<Option<(String, bool)>, StoreError> {
        self.read(|c| {
            let query = "SELECT halt, halt_told FROM job WHERE key = ?1 AND halt IS NOT NULL";
            c.query_row(query, [job], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
    }

    /// Keeps why nothing more of a job is sent, as JSON; an earlier reason stays.
    pub fn put_halt(&self, job: &str, halt: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            let put = "UPDATE job SET halt = coalesce(halt, ?2) WHERE key = ?1";
            tx.execute(put, [job, halt])?;
            Ok(())
        })
    }

    /// Records that a person was told why nothing more of a job is sent.
    pub fn halt_is_told(&self, job: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            let told = "UPDATE job SET halt_told = 1 WHERE key = ?1 AND halt IS NOT NULL";
            tx.execute(told, [job])?;
            Ok(())
        })
    }

    /// Lets a job that was stopped go on.
    pub fn lift_halt(&self, job: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET halt = NULL, halt_told = 0 WHERE key = ?1", [job])?;
            Ok(())
        })
    }
}
