//! Tables as they are, through the whole program: workbooks, samples, columns that are filled,
//! ragged rows, encodings that answers do not fit.

use std::collections::BTreeSet;
use std::path::Path;

use calamine::{Data, Reader, Xlsx, open_workbook};

use crate::support::outcome::{keeps_originals, records};
use crate::support::runs::{at, marked};
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

/// All values of a workbook's first sheet.
fn values(path: &Path) -> Vec<Vec<Data>> {
    let mut workbook: Xlsx<_> = open_workbook(path).expect("a workbook");
    let sheet = workbook.worksheet_range_at(0).expect("a sheet").expect("cells");
    sheet.rows().map(<[Data]>::to_vec).collect()
}

fn text(text: &str) -> Data {
    Data::String(text.to_owned())
}

/// B13: a workbook of `LibreOffice` comes back as a workbook beside it, its own cells with their
/// types, and the job goes on from the text it keeps.
#[test]
fn b13_a_workbook_in_and_out() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("tables/workbook.xlsx");
    let line = "workflow workbook.xlsx --input-column 评论";
    let run = at(&sandbox, dir.batchctl(line)).run();
    // The cell of one row is empty: it is skipped, and that is exit 3.
    run.exits(3).says(&["read sheet `评论 2026`", "an error such as #N/A", "1 merged area"]);
    let rows = values(&dir.path("workbook.answers.xlsx"));
    assert_eq!(rows[0][0], text("id"));
    assert_eq!(rows[0][12..14], [text("response"), text("status")]);
    assert_eq!(rows[1][0], text("110101199003070012"));
    assert_eq!(rows[1][4], Data::Float(12.5));
    assert!(matches!(rows[1][2], Data::DateTime(_)), "{:?}", rows[1][2]);
    assert_eq!(rows[1][12], text("[sandbox] 很好，下次再来"));
    assert_eq!(rows.len(), 5);
    // Another look costs nothing; the job's copy is text.
    let again = format!("{line} -o other.csv");
    at(&sandbox, dir.batchctl(&again)).run().exits(3);
    assert!(
        dir.read("other.csv")
            .contains("110101199003070012,很好，下次再来,2026-11-21,,12.5,12.34%,00042,")
    );
    assert_eq!(sandbox.created(), 1);
    let wrong = at(&sandbox, dir.batchctl("workflow workbook.xlsx --sheet nope")).run();
    wrong.exits(2).says(&["has no sheet `nope`", "`other`"]);
    let other = "workflow workbook.xlsx other.xlsx --sheet other";
    at(&sandbox, dir.batchctl(other)).run().exits(0);
    assert_eq!(
        values(&dir.path("other.xlsx"))[1][..2],
        [text("second sheet"), text("[sandbox] second sheet")]
    );
}

/// S0.30: a drawing is the same each time, keeps the table's order, and comes after conditions
/// and before the maximum.
#[test]
fn s0_30_a_sample_of_the_rows() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    let mut table = "id,kind,text\n".to_owned();
    for row in 0..40 {
        table.push_str(&format!("{row},{},t{row}\n", if row % 2 == 0 { "even" } else { "odd" }));
    }
    dir.write("in.csv", table);
    let drawn = |flags: &str| {
        let line = format!("workflow in.csv out.csv --overwrite {flags}");
        at(&sandbox, dir.batchctl(&line)).run().exits(0);
        let ids = dir.cells("out.csv");
        let ids: Vec<u32> =
            ids.column("id").iter().map(|id| id.parse().expect("a number")).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        ids
    };
    let ten = drawn("--sample 10");
    assert_eq!(ten.len(), 10);
    assert_eq!(drawn("--sample 10 --seed 0"), ten);
    assert_ne!(drawn("--sample 10 --seed 1"), ten);
    assert_eq!(drawn("--sample 10 -n 3"), ten[..3]);
    let odd = drawn("--sample 10 --where kind=odd");
    assert!(odd.len() == 10 && odd.iter().all(|id| id % 2 == 1), "{odd:?}");
    assert_eq!(drawn("--sample 99").len(), 40);
    assert!(drawn("--sample 5 --start-row 30").iter().all(|id| *id >= 30));
    let all = drawn("--sample 4 --all-rows");
    assert_eq!(all.len(), 40);
}

