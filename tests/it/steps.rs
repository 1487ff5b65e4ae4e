//! The steps one by one: what `workflow` does at once, done with `convert`, `submit`, `watch`,
//! `resume`, `download`, `status`, `cancel` and `merge`.

use std::fs;

use serde_json::Value;

use crate::support::runs::{answers_are_on_their_rows, at, job_folder, job_of, marked, results_of};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

const NO_WAIT: &str = "workflow in.csv out.csv --no-wait";

/// Every command that collects gets the same table.
#[test]
fn s1_12_no_wait_then_each_command_that_goes_on() {
    for command in ["watch", "resume", "watch last", "resume last"] {
        let sandbox = Sandbox::start();
        let dir = marked(4);
        at(&sandbox, dir.batchctl(NO_WAIT)).run().exits(0).says(&["batchctl resume"]);
        assert_eq!(dir.cells("out.csv").column("status"), ["pending"; 4]);
        at(&sandbox, dir.batchctl(command)).run().exits(0).says(&["ok 4"]);
        answers_are_on_their_rows(&dir, "out.csv", 4);
        assert_eq!(sandbox.created(), 1, "{command}");
    }
}

/// `download` fetches what has ended and never waits.
#[test]
fn s1_12_s1_19_download_collects_what_has_ended() {
    let sandbox = Sandbox::with(&["--batch-seconds", "5"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl(NO_WAIT)).run().exits(0);
    let early = at(&sandbox, dir.batchctl("download")).run();
    early.exits(0).says(&["pending 3"]);
    std::thread::sleep(std::time::Duration::from_secs(6));
    dir.write("results/keep", "");
    at(&sandbox, dir.batchctl("download --output-dir results")).run().exits(0).says(&["ok 3"]);
    answers_are_on_their_rows(&dir, "out.csv", 3);
    let names = names_in(&dir, "results");
    assert!(names.iter().any(|n| n.starts_with("batch_results_batch_")), "{names:?}");
    // The same once more, of a job that is done, into a folder that does not exist yet, and
    // written elsewhere with another look.
    let again = "download --output-dir more -o other.csv --details";
    at(&sandbox, dir.batchctl(again)).run().exits(0);
    assert_eq!(names_in(&dir, "more").len(), 1);
    assert!(dir.cells("other.csv").header().contains(&"custom_id"), "{}", dir.read("other.csv"));
    assert_eq!(sandbox.created(), 1);
}

/// S1.19, S4.13: both files of a batch are kept, and the names say whose they are.
#[test]
fn s1_19_s4_13_output_dir_holds_results_and_errors() {
    let sandbox = Sandbox::start();
    let dir = marked(1);
    dir.write("in.csv", "text\nfine\n[[fail:400]]\n");
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --output-dir files")).run().exits(3);
    let names = names_in(&dir, "files");
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("batch_errors_batch_"), "{names:?}");
    assert!(names[1].starts_with("batch_results_batch_"), "{names:?}");
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("status"), ["ok", "error"]);
    assert!(cells.column("error")[1].contains("400"), "{:?}", cells.column("error"));
    assert_eq!(cells.column("response")[1], "", "error text never stands in the answer column");
    // The two files, in any order, make the same table.
    let files = format!("merge files/{} files/{} --original-csv -o m.csv", names[1], names[0]);
    dir.batchctl(&files).run().exits(3);
    assert_eq!(dir.read("m.csv"), dir.read("out.csv"));
}

/// S4.09: waiting has an end, the job has not.
#[test]
fn s4_09_max_wait_exits_6_and_the_job_goes_on() {
    let sandbox = Sandbox::with(&["--batch-seconds", "1.5"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --max-wait 5s")).run().exits(6).says(&[
        "pending",
        "batchctl resume",
        "batchctl cancel",
    ]);
    let job = job_of(&dir);
    at(&sandbox, dir.batchctl("watch").arg(&job)).run().exits(0);
    answers_are_on_their_rows(&dir, "out.csv", 3);
}

