//! The shards of a job: one by one as long as a person can read them, else counted by state.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::batch::Batch;
use crate::cost::grouped;
use crate::job::last_seen;
use crate::store::{CreateRecord, ShardRecord, ShardState, Transition};
use crate::ui::{counted, moment};

/// A shard with its batch, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct BatchView {
    pub(super) shard: String,
    pub(super) state: ShardState,
    /// When it got there, in Unix seconds.
    pub(super) since: Option<i64>,
    pub(super) rows: u64,
    pub(super) batch: Option<String>,
    /// The provider's own word.
    pub(super) status: Option<String>,
    /// When the provider said so, in Unix seconds.
    pub(super) as_of: Option<i64>,
    pub(super) completed: Option<u64>,
    pub(super) failed: Option<u64>,
    pub(super) expires_at: Option<i64>,
    pub(super) detail: Option<String>,
    /// Each state with its time; only with `--shards`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) history: Vec<Transition>,
    /// Whether its rows are asked again because of their answers.
    pub(super) reask: bool,
    #[serde(skip)]
    pub(super) round: u32,
    #[serde(skip)]
    pub(super) create_key: Option<String>,
    #[serde(skip)]
    pub(super) seen: Option<Batch>,
}

impl BatchView {
    pub(super) fn of(
        shard: ShardRecord,
        create: Option<&CreateRecord>,
        history: Vec<Transition>,
    ) -> Self {
        let seen = create.and_then(last_seen);
        let counts = seen.as_ref().map(|batch| batch.counts);
        Self {
            shard: shard.stem(),
            state: shard.state,
            since: history.last().map(|step| step.at),
            rows: shard.rows,
            batch: create.and_then(|create| create.batch_id.clone()),
            status: create.and_then(|create| create.status_word.clone()),
            as_of: create.map(|create| create.updated),
            completed: counts.and_then(|counts| counts.completed),
            failed: counts.and_then(|counts| counts.failed),
            expires_at: seen.as_ref().and_then(|batch| batch.expires_at),
            detail: shard.detail,
            history,
            reask: shard.asks.is_reask,
            round: shard.round,
            create_key: create.map(|create| create.key.clone()),
            seen,
        }
    }

    /// The lines of one shard.
    pub(super) fn line(&self, with_history: bool) -> String {
        let mut line = format!("shard     {}   {}", self.shard, self.state);
        match self.completed {
            Some(completed) => {
                line += &format!("   {}/{}", grouped(completed), grouped(self.rows));
            }
            None => line += &format!("   {}", counted(self.rows, "row")),
        }
        if let Some(failed) = self.failed.filter(|failed| *failed > 0) {
            line += &format!("   failed {}", grouped(failed));
        }
        if self.reask {
            line += "   asked again";
        }
        if let (Some(word), Some(as_of)) = (&self.status, self.as_of) {
            line += &format!("   {word} as of {}", moment(as_of));
        }
        if let Some(batch) = &self.batch {
            line += &format!("\n          {batch}");
        }
        if let Some(detail) = &self.detail {
            line += &format!("\n          {detail}");
        }
        if with_history {
            for step in &self.history {
                line += &format!("\n          {}  {}", moment(step.at), step.state);
            }
        }
        line
    }
}

/// The shards of one round, counted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct RoundView {
    pub(super) round: u32,
    pub(super) shards: u64,
    pub(super) requests: u64,
    /// Those of them that ask rows again because of their answers.
    pub(super) reasks: u64,
    /// Shards by our state.
    pub(super) states: BTreeMap<&'static str, u64>,
    /// Batches by the provider's own word.
    pub(super) provider: BTreeMap<String, u64>,
    /// Requests answered and failed, as far as the provider counts them.
    pub(super) completed: u64,
    pub(super) failed: u64,
    /// The oldest and the newest word of the provider about a batch that runs, in Unix seconds.
    pub(super) as_of: Option<(i64, i64)>,
}

/// The rounds of a job, in order.
pub(super) fn rounds(batches: &[BatchView]) -> Vec<RoundView> {
    let mut rounds: BTreeMap<u32, RoundView> = BTreeMap::new();
    for batch in batches {
        let round = rounds.entry(batch.round).or_default();
        round.round = batch.round;
        round.shards += 1;
        round.requests += batch.rows;
        round.reasks += if batch.reask { batch.rows } else { 0 };
        *round.states.entry(batch.state.as_str()).or_default() += 1;
        if let Some(word) = &batch.status {
            *round.provider.entry(word.clone()).or_default() += 1;
        }
        round.completed += batch.completed.unwrap_or(0).min(batch.rows);
        round.failed += batch.failed.unwrap_or(0).min(batch.rows);
        if batch.state == ShardState::Running
            && let Some(heard) = batch.as_of
        {
            let (first, last) = round.as_of.unwrap_or((heard, heard));
            round.as_of = Some((first.min(heard), last.max(heard)));
        }
    }
    rounds.into_values().collect()
}

impl RoundView {
    /// The round in a line, and the provider's words in another.
    pub(super) fn lines(&self) -> Vec<String> {
        let states = listed(self.states.iter().map(|(word, n)| (*word, *n)));
        let shards = counted(self.shards, "shard");
        let mut line = format!("round {:<3} {shards}: {states}", self.round);
        if self.reasks > 0 {
            let rows = counted(self.reasks, "row");
            line += &format!("   {rows} asked again because of the answer");
        }
        let mut lines = vec![line];
        if !self.provider.is_empty() {
            let words = listed(self.provider.iter().map(|(word, n)| (word.as_str(), *n)));
            let mut line = format!(
                "provider  {words}   {}/{} answered",
                grouped(self.completed),
                grouped(self.requests)
            );
            if self.failed > 0 {
                line += &format!(", failed {}", grouped(self.failed));
            }
            if let Some((first, _)) = self.as_of {
                line += &format!("   as of {}", moment(first));
            }
            lines.push(line);
        }
        lines
    }
}

fn listed<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let parts: Vec<_> = counts.map(|(word, n)| format!("{word} {}", grouped(n))).collect();
    parts.join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A shard of ten requests in this state.
    pub(in crate::commands::status) fn shard(number: u64, state: ShardState) -> BatchView {
        let record = ShardRecord {
            id: i64::try_from(number).unwrap(),
            job: "k7f2qd0000".into(),
            round: 1,
            number,
            state,
            rows: 10,
            bytes: 100,
            tokens: 0,
            cuts: 0,
            detail: None,
            asks: crate::store::Asking::default(),
            reserve: None,
            mode: crate::request::Mode::Batch,
        };
        BatchView::of(record, None, Vec::new())
    }

    /// B09: thousands of shards are a handful of lines.
    #[test]
    fn five_thousand_shards_are_read_in_two_lines() {
        let mut batches: Vec<_> =
            (1..=4000).map(|number| shard(number, ShardState::Planned)).collect();
        batches.extend((4001..=5000).map(|number| BatchView {
            status: Some("in_progress".into()),
            completed: Some(5),
            as_of: Some(1_000_000_000),
            ..shard(number, ShardState::Running)
        }));
        let rounds = rounds(&batches);
        assert_eq!(rounds.len(), 1);
        let lines = rounds[0].lines();
        assert_eq!(lines[0], "round 1   5,000 shards: planned 4,000, running 1,000");
        assert!(
            lines[1].starts_with("provider  in_progress 1,000   5,000/50,000 answered   as of")
        );
        assert_eq!(lines.len(), 2);
    }
}
