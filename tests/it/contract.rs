//! What every provider of the list promises: the outcomes of a batch come back once each in any
//! order, an unknown status word is kept and waited on, a key never shows in a message.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::time::Duration;

use batchctl::base::Secret;
use batchctl::batch::{Batch, BatchStatus, Outcome, ResultFile};
use batchctl::provider::{
    BatchApi, CreateBatch, Dialect, PROVIDERS, ProviderSettings, Timeouts, open,
};
use batchctl::request::Endpoint;

use crate::support::runs::{at, marked};
use crate::support::sandbox::Sandbox;
use crate::support::server::{Reply, Server};

const KEY: &str = "sandbox-contract-0123456789";

/// Runs a test's calls.
fn block_on<F: Future>(calls: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(calls)
}

fn api(dialect: &'static Dialect, address: &str, key: &str) -> Box<dyn BatchApi> {
    let mut settings = ProviderSettings::new(dialect, Secret::new(key));
    settings.base_url = Some(address.to_owned());
    settings.timeouts = Timeouts { connect: Duration::from_secs(2), ..Timeouts::default() };
    open(&settings).expect("a loopback address is fine")
}

/// Where a sandbox plays this service.
fn base_of(dialect: &Dialect, address: &str) -> String {
    let prefix = if dialect.chat.starts_with("/v4/") { "/api/paas/v4" } else { "/v1" };
    format!("{address}{prefix}")
}

/// Asks until the batch has ended.
async fn ended(api: &dyn BatchApi, mut batch: Batch) -> Batch {
    while !batch.status.is_some_and(BatchStatus::is_terminal) {
        tokio::time::sleep(Duration::from_millis(30)).await;
        batch = api.retrieve(&batch.id).await.expect("it can be asked after");
    }
    batch
}

/// S4.06, S4.11, S4.12, S4.18: the life of a batch, at every provider.
#[test]
fn s4_06_s4_12_every_custom_id_comes_back_once() {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.2", "--any-model"]);
    for dialect in PROVIDERS.iter().filter(|dialect| dialect.batches) {
        let name = dialect.name;
        let api = api(dialect, &base_of(dialect, sandbox.address()), KEY);
        let folder = tempfile::tempdir().expect("a folder");
        let model = dialect.default_model.unwrap_or("some-model");
        let url = api.line_url(Endpoint::Chat).expect("chat goes everywhere");
        let line = |n: usize| {
            let text = if n == 3 { "[[fail:400]]".to_owned() } else { format!("text {n}") };
            let body = serde_json::json!({
                "model": model, "messages": [{"role": "user", "content": text}]
            });
            let id = format!("abc123-{n:07}-r1");
            serde_json::json!({"custom_id": id, "method": "POST", "url": url, "body": body})
        };
        let input: String = (0..12).map(|n| format!("{}\n", line(n))).collect();
        let path = folder.path().join("in.jsonl");
        fs::write(&path, &input).expect("it can be written");
        block_on(async {
            let file = api.upload(&path, "bc1-test.jsonl", &|_| {}).await.expect(name);
            let create = CreateBatch {
                input_file_id: file.id.clone(),
                endpoint: Endpoint::Chat,
                completion_window: "24h".to_owned(),
                metadata: BTreeMap::from([("batchctl".to_owned(), format!("bc1-{name}"))]),
            };
            let batch = api.create(&create).await.expect(name);
            let batch = ended(api.as_ref(), batch).await;
            assert_eq!(batch.status, Some(BatchStatus::Completed), "{name}");
            assert_eq!(batch.metadata, create.metadata, "{name}");
            let mut answered = Vec::new();
            let mut failed = Vec::new();
            for file in [&batch.output_file_id, &batch.error_file_id].into_iter().flatten() {
                let to = folder.path().join("out.jsonl");
                api.download(file, &to, &|_| {}).await.expect(name);
                for placed in ResultFile::open(&to).expect("it was fetched") {
                    let line = placed.expect("it can be read").2.expect("every line is sound");
                    match line.outcome {
                        Outcome::Answered(_) => answered.push(line.custom_id),
                        Outcome::Failed(_) => failed.push(line.custom_id),
                    }
                }
            }
            assert_eq!(failed, ["abc123-0000003-r1"], "{name}");
            assert!(!answered.is_sorted(), "{name}: the sandbox shuffles, so order is not assumed");
            answered.append(&mut failed);
            answered.sort();
            let sent: Vec<String> = (0..12).map(|n| format!("abc123-{n:07}-r1")).collect();
            assert_eq!(answered, sent, "{name}: every id once");

            let page = api.list(None, 20).await.expect(name);
            assert!(page.items.iter().any(|item| item.id == batch.id), "{name}: it is listed");
            for _ in 0..2 {
                api.delete_file(&file.id).await.expect("deleting twice is no failure");
            }
        });
    }
}

