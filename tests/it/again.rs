//! The same line again is always safe: one test for each state in which it may find the job that
//! it made before. What counts is how many batches the sandbox was asked to create.

use std::fs;

use crate::support::runs::{answers_are_on_their_rows, at, job_folder, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::server::{Reply, Server};

const LINE: &str = "workflow in.csv out.csv";

/// Nothing was accepted yet: the key was refused. With the right one the same job goes on.
#[test]
fn s1_23_again_after_a_refused_key_goes_on() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    let line = at(&sandbox, dir.batchctl(LINE));
    line.env("OPENAI_API_KEY", "sk-other").run().exits(4).hides(&["sk-other"]);
    let job = job_of(&dir);
    assert_eq!(sandbox.created(), 0);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0).says(&[&job]);
    answers_are_on_their_rows(&dir, "out.csv", 3);
    assert_eq!((sandbox.created(), job_of(&dir)), (1, job));
}

/// Another process drives it: exit 8, and the line that follows it.
#[test]
fn again_while_another_process_drives_it_is_refused() {
    let sandbox = Sandbox::with(&["--batch-seconds", "2"]);
    let dir = marked(3);
    let first = at(&sandbox, dir.batchctl(LINE)).spawn();
    while sandbox.created() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let job = job_of(&dir);
    at(&sandbox, dir.batchctl(LINE)).run().exits(8).says(&[&format!("batchctl watch {job}")]);
    let first = first.wait_with_output().expect("it ends");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(sandbox.created(), 1);
}

/// Submitted and left: the same line waits for it.
#[test]
fn again_after_no_wait_attaches() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl(LINE).arg("--no-wait")).run().exits(0).says(&["pending 3"]);
    let job = job_of(&dir);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0).says(&[&format!("going on with job {job}")]);
    answers_are_on_their_rows(&dir, "out.csv", 3);
    assert_eq!(sandbox.created(), 1);
}

/// Done and all good: the table is written again if it is gone, nothing is sent.
#[test]
fn again_when_all_is_done_sends_nothing() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    let written = dir.read("out.csv");
    fs::remove_file(dir.path("out.csv")).expect("it was written");
    at(&sandbox, dir.batchctl(LINE)).run().exits(0).says(&["nothing is sent"]);
    assert_eq!(dir.read("out.csv"), written);
    // Another look of the same answers costs nothing either.
    at(&sandbox, dir.batchctl(LINE).arg("--row-index")).run().exits(0);
    assert_eq!(dir.cells("out.csv").column("row_index"), ["0", "1", "2"]);
    assert_eq!(sandbox.created(), 1);
}

/// Done with bad rows: exit 3 again, and nothing is paid a second time.
#[test]
fn again_when_some_rows_are_not_good_says_so() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    dir.write("in.csv", "id,text\n1,fine\n2,[[fail:400]]\n");
    for _ in 0..2 {
        at(&sandbox, dir.batchctl(LINE)).run().exits(3).says(&["error 1", "ok 1"]);
        assert_eq!(dir.cells("out.csv").column("status"), ["ok", "error"]);
    }
    at(&sandbox, dir.batchctl(LINE).arg("--allow-partial")).run().exits(0);
    assert_eq!(sandbox.created(), 1);
}

/// Cancelled: writes what there is, sends nothing.
#[test]
fn again_after_cancel_sends_nothing() {
    let sandbox = Sandbox::with(&["--batch-seconds", "5"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl(LINE).arg("--no-wait")).run().exits(0);
    at(&sandbox, dir.batchctl("cancel").arg(job_of(&dir))).run().exits(3).says(&["cancelled"]);
    let statuses = |line| {
        at(&sandbox, dir.batchctl(line)).run().exits(3).says(&[
            "cancelled",
            "nothing is sent",
            "--again",
        ]);
        dir.cells("out.csv").len()
    };
    assert_eq!(statuses(LINE), 3);
    assert_eq!(sandbox.created(), 1);
}

/// A create whose answer never came, at a provider that lists no batch of it and where a deleted
/// file proves nothing: a person must decide, and until then nothing is sent at all.
#[test]
fn b05_again_after_an_unclear_create_sends_nothing() {
    let file =
        r#"{"id":"file-1","object":"file","bytes":1,"filename":"x.jsonl","purpose":"batch"}"#;
    let server = Server::start(vec![
        ("POST /v1/files", Reply::json(200, file)),
        ("POST /v1/batches", Reply::silence()),
    ]);
    let dir = marked(2);
    let line = || {
        dir.batchctl(LINE)
            .openai_at(&server.address())
            .env("OPENAI_API_KEY", "sk-test")
            .env("BATCHCTL_TIME_SCALE", "5000")
    };
    let first = line().run();
    let job = job_of(&dir);
    first.exits(5).says(&["needs a person"]).hides(&["sk-test"]);
    line().run().exits(5).says(&["needs a person", &format!("batchctl resolve {job} --absent")]);
    let status = dir.batchctl("status").arg(&job).run().exits(0);
    assert!(status.stdout.contains("unclear"), "{status}");
    assert!(job_folder(&dir, &job).join("input.csv").is_file());
}

/// Other requests for the same output while the first job lives: a typo must not be paid twice.
#[test]
fn another_question_for_the_output_of_a_living_job_is_refused() {
    let sandbox = Sandbox::with(&["--batch-seconds", "5"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl(LINE).arg("--no-wait")).run().exits(0);
    let job = job_of(&dir);
    let other = dir.batchctl(LINE).arg("--overwrite").arg("--prompt").arg("Say {text}");
    at(&sandbox, other).run().exits(2).says(&[&format!("batchctl cancel {job}")]);
    assert_eq!(sandbox.created(), 1);
}

/// Other cells around the same questions: nothing is paid again, and the table that comes back is
/// the one that stands there now.
#[test]
fn b13_again_with_other_cells_writes_the_table_of_now() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    at(&sandbox, dir.batchctl(LINE)).run().exits(0);
    dir.write("in.csv", "id,text,note\n81,marker 0x,new\n82,marker 1x,columns\n");
    at(&sandbox, dir.batchctl(LINE)).run().exits(0).says(&["nothing is sent"]);
    assert_eq!(dir.cells("out.csv").column("id"), ["81", "82"]);
    assert_eq!(dir.cells("out.csv").column("note"), ["new", "columns"]);
    dir.write("other.tsv", "text\tlang\nmarker 0x\ten\nmarker 1x\tde\n");
    at(&sandbox, dir.batchctl("workflow other.tsv other.csv")).run().exits(0);
    assert_eq!(dir.read("other.csv").lines().next(), Some("text,lang,response,status,error,model"));
    assert_eq!(sandbox.created(), 1);
}
