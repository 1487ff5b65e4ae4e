//! What happens while a job runs, told to whoever listens: a bar, plain lines, JSON lines.

use std::time::Duration;

use serde::Serialize;

use crate::answer::RowStatus;
use crate::batch::BatchStatus;

/// One thing that happened. Numbers only; how they look is the listener's business.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Something a person should know; the run goes on.
    Note {
        /// The sentence.
        text: String,
    },
    /// Something a person should look at; the run goes on.
    Warning {
        /// The sentence.
        text: String,
    },
    /// Rows are being read, measured and hashed.
    Planning {
        /// Rows looked at so far.
        rows: u64,
    },
    /// The plan stands.
    Planned {
        /// The job's short id.
        job: String,
        /// Selected rows.
        rows: u64,
        /// Requests that will be sent.
        requests: u64,
        /// Rows for which no request can be made.
        skipped: u64,
        /// Rows that an earlier job answered.
        answered: u64,
        /// Rows that get the outcome of another row, which asks the same.
        equal: u64,
        /// Input files.
        shards: u64,
        /// Bytes of all input files.
        bytes: u64,
    },
    /// A shard's input file is written.
    Built {
        /// The shard, from 1.
        shard: u64,
        /// How many there are.
        shards: u64,
        /// Its requests.
        requests: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// Bytes of an input file have left.
    Uploading {
        /// The shard, from 1.
        shard: u64,
        /// How many there are.
        shards: u64,
        /// Bytes sent so far.
        sent: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A batch exists at the provider.
    Submitted {
        /// The shard, from 1.
        shard: u64,
        /// How many there are.
        shards: u64,
        /// The provider's batch id.
        batch: String,
    },
    /// The provider was asked.
    Polled {
        /// The job's short id.
        job: String,
        /// Batches by state.
        batches: Vec<(BatchStatus, u64)>,
        /// Requests answered so far.
        completed: u64,
        /// Requests failed so far.
        failed: u64,
        /// Requests in all.
        total: u64,
        /// When it will be asked again; `None` if all batches have ended.
        #[serde(serialize_with = "as_seconds")]
        next_check: Option<Duration>,
        /// The first batch's id, for the line under the bar.
        batch: Option<String>,
    },
    /// Rows are called; told a few times in a second at most.
    Called {
        /// The job's short id.
        job: String,
        /// Rows of the open shards that have their outcome.
        done: u64,
        /// How many of them have no good one.
        failed: u64,
        /// Rows of the open shards and of those before them.
        total: u64,
        /// Calls that are out.
        out: u64,
        /// Rows that got their outcome in a second, lately.
        per_second: f64,
        /// Who has the most calls out, as `openai:gpt-4o`; empty where none is.
        asked: String,
    },
    /// Asking failed; the batch is not touched by that and will be asked again.
    PollFailed {
        /// What went wrong.
        text: String,
        /// When it will be asked again.
        #[serde(serialize_with = "as_seconds")]
        next_check: Option<Duration>,
    },
    /// Bytes of a result file have arrived.
    Downloading {
        /// The shard, from 1.
        shard: u64,
        /// How many there are.
        shards: u64,
        /// Bytes received so far.
        received: u64,
    },
    /// A shard's result files are on disk, complete and synced.
    Fetched {
        /// The shard, from 1.
        shard: u64,
        /// How many there are.
        shards: u64,
        /// Lines with an answer.
        answered: u64,
        /// Lines with a failure.
        failed: u64,
    },
    /// Rows that may succeed when sent again were gathered.
    NextRound {
        /// The round they go out in.
        round: u32,
        /// How many they are.
        rows: u64,
        /// Input files of that round.
        shards: u64,
        /// How many of them are asked again because of their answer.
        reasked: u64,
        /// What had become of them, the commonest first.
        statuses: Vec<(RowStatus, u64)>,
    },
    /// The output table stands under its name.
    Written {
        /// Where.
        path: String,
        /// Rows in it.
        rows: u64,
    },
}

#[expect(clippy::ref_option, reason = "serde's serialize_with hands over a reference")]
fn as_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|d| d.as_secs_f64()).serialize(serializer)
}

/// Whoever listens. Called from several threads; must not block for long.
pub trait Reporter: Send + Sync {
    /// Takes note of one event.
    fn report(&self, event: &Event);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoReport;

impl Reporter for NoReport {
    fn report(&self, _event: &Event) {}
}
