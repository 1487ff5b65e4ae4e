//! Chats go the short way unless a rule is about them: S0, S3. Nobody can tell the ways apart.

use serde_json::{Value, json};

use super::calls::{Bench, options};
use crate::sandbox::{CallLimits, Family, Faults, SandboxOptions};

/// What a client and an observer see of a call, without what differs from call to call.
type Sight = (u16, Vec<(String, String)>, String);

async fn seen(family: Family, rules: &str) -> (Vec<Sight>, Vec<Value>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let calls = CallLimits { rpm: Some(5), ..CallLimits::default() };
    let faults = Faults::parse(rules).unwrap();
    let options = SandboxOptions { faults, calls, ..options(folder.path()) };
    let bench = Bench::start(options, family).await;
    let body = |more: Value| {
        let mut body = bench.chat_body("good day, 你好 😀 \"quoted\"");
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string()
    };
    let bodies = [
        (body(json!({})), "sandbox-test@anna"),
        (body(json!({"stream": true, "stream_options": {"include_usage": true}})), "sandbox-test"),
        (body(json!({"messages": [], "contents": []})), "sandbox-test"),
        (
            body(json!({"model": "claude-1", "response_format": {"type": "json_object"}})),
            "sandbox-test",
        ),
        ("[1]".to_owned(), "sandbox-test"),
        ("{\"model\"".to_owned(), "sandbox-test"),
        (body(json!({})), "sk-real"),
        (body(json!({})), "sandbox-test@anna"),
    ];
    let mut sights = Vec::new();
    for (body, key) in bodies.iter().chain(std::iter::repeat_n(&bodies[0], 5)) {
        let request = bench.client().post(bench.url(&bench.chat_path())).body(body.clone());
        let request = match family {
            Family::OpenAi | Family::Zhipu => request.bearer_auth(key),
            Family::Anthropic => {
                request.header("x-api-key", *key).header("anthropic-version", "2023-06-01")
            }
            Family::Gemini => request.header("x-goog-api-key", *key),
        };
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        let headers = reply.headers().iter().filter(|(name, _)| *name != "date");
        let text = |(name, value): (_, &reqwest::header::HeaderValue)| {
            (format!("{name:?}"), value.to_str().unwrap().to_owned())
        };
        let headers = headers.map(text).collect();
        sights.push((status, headers, reply.text().await.unwrap()));
    }
    let mut calls = bench.calls().await;
    for call in &mut calls {
        call["ms"] = Value::Null;
    }
    (sights, calls, bench.ledger("realtime").await)
}

#[tokio::test]
async fn the_short_way_and_the_long_way_are_one_to_the_client() {
    for family in Family::ALL {
        let short = seen(family, "").await;
        let long = seen(family, "realtime key=nobody-says-this: close").await;
        assert_eq!(short, long, "{family:?}");
        let (sights, calls, bill) = short;
        assert_eq!((sights.len(), calls.len()), (13, 12), "a wrong key is not seen: {family:?}");
        assert_eq!(sights.last().unwrap().0, 429, "{family:?}");
        let answered = sights.iter().filter(|sight| sight.0 == 200).count();
        assert_eq!(answered, bill.len(), "{family:?}");
        assert_eq!(calls[0]["account"], "anna");
    }
}
