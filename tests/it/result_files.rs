//! S1.12: `--output-dir`, and what a later line may still say about the table of a job.

use std::fs;

use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

fn job(sandbox: &Sandbox) -> WorkDir {
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["id", "text"], &["1", "good"], &["2", "bad"]]);
    dir.batchctl("workflow in.csv out.csv --check-interval 0.2 --output-dir deep/results")
        .openai_at(sandbox.address())
        .run()
        .exits(0);
    dir
}

fn names(dir: &WorkDir, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(dir.path(folder)).expect("the folder was made");
    entries.map(|e| e.expect("it can be listed").file_name().to_string_lossy().into()).collect()
}

/// S1.12: the folder is made if it is missing, and `merge` takes what lies in it.
#[test]
fn result_files_are_copied_and_can_be_merged() {
    let sandbox = Sandbox::start();
    let dir = job(&sandbox);
    let copies = names(&dir, "deep/results");
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(copies[0].starts_with("batch_results_batch_"), "{copies:?}");
    dir.batchctl("merge deep/results/*.jsonl --original-csv in.csv -o merged.csv").run().exits(0);
    assert_eq!(dir.read("merged.csv"), dir.read("out.csv"));
}

/// S1.12: a job that is over gives its files and its table to a line that asks for them later.
#[test]
fn download_copies_the_files_of_a_job_that_is_over() {
    let sandbox = Sandbox::start();
    let dir = job(&sandbox);
    dir.batchctl("download last --output-dir later -o again.csv --row-index")
        .openai_at(sandbox.address())
        .run()
        .exits(0);
    assert_eq!(names(&dir, "later"), names(&dir, "deep/results"));
    let again = dir.read("again.csv");
    assert!(again.starts_with("row_index,id,text,response,"), "{again}");
    // It held for that line alone.
    dir.batchctl("download last").openai_at(sandbox.address()).run().exits(0);
    assert!(dir.read("out.csv").starts_with("id,text,response,"));
}

/// A folder that cannot be made is known before anything is paid.
#[test]
fn an_impossible_folder_is_refused_before_anything_is_sent() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.table("in.csv", &[&["id", "text"], &["1", "good"]]);
    dir.write("file", "not a folder");
    dir.batchctl("workflow in.csv out.csv --output-dir file/results")
        .openai_at(sandbox.address())
        .run()
        .exits(2)
        .says(&["cannot make the folder"]);
    dir.batchctl("status --json").run().exits(0);
    assert!(!dir.path("out.csv").exists());
}