/// Rows that have an answer are not asked and not touched; the others get theirs into the column.
#[test]
fn skip_filled_asks_the_empty_rows_and_writes_into_the_column() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write(
        "in.csv",
        "id,text,mood,note\r\n1,a,\"good\",x\r\n2,b,,y\r\n3,c,\"\",\r\n4,d, bad ,z\r\n5,e, ,\r\n",
    );
    let line = "workflow in.csv out.csv --input-column text --skip-filled mood";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    assert_eq!(
        dir.read("out.csv")
            .lines()
            .map(|line| line.split(",sandbox").next().unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n")
            .replace(",ok,", ",ok"),
        "id,text,mood,note,status,error,model\n1,a,\"good\",x,,,\n2,b,[sandbox] b,y,ok\n3,c,[sandbox] c,,ok\n4,d, bad ,z,,,\n5,e,[sandbox] e,,ok",
        "a cell of blanks is empty"
    );
    let asked: BTreeSet<String> = sandbox
        .requests()
        .iter()
        .map(|request| request["custom_id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(asked.len(), 3);
    // The answers go on where they ended: nothing is left to ask.
    let jsonl = "{\"text\": \"a\", \"mood\": null}\n{\"text\": \"b\", \"mood\": \"so\"}\n{\"text\": \"c\"}\n";
    dir.write("in.jsonl", jsonl);
    let line = "workflow in.jsonl out.jsonl --input-column text --skip-filled mood";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let written = dir.read("out.jsonl");
    let lines: Vec<&str> = written.lines().collect();
    assert!(
        lines[0].starts_with("{\"text\": \"a\", \"mood\": \"[sandbox] a\", \"status\": "),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with("{\"text\": \"b\", \"mood\": \"so\", \"status\": null"),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].starts_with("{\"text\": \"c\", \"mood\": \"[sandbox] c\", \"status\": "),
        "{}",
        lines[2]
    );
    for (flags, words) in [
        ("--skip-filled moood", "did you mean `mood`?"),
        ("--skip-filled mood --json-fields score", "name one of --json-fields `mood`"),
        ("--skip-filled mood --response-column said", "leave out --response-column"),
    ] {
        let line = format!("workflow in.csv no.csv --input-column text {flags}");
        at(&sandbox, dir.batchctl(&line)).run().exits(2).says(&[words]);
    }
}

/// With fields, the column is one of them.
#[test]
fn skip_filled_with_fields_fills_the_field_of_that_name() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text,score\n{\"score\": 4},\n{\"score\": 5},9\n");
    let line =
        "workflow in.csv out.csv --input-column text --skip-filled score --json-fields score";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    let cells = dir.cells("out.csv");
    assert_eq!(cells.header()[..3], ["text", "score", "raw_response"]);
    assert_eq!(cells.column("score")[1], "9");
}

/// B13: ragged rows by setting, to the end.
#[test]
fn b13_ragged_rows_are_an_error_padded_or_skipped() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text,n\na,1\nb\nc,3,surplus\n");
    let line = "workflow in.csv out.csv --overwrite --input-column text";
    at(&sandbox, dir.batchctl(line)).run().exits(2).says(&["row 1 (line 3)", "ragged=pad"]);
    at(&sandbox, dir.batchctl(&format!("{line} --set ragged=pad"))).run().exits(0);
    let padded = dir.read("out.csv");
    assert!(padded.contains("\nb,,[sandbox] b,ok,"), "{padded}");
    assert!(padded.contains("\nc,3,[sandbox] c,ok,") && padded.contains(",surplus\n"), "{padded}");
    at(&sandbox, dir.batchctl(&format!("{line} --set ragged=skip"))).run();
    let skipped = dir.read("out.csv");
    assert!(skipped.contains("\nb,,,skipped,1 cell where the header has 2"), "{skipped}");
}

/// B13, field 68: a GB18030 table comes back with every one of its own cells as it was, byte for
/// byte, four-byte characters and line breaks in cells included, and its answers in GB18030.
#[test]
fn b13_field_68_a_gb18030_table_is_unharmed() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.fixture("tables/reviews-gb18030.csv");
    let text = "编号,文本,文本,\r\n0001,\"很好，下次\n再来\",\"说\"\"好\"\"\",x\r\n0002,\u{20087}字四字节,，\u{3000},|\r\n";
    dir.write("odd.csv", encoding_rs::GB18030.encode(text).0);
    for (name, line) in [
        ("reviews-gb18030.csv", "workflow reviews-gb18030.csv out.csv --overwrite --prompt 好"),
        ("odd.csv", "workflow odd.csv out.csv --overwrite --input-column 编号 --prompt 好{编号}"),
    ] {
        at(&sandbox, dir.batchctl(line)).run().exits(0);
        let (original, written) = (dir.bytes(name), dir.bytes("out.csv"));
        let rows: Vec<usize> = (0..records(&original).len() - 1).collect();
        keeps_originals(&original, &written, &rows, b',');
        let ends = |bytes: &[u8]| bytes.windows(2).filter(|two| two == b"\r\n").count();
        assert_eq!(ends(&written), rows.len() + 1, "{name}: every line ends as in the input");
        let (read, _, wrong) = encoding_rs::GB18030.decode(&written);
        assert!(!wrong && read.contains("[sandbox] 好"), "{name}: {read}");
    }
}

