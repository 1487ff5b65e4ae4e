//! From the line of a call to the outcome of its row: judged as a batch's line is, and priced by
//! who gave it.

use super::line::by_of;
use crate::answer::{Expected, judge};
use crate::batch::ResultLine;
use crate::job::drive::Driver;
use crate::job::price::used;
use crate::job::{JobError, Prices};
use crate::request::Mode;
use crate::store::{OutcomeRecord, ShardRecord};

/// What all rows of a job are judged by.
pub(super) struct Judge {
    expected: Expected,
    prices: Prices,
}

/// A row whose line is judged, and where that lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) row: u64,
    pub(super) key: [u8; 16],
    pub(super) artifact: i64,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Judge {
    /// The one of a job.
    pub(super) fn of(driver: &Driver<'_>) -> Result<Self, JobError> {
        Ok(Self { expected: driver.expected()?, prices: driver.prices()? })
    }

    /// The outcome that a line gives its row.
    pub(super) fn outcome(
        &self,
        shard: &ShardRecord,
        placed: Placed,
        line: &ResultLine,
        (provider, model): (&str, &str),
    ) -> OutcomeRecord {
        let judged = judge(line, self.expected.wanted());
        let usage = used(line);
        let price = self.prices.of_call(shard.asks.ask, provider, model);
        OutcomeRecord {
            row: placed.row,
            round: shard.round,
            status: judged.status,
            place: Some((placed.artifact, placed.offset, placed.length)),
            content_key: Some(placed.key),
            usage,
            cost: usage.and_then(|usage| price?.cost(Mode::Realtime, crate::job::tokens_of(usage))),
            error: judged.error,
            class: judged.class,
        }
    }
}

/// Who gave a line: the member's place among these, and its names.
pub(super) fn member_of(line: &[u8], members: &[(String, String)]) -> (usize, String, String) {
    let Some(by) = by_of(line) else {
        let (provider, model) = members.first().cloned().unwrap_or_default();
        return (0, provider, model);
    };
    let is = |(name, model): &(String, String)| *name == by.provider && *model == by.model;
    let at = members.iter().position(is).unwrap_or(0);
    (at, by.provider.into_owned(), by.model.into_owned())
}
