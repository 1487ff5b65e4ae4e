//! `merge`: foreign results, several files and jobs, columns that are filled, and tables that were
//! sorted or edited since. Each answer lands on the row that was asked, or nothing is written and
//! the line to type is printed.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::runs::{at, job_folder, job_of, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::{Output, WorkDir};

/// A line of a result file; an answer that begins with `!` is a failure.
fn result(id: &str, answer: &str) -> String {
    if let Some(code) = answer.strip_prefix('!') {
        return format!(
            "{{\"custom_id\":\"{id}\",\"response\":null,\"error\":{{\"code\":\"{code}\",\
             \"message\":\"m\"}}}}\n"
        );
    }
    format!(
        "{{\"id\":\"b\",\"custom_id\":\"{id}\",\"response\":{{\"status_code\":200,\"body\":{{\
         \"model\":\"m\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
         \"content\":\"{answer}\"}},\"finish_reason\":\"stop\"}}]}}}},\"error\":null}}\n"
    )
}

/// Writes a result file of `id=answer` words.
fn results(dir: &WorkDir, name: &str, lines: &str) {
    let line = |word: &str| {
        let (id, answer) = word.split_once('=').expect("id=answer");
        result(id, answer)
    };
    dir.write(name, lines.split_whitespace().map(line).collect::<String>());
}

/// The lines to type that a refusal prints.
fn fixes(output: &Output) -> Vec<String> {
    let lines = output.stderr.lines().filter_map(|line| line.trim().strip_prefix("fix: "));
    lines
        .filter(|line| line.starts_with("batchctl merge"))
        .map(|line| line.split("   ").next().unwrap_or(line).to_owned())
        .collect()
}

/// Types a printed line as a shell would: single quotes around words with spaces.
fn types(dir: &WorkDir, line: &str) -> Output {
    let mut run = dir.batchctl("");
    for (at, part) in line.strip_prefix("batchctl ").expect("our name").split('\'').enumerate() {
        if at % 2 == 1 {
            run = run.arg(part);
        } else {
            run = run.args(&part.split_whitespace().collect::<Vec<_>>());
        }
    }
    run.run()
}

/// S1.13: a table that is too short loses answers; that is no good end, and is said.
#[test]
fn s1_13_answers_beyond_the_end_of_the_table_are_no_good_end() {
    for (ids, flags, exit, words) in [
        ("row_0=a row_1=b", "", 0, "ok 2"),
        ("row_0=a row_1=b row_2=c row_3=d", "--id-base 0", 3, "2 lines with an id of no row of"),
        ("row_0=a row_1=b row_2=c", "--id-base 0 --allow-partial", 0, "1 line with an id of no"),
        ("k-0=a k-1=b k-9=c", "--id-column key", 3, "1 line with an id of no row of this table"),
    ] {
        let dir = WorkDir::new();
        dir.write("in.csv", "key,text\nk-0,p\nk-1,q\n");
        results(&dir, "r.jsonl", ids);
        let line = format!("merge r.jsonl --original-csv in.csv -o out.csv {flags}");
        dir.batchctl(&line).run().exits(exit).says(&[words]);
        assert_eq!(dir.cells("out.csv").column("response"), ["a", "b"], "{line}");
    }
}

