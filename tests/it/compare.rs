//! `compare`: two jobs over the same rows, side by side.

use std::fmt::Write;

use crate::support::runs::{at, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// A table whose last column knows the truth.
const TABLE: &str =
    "id,text,truth\r\n1,apple,Good\r\n2,pear,bad\r\n3,plum,bad\r\n4,fig,\r\n5,kiwi,good\r\n";

/// A sandbox that answers by the question's first word and the row's text.
fn scripted(dir: &WorkDir) -> Sandbox {
    let mut rules = String::new();
    for (asked, reply) in [
        ("first apple", r#"{"mood": "good", "score": 4}"#),
        ("first pear", r#"{"mood": "bad", "score": 2}"#),
        ("first plum", r#"{"mood": "=good", "score": 3}"#),
        ("first fig", r#"{"mood": "good", "score": 1}"#),
        ("first kiwi", r#"{"mood": "good", "score": 5}"#),
        ("second apple", r#"{"score": 4.0, "mood": "GOOD "}"#),
        ("second pear", r#"{"mood": "good", "score": "2"}"#),
        ("second plum", r#"{"mood": "bad", "score": 5}"#),
        ("second fig", r#"{"mood": "good", "score": 1}"#),
        ("second kiwi", "I cannot say."),
    ] {
        writeln!(rules, "[[rule]]\nmatch = '{asked}'\nreply = '{reply}'").expect("a string");
    }
    let path = dir.write("rules.toml", rules);
    let script = format!("script:{}", path.display());
    Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script])
}

/// Runs one of the two questions over a table; gives the job.
fn asked(sandbox: &Sandbox, dir: &WorkDir, table: &str, question: &str, exit: i32) -> String {
    let fields = "--json-fields mood,score --no-json-hint --rounds 1";
    let line = format!("workflow {table} {question}-{table} {fields} -p");
    at(sandbox, dir.batchctl(&line)).arg(format!("{question} {{text}}")).run().exits(exit);
    job_of(dir)
}

#[test]
fn two_jobs_side_by_side() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", TABLE);
    let a = asked(&sandbox, &dir, "in.csv", "first", 0);
    let b = asked(&sandbox, &dir, "in.csv", "second", 3);
    let run = |line: &str| dir.batchctl(&format!("compare {a} {b} {line}")).run();
    let text = run("").exits(0);
    insta::assert_snapshot!(text.snapshot());
    let found = run("--field mood --reference truth --json -o d.csv").exits(0).json();
    assert_eq!((&found["rows"]["matched"], &found["rows"]["moved"]), (&5.into(), &0.into()));
    let good =
        ["both_good", "only_a_good", "only_b_good", "neither_good"].map(|key| found[key].clone());
    assert_eq!(good, [4, 1, 0, 0]);
    let field = &found["fields"][0];
    assert_eq!(
        (&field["field"], &field["same"], &field["share"]),
        (&"mood".into(), &2.into(), &0.5.into())
    );
    let accuracy = &found["accuracy"];
    let of = |side: &str| ["right", "wrong", "not_good"].map(|key| accuracy[side][key].clone());
    assert_eq!(
        (of("a"), of("b"), &accuracy["rows"]),
        ([3, 1, 0].map(Into::into), [2, 1, 1].map(Into::into), &4.into())
    );
    for (side, job) in [("a", &a), ("b", &b)] {
        assert_eq!(found[side]["job"], job.as_str());
        assert!(found[side]["usage"]["prompt_tokens"].as_u64() > Some(0), "{found}");
        assert_eq!(found[side]["cost"]["charged"], false);
    }
    // The user's cells stay what they are; what a model wrote is no formula.
    assert_eq!(
        dir.read("d.csv"),
        "id,text,truth,mood_a,mood_b,reference\r\n2,pear,bad,bad,good,bad\r\n3,plum,bad,'=good,bad,bad\r\n"
    );
    let lines = run("-o -").exits(0).says(&["differ"]).stdout;
    assert!(lines.starts_with("id,text,truth,mood_a,mood_b,score_a,score_b\r\n"), "{lines}");
    run("-o d.jsonl").exits(0);
    assert!(dir.read("d.jsonl").contains("\"mood_a\":\"=good\""), "{}", dir.read("d.jsonl"));
    // Our own file is written anew; another's is not touched.
    run("-o d.csv").exits(0);
    dir.write("theirs.csv", "a\n");
    let table = [
        ("-o theirs.csv", "was not written by batchctl"),
        ("-o in.csv", "the input itself"),
        ("--field mod", "nearest: `mood`"),
        ("--reference truth", "--field mood"),
        ("--reference trut --field mood", "nearest: `truth`"),
    ];
    for (line, said) in table {
        run(line).exits(2).says(&[said]);
    }
    // A job's own answers are no file of ours to replace, whatever stood in them before.
    let answers = dir.read("first-in.csv");
    run("-o first-in.csv").exits(2).says(&["keeps its answers", "--overwrite"]);
    dir.batchctl(&format!("export {b} first-in.csv")).run().exits(2).says(&["keeps its answers"]);
    assert_eq!(dir.read("first-in.csv"), answers);
    run("-o first-in.csv --overwrite").exits(0);
    assert!(dir.read("first-in.csv").contains("mood_a"));
    // What is offered to be typed asks for the same.
    run("--field mood --reference truth").exits(0).says(&[&format!(
        "batchctl compare {a} {b} --field mood --reference truth -o disagreements.csv"
    )]);
    dir.batchctl(&format!("compare {a} {a}")).run().exits(2).says(&["both are job"]);
    dir.batchctl(&format!("compare {a} zzzzzz")).run().exits(2).says(&["no job or batch zzzzzz"]);
}

/// A table that was sorted anew since, with a column more and one row edited.
#[test]
fn a_table_sorted_anew_is_compared_row_by_row() {
    let dir = WorkDir::new();
    let sandbox = scripted(&dir);
    dir.write("in.csv", TABLE);
    dir.write(
        "sorted.csv",
        "note,id,text,truth\n,4,fig,\n,3,plum,bad\n,2,pear,BAD\n,1,apple,Good\n",
    );
    let a = asked(&sandbox, &dir, "in.csv", "first", 0);
    let b = asked(&sandbox, &dir, "sorted.csv", "second", 0);
    let found = dir.batchctl(&format!("compare {a} {b} --json")).run().exits(0).json();
    let rows =
        ["matched", "moved", "only_a", "only_b", "ambiguous"].map(|key| found["rows"][key].clone());
    assert_eq!(rows, [3, 3, 2, 1, 0]);
    assert_eq!((&found["both_good"], &found["fields"][0]["same"]), (&3.into(), &2.into()));
    let example = &found["examples"][0];
    assert_eq!(
        (&example["row"], &example["a"], &example["b"]),
        (&2.into(), &"=good".into(), &"bad".into())
    );
    // Another table altogether.
    let other = marked(2);
    at(&sandbox, other.batchctl("workflow in.csv out.csv"))
        .env("BATCHCTL_HOME", dir.home())
        .run()
        .exits(0);
    let c = job_of(&dir);
    let line = |one: &str, two: &str| dir.batchctl(&format!("compare {one} {two}")).run();
    line(&a, &c).exits(2).says(&["no field in common", "asked for no fields", "no row of job"]);
    dir.write("next.csv", "id,text,truth\n8,fig,x\n");
    let d = asked(&sandbox, &dir, "next.csv", "first", 0);
    line(&a, &d).exits(2).says(&["no row of job", "next.csv"]);
}

/// Answers without fields are compared as texts.
#[test]
fn answers_as_they_are() {
    let sandbox = Sandbox::start();
    let dir = marked(4);
    at(&sandbox, dir.batchctl("workflow in.csv a.csv -p {text}")).run().exits(0);
    let a = job_of(&dir);
    at(&sandbox, dir.batchctl("workflow in.csv b.csv -p {text}. --end-row 3")).run().exits(0);
    let line = format!("compare {a} last --json");
    let found = dir.batchctl(&line).run().exits(0).json();
    assert_eq!((&found["rows"]["matched"], &found["rows"]["only_a"]), (&3.into(), &1.into()));
    assert_eq!(
        (&found["fields"][0]["field"], &found["fields"][0]["same"]),
        (&"response".into(), &0.into())
    );
    // Where one of them has fields the whole answers are compared too.
    let fields = "workflow in.csv c.csv -p {text} --json-fields mood --no-json-hint --rounds 1";
    at(&sandbox, dir.batchctl(fields)).run();
    let c = job_of(&dir);
    let found = dir.batchctl(&format!("compare {a} {c} --json")).run().exits(0);
    let found =
        found.says(&["no field in common", "asked for no fields", "whole answers are compared"]);
    assert_eq!(found.json()["fields"][0]["field"], "response");
    let named = dir.batchctl(&format!("compare {a} {c} --field mood")).run().exits(2);
    named
        .says(&["no field in common", &format!("batchctl compare {a} {c}   compares their whole")]);
}

/// Of a job that runs nothing is said that is not known yet.
#[test]
fn a_job_that_is_not_answered_yet() {
    let slow = Sandbox::with(&["--batch-seconds", "30"]);
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv a.csv -p {text}")).run().exits(0);
    let a = job_of(&dir);
    at(&slow, dir.batchctl("workflow in.csv b.csv -p {text}. --no-wait")).run().exits(0);
    let b = job_of(&dir);
    let line = |line: &str| dir.batchctl(line).run().exits(0);
    let shows = |words: &str, texts: &[&str]| {
        let shown = line(words);
        assert!(texts.iter().all(|text| shown.stdout.contains(text)), "{texts:?}: {shown}");
        shown.stdout
    };
    let yet = ["nothing is answered yet", "no row has both answers yet"];
    let found = shows(&format!("compare {a} {b}"), &yet);
    assert!(!found.contains("NaN") && !found.contains("would be free"), "{found}");
    // S1.14, B05: all rows are there, those that are open as `pending`.
    let report = line(&format!("analyze {b} --json")).json();
    assert_eq!((&report["rows"], &report["statuses"]["pending"]), (&3.into(), &3.into()));
    assert_eq!(report["unfinished"][0], b.as_str());
    let open = format!("job {b} is not over: 3 rows pending");
    shows(&format!("analyze {b}"), &["rows      3 in 1 job", &open, "pending 3"]);
    // Of several jobs a row alone is none.
    let named = format!("{a} row 0: [sandbox]");
    shows(&format!("analyze {a} {b}"), &["rows      6 in 2 jobs", &named]);
}
