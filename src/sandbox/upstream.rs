//! Answers by another server: each request of a batch goes to an OpenAI-compatible address, a few
//! at a time, and every answer is kept as it comes, so that a kill costs only what was in flight.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SandboxError;
use super::family::Endpoint;
use super::lines;
use super::refusal::Refusal;
use super::server::{Desk, blocking};
use super::settle::{Bill, Made, Place, Request, origin, places, read_request};
use super::shelf::StoredBatch;
use crate::base::Secret;

/// Requests under way at once: a model on one's own machine seldom gains from more.
const CONCURRENCY: usize = 4;
/// Tries for a request that met a fault of the server or its limit.
const TRIES: u32 = 3;
/// How often a run looks whether its batch was cancelled or has expired.
const LOOK: Duration = Duration::from_millis(200);

/// Another server that answers.
#[derive(Debug, Clone)]
pub struct Upstream {
    base_url: String,
    key: Option<Secret>,
    concurrency: usize,
    client: reqwest::Client,
}

impl Upstream {
    /// A server by its base address (`http://127.0.0.1:11434/v1`), and its key if it wants one.
    pub fn new(base_url: &str, key: Option<Secret>) -> Result<Self, SandboxError> {
        let failed = |reason: String| SandboxError::Upstream { url: base_url.to_owned(), reason };
        let url = reqwest::Url::parse(base_url).map_err(|error| failed(error.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        if !(url.scheme() == "https" || url.scheme() == "http" && (is_here || key.is_none())) {
            return Err(failed("a key is sent over https or to this machine only".into()));
        }
        // Fails only if a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(600));
        if is_here {
            client = client.no_proxy();
        }
        Ok(Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            key,
            concurrency: CONCURRENCY,
            client: client.build().map_err(|error| failed(error.to_string()))?,
        })
    }

    /// The same server, asked this many requests at once (at least 1).
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// Asks once or a few times; what comes back is the status and the body as they are.
    pub(super) async fn ask(&self, endpoint: Endpoint, body: &Value) -> Result<Value, Refusal> {
        let mut wait = Duration::from_millis(500);
        let mut last = Refusal::new(502, "The upstream server was not asked.");
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            match self.ask_once(endpoint, body).await {
                Ok(body) => return Ok(body),
                Err(refusal) if refusal.status == 429 || refusal.status >= 500 => last = refusal,
                Err(refusal) => return Err(refusal),
            }
        }
        Err(last)
    }

    async fn ask_once(&self, endpoint: Endpoint, body: &Value) -> Result<Value, Refusal> {
        let path = match endpoint {
            Endpoint::Chat => "chat/completions",
            Endpoint::Embeddings => "embeddings",
            Endpoint::Responses => "responses",
        };
        let failed = |error: reqwest::Error| {
            let text = format!("The upstream server did not answer: {}", reason(error));
            Refusal::new(502, text).code("upstream_unreachable")
        };
        let mut request = self.client.post(format!("{}/{path}", self.base_url)).json(body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(failed)?;
        let body: Option<Value> = serde_json::from_str(&text).ok();
        match body {
            Some(body) if status == 200 && body.get("error").is_none_or(Value::is_null) => Ok(body),
            body => Err(refusal(status, body.as_ref(), &text)),
        }
    }
}

/// What is at the bottom of a failed call ("Connection refused"): the layers above it name only
/// what was tried.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let error = error.without_url();
    let mut bottom: &dyn std::error::Error = &error;
    while let Some(below) = bottom.source() {
        bottom = below;
    }
    bottom.to_string()
}

/// The other server's words in a shape that every family can say.
fn refusal(status: u16, body: Option<&Value>, text: &str) -> Refusal {
    let error = body.and_then(|body| body.get("error"));
    let message = error.and_then(|error| error.as_str().or_else(|| error["message"].as_str()));
    let short: String = message.unwrap_or(text).chars().take(500).collect();
    let status = if status < 400 { 502 } else { status };
    let refusal = Refusal::new(status, crate::base::redact(&short));
    match error.and_then(|error| error["code"].as_str()) {
        Some(code) => refusal.code(code),
        None => refusal,
    }
}

