//! Sending a shard: build its file, upload it, ask for the batch. The ledger is written before
//! and after each call. The create is the one call that costs money: it is made once, and when
//! its answer is not clear the batch is looked for before anything is sent again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::build::BuiltFile;
use super::drive::Driver;
use super::{Event, JobError, id};
use crate::answer::RowStatus;
use crate::base::{redact, remove_file};
use crate::batch::{Batch, Failure, FailureKind};
use crate::provider::{CallClass, CallError, CreateBatch};
use crate::store::{
    Begun, CallEnd, CreateRecord, CreateState, OutcomeRecord, ShardRecord, ShardState,
};

/// How often a call that surely did nothing is repeated before the job waits for a person.
const TRIES: u32 = 5;
/// The first pause between such tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause between such tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a stop waits for the answer to a create.
const GRACE: Duration = Duration::from_secs(5);

/// What became of the attempt to send one shard.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sent {
    /// Its batch exists.
    Created,
    /// None of its rows could become a request any more; they are settled.
    Nothing,
    /// The provider refused, in its own words; nothing runs.
    Refused(Failure),
    /// The provider refused because it no longer has the file; nothing runs.
    FileGone,
    /// The provider's queue was full; nothing runs, and the shard goes again later.
    Deferred,
    /// Others of ours fill the queue; nothing was asked for.
    NoRoom,
    /// It could pass a limit of money or requests; nothing was asked for.
    OverBudget,
    /// Nobody knows whether the batch exists.
    Unclear,
    /// The provider cannot be reached; nothing runs.
    Unreachable(Failure),
    /// A stop was asked for, or another shard met a wall, before the create.
    Stopped,
}

