//! Files on the wire, both ways, in bounded memory.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::header::LOCATION;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Response, Url};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use crate::base::{AtomicFile, DiskFile, crash_point};
use crate::batch::{ErrorWords, Failure, FailureKind};
use crate::provider::{CallClass, CallError};

use super::{Fault, Verdict, Wire, judge};

/// Bytes read from disk at a time; smaller ones cost system calls, larger ones memory.
const PIECE: usize = 256 << 10;
/// How often progress is told and a stall is looked for.
const GLANCE: Duration = Duration::from_millis(100);
/// Redirects of a download that are followed.
const MOST_HOPS: usize = 4;
/// A file smaller than this may be an error in place of a file.
const SMALL_FILE: usize = 64 << 10;

impl Wire {
    /// Sends a file as a form with the purpose `batch`, once.
    pub(in crate::provider) async fn upload(
        &self,
        call: &'static str,
        parts: &[&str],
        (path, name): (&Path, &str),
        on_bytes: &(dyn Fn(u64) + Sync),
        accepts: fn(&Value) -> bool,
    ) -> Result<Value, CallError> {
        self.greet(call).await?;
        let url = self.place(call, parts)?;
        let unreadable = |error| {
            let words = format!("cannot read {}: {error}", path.display());
            self.error(call, Fault::local(words, error))
        };
        let (part, length, sent) = file_part(path, name).await.map_err(unreadable)?;
        let form = Form::new().text("purpose", "batch").part("file", part);
        let request = self.authorized(self.writer.post(url), true);
        let request = request.timeout(self.timeouts.upload(length)).multipart(form);
        let exchange = async { self.read_reply(self.begin(request).await?).await };
        crash_point!("send", call);
        let reply = tokio::select! {
            reply = exchange => reply,
            stalled = self.watch(&sent, length, on_bytes) => Err(stalled),
        };
        crash_point!("answered", call);
        on_bytes(sent.load(Ordering::Relaxed));
        self.concluded(call, reply, accepts)
    }

    /// Tells the progress of an upload; ends when it stands still for too long.
    async fn watch(&self, sent: &AtomicU64, length: u64, on_bytes: &(dyn Fn(u64) + Sync)) -> Fault {
        let mut last = 0;
        let mut moved_at = Instant::now();
        loop {
            tokio::time::sleep(GLANCE).await;
            let now = sent.load(Ordering::Relaxed);
            if now != last {
                (last, moved_at) = (now, Instant::now());
                on_bytes(now);
            }
            let patience = if now < length { self.timeouts.idle } else { self.timeouts.call };
            if moved_at.elapsed() >= patience {
                let words = format!("the upload stands still at {now} of {length} bytes");
                return Fault {
                    class: CallClass::Unknown,
                    failure: Failure::ours(FailureKind::Network, words),
                    should_retry: None,
                    local: None,
                };
            }
        }
    }

