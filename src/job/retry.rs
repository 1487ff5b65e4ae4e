//! Planning a retry: which rows of a job that is over are asked again, and the shards they go out
//! in. They are measured anew, so the question may differ from the job's own, and images are read
//! as they are now. Nothing is sent here.

use std::collections::{HashMap, HashSet};

use super::repack::share;
use super::rounds::list_round;
use super::{JobError, JobFolder, Spec};
use crate::answer::RowStatus;
use crate::batch::FailureKind;
use crate::cost::{Price, Terms};
use crate::request::{Compiled, CustomId, Question, Source};
use crate::shard::{Cutter, Limits, RowEntry};
use crate::store::{EqualRow, NewRetry, NewShard, Store};
use crate::table::{Row, Table};

/// Which rows a person wants asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Their statuses; empty is all that may succeed.
    pub statuses: Vec<RowStatus>,
    /// Whether the question differs from the job's own.
    pub is_changed: bool,
    /// Only what a batch leaves: rows without an answer that nobody stopped.
    pub is_rest: bool,
}

impl Wanted {
    /// Whether a row is asked again. Without a wish that is what may succeed: a request that was
    /// refused, cut off at the token limit or found wrong ends so again unless it is changed, and
    /// of a skipped row no request could be made.
    pub fn takes(&self, status: RowStatus, class: Option<FailureKind>) -> bool {
        use RowStatus::{
            Cancelled, Error, Expired, Invalid, Missing, Refused, Truncated, Unparsed,
        };
        if !self.statuses.is_empty() {
            return self.statuses.contains(&status);
        }
        match status {
            Cancelled | Unparsed | Invalid if self.is_rest => false,
            Expired | Missing | Cancelled | Unparsed | Invalid => true,
            Error => self.is_changed || !class.is_some_and(stays),
            Refused | Truncated => self.is_changed,
            _ => false,
        }
    }
}

/// Whether the same request fails so again.
fn stays(class: FailureKind) -> bool {
    matches!(class, FailureKind::Invalid | FailureKind::Filtered | FailureKind::NotFound)
}

/// What a retry would send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryPlan {
    /// The round it goes out in.
    pub round: u32,
    /// Its shards; their row lists are in the folder.
    pub shards: Vec<NewShard>,
    /// Every row that is asked again, itself or by an equal one.
    pub rows: Vec<u64>,
    /// Those of them that get the outcome of another.
    pub equal: Vec<EqualRow>,
    /// Rows that were wanted and of which no request can be made, with the reason.
    pub unbuilt: Vec<(u64, String)>,
    /// The first request's line, as it will be sent.
    pub first_request: Option<String>,
}

impl RetryPlan {
    /// Requests in all shards.
    pub fn requests(&self) -> u64 {
        self.shards.iter().map(|shard| shard.rows).sum()
    }

    /// Bytes of all shards.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }

    /// Shares out what all of it could cost, in trillionths of the price's currency.
    pub fn reserve(&mut self, all: Option<u64>) {
        let (rows, bytes) = (self.requests(), self.bytes());
        for shard in &mut self.shards {
            let by_rows = |all| share(all, shard.rows, rows);
            shard.reserve = all.map(|all| by_rows(all).max(share(all, shard.bytes, bytes)));
        }
    }

    /// Records it: from then on the job goes on with it, under these terms. A question of its own
    /// comes with the price of another model than the job's.
    pub fn begin(
        &self,
        store: &Store,
        job: &str,
        (question, price): (Option<&Question>, Option<&Price>),
        terms: &Terms,
        now: i64,
    ) -> Result<(), JobError> {
        let question = question.map(|question| {
            serde_json::to_string(question).expect("a question is plain data with text keys")
        });
        let price = price.map(|price| {
            serde_json::to_string(price).expect("a price is plain data with text keys")
        });
        let terms = serde_json::to_string(terms).expect("terms are plain data with text keys");
        let retry = NewRetry {
            terms: &terms,
            round: self.round,
            question: question.as_deref(),
            price: price.as_deref(),
            shards: &self.shards,
            rows: &self.rows,
            equal: &self.equal,
            now,
        };
        Ok(store.begin_retry(job, &retry)?)
    }
}

