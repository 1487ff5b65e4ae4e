//! From upload to result files, in both families.

use std::time::Duration;

use serde_json::json;

use super::calls::{Bench, bench, bench_with, content, ids, options};
use crate::sandbox::{Answers, Family, Rule, SandboxOptions, Script};

/// S2.24, B11: every state passes by, counts grow, every row comes back once, in another order.
#[tokio::test]
async fn a_batch_passes_through_its_states_in_both_families() {
    for family in Family::WITH_BATCHES {
        let (bench, _folder) = bench(family).await;
        let texts: Vec<String> = (0..20).map(|n| format!("text {n}")).collect();
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts[7] = "broken [[fail:400]]";
        let id = bench.submit(&texts).await;

        let batch = bench.batch(&id).await;
        assert_eq!(batch["status"], "validating");
        assert_eq!(batch["request_counts"]["total"], 0);
        bench.pass(500);
        let batch = bench.batch(&id).await;
        assert_eq!(batch["status"], "in_progress");
        assert_eq!(batch["request_counts"], json!({"total": 20, "completed": 10, "failed": 0}));
        bench.pass(450);
        assert_eq!(bench.batch(&id).await["status"], "finalizing");
        bench.pass(50);
        let batch = bench.until(&id, "completed").await;
        assert_eq!(batch["request_counts"], json!({"total": 20, "completed": 19, "failed": 1}));

        let output = bench.lines(&batch, "output_file_id").await;
        let mut came = ids(&output);
        let sorted_before = came.is_sorted();
        came.sort_unstable();
        came.dedup();
        assert_eq!((came.len(), sorted_before), (19, false), "each once, shuffled");
        for line in &output {
            let row: usize = line["custom_id"].as_str().unwrap()[4..].parse().unwrap();
            assert_eq!(content(line), format!("[sandbox] text {row}"));
        }
        let errors = bench.lines(&batch, "error_file_id").await;
        assert_eq!(ids(&errors), ["row-000007"]);
        assert_eq!(errors[0]["response"]["status_code"], 400);

        let executed = bench.ledger("executed").await;
        assert_eq!(executed.len(), 1);
        assert_eq!(executed[0]["rows"].as_array().unwrap().len(), 19, "failed rows are not billed");
        let created = bench.ledger("created").await;
        assert_eq!(created[0]["metadata"], json!({"k": "v"}));
        assert_eq!((created[0]["requests"].as_u64(), created.len()), (Some(20), 1));
    }
}

/// S4.06: Zhipu removes the input file after processing unless told not to.
#[tokio::test]
async fn zhipu_removes_the_input_file_by_default() {
    let (bench, _folder) = bench(Family::Zhipu).await;
    for (keep, status_after) in [(false, 404), (true, 200)] {
        let (_, file) = bench.upload(&bench.rows(&["a"])).await;
        let file = file["id"].as_str().unwrap();
        let mut body = bench.create_body(file);
        if keep {
            body["auto_delete_input_file"] = json!(false);
        }
        let (_, batch) = bench.post("/batches", &body).await;
        assert_eq!(bench.get(&format!("/files/{file}")).await.0, 200);
        bench.pass(1000);
        bench.until(batch["id"].as_str().unwrap(), "completed").await;
        assert_eq!(bench.get(&format!("/files/{file}")).await.0, status_after);
    }
}

#[tokio::test]
async fn a_cancel_keeps_and_bills_what_is_finished() {
    for (family, unrun) in [(Family::OpenAi, 5), (Family::Zhipu, 0)] {
        let (bench, _folder) = bench(family).await;
        let id = bench.submit(&["a"; 10]).await;
        bench.pass(500);
        let (status, batch) = bench.post(&format!("/batches/{id}/cancel"), &json!({})).await;
        assert_eq!((status, batch["status"].as_str()), (200, Some("cancelling")));
        bench.pass(100);
        let batch = bench.until(&id, "cancelled").await;
        assert!(batch["cancelled_at"].is_i64() && batch["cancelling_at"].is_i64());
        assert_eq!(bench.lines(&batch, "output_file_id").await.len(), 5);
        let errors = bench.lines(&batch, "error_file_id").await;
        assert_eq!(errors.len(), unrun);
        assert!(errors.iter().all(|line| line["error"]["code"] == "batch_cancelled"));
        let executed = bench.ledger("executed").await;
        assert_eq!(executed[0]["rows"].as_array().unwrap().len(), 5);

        let (status, _) = bench.post(&format!("/batches/{id}/cancel"), &json!({})).await;
        assert_eq!(status, if family == Family::OpenAi { 409 } else { 400 });
    }
}

#[tokio::test]
async fn a_batch_expires_with_part_of_it_done() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SandboxOptions { expire_after: Duration::from_millis(500), ..options(folder.path()) };
    let bench = Bench::start(options, Family::OpenAi).await;
    let id = bench.submit(&["a"; 10]).await;
    bench.pass(500);
    let batch = bench.until(&id, "expired").await;
    assert!(batch["expired_at"].is_i64());
    assert_eq!(bench.lines(&batch, "output_file_id").await.len(), 5);
    let errors = bench.lines(&batch, "error_file_id").await;
    assert_eq!(errors.len(), 5);
    assert!(errors.iter().all(|line| line["error"]["code"] == "batch_expired"));
}

