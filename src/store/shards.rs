//! Shards: one input file for one provider batch, and how far it has come.

use rusqlite::{Row, Transaction, params};

use super::{CreateRecord, Store, StoreError, calls, charges, queue, stored_words, word};
use crate::request::Mode;

stored_words! {
    /// How far a shard has come.
    ShardState {
        /// Its rows are listed; no file was made.
        Planned = "planned",
        /// Its file is being or was sent, no batch was made from it.
        Uploaded = "uploaded",
        /// The call that makes the batch is under way; after a crash its end is unknown.
        Creating = "creating",
        /// The call that makes the batch ended without a clear answer.
        Unknown = "unknown",
        /// The provider refused file or batch; nothing ran.
        Rejected = "rejected",
        /// The provider's queue was full; nothing ran, and the same file goes again later.
        Deferred = "deferred",
        /// The batch exists and has not ended.
        Running = "running",
        /// The batch reached a final state; its files are to be fetched.
        Ended = "ended",
        /// Both files are on disk and synced.
        Stored = "stored",
        /// Its rows are called one by one; some have their outcome.
        Calling = "calling",
        /// Every row of it has its outcome.
        Settled = "settled",
    }
}

impl ShardState {
    /// Whether every row of it has its outcome.
    pub fn is_settled(self) -> bool {
        self == Self::Settled
    }
}

/// A shard to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShard {
    /// The pass over the open rows it belongs to, from 1.
    pub round: u32,
    /// Its number within the round, from 1.
    pub number: u64,
    /// Its requests.
    pub rows: u64,
    /// Its bytes as planned.
    pub bytes: u64,
    /// Its prompt tokens as planned, those that are known.
    pub tokens: u64,
    /// The most it can cost, in trillionths of the job's currency, where that is known.
    pub reserve: Option<u64>,
    /// How its rows are sent.
    pub mode: Mode,
}

impl NewShard {
    /// The shard as a record of no ledger, for building its file without a job.
    pub fn as_record(&self) -> ShardRecord {
        ShardRecord {
            id: 0,
            job: String::new(),
            round: self.round,
            number: self.number,
            state: ShardState::Planned,
            rows: self.rows,
            bytes: self.bytes,
            tokens: self.tokens,
            reserve: self.reserve,
            mode: self.mode,
            cuts: 0,
            detail: None,
            asks: Asking::default(),
        }
    }
}

/// What the rows of a shard are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asking {
    /// The ledger's number of the question; `None` is the job's own.
    pub ask: Option<i64>,
    /// Whether each is asked once more because of its last answer, which its request holds.
    pub is_reask: bool,
}

/// A shard as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRecord {
    /// The ledger's own number.
    pub id: i64,
    /// The job's key.
    pub job: String,
    /// The pass over the open rows it belongs to, from 1.
    pub round: u32,
    /// Its number within the round, from 1.
    pub number: u64,
    /// How far it has come.
    pub state: ShardState,
    /// Its requests.
    pub rows: u64,
    /// Its bytes as planned.
    pub bytes: u64,
    /// Its prompt tokens as planned, those that are known.
    pub tokens: u64,
    /// The most it can cost, in trillionths of the job's currency, where that is known.
    pub reserve: Option<u64>,
    /// How its rows are sent.
    pub mode: Mode,
    /// How often its rows were cut into smaller files because a provider found one too large.
    pub cuts: u32,
    /// The provider's words about why it ended as it did.
    pub detail: Option<String>,
    /// What its rows are asked.
    pub asks: Asking,
}

impl ShardRecord {
    /// `r1-s0003`: the stem of all its file names.
    pub fn stem(&self) -> String {
        format!("r{}-s{:04}", self.round, self.number)
    }

