//! A client of the sandbox, and input files to send.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::{Answers, Family, Running, SandboxOptions, Time, serve};

/// When the manual clocks begin (milliseconds): some day in 2026.
const START: i64 = 1_792_000_000_000;

/// A sandbox with a clock in the test's hand, and a client of one of its families.
pub(super) struct Bench {
    pub(super) running: Running,
    pub(super) family: Family,
    clock: Arc<AtomicI64>,
    client: reqwest::Client,
}

/// Options with a manual clock: a batch takes a second of it.
pub(super) fn options(state_dir: &Path) -> SandboxOptions {
    SandboxOptions {
        batch_duration: Duration::from_secs(1),
        time: Time::Manual(Arc::new(AtomicI64::new(START))),
        ..SandboxOptions::new(state_dir)
    }
}

pub(super) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy();
    client
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .unwrap()
}

impl Bench {
    pub(super) async fn start(options: SandboxOptions, family: Family) -> Self {
        let Time::Manual(clock) = &options.time else { panic!("tests hold the clock") };
        let clock = Arc::clone(clock);
        let running = serve(options).await.unwrap();
        Self { running, family, clock, client: client() }
    }

    /// Moves the clock on.
    pub(super) fn pass(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.base_url(self.family))
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The status that a holder of this key gets.
    pub(super) async fn status_as(&self, key: &str, path: &str) -> u16 {
        let request = self.client.get(self.url(path)).bearer_auth(key);
        request.send().await.unwrap().status().as_u16()
    }

    /// A call to `/sandbox/faults`.
    pub(super) async fn faults(&self, method: reqwest::Method, rules: &str) -> (u16, Value) {
        let url = format!("http://{}/sandbox/faults", self.running.address());
        let request = self.client.request(method, url).body(rules.to_owned());
        self.send(request.bearer_auth("sandbox-test")).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = self.with_key(request).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// With the key where the family's clients put it.
    pub(super) fn with_key(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self.family {
            Family::OpenAi | Family::Zhipu => request.bearer_auth("sandbox-test"),
            Family::Anthropic => request
                .header("x-api-key", "sandbox-test")
                .header("anthropic-version", "2023-06-01"),
            Family::Gemini => request.header("x-goog-api-key", "sandbox-test"),
        }
    }

    /// The address of chat.
    pub(super) fn chat_path(&self) -> String {
        match self.family {
            Family::OpenAi | Family::Zhipu => "/chat/completions".to_owned(),
            Family::Anthropic => "/v1/messages".to_owned(),
            Family::Gemini => format!("/v1beta/models/{}:generateContent", self.model()),
        }
    }

    /// The body of a chat that says this.
    pub(super) fn chat_body(&self, text: &str) -> Value {
        let messages = json!([{"role": "user", "content": text}]);
        match self.family {
            Family::OpenAi | Family::Zhipu => json!({"model": self.model(), "messages": messages}),
            Family::Anthropic => {
                json!({"model": self.model(), "max_tokens": 100, "messages": messages})
            }
            Family::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        }
    }

    /// A chat that says this.
    pub(super) async fn chat(&self, text: &str) -> (u16, Value) {
        self.post(&self.chat_path(), &self.chat_body(text)).await
    }

    /// What was seen of the calls that answer at once.
    pub(super) async fn calls(&self) -> Vec<Value> {
        let text = self.sandbox("/sandbox/calls").await;
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The sums of those.
    pub(super) async fn summary(&self) -> Value {
        serde_json::from_str(&self.sandbox("/sandbox/calls?summary=1").await).unwrap()
    }

    async fn sandbox(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.running.address());
        self.with_key(self.client.get(url)).send().await.unwrap().text().await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.client.get(self.url(path))).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.client.post(self.url(path)).json(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.client.delete(self.url(path))).await
    }

    pub(super) async fn text(&self, path: &str) -> String {
        let request = self.client.get(self.url(path)).bearer_auth("sandbox-test");
        request.send().await.unwrap().text().await.unwrap()
    }

