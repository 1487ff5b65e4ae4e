//! What the sandbox tells of the calls that answer at once.

use std::time::Duration;

use serde_json::{Value, json};

use super::calls::{Bench, options};
use crate::sandbox::{Family, Faults, SandboxOptions};

async fn bench(rules: &str, latency: u64) -> (Bench, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (faults, latency) = (Faults::parse(rules).unwrap(), Duration::from_millis(latency));
    let options = SandboxOptions { faults, latency, ..options(folder.path()) };
    (Bench::start(options, Family::OpenAi).await, folder)
}

/// Calls that the client gives up after a moment.
async fn give_up(bench: &Bench, text: &str, millis: u64) {
    let request = bench.client().post(bench.url("/chat/completions")).json(&bench.chat_body(text));
    let given_up = bench.with_key(request).timeout(Duration::from_millis(millis)).send().await;
    assert!(given_up.is_err_and(|error| error.is_timeout()), "{text}");
}

async fn ends(bench: &Bench) -> Vec<(String, Value)> {
    let mut calls = bench.calls().await;
    for _ in 0..500 {
        if calls.iter().all(|call| call["end"] != "open") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        calls = bench.calls().await;
    }
    let end = |call: &Value| (call["end"].as_str().unwrap().to_owned(), call["status"].clone());
    calls.iter().map(end).collect()
}

/// S3: a call that its client gives up is seen to be closed, whatever keeps it from its answer.
#[tokio::test]
async fn closed_connections_are_seen() {
    for (rules, latency) in [
        ("", 60_000),
        ("realtime: hang", 0),
        ("realtime: slow 1h", 0),
        ("realtime: late 1h hang", 0),
        ("realtime: stall 10% 1h", 0),
    ] {
        let (bench, _folder) = bench(rules, latency).await;
        if rules.contains("stall") {
            let request = bench.client().post(bench.url("/chat/completions"));
            let request = bench.with_key(request).json(&bench.chat_body("a"));
            let _ = request.timeout(Duration::from_secs(3)).send().await.unwrap().text().await;
            assert_eq!(ends(&bench).await, [("broken".to_owned(), Value::Null)]);
            continue;
        }
        give_up(&bench, "a", 700).await;
        assert_eq!(ends(&bench).await, [("closed".to_owned(), Value::Null)], "{rules}");
        let billed = bench.ledger("realtime").await.len();
        assert_eq!(billed, usize::from(latency > 0), "{rules}");
    }
}

#[tokio::test]
async fn each_call_is_told_with_its_end_and_its_fault() {
    let rules = "realtime#2: 429; realtime#3: close; realtime#4: cut; realtime#5: 200 code=1302; \
                 realtime#6: slow 0s";
    let (bench, _folder) = bench(rules, 0).await;
    for text in ["a", "a", "b", "b", "b", "b", "a"] {
        let request = bench.client().post(bench.url("/chat/completions"));
        let request = bench.with_key(request).json(&bench.chat_body(text));
        if let Ok(response) = request.send().await {
            let _ = response.text().await;
        }
    }
    let expected = [
        ("answered", json!(200)),
        ("answered", json!(429)),
        ("broken", Value::Null),
        ("broken", Value::Null),
        ("answered", json!(200)),
        ("answered", json!(200)),
        ("answered", json!(200)),
    ];
    let expected: Vec<_> =
        expected.into_iter().map(|(end, status)| (end.to_owned(), status)).collect();
    assert_eq!(ends(&bench).await, expected);
    let calls = bench.calls().await;
    assert_eq!(calls[1]["fault"], "realtime#2: 429");
    assert_eq!(
        (&calls[0]["model"], &calls[0]["family"]),
        (&json!("gpt-4o-mini"), &json!("openai"))
    );
    assert_eq!(calls[0]["digest"], calls[6]["digest"]);
    assert_ne!(calls[0]["digest"], calls[2]["digest"]);
    let summary = bench.summary().await;
    let expected = json!({
        "calls": 7, "open": 0, "answered": 5, "closed": 0, "broken": 2, "most_at_once": 1,
        "bodies_answered": 2, "answered_again": 1, "by_status": {"200": 4, "429": 1},
    });
    assert_eq!(summary, expected);
}