/// What becomes of foreign results.
enum Ends {
    /// They land so: the answers of the rows, `-` for none.
    Lands(&'static str),
    /// They are refused, and this printed line (by its number) makes them land so.
    Refused(usize, &'static str),
}
use Ends::{Lands, Refused};

/// S1.13, field 44: ids of every kind, from one file or two, over a table of five rows.
#[test]
fn s1_13_field_44_foreign_results_land_right_or_are_refused_with_the_line_to_type() {
    let table: &[(&str, &str, &str, &str, Ends)] = &[
        ("row_N from 0", "row_0=a row_1=b row_4=e", "", "", Lands("a b - - e")),
        ("request-N from 1", "request-1=a request-5=e", "", "", Lands("a - - - e")),
        ("parts of one numbering", "row_0=a row_1=b", "row_3=d row_4=e", "", Lands("a b - d e")),
        ("row_N from 1 to the end", "row_1=a row_3=c row_5=e", "", "", Refused(0, "a - c - e")),
        ("row_N that begin at 1", "row_1=a row_2=b", "", "", Refused(0, "a b - - -")),
        ("or the first one failed", "row_1=b row_2=c", "", "", Refused(1, "- b c - -")),
        ("request-N from 0", "request-0=a request-4=e", "", "", Refused(0, "a - - - e")),
        ("a base that is said", "row_1=a row_5=e", "", "--id-base 1", Lands("a - - - e")),
        (
            "two files that begin at 0",
            "row_0=a row_1=b",
            "row_0=c row_1=d row_2=e",
            "",
            Refused(0, "a b c d e"),
        ),
        ("one of them alone", "row_0=a row_1=b", "row_0=c", "", Refused(2, "c - - - -")),
        (
            "two that begin at 1",
            "request-1=a request-2=b",
            "request-1=c",
            "",
            Refused(0, "a b c - -"),
        ),
        (
            "one alone keeps its base",
            "row_1=a row_2=b",
            "row_0=x row_1=c",
            "--id-base 1,0",
            Refused(1, "x c - - -"),
        ),
        ("no room for both", "row_0=a row_4=e", "row_0=x", "", Refused(0, "a - - - e")),
        ("the same answer twice", "row_0=a row_1=b", "row_1=b row_2=c", "", Lands("a b c - -")),
        ("two kinds in two files", "row_0=a row_1=b", "request-3=c", "", Refused(0, "a b c - -")),
        ("two kinds in one", "row_7=a request-9=b", "", "", Refused(0, "a b - - -")),
        ("plain numbers from 0", "0=a 4=e", "", "--id-base 0", Lands("a - - - e")),
        ("plain numbers from 1", "1=a 5=e", "", "--id-base 1", Lands("a - - - e")),
        ("plain numbers, unsaid", "1=a 5=e", "", "", Refused(1, "a - - - e")),
        ("plain numbers of a column", "70=a 74=e", "", "", Refused(0, "a - - - e")),
        ("Chinese and digits", "订单-1=a 订单-5=e", "", "", Refused(0, "a - - - e")),
        (
            "the same, with the column",
            "订单-1=a 订单-5=e",
            "",
            "--id-column 订单",
            Lands("a - - - e"),
        ),
        ("ids that stand in no row", "row_0=a row_7=x 订单-9=y", "", "", Lands("a - - - -")),
        (
            "two answers for a listed id",
            "订单-1=a",
            "订单-1=x 订单-2=b",
            "--id-column 订单",
            Refused(1, "x b - - -"),
        ),
        ("a failure is no answer", "row_0=a row_1=!x", "row_0=!x row_1=b", "", Lands("a b - - -")),
    ];
    for (what, first, second, flags, ends) in table {
        let dir = WorkDir::new();
        dir.write(
            "my table.csv",
            "key,订单,ref,text,n\nk-0,订单-1,row_7,p,70\nk-1,订单-2,request-9,q,71\n\
             k-2,订单-3,x,r,72\nk-3,订单-4,y,s,73\nk-4,订单-5,z,t,74\n",
        );
        results(&dir, "a.jsonl", first);
        let mut files = vec!["a.jsonl"];
        if !second.is_empty() {
            results(&dir, "b.jsonl", second);
            files.push("b.jsonl");
        }
        let run = dir.batchctl("merge").args(&files).args(&["--original-csv", "my table.csv"]);
        let run = run.args(&["-o", "out.csv", "--allow-partial"]);
        let output = run.args(&flags.split_whitespace().collect::<Vec<_>>()).run();
        let lands = match ends {
            Lands(lands) => {
                output.exits(0);
                lands
            }
            Refused(number, lands) => {
                assert!(!dir.path("out.csv").exists(), "{what}: nothing is written\n{output}");
                let lines = fixes(&output.exits(2));
                let line = lines.get(*number).unwrap_or_else(|| panic!("{what}: {lines:?}"));
                types(&dir, line).exits(0);
                lands
            }
        };
        let cells = dir.cells("out.csv");
        let answers = cells.column("response");
        let shown: Vec<_> = answers.iter().map(|a| if a.is_empty() { "-" } else { a }).collect();
        assert_eq!(shown.join(" "), **lands, "{what}");
        assert_eq!(cells.statuses().values().sum::<usize>(), 5, "{what}: P2");
    }
}

/// S1.13: what an id counts from is 0 or 1; ids of two kinds in one file are not told apart by it.
#[test]
fn s1_13_a_base_is_0_or_1_and_of_one_kind_of_ids() {
    let dir = WorkDir::new();
    dir.write("in.csv", "key,text\nk-0,p\nk-1,q\nk-2,r\n");
    results(&dir, "r.jsonl", "row_0=a row_1=b");
    results(&dir, "mixed.jsonl", "row_0=a 1=b");
    for (line, words) in [
        ("r.jsonl --id-base 2", "0 or 1 is wanted: what the first row of the table is called"),
        ("r.jsonl --id-base 0,7", "0 or 1 is wanted"),
        ("r.jsonl --id-base x", "0 or 1 is wanted"),
        ("mixed.jsonl --id-base 0", "with --id-column for its column of them"),
    ] {
        let run = dir.batchctl(&format!("merge {line} --original-csv in.csv -o out.csv")).run();
        run.exits(2).says(&[words]);
        assert!(!dir.path("out.csv").exists(), "{line}");
    }
}

/// S1.13, cli.md section 2: a column of the table is filled; what stands in it stays byte for
/// byte, and the account says how many cells were filled and how many are left.
#[test]
fn s1_13_fill_writes_only_empty_cells() {
    let dir = WorkDir::new();
    let table = "id,mood,note\r\n1,\"good\",x\r\n2,,y\r\n3,\"\",\r\n4, bad ,z\r\n5,,\r\n";
    dir.write("in.csv", table);
    results(&dir, "a.jsonl", "row_0=new row_1=two row_2=three");
    let line = "merge a.jsonl --original-csv in.csv --fill mood -o out.csv";
    dir.batchctl(line).run().exits(0).says(&[
        "Filled 2 empty cells of mood; 1 left empty",
        "1 answered row outside the selection",
        "3 rows: ok 2, unasked 1",
    ]);
    assert_eq!(
        dir.read("out.csv"),
        "id,mood,note,status,error,model\r\n1,\"good\",x,,,\r\n2,two,y,ok,,m\r\n3,three,,ok,,m\r\n\
         4, bad ,z,,,\r\n5,,,unasked,,\r\n"
    );
    let json = dir.batchctl(&format!("{line} --json")).run().exits(0).json();
    assert_eq!(json["filled"], serde_json::json!({"column": "mood", "filled": 2, "left": 1}));
    // A field of the answers may be what fills it.
    let answer = "{\\\"mood\\\":\\\"fine\\\",\\\"score\\\":3}";
    dir.write("f.jsonl", result("row_4", answer) + &result("row_0", answer));
    let line = "merge f.jsonl --original-csv in.csv --fill mood --json-fields mood,score -o f.csv";
    dir.batchctl(line).run().exits(0).says(&["Filled 1 empty cell of mood; 2 left empty"]);
    let cells = dir.cells("f.csv");
    assert_eq!(cells.column("mood"), ["good", "", "", " bad ", "fine"]);
    assert_eq!(cells.column("score"), ["", "", "", "", "3"]);
    for (flags, words) in [
        ("--fill moood", "did you mean `mood`?"),
        ("--fill note --json-fields mood", "-o no.csv --fill note --json-fields note"),
        ("--fill mood --response-column said", "--fill mood --response-column mood"),
        ("--fill nope", "--fill 'nope'"),
    ] {
        let line = format!("merge a.jsonl --original-csv in.csv -o no.csv {flags}");
        dir.batchctl(&line).run().exits(2).says(&[words]);
    }
    assert!(!dir.path("no.csv").exists());
}

/// S2.20: a conversation list with answers in it comes in again, all states included; what has an
/// answer keeps it, byte for byte.
#[test]
fn s2_20_s2_07_answers_of_an_exported_list_are_kept_and_the_rest_filled() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    let first = r#"{"messages": [{"role": "user", "content": "a"}], "response": "said 1.50"}"#;
    let second = r#"{"messages": [{"role": "user", "content": "b"}], "response": null}"#;
    dir.write("list.json", format!("[\n{first},\n{second}\n]\n"));
    let line = "workflow list.json out.json --skip-filled response --output-dir files";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    assert_eq!(sandbox.requests().len(), 1);
    let merge = "merge files/*.jsonl --original-csv list.json --fill response -o merged.json";
    dir.batchctl(merge).run().exits(0).says(&["Filled 1 empty cell of response; 0 left empty"]);
    for name in ["out.json", "merged.json"] {
        let text = dir.read(name);
        let start = first.strip_suffix('}').expect("an object");
        assert!(text.contains(start), "{name}: {text}");
        let written: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(written[1]["response"], "[sandbox] b", "{name}");
        assert_eq!(written[1]["status"], "ok", "{name}");
    }
}

/// Several jobs of one table, and files beside them: the newest good answer of each row; every
/// line is told by where it came from.
#[test]
fn s1_13_jobs_and_files_come_onto_one_table() {
    let sandbox = Sandbox::start();
    let dir = marked(6);
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run();
    run("workflow in.csv a.csv --end-row 3 --output-dir files").exits(0);
    let first = job_of(&dir);
    // The provider's time has whole seconds.
    thread::sleep(Duration::from_millis(1100));
    run("workflow in.csv b.csv --start-row 2 --prompt again:{input_text} -n 3").exits(0);
    let second = job_of(&dir);
    let line = format!("merge {first} {second} -o out.csv");
    let merged = dir.batchctl(&line).run().exits(0);
    merged.says(&[
        &format!("From job {first}: 3 lines, answers of 2 rows"),
        &format!("From job {second}: 3 lines, answers of 3 rows"),
        "1 surplus line",
        "Cost nothing was charged; would be",
    ]);
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("id"), ["1", "2", "3", "4", "5"]);
    let said = |row: usize, word: &str| format!("[sandbox] {word}marker {row}x");
    let expected =
        [said(0, ""), said(1, ""), said(2, "again:"), said(3, "again:"), said(4, "again:")];
    assert_eq!(cells.column("response"), expected);
    // The same from the files of one and the account of the other, whatever comes first.
    for line in [
        format!("merge {second} files/*.jsonl -o mixed.csv"),
        format!("merge files/*.jsonl {second} --original-csv -o mixed.csv"),
    ] {
        dir.batchctl(&line).run().exits(0);
        assert_eq!(dir.read("mixed.csv"), dir.read("out.csv"), "{line}");
    }
    // Onto a table that is named; the row that nobody asked about is no fault.
    let line = format!("merge {first} {second} --original-csv in.csv --end-row 6 -o all.csv");
    dir.batchctl(&line).run().exits(0).says(&["ok 5", "unasked 1"]);
    // And with the sources as JSON.
    let json = dir.batchctl(&format!("merge {first} {second} -o j.csv --json")).run().exits(0);
    let json = json.json();
    assert_eq!(json["sources"][1]["rows"], 3, "{json}");
    assert_eq!(json["files"]["lines"], 6, "{json}");
}