    /// `shard 3`, `shard 3 of round 2`: how people are told of it. Numbers begin anew in each round.
    pub fn title(&self) -> String {
        match self.round {
            0 | 1 => format!("shard {}", self.number),
            round => format!("shard {} of round {round}", self.number),
        }
    }
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    job: &str,
    new_shards: &[NewShard],
    asks: Asking,
) -> rusqlite::Result<()> {
    let mut statement = tx.prepare(
        // A further round is cut by bytes: its prompt tokens are its share of the first round's.
        "INSERT INTO shard (job, round, number, state, rows, bytes, tokens, ask, reserve, reask, mode) \
         VALUES (?1, ?2, ?3, 'planned', ?4, ?5, CASE WHEN ?6 > 0 OR ?2 = 1 THEN ?6 ELSE \
         coalesce((SELECT CAST(sum(tokens) * 1.0 * ?5 / max(sum(bytes), 1) AS INTEGER) \
         FROM shard WHERE job = ?1 AND round = 1), 0) END, ?7, ?8, ?9, ?10)",
    )?;
    let is_later = new_shards.iter().any(|shard| shard.round > 1 && shard.reserve.is_none());
    let planned = is_later.then(|| charges::Planned::of(tx, (job, asks))).transpose()?;
    for shard in new_shards {
        let NewShard { round, number, rows, bytes, tokens, reserve, mode } = shard;
        let reserve = match reserve {
            None if *round > 1 => planned.as_ref().and_then(|p| p.share(*rows, *bytes)),
            known => known.map(charges::storable),
        };
        let Asking { ask, is_reask } = asks;
        let mode = mode.as_str();
        statement.execute(params![
            job, round, number, rows, bytes, tokens, ask, reserve, is_reask, mode
        ])?;
    }
    Ok(())
}

const COLUMNS: &str = "s.id, s.job, s.round, s.number, s.state, s.rows, s.bytes, s.detail, s.tokens, s.cuts, s.ask, \
     s.reserve, s.reask, s.mode";

/// How many columns a shard has in a row of a query.
const WIDTH: usize = 14;

/// Makes the shard that carries on with the rows of another one, and with its question.
pub(super) fn insert_next(
    tx: &Transaction<'_>,
    job: &str,
    next: Option<&NewShard>,
    of: i64,
) -> rusqlite::Result<()> {
    let Some(next) = next else { return Ok(()) };
    insert(tx, job, std::slice::from_ref(next), asking_of(tx, of)?)
}

/// What the rows of a shard are asked.
pub(super) fn asking_of(tx: &Transaction<'_>, shard: i64) -> rusqlite::Result<Asking> {
    tx.query_row("SELECT ask, reask FROM shard WHERE id = ?1", [shard], |row| {
        Ok(Asking { ask: row.get(0)?, is_reask: row.get(1)? })
    })
}

/// A list of states for `IN`; the words are this program's own.
fn listed(states: &[ShardState]) -> String {
    let words: Vec<_> = states.iter().map(|state| format!("'{state}'")).collect();
    words.join(", ")
}

fn read_shard(row: &Row<'_>) -> rusqlite::Result<ShardRecord> {
    Ok(ShardRecord {
        id: row.get(0)?,
        job: row.get(1)?,
        round: row.get(2)?,
        number: row.get(3)?,
        state: word(4, &row.get::<_, String>(4)?, ShardState::from_word)?,
        rows: row.get(5)?,
        bytes: row.get(6)?,
        detail: row.get(7)?,
        tokens: row.get(8)?,
        cuts: row.get(9)?,
        asks: Asking { ask: row.get(10)?, is_reask: row.get(12)? },
        reserve: row.get(11)?,
        mode: word(13, &row.get::<_, String>(13)?, Mode::read)?,
    })
}