impl Driver<'_> {
    /// Brings one shard from wherever it stands to a batch.
    pub(super) async fn send(
        &self,
        shard: &ShardRecord,
        halted: &AtomicBool,
    ) -> Result<Sent, JobError> {
        if halted.load(Ordering::SeqCst) || self.is_stopping()? {
            return Ok(Sent::Stopped);
        }
        let mut ready = match shard.state {
            ShardState::Deferred => {
                let key = |c| id::create_key(&self.job.key, &shard.stem(), c);
                self.store.reuse_upload(shard.id, key, self.clock.unix())?
            }
            _ => self.ready_create(shard)?,
        };
        loop {
            let is_fresh = ready.is_none();
            let create = match ready.take() {
                Some(create) => create,
                None => match self.upload(shard).await? {
                    Ok(create) => create,
                    Err(ended) => return Ok(ended),
                },
            };
            if halted.load(Ordering::SeqCst) || self.is_stopping()? {
                return Ok(Sent::Stopped);
            }
            match self.create(shard, &create, is_fresh).await? {
                // Sent by an earlier run and gone since: a new file, a new name, a new create.
                Sent::FileGone => self.warn(&format!(
                    "{} no longer has the file of {}; sending it again",
                    self.api.name(),
                    shard.title()
                )),
                other => return Ok(other),
            }
        }
    }

    /// A create whose file is already at the provider.
    fn ready_create(&self, shard: &ShardRecord) -> Result<Option<CreateRecord>, JobError> {
        let newest = self.store.newest_create(shard.id)?;
        Ok(newest.filter(|create| create.state == CreateState::Uploaded))
    }

    /// Builds the file and sends it. A failed upload is simply repeated, an unclear one where its
    /// file is not found: it costs nothing and a surplus file does nothing.
    async fn upload(&self, shard: &ShardRecord) -> Result<Result<CreateRecord, Sent>, JobError> {
        let built = self.build(shard)?;
        if built.bytes == 0 {
            self.store.set_shard_state(shard.id, ShardState::Settled, None)?;
            return Ok(Err(Sent::Nothing));
        }
        let path = self.folder.request_file(&shard.stem());
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let key = |c| id::create_key(&self.job.key, &shard.stem(), c);
            let file = (built.digest.as_str(), built.bytes);
            let (create, call) =
                self.store.begin_upload(&self.job.key, shard.id, key, file, self.clock.unix())?;
            let name = format!("{}.jsonl", create.key);
            let shards = self.shard_count();
            let on_bytes = |sent| {
                self.reporter.report(&Event::Uploading {
                    shard: shard.number,
                    shards,
                    sent,
                    total: built.bytes,
                });
            };
            let upload = async {
                let since = self.api.server_time();
                let reply = self.api.upload(&path, &name, &on_bytes).await;
                match reply {
                    Err(error) if error.class == CallClass::Unknown => {
                        self.find_upload(&name, built.bytes, since).await.ok_or(error)
                    }
                    reply => reply,
                }
            };
            let reply = tokio::select! {
                reply = upload => reply,
                _ = self.stop.raised() => return Ok(Err(Sent::Stopped)),
            };
            match reply {
                Ok(file) => {
                    let ended = self.ended("ok", None, Some(file.id));
                    self.store.end_upload(&create, call, &ended)?;
                    let create = self.store.newest_create(shard.id)?;
                    return Ok(Ok(create.expect("its upload was just recorded")));
                }
                Err(error) => {
                    self.store.end_upload(&create, call, &self.ended_badly(&error))?;
                    if error.is_local() {
                        return Err(error.into());
                    }
                    if error.class == CallClass::Rejected && error.failure.is_too_large() {
                        return Ok(Err(self.halve(shard, error.failure)?));
                    }
                    if !worth_repeating(&error) {
                        return Ok(Err(Sent::Refused(error.failure)));
                    }
                    if attempt >= TRIES {
                        return Ok(Err(Sent::Unreachable(error.failure)));
                    }
                    self.warn(&format!("upload of {}: {error}; trying again", shard.title()));
                    self.pause(error.failure.retry_after.unwrap_or(pause)).await;
                    if self.is_stopping()? {
                        return Ok(Err(Sent::Stopped));
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        unreachable!("the loop ends by returning")
    }

    /// Writes the request file; rows whose image vanished since the plan become `skipped`.
    fn build(&self, shard: &ShardRecord) -> Result<BuiltFile, JobError> {
        let built = self.build_file(shard)?;
        if !built.lost.is_empty() {
            let lost: Vec<_> =
                built.lost.iter().map(|(row, reason)| skipped(*row, shard, reason)).collect();
            self.store.record_outcomes(&self.job.key, &lost)?;
        }
        self.reporter.report(&Event::Built {
            shard: shard.number,
            shards: self.shard_count(),
            requests: shard.rows - built.lost.len() as u64,
            bytes: built.bytes,
        });
        Ok(built)
    }

    /// Asks for the batch, once.
    async fn create(
        &self,
        shard: &ShardRecord,
        create: &CreateRecord,
        is_fresh: bool,
    ) -> Result<Sent, JobError> {
        let request = CreateBatch {
            input_file_id: create.file_id.clone().unwrap_or_default(),
            endpoint: self.spec.question.endpoint,
            completion_window: self.spec.completion_window.clone(),
            metadata: BTreeMap::from([
                ("batchctl".to_owned(), create.key.clone()),
                ("batchctl_run".to_owned(), self.job.run_digest[..16].to_owned()),
            ]),
        };
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let times = (self.api.server_time(), self.clock.unix());
            let limits = (self.queue_limit()?, &self.budget());
            let begun = self.store.begin_create(&self.job.key, create, limits, times)?;
            let call = match begun {
                Begun::Call(call) => call,
                Begun::QueueFull => return Ok(Sent::NoRoom),
                Begun::OverBudget(_) => return Ok(Sent::OverBudget),
            };
            let error = match self.create_once(&request).await {
                Ok(batch) => {
                    let ended = self.ended("ok", None, Some(batch.id.clone()));
                    let reply = super::poll::as_json(&batch);
                    let words = (reply.as_str(), batch.status_word.as_str());
                    self.store.end_create_ok(create, call, &ended, words)?;
                    self.forget_request_file(shard);
                    self.reporter.report(&Event::Submitted {
                        shard: shard.number,
                        shards: self.shard_count(),
                        batch: batch.id,
                    });
                    return Ok(Sent::Created);
                }
                Err(error) => error,
            };
            let mut ended = self.ended_badly(&error);
            if error.class == CallClass::Rejected && error.failure.kind == FailureKind::QueueFull {
                ended.class = "deferred";
                self.store.end_create_badly(create, call, &ended)?;
                self.defer(shard, &error.failure.message)?;
                self.forget_request_file(shard);
                return Ok(Sent::Deferred);
            }
            let is_about_file = is_about_file(&error, create);
            let again = error.class != CallClass::Unknown
                && (worth_repeating(&error) || (is_about_file && is_fresh && attempt < TRIES));
            if again {
                // Nothing exists at the provider, so the uploaded file stays ready.
                ended.class = "not_sent";
            }
            self.store.end_create_badly(create, call, &ended)?;
            if error.class == CallClass::Unknown {
                return Ok(Sent::Unclear);
            }
            if is_about_file && !is_fresh {
                return Ok(Sent::FileGone);
            }
            if error.class == CallClass::Rejected && error.failure.is_too_large() {
                return self.halve(shard, error.failure);
            }
            if !again {
                return Ok(Sent::Refused(error.failure));
            }
            if attempt >= TRIES {
                return Ok(Sent::Unreachable(error.failure));
            }
            self.warn(&format!("create of {}: {error}; trying again", shard.title()));
            self.pause(error.failure.retry_after.unwrap_or(pause)).await;
            if self.is_stopping()? {
                return Ok(Sent::Stopped);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        unreachable!("the loop ends by returning")
    }

    /// One create. A stop gives it a few seconds to be answered: the answer is worth more than a
    /// quick exit, for without it nobody knows whether the batch exists.
    async fn create_once(&self, request: &CreateBatch) -> Result<Batch, CallError> {
        let create = self.api.create(request);
        tokio::pin!(create);
        tokio::select! {
            reply = &mut create => return reply,
            _ = self.stop.raised() => {}
        }
        tokio::select! {
            reply = &mut create => reply,
            () = self.clock.sleep(GRACE) => Err(CallError {
                class: CallClass::Unknown,
                failure: Failure::ours(
                    FailureKind::Network,
                    "the run was stopped before the answer came",
                ),
                call: "create the batch",
                provider: self.api.name().into(),
                local: None,
            }),
        }
    }

    /// 300,000 images are 80 GB: a request file goes once its batch exists. It can be made again.
    pub(super) fn forget_request_file(&self, shard: &ShardRecord) {
        if !self.spec.keep_request_files {
            let path = self.folder.request_file(&shard.stem());
            if let Err(error) = remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                self.warn(&format!("cannot remove {}: {error}", path.display()));
            }
        }
    }

    fn ended(&self, class: &'static str, http: Option<u16>, remote_id: Option<String>) -> CallEnd {
        CallEnd { class, http, remote_id, excerpt: None, now: self.clock.unix() }
    }

    pub(super) fn ended_badly(&self, error: &CallError) -> CallEnd {
        let class = match error.class {
            CallClass::NotSent => "not_sent",
            CallClass::Rejected => "rejected",
            CallClass::Unknown => "unknown",
        };
        let excerpt = redact(&error.failure.message).chars().take(500).collect();
        CallEnd { excerpt: Some(excerpt), ..self.ended(class, error.failure.status, None) }
    }
}

fn skipped(row: u64, shard: &ShardRecord, reason: &str) -> OutcomeRecord {
    OutcomeRecord {
        row,
        round: shard.round,
        status: RowStatus::Skipped,
        place: None,
        content_key: None,
        usage: None,
        cost: None,
        error: Some(reason.to_owned()),
        class: None,
    }
}

/// Whether a call that did nothing may do something when repeated: the provider was not reached,
/// was busy, or had not finished taking the file in.
fn worth_repeating(error: &CallError) -> bool {
    match error.class {
        CallClass::NotSent | CallClass::Unknown => true,
        CallClass::Rejected => {
            matches!(error.failure.kind, FailureKind::RateLimited | FailureKind::Server)
        }
    }
}

/// Whether a create was refused because of its input file: gone, or not taken in yet.
fn is_about_file(error: &CallError, create: &CreateRecord) -> bool {
    error.class == CallClass::Rejected
        && speaks_of_a_missing_file(&error.failure.message, create.file_id.as_deref())
}

/// Whether a provider's words say that it does not have an input file, or not yet.
pub(super) fn speaks_of_a_missing_file(words: &str, file_id: Option<&str>) -> bool {
    let text = words.to_lowercase();
    let id = file_id.unwrap_or_default().to_lowercase();
    let names_it = text.contains("file") || text.contains("文件");
    let absences = [
        "no such",
        "not found",
        "not exist",
        "not ready",
        "not been processed",
        "processing",
        "不存在",
        "未找到",
    ];
    (names_it || (!id.is_empty() && text.contains(&id)))
        && absences.iter().any(|word| text.contains(word))
}