/// S1.13: what is good by the form of its own job is not judged by that of another one.
#[test]
fn s1_13_jobs_of_other_forms_are_refused_with_the_lines_that_say_which_counts() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    let run = |line: &str| at(&sandbox, dir.batchctl(line)).run();
    run("workflow in.csv a.csv --json-fields label,score").exits(0);
    let first = job_of(&dir);
    thread::sleep(Duration::from_millis(1100));
    run("workflow in.csv b.csv --json-fields mood").exits(0);
    let second = job_of(&dir);
    let line = format!("merge {first} {second} -o out.csv");
    let refused =
        dir.batchctl(&line).run().exits(2).says(&[&format!(
            "job {first} the fields label,score and job {second} the fields mood"
        )]);
    assert!(!dir.path("out.csv").exists(), "nothing is written");
    let lines = fixes(&refused);
    for (line, column) in lines.iter().zip(["mood", "label"]) {
        types(&dir, &format!("{line} --overwrite")).exits(0).says(&["ok 3"]);
        assert!(dir.cells("out.csv").column(column).iter().all(|cell| !cell.is_empty()), "{line}");
    }
    assert_eq!(lines.len(), 2, "{refused}");
    run("workflow in.csv c.csv").exits(0);
    let third = job_of(&dir);
    let refused = dir.batchctl(&format!("merge {third} {first} -o no.csv")).run().exits(2);
    types(&dir, &fixes(&refused)[0]).exits(0).says(&["ok 3"]);
}