    pub(super) async fn bytes(&self, path: &str) -> Vec<u8> {
        let request = self.client.get(self.url(path)).bearer_auth("sandbox-test");
        request.send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    pub(super) async fn upload(&self, content: &str) -> (u16, Value) {
        self.upload_as(content, "input.jsonl").await
    }

    pub(super) async fn upload_as(&self, content: &str, name: &str) -> (u16, Value) {
        let part = reqwest::multipart::Part::text(content.to_owned()).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().text("purpose", "batch").part("file", part);
        self.send(self.client.post(self.url("/files")).multipart(form)).await
    }

    pub(super) fn endpoint(&self) -> &'static str {
        match self.family {
            Family::OpenAi => "/v1/chat/completions",
            Family::Zhipu => "/v4/chat/completions",
            Family::Anthropic | Family::Gemini => panic!("no batches"),
        }
    }

    pub(super) fn model(&self) -> &'static str {
        match self.family {
            Family::OpenAi => "gpt-4o-mini",
            Family::Zhipu => "glm-4-flash",
            Family::Anthropic => "claude-haiku-4-5",
            Family::Gemini => "gemini-2.5-flash",
        }
    }

    /// The body of a create.
    pub(super) fn create_body(&self, file: &str) -> Value {
        json!({
            "input_file_id": file,
            "endpoint": self.endpoint(),
            "completion_window": "24h",
            "metadata": {"k": "v"},
        })
    }

    /// Uploads the texts as rows and creates a batch; its id.
    pub(super) async fn submit(&self, texts: &[&str]) -> String {
        let (status, file) = self.upload(&self.rows(texts)).await;
        assert_eq!(status, 200, "{file}");
        let (status, batch) =
            self.post("/batches", &self.create_body(file["id"].as_str().unwrap())).await;
        assert_eq!(status, 200, "{batch}");
        batch["id"].as_str().unwrap().to_owned()
    }

    /// An input file with one row for each text.
    pub(super) fn rows(&self, texts: &[&str]) -> String {
        let mut rows = String::new();
        for (index, text) in texts.iter().enumerate() {
            let row = json!({
                "custom_id": format!("row-{index:06}"),
                "method": "POST",
                "url": self.endpoint(),
                "body": {
                    "model": self.model(),
                    "messages": [{"role": "user", "content": text}],
                },
            });
            rows.push_str(&row.to_string());
            rows.push('\n');
        }
        rows
    }

    pub(super) async fn batch(&self, id: &str) -> Value {
        let (status, batch) = self.get(&format!("/batches/{id}")).await;
        assert_eq!(status, 200, "{batch}");
        batch
    }

    /// Polls until the batch has this state.
    pub(super) async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..2000 {
            let batch = self.batch(id).await;
            if batch["status"] == status {
                return batch;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        panic!("never {status}: {}", self.batch(id).await);
    }

    /// The lines of a result file; none if the batch has no such file.
    pub(super) async fn lines(&self, batch: &Value, file: &str) -> Vec<Value> {
        let Some(id) = batch[file].as_str() else { return Vec::new() };
        let text = self.text(&format!("/files/{id}/content")).await;
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The ledger's lines about one event.
    pub(super) async fn ledger(&self, event: &str) -> Vec<Value> {
        let url = format!("http://{}/sandbox/ledger", self.running.address());
        let request = self.client.get(url).bearer_auth("sandbox-test");
        let text = request.send().await.unwrap().text().await.unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == event).collect()
    }
}

/// A bench with everything as usual, and the folder it lives in.
pub(super) async fn bench(family: Family) -> (Bench, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(options(folder.path()), family).await;
    (bench, folder)
}

/// A bench with these answers.
pub(super) async fn bench_with(answers: Answers) -> (Bench, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = SandboxOptions { answers, ..options(folder.path()) };
    (Bench::start(options, Family::OpenAi).await, folder)
}

/// The text of a chat answer in a result line.
pub(super) fn content(line: &Value) -> &str {
    line["response"]["body"]["choices"][0]["message"]["content"].as_str().unwrap()
}

pub(super) fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["custom_id"].as_str().unwrap()).collect()
}
