//! Jobs: making one, finding it again, its state, and the output table it owns.

use rusqlite::{OptionalExtension, Row, params};

use super::{
    Asking, KnownRows, NewShard, OutcomeRecord, Store, StoreError, known, outcomes, shards,
    stored_words, word,
};

stored_words! {
    /// Where a job stands.
    JobState {
        /// Planned; nothing was sent.
        Prepared = "prepared",
        /// Shards are being sent, run, or fetched.
        Running = "running",
        /// Nobody drives it; it goes on remotely or where it stopped.
        Waiting = "waiting",
        /// A person must decide before anything more is sent.
        NeedsOperator = "needs_operator",
        /// Every row has its final status.
        Done = "done",
        /// A person stopped it; what had finished was collected.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether nothing is left to do for it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

/// A job to be made, complete with its shards and the rows that cannot become requests.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// 10 characters; the first six are what people type.
    pub key: String,
    /// What the user asked for, as a digest.
    pub run_digest: String,
    /// The folder it was started in.
    pub folder: String,
    /// The provider's name.
    pub provider: String,
    /// Where its calls go.
    pub base_url: String,
    /// Fingerprint of the key that pays.
    pub account: String,
    /// The whole request as JSON.
    pub spec: String,
    /// Selected rows.
    pub rows: u64,
    /// Requests among them.
    pub requests: u64,
    /// Where the table will go.
    pub output_path: Option<String>,
    /// The price, forecast and limits it is made under, as JSON.
    pub terms: Option<String>,
    /// Digest of what is asked of every row, and of whom.
    pub prompt: Option<String>,
    /// Unix seconds.
    pub now: i64,
}

/// A job as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// 10 characters.
    pub key: String,
    /// What the user asked for, as a digest.
    pub run_digest: String,
    /// Where it stands.
    pub state: JobState,
    /// Why it waits, in words.
    pub reason: Option<String>,
    /// The folder it was started in.
    pub folder: String,
    /// Unix seconds.
    pub created: i64,
    /// Unix seconds of the last change.
    pub updated: i64,
    /// The provider's name.
    pub provider: String,
    /// Where its calls go.
    pub base_url: String,
    /// Fingerprint of the key that pays.
    pub account: String,
    /// The whole request as JSON.
    pub spec: String,
    /// Selected rows.
    pub rows: u64,
    /// Requests among them.
    pub requests: u64,
    /// Where the table goes.
    pub output_path: Option<String>,
    /// The price, forecast and limits it was made under, as JSON.
    pub terms: Option<String>,
    /// Digest of what is asked of every row, and of whom.
    pub prompt: Option<String>,
}

impl JobRecord {
    /// The six characters people type.
    pub fn short(&self) -> &str {
        &self.key[..6]
    }
}

impl OutputMark {
    /// Whether a table with this digest is one that we wrote here.
    pub fn is_ours(&self, digest: &str) -> bool {
        self.digest == digest || self.earlier.as_deref() == Some(digest)
    }
}

/// What became of an attempt to make a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// It was made.
    New,
    /// The same request was made before; this is its job.
    Same(Box<JobRecord>),
    /// The six characters are taken in this home: draw another key.
    Taken,
}

/// A table this home wrote, for the rule on replacing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputMark {
    /// Digest of its bytes when written.
    pub digest: String,
    /// Digest of the table of ours that it replaced: a kill between the mark and the renaming
    /// leaves that one in place.
    pub earlier: Option<String>,
    /// The request of the job that wrote it as JSON, for comparing tables and selections;
    /// `None` for a table merged from result files alone.
    pub spec: Option<String>,
}

const COLUMNS: &str = "key, run_digest, state, reason, folder, created, updated, provider, \
                       base_url, account, spec, rows, requests, output_path, terms, prompt";

fn read_job(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    Ok(JobRecord {
        key: row.get(0)?,
        run_digest: row.get(1)?,
        state: word(2, &row.get::<_, String>(2)?, JobState::from_word)?,
        reason: row.get(3)?,
        folder: row.get(4)?,
        created: row.get(5)?,
        updated: row.get(6)?,
        provider: row.get(7)?,
        base_url: row.get(8)?,
        account: row.get(9)?,
        spec: row.get(10)?,
        rows: row.get(11)?,
        requests: row.get(12)?,
        output_path: row.get(13)?,
        terms: row.get(14)?,
        prompt: row.get(15)?,
    })
}

impl Store {
    /// Makes a job with its first round of shards and its skipped rows, in one transaction.
    pub fn insert_job(
        &self,
        job: &NewJob,
        new_shards: &[NewShard],
        skipped: &[OutcomeRecord],
    ) -> Result<Inserted, StoreError> {
        self.insert_job_with(job, new_shards, skipped, &KnownRows::default())
    }