/// S1.13: rows of a job that was sent from request files and goes on are waited for.
#[test]
fn s1_13_rows_of_a_job_of_request_files_that_goes_on_are_pending() {
    let sandbox = Sandbox::with(&["--batch-seconds", "30"]);
    let dir = marked(3);
    at(&sandbox, dir.batchctl("convert in.csv req.jsonl -m gpt-4o-mini")).run().exits(0);
    at(&sandbox, dir.batchctl("submit req.jsonl")).run().exits(0);
    let line = "merge last --original-csv in.csv -o out.csv";
    dir.batchctl(line).run().exits(3).says(&["pending 3"]);
    assert_eq!(dir.cells("out.csv").column("status"), ["pending"; 3]);
}

/// A job of another table is refused, with the lines that leave it out or write it apart.
#[test]
fn field_44_a_job_of_another_table_is_refused() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv a.csv")).run().exits(0);
    let first = job_of(&dir);
    dir.write("two.csv", "id,text\n7,one\n8,two\n");
    at(&sandbox, dir.batchctl("workflow two.csv b.csv")).run().exits(0);
    let second = job_of(&dir);
    let line = format!("merge {first} {second} --original-csv in.csv -o out.csv");
    let refused = dir.batchctl(&line).run().exits(2).says(&[
        &format!("0 of the 2 rows that job {second} asked about stand in in.csv"),
        &format!("batchctl merge {second}"),
    ]);
    assert!(!dir.path("out.csv").exists());
    types(&dir, &fixes(&refused)[0]).exits(0).says(&["ok 3"]);
    // Without a name the newest job's table is meant.
    dir.batchctl(&format!("merge {first} {second} -o out.csv --overwrite")).run().exits(2).says(&[
        &format!(
            "0 of the 3 rows that job {first} asked about stand in the table of the newest job"
        ),
    ]);
    dir.batchctl(&format!("merge {first} nothing -o out.csv")).run().exits(2);
}

