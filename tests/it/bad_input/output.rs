//! Places the table cannot go to.

use insta::assert_snapshot;

use super::{ROWS, folder, said, sandboxed};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

fn run(dir: &WorkDir, line: &str) -> String {
    said(sandboxed(dir, line))
}

#[test]
fn a_folder_that_is_missing_or_takes_no_file() {
    let dir = folder();
    assert_snapshot!(run(&dir, "workflow in.csv results/out.csv"), @r"
    exit 2
    error: the folder [DIR]/results does not exist
      fix: mkdir -p [DIR]/results
    ");
    assert_snapshot!(run(&dir, "workflow in.csv /proc/out.csv"), @r"
    exit 2
    error: cannot write to /proc: No such file or directory (os error 2)
      fix: name an output file in a folder that you may write to
    ");
    std::fs::create_dir(dir.path("results")).unwrap();
    assert_snapshot!(run(&dir, "workflow in.csv results"), @r"
    exit 2
    error: OUTPUT [DIR]/results is a folder
      fix: name a file in it
    ");
    assert_snapshot!(run(&dir, "convert in.csv nowhere/out.jsonl"), @r"
    exit 2
    error: the folder [DIR]/nowhere does not exist
      fix: mkdir -p [DIR]/nowhere
    ");
}

#[test]
fn output_that_is_the_input() {
    let dir = folder();
    assert_snapshot!(run(&dir, "workflow in.csv in.csv"), @r"
    exit 2
    error: OUTPUT in.csv is the input itself, which is never replaced
      fix: name another output file
    ");
    assert_snapshot!(run(&dir, "workflow in.csv ./in.csv --overwrite"), @r"
    exit 2
    error: OUTPUT in.csv is the input itself, which is never replaced
      fix: name another output file
    ");
    std::os::unix::fs::symlink(dir.path("in.csv"), dir.path("link.csv")).unwrap();
    assert_snapshot!(run(&dir, "workflow in.csv link.csv --overwrite"), @r"
    exit 2
    error: OUTPUT link.csv is the input itself, which is never replaced
      fix: name another output file
    ");
    assert_eq!(dir.read("in.csv"), "id,text\n1,good\n2,bad\n3,so so\n");
}

#[test]
fn a_table_that_is_not_ours_is_not_replaced() {
    let dir = folder();
    dir.write("out.csv", "my own work\n");
    assert_snapshot!(run(&dir, "workflow in.csv out.csv"), @r"
    exit 2
    asks: column `text`
    error: [DIR]/out.csv exists and was not written by batchctl
      fix: name another output file, or add --overwrite
    ");
    assert_eq!(dir.read("out.csv"), "my own work\n");
}

#[test]
fn a_table_edited_before_the_run_is_not_replaced() {
    let dir = folder();
    run(&dir, "workflow in.csv out.csv");
    let ours = dir.read("out.csv");
    dir.write("out.csv", ours + "mine\n");
    assert_snapshot!(run(&dir, "workflow in.csv out.csv --temperature 0.5"), @r"
    exit 2
    asks: column `text`
    error: [DIR]/out.csv exists and was changed since batchctl wrote it
      fix: name another output file, or add --overwrite
    ");
    assert!(dir.read("out.csv").ends_with("mine\n"));
    assert!(
        run(&dir, "workflow in.csv out.csv --temperature 0.5 --overwrite").starts_with("exit 0\n")
    );
    assert!(!dir.read("out.csv").contains("mine"));
}

/// Whoever edits the table while its answers are on their way keeps the edit.
#[test]
fn a_table_edited_during_the_run_stays_and_another_is_written() {
    let sandbox = Sandbox::start();
    let dir = folder();
    let line = "workflow in.csv out.csv --no-wait --progress none";
    dir.batchctl(line).openai_at(sandbox.address()).run().exits(0);
    dir.write("out.csv", "edited\n");
    let resume = "resume last --check-interval 0.2 --progress none";
    let output = dir.batchctl(resume).openai_at(sandbox.address()).run().exits(0);
    assert_snapshot!(super::text_of(&output), @"
    exit 0
    job [JOB] of [DIR]
    openai is at http://127.0.0.1:[PORT]/v1 (from OPENAI_BASE_URL)
    warning: [DIR]/out.csv was changed meanwhile; writing [DIR]/out.[JOB].csv instead
    job [JOB] done at openai · 3 rows in [DURATION]
      ok  3
    tokens    25 prompt, 13 completion
    cost      nothing was charged; would be <$0.0001 at openai; assumed $0.0045,
              off by -97.9 %
    saved     would be <$0.0001 against realtime
    output    out.[JOB].csv
    ");
    assert_eq!(dir.read("out.csv"), "edited\n");
    let other = dir.files().into_iter().find(|name| name.starts_with("out.") && name.len() > 7);
    assert!(dir.read(&other.expect("out.<job>.csv")).contains("[sandbox] good"));
}

/// The answers are the same, but the cells beside them are those of the table that was named.
#[test]
fn another_table_with_the_same_questions_keeps_its_own_cells() {
    let dir = folder();
    run(&dir, "workflow in.csv out.csv");
    dir.table("two.csv", &[&["text", "who"], &["good", "a"], &["bad", "b"], &["so so", "c"]]);
    let text = run(&dir, "workflow two.csv out2.csv");
    assert!(text.contains("made by the same line"), "{text}");
    assert_snapshot!(dir.read("out2.csv"), @r"
    text,who,response,status,error,model
    good,a,[sandbox] good,ok,,sandbox-gpt-4o
    bad,b,[sandbox] bad,ok,,sandbox-gpt-4o
    so so,c,[sandbox] so so,ok,,sandbox-gpt-4o
    ");
    assert_eq!(ROWS.len(), dir.read("out.csv").lines().count());
    assert!(dir.read("out.csv").starts_with("id,text,response"));
    let again = super::say(&dir, "merge last -o out3.csv");
    assert!(again.starts_with("exit 0\n"), "{again}");
    assert_eq!(dir.read("out3.csv"), dir.read("out2.csv"));
}