/// Plans a retry of these rows (in row order) of a job: writes their row lists, which are rubbish
/// until the retry begins.
pub fn plan_retry(
    store: &Store,
    job: &str,
    (spec, question): (&Spec, &Question),
    (table, folder): (&Table, &JobFolder),
    limits: &Limits,
    rows: &[u64],
) -> Result<RetryPlan, JobError> {
    let mut plan = RetryPlan { round: store.newest_round(job)? + 1, ..RetryPlan::default() };
    let merges = spec.question.source != Source::Foreign && store.has_equal_rows(job)?;
    let mut measure = Measurer {
        compiled: question.compile(table.headers())?,
        cutter: Cutter::new(*limits),
        round: plan.round,
    };
    let (tokens, bytes) = weight(store, job)?;
    let mut entries = Vec::new();
    let mut leaders: HashMap<[u8; 16], u64> = HashMap::new();
    let wanted: HashSet<u64> = rows.iter().copied().collect();
    let mut all = table.rows()?;
    while let Some(row) = all.next_row()? {
        if !wanted.contains(&row.number()) {
            continue;
        }
        match measure.entry(row) {
            Ok(entry) => {
                if plan.rows.is_empty() {
                    plan.first_request = measure.line(row, job);
                }
                plan.rows.push(entry.row);
                if let Some(leader) = leaders.get(&entry.content_key).filter(|_| merges) {
                    plan.equal.push(EqualRow { leader: *leader, row: entry.row });
                } else {
                    leaders.insert(entry.content_key, entry.row);
                    entries.push((entry, share(tokens, entry.line_bytes, bytes)));
                }
            }
            Err(reason) => plan.unbuilt.push((row.number(), reason)),
        }
    }
    plan.shards = list_round(folder, limits, (plan.round, 1), &entries)?;
    Ok(plan)
}

/// Tokens and bytes of all requests that were sent: what a byte of this job weighs.
fn weight(store: &Store, job: &str) -> Result<(u64, u64), JobError> {
    let shards = store.shards(job)?;
    let tokens = shards.iter().map(|shard| shard.tokens).sum();
    Ok((tokens, shards.iter().map(|shard| shard.bytes).sum()))
}

struct Measurer {
    compiled: Compiled,
    cutter: Cutter,
    round: u32,
}

impl Measurer {
    /// The request of a row as it will be sent.
    fn line(&mut self, row: &Row, job: &str) -> Option<String> {
        let id = CustomId { job6: job[..6].to_owned(), row: row.number(), round: self.round };
        let mut line = Vec::new();
        self.compiled.write_line(row, &id.to_string(), &mut line).ok()?;
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// A row as it will be sent, or why it cannot be.
    fn entry(&mut self, row: &Row) -> Result<RowEntry, String> {
        if let Some(fault) = row.fault() {
            return Err(fault.to_string());
        }
        let length = CustomId::length(row.number(), self.round);
        let measure = self.compiled.measure(row, length).map_err(|skip| skip.reason)?;
        self.cutter.check(measure.line_bytes).map_err(|skip| skip.reason)?;
        Ok(RowEntry {
            row: row.number(),
            line: row.line(),
            offset: row.position().offset,
            line_bytes: measure.line_bytes,
            row_hash: row.hash(),
            content_key: measure.content_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never by themselves, and not without a wish: what would end the same way.
    #[test]
    fn what_a_retry_takes() {
        use RowStatus::{
            Cancelled, Error, Expired, Invalid, Missing, Refused, Skipped, Truncated, Unparsed,
        };
        let plain = Wanted::default();
        let changed = Wanted { is_changed: true, ..Wanted::default() };
        let table = [
            (Expired, None, true, true, true),
            (Missing, None, true, true, true),
            (Cancelled, None, true, true, false),
            (Unparsed, None, true, true, false),
            (Invalid, None, true, true, false),
            (Error, None, true, true, true),
            (Error, Some(FailureKind::Server), true, true, true),
            (Error, Some(FailureKind::Account), true, true, true),
            (Error, Some(FailureKind::Invalid), false, true, false),
            (Refused, None, false, true, false),
            (Truncated, None, false, true, false),
            (Skipped, None, false, false, false),
        ];
        let rest = Wanted { is_rest: true, ..Wanted::default() };
        for (status, class, taken, taken_if_changed, is_rest) in table {
            assert_eq!(rest.takes(status, class), is_rest, "{status:?} {class:?}");
            assert_eq!(plain.takes(status, class), taken, "{status:?} {class:?}");
            assert_eq!(changed.takes(status, class), taken_if_changed, "{status:?} {class:?}");
            let named = Wanted { statuses: vec![status], ..Wanted::default() };
            assert!(named.takes(status, class), "what is named is taken: {status:?}");
        }
        assert!(!Wanted { statuses: vec![Error], ..Wanted::default() }.takes(Expired, None));
    }
}