/// Defect 11 of the tools before (an index alone merges wrongly once the table has changed): a
/// table that was sorted or edited since, by the account of its job, by files and by a manifest.
#[test]
fn s1_13_field_44_a_sorted_or_edited_table_keeps_each_answer_on_its_row() {
    let sandbox = Sandbox::start();
    let dir = marked(6);
    at(&sandbox, dir.batchctl("convert in.csv req.jsonl -m gpt-4o-mini")).run().exits(0);
    at(&sandbox, dir.batchctl("submit req.jsonl --wait --output-dir foreign")).run().exits(0);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --output-dir files")).run().exits(0);
    let job = job_of(&dir);
    let sources = [job.as_str(), "files/*.jsonl", "foreign/*.jsonl"];
    let row = |number: usize| format!("{},marker {}x\n", number, number - 1);
    // What became of the table, what is said of it, and the exit code.
    let table: [(&str, String, &str, i32); 5] = [
        ("sorted", [6, 5, 4, 3, 2, 1].map(row).concat(), "6 of its 6 rows stand elsewhere", 0),
        (
            "one added",
            ["0,new\n".to_owned()].into_iter().chain((1..7).map(row)).collect(),
            "6 of its 6 rows",
            0,
        ),
        ("one removed", [1, 2, 4, 5, 6].map(row).concat(), "1 row was edited or removed since", 3),
        (
            "one text edited",
            [1, 2, 3, 4, 5].map(row).concat() + "6,marker 6x\n",
            "1 row was edited",
            3,
        ),
        ("the same in other words", (1..7).map(row).collect::<String>() + "\n", "", 0),
    ];
    for (what, text, said, exit) in &table {
        dir.write("now.csv", format!("id,text\n{text}"));
        for source in sources {
            let line = format!("merge {source} --original-csv now.csv -o now.out.csv --overwrite");
            let run = dir.batchctl(&line).run().exits(*exit).says(&[said]);
            let cells = dir.cells("now.out.csv");
            for (text, (answer, status)) in cells
                .column("text")
                .iter()
                .zip(cells.column("response").iter().zip(cells.column("status")))
            {
                let wanted = match *text {
                    "new" | "marker 6x" => (String::new(), "unasked"),
                    text => (format!("[sandbox] {text}"), "ok"),
                };
                assert_eq!((answer.to_string(), status), wanted, "{what}, {source}\n{run}");
            }
            assert_eq!(cells.len(), text.trim_end().lines().count(), "{what}: P2");
        }
    }
}