impl Store {
    /// The shards of a job, in order of round and number. Round 0, which holds what never had to
    /// be sent, is none of them.
    pub fn shards(&self, job: &str) -> Result<Vec<ShardRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT {COLUMNS} FROM shard s WHERE job = ?1 AND round > 0 \
                 ORDER BY round, number"
            ))?
            .query_map([job], read_shard)?
            .collect()
        })
    }

    /// The first shards of a job in one of these states, in order of round and number.
    pub fn shards_in(
        &self,
        job: &str,
        states: &[ShardState],
        most: usize,
    ) -> Result<Vec<ShardRecord>, StoreError> {
        self.shards_in_mode(job, states, None, most)
    }

    /// The same, of those that are sent so where a mode is said.
    pub(super) fn shards_in_mode(
        &self,
        job: &str,
        states: &[ShardState],
        mode: Option<Mode>,
        most: usize,
    ) -> Result<Vec<ShardRecord>, StoreError> {
        // State by state, each in the order of its index: a job of thousands of shards is asked
        // this again and again, and most of them are through.
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut found: Vec<ShardRecord> = self.read(|c| {
            let mut statement = c.prepare(&format!(
                "SELECT {COLUMNS} FROM shard s WHERE job = ?1 AND state = ?2 AND round > 0 \
                 AND mode = coalesce(?4, mode) ORDER BY round, number LIMIT ?3"
            ))?;
            let mode = mode.map(Mode::as_str);
            let mut found = Vec::new();
            for state in states {
                for shard in
                    statement.query_map(params![job, state.as_str(), most, mode], read_shard)?
                {
                    found.push(shard?);
                }
            }
            Ok(found)
        })?;
        found.sort_by_key(|shard| (shard.round, shard.number));
        found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(found)
    }

    /// How many shards of a job are in a state.
    pub fn shards_count(&self, job: &str, state: ShardState) -> Result<u64, StoreError> {
        self.read(|c| {
            c.prepare("SELECT count(*) FROM shard WHERE job = ?1 AND state = ?2 AND round > 0")?
                .query_row(params![job, state.as_str()], |row| row.get(0))
        })
    }

    /// How many shards a job has.
    pub fn shards_in_all(&self, job: &str) -> Result<u64, StoreError> {
        self.read(|c| {
            c.prepare("SELECT count(*) FROM shard WHERE job = ?1 AND round > 0")?
                .query_row([job], |row| row.get(0))
        })
    }

    /// The last number of a round, 0 where it has no shard.
    pub fn last_number(&self, job: &str, round: u32) -> Result<u64, StoreError> {
        self.read(|c| {
            c.prepare("SELECT coalesce(max(number), 0) FROM shard WHERE job = ?1 AND round = ?2")?
                .query_row(params![job, round], |row| row.get(0))
        })
    }

    /// The shards of a job in one of these states, each with its newest create.
    pub fn shards_with_creates(
        &self,
        job: &str,
        states: &[ShardState],
    ) -> Result<Vec<(ShardRecord, CreateRecord)>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT {COLUMNS}, {} FROM shard s JOIN batch_create b ON b.shard = s.id AND \
                 b.attempt = (SELECT max(attempt) FROM batch_create WHERE shard = s.id) \
                 WHERE s.job = ?1 AND s.state IN ({}) ORDER BY s.round, s.number",
                calls::columns_of("b"),
                listed(states)
            ))?
            .query_map([job], |row| Ok((read_shard(row)?, calls::read_create_at(row, WIDTH)?)))?
            .collect()
        })
    }

    /// Records how far a shard has come, with the provider's words where they explain it.
    pub fn set_shard_state(
        &self,
        shard: i64,
        state: ShardState,
        detail: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write(|tx| set_state(tx, shard, state, detail))
    }
}

pub(super) fn set_state(
    tx: &Transaction<'_>,
    shard: i64,
    state: ShardState,
    detail: Option<&str>,
) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE shard SET state = ?2, detail = coalesce(?3, detail) WHERE id = ?1",
        params![shard, state.as_str(), detail],
    )?;
    queue::follow(tx, shard, state)?;
    charges::follow(tx, shard, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_above_the_first_is_named() {
        let shard = NewShard {
            round: 1,
            number: 3,
            rows: 1,
            bytes: 1,
            tokens: 0,
            reserve: None,
            mode: Mode::Batch,
        };
        let shard = shard.as_record();
        assert_eq!(shard.title(), "shard 3");
        assert_eq!(ShardRecord { round: 2, ..shard }.title(), "shard 3 of round 2");
    }
}
