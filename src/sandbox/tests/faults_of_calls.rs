//! Every fault of a call, seen over real HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use super::calls::{Bench, bench, options};
use crate::sandbox::{Family, Faults, SandboxOptions};

/// What a client saw of a call.
#[derive(Debug, PartialEq)]
enum Saw {
    /// A status and a whole body.
    Reply(u16, String),
    /// A head, and then no whole body.
    Torn(u16),
    /// Not even a head.
    Nothing,
}

/// Whether it is what was to be seen.
type Check = Box<dyn Fn(&Saw) -> bool>;

async fn saw(request: reqwest::RequestBuilder) -> Saw {
    let request = request.bearer_auth("sandbox-test").timeout(Duration::from_secs(2));
    let Ok(response) = request.send().await else { return Saw::Nothing };
    let status = response.status().as_u16();
    response.text().await.map_or(Saw::Torn(status), |text| Saw::Reply(status, text))
}

pub(super) async fn bench_of(rules: &str) -> (Bench, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::parse(rules).unwrap();
    let options = SandboxOptions { faults, ..options(folder.path()) };
    (Bench::start(options, Family::OpenAi).await, folder)
}

/// A create of a fresh file under a rule: what the client saw, and how many batches there are.
async fn create_under(rule: &str) -> (Saw, usize) {
    let (bench, _folder) = bench_of(rule).await;
    let (_, file) = bench.upload(&bench.rows(&["a"])).await;
    let body = bench.create_body(file["id"].as_str().unwrap());
    let seen = saw(bench.client().post(bench.url("/batches")).json(&body)).await;
    (seen, bench.ledger("created").await.len())
}

/// What is done, and what is seen of it: the difference on which double billing turns.
#[tokio::test]
async fn creates_that_are_done_or_not_and_what_is_seen_of_them() {
    let nothing = |saw: &Saw| *saw == Saw::Nothing;
    let torn = |saw: &Saw| *saw == Saw::Torn(200);
    let status =
        |wanted: u16| move |saw: &Saw| matches!(saw, Saw::Reply(status, _) if *status == wanted);
    let table: Vec<(&str, Check, usize)> = vec![
        ("create: before-commit", Box::new(status(500)), 0),
        ("create: before-commit 503", Box::new(status(503)), 0),
        ("create: before-commit close", Box::new(nothing), 0),
        ("create: close", Box::new(nothing), 0),
        ("create: reset", Box::new(nothing), 0),
        ("create: hang 50ms", Box::new(nothing), 0),
        ("create: after-commit", Box::new(nothing), 1),
        ("create: after-commit reset", Box::new(nothing), 1),
        ("create: after-commit 503", Box::new(status(503)), 1),
        ("create: after-commit 502 html", Box::new(status(502)), 1),
        ("create: after-commit hang 50ms", Box::new(nothing), 1),
        ("create: cut", Box::new(torn), 1),
        ("create: cut 0", Box::new(torn), 1),
        ("create: cut 30% chunked", Box::new(torn), 1),
        ("create: cut 30% no-length", Box::new(status(200)), 1),
        ("create: stall 50% 50ms", Box::new(torn), 1),
        ("create: 401", Box::new(status(401)), 0),
        ("create: token-limit", Box::new(status(429)), 0),
        ("create: late 1h", Box::new(nothing), 0),
        ("create: late 1h 504", Box::new(status(504)), 0),
        ("create#2: close", Box::new(status(200)), 1),
        ("list: close", Box::new(status(200)), 1),
        ("any: 500 body=gone", Box::new(status(500)), 0),
    ];
    for (rule, check, created) in table {
        let rule = rule.replace("any:", "any#2:");
        let (seen, batches) = create_under(&rule).await;
        assert!(check(&seen), "{rule}: {seen:?}");
        assert_eq!(batches, created, "{rule}");
    }
}