#[tokio::test]
async fn all_rows_failing_leave_no_output_file_and_none_failing_no_error_file() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let bad = bench.submit(&["[[fail:500]]"]).await;
    let good = bench.submit(&["a"]).await;
    bench.pass(1000);
    let batch = bench.until(&bad, "completed").await;
    assert!(batch["output_file_id"].is_null() && batch["error_file_id"].is_string());
    let batch = bench.until(&good, "completed").await;
    assert!(batch["output_file_id"].is_string() && batch["error_file_id"].is_null());
}

/// The input file may go while a batch runs: it has its own link to it.
#[tokio::test]
async fn lists_have_pages_and_deleted_files_are_gone() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let mut batches = Vec::new();
    for _ in 0..5 {
        batches.push(bench.submit(&["a"]).await);
    }
    batches.reverse();
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let (_, page) = bench.get(&format!("/batches?limit=2{after}")).await;
        let data = page["data"].as_array().unwrap();
        assert_eq!(page["first_id"], data[0]["id"]);
        seen.extend(data.iter().map(|batch| batch["id"].as_str().unwrap().to_owned()));
        if page["has_more"] == false {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(seen, batches, "newest first");

    let (_, page) = bench.get("/files?purpose=batch&limit=3&order=asc").await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["has_more"]), (3, &json!(true)));
    let file = page["first_id"].as_str().unwrap();
    assert_eq!(bench.delete(&format!("/files/{file}")).await.0, 200);
    assert_eq!(bench.delete(&format!("/files/{file}")).await.0, 404);
    assert_eq!(bench.get(&format!("/files/{file}/content")).await.0, 404);
    let (_, page) = bench.get("/files?purpose=batch_output").await;
    assert_eq!(page["data"], json!([]));
    assert_eq!(bench.get("/batches?limit=0").await.0, 400);
    assert_eq!(bench.get("/files?after=x&limit=ten").await.0, 400);

    bench.pass(1000);
    for id in &batches {
        bench.until(id, "completed").await;
    }
}

#[tokio::test]
async fn realtime_calls_give_the_same_answers() {
    let (bench, _folder) = bench(Family::OpenAi).await;
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]});
    let (status, answer) = bench.post("/chat/completions", &body).await;
    assert_eq!(status, 200);
    assert_eq!(answer["choices"][0]["message"]["content"], "[sandbox] hello");
    assert_eq!(answer["model"], "sandbox-gpt-4o-mini");
    assert_eq!(answer["usage"]["prompt_tokens"], 8);
    let body = json!({"model": "text-embedding-3-small", "input": "hello", "dimensions": 4});
    let (_, answer) = bench.post("/embeddings", &body).await;
    assert_eq!(answer["data"][0]["embedding"].as_array().unwrap().len(), 4);
    let body = json!({"model": "gpt-5-mini", "input": "hello"});
    let (_, answer) = bench.post("/responses", &body).await;
    assert_eq!(answer["output"][0]["content"][0]["text"], "[sandbox] hello");
    assert_eq!(bench.ledger("realtime").await.len(), 3);
    let (status, _) = bench.get("/models").await;
    assert_eq!(status, 200);
    let (status, _) = bench.get("/nothing").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn servers_in_one_process_share_nothing() {
    let (one, _folder) = bench(Family::OpenAi).await;
    let (two, _folder) = bench(Family::OpenAi).await;
    let id = one.submit(&["a"]).await;
    assert_eq!(two.get(&format!("/batches/{id}")).await.0, 404);
    assert!(two.ledger("created").await.is_empty());
}

/// A rule may cut an answer short or refuse a row; rows that no rule names are answered as usual.
#[tokio::test]
async fn a_script_answers_by_its_rules() {
    let rule = |contains: &str| Rule { contains: contains.to_owned(), ..Rule::default() };
    let rule = vec![
        Rule { reply: Some("42".into()), finish_reason: Some("length".into()), ..rule("long") },
        Rule { status: Some(400), code: Some("content_filter".into()), ..rule("rude") },
    ];
    let (bench, _folder) = bench_with(Answers::Script(Script { rule })).await;
    let id = bench.submit(&["a long one", "a rude one", "another"]).await;
    bench.pass(1000);
    let batch = bench.until(&id, "completed").await;
    let mut output = bench.lines(&batch, "output_file_id").await;
    output.sort_by_key(|line| line["custom_id"].to_string());
    assert_eq!(content(&output[0]), "42");
    assert_eq!(output[0]["response"]["body"]["choices"][0]["finish_reason"], "length");
    assert_eq!(content(&output[1]), "[sandbox] another");
    let errors = bench.lines(&batch, "error_file_id").await;
    assert_eq!(errors[0]["response"]["body"]["error"]["code"], "content_filter");
}