/// S4.18: a word that nobody knows yet is kept as it came, and is no end.
#[test]
fn s4_18_an_unknown_status_word_is_kept_by_every_provider() {
    for dialect in PROVIDERS.iter().filter(|dialect| dialect.batches) {
        let body = r#"{"id":"batch_1","object":"batch","status":"paused_for_review"}"#;
        let server = Server::start(vec![("GET /", Reply::json(200, body))]);
        let api = api(dialect, &server.address(), "other-key");
        let batch = block_on(api.retrieve("batch_1")).expect(dialect.name);
        assert_eq!(batch.status_word, "paused_for_review", "{}", dialect.name);
        assert_eq!(batch.status, None, "{}", dialect.name);
    }
}

/// S1.23, S4.19: whatever a service says, and however the error is shown, the key is not in it.
#[test]
fn s1_23_s4_19_a_key_never_shows_in_a_message() {
    let key = "k3y-c0ntract-9876543210";
    let refusal = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {key}","code":"invalid_api_key"}}}}"#
    );
    for dialect in PROVIDERS.iter().filter(|dialect| dialect.batches) {
        let name = dialect.name;
        let shows = |error: &dyn Debug, text: String| {
            assert!(!text.contains(key) && !format!("{error:?}").contains(key), "{name}: {text}");
        };
        let server = Server::start(vec![("GET /", Reply::json(401, &refusal))]);
        let api = api(dialect, &server.address(), key);
        let error = block_on(api.retrieve("batch_1")).expect_err("it was refused");
        shows(&error, error.to_string());
        drop(server);
        let server = Server::start(vec![("GET /", Reply::full(403, &[], key.as_bytes()))]);
        let api = self::api(dialect, &format!("{}/{key}", server.address()), key);
        let error = block_on(api.list(None, 1)).expect_err("it was refused");
        shows(&error, error.to_string());
    }
}

/// S4.18: reported once, and waited on until a known word comes.
#[test]
fn s4_18_an_unknown_status_word_is_reported_once_and_waited_on() {
    let file =
        r#"{"id":"file-1","object":"file","bytes":1,"filename":"x.jsonl","purpose":"batch"}"#;
    let batch = |status: &str, more: &str| {
        format!(r#"{{"id":"batch_1","object":"batch","status":"{status}"{more}}}"#)
    };
    let odd = Reply::json(200, &batch("paused_for_review", ""));
    let server = Server::start(vec![
        ("POST /v1/files", Reply::json(200, file)),
        ("POST /v1/batches", Reply::json(200, &batch("validating", ""))),
        ("GET /v1/batches/batch_1", odd.clone()),
        ("GET /v1/batches/batch_1", odd.clone()),
        ("GET /v1/batches/batch_1", odd),
        ("GET /v1/batches/batch_1", Reply::json(200, &batch("failed", ""))),
    ]);
    let dir = marked(1);
    let run = dir
        .batchctl("workflow in.csv out.csv")
        .openai_at(&server.address())
        .env("OPENAI_API_KEY", "other-key-1234")
        .hurried()
        .run()
        .hides(&["other-key-1234"]);
    let warnings = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning"))
        .filter(|line| line.contains("paused_for_review"));
    assert_eq!(warnings.count(), 1, "{run}");
}

/// S2.24, S4.21: a service of the user's own, by its address alone.
#[test]
fn s4_21_a_service_of_ones_own_needs_only_an_address() {
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--any-model"]);
    let dir = marked(2);
    dir.config(&format!(
        "[providers.mine]\nkind = \"openai-compatible\"\nbase_url = \"{}/v1\"\n\
         api_key_env = \"MY_KEY\"\nmodel = \"my-model\"\n",
        sandbox.address()
    ));
    let line = dir.batchctl("workflow in.csv out.csv --provider mine").env("MY_KEY", KEY);
    at(&sandbox, line).run().exits(0).hides(&[KEY]);
    assert_eq!(dir.cells("out.csv").column("status"), ["ok", "ok"]);
    assert_eq!(sandbox.requests()[0]["body"]["model"], "my-model");
}