/// The same where the table itself was sorted in place: its manifest has half of each row's hash.
#[test]
fn s1_13_a_table_sorted_in_place_is_known_by_its_manifest() {
    let dir = marked(5);
    let line = "convert in.csv req.jsonl -m gpt-4o-mini --start-row 1";
    dir.batchctl(line).run().exits(0);
    let ids = dir.read("req.jsonl");
    let ids = ids.lines().map(|line| {
        let request: serde_json::Value = serde_json::from_str(line).expect("JSON");
        request["custom_id"].as_str().expect("an id").to_owned()
    });
    let lines = ids.enumerate().map(|(at, id)| result(&id, &format!("answer {}", at + 1)));
    dir.write("r.jsonl", lines.collect::<String>());
    dir.write("in.csv", "text,id\nmarker 4x,5\nmarker 0x,1\nmarker 2x,3\nmarker 1x,2\nnew,9\n");
    let run = dir.batchctl("merge r.jsonl --original-csv").run().exits(3);
    run.says(&[
        "req.manifest.json: 2 of its 4 rows stand elsewhere now",
        "1 row was edited or removed since",
    ]);
    let cells = dir.cells("in.answers.csv");
    assert_eq!(cells.column("id"), ["5", "3", "2"], "the rows that were asked");
    assert_eq!(cells.column("response"), ["answer 4", "answer 2", "answer 1"]);
    dir.write("in.csv", "text\nmarker 1x\n");
    let run = dir.batchctl("merge r.jsonl --original-csv --overwrite").run().exits(2);
    run.says(&["the table has no column `id` any more", "as it was"]);
}

/// Columns that were added, moved or edited since say nothing of what was asked.
#[test]
fn s1_13_other_columns_may_change_and_the_answers_of_a_job_fill_its_own_output() {
    let sandbox = Sandbox::start();
    let dir = marked(4);
    let line = "workflow in.csv out.csv --end-row 2 --input-column text";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let line = "workflow in.csv rest.csv --start-row 2 --input-column text";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let rest = job_of(&dir);
    // The whole table with the answers of the first two rows, its columns in another order and
    // another numbering.
    let rows = (0..4).map(|row| {
        let said = if row < 2 { format!("[sandbox] marker {row}x") } else { String::new() };
        format!("{said},marker {row}x,{}\n", 100 - row)
    });
    dir.write("whole.csv", format!("response,text,id\n{}", rows.collect::<String>()));
    let line = format!("merge {rest} --original-csv whole.csv --fill response -o full.csv");
    dir.batchctl(&line).run().exits(0).says(&["Filled 2 empty cells of response; 0 left empty"]);
    let cells = dir.cells("full.csv");
    let expected: Vec<String> = (0..4).map(|row| format!("[sandbox] marker {row}x")).collect();
    assert_eq!(cells.column("response"), expected);
    assert_eq!(cells.column("status"), ["", "", "ok", "ok"]);
    // Without the column that was asked about there is nothing to go by.
    dir.write("bare.csv", "id\n1\n2\n3\n4\n");
    let line = format!("merge {rest} --original-csv bare.csv -o no.csv");
    dir.batchctl(&line).run().exits(2).says(&["job", "column `text`", "does not have"]);
}

/// A picture is part of what was asked: the answer about another one is no answer of its row, even
/// where the text is the same.
#[test]
fn s1_13_field_44_rows_of_one_text_and_other_pictures_are_not_taken_for_each_other() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("images");
    let table = |notes: [&str; 2], first: &str| {
        let [a, b] = notes;
        format!(
            "note,text,photo\n{a},same,images/{first}\n{b},same,images/house.png\n\
             c,same,images/chart.png\n"
        )
    };
    dir.write("in.csv", table(["a", "b"], "cat.png"));
    let line = "workflow in.csv out.csv --input-column text --image-column photo";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let job = job_of(&dir);
    // The first row has another picture, the second another note.
    dir.write("now.csv", table(["a", "other"], "fish.gif"));
    let line = format!("merge {job} --original-csv now.csv -o now.out.csv");
    dir.batchctl(&line).run().exits(3).says(&["1 row was edited or removed since"]);
    assert_eq!(dir.cells("now.out.csv").column("status"), ["unasked", "ok", "ok"]);
    assert_eq!(
        dir.cells("now.out.csv").column("response")[1..],
        dir.cells("out.csv").column("response")[1..]
    );
}