    /// Fetches a file by id or link, and tries again from the start after faults that pass.
    pub(in crate::provider) async fn download(
        &self,
        call: &'static str,
        file_id: &str,
        to: &Path,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, CallError> {
        self.greet(call).await?;
        let (url, is_own) = self.place_of_file(call, file_id)?;
        let mut tries = 0;
        loop {
            crash_point!("send", call);
            let fetched = self.fetch(url.clone(), is_own, to, on_bytes).await;
            crash_point!("answered", call);
            let fault = match fetched {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => fault,
            };
            tries += 1;
            self.pause_or_fail(call, fault, tries).await?;
        }
    }

    /// Where a file is: some services give a link in place of an id.
    fn place_of_file(&self, call: &'static str, id: &str) -> Result<(Url, bool), CallError> {
        let is_link = id.starts_with('/') || id.contains("://");
        if !is_link {
            return Ok((self.place(call, &["files", id, "content"])?, true));
        }
        self.address.link(id).map_err(|error| self.error(call, Fault::rejected(error.to_string())))
    }

    /// One try. Redirects are followed by hand, with the key only while the host is the provider's.
    pub(super) async fn fetch(
        &self,
        mut url: Url,
        mut is_own: bool,
        to: &Path,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, Fault> {
        for _ in 0..MOST_HOPS {
            let request = self.authorized(self.reader.get(url.clone()), is_own);
            let response = self.begin(request).await?;
            if response.status().as_u16() == 200 {
                return self.store(response, to, on_bytes).await;
            }
            let next = response
                .status()
                .is_redirection()
                .then(|| url.join(response.headers().get(LOCATION)?.to_str().ok()?).ok())
                .flatten();
            let Some(next) = next else { return Err(self.refused(response).await) };
            (url, is_own) = self
                .address
                .link(next.as_str())
                .map_err(|error| Fault::rejected(error.to_string()))?;
        }
        Err(Fault::rejected(format!("the file was redirected more than {MOST_HOPS} times")))
    }

    async fn refused(&self, response: Response) -> Fault {
        let reply = match self.read_reply(response).await {
            Ok(reply) => reply,
            Err(fault) => return fault,
        };
        match judge(&reply, |_| false) {
            Verdict::Rejected(failure) => reply.fault(CallClass::Rejected, failure),
            Verdict::Unclear(failure) => reply.fault(CallClass::Unknown, failure),
            Verdict::Accepted(_) => Fault::rejected("unexpected answer".to_owned()),
        }
    }

    /// Streams a body to its place, which it gets only when whole.
    async fn store(
        &self,
        mut response: Response,
        to: &Path,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, Fault> {
        let unwritable = |error: io::Error| {
            Fault::local(format!("cannot write {}: {error}", to.display()), error)
        };
        let expected = response.content_length();
        let mut file = AtomicFile::create(to).map_err(unwritable)?;
        let (mut received, mut told) = (0_u64, 0_u64);
        let mut head = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(self.transport(&error)),
            };
            file.write_all(&chunk).map_err(unwritable)?;
            head.extend_from_slice(&chunk[..chunk.len().min(SMALL_FILE - head.len())]);
            received += chunk.len() as u64;
            if received - told >= PIECE as u64 {
                told = received;
                on_bytes(received);
            }
        }
        if let Some(failure) = short_or_no_file(received, expected, &head) {
            return Err(Fault {
                class: CallClass::Unknown,
                failure,
                should_retry: None,
                local: None,
            });
        }
        on_bytes(received);
        let committed = tokio::task::spawn_blocking(move || file.commit()).await;
        committed.map_err(io::Error::other).flatten().map_err(unwritable)?;
        Ok(received)
    }
}

/// What is wrong with a download whose connection ended well.
fn short_or_no_file(received: u64, expected: Option<u64>, head: &[u8]) -> Option<Failure> {
    let broken = |words: String| Some(Failure::ours(FailureKind::Network, words));
    if let Some(expected) = expected.filter(|expected| *expected != received) {
        return broken(format!("the download ended at {received} of {expected} bytes"));
    }
    if head.trim_ascii_start().starts_with(b"<") {
        return broken("a web page came in place of the file".to_owned());
    }
    if received > head.len() as u64 {
        return None;
    }
    // A result file of one line is an object too, but with an id of ours.
    let body: Value = serde_json::from_slice(head).ok()?;
    if body.get("custom_id").is_some() {
        return None;
    }
    ErrorWords::in_reply(&body).map(|words| words.into_failure(Some(200), None))
}

/// The file as a part of a form that is read while it is sent; its length; the bytes read so far.
async fn file_part(path: &Path, name: &str) -> io::Result<(Part, u64, Arc<AtomicU64>)> {
    let file = File::from_std(DiskFile::open(path)?.into_inner());
    let length = file.metadata().await?.len();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    // Not a byte more than was announced, should the file grow meanwhile.
    let pieces = ReaderStream::with_capacity(file.take(length), PIECE).inspect(move |piece| {
        if let Ok(piece) = piece {
            counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    });
    let part = Part::stream_with_length(Body::wrap_stream(pieces), length)
        .file_name(name.to_owned())
        .mime_str("application/octet-stream")
        .map_err(io::Error::other)?;
    Ok((part, length, sent))
}
