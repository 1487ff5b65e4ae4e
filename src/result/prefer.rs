//! Which of several lines for one row counts.

use crate::answer::{RowStatus, Wanted, judge};
use crate::batch::{Outcome, ResultLine, decode_line};

/// What decides between two lines for one row; the greater one counts. The order is total, so
/// the outcome does not depend on the order of files and lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight {
    rank: Rank,
    /// By the provider's clock; unknown times are the oldest.
    created_at: Option<i64>,
    round: u32,
    /// Nothing else tells them apart.
    content: String,
    digest: [u8; 32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Broken,
    Failed,
    /// With the worth of its status.
    AnsweredBadly(u8),
    Good,
}

impl Weight {
    /// Weighs a raw line.
    pub(super) fn of(line: &[u8], round: u32, wanted: Wanted<'_>) -> Self {
        let digest = *blake3::hash(line).as_bytes();
        let Ok(decoded) = decode_line(line) else {
            let content = String::new();
            return Self { rank: Rank::Broken, created_at: None, round, content, digest };
        };
        let (rank, created_at, content) = weigh(&decoded, wanted);
        Self { rank, created_at, round, content, digest }
    }

    /// What is better about an answer, whatever it says: its kind and its time.
    pub(super) fn merit(&self) -> impl Ord + use<> {
        (self.rank, self.created_at)
    }

    /// Whether both are good and say different things.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        self.rank == Rank::Good && other.rank == Rank::Good && self.content != other.content
    }
}

fn weigh(line: &ResultLine, wanted: Wanted<'_>) -> (Rank, Option<i64>, String) {
    match &line.outcome {
        Outcome::Failed(_) => (Rank::Failed, None, String::new()),
        Outcome::Answered(reply) => {
            let rank = match judge(line, wanted).status {
                RowStatus::Ok => Rank::Good,
                status => Rank::AnsweredBadly(status.worth()),
            };
            (rank, reply.created_at, reply.content.clone())
        }
    }
}
