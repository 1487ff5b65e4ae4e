//! Every fault of a batch's life and of its result files, seen over real HTTP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::calls::{Bench, content, options};
use super::faults_of_calls::bench_of;
use crate::sandbox::{EnqueuedTokens, Family, SandboxOptions};

#[tokio::test]
async fn batches_end_as_told_with_part_done() {
    let table = [
        ("batch: expire 30%", "expired", "batch_expired", 3),
        ("batch: expire 0%", "expired", "batch_expired", 0),
        ("batch: cancel 4", "cancelled", "batch_cancelled", 4),
        ("batch: cancel", "cancelled", "batch_cancelled", 5),
    ];
    for (rule, status, code, done) in table {
        let (bench, _folder) = bench_of(rule).await;
        let id = bench.submit(&["a"; 10]).await;
        assert_eq!(bench.batch(&id).await["status"], "validating", "{rule}");
        bench.pass(1000);
        let batch = bench.until(&id, status).await;
        assert_eq!(bench.lines(&batch, "output_file_id").await.len(), done, "{rule}");
        let unrun = bench.lines(&batch, "error_file_id").await;
        assert_eq!(unrun.len(), 10 - done, "{rule}");
        assert!(unrun.iter().all(|line| line["error"]["code"] == code));
        let billed = &bench.ledger("executed").await[0]["rows"];
        assert_eq!(billed.as_array().unwrap().len(), done, "{rule}");
        if status == "cancelled" {
            assert!(batch["cancelling_at"].is_i64() && batch["cancelled_at"].is_i64());
        }
    }
}

#[tokio::test]
async fn batches_fail_for_the_reason_given_and_cost_nothing() {
    let table = [
        ("fail token-limit", "token_limit_exceeded", json!([null])),
        ("fail token-limit 777", "token_limit_exceeded", json!([null])),
        ("fail credit", "billing_hard_limit_reached", json!([null])),
        ("fail lines=2,3 code=invalid_json_line", "invalid_json_line", json!([2, 3])),
        ("fail code=model_not_found text=\"no such model\"", "model_not_found", json!([null])),
    ];
    for (rule, code, lines) in table {
        let (bench, _folder) = bench_of(&format!("batch#1: {rule}")).await;
        let (bad, good) = (bench.submit(&["a"; 3]).await, bench.submit(&["a"; 3]).await);
        bench.pass(1000);
        let batch = bench.until(&bad, "failed").await;
        let data = batch["errors"]["data"].as_array().unwrap();
        let got: Vec<&Value> = data.iter().map(|problem| &problem["line"]).collect();
        assert_eq!(json!(got), lines, "{rule}");
        assert!(data.iter().all(|problem| problem["code"] == code), "{rule}: {data:?}");
        if rule.ends_with("777") {
            assert!(data[0]["message"].as_str().unwrap().contains("Limit: 777 enqueued"));
        }
        bench.until(&good, "completed").await;
        assert_eq!(bench.ledger("executed").await.len(), 1, "{rule}");
    }
}

/// Times follow the clock of the sandbox: `x` is the time that a batch takes.
#[tokio::test]
async fn lives_are_longer_where_a_rule_says_so() {
    let table: [(&str, &[(i64, &str)]); 6] = [
        ("batch: lasts 3x", &[(2600, "in_progress"), (400, "completed")]),
        ("batch: validating 2s", &[(2000, "validating"), (200, "in_progress"), (900, "completed")]),
        ("batch: finalizing 2x", &[(1000, "finalizing"), (1900, "finalizing"), (100, "completed")]),
        ("batch: status paused", &[(0, "paused"), (900, "paused"), (100, "completed")]),
        ("batch: status queued 1.5x", &[(1400, "queued"), (100, "completed")]),
        ("batch#2: lasts 9x", &[(1000, "completed")]),
    ];
    for (rule, steps) in table {
        let (bench, _folder) = bench_of(rule).await;
        let id = bench.submit(&["a"]).await;
        for (passes, status) in steps {
            bench.pass(*passes);
            bench.until(&id, status).await;
        }
    }
}

