//! B16: a batch whose requests go to another server. Here that is a second sandbox.

use std::time::Duration;

use super::calls::{Bench, bench, content, options};
use crate::base::Secret;
use crate::sandbox::{Answers, Family, SandboxOptions, Upstream};

fn with_upstream(folder: &std::path::Path, url: &str) -> SandboxOptions {
    let key = Some(Secret::new("sandbox-upstream"));
    let answers = Answers::Upstream(Upstream::new(url, key).unwrap().with_concurrency(2));
    SandboxOptions { answers, ..options(folder) }
}

#[tokio::test]
async fn each_line_goes_to_the_other_server() {
    let (behind, _folder) = bench(Family::OpenAi).await;
    let folder = tempfile::tempdir().unwrap();
    let options = with_upstream(folder.path(), &behind.running.base_url(Family::OpenAi));
    let front = Bench::start(options, Family::OpenAi).await;
    let id = front.submit(&["a", "b [[fail:400]]", "c", "d"]).await;
    front.pass(100);
    let batch = front.until(&id, "completed").await;
    let output = front.lines(&batch, "output_file_id").await;
    assert_eq!(output.len(), 3);
    assert!(output.iter().all(|line| content(line).starts_with("[sandbox] ")));
    let errors = front.lines(&batch, "error_file_id").await;
    assert_eq!(errors[0]["response"]["status_code"], 400);
    assert_eq!(behind.ledger("realtime").await.len(), 3);
    let executed = front.ledger("executed").await;
    assert_eq!(executed[0]["rows"].as_array().unwrap().len(), 3);
}

/// What was answered before a kill is not asked again.
#[tokio::test]
async fn a_run_goes_on_where_it_was_killed() {
    let (behind, _folder) = bench(Family::OpenAi).await;
    let folder = tempfile::tempdir().unwrap();
    let options = with_upstream(folder.path(), &behind.running.base_url(Family::OpenAi));
    let first = Bench::start(options.clone(), Family::OpenAi).await;
    let texts = vec!["a"; 40];
    let id = first.submit(&texts).await;
    first.pass(100);
    while behind.ledger("realtime").await.len() < 5 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = Bench::start(options, Family::OpenAi).await;
    let batch = second.until(&id, "completed").await;
    assert_eq!(second.lines(&batch, "output_file_id").await.len(), 40);
    let asked = behind.ledger("realtime").await.len();
    assert!((40..=42).contains(&asked), "at most those in flight are asked twice: {asked}");
}

#[test]
fn a_key_goes_over_https_or_to_this_machine() {
    let key = || Some(Secret::new("upstream-key-for-tests"));
    assert!(Upstream::new("http://gpu.example/v1", key()).is_err());
    assert!(Upstream::new("http://gpu.example/v1", None).is_ok());
    assert!(Upstream::new("https://gpu.example/v1", key()).is_ok());
    assert!(Upstream::new("http://localhost:11434/v1", key()).is_ok());
    assert!(Upstream::new("ftp://localhost/v1", None).is_err());
}