/// B13, field 68: answers that code page 936 has no character for make the table UTF-8 with BOM,
/// and the character is named.
#[test]
fn b13_field_68_emoji_in_the_answers_of_a_gb18030_table() {
    let dir = WorkDir::new();
    let rules = "[[rule]]\nreply = '{\"mood\": \"好👍\", \"why\": \"=很好\"}'\n";
    let rules = dir.write("rules.toml", rules);
    let script = format!("script:{}", rules.display());
    let sandbox = Sandbox::with(&["--batch-seconds", "0.3", "--answers", &script]);
    dir.fixture("tables/reviews-gb18030.csv");
    let line = "workflow reviews-gb18030.csv out.csv --json-fields mood,why";
    let run = at(&sandbox, dir.batchctl(line)).run();
    run.exits(0).says(&["out.csv is written as UTF-8 with BOM", "Excel opens", "GBK has no `👍`"]);
    let written = dir.bytes("out.csv");
    assert!(written.starts_with(b"\xef\xbb\xbf"));
    let original = dir.bytes("reviews-gb18030.csv");
    let original = encoding_rs::GB18030.decode(&original).0.into_owned();
    let rows: Vec<usize> = (0..records(original.as_bytes()).len() - 1).collect();
    keeps_originals(original.as_bytes(), &written[3..], &rows, b',');
    let cells = dir.cells("out.csv");
    assert!(cells.column("mood").iter().all(|mood| *mood == "好👍"));
    assert!(cells.column("why").iter().all(|why| *why == "'=很好"), "only the answer is changed");
}

/// The record ends that old programs write, through the whole program.
#[test]
fn b13_a_table_whose_lines_end_with_a_return_alone() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "\u{feff}id;text\r1;\"a;b\"\r2;=c\r");
    let line = "workflow in.csv out.csv --all-rows --end-row 1";
    at(&sandbox, dir.batchctl(line)).run().exits(0);
    assert_eq!(
        dir.read("out.csv"),
        "\u{feff}id;text;response;status;error;model\r1;\"a;b\";\"[sandbox] a;b\";ok;;sandbox-gpt-4o\r2;=c;;;;\r"
    );
}

/// A cell of more than a mebibyte is named before anything is sent.
#[test]
fn b13_a_giant_cell_is_named() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", format!("id,text\n1,a\n2,{}\n", "x".repeat((1 << 20) + 1)));
    let run = at(&sandbox, dir.batchctl("workflow in.csv out.csv --dry-run")).run();
    run.says(&["row 1 (line 3) has a cell of more than 1 MiB"]);
}

/// Columns that occur twice are kept, and a question that names one is refused.
#[test]
fn b13_a_question_may_not_name_a_column_that_occurs_twice() {
    let sandbox = Sandbox::start();
    let dir = WorkDir::new();
    dir.write("in.csv", "text,a,a,\nx,1,2,3\n");
    let run =
        at(&sandbox, dir.batchctl("workflow in.csv out.csv")).arg("-p").arg("{text} {a}").run();
    run.exits(2).says(&["`a`"]);
    let run = at(&sandbox, dir.batchctl("workflow in.csv out.csv")).arg("-p").arg("{text}").run();
    run.exits(0);
    assert!(dir.read("out.csv").starts_with("text,a,a,,response,"));
}

/// A table of many rows through a workbook keeps each answer on its row.
#[test]
fn b13_answers_stay_on_their_rows_through_a_workbook() {
    let sandbox = Sandbox::start();
    let dir = marked(30);
    at(&sandbox, dir.batchctl("workflow in.csv middle.xlsx")).run().exits(0);
    let rows = values(&dir.path("middle.xlsx"));
    assert_eq!(rows.len(), 31);
    at(
        &sandbox,
        dir.batchctl("workflow middle.xlsx out.csv --input-column text --response-column said"),
    )
    .run()
    .exits(0);
    let cells = dir.cells("out.csv");
    assert_eq!(cells.column("response"), cells.column("said"));
}
