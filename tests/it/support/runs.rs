//! What the tests of whole runs have in common: a table whose rows can be told apart, the line
//! against a sandbox, the job that came of it.

use std::fs;
use std::path::PathBuf;

use super::sandbox::Sandbox;
use super::workdir::{Run, WorkDir};

/// The columns that every run adds.
const ADDED: [&str; 4] = ["response", "status", "error", "model"];

/// A folder with `in.csv` of this many rows, each with a text of its own.
pub(crate) fn marked(rows: usize) -> WorkDir {
    let dir = WorkDir::new();
    let mut text = String::from("id,text\n");
    for row in 0..rows {
        text += &format!("{},marker {row}x\n", row + 1);
    }
    dir.write("in.csv", text);
    dir
}

/// The run against this sandbox, as `OpenAI`, with short waits.
pub(crate) fn at(sandbox: &Sandbox, run: Run) -> Run {
    run.openai_at(sandbox.address()).hurried()
}

/// Every answer repeats its row's marker, so that a shifted row shows.
#[track_caller]
pub(crate) fn answers_are_on_their_rows(dir: &WorkDir, name: &str, rows: usize) {
    let cells = dir.cells(name);
    assert_eq!(cells.len(), rows);
    assert_eq!(cells.header()[2..], ADDED);
    let texts = cells.column("text");
    for (text, answer) in texts.iter().zip(cells.column("response")) {
        assert_eq!(answer, format!("[sandbox] {text}"));
    }
    assert!(cells.column("status").iter().all(|status| *status == "ok"));
}

/// The short id of the newest job.
#[track_caller]
pub(crate) fn job_of(dir: &WorkDir) -> String {
    let status = dir.batchctl("status --json").run().exits(0).json();
    status["jobs"][0]["job"].as_str().expect("a job").to_owned()
}

/// The folder of a job's files in the home.
#[track_caller]
pub(crate) fn job_folder(dir: &WorkDir, job: &str) -> PathBuf {
    fs::read_dir(dir.home().join("jobs"))
        .expect("jobs have a folder")
        .map(|entry| entry.expect("it can be listed").path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(job)))
        .expect("the job has its own")
}

/// Copies the result file of a job of one shard into the working folder.
#[track_caller]
pub(crate) fn results_of(dir: &WorkDir, job: &str, name: &str) {
    let from = job_folder(dir, job).join("results/r1-s0001-output.jsonl");
    dir.write(name, fs::read(from).expect("the results of its one shard"));
}