/// S4.10, S4.18: one job and all of them, for people and for programs.
#[test]
fn s4_18_status_shows_one_job_and_all() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    dir.batchctl("status").run().exits(0).says(&["no jobs yet"]);
    at(&sandbox, dir.batchctl(NO_WAIT)).run().exits(0);
    let job = job_of(&dir);
    let one = at(&sandbox, dir.batchctl("status --json").arg(&job)).run().exits(0).json();
    assert_eq!(one["schema_version"], 1);
    assert_eq!(one["job"]["job"], job.as_str());
    assert_eq!((&one["job"]["rows"], &one["job"]["statuses"]["pending"]), (&3.into(), &3.into()));
    let batch = one["batches"][0]["batch"].as_str().expect("the provider's id").to_owned();
    at(&sandbox, dir.batchctl("watch")).run().exits(0);
    for id in [job.as_str(), batch.as_str(), "last"] {
        let status = at(&sandbox, dir.batchctl("status").arg(id)).run().exits(0);
        assert!(status.stdout.contains("completed"), "{status}");
    }
    let all = dir.batchctl("list").run().exits(0);
    assert!(all.stdout.contains("in.csv") && all.stdout.contains("done"), "{all}");
    dir.batchctl("status zzzzzz").run().exits(2).says(&["no job or batch zzzzzz"]);
    dir.batchctl("watch").run().exits(2).says(&["no job is unfinished"]);
}

/// A bare `resume` with several unfinished jobs must not guess.
#[test]
fn a_bare_resume_names_the_jobs_it_could_mean() {
    let sandbox = Sandbox::with(&["--batch-seconds", "5"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv a.csv --no-wait")).run().exits(0);
    let other = "workflow in.csv b.csv --no-wait --end-row 2";
    at(&sandbox, dir.batchctl(other)).run().exits(0);
    at(&sandbox, dir.batchctl("resume")).run().exits(2).says(&["several jobs", &job_of(&dir)]);
}

/// `cancel` collects what was answered before it.
#[test]
fn b05_cancel_accounts_for_every_row() {
    let sandbox = Sandbox::with(&["--batch-seconds", "2"]);
    let dir = marked(20);
    at(&sandbox, dir.batchctl(NO_WAIT)).run().exits(0);
    std::thread::sleep(std::time::Duration::from_secs(1));
    at(&sandbox, dir.batchctl("cancel")).run().exits(3).says(&["cancelled"]);
    let cells = dir.cells("out.csv");
    let statuses = cells.statuses();
    assert_eq!(statuses.values().sum::<usize>(), 20);
    assert!(statuses["cancelled"] > 0 && statuses["ok"] > 0, "{statuses:?}");
    for (text, (status, answer)) in
        cells.column("text").iter().zip(cells.column("status").iter().zip(cells.column("response")))
    {
        let wanted = if *status == "ok" { format!("[sandbox] {text}") } else { String::new() };
        assert_eq!(answer, wanted);
    }
    let job = job_of(&dir);
    at(&sandbox, dir.batchctl("cancel").arg(&job)).run().exits(3).says(&["cancelled already"]);
}

/// A batch that expires leaves the answers it had, and names the rest.
#[test]
fn s4_19_an_expired_batch_keeps_its_answers() {
    let sandbox = Sandbox::with(&["--batch-seconds", "2", "--expire-seconds", "1"]);
    let dir = marked(20);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(3).says(&["expired"]);
    let cells = dir.cells("out.csv");
    let statuses = cells.statuses();
    assert!(statuses["ok"] > 0 && statuses["expired"] > 0, "{statuses:?}");
    assert_eq!(statuses.values().sum::<usize>(), 20);
}

/// S1.11, S1.13: convert, submit, merge; the ids come from the content and stay.
#[test]
fn s1_11_s1_13_convert_submit_merge() {
    let sandbox = Sandbox::start();
    let dir = marked(6);
    let line = "convert in.csv req.jsonl --start-row 1 --end-row 5 --model gpt-4o-mini";
    at(&sandbox, dir.batchctl(line)).run().exits(0).says(&["wrote 4 requests"]);
    let first = dir.read("req.jsonl");
    at(&sandbox, dir.batchctl(line)).run().exits(2).says(&["--overwrite"]);
    at(&sandbox, dir.batchctl(line).arg("--overwrite")).run().exits(0);
    assert_eq!(dir.read("req.jsonl"), first, "the ids are a digest of the content");
    let request: Value = serde_json::from_str(first.lines().next().expect("a line")).expect("JSON");
    assert!(request["custom_id"].as_str().expect("an id").ends_with("-0000001-r1"), "{request}");
    assert_eq!(request["body"]["model"], "gpt-4o-mini");

    at(&sandbox, dir.batchctl("submit req.jsonl")).run().exits(0).says(&["pending 4"]);
    at(&sandbox, dir.batchctl("submit req.jsonl --wait")).run().exits(0).says(&["ok 4"]);
    assert_eq!(sandbox.created(), 1);
    results_of(&dir, &job_of(&dir), "results.jsonl");
    dir.batchctl("merge results.jsonl --original-csv").run().exits(0).says(&["ok 4"]);
    let cells = dir.cells("in.answers.csv");
    assert_eq!(cells.column("id"), ["2", "3", "4", "5"]);
    assert_eq!(cells.column("response")[0], "[sandbox] marker 1x");
    // The table may be named, and the rows too.
    let named = "merge results.jsonl --original-csv in.csv -o all.csv --start-row 2 --end-row 4";
    dir.batchctl(named).run().exits(0);
    assert_eq!(dir.cells("all.csv").column("id"), ["3", "4"]);
    // Another table under the same name is seen.
    dir.write("in.csv", dir.read("in.csv").replace("marker 2x", "changed"));
    let changed = dir.batchctl("merge results.jsonl --original-csv in.csv -o c.csv").run();
    assert_ne!(changed.code, Some(0), "{changed}");
}

/// S1.07, S4.20: request files are removed once their batch is known, unless they are wanted.
#[test]
fn s1_07_s4_20_request_files_are_kept_when_asked() {
    for (flag, kept) in [("", 0), ("--keep-temp-files", 1)] {
        let sandbox = Sandbox::start();
        let dir = marked(2);
        at(&sandbox, dir.batchctl(&format!("workflow in.csv out.csv {flag}"))).run().exits(0);
        let shards = job_folder(&dir, &job_of(&dir)).join("shards");
        let requests = fs::read_dir(shards)
            .expect("shards have a folder")
            .filter(|entry| {
                entry.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == "jsonl"))
            })
            .count();
        assert_eq!(requests, kept, "{flag}");
    }
}

