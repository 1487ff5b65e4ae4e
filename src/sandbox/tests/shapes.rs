//! Our bodies against those of the services' documents, kept in `fixtures/sandbox/`: the same keys
//! and the same types.

use serde_json::{Value, json};

use super::calls::{Bench, bench};
use crate::sandbox::Family;

fn fixture(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sandbox");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Says where two values differ in keys or types.
fn difference(place: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = object.keys().cloned().collect();
                names.sort();
                names
            };
            if names(ours) != names(theirs) {
                return Some(format!("{place}: {:?} != {:?}", names(ours), names(theirs)));
            }
            ours.iter().find_map(|(key, value)| {
                difference(&format!("{place}.{key}"), value, &theirs[key.as_str()])
            })
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            difference(place, ours.first()?, theirs.first()?)
        }
        _ if std::mem::discriminant(ours) == std::mem::discriminant(theirs) => None,
        _ => Some(format!("{place}: {ours} is not of the type of {theirs}")),
    }
}

pub(super) fn same(name: &str, ours: &Value) {
    assert_eq!(difference(name, ours, &fixture(name)), None, "ours: {ours}");
}

async fn finished(bench: &Bench) -> Value {
    let id = bench.submit(&["a", "b [[fail:400]]"]).await;
    bench.pass(1000);
    bench.until(&id, "completed").await
}

#[tokio::test]
async fn openai_bodies_have_the_documented_shapes() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let (_, file) = bench.upload(&bench.rows(&["a", "a"]).replace("000001", "000000")).await;
    same("file", &file);
    same("list", &bench.get("/files").await.1);
    let body = bench.create_body(file["id"].as_str().unwrap());
    let (_, batch) = bench.post("/batches", &body).await;
    bench.pass(100);
    same("openai-batch-failed", &bench.batch(batch["id"].as_str().unwrap()).await);

    let batch = finished(&bench).await;
    same("openai-batch-completed", &batch);
    same("openai-output-line", &bench.lines(&batch, "output_file_id").await[0]);
    same("openai-error-line", &bench.lines(&batch, "error_file_id").await[0]);
    let id = bench.submit(&["a"]).await;
    bench.post(&format!("/batches/{id}/cancel"), &json!({})).await;
    bench.pass(100);
    let batch = bench.until(&id, "cancelled").await;
    same("openai-unrun-line", &bench.lines(&batch, "error_file_id").await[0]);

    let chat =
        |text: &str| json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]});
    let (status, limited) = bench.post("/chat/completions", &chat("[[fail:429]]")).await;
    assert_eq!(status, 429);
    same("openai-rate-limit", &limited);
    let refused = super::calls::client().get(bench.url("/files")).send().await.unwrap();
    same("openai-error", &refused.json().await.unwrap());
    let path = format!("/files/{}", file["id"].as_str().unwrap());
    same("file-deleted", &bench.delete(&path).await.1);
}

#[tokio::test]
async fn zhipu_bodies_have_the_documented_shapes() {
    let (bench, _folder) = bench(Family::Zhipu).await;
    let (_, refused) = bench.upload(&bench.rows(&["a"]).replace("row-000000", "r")).await;
    same("zhipu-error", &refused);
    let batch = finished(&bench).await;
    same("zhipu-batch-completed", &batch);
    let line = &bench.lines(&batch, "output_file_id").await[0];
    same("zhipu-output-line", line);
    assert_eq!(line["id"], batch["id"]);
    let inner = line["response"]["body"]["request_id"].as_str().unwrap();
    let (number, custom_id) = inner.split_once('-').unwrap();
    assert!(number.parse::<u32>().is_ok() && custom_id == "row-000000");
    same("zhipu-error-line", &bench.lines(&batch, "error_file_id").await[0]);
}
