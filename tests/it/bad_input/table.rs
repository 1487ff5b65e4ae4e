//! Tables that are none, or not the ones that were meant.

use insta::assert_snapshot;

use super::{folder, said, sandboxed, say};

/// Writes bytes as `t.csv` and asks about them.
fn ask(bytes: &[u8]) -> String {
    ask_as("t.csv", bytes)
}

fn ask_as(name: &str, bytes: &[u8]) -> String {
    let dir = folder();
    dir.write(name, bytes);
    let text = said(sandboxed(&dir, &format!("workflow {name} out.csv")));
    assert!(!dir.path("out.csv").exists(), "nothing may be written\n{text}");
    text
}

#[test]
fn a_table_that_is_missing_names_the_one_that_was_meant() {
    let dir = folder();
    assert_snapshot!(say(&dir, "workflow im.csv out.csv --provider sandbox"), @r"
    exit 2
    error: the table im.csv is not there
      fix: did you mean in.csv?
    ");
    dir.write("deep/reviews.csv", "text\na\n");
    assert_snapshot!(say(&dir, "workflow deep/review.csv out.csv --provider sandbox"), @r"
    exit 2
    error: the table deep/review.csv is not there
      fix: did you mean deep/reviews.csv?
    ");
    assert_snapshot!(say(&dir, "workflow something-else.csv --provider sandbox"), @r"
    exit 2
    error: the table something-else.csv is not there
      there are: in.csv
    ");
    assert_snapshot!(say(&dir, "workflow deep --provider sandbox"), @r"
    exit 2
    error: deep is a folder, not a table
    ");
    assert_snapshot!(say(&dir, "workflow --provider sandbox"), @r"
    exit 2
    error: no table was named
      fix: batchctl workflow in.csv out.csv
    ");
}

#[test]
fn a_table_without_rows() {
    assert_snapshot!(ask(b""), @r"
    exit 2
    error: t.csv is empty: a table starts with a header line
    ");
    assert_snapshot!(ask(b"\n\n"), @r"
    exit 2
    error: t.csv is empty: a table starts with a header line
    ");
    assert_snapshot!(ask(b"id,text\n"), @r"
    exit 2
    asks: column `text`
    error: [DIR]/t.csv has a header and no rows
    ");
    assert_snapshot!(ask_as("t.json", b"[]"), @r"
    exit 2
    error: t.json holds no rows
    ");
    assert_snapshot!(ask_as("t.jsonl", b""), @r"
    exit 2
    error: t.jsonl is empty: a table starts with a header line
    ");
}

#[test]
fn files_that_are_no_tables() {
    assert_snapshot!(ask(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), @r"
    exit 2
    error: t.csv is a PNG image, not a table: name a table that has the image's path in a column
    ");
    assert_snapshot!(ask(b"PK\x03\x04\x14\x00\x06\x00xl/workbook.xml"), @r"
    exit 2
    error: t.csv cannot be read as a workbook: Zip error: invalid Zip archive: Could not find EOCD: is the file complete? open it in Excel and save it again
    ");
    assert_snapshot!(ask_as("t.xlsx", b"PK\x03\x04\x14\x00\x06\x00xl/workbook.xml"), @r"
    exit 2
    error: t.xlsx cannot be read as a workbook: Zip error: invalid Zip archive: Could not find EOCD: is the file complete? open it in Excel and save it again
    ");
    assert_snapshot!(ask(b"id,text\n1,a\x00b\n"), @r"
    exit 2
    error: t.csv: line 2 contains a NUL byte: this is a binary file, or UTF-16 without a byte order mark (--encoding utf-16le); save it as CSV UTF-8
    ");
    assert_snapshot!(ask(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), @r"
    exit 2
    error: t.csv is compressed with gzip, not a table: unpack it first
    ");
}

#[test]
fn tables_with_a_fault_in_a_row() {
    assert_snapshot!(ask(b"id,text\n1,\"fine\"\n2,\"open\n3,x\n"), @r#"
    exit 2
    error: t.csv: row 1 (line 3): the quote that opens cell 2 (column `text`) is never closed: write "" for a quote inside a quoted cell, or remove it
    "#);
    assert_snapshot!(ask(b"id,text\n1,a\n2,b,c\n"), @r"
    exit 2
    error: t.csv: row 1 (line 3) has 3 cells where the header has 2: check its quotes and delimiters, or use --set ragged=pad or --set ragged=skip
    ");
    assert_snapshot!(ask_as("t.jsonl", b"{\"text\":\"a\"}\nnot json\n"), @r"
    exit 2
    error: t.jsonl: row 1 (line 2): not a JSON object: `not json` is no value (character 1); texts stand in double quotes
    ");
    assert_snapshot!(ask_as("t.json", b"[{\"text\":\"a\"}, {\"text\":"), @r"
    exit 2
    error: t.json: row 1 (line 1): the file ends inside this element: is it complete?
    ");
    assert_snapshot!(ask_as("t.json", b"\"text\""), @r"
    exit 2
    error: t.json: row 0 (line 1): a JSON table starts with `[`
    ");
}

#[test]
fn text_in_an_encoding_that_cannot_be_guessed() {
    assert_snapshot!(ask(b"id,text\n1,\xff\xfe\xfa\x81\n"), @r"
    exit 2
    error: t.csv: line 2 is not UTF-8 text: with --encoding latin1 it reads `1,ÿþú`; if that is wrong, name the right encoding or save the table as CSV UTF-8
    ");
    assert_snapshot!(ask(b"id,text\n1,caf\xe9 au lait\n2,gar\xe7on\n"), @r"
    exit 2
    error: t.csv: line 2 is not UTF-8 text: with --encoding latin1 it reads `1,café au lait`; if that is wrong, name the right encoding or save the table as CSV UTF-8
    ");
    let dir = folder();
    assert_snapshot!(say(&dir, "workflow in.csv out.csv --provider sandbox --encoding gbq"), @r"
    exit 2
    error: unknown encoding `gbq`: try utf-8, gb18030, gbk, utf-16le, big5, shift_jis or latin1
    ");
    dir.write("latin.csv", b"id,text\n1,caf\xe9 au lait\n");
    sandboxed(&dir, "workflow latin.csv out.csv --encoding latin1").run().exits(0);
    assert!(dir.bytes("out.csv").starts_with(b"id,text,response,status,error,model\n1,caf\xe9 "));
}

#[test]
fn a_result_file_given_as_the_table() {
    let line =
        br#"{"id":"b1","custom_id":"row_0","response":{"status_code":200,"body":{}},"error":null}"#;
    assert_snapshot!(ask_as("t.jsonl", line), @r"
    exit 2
    error: t.jsonl holds results of a batch, not a table to ask about
      fix: batchctl merge t.jsonl --original-csv TABLE
    ");
}