/// S1.21, S1.22: more requests than a file may hold become several batches, all on their rows.
#[test]
fn s1_21_s1_22_several_shards_come_back_as_one_table() {
    let sandbox = Sandbox::start();
    let dir = marked(23);
    let line = "workflow in.csv out.csv --set max_shard_requests=5";
    at(&sandbox, dir.batchctl(line)).run().exits(0).says(&["ok 23"]);
    answers_are_on_their_rows(&dir, "out.csv", 23);
    assert_eq!(sandbox.created(), 5);
    let job = job_of(&dir);
    let results = job_folder(&dir, &job).join("results");
    for number in [3, 1, 5, 2, 4] {
        let from = results.join(format!("r1-s000{number}-output.jsonl"));
        fs::copy(from, dir.path(&format!("part{number}.jsonl"))).expect("its results");
    }
    // The program expands the pattern itself.
    dir.batchctl("merge part*.jsonl --original-csv -o m.csv").run().exits(0);
    assert_eq!(dir.read("m.csv"), dir.read("out.csv"));
    dir.batchctl("merge").arg(&job).args(&["-o", "j.csv"]).run().exits(0);
    assert_eq!(dir.read("j.csv"), dir.read("out.csv"));
    // Without the third part its rows are missing, and nothing else moves.
    let some = "merge part1.jsonl part2.jsonl part4.jsonl part5.jsonl --original-csv -o s.csv";
    dir.batchctl(some).run().exits(3).says(&["missing 5"]);
    let cells = dir.cells("s.csv");
    assert_eq!(
        cells.column("status")[9..16],
        ["ok", "missing", "missing", "missing", "missing", "missing", "ok"]
    );
}

fn names_in(dir: &WorkDir, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir.path(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into())
        .filter(|name| name != "keep")
        .collect();
    names.sort();
    names
}