/// What an answer of another server says it cost.
pub(super) fn bill_of(body: &Value) -> Bill {
    let usage = &body["usage"];
    let first = |names: [&str; 2]| names.iter().find_map(|name| usage[name].as_u64());
    Bill {
        prompt_tokens: first(["prompt_tokens", "input_tokens"]).unwrap_or(0),
        completion_tokens: first(["completion_tokens", "output_tokens"]).unwrap_or(0),
    }
}

/// How a kept answer stands in `answers.jsonl`.
#[derive(Serialize, Deserialize)]
struct KeptLine {
    number: u64,
    custom_id: String,
    bill: Option<(u64, u64)>,
    line: Value,
}

/// Hands out the answers kept so far in the order they came. A line that a killed server left
/// torn is passed over: its request is asked again.
pub(super) fn kept_answers(
    desk: &Desk,
    id: &str,
    mut act: impl FnMut(Made) -> io::Result<()>,
) -> io::Result<()> {
    let file = match File::open(desk.shelf().batch_dir(id).join("answers.jsonl")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        if let Ok(kept) = serde_json::from_slice::<KeptLine>(&bytes) {
            let bill = kept.bill.map(|(prompt_tokens, completion_tokens)| Bill {
                prompt_tokens,
                completion_tokens,
            });
            let made = Made {
                number: kept.number,
                custom_id: kept.custom_id,
                line: kept.line,
                bill,
                request: None,
            };
            act(made)?;
        }
        bytes.clear();
    }
    Ok(())
}

/// Sends what is not answered yet. True when all is answered, false when the batch was cancelled
/// or has expired before that.
pub(super) async fn run(desk: &Desk, batch: &StoredBatch, upstream: &Upstream) -> io::Result<bool> {
    let id = batch.record.id.clone();
    let (todo, mut done) = blocking_work(desk, &id).await?;
    let path = desk.shelf().batch_dir(&id).join("answers.jsonl");
    let mut kept = OpenOptions::new().create(true).append(true).open(path)?;
    // Ends a torn line, if there is one.
    kept.write_all(b"\n")?;
    desk.shared.set_progress(&id, done);
    let calls = futures_util::stream::iter(todo)
        .map(|place| ask_for(desk, batch, upstream, place))
        .buffer_unordered(upstream.concurrency);
    let mut calls = std::pin::pin!(calls);
    loop {
        tokio::select! {
            call = calls.next() => match call {
                None => return Ok(true),
                Some(line) => {
                    kept.write_all(&line?)?;
                    done += 1;
                    desk.shared.set_progress(&id, done);
                }
            },
            () = tokio::time::sleep(LOOK) => {}
        }
        let cancelled = desk.shelf().batch(&id)?.is_none_or(|now| now.cancelled.is_some());
        if cancelled || desk.now() >= batch.record.plan.expires {
            return Ok(false);
        }
    }
}

async fn blocking_work(desk: &Desk, id: &str) -> io::Result<(Vec<Place>, u64)> {
    let (desk, id) = (desk.clone(), id.to_owned());
    blocking(move || {
        let mut answered = HashSet::new();
        kept_answers(&desk, &id, |kept| {
            answered.insert(kept.number);
            Ok(())
        })?;
        let mut todo = places(&desk.shelf().input_path(&id))?;
        todo.retain(|place| !answered.contains(&place.number));
        Ok((todo, answered.len() as u64))
    })
    .await
}

/// Asks for one row; the answer or the refusal as a line to be kept.
async fn ask_for(
    desk: &Desk,
    batch: &StoredBatch,
    upstream: &Upstream,
    place: Place,
) -> io::Result<Vec<u8>> {
    let mut file = File::open(desk.shelf().input_path(&batch.record.id))?;
    let request: Request = read_request(&mut file, place)?;
    let origin = origin(desk, batch, &request)?;
    let (line, bill) = match upstream.ask(origin.endpoint, &request.body).await {
        Ok(body) => (lines::line(&origin, 200, &body), Some(bill_of(&body))),
        Err(refusal) => (lines::refused(&origin, &refusal), None),
    };
    let kept = KeptLine {
        number: place.number,
        bill: bill.map(|bill| (bill.prompt_tokens, bill.completion_tokens)),
        line,
        custom_id: request.custom_id,
    };
    let mut bytes = serde_json::to_vec(&kept)?;
    bytes.push(b'\n');
    Ok(bytes)
}
