//! When a table that stands at OUTPUT may be replaced, and when not: decided before anything is
//! sent.

use std::fs;

use crate::support::runs::{at, job_of, marked};
use crate::support::sandbox::Sandbox;

#[test]
fn s1_01_a_smaller_run_of_ours_is_replaced_by_a_larger_one() {
    let sandbox = Sandbox::start();
    let dir = marked(5);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --end-row 2")).run().exits(0);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv")).run().exits(0);
    assert_eq!(dir.cells("out.csv").len(), 5);
    // The other way round would lose three paid answers.
    let smaller = "workflow in.csv out.csv --start-row 1 --end-row 3";
    at(&sandbox, dir.batchctl(smaller))
        .run()
        .exits(2)
        .says(&["holds rows that this run would not ask", "--overwrite"]);
    assert_eq!((dir.cells("out.csv").len(), sandbox.created()), (5, 2));
    at(&sandbox, dir.batchctl(smaller).arg("--overwrite")).run().exits(0);
    assert_eq!(dir.cells("out.csv").column("id"), ["2", "3"]);
}

#[test]
fn a_table_that_is_not_ours_or_was_edited_is_kept() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    dir.write("out.csv", "mine\n");
    at(&sandbox, dir.batchctl("workflow in.csv out.csv"))
        .run()
        .exits(2)
        .says(&["was not written by batchctl", "--overwrite"]);
    assert_eq!((dir.read("out.csv").as_str(), sandbox.created()), ("mine\n", 0));
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --overwrite --end-row 2")).run().exits(0);
    assert_eq!(dir.cells("out.csv").len(), 2);

    let edited = dir.read("out.csv").replace(",ok,", ",checked,");
    dir.write("out.csv", &edited);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv"))
        .run()
        .exits(2)
        .says(&["was changed since batchctl wrote it"]);
    assert_eq!((dir.read("out.csv"), sandbox.created()), (edited, 1));
}

/// Edited while the batch ran: the answers go beside it, and both are kept.
#[test]
fn a_table_edited_meanwhile_is_not_overwritten() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --no-wait")).run().exits(0);
    let job = job_of(&dir);
    dir.write("out.csv", "edited in a spreadsheet\n");
    let beside = format!("out.{job}.csv");
    at(&sandbox, dir.batchctl("resume").arg(&job)).run().exits(0).says(&[&beside]);
    assert_eq!(dir.read("out.csv"), "edited in a spreadsheet\n");
    assert_eq!(dir.cells(&beside).len(), 3);
}

#[test]
fn another_table_and_the_input_itself_are_never_replaced() {
    let sandbox = Sandbox::start();
    let dir = marked(2);
    fs::copy(dir.path("in.csv"), dir.path("other.csv")).expect("it can be copied");
    dir.write("other.csv", "id,text\n1,another table\n2,of two rows\n");
    at(&sandbox, dir.batchctl("workflow other.csv out.csv")).run().exits(0);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv"))
        .run()
        .exits(2)
        .says(&["holds the answers of another table"]);
    for same in ["in.csv", "./in.csv", "../desk/in.csv"] {
        let line = format!("workflow in.csv {same} --overwrite");
        at(&sandbox, dir.batchctl(&line)).run().exits(2).says(&["is the input itself"]);
    }
    at(&sandbox, dir.batchctl("workflow in.csv no/such/out.csv"))
        .run()
        .exits(2)
        .says(&["does not exist", "mkdir -p"]);
    assert_eq!(sandbox.created(), 1);
}

/// A table that another program has open or holds, or that its owner write-protected, is left as it
/// is; nothing is lost, and once it is free the same job is written to its own place.
#[test]
fn b13_a_locked_table_is_left_and_another_written_beside() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --no-wait")).run().exits(0);
    let job = job_of(&dir);
    let beside = format!("out.{job}.csv");
    let again = || at(&sandbox, dir.batchctl("download").arg(&job));
    let pending = dir.read("out.csv");

    let note = dir.write(".~lock.out.csv#", ",me,desk,;");
    at(&sandbox, dir.batchctl("watch").arg(&job)).run().exits(0).says(&["LibreOffice", &beside]);
    fs::remove_file(note).expect("it was just written");
    assert_eq!((dir.read("out.csv"), dir.cells(&beside).len()), (pending.clone(), 3));

    let holder = fs::File::open(dir.path("out.csv")).expect("it is there");
    holder.lock().expect("nobody else holds it");
    again().run().exits(0).says(&["is locked by another program", &beside]);
    drop(holder);
    assert_eq!(dir.read("out.csv"), pending);

    let mut rights = fs::metadata(dir.path("out.csv")).expect("it is there").permissions();
    rights.set_readonly(true);
    fs::set_permissions(dir.path("out.csv"), rights.clone()).expect("it is ours");
    again().run().exits(0).says(&["is write-protected", &beside]);
    assert_eq!(dir.read("out.csv"), pending);
    let other = "workflow in.csv out.csv --temperature 0.5";
    at(&sandbox, dir.batchctl(other)).run().exits(2).says(&["is write-protected", "--overwrite"]);
    again().arg("--overwrite").run().exits(0);
    assert_eq!(dir.cells("out.csv").column("status"), ["ok"; 3]);
    assert_eq!(sandbox.created(), 1);
}
