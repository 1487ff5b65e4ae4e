//! Another server goes on where one was killed.

use std::fs;

use super::calls::{Bench, options};
use crate::sandbox::Family;

#[tokio::test]
async fn another_server_goes_on_with_the_same_state() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let first = Bench::start(options.clone(), Family::OpenAi).await;
    let running = first.submit(&["a", "b", "c"]).await;
    first.pass(500);
    let before = first.batch(&running).await;
    drop(first);

    let second = Bench::start(options, Family::OpenAi).await;
    assert_eq!(second.batch(&running).await, before);
    second.pass(500);
    let batch = second.until(&running, "completed").await;
    assert_eq!(second.lines(&batch, "output_file_id").await.len(), 3);
    assert_eq!(second.ledger("created").await.len(), 1);
    assert_eq!(second.ledger("executed").await.len(), 1);
}

/// A kill in the middle of settling: whatever is there already is written again in the same
/// words, and nothing is billed twice or forgotten.
#[tokio::test]
async fn a_kill_while_settling_bills_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let first = Bench::start(options.clone(), Family::OpenAi).await;
    let id = first.submit(&["a", "b [[fail:400]]", "c"]).await;
    first.pass(1000);
    let batch = first.until(&id, "completed").await;
    let output = first.lines(&batch, "output_file_id").await;
    drop(first);

    // As if the kill had come after the bill and before the last state.
    fs::remove_file(folder.path().join(format!("openai/batches/{id}/settled.json"))).unwrap();
    let second = Bench::start(options.clone(), Family::OpenAi).await;
    let again = second.until(&id, "completed").await;
    assert_eq!(again, batch);
    assert_eq!(second.lines(&again, "output_file_id").await, output);
    assert_eq!(second.ledger("executed").await.len(), 1);
    drop(second);

    // As if it had come before any bill.
    fs::remove_file(folder.path().join(format!("openai/batches/{id}/settled.json"))).unwrap();
    fs::write(folder.path().join("ledger.jsonl"), "{\"event\":\"crea").unwrap();
    let third = Bench::start(options, Family::OpenAi).await;
    third.until(&id, "completed").await;
    assert_eq!(third.ledger("created").await.len(), 1);
    assert_eq!(third.ledger("executed").await.len(), 1);
}

#[tokio::test]
async fn two_servers_may_share_one_state() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let one = Bench::start(options.clone(), Family::OpenAi).await;
    let two = Bench::start(options, Family::OpenAi).await;
    let mut batches = Vec::new();
    for _ in 0..10 {
        batches.push(one.submit(&["a", "b"]).await);
    }
    for id in &batches {
        assert_eq!(two.batch(id).await["status"], "validating");
    }
    one.pass(1000);
    for id in &batches {
        let batch = one.until(id, "completed").await;
        assert_eq!(two.until(id, "completed").await, batch);
    }
    assert_eq!(two.ledger("executed").await.len(), 10);
}
