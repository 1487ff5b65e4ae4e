//! A typing error in every argument of the four everyday lines.

use insta::assert_snapshot;

use super::{folder, sandboxed, say};

#[test]
fn a_command_or_flag_that_does_not_exist() {
    let dir = folder();
    assert_snapshot!(say(&dir, "workflw in.csv out.csv"), @r"
    exit 2
    error: unrecognized subcommand 'workflw'

      tip: a similar subcommand exists: 'workflow'

    Usage: batchctl [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --end-rwo 10"), @r"
    exit 2
    error: unexpected argument '--end-rwo' found

      tip: a similar argument exists: '--end-row'

    Usage: batchctl workflow --end-row <N> <INPUT> <OUTPUT>

    For more information, try '--help'.
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv more.csv"), @r"
    exit 2
    error: unexpected argument 'more.csv' found

    Usage: batchctl workflow [OPTIONS] [INPUT] [OUTPUT]

    For more information, try '--help'.
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --image-detail hihg"), @r"
    exit 2
    error: invalid value 'hihg' for '--image-detail <DETAIL>'
      [possible values: high, low, auto]

      tip: a similar value exists: 'high'

    For more information, try '--help'.
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --progress bra"), @r"
    exit 2
    error: invalid value 'bra' for '--progress <MODE>'
      [possible values: auto, bar, plain, json, none]

    For more information, try '--help'.
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --check-interval soon"), @r"
    exit 2
    error: invalid value 'soon' for '--check-interval <TIME>': `soon` is not a duration: write [DURATION], [DURATION], [DURATION] or plain seconds

    For more information, try '--help'.
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --set check_intervall=3"), @r"
    exit 2
    error: --set: unknown setting `check_intervall` (did you mean `check_interval`?)
      all settings: batchctl help settings
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --set check_interval"), @r"
    exit 2
    error: --set check_interval: write --set key=value
    ");
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --delimiter ab"), @r"
    exit 2
    error: invalid value 'ab' for '--delimiter <C>': one ASCII character is wanted, or \t for a tab

    For more information, try '--help'.
    ");
}

#[test]
fn a_job_that_does_not_exist() {
    let dir = folder();
    assert_snapshot!(say(&dir, "status k7f2qd"), @r"
    exit 2
    error: no job or batch [JOB] is known here
      fix: no job was started yet; one begins with: batchctl workflow in.csv out.csv
    ");
    assert_snapshot!(say(&dir, "status last"), @r"
    exit 2
    error: no job was started in this folder
      fix: batchctl status   lists the jobs of all folders
    ");
    assert_snapshot!(say(&dir, "resume"), @r"
    exit 2
    error: no job is unfinished
      fix: batchctl status   lists all
    ");
    sandboxed(&dir, "workflow in.csv out.csv").run().exits(0);
    let list = dir.batchctl("status --json").run().json().to_string();
    let at = list.find("\"job\":\"").expect("the list names its job") + 7;
    let id = &list[at..at + 6];
    let near = format!("{}z", &id[..5]);
    let near = if near == id { format!("{}y", &id[..5]) } else { near };
    for command in ["status", "watch", "resume", "cancel", "download"] {
        let text = say(&dir, &format!("{command} {near}"));
        assert!(text.starts_with("exit 2\nerror: no job or batch"), "{text}");
        assert!(
            text.contains(&format!("fix: did you mean {id}?"))
                || text.contains("did you mean [JOB]?"),
            "{text}"
        );
    }
    let text = say(&dir, "status batch_0123456789abcdef");
    assert!(text.contains("batchctl status   lists the jobs of all folders"), "{text}");
}

#[test]
fn a_file_that_does_not_exist() {
    let dir = folder();
    dir.write("results.jsonl", "{}\n");
    assert_snapshot!(say(&dir, "estimate in.cvs"), @r"
    exit 2
    error: the table in.cvs is not there
      fix: did you mean in.csv?
    ");
    assert_snapshot!(say(&dir, "merge resutls.jsonl --original-csv"), @r"
    exit 2
    error: the result file resutls.jsonl is not there
      fix: did you mean results.jsonl?
    ");
    assert_snapshot!(say(&dir, "merge results.jsonl --original-csv im.csv"), @r"
    exit 2
    error: the table im.csv is not there
      fix: did you mean in.csv?
    ");
    assert_snapshot!(say(&dir, "merge results.jsonl --orignal-csv"), @r"
    exit 2
    error: unexpected argument '--orignal-csv' found

      tip: a similar argument exists: '--original-csv'

    Usage: batchctl merge --original-csv [<TABLE>] <FILE|JOB>...

    For more information, try '--help'.
    ");
    assert_snapshot!(say(&dir, "merge k7f2qd"), @r"
    exit 2
    error: [JOB] is neither a file nor a job
      fix: batchctl status   lists the jobs of all folders
    ");
    assert_snapshot!(say(&dir, "merge *.json"), @r"
    exit 2
    error: no file fits *.json
    ");
    assert_snapshot!(say(&dir, "submit request.jsonl --provider sandbox"), @r"
    exit 2
    error: the table request.jsonl is not there
      fix: did you mean results.jsonl?
    ");
    assert_snapshot!(say(&dir, "submit in.csv --provider sandbox"), @r"
    exit 2
    asks: column `text`
    error: in.csv is not a request file: its lines have no custom_id and body
      fix: batchctl workflow in.csv   asks a table
    ");
}