#[tokio::test]
async fn a_batch_is_listed_late_and_names_its_files_late() {
    let (bench, _folder) = bench_of("batch#1: listing-lag 5s; batch#1: nameless 4x").await;
    let (late, other) = (bench.submit(&["a"]).await, bench.submit(&["a"]).await);
    let listed = async |bench: &Bench| {
        let (_, page) = bench.get("/batches").await;
        let data = page["data"].as_array().unwrap().clone();
        data.iter().map(|batch| batch["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&bench).await, [other.as_str()]);
    bench.pass(1000);
    let batch = bench.until(&late, "completed").await;
    assert_eq!(batch["output_file_id"], Value::Null);
    assert_eq!(batch["request_counts"]["completed"], 1);
    assert_eq!(listed(&bench).await, [other.as_str()]);
    bench.pass(4000);
    assert!(bench.batch(&late).await["output_file_id"].is_string());
    assert_eq!(listed(&bench).await, [other.as_str(), late.as_str()]);
}

#[tokio::test]
async fn a_deleted_file_may_take_its_batch_along() {
    for (rule, status, billed) in [
        ("batch: dies-with-file", "failed", 0),
        ("batch: survives-deletion", "completed", 1),
        ("list#9: 500", "completed", 1),
    ] {
        let (bench, _folder) = bench_of(rule).await;
        let id = bench.submit(&["a"]).await;
        bench.pass(300);
        let file = bench.batch(&id).await["input_file_id"].as_str().unwrap().to_owned();
        assert_eq!(bench.delete(&format!("/files/{file}")).await.0, 200);
        bench.pass(700);
        let batch = bench.until(&id, status).await;
        if status == "failed" {
            assert_eq!(batch["errors"]["data"][0]["code"], "input_file_deleted");
            assert!(batch["failed_at"].is_i64());
        }
        assert_eq!(bench.ledger("executed").await.len(), billed, "{rule}");
    }
}

/// The lines of both files of a batch of six rows, and its body, under a rule.
async fn results_under(rule: &str) -> (Vec<u8>, Vec<u8>, Value, Vec<String>) {
    let (bench, _folder) = bench_of(rule).await;
    let id = bench.submit(&["t0", "t1", "t2", "t3", "t4", "t5"]).await;
    bench.pass(1000);
    let batch = bench.until(&id, "completed").await;
    let mut files = Vec::new();
    for name in ["output_file_id", "error_file_id"] {
        files.push(match batch[name].as_str() {
            Some(id) => bench.bytes(&format!("/files/{id}/content")).await,
            None => Vec::new(),
        });
    }
    let executed = bench.ledger("executed").await;
    let rows = executed[0]["rows"].as_array().unwrap();
    let billed = rows.iter().map(|row| row["custom_id"].as_str().unwrap().to_owned()).collect();
    let error = files.pop().unwrap();
    (files.pop().unwrap(), error, batch, billed)
}

fn lines(file: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(file);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn of_row(file: &[u8], row: usize) -> Vec<Value> {
    let id = format!("row-{row:06}");
    lines(file).into_iter().filter(|line| line["custom_id"] == id.as_str()).collect()
}

/// Rows: how often the first row stands in each file, whether it is billed, how many lines of the
/// output can be read.
#[tokio::test]
async fn rows_come_back_as_told() {
    let table = [
        ("missing", (0, 0), true, 5),
        ("duplicate", (2, 0), true, 7),
        ("conflict", (2, 0), true, 7),
        ("conflict-error", (1, 1), true, 6),
        ("fails", (0, 1), false, 5),
        ("fails 1 status=429", (0, 1), false, 5),
        ("refused-inside", (1, 0), false, 6),
        ("status-zero", (0, 1), false, 5),
        ("body-string", (1, 0), true, 6),
        ("input-only", (1, 0), true, 6),
        ("blocked", (1, 0), true, 6),
        ("truncated", (1, 0), true, 6),
        ("broken", (0, 0), true, 5),
        ("no-id", (0, 0), true, 6),
        ("empty-body", (1, 0), true, 6),
        ("empty-line", (0, 0), true, 5),
        ("foreign 3", (1, 0), true, 9),
        ("missing lines=1", (0, 0), true, 5),
    ];
    for (fault, (in_output, in_error), billed, readable) in table {
        let (output, error, _, bill) = results_under(&format!("result: {fault}")).await;
        let seen = (of_row(&output, 0).len(), of_row(&error, 0).len());
        assert_eq!(seen, (in_output, in_error), "{fault}");
        assert_eq!(bill.contains(&"row-000000".to_owned()), billed, "{fault}");
        assert_eq!(lines(&output).len(), readable, "{fault}");
        assert_eq!(of_row(&output, 5).len(), 1, "{fault}: other rows are as they were");
    }
    let (output, _, _, bill) = results_under("result: bad-utf8 2").await;
    assert!(std::str::from_utf8(&output).is_err());
    let bad = output.split(|byte| *byte == b'\n').filter(|line| std::str::from_utf8(line).is_err());
    assert_eq!((bad.count(), bill.len()), (2, 6));
}

#[tokio::test]
async fn bodies_of_rows_are_what_the_words_say() {
    let body = |line: &Value| line["response"]["body"].clone();
    let first = async |fault: &str| {
        let (output, error, _, _) = results_under(&format!("result: {fault}")).await;
        of_row(&output, 0).into_iter().chain(of_row(&error, 0)).collect::<Vec<_>>()
    };
    let twice = first("duplicate").await;
    assert_eq!(twice[0], twice[1]);
    let twice = first("conflict").await;
    assert_ne!(content(&twice[0]), content(&twice[1]));
    let line = &first("refused-inside").await[0];
    assert_eq!((&line["response"]["status_code"], &line["error"]), (&json!(400), &Value::Null));
    let line = &first("fails 1 status=429 code=slow text=\"\\e[31mred\"").await[0];
    assert_eq!(line["response"]["status_code"], 429);
    assert_eq!(body(line)["error"]["message"], "\u{1b}[31mred");
    assert_eq!(body(line)["error"]["code"], "slow");
    let line = &first("status-zero").await[0];
    assert_eq!((&line["response"]["status_code"], body(line)), (&json!(0), json!("")));
    let line = &first("body-string").await[0];
    let inner: Value = serde_json::from_str(body(line).as_str().unwrap()).unwrap();
    assert!(inner["choices"].is_array());
    assert_eq!(body(&first("input-only").await[0])["messages"][0]["content"], "t0");
    assert_eq!(body(&first("empty-body").await[0]), json!({}));
    let line = &first("blocked").await[0];
    assert_eq!(content(line), "");
    assert_eq!(body(line)["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(body(&first("truncated").await[0])["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn files_have_the_form_that_the_words_say() {
    let (output, _, _, _) = results_under("result: ordered").await;
    let ids: Vec<String> =
        lines(&output).iter().map(|line| line["custom_id"].to_string()).collect();
    assert!(ids.is_sorted() && ids.len() == 6);
    let (output, _, _, _) = results_under("result: bom; result: crlf; result: no-newline").await;
    assert!(output.starts_with("\u{feff}{".as_bytes()) && output.ends_with(b"}"));
    assert_eq!(output.windows(2).filter(|pair| pair == b"\r\n").count(), 5);
    let (_, error, batch, _) = results_under("result: empty-error-file").await;
    assert!(error.is_empty() && batch["error_file_id"].is_string());
    let (output, error, batch, billed) = results_under("result: fails all").await;
    assert!(output.is_empty() && batch["output_file_id"].is_null() && billed.is_empty());
    assert_eq!(lines(&error).len(), 6);
    assert_eq!(batch["request_counts"], json!({"total": 6, "completed": 0, "failed": 6}));
}

#[tokio::test]
async fn batches_name_their_files_and_counts_as_told() {
    let table = [
        ("output-id null", "output_file_id", Some(Value::Null)),
        ("output-id empty", "output_file_id", Some(json!(""))),
        ("output-id object", "output_file_id", Some(json!({}))),
        ("output-id absent", "output_file_id", None),
        ("output-id unknown", "output_file_id", Some(json!("file-of-nobody"))),
        ("error-id object", "error_file_id", Some(json!({}))),
        ("counts null", "request_counts", Some(Value::Null)),
        ("counts absent", "request_counts", None),
        ("counts zero", "request_counts", Some(json!({"total": 0, "completed": 0, "failed": 0}))),
        ("counts flat", "completed", Some(json!(6))),
    ];
    for (fault, name, expected) in table {
        let (_, _, batch, billed) = results_under(&format!("result: {fault}")).await;
        assert_eq!(batch.get(name), expected.as_ref(), "{fault}");
        assert_eq!(billed.len(), 6, "{fault}");
    }
    let (_, _, batch, _) = results_under("result: fails 2; result: counts wrong").await;
    assert_eq!(batch["request_counts"], json!({"total": 6, "completed": 6, "failed": 0}));
}

/// Field 5, 6, 7: a full queue refuses, at once or later, and every end gives its tokens back.
#[tokio::test]
async fn a_full_queue_refuses_until_batches_end() {
    for at_create in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        // A row of one letter has eight tokens.
        let enqueued_tokens = Some(EnqueuedTokens { limit: 1000, at_create });
        let options = SandboxOptions { enqueued_tokens, ..options(folder.path()) };
        let bench = Bench::start(options.clone(), Family::OpenAi).await;
        let first = bench.submit(&["a"; 80]).await;
        let (_, file) = bench.upload(&bench.rows(&["a"; 80])).await;
        let body = bench.create_body(file["id"].as_str().unwrap());
        let refused = async |bench: &Bench| {
            let (status, answer) = bench.post("/batches", &body).await;
            if at_create {
                assert_eq!(
                    (status, &answer["error"]["code"]),
                    (429, &json!("token_limit_exceeded"))
                );
                return answer["error"]["message"].as_str().unwrap().to_owned();
            }
            assert_eq!(status, 200);
            bench.pass(100);
            let batch = bench.until(answer["id"].as_str().unwrap(), "failed").await;
            assert_eq!(batch["errors"]["data"][0]["code"], "token_limit_exceeded");
            batch["errors"]["data"][0]["message"].as_str().unwrap().to_owned()
        };
        let text = refused(&bench).await;
        assert!(
            text.contains("for gpt-4o-mini") && text.contains("Limit: 1,000 enqueued"),
            "{text}"
        );
        bench.post(&format!("/batches/{first}/cancel"), &json!({})).await;
        bench.pass(100);
        bench.until(&first, "cancelled").await;
        let (status, second) = bench.post("/batches", &body).await;
        assert_eq!(status, 200, "a cancel gives back");
        let second = second["id"].as_str().unwrap().to_owned();
        bench.pass(200);
        bench.until(&second, "in_progress").await;
        drop(bench);

        let bench = Bench::start(options, Family::OpenAi).await;
        refused(&bench).await;
        bench.pass(1000);
        bench.until(&second, "completed").await;
        assert_eq!(bench.post("/batches", &body).await.0, 200, "an end gives back");
    }
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let (bench, _folder) = bench_of("list account=anna: 503").await;
    let id = bench.submit(&["a"]).await;
    bench.pass(1000);
    let batch = bench.until(&id, "completed").await;
    let name = |key: &str| batch[key].as_str().unwrap().to_owned();
    let (input, output) = (name("input_file_id"), name("output_file_id"));
    let paths = [
        format!("/batches/{id}"),
        format!("/files/{input}"),
        format!("/files/{output}"),
        format!("/files/{output}/content"),
    ];
    let mut seen = BTreeMap::new();
    for key in ["sandbox-other", "sandbox-test@anna", "sandbox-x@bob"] {
        for path in &paths {
            seen.entry(key).or_insert_with(Vec::new).push(bench.status_as(key, path).await);
        }
        let create = bench.client().post(bench.url("/batches")).bearer_auth(key);
        let create = create.json(&bench.create_body(&input)).send().await.unwrap();
        let delete = bench.client().delete(bench.url(&paths[2])).bearer_auth(key);
        let expected = if key == "sandbox-other" { 200 } else { 404 };
        assert_eq!(create.status().as_u16(), expected, "{key}");
        if expected == 404 {
            assert_eq!(delete.send().await.unwrap().status().as_u16(), 404, "{key}");
        }
    }
    assert_eq!(seen["sandbox-other"], [200; 4], "keys of one account are rotated");
    assert_eq!(seen["sandbox-test@anna"], [404; 4]);
    assert_eq!(seen["sandbox-x@bob"], [404; 4]);
    assert_eq!(bench.status_as("sandbox-y@anna", "/batches").await, 503);
    for path in ["/batches", "/files"] {
        let list = bench.client().get(bench.url(path)).bearer_auth("sandbox-x@bob");
        let page: Value = list.send().await.unwrap().json().await.unwrap();
        assert_eq!(page["data"], json!([]), "{path}");
    }
    assert_eq!(bench.ledger("created").await[0]["account"], "");
}
