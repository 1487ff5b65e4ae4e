//! The provider's queues of prompt tokens: what all jobs of this home have in them, how much one
//! holds, and shards that wait for their turn.
//!
//! A shard's tokens are reserved as long as a batch of it may be in the queue. Whatever moves a
//! shard keeps its reservation right in the same transaction, so none can be left behind.

use rusqlite::{OptionalExtension, Transaction, params};

use super::calls::{self, begin_create_at};
use super::{
    Budget, CreateRecord, CreateState, NewShard, Over, ShardState, Store, StoreError, budget,
    charges, shards,
};
use crate::request::Mode;

/// The tokens that one account may have queued for one model at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Where calls go.
    pub base_url: String,
    /// Fingerprint of the key that pays.
    pub account: String,
    /// The model.
    pub model: String,
}

/// What became of the intent to make a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It is committed; this is the open call.
    Call(i64),
    /// The queue has no room for it now; nothing was recorded.
    QueueFull,
    /// It could pass a limit of money or requests; nothing was recorded.
    OverBudget(Over),
}

impl ShardState {
    /// Whether a batch of the shard may be in the provider's queue.
    pub fn is_queued(self) -> bool {
        matches!(self, Self::Creating | Self::Unknown | Self::Running)
    }
}

/// The queue that a shard's batch goes into, and its tokens.
fn queue_of(tx: &Transaction<'_>, shard: i64) -> rusqlite::Result<(Queue, u64)> {
    tx.query_row(
        "SELECT job.base_url, job.account, CASE WHEN json_valid(job.spec) THEN \
         json_extract(job.spec, '$.question.model') END, shard.tokens \
         FROM shard JOIN job ON job.key = shard.job WHERE shard.id = ?1",
        [shard],
        |row| {
            let model: Option<String> = row.get(2)?;
            let model = model.unwrap_or_default();
            Ok((Queue { base_url: row.get(0)?, account: row.get(1)?, model }, row.get(3)?))
        },
    )
}

/// Keeps the reservation of a shard as its new state wants it.
pub(super) fn follow(tx: &Transaction<'_>, shard: i64, state: ShardState) -> rusqlite::Result<()> {
    if !state.is_queued() {
        tx.prepare("DELETE FROM reservation WHERE shard = ?1")?.execute([shard])?;
        return Ok(());
    }
    let held = tx
        .prepare("SELECT 1 FROM reservation WHERE shard = ?1")?
        .query_row([shard], |_| Ok(()))
        .optional()?;
    if held.is_none() {
        let (queue, tokens) = queue_of(tx, shard)?;
        tx.execute(
            "INSERT INTO reservation (shard, base_url, account, model, tokens) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![shard, queue.base_url, queue.account, queue.model, tokens],
        )?;
    }
    Ok(())
}

const QUEUED: &str = "SELECT coalesce(sum(tokens), 0) FROM reservation WHERE base_url = ?1 AND \
                      account = ?2 AND model = ?3 AND shard != ?4";

/// Whether so many tokens may join what is queued. What is larger than the whole queue goes alone:
/// the provider may count in another way, and it decides.
pub fn has_room(queued: u64, tokens: u64, limit: Option<u64>) -> bool {
    queued == 0 || limit.is_none_or(|limit| queued.saturating_add(tokens) <= limit)
}

impl Store {
    /// The tokens that all jobs of this home have in a queue.
    pub fn queued(&self, queue: &Queue) -> Result<u64, StoreError> {
        self.read(|c| {
            c.query_row(QUEUED, params![queue.base_url, queue.account, queue.model, -1], |row| {
                row.get(0)
            })
        })
    }