    /// The same with rows that need not be sent, and with the name that a person gave it.
    pub fn insert_job_with(
        &self,
        job: &NewJob,
        new_shards: &[NewShard],
        skipped: &[OutcomeRecord],
        rows: &KnownRows<'_>,
    ) -> Result<Inserted, StoreError> {
        self.write(|tx| {
            let same = tx
                .query_row(
                    &format!("SELECT {COLUMNS} FROM job WHERE run_digest = ?1"),
                    [&job.run_digest],
                    read_job,
                )
                .optional()?;
            if let Some(same) = same {
                return Ok(Inserted::Same(Box::new(same)));
            }
            let short = &job.key[..6];
            let taken = tx
                .query_row("SELECT 1 FROM job WHERE short = ?1", [short], |_| Ok(()))
                .optional()?;
            if taken.is_some() {
                return Ok(Inserted::Taken);
            }
            tx.execute(
                "INSERT INTO job (key, short, run_digest, state, folder, created, updated, \
                 provider, base_url, account, spec, rows, requests, output_path, terms, prompt) \
                 VALUES (?1, ?2, ?3, 'prepared', ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
                 ?13, ?14)",
                params![
                    job.key,
                    short,
                    job.run_digest,
                    job.folder,
                    job.now,
                    job.provider,
                    job.base_url,
                    job.account,
                    job.spec,
                    job.rows,
                    job.requests,
                    job.output_path,
                    job.terms,
                    job.prompt,
                ],
            )?;
            shards::insert(tx, &job.key, new_shards, Asking::default())?;
            outcomes::insert(tx, &job.key, skipped.iter())?;
            known::insert(tx, &job.key, rows)?;
            Ok(Inserted::New)
        })
    }

    /// The job made for this request, if any.
    pub fn job_by_digest(&self, run_digest: &str) -> Result<Option<JobRecord>, StoreError> {
        self.job_where("run_digest = ?1", run_digest)
    }

    /// The job with this key, these first six characters, this batch id, or this name.
    pub fn job_by_id(&self, id: &str) -> Result<Option<JobRecord>, StoreError> {
        let lower = id.to_ascii_lowercase();
        if let Some(job) = self.job_where("key = ?1 OR short = ?1", &lower)? {
            return Ok(Some(job));
        }
        let by_batch = self.job_where(
            "key = (SELECT shard.job FROM batch_create JOIN shard ON shard.id = \
             batch_create.shard WHERE batch_create.batch_id = ?1)",
            id,
        )?;
        if by_batch.is_some() { Ok(by_batch) } else { self.job_by_name(id) }
    }

    /// The job that a person gave this name.
    pub fn job_by_name(&self, name: &str) -> Result<Option<JobRecord>, StoreError> {
        self.job_where("key = (SELECT job FROM job_name WHERE name = ?1)", name)
    }

    /// Gives a job a name; one that another job has passes to this one.
    pub fn name_job(&self, job: &str, name: &str) -> Result<(), StoreError> {
        self.write(|tx| known::name(tx, job, name))
    }

    /// The newest job started in this folder: the last one made, whatever the wall clock said.
    pub fn last_job(&self, folder: &str) -> Result<Option<JobRecord>, StoreError> {
        self.job_where("folder = ?1 ORDER BY rowid DESC LIMIT 1", folder)
    }

    fn job_where(&self, condition: &str, value: &str) -> Result<Option<JobRecord>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM job WHERE {condition}");
        self.read(|c| c.query_row(&query, [value], read_job).optional())
    }

    /// All jobs, newest first.
    pub fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&format!("SELECT {COLUMNS} FROM job ORDER BY rowid DESC"))?
                .query_map([], read_job)?
                .collect()
        })
    }

    /// Records what a job is run under from now on, as JSON.
    pub fn set_terms(&self, job: &str, terms: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET terms = ?2 WHERE key = ?1", [job, terms])?;
            Ok(())
        })
    }

    /// Records where a job stands and why.
    pub fn set_job_state(
        &self,
        job: &str,
        state: JobState,
        reason: Option<&str>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE job SET state = ?2, reason = ?3, updated = ?4 WHERE key = ?1",
                params![job, state.as_str(), reason, now],
            )?;
            Ok(())
        })
    }

    /// Records another key of the same account.
    pub fn set_account(&self, job: &str, account: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET account = ?2 WHERE key = ?1", params![job, account])?;
            Ok(())
        })
    }

    /// Replaces the stored request where only the place or the look of the table changed.
    pub fn set_spec(
        &self,
        job: &str,
        spec: &str,
        output_path: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE job SET spec = ?2, output_path = ?3 WHERE key = ?1",
                params![job, spec, output_path],
            )?;
            Ok(())
        })
    }

    /// Records that a table with these bytes is about to get this name, written by a job or by a
    /// merge of files, and which table of ours stands there until then.
    pub fn mark_output(
        &self,
        path: &str,
        (digest, earlier): (&str, Option<&str>),
        job: Option<&str>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO output (path, digest, earlier, job, written) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![path, digest, earlier, job, now],
            )?;
            Ok(())
        })
    }

    /// What is known of a table that we wrote at this place.
    pub fn output_mark(&self, path: &str) -> Result<Option<OutputMark>, StoreError> {
        self.read(|c| {
            c.query_row(
                "SELECT digest, earlier, spec FROM output LEFT JOIN job ON job.key = output.job \
                 WHERE path = ?1",
                [path],
                |row| {
                    Ok(OutputMark { digest: row.get(0)?, earlier: row.get(1)?, spec: row.get(2)? })
                },
            )
            .optional()
        })
    }

    /// Unfinished jobs that will write to this place.
    pub fn live_jobs_for_output(&self, path: &str) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT {COLUMNS} FROM job WHERE output_path = ?1 AND state NOT IN \
                 ('done', 'cancelled') ORDER BY created DESC"
            ))?
            .query_map([path], read_job)?
            .collect()
        })
    }

    /// Records that a person wants the job stopped; whoever drives it obeys.
    pub fn wish_cancel(&self, job: &str, now: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO wish (job, cancel) VALUES (?1, ?2) ON CONFLICT (job) DO NOTHING",
                params![job, now],
            )?;
            Ok(())
        })
    }

    /// Whether a person wants the job stopped.
    pub fn is_cancel_wished(&self, job: &str) -> Result<bool, StoreError> {
        self.read(|c| {
            Ok(c.query_row("SELECT 1 FROM wish WHERE job = ?1", [job], |_| Ok(()))
                .optional()?
                .is_some())
        })
    }
}
