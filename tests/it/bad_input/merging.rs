//! Results that do not belong where they are put.

use insta::assert_snapshot;

use super::{folder, said, sandboxed, say};
use crate::support::workdir::WorkDir;

/// A result file with these ids and answers.
fn results(dir: &WorkDir, name: &str, lines: &[(&str, &str)]) {
    let mut text = String::new();
    for (id, answer) in lines {
        text += &format!(
            "{{\"id\":\"b\",\"custom_id\":\"{id}\",\"response\":{{\"status_code\":200,\"body\":{{\
             \"model\":\"m\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
             \"content\":\"{answer}\"}},\"finish_reason\":\"stop\"}}]}}}},\"error\":null}}\n"
        );
    }
    dir.write(name, text);
}

#[test]
fn files_that_are_no_results() {
    let dir = folder();
    dir.write("empty.jsonl", "");
    dir.write("junk.jsonl", "nothing\nhere\n");
    results(&dir, "results.jsonl", &[("row_0", "A")]);
    assert_snapshot!(say(&dir, "merge empty.jsonl --original-csv in.csv"), @r"
    exit 2
    error: empty.jsonl is empty
      fix: give the files that the provider returned, or a job id
    ");
    assert_snapshot!(say(&dir, "merge junk.jsonl --original-csv in.csv"), @r"
    exit 2
    error: none of the 2 lines is a line of a result file: give the files that the provider returned, and the table with --original-csv
      read: junk.jsonl
    ");
    assert_snapshot!(say(&dir, "merge in.csv --original-csv"), @r"
    exit 2
    error: in.csv is a table, not results of a batch
      fix: batchctl merge RESULTS.jsonl --original-csv in.csv
    ");
    assert_snapshot!(say(&dir, "merge in.csv --original-csv results.jsonl"), @r"
    exit 2
    error: results.jsonl holds results, it is not the table they belong to
      fix: batchctl merge results.jsonl --original-csv in.csv
    ");
    assert_snapshot!(say(&dir, "merge results.jsonl --original-csv in.csv -o in.csv"), @r"
    exit 2
    error: OUTPUT in.csv is the input itself, which is never replaced
      fix: name another output file
    ");
    assert_eq!(dir.files(), ["empty.jsonl", "in.csv", "junk.jsonl", "results.jsonl"]);
}

#[test]
fn ids_that_may_mean_several_rows() {
    let dir = folder();
    results(&dir, "mixed.jsonl", &[("row_0", "A"), ("request-2", "B")]);
    results(&dir, "base.jsonl", &[("row_1", "A"), ("row_2", "B"), ("row_3", "C")]);
    results(&dir, "foreign.jsonl", &[("abc", "A"), ("def", "B")]);
    assert_snapshot!(say(&dir, "merge mixed.jsonl --original-csv in.csv"), @"
    exit 2
    error: ids of two kinds: `row_0` and `request-2` ([DIR]/mixed.jsonl, line 2): what rows they mean cannot be told
      fix: name the table that has these ids, with --id-column for its column of them
      columns: id, text (none of them holds these ids)
    ");
    assert_snapshot!(say(&dir, "merge base.jsonl --original-csv in.csv"), @"
    exit 2
    error: ids like `row_3` may count from 0 or from 1 (the table has 3 rows): add --id-base 1 if `row_3` is the last row, else --id-base 0
      fix: batchctl merge base.jsonl --original-csv in.csv --id-base 1   if row_3 is the last row
      fix: batchctl merge base.jsonl --original-csv in.csv --id-base 0   if it is not
    ");
    assert_snapshot!(say(&dir, "merge foreign.jsonl --original-csv in.csv"), @"
    exit 2
    error: none of the 2 result lines belongs to a row (the first id is `abc`)
      fix: name the table that has these ids, with --id-column for its column of them
      columns: id, text (none of them holds these ids)
      read: foreign.jsonl
    ");
    assert_snapshot!(say(&dir, "merge foreign.jsonl --original-csv"), @r"
    exit 2
    error: ids such as abc belong to no job or manifest known here
      name the table: --original-csv TABLE
    ");
    dir.table("ids.csv", &[&["key", "text"], &["abc", "x"], &["def", "y"]]);
    results(&dir, "other.jsonl", &[("abc", "Z"), ("def", "B")]);
    let two = "merge foreign.jsonl other.jsonl --original-csv ids.csv --id-column";
    assert_snapshot!(say(&dir, &format!("{two} key")), @"
    exit 2
    error: `abc` has different good answers in [DIR]/foreign.jsonl and [DIR]/other.jsonl: they are of different rows, or the same row was asked twice
      fix: batchctl merge foreign.jsonl --original-csv ids.csv --id-column key   for its answers alone
      fix: batchctl merge other.jsonl --original-csv ids.csv --id-column key   for its answers alone
    ");
    assert_snapshot!(say(&dir, &format!("{two} kee")), @r"
    exit 2
    error: --id-column names the column `kee`, which the table does not have (nearest: `key`)
      columns: key, text
    ");
    assert!(dir.files().iter().all(|name| !name.contains("answers")), "{:?}", dir.files());
}

#[test]
fn results_of_another_table() {
    let dir = folder();
    sandboxed(&dir, "workflow in.csv out.csv --output-dir raw").run().exits(0);
    let raw = std::fs::read_dir(dir.path("raw")).map(|mut entries| entries.next());
    let raw = match raw {
        Ok(Some(Ok(entry))) => entry.path(),
        other => panic!("--output-dir holds a result file: {other:?}"),
    };
    std::fs::copy(raw, dir.path("results.jsonl")).unwrap();
    dir.table("other.csv", &[&["id", "text"], &["1", "good"], &["2", "different"], &["3", "x"]]);
    assert_snapshot!(say(&dir, "merge results.jsonl --original-csv other.csv"), @"
    exit 2
    error: 1 of the 3 rows that job [JOB] asked about stand in other.csv: it is another table, or was edited since
      fix: batchctl merge results.jsonl --original-csv   puts them onto the table as it was
    ");
    assert!(!dir.path("other.answers.csv").exists());
    let text = said(dir.batchctl("merge results.jsonl --original-csv"));
    assert!(text.starts_with("exit 0\n"), "{text}");
}