    /// The prompt tokens and the bytes of the first round of a job, by which those of later rounds
    /// are estimated.
    pub fn first_tokens(&self, job: &str) -> Result<(u64, u64), StoreError> {
        self.read(|c| {
            c.query_row(
                "SELECT coalesce(sum(tokens), 0), coalesce(sum(bytes), 0) FROM shard \
                 WHERE job = ?1 AND round = 1",
                [job],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
    }

    /// Commits the intent to make the batch and reserves its tokens and what it may cost, if the
    /// queue and the limits of money have room for them. From here on the create is never repeated
    /// unless its absence is shown.
    pub fn begin_create(
        &self,
        job: &str,
        create: &CreateRecord,
        (limit, budget): (Option<u64>, &Budget),
        (server_now, now): (Option<i64>, i64),
    ) -> Result<Begun, StoreError> {
        self.write(|tx| {
            let (queue, tokens) = queue_of(tx, create.shard)?;
            let queued = tx.query_row(
                QUEUED,
                params![queue.base_url, queue.account, queue.model, create.shard],
                |row| row.get(0),
            )?;
            if !has_room(queued, tokens, limit) {
                return Ok(Begun::QueueFull);
            }
            if let Some(over) = budget::passed(tx, create.shard, budget, now)? {
                return Ok(Begun::OverBudget(over));
            }
            charges::reserve(tx, create.shard, now)?;
            begin_create_at(tx, job, create, server_now, now).map(Begun::Call)
        })
    }

    /// How much a queue holds, as a provider's refusal told it last, if that was not before this
    /// time in Unix seconds. An empty account stands for any, where the key is not known.
    pub fn learned_limit(&self, queue: &Queue, since: i64) -> Result<Option<u64>, StoreError> {
        self.read(|c| {
            c.query_row(
                "SELECT tokens FROM enqueued_limit WHERE base_url = ?1 AND \
                 (account = ?2 OR ?2 = '') AND model = ?3 AND learned >= ?4 \
                 ORDER BY learned DESC LIMIT 1",
                params![queue.base_url, queue.account, queue.model, since],
                |row| row.get(0),
            )
            .optional()
        })
    }

    /// Records that a shard found the queue full: nothing ran and nothing was billed, so it goes
    /// again later. `limit` is what the refusal told of the queue.
    pub fn defer_shard(
        &self,
        shard: i64,
        words: &str,
        limit: Option<u64>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            if let Some(limit) = limit {
                let (queue, _) = queue_of(tx, shard)?;
                tx.execute(
                    "INSERT OR REPLACE INTO enqueued_limit (base_url, account, model, tokens, \
                     learned) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![queue.base_url, queue.account, queue.model, limit, now],
                )?;
            }
            shards::set_state(tx, shard, ShardState::Deferred, Some(words))
        })
    }

    /// Makes the next create of a deferred shard from the file that was uploaded for it; `None`
    /// if there is no such file, or a batch of an earlier create may still come to life.
    pub fn reuse_upload(
        &self,
        shard: i64,
        key_of: impl FnOnce(u32) -> String,
        now: i64,
    ) -> Result<Option<CreateRecord>, StoreError> {
        self.write(|tx| {
            let open: u64 = tx.query_row(
                "SELECT count(*) FROM batch_create WHERE shard = ?1 AND state NOT IN \
                 ('created', 'rejected')",
                [shard],
                |row| row.get(0),
            )?;
            let last = calls::newest(tx, shard)?.filter(|last| last.file_id.is_some());
            let Some(last) = last.filter(|_| open == 0) else { return Ok(None) };
            tx.execute(
                "INSERT INTO batch_create (shard, attempt, key, state, file_digest, file_bytes, \
                 file_id, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    shard,
                    last.attempt + 1,
                    key_of(last.attempt + 1),
                    CreateState::Uploaded.as_str(),
                    last.file_digest,
                    last.file_bytes,
                    last.file_id,
                    now
                ],
            )?;
            shards::set_state(tx, shard, ShardState::Uploaded, None)?;
            calls::newest(tx, shard)
        })
    }

    /// Shards that nothing was made of and that hold more tokens than this in several rows.
    pub fn shards_over(
        &self,
        job: &str,
        tokens: u64,
    ) -> Result<Vec<super::ShardRecord>, StoreError> {
        let mut all = Vec::new();
        for state in [ShardState::Uploaded, ShardState::Deferred, ShardState::Planned] {
            all.extend(self.shards_of_mode(job, Mode::Batch, &[state], usize::MAX)?);
        }
        all.retain(|shard| shard.tokens > tokens && shard.rows > 1);
        Ok(all)
    }

    /// Replaces a shard that nothing ran of by smaller ones with the same rows. `cuts` says how
    /// often the rows were cut for a provider that found the file too large. One transaction: no
    /// row is in both or in neither.
    pub fn split_shard(
        &self,
        job: &str,
        shard: i64,
        parts: &[NewShard],
        (cuts, words): (u32, &str),
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            shards::insert(tx, job, parts, shards::asking_of(tx, shard)?)?;
            for part in parts {
                tx.execute(
                    "UPDATE shard SET cuts = ?4 WHERE job = ?1 AND round = ?2 AND number = ?3",
                    params![job, part.round, part.number, cuts],
                )?;
            }
            shards::set_state(tx, shard, ShardState::Settled, Some(words))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CallEnd, NewJob};
    use super::*;

    const URL: &str = "https://api.openai.com/v1";

    fn queue(model: &str) -> Queue {
        Queue { base_url: URL.into(), account: "00112233".into(), model: model.into() }
    }

