//! What the services refuse, and what a server on loopback must.

use reqwest::header::HOST;
use serde_json::json;

use super::calls::{Bench, bench, client, options};
use crate::sandbox::{Families, Family, Limits, SandboxOptions};

#[tokio::test]
async fn only_sandbox_keys_and_only_its_own_name() {
    for family in Family::WITH_BATCHES {
        let (bench, _folder) = bench(family).await;
        let client = client();
        for key in [None, Some("sk-real-key"), Some("")] {
            let mut request = client.get(bench.url("/files"));
            if let Some(key) = key {
                request = request.bearer_auth(key);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401);
            assert!(!response.text().await.unwrap().contains("sk-real"), "not repeated");
        }
        let large = "x".repeat(4 << 20);
        let content = reqwest::multipart::Part::text(large).file_name("input.jsonl");
        let form = reqwest::multipart::Form::new().part("file", content);
        let upload = client.post(bench.url("/files")).bearer_auth("sk-real").multipart(form);
        assert_eq!(upload.send().await.unwrap().status(), 401, "read to the end, then refused");

        let root = format!("http://{}/", bench.running.address());
        let port = bench.running.address().port();
        let hello = client.get(&root).send().await.unwrap().text().await.unwrap();
        assert!(hello.contains("batchctl-sandbox"));
        let table = [
            (format!("localhost:{port}"), 200),
            (format!("[::1]:{port}"), 200),
            ("127.0.0.1:1".to_owned(), 421),
            ("127.0.0.1".to_owned(), 421),
            (format!("evil.example:{port}"), 421),
            (format!("127.0.0.1.evil.example:{port}"), 421),
        ];
        for (host, expected) in table {
            let response = client.get(&root).header(HOST, &host).send().await.unwrap();
            assert_eq!(response.status(), expected, "{host}");
        }
        let ledger = client.get(format!("{root}sandbox/ledger")).send().await.unwrap();
        assert_eq!(ledger.status(), 401);
    }
}

#[tokio::test]
async fn a_bad_file_fails_the_batch_with_its_lines() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let row = bench.rows(&["a"]);
    let table = [
        (format!("{row}{row}"), "duplicate_custom_id", json!(2)),
        (format!("{row}{{oops\n"), "invalid_json_line", json!(2)),
        ("\n".to_owned(), "empty_file", json!(null)),
        (row.replace("/v1/chat/completions", "/v1/embeddings"), "url_mismatch", json!(1)),
        (row.replace("gpt-4o-mini", "glm-4-flash"), "model_not_found", json!(1)),
    ];
    for (content, code, line) in table {
        let (_, file) = bench.upload(&content).await;
        let body = bench.create_body(file["id"].as_str().unwrap());
        let (status, batch) = bench.post("/batches", &body).await;
        assert_eq!((status, batch["status"].as_str()), (200, Some("validating")));
        bench.pass(100);
        let batch = bench.batch(batch["id"].as_str().unwrap()).await;
        assert_eq!(batch["status"], "failed");
        assert!(batch["failed_at"].is_i64());
        let first = &batch["errors"]["data"][0];
        assert_eq!((first["code"].as_str(), &first["line"]), (Some(code), &line));
    }
    bench.pass(10_000);
    assert!(bench.ledger("executed").await.is_empty(), "nothing ran and nothing is billed");
}

#[tokio::test]
async fn zhipu_refuses_short_ids_and_foreign_models_at_upload() {
    let (bench, _folder) = bench(Family::Zhipu).await;
    let good = bench.rows(&["a"]);
    let table = [
        (good.replace("row-000000", "row-1"), "1214", "line 1"),
        (good.replace("glm-4-flash", "glm-5.3"), "1210", "glm-4-air-250414"),
    ];
    for (content, code, words) in table {
        let (status, answer) = bench.upload(&content).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some(code)));
        assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{answer}");
    }
    let (_, page) = bench.get("/files").await;
    assert_eq!(page["data"], json!([]), "a refused file is not kept");
}

#[tokio::test]
async fn limits_on_bytes_and_requests() {
    for (family, expected) in [(Family::OpenAi, 400), (Family::Zhipu, 435)] {
        let folder = tempfile::tempdir().unwrap();
        let limits = Some(Limits { max_requests: 2, max_bytes: 1000 });
        let options = SandboxOptions { limits, ..options(folder.path()) };
        let bench = Bench::start(options, family).await;
        let (status, _) = bench.upload(&bench.rows(&["a"; 20])).await;
        assert_eq!(status, expected);
        let id = bench.submit(&["a"; 3]).await;
        bench.pass(100);
        let batch = bench.batch(&id).await;
        assert_eq!(batch["errors"]["data"][0]["code"], "too_many_tasks");
    }
}

#[tokio::test]
async fn creates_that_are_refused_at_once() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let (_, file) = bench.upload(&bench.rows(&["a"])).await;
    let good = bench.create_body(file["id"].as_str().unwrap());
    let with = |key: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    let table = [
        (with("input_file_id", json!("file-none")), 404),
        (with("input_file_id", json!("../../etc/passwd")), 404),
        (with("endpoint", json!("/v4/chat/completions")), 400),
        (with("completion_window", json!("48h")), 400),
        (with("completion_window", json!(null)), 400),
        (with("metadata", json!({"k": 1})), 400),
        (with("metadata", json!({"k": "v".repeat(513)})), 400),
        (with("auto_delete_input_file", json!(false)), 400),
        (json!([]), 400),
    ];
    for (body, expected) in table {
        let (status, answer) = bench.post("/batches", &body).await;
        assert_eq!(status, expected, "{body}");
        assert!(answer["error"]["message"].is_string());
    }
    assert!(bench.ledger("created").await.is_empty());
    assert_eq!(bench.get("/batches/none").await.0, 404);
}

#[tokio::test]
async fn a_family_that_is_not_played_has_no_address() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SandboxOptions { families: Families::Only(Family::Zhipu), ..options(folder.path()) };
    let bench = Bench::start(options, Family::OpenAi).await;
    assert_eq!(bench.get("/files").await.0, 404);
}

/// Uploads are streamed: what bounds a JSON call does not bound them.
#[tokio::test]
async fn an_upload_may_be_larger_than_any_json_call() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let large = "x".repeat((64 << 20) + 1);
    let (status, file) = bench.upload(&large).await;
    assert_eq!((status, file["bytes"].as_u64()), (200, Some(large.len() as u64)));
    let client = client();
    let call = client.post(bench.url("/chat/completions")).bearer_auth("sandbox-test").body(large);
    assert_eq!(call.send().await.unwrap().status(), 413);
}