/// A call that is done late is done as if it came then.
#[tokio::test]
async fn late_and_slow_creates_follow_the_clock_and_find_no_deleted_file() {
    for (rule, deletes, created) in [
        ("create: late 5s", false, 1),
        ("create: late 5x", false, 1),
        ("create: late 5s", true, 0),
        ("create: late 5s; batch: survives-deletion", true, 1),
    ] {
        let (bench, _folder) = bench_of(rule).await;
        let (_, file) = bench.upload(&bench.rows(&["a"])).await;
        let file = file["id"].as_str().unwrap();
        let body = bench.create_body(file);
        assert_eq!(saw(bench.client().post(bench.url("/batches")).json(&body)).await, Saw::Nothing);
        if deletes {
            assert_eq!(bench.delete(&format!("/files/{file}")).await.0, 200);
        }
        bench.pass(4900);
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(bench.ledger("created").await.len(), 0, "{rule}");
        bench.pass(200);
        for _ in 0..200 {
            if bench.ledger("created").await.len() == created && created > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let batches = bench.ledger("created").await;
        assert_eq!(batches.len(), created, "{rule}, deleted: {deletes}");
        if let Some(batch) = batches.first() {
            let id = batch["batch"].as_str().unwrap();
            bench.pass(1000);
            bench.until(id, "completed").await;
        }
    }

    let (bench, _folder) = bench_of("create: slow 1s").await;
    let (_, file) = bench.upload(&bench.rows(&["a"])).await;
    let body = bench.create_body(file["id"].as_str().unwrap());
    let call = tokio::spawn(saw(bench.client().post(bench.url("/batches")).json(&body)));
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(bench.ledger("created").await.is_empty() && !call.is_finished());
    bench.pass(1000);
    assert!(matches!(call.await.unwrap(), Saw::Reply(200, _)));
}

/// Words, codes, bodies and headers of made-up replies, in both families.
#[tokio::test]
async fn replies_say_what_the_rule_says() {
    let table = [
        ("500", 500, r#""type":"server_error""#),
        ("403", 403, "told to answer with 403"),
        ("token-limit", 429, "Limit: 90000 enqueued tokens"),
        ("token-limit 2000000", 429, "Limit: 2000000 enqueued tokens"),
        ("rate-limit", 429, r#""code":"rate_limit_exceeded""#),
        ("credit", 429, r#""code":"insufficient_quota""#),
        ("storage-quota", 400, "file storage quota"),
        ("200 code=1302 text=\"slow down\"", 200, r#"{"error":{"message":"slow down""#),
        ("200 body=\"[1]\"", 200, "[1]"),
        ("502 html", 502, "<html>"),
        ("500 escapes", 500, r"\u001b[31mred"),
        ("404 text=\"a; b: c\"", 404, "a; b: c"),
    ];
    for (answer, status, text) in table {
        let (bench, _folder) = bench_of(&format!("list: {answer}")).await;
        let Saw::Reply(got, body) = saw(bench.client().get(bench.url("/batches"))).await else {
            panic!("{answer}")
        };
        assert_eq!(got, status, "{answer}");
        assert!(body.contains(text), "{answer}: {body}");
    }
    let (bench, _folder) = bench_of("list: 200 empty").await;
    let seen = saw(bench.client().get(bench.url("/batches"))).await;
    assert_eq!(seen, Saw::Reply(200, String::new()));

    let headers = [
        ("429 retry-after=7", "retry-after", "7"),
        ("429 retry-after=1.2s", "retry-after", "2"),
        ("429 retry-date=60s", "retry-after", "Wed, 14 Oct 2026 17:47:40 GMT"),
        ("rate-limit retry-after=3x", "retry-after", "3"),
        ("307 location=http://elsewhere.example/x", "location", "http://elsewhere.example/x"),
        ("502 html", "content-type", "text/html; charset=utf-8"),
    ];
    for (answer, name, value) in headers {
        let (bench, _folder) = bench_of(&format!("list: {answer}")).await;
        let request = bench.client().get(bench.url("/batches")).bearer_auth("sandbox-test");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()[name], value, "{answer}");
    }
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::parse("list: 200 code=1302 text=\"x\"").unwrap();
    let options = SandboxOptions { faults, ..options(folder.path()) };
    let bench = Bench::start(options, Family::Zhipu).await;
    let (status, body) = bench.get("/batches").await;
    assert_eq!((status, body), (200, json!({"error": {"code": "1302", "message": "x"}})));
}

/// The answer is whole, and the connection is then reset although the client still sends.
#[tokio::test]
async fn a_reset_follows_an_error_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (bench, _folder) = bench_of("upload: 413 reset").await;
    let mut stream = tokio::net::TcpStream::connect(bench.running.address()).await.unwrap();
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sandbox-x\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n",
        bench.running.address()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut seen, mut piece) = (Vec::new(), [0; 512]);
    let error = loop {
        match stream.read(&mut piece).await {
            Ok(0) => panic!("closed, not reset"),
            Ok(read) => seen.extend_from_slice(&piece[..read]),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(String::from_utf8_lossy(&seen).starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_fresh_file_is_not_found_for_a_while() {
    let (bench, _folder) = bench_of("upload#1: not-ready 5s").await;
    let (_, file) = bench.upload(&bench.rows(&["a"])).await;
    let body = bench.create_body(file["id"].as_str().unwrap());
    for (passes, status) in [(0, 404), (4999, 404), (1, 200)] {
        bench.pass(passes);
        assert_eq!(bench.post("/batches", &body).await.0, status, "{passes}");
    }
    bench.submit(&["b"]).await;
}

#[tokio::test]
async fn a_fresh_file_is_listed_late() {
    let (bench, _folder) = bench_of("upload#1: listing-lag 5s").await;
    bench.submit(&["a"]).await;
    for (passes, listed) in [(4999, 0), (1, 1)] {
        bench.pass(passes);
        let (_, page) = bench.get("/files?purpose=batch").await;
        assert_eq!(page["data"].as_array().unwrap().len(), listed);
    }
}

#[tokio::test]
async fn values_are_set_in_replies_and_in_lists() {
    let rules = "retrieve: set output_file_id={}; list: set request_counts=null";
    let (bench, _folder) = bench_of(rules).await;
    let id = bench.submit(&["a"]).await;
    assert_eq!(bench.batch(&id).await["output_file_id"], json!({}));
    let (_, page) = bench.get("/batches").await;
    assert_eq!(page["data"][0]["id"].as_str(), Some(id.as_str()));
    assert_eq!(page["data"][0]["request_counts"], Value::Null);
}

/// B05: downloads that end too soon, with and without a sign of it.
#[tokio::test]
async fn downloads_are_cut_in_three_ways() {
    for (fault, expected) in [
        ("cut 40%", None),
        ("cut 40% chunked", None),
        ("cut 40% no-length", Some(0.4)),
        ("stall 40% 50ms", None),
        ("slow 0s", Some(1.0)),
    ] {
        let (bench, _folder) = bench_of(&format!("download#1: {fault}")).await;
        let id = bench.submit(&["a", "b", "c"]).await;
        bench.pass(1000);
        let batch = bench.until(&id, "completed").await;
        let file = batch["output_file_id"].as_str().unwrap();
        let url = bench.url(&format!("/files/{file}/content"));
        let first = saw(bench.client().get(&url)).await;
        let Saw::Reply(200, whole) = saw(bench.client().get(&url)).await else { panic!("{fault}") };
        match (first, expected) {
            (Saw::Torn(200), None) => {}
            #[expect(clippy::cast_precision_loss, reason = "a small file")]
            (Saw::Reply(200, text), Some(share)) => {
                assert!(whole.starts_with(&text), "{fault}");
                let got = text.len() as f64 / whole.len() as f64;
                assert!((got - share).abs() < 0.01, "{fault}: {got}");
            }
            (seen, _) => panic!("{fault}: {seen:?}"),
        }
    }
}

/// Rules for one shard find it by its file name, its create key and its result files.
#[tokio::test]
async fn a_key_finds_all_calls_about_its_shard() {
    let rules = "upload key=s0002: slow 0s; create key=s0002: slow 0s; \
                 retrieve key=s0002: slow 0s; cancel key=s0002: slow 0s; \
                 download key=s0002: slow 0s; delete key=s0002: slow 0s; file key=s0002: slow 0s; \
                 batch key=s0002: validating 0s";
    let (bench, _folder) = bench_of(rules).await;
    for shard in ["s0001", "s0002"] {
        let rows = bench.rows(&["a"]);
        let (_, file) = bench.upload_as(&rows, &format!("bc1-x-r1-{shard}-c1.jsonl")).await;
        let file = file["id"].as_str().unwrap();
        let mut body = bench.create_body(file);
        body["metadata"] = json!({"batchctl": format!("bc1-x-r1-{shard}-c1")});
        let (_, batch) = bench.post("/batches", &body).await;
        let id = batch["id"].as_str().unwrap();
        bench.pass(1000);
        let batch = bench.until(id, "completed").await;
        bench.lines(&batch, "output_file_id").await;
        bench.post(&format!("/batches/{id}/cancel"), &json!({})).await;
        assert_eq!(bench.get(&format!("/files/{file}")).await.0, 200);
        assert_eq!(bench.delete(&format!("/files/{file}")).await.0, 200);
    }
    let (_, rules) = bench.faults(reqwest::Method::GET, "").await;
    for rule in rules["data"].as_array().unwrap() {
        let expected = u64::from(!rule["rule"].as_str().unwrap().starts_with("retrieve"));
        let fired = rule["fired"].as_u64().unwrap();
        assert!(fired == expected || (expected == 0 && fired > 0), "{rule}");
    }
}

#[tokio::test]
async fn rules_come_and_go_while_the_server_runs() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let (status, rules) = bench.faults(reqwest::Method::POST, "list#2: 500\ncreate: 503").await;
    assert_eq!((status, rules["data"].as_array().unwrap().len()), (200, 2));
    let statuses = [bench.get("/batches").await.0, bench.get("/batches").await.0];
    assert_eq!(statuses, [200, 500]);
    let (_, rules) = bench.faults(reqwest::Method::GET, "").await;
    assert_eq!(rules["data"][0], json!({"rule": "list#2: 500", "seen": 2, "fired": 1}));
    let (status, error) = bench.faults(reqwest::Method::POST, "lst: 500").await;
    let text = error["error"]["message"].as_str().unwrap();
    assert!(status == 400 && text.contains("did you mean `list`?"), "{error}");
    let (_, rules) = bench.faults(reqwest::Method::DELETE, "").await;
    assert_eq!(rules["data"], json!([]));
    assert_eq!(bench.get("/batches").await.0, 200);

    for method in [reqwest::Method::GET, reqwest::Method::POST, reqwest::Method::DELETE] {
        let url = format!("http://{}/sandbox/faults", bench.running.address());
        let refused = bench.client().request(method, url).bearer_auth("sk-real").send().await;
        assert_eq!(refused.unwrap().status(), 401);
    }
}