    /// A job of one shard with so many tokens.
    fn job(store: &Store, key: &str, model: &str, tokens: u64) -> i64 {
        let job = NewJob {
            key: key.into(),
            run_digest: key.into(),
            folder: "/d".into(),
            provider: "openai".into(),
            base_url: URL.into(),
            account: "00112233".into(),
            spec: format!(r#"{{"question":{{"model":"{model}"}}}}"#),
            rows: 2,
            requests: 2,
            output_path: None,
            terms: None,
            prompt: None,
            now: 1,
        };
        let shard = NewShard {
            round: 1,
            number: 1,
            rows: 2,
            bytes: 10,
            tokens,
            reserve: None,
            mode: Mode::Batch,
        };
        store.insert_job(&job, &[shard], &[]).unwrap();
        store.shards(key).unwrap()[0].id
    }

    fn uploaded(store: &Store, key: &str, shard: i64) -> CreateRecord {
        let name = |c| format!("{key}-c{c}");
        let (create, call) = store.begin_upload(key, shard, name, ("d", 4), 1).unwrap();
        let ended = end("ok", Some("file-1"));
        store.end_upload(&create, call, &ended).unwrap();
        store.newest_create(shard).unwrap().unwrap()
    }

    fn end(class: &'static str, id: Option<&str>) -> CallEnd {
        CallEnd { class, remote_id: id.map(Into::into), now: 2, ..CallEnd::default() }
    }

    fn begin(store: &Store, key: &str, create: &CreateRecord, limit: u64) -> Option<i64> {
        let limits = (Some(limit), &Budget::none());
        match store.begin_create(key, create, limits, (None, 3)).unwrap() {
            Begun::Call(call) => Some(call),
            Begun::QueueFull | Begun::OverBudget(_) => None,
        }
    }

    /// What may be queued is one account's, however many jobs share it, and of one model.
    #[test]
    fn field_07_two_jobs_share_the_tokens_of_one_account() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let (a, b) = (job(&store, "aaaaaa0000", "m", 60), job(&store, "bbbbbb0000", "m", 50));
        let other = job(&store, "cccccc0000", "n", 50);
        let creates = [
            uploaded(&store, "aaaaaa0000", a),
            uploaded(&store, "bbbbbb0000", b),
            uploaded(&store, "cccccc0000", other),
        ];
        let first = begin(&store, "aaaaaa0000", &creates[0], 100).expect("the queue is empty");
        assert_eq!(begin(&store, "bbbbbb0000", &creates[1], 100), None, "60 and 50 are over 100");
        assert_eq!(store.shards("bbbbbb0000").unwrap()[0].state, ShardState::Uploaded);
        assert!(begin(&store, "cccccc0000", &creates[2], 100).is_some(), "another model's queue");
        assert_eq!(store.queued(&queue("m")).unwrap(), 60);
        store.end_create_badly(&creates[0], first, &end("rejected", None)).unwrap();
        assert!(begin(&store, "bbbbbb0000", &creates[1], 100).is_some(), "the room came back");
        assert_eq!(store.queued(&queue("m")).unwrap(), 50);
    }

    /// A shard leaves the queue in the transaction that records that its batch ended or never was.
    #[test]
    fn field_07_every_end_gives_the_tokens_back() {
        use ShardState::{
            Creating, Deferred, Ended, Planned, Rejected, Running, Settled, Stored, Unknown,
            Uploaded,
        };
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let shard = job(&store, "aaaaaa0000", "m", 70);
        for state in [Creating, Unknown, Running] {
            for end in [Ended, Stored, Settled, Rejected, Deferred, Planned, Uploaded] {
                store.set_shard_state(shard, state, None).unwrap();
                assert_eq!(store.queued(&queue("m")).unwrap(), 70, "{state}");
                store.set_shard_state(shard, end, None).unwrap();
                assert_eq!(store.queued(&queue("m")).unwrap(), 0, "{state} then {end}");
            }
        }
    }

    #[test]
    fn budget_arithmetic() {
        let table = [
            (0, 500, Some(100), true),
            (1, 99, Some(100), true),
            (1, 100, Some(100), false),
            (u64::MAX, 1, Some(u64::MAX), true),
            (100, 100, None, true),
            (100, 0, Some(99), false),
        ];
        for (queued, tokens, limit, expected) in table {
            assert_eq!(has_room(queued, tokens, limit), expected, "{queued} {tokens} {limit:?}");
        }
    }

    /// The same file again, as the next create, and never while an earlier one may come to life.
    #[test]
    fn a_deferred_shard_goes_again_with_its_file() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let shard = job(&store, "aaaaaa0000", "m", 70);
        let create = uploaded(&store, "aaaaaa0000", shard);
        let key = |c| format!("aaaaaa0000-c{c}");
        let call = begin(&store, "aaaaaa0000", &create, 100).unwrap();
        assert_eq!(store.reuse_upload(shard, key, 4).unwrap(), None, "its create is under way");
        store.end_create_badly(&create, call, &end("unknown", None)).unwrap();
        assert_eq!(store.reuse_upload(shard, key, 4).unwrap(), None, "it may have come about");
        store.end_create_badly(&create, call, &end("deferred", None)).unwrap();
        store.defer_shard(shard, "full", Some(90), 5).unwrap();
        assert_eq!(store.learned_limit(&queue("m"), 5).unwrap(), Some(90));
        assert_eq!(store.learned_limit(&queue("m"), 6).unwrap(), None, "too long ago");
        let next = store.reuse_upload(shard, key, 6).unwrap().unwrap();
        assert_eq!((next.attempt, next.key.as_str()), (2, "aaaaaa0000-c2"));
        assert_eq!((next.state, next.file_id.as_deref()), (CreateState::Uploaded, Some("file-1")));
        assert_eq!(store.shards("aaaaaa0000").unwrap()[0].state, ShardState::Uploaded);
    }
}
