//! The calls of the provider in memory.

use std::cmp::Reverse;
use std::fs;
use std::path::Path;

use async_trait::async_trait;
use batchctl::base::Clock;
use batchctl::batch::{Batch, FailureKind};
use batchctl::provider::{
    BatchApi, CallClass, CallError, CreateBatch, Dialect, Page, RemoteFile, SANDBOX,
};

use super::chance::Fault;
use super::clock::VirtualClock;
use super::{Memory, Upload, WRITES, error, unclear};

const SERVICE: &Dialect = &SANDBOX;

#[async_trait]
impl BatchApi for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn base_url(&self) -> &'static str {
        "http://memory"
    }

    fn dialect(&self) -> &'static Dialect {
        SERVICE
    }

    fn is_sandbox(&self) -> bool {
        true
    }

    fn server_time(&self) -> Option<i64> {
        self.lock().heard.map(|offset| self.clock.unix() + offset)
    }

    async fn upload(
        &self,
        path: &Path,
        name: &str,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<RemoteFile, CallError> {
        let fault = self.write("upload", WRITES).await?;
        let text = fs::read_to_string(path).expect("the request file was just built");
        on_bytes(text.len() as u64);
        let file = {
            let mut state = self.lock();
            let id = format!("file-{}", state.number());
            let upload = Upload {
                name: name.to_owned(),
                lines: text.lines().map(str::to_owned).collect(),
                bytes: text.len() as u64,
                made: self.clock.now(),
                deleted: false,
            };
            let file = upload.describe(&id, state.skew);
            state.uploads.insert(id, upload);
            file
        };
        self.answer("upload", fault, file).await
    }

    async fn list_files(&self, after: Option<&str>) -> Result<Page<RemoteFile>, CallError> {
        self.read("list files").await?;
        self.hear();
        let state = self.lock();
        let mut files: Vec<_> = state
            .uploads
            .iter()
            .filter(|(_, file)| !file.deleted)
            .map(|(id, file)| (file.made, file.describe(id, state.skew)))
            .collect();
        files.sort_by_key(|(made, _)| Reverse(*made));
        let files = files.into_iter().map(|(_, file)| file).collect();
        Ok(page_of(files, after, state.page, |file: &RemoteFile| &file.id))
    }

    async fn create(&self, request: &CreateBatch) -> Result<Batch, CallError> {
        const FAULTS: &[Fault] = &[
            Fault::NotSent,
            Fault::Busy,
            Fault::LostBefore,
            Fault::LostAfter,
            Fault::HangsBefore,
            Fault::HangsAfter,
            Fault::Late,
            Fault::Late,
            Fault::Late,
            Fault::QueueFull,
            Fault::NotReady,
        ];
        let call = "create";
        self.lock().faults.is_due = self.draw(|dice| dice.percent(20));
        let fault = self.write(call, FAULTS).await?;
        let now = self.clock.now();
        let text = match fault {
            Some(Fault::Late) => {
                let mut state = self.lock();
                let at = now + 60_000 + state.dice.below(180 * 60_000);
                state.late.push((at, request.clone()));
                return Err(unclear(call));
            }
            Some(Fault::QueueFull) => Some((
                FailureKind::QueueFull,
                "Enqueued token limit reached for some-model. Limit: 1,000 enqueued tokens.".into(),
            )),
            Some(Fault::NotReady) => Some((
                FailureKind::Invalid,
                format!("file {} is not ready: processing", request.input_file_id),
            )),
            _ => match self.lock().make(request, now) {
                Ok(()) => None,
                Err(()) => Some((
                    FailureKind::NotFound,
                    format!("No such File object: {}", request.input_file_id),
                )),
            },
        };
        if let Some((kind, text)) = text {
            self.hear();
            return Err(error(call, CallClass::Rejected, kind, &text));
        }
        let batch = {
            let state = self.lock();
            let batch = state.batches.last().expect("it was just made");
            batch.describe(now, state.skew)
        };
        self.answer(call, fault, batch).await
    }

    async fn retrieve(&self, batch_id: &str) -> Result<Batch, CallError> {
        self.read("retrieve").await?;
        self.hear();
        let now = self.clock.now();
        let found = self.lock().batch(batch_id, now);
        let mut batch = found.ok_or_else(|| {
            error("retrieve", CallClass::Rejected, FailureKind::NotFound, "no such batch")
        })?;
        let spared = self.draw(|dice| dice.percent(80));
        let faults: &[Fault] = if spared { &[] } else { &[Fault::OddWord] };
        if self.fault("retrieve", faults).is_some() {
            batch.status = None;
            "resting".clone_into(&mut batch.status_word);
        }
        Ok(batch)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page<Batch>, CallError> {
        self.read("list").await?;
        self.hear();
        let now = self.clock.now();
        let state = self.lock();
        let mut listed: Vec<_> = state.batches.iter().filter(|batch| batch.listed <= now).collect();
        listed.sort_by_key(|batch| Reverse(batch.made));
        let listed = listed.into_iter().map(|batch| batch.describe(now, state.skew)).collect();
        let most = state.page.min(limit as usize);
        Ok(page_of(listed, after, most, |batch: &Batch| &batch.id))
    }

    async fn cancel(&self, batch_id: &str) -> Result<Batch, CallError> {
        let fault = self.write("cancel", WRITES).await?;
        let batch = {
            let state = &mut *self.lock();
            let now = self.clock.now();
            if let Some(batch) = state.batches.iter_mut().find(|batch| batch.id == batch_id) {
                batch.cancel(now, &mut state.dice);
            }
            state.batch(batch_id, now)
        };
        let batch = batch.ok_or_else(|| {
            error("cancel", CallClass::Rejected, FailureKind::NotFound, "no such batch")
        })?;
        self.answer("cancel", fault, batch).await
    }

    async fn download(
        &self,
        file_id: &str,
        to: &Path,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, CallError> {
        self.read("download").await?;
        let found = self.lock().results.get(file_id).cloned();
        let bytes = found.ok_or_else(|| {
            error("download", CallClass::Rejected, FailureKind::NotFound, "no such file")
        })?;
        let length = match self.fault("download", &[Fault::CutDownload]) {
            Some(_) => self.draw(|dice| dice.index(bytes.len().max(1))),
            None => bytes.len(),
        };
        if length == bytes.len() {
            self.lock().bill.handed_over.insert(file_id.to_owned());
        }
        on_bytes(length as u64 / 2);
        let part = to.with_extension("part");
        fs::write(&part, &bytes[..length]).expect("a scratch folder can be filled");
        self.step("download").await;
        fs::rename(&part, to).expect("a scratch folder can be filled");
        self.step("download").await;
        self.hear();
        Ok(length as u64)
    }

    async fn delete_file(&self, file_id: &str) -> Result<(), CallError> {
        let fault = self.write("delete", WRITES).await?;
        if let Some(file) = self.lock().uploads.get_mut(file_id) {
            file.deleted = true;
        }
        self.answer("delete", fault, ()).await
    }
}

impl Upload {
    fn describe(&self, id: &str, skew: i64) -> RemoteFile {
        RemoteFile {
            id: id.to_owned(),
            name: Some(self.name.clone()),
            bytes: Some(self.bytes),
            created_at: Some(VirtualClock::unix_at(self.made) + skew),
        }
    }
}

/// The page after this id.
fn page_of<T>(
    items: Vec<T>,
    after: Option<&str>,
    most: usize,
    id: impl Fn(&T) -> &String,
) -> Page<T> {
    let from = after.and_then(|after| items.iter().position(|item| id(item) == after));
    let mut rest = items.into_iter().skip(from.map_or(0, |at| at + 1)).peekable();
    let items: Vec<T> = rest.by_ref().take(most).collect();
    let next = items.last().filter(|_| rest.peek().is_some()).map(|item| id(item).clone());
    Page { items, next }
}