/// A job that filled a column fills it in the sorted table too, and overwrites nothing there.
#[test]
fn s1_13_a_filling_job_fills_the_sorted_table() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text,mood\na,\nb,fine\nc,\nd,\n");
    let line = "workflow in.csv out.csv --input-column text --skip-filled mood";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let job = job_of(&dir);
    dir.write("now.csv", "text,mood\nd,\nc,by hand\nb,fine\na,\n");
    let line = format!("merge {job} --original-csv now.csv -o now.out.csv");
    dir.batchctl(&line).run().exits(0).says(&["Filled 2 empty cells of mood; 0 left empty"]);
    let cells = dir.cells("now.out.csv");
    assert_eq!(cells.column("mood"), ["[sandbox] d", "by hand", "fine", "[sandbox] a"]);
}

/// Our ids of a job that another home knows, and ids of others beside those of a job.
#[test]
fn s1_13_ids_of_an_unknown_job_and_mixed_with_others() {
    let sandbox = Sandbox::start();
    let dir = marked(3);
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --end-row 2 --output-dir files"))
        .run()
        .exits(0);
    let job = job_of(&dir);
    results(&dir, "rest.jsonl", "row_0=zero row_2=two");
    let merge = format!("merge {job} rest.jsonl --original-csv in.csv -o all.csv");
    let refused = dir.batchctl(&merge).run().exits(2).says(&["ids of two kinds"]);
    types(&dir, &fixes(&refused)[0]).exits(0);
    let cells = dir.cells("all.csv");
    assert_eq!(cells.column("response")[1..], ["[sandbox] marker 1x", "two"]);
    // In another home nothing is known of the job.
    let other = marked(3);
    for name in dir.files().iter().filter(|name| name.as_str() == "files") {
        let entry = fs::read_dir(dir.path(name)).expect("a folder").flatten().next();
        other.write("raw.jsonl", fs::read(entry.expect("a file").path()).expect("results"));
    }
    let line = "merge raw.jsonl --original-csv in.csv -o o.csv";
    other.batchctl(line).run().exits(0).says(&["nothing is known here of job", "ok 2, unasked 1"]);
    let cells = other.cells("o.csv");
    assert_eq!(cells.column("response")[..2], ["[sandbox] marker 0x", "[sandbox] marker 1x"]);
}

/// Rows with equal cells ask the same; none of their answers goes astray when they move.
#[test]
fn s1_13_equal_rows_share_their_answer_wherever_they_stand() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "id,text\n1,same\n1,same\n2,other\n");
    at(&sandbox, dir.batchctl("workflow in.csv out.csv --input-column text")).run().exits(0);
    let job = job_of(&dir);
    dir.write("now.csv", "id,text\n2,other\n1,same\n1,same\n1,same\n");
    let line = format!("merge {job} --original-csv now.csv -o now.out.csv");
    dir.batchctl(&line).run().exits(0);
    let cells = dir.cells("now.out.csv");
    let (other, same) = ("[sandbox] other", "[sandbox] same");
    assert_eq!(cells.column("response"), [other, same, same, ""]);
    assert_eq!(cells.column("status"), ["ok", "ok", "ok", "unasked"]);
}

/// S0.31: every answer is on disk as soon as it comes, and a killed run goes on from there. What a
/// progress file was for is the job's own result files, which `merge` reads at any time.
#[test]
fn s0_31_progress_is_kept_as_it_comes_and_resumed_from() {
    let sandbox = Sandbox::start();
    let dir = marked(6);
    // One shard after the other: a queue that has room for no more.
    let line = "workflow in.csv out.csv --set max_shard_requests=2 --set max_enqueued_tokens=40";
    let mut run = at(&sandbox, dir.batchctl(line)).start();
    let results = |dir: &WorkDir| {
        let jobs = dir.home().join("jobs");
        let jobs = fs::read_dir(jobs).into_iter().flatten().flatten();
        let files = jobs.filter_map(|job| fs::read_dir(job.path().join("results")).ok()).flatten();
        files.flatten().filter(|file| file.path().extension().is_some_and(|e| e == "jsonl")).count()
    };
    while results(&dir) == 0 && run.is_running() {
        thread::sleep(Duration::from_millis(2));
    }
    run.child.kill().expect("it runs");
    run.end();
    let job = job_of(&dir);
    at(&sandbox, dir.batchctl("resume last")).run().exits(0).says(&["ok 6"]);
    let rows = "merge last --start-row 1 --end-row 5 -o merged.csv";
    dir.batchctl(rows).run().exits(0).says(&["4 rows: ok 4"]);
    assert_eq!(sandbox.requests().len(), 6, "nothing was asked twice");
    let folder = job_folder(&dir, &job).join("results");
    assert_eq!(fs::read_dir(folder).expect("its results").count(), 3, "a file for each batch");
}

/// A text of the user's own stands where texts too long for a cell would go: it stays, whether it
/// is one of the results or not; what was written there before is written anew.
#[test]
fn b13_nobodys_file_is_replaced_by_long_cells() {
    let dir = WorkDir::new();
    dir.write("t.csv", "id\n1\n");
    let long = result("row_0", &"a".repeat(40_000));
    dir.write("r.long-cells.jsonl", &long);
    dir.write("u.long-cells.jsonl", "precious\n");
    let merge = |output: &str| {
        let line = format!("merge r.long-cells.jsonl --original-csv t.csv -o {output}");
        dir.batchctl(&line).run().exits(0)
    };
    merge("r.xlsx --overwrite").says(&["r.long-cells-2.jsonl"]);
    merge("u.xlsx").says(&["u.long-cells-2.jsonl"]);
    merge("u.xlsx").says(&["u.long-cells-2.jsonl"]);
    assert_eq!(dir.read("r.long-cells.jsonl"), long);
    assert_eq!(dir.read("u.long-cells.jsonl"), "precious\n");
    let beside = dir.files().into_iter().filter(|name| name.contains("long-cells-"));
    assert_eq!(beside.collect::<Vec<_>>(), ["r.long-cells-2.jsonl", "u.long-cells-2.jsonl"]);
    merge("u.xlsx --overwrite").says(&["u.long-cells.jsonl"]);
    assert!(dir.read("u.long-cells.jsonl").contains("aaa"));
}

/// What the command reads is never its output, under whatever name, and what is no file is not
/// replaced by one.
#[test]
fn what_is_read_and_what_is_no_file_is_never_replaced() {
    let dir = WorkDir::new();
    dir.write("t.csv", "id\n1\n");
    results(&dir, "a.jsonl", "row_0=new");
    let schema = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#;
    dir.write("s.json", schema);
    fs::hard_link(dir.path("a.jsonl"), dir.path("linked.jsonl")).expect("one file system");
    std::os::unix::fs::symlink("s.json", dir.path("other.json")).expect("a link");
    let pipe = std::process::Command::new("mkfifo").arg(dir.path("pipe")).status();
    assert!(pipe.expect("mkfifo runs").success());
    for (flags, said) in [
        ("-o a.jsonl", "OUTPUT a.jsonl is a result file itself"),
        ("-o linked.jsonl", "is a result file itself"),
        ("-o s.json --json-schema s.json", "OUTPUT s.json is the JSON schema itself"),
        ("-o other.json --json-schema s.json", "is the JSON schema itself"),
        ("-o t.csv", "is the input itself"),
        ("-o pipe", "is a device or a pipe, not a file"),
        ("-o /dev/full", "is a device or a pipe, not a file"),
    ] {
        let line = format!("merge a.jsonl --original-csv t.csv {flags} --overwrite");
        dir.batchctl(&line).run().exits(2).says(&[said]);
    }
    dir.write("p.txt", "{id}");
    dir.batchctl("workflow t.csv p.txt --prompt-file p.txt --overwrite")
        .env("OPENAI_API_KEY", "sk-never-used")
        .run()
        .exits(2)
        .says(&["OUTPUT p.txt is the prompt itself"]);
    assert_eq!(dir.read("s.json"), schema);
    assert!(dir.read("a.jsonl").contains("row_0"));
}

/// What `--overwrite` replaced once is not ours when somebody puts it back.
#[test]
fn a_file_that_was_put_back_is_kept() {
    let dir = WorkDir::new();
    dir.write("t.csv", "id\n1\n");
    results(&dir, "a.jsonl", "row_0=new");
    let merge = || dir.batchctl("merge a.jsonl --original-csv t.csv -o q.csv");
    merge().run().exits(0);
    let edited = dir.read("q.csv") + "precious\n";
    dir.write("q.csv", &edited);
    merge().run().exits(2);
    merge().arg("--overwrite").run().exits(0);
    dir.write("q.csv", &edited);
    merge().run().exits(2).says(&["was changed since batchctl wrote it"]);
    assert_eq!(dir.read("q.csv"), edited);
}
