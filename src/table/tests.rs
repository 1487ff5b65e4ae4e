//! Tables from bytes to bytes: cases people bring, and properties for any table.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn open_with(
        &self,
        name: &str,
        bytes: impl AsRef<[u8]>,
        options: &ReadOptions,
    ) -> Result<Table, TableError> {
        Table::open(&self.put(name, bytes), options, &self.path("scratch"))
    }

    fn open(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<Table, TableError> {
        self.open_with(name, bytes, &ReadOptions::default())
    }

    /// What opening or reading says, without the folder's name.
    fn error(&self, name: &str, bytes: impl AsRef<[u8]>, options: &ReadOptions) -> String {
        let error = match self.open_with(name, bytes, options) {
            Err(error) => error,
            Ok(table) => read(&table).expect_err("the table should not be readable"),
        };
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// Writes the table with one answer `n:<row>` a row and gives the bytes back.
    fn answered(&self, table: &Table, name: &str, change: impl Fn(&mut WriteOptions)) -> Output {
        let path = self.path(name);
        let mut options = WriteOptions::like(table, Some(&path));
        change(&mut options);
        let target = Target::Path(path.clone());
        let mut writer = Writer::create(target, table, &["answer".into()], &options).unwrap();
        let mut rows = table.rows().unwrap();
        while let Some(row) = rows.next_row().unwrap() {
            let answer = format!("n:{}", row.number());
            writer.write(row, &[Cell::Model(&answer)]).unwrap();
        }
        let written = writer.finish().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(written.digest, crate::base::hex(&bytes));
        Output { bytes, notes: written.notes }
    }
}

struct Output {
    bytes: Vec<u8>,
    notes: Vec<String>,
}

impl Output {
    fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap()
    }
}

fn read(table: &Table) -> Result<Vec<Vec<String>>, TableError> {
    let mut rows = table.rows()?;
    let mut all = Vec::new();
    while let Some(row) = rows.next_row()? {
        all.push(row.cells().map(str::to_owned).collect());
    }
    Ok(all)
}

fn encode(text: &str, label: &str) -> Vec<u8> {
    let encoding = Encoding::for_label(label).unwrap();
    let mut bytes = Vec::new();
    encode::Encode::new(encoding, true).push(text, true, &mut bytes).unwrap();
    bytes
}

fn marked(text: &str, label: &str) -> Vec<u8> {
    let encoding = Encoding::for_label(label).unwrap();
    [encoding.mark(), &encode(text, label)].concat()
}

const CHINESE: &str =
    "类别,文本\n好评,\"这家餐厅的菜很好吃，服务也不错\"\n差评,\"等了很久,没人管\"\n";

#[test]
fn b13_every_encoding_reads_the_same_and_is_written_back_as_it_was() {
    let desk = Desk::new();
    let table: [(&str, Vec<u8>, Option<&str>, &str); 10] = [
        ("utf-8", encode(CHINESE, "utf-8"), None, "UTF-8"),
        ("utf-8 mark", marked(CHINESE, "utf-8"), None, "UTF-8"),
        ("utf-16le mark", marked(CHINESE, "utf-16le"), None, "UTF-16LE"),
        ("utf-16be mark", marked(CHINESE, "utf-16be"), None, "UTF-16BE"),
        ("utf-16be by family", marked(CHINESE, "utf-16be"), Some("utf-16"), "UTF-16BE"),
        ("utf-16le said", encode(CHINESE, "utf-16le"), Some("utf-16le"), "UTF-16LE"),
        ("gb18030 found", encode(CHINESE, "gb18030"), None, "gb18030"),
        ("gbk said", encode(CHINESE, "gbk"), Some("gbk"), "GBK"),
        ("big5 said", encode("a,b\n中,文\n", "big5"), Some("big5"), "Big5"),
        ("latin1 said", encode("a,b\nKöln,é\n", "latin1"), Some("latin1"), "windows-1252"),
    ];
    for (name, bytes, label, expected) in table {
        let options = ReadOptions { encoding: label.map(String::from), ..ReadOptions::default() };
        let table = desk.open_with("in.csv", &bytes, &options).unwrap();
        assert_eq!(table.shape().encoding.name(), expected, "{name}");
        // What was found by looking is said, what the user said is not.
        let told = table.notes().iter().any(|note| note.starts_with("read "));
        let is_found = label.is_none() && !expected.to_lowercase().starts_with("utf-8");
        assert_eq!(told, is_found, "{name}");
        let cells = read(&table).unwrap();
        if cells.len() == 2 {
            assert_eq!(cells[1], ["差评", "等了很久,没人管"], "{name}");
        }
        let output = desk.answered(&table, "out.csv", |_| ());
        assert_eq!(output.notes, [""; 0], "{name}");
        // Each record stands in the output as it was: taking the answers away gives the input.
        let encoding = table.shape().encoding;
        let plain = |bytes: &[u8]| encoding.0.decode_with_bom_removal(bytes).0.into_owned();
        let mut kept = plain(&output.bytes);
        for added in [",answer", ",n:0", ",n:1"] {
            kept = kept.replacen(added, "", 1);
        }
        assert_eq!(kept, plain(&bytes), "{name}");
        let starts = output.bytes.starts_with(encoding.mark());
        assert_eq!(starts, bytes.starts_with(encoding.mark()), "{name}");
    }
}

#[test]
fn b13_an_encoding_that_cannot_hold_the_answers_becomes_utf8_with_a_mark() {
    let desk = Desk::new();
    let four_bytes = CHINESE.replace('好', "😀好");
    let table = [
        ("gbk holds", encode(CHINESE, "gbk"), "gbk", "中€", None),
        ("gbk lacks", encode(CHINESE, "gbk"), "gbk", "=👍", Some('👍')),
        ("user's own four bytes stay", encode(&four_bytes, "gb18030"), "gb18030", "中", None),
        ("latin1 lacks", encode("a\nKöln\n", "latin1"), "latin1", "中", Some('中')),
        ("utf-16 holds all", marked("a\nb\n", "utf-16le"), "utf-16le", "👍", None),
    ];
    for (name, bytes, label, answer, lacking) in table {
        let options = ReadOptions { encoding: Some(label.into()), ..ReadOptions::default() };
        let table = desk.open_with("in.csv", &bytes, &options).unwrap();
        let path = desk.path("out.csv");
        let options = WriteOptions::like(&table, None);
        let target = Target::Path(path.clone());
        let mut writer = Writer::create(target, &table, &["x".into()], &options).unwrap();
        let mut rows = table.rows().unwrap();
        while let Some(row) = rows.next_row().unwrap() {
            writer.write(row, &[Cell::Model(answer)]).unwrap();
        }
        let written = writer.finish().unwrap();
        let bytes = fs::read(path).unwrap();
        assert_eq!(written.digest, crate::base::hex(&bytes), "{name}");
        if let Some(character) = lacking {
            assert!(bytes.starts_with(b"\xef\xbb\xbf"), "{name}");
            assert!(str::from_utf8(&bytes).unwrap().contains(answer), "{name}");
            let note: &String = &written.notes[0];
            assert!(note.contains("UTF-8 with BOM") && note.contains(character), "{note}");
            continue;
        }
        assert_eq!(written.notes, [""; 0], "{name}");
        let (text, _, wrong) = table.shape().encoding.0.decode(&bytes);
        assert!(!wrong && text.contains(answer), "{name}: {text}");
    }
}

#[test]
fn b13_wrong_files_say_where_and_what_to_do() {
    let desk = Desk::new();
    let plain = ReadOptions::default();
    let asked = |label: &str| ReadOptions { encoding: Some(label.into()), ..plain.clone() };
    let with = |delimiter| ReadOptions { delimiter: Some(delimiter), ..plain.clone() };
    let latin1 = encode("city,country\nK\u{f6}ln,Deutschland\n", "latin1");
    let french = encode("a,b\n1,2\ncaf\u{e9},x\n", "latin1");
    let damaged = [CHINESE.as_bytes(), b"\xe4\xb8,x\n", CHINESE.as_bytes()].concat();
    let table: Vec<(&str, Vec<u8>, ReadOptions, &str)> = vec![
        ("in.csv", b"".into(), plain.clone(), "in.csv is empty"),
        ("in.csv", b"\xef\xbb\xbf\n \n".into(), plain.clone(), "in.csv is empty"),
        ("in.jsonl", b"\n\n".into(), plain.clone(), "in.jsonl is empty"),
        ("in.xlsx", b"PK\x03\x04....".into(), plain.clone(), "no Excel workbook"),
        ("in.xls", b"\xd0\xcf\x11\xe0....".into(), asked("gbk"), "old Excel workbook"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0".into(), plain.clone(), "column"),
        ("in.csv", b"a,b\n1,\x002\n".into(), plain.clone(), "line 2 contains a NUL byte"),
        ("in.csv", encode("ab,cd\n12,34\n", "utf-16le"), plain.clone(), "--encoding utf-16le"),
        ("in.csv", encode("ab,cd\n12,34\n", "utf-16be"), plain.clone(), "--encoding utf-16be"),
        (
            "in.csv",
            latin1.clone(),
            plain.clone(),
            "line 2 is not UTF-8 and may be read in two ways: `K鰈n,Deutschland` with --encoding gb18030, `Köln,Deutschland` with --encoding latin1",
        ),
        (
            "in.csv",
            french,
            plain.clone(),
            "line 3 is not UTF-8 text: with --encoding latin1 it reads `café,x`",
        ),
        (
            "in.csv",
            damaged.clone(),
            plain.clone(),
            "line 4 is not UTF-8 text: what stands before is",
        ),
        ("in.csv", latin1, asked("utf-8"), "line 2 is not UTF-8 text"),
        ("in.csv", b"a\nb\n\xff\xff\n".into(), asked("gbk"), "line 3 is not GBK text"),
        ("in.csv", b"a\n".into(), asked("klingon"), "unknown encoding `klingon`"),
        ("in.csv", b"a,b\n".into(), with('，'), "cannot be a delimiter"),
        (
            "in.csv",
            b"a,b\n1,2\n3,\"x\ny,z\n".into(),
            plain.clone(),
            "in.csv: row 1 (line 3): the quote that opens cell 2 (column `b`) is never closed",
        ),
        (
            "in.csv",
            b"a,\"b\n1,2\n".into(),
            plain.clone(),
            "in.csv: header (line 1): the quote that opens cell 2 is never closed",
        ),
        (
            "in.csv",
            b"a,b\n\n\"1\n1\",2\n3\n".into(),
            plain.clone(),
            "in.csv: row 1 (line 5) has 1 cells where the header has 2",
        ),
        ("in.csv", b"a,b\n1,2,3\n".into(), plain.clone(), "row 0 (line 2) has 3 cells"),
        (
            "in.jsonl",
            b"{\"a\":1}\n\n{\"a\":}\n".into(),
            plain.clone(),
            "in.jsonl: row 1 (line 3): not a JSON object: `}` is no value (character 6)",
        ),
        (
            "in.jsonl",
            b"{\"a\":1}\n7\n".into(),
            plain.clone(),
            "row 1 (line 2): not a JSON object: invalid type: integer `7`",
        ),
        (
            "in.json",
            b"[\n{\"a\":1},\n{\"a\":2}\n".into(),
            plain.clone(),
            "in.json: row 2 (line 4): the file ends before the closing `]`",
        ),
        (
            "in.json",
            b"[\n{\"a\":1},\n[7,]\n]".into(),
            plain.clone(),
            "row 1 (line 3): not a JSON object: `]` is no value (character 4)",
        ),
        ("in.json", b"{\n \"a\": 1\n}\n".into(), plain.clone(), "a single JSON object"),
    ];
    for (name, bytes, options, expected) in table {
        let error = desk.error(name, &bytes, &options);
        assert!(error.contains(expected), "{name}: {error}\nexpected: {expected}");
    }
    let missing = Table::open(&desk.path("no.csv"), &plain, &desk.path("scratch")).unwrap_err();
    assert!(missing.to_string().contains("No such file"), "{missing}");
    let folder = Table::open(desk.folder.path(), &plain, &desk.path("scratch")).unwrap_err();
    assert!(folder.to_string().contains("is a folder"), "{folder}");
}

#[test]
fn b13_header_only_is_a_table_and_odd_headers_are_kept() {
    let desk = Desk::new();
    let table = desk.open("in.csv", "a,a,,Content of P*").unwrap();
    assert_eq!(table.headers(), ["a", "a", "", "Content of P*"]);
    assert!(read(&table).unwrap().is_empty());
    assert_eq!(desk.answered(&table, "out.csv", |_| ()).text(), "a,a,,Content of P*,answer\n");
    assert_eq!(desk.answered(&table, "out.json", |_| ()).text(), "[]\n");
    let table = desk.open("in.json", "[]").unwrap();
    assert!(table.headers().is_empty() && read(&table).unwrap().is_empty());
}

#[test]
fn delimiters_line_ends_and_excels_sep_line_are_kept() {
    let desk = Desk::new();
    let table = [
        ("in.csv", "a;b\r\n1,5;2\r\n", "a;b;answer\r\n1,5;2;n:0\r\n"),
        ("in.tsv", "a\tb\n1,5\t2", "a\tb\tanswer\n1,5\t2\tn:0\n"),
        ("in.csv", "a|b\r1|2\r", "a|b|answer\r1|2|n:0\r"),
        ("in.csv", "sep=;\r\na;b\r\n1;\"2\"", "sep=;\r\na;b;answer\r\n1;\"2\";n:0\r\n"),
        ("in.csv", "a,b\n\n 1,\"2\"x\r\n\n3,4", "a,b,answer\n 1,\"2\"x,n:0\r\n3,4,n:1\n"),
        ("in.csv", "\u{feff}a\n\"\"\n", "\u{feff}a,answer\n\"\",n:0\n"),
        ("in.txt", "a\tb\n1\t2\n", "a\tb\tanswer\n1\t2\tn:0\n"),
    ];
    for (name, given, expected) in table {
        let table = desk.open(name, given).unwrap();
        assert_eq!(desk.answered(&table, name, |_| ()).text(), expected, "{given:?}");
    }
}

#[test]
fn ragged_rows_are_padded_or_marked_and_shift_nothing() {
    let desk = Desk::new();
    let given = "a,b,c\n1\n1,2,3,,\n1,2,\"3\",\"4\",5\n1,2,3\n";
    let expected = "a,b,c,answer\n1,,,n:0\n1,2,3,n:1\n1,2,\"3\",n:2,\"4\",5\n1,2,3,n:3\n";
    for ragged in [Ragged::Pad, Ragged::Skip] {
        let options = ReadOptions { ragged, ..ReadOptions::default() };
        let table = desk.open_with("in.csv", given, &options).unwrap();
        let mut rows = table.rows().unwrap();
        let mut faults = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            assert_eq!((row.len(), row.cell(0)), (3, "1"));
            faults.extend(row.fault().map(|fault| (row.number(), fault.to_string())));
        }
        assert_eq!(faults.len(), if ragged == Ragged::Skip { 3 } else { 0 });
        if let Some(first) = faults.first() {
            assert_eq!(*first, (0, "1 cells where the header has 3".to_owned()));
        }
        assert_eq!(desk.answered(&table, "out.csv", |_| ()).text(), expected);
    }
}

#[test]
fn s2_07_json_tables_of_all_kinds_get_their_answers_inside() {
    let desk = Desk::new();
    let message = r#"[{"role": "user", "content": "hi"}]"#;
    let bare = format!("[\n{message},\n  {message}\n]\n");
    let bare_out = format!(
        "[\n{{\"messages\": {message}, \"answer\": \"n:0\"}},\n{{\"messages\": {message}, \"answer\": \"n:1\"}}\n]\n"
    );
    let objects = format!("[{{\"messages\":{message}}}]");
    let objects_out = format!("[\n{{\"messages\":{message}, \"answer\": \"n:0\"}}\n]\n");
    let table: Vec<(&str, &str, &[&str], &str)> = vec![
        ("in.json", &bare, &["messages"], &bare_out),
        ("in.json", &objects, &["messages"], &objects_out),
        (
            "in.jsonl",
            "{\"a\":1}\r\n\r\n{}\r\n{\"b\" : \"x\"} ",
            &["a", "b"],
            "{\"a\":1,\"answer\":\"n:0\"}\r\n{\"answer\":\"n:1\"}\r\n{\"b\" : \"x\",\"answer\":\"n:2\"}\r\n",
        ),
        (
            "in.json",
            "[\n  {\n    \"a\": 1\n  }\n]",
            &["a"],
            "[\n{\n    \"a\": 1,\n    \"answer\": \"n:0\"\n  }\n]\n",
        ),
        (
            "in.jsonl",
            "{\"body\":{\"model\":\"m\"},\"custom_id\":\"x\",\"answer\":1}\n",
            &["custom_id", "method", "url", "body", "answer"],
            "{\"body\":{\"model\":\"m\"},\"custom_id\":\"x\",\"answer\":1,\"answer_batchctl\":\"n:0\"}\n",
        ),
    ];
    for (name, given, headers, expected) in table {
        let table = desk.open(name, given).unwrap();
        assert_eq!(table.headers(), headers, "{given}");
        let output = desk.answered(&table, &format!("out-{name}"), |_| ());
        assert_eq!(output.text(), expected, "{given}");
    }
    let table = desk.open("in.json", &bare).unwrap();
    assert_eq!(read(&table).unwrap()[1], [message]);
    let table = desk.open("r.jsonl", "{\"custom_id\":\"x\",\"body\":{\"a\":[1]}}").unwrap();
    assert_eq!(table.shape().format, Format::Requests);
    assert_eq!(read(&table).unwrap()[0], ["x", "", "", "{\"a\":[1]}"]);
}

#[test]
fn s0_12_formats_are_converted_by_the_name_of_the_output() {
    let desk = Desk::new();
    let csv = "a,a,\n=1,\"x\"\"y\",\n";
    let json = "[{\"a\": \"x,y\", \"b\": [1],\n \"c\": null}]";
    let table = [
        (
            "in.csv",
            csv,
            "out.jsonl",
            "{\"row_index\":0,\"a\":\"=1\",\"a_2\":\"x\\\"y\",\"column_3\":\"\",\"answer\":\"n:0\"}\n",
        ),
        ("in.csv", csv, "out.tsv", "row_index\ta\ta\t\tanswer\n0\t=1\t\"x\"\"y\"\t\tn:0\n"),
        ("in.csv", csv, "out.csv", "row_index,a,a,,answer\n0,=1,\"x\"\"y\",,n:0\n"),
        ("in.json", json, "out.csv", "row_index,a,b,c,answer\n0,\"x,y\",[1],,n:0\n"),
        (
            "in.json",
            json,
            "out.jsonl",
            "{\"row_index\": 0, \"a\": \"x,y\", \"b\": [1],\"c\": null, \"answer\": \"n:0\"}\n",
        ),
    ];
    for (name, given, output, expected) in table {
        let table = desk.open(name, given).unwrap();
        let got = desk.answered(&table, output, |options| options.row_index = true);
        assert_eq!(got.text(), expected, "{name} to {output}");
    }
    // A GBK table becomes UTF-8 JSON, and a UTF-8 table becomes GBK where that is asked.
    let table = desk.open("in.csv", encode(CHINESE, "gbk")).unwrap();
    let got = desk.answered(&table, "out.jsonl", |_| ());
    assert!(got.text().starts_with("{\"类别\":\"好评\""));
    let table = desk.open("in.csv", CHINESE).unwrap();
    let got = desk.answered(&table, "out.csv", |options| options.encoding = Some("gbk".into()));
    assert!(encoding_rs::GBK.decode(&got.bytes).0.contains("差评,\"等了很久,没人管\",n:1\n"));
    let got = desk.answered(&table, "out.csv", |options| options.bom = Some(true));
    assert!(got.bytes.starts_with(b"\xef\xbb\xbf\xe7"));
}

#[test]
fn added_cells_are_named_and_typed() {
    let desk = Desk::new();
    let table = desk.open("in.csv", "status,status_batchctl\nx,y\n").unwrap();
    let names = ["status", "n", "list", "note"].map(String::from);
    let value = json!(["=a", -1]);
    for (name, expected) in [
        (
            "out.csv",
            "status,status_batchctl,status_batchctl2,n,list,note\nx,y,ok,-1,\"[\"\"=a\"\",-1]\",'=1+1\n",
        ),
        (
            "out.jsonl",
            "{\"status\":\"x\",\"status_batchctl\":\"y\",\"status_batchctl2\":\"ok\",\"n\":-1,\"list\":[\"=a\",-1],\"note\":\"=1+1\"}\n",
        ),
    ] {
        let path = desk.path(name);
        let options = WriteOptions::like(&table, Some(&path));
        let mut writer =
            Writer::create(Target::Path(path.clone()), &table, &names, &options).unwrap();
        assert_eq!(writer.columns()[0], "status_batchctl2");
        let mut rows = table.rows().unwrap();
        let minus = json!(-1);
        let cells = [Cell::Ours("ok"), Cell::Json(&minus), Cell::Json(&value), Cell::Model("=1+1")];
        writer.write(rows.next_row().unwrap().unwrap(), &cells).unwrap();
        let written = writer.finish().unwrap();
        assert!(written.notes[0].contains("`status` is written as `status_batchctl2`"));
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
    }
}

#[test]
fn a_row_is_found_again_by_its_position_and_a_table_by_its_shape() {
    let desk = Desk::new();
    let bare = "[\n[{\"role\":1}],\n\n[{\"role\":2}]]";
    for (name, given) in [
        ("in.csv", "\u{feff}sep=,\na,b\n\"1\n\",2\n\n3,4\n"),
        ("in.jsonl", "{\"a\":1}\n\n{\"a\":\"x\\n\"}"),
        ("in.json", bare),
    ] {
        let table = desk.open(name, given).unwrap();
        let stored = serde_json::to_string(table.shape()).unwrap();
        let copy = desk.path("copy");
        fs::copy(table.text_path(), &copy).unwrap();
        let shape = serde_json::from_str(&stored).unwrap();
        let again = Table::reopen(table.source_path(), &copy, &shape).unwrap();
        let mut rows = table.rows().unwrap();
        let mut count = 0;
        while let Some(row) = rows.next_row().unwrap() {
            let mut there = again.rows_from(row.position()).unwrap();
            let found = there.next_row().unwrap().unwrap();
            assert_eq!(
                (found.raw(), found.line(), found.hash()),
                (row.raw(), row.line(), row.hash())
            );
            assert_eq!((found.number(), row.number()), (count, count));
            count += 1;
        }
        assert_eq!(count, 2, "{name}");
        assert_eq!(read(&again).unwrap(), read(&table).unwrap());
    }
}

#[test]
fn records_longer_than_the_buffer_are_read_and_the_hash_ignores_quoting() {
    let desk = Desk::new();
    let long = "长\"".repeat(400_000);
    let quoted = format!("a,b\n\"{}\",x\nc,\"d\"\nc,d\n", long.replace('"', "\"\""));
    let table = desk.open("in.csv", quoted).unwrap();
    assert_eq!(read(&table).unwrap()[0], [long.as_str(), "x"]);
    let mut rows = table.rows().unwrap();
    let mut hash = || rows.next_row().unwrap().unwrap().hash();
    let (first, second, third) = (hash(), hash(), hash());
    assert_eq!(second, third);
    assert_ne!(first, second);
    assert_eq!(Row::from_cells(0, 0, &["c", "d"]).hash(), third);
    assert_ne!(Row::from_cells(0, 0, &["cd", ""]).hash(), third);
}

fn any_cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 ]{0,12}",
        "[a,;\"\n\r\t| 中文=']{0,10}",
        any::<String>().prop_map(|s| s.replace('\0', "")),
    ]
}

fn any_table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..5).prop_flat_map(|columns| {
        prop::collection::vec(prop::collection::vec(any_cell(), columns), 2..8)
    })
}

/// A table as the `csv` crate reads it.
fn as_csv_reads(bytes: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(bytes);
    reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn b13_any_table_keeps_its_cells_and_its_bytes(
        cells in any_table(),
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        last_ends in any::<bool>(),
    ) {
        let mut given = Vec::new();
        for (index, record) in cells.iter().enumerate() {
            for (place, cell) in record.iter().enumerate() {
                if place > 0 { given.push(delimiter); }
                cell::push_delimited(cell, delimiter, record.len() == 1, &mut given);
            }
            if last_ends || index + 1 < cells.len() { given.extend_from_slice(end.as_bytes()); }
        }
        // A mark or a `sep=` line at the start is not content.
        prop_assume!(!given.starts_with(b"\xef\xbb\xbf") && sniff::sep_line(str::from_utf8(&given).unwrap()).is_none());
        prop_assume!(!str::from_utf8(&given).unwrap().trim().is_empty());
        prop_assume!(encoding::foreign(&given).is_none());
        let desk = Desk::new();
        let options = ReadOptions {
            delimiter: Some(char::from(delimiter)),
            format: Some(Format::Csv),
            ..ReadOptions::default()
        };
        let table = desk.open_with("in.csv", &given, &options).unwrap();
        prop_assert_eq!(table.headers(), &cells[0][..]);
        prop_assert_eq!(&read(&table).unwrap()[..], &cells[1..]);

        let output = desk.answered(&table, "out.csv", |_| ());
        let written = as_csv_reads(&output.bytes, delimiter);
        let name = table.headers().contains(&"answer".to_owned());
        prop_assume!(!name);
        for (index, record) in cells.iter().enumerate() {
            let answer = if index == 0 { "answer".to_owned() } else { format!("n:{}", index - 1) };
            let mut expected = record.clone();
            expected.push(answer);
            prop_assert_eq!(&written[index], &expected);
        }
        prop_assert_eq!(written.len(), cells.len());

        // Byte for byte: each record is found in the output as it was written.
        let mut rows = table.rows().unwrap();
        let mut kept = table.layout().header.clone();
        let first = if table.shape().terminator == Terminator::Lf && end != "\n" { "\n" } else { end };
        kept.push(char::from(delimiter));
        kept.push_str("answer");
        kept.push_str(first);
        while let Some(row) = rows.next_row().unwrap() {
            kept.push_str(row.raw());
            kept.push(char::from(delimiter));
            kept.push_str("n:");
            kept.push_str(&row.number().to_string());
            kept.push_str(end);
        }
        prop_assert_eq!(output.bytes, kept.into_bytes());
    }

    #[test]
    fn b13_the_scanner_agrees_with_csv_on_any_text(
        text in "[ab,;\"\n\r\t 中]{0,60}",
        cut in 0_usize..60,
    ) {
        let mut spans = Vec::new();
        let mut rest = text.as_bytes();
        let mut ours: Vec<Vec<String>> = Vec::new();
        let mut unclosed = false;
        loop {
            // What is found in a part of the bytes is found in all of them.
            let part = &rest[..cut.min(rest.len())];
            let early = scan::record(part, false, b',', &mut spans);
            let found = scan::record(rest, true, b',', &mut spans);
            if early != scan::Found::More {
                prop_assert_eq!(early, found);
            }
            match found {
                scan::Found::Record { start, end, next, .. } => {
                    let raw = str::from_utf8(&rest[start..end]).unwrap();
                    ours.push(spans.iter().map(|span| {
                        let mut out = String::new();
                        scan::unescape(&raw[span.start..span.end], span.form, &mut out);
                        out
                    }).collect());
                    rest = &rest[next..];
                }
                scan::Found::End => break,
                _ => { unclosed = true; break; }
            }
        }
        let theirs = as_csv_reads(text.as_bytes(), b',');
        if unclosed {
            prop_assert_eq!(&ours[..], &theirs[..ours.len()]);
            prop_assert_eq!(theirs.len(), ours.len() + 1);
        } else {
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn s2_07_any_json_rows_keep_their_values(
        rows in prop::collection::vec(prop::collection::btree_map("[a-z\"\\\\中]{1,3}", any_value(), 0..4), 1..6),
        pretty in any::<bool>(),
        array in any::<bool>(),
    ) {
        let rows: Vec<Value> = rows.into_iter().map(|row| json!(row)).collect();
        let desk = Desk::new();
        let given = match (array, pretty) {
            (true, true) => serde_json::to_string_pretty(&rows).unwrap(),
            (true, false) => serde_json::to_string(&rows).unwrap(),
            (false, _) => {
                let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
                lines.join("\n")
            }
        };
        let name = if array { "in.json" } else { "in.jsonl" };
        let table = desk.open(name, given).unwrap();
        let cells = read(&table).unwrap();
        prop_assert_eq!(cells.len(), rows.len());
        for (row, cells) in rows.iter().zip(&cells) {
            for (header, cell) in table.headers().iter().zip(cells) {
                let expected = match row.get(header) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(value) => serde_json::from_str::<Value>(cell).map(|v| { assert_eq!(v, *value); cell.clone() }).unwrap(),
                };
                prop_assert_eq!(cell, &expected);
            }
        }
        for output in ["out.json", "out.jsonl"] {
            let text = desk.answered(&table, output, |_| ()).text().to_owned();
            let got: Vec<Value> = if output == "out.json" {
                serde_json::from_str(&text).unwrap()
            } else {
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
            };
            for (index, (row, got)) in rows.iter().zip(&got).enumerate() {
                let mut expected = row.clone();
                expected["answer"] = json!(format!("n:{index}"));
                prop_assert_eq!(got, &expected);
            }
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::collection::vec("[\\[\\]{}\",\\\\a\n]{0,4}", 0..3).prop_map(|list| json!(list)),
        "[a:]{0,3}".prop_map(|text| json!({ "b": text })),
    ]
}

/// Not a test of right or wrong: prints how long a million rows take.
#[test]
#[ignore = "a measurement, for release builds"]
#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn b14_speed_of_a_million_rows() {
    use std::io::Write;
    let desk = Desk::new();
    let path = desk.path("in.csv");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    file.write_all(b"id,category,text,note,score\n").unwrap();
    for i in 0..1_000_000_u32 {
        let text = if i % 3 == 0 {
            "这家餐厅的菜很好吃，服务也不错，下次还来。环境一般，价格偏贵。"
        } else {
            "The food was good and the service was quick, we will come again soon enough"
        };
        writeln!(file, "{i},\"cat{}\",\"{text}\nsecond \"\"line\"\" of the text, with more of it to come\",plain note number {i} that goes on for a while and then some more of it,{}", i % 7, i % 100).unwrap();
    }
    file.flush().unwrap();
    drop(file);
    let size = fs::metadata(&path).unwrap().len();
    for _ in 0..3 {
        let start = Instant::now();
        let table = Table::open(&path, &ReadOptions::default(), &desk.path("scratch")).unwrap();
        let opened = start.elapsed();
        let start = Instant::now();
        let mut rows = table.rows().unwrap();
        let mut count = 0_u64;
        while let Some(row) = rows.next_row().unwrap() {
            count += row.len() as u64;
        }
        let scanned = start.elapsed();
        let start = Instant::now();
        let mut rows = table.rows().unwrap();
        let mut sum = 0_u64;
        while let Some(row) = rows.next_row().unwrap() {
            sum ^= row.hash();
        }
        let hashed = start.elapsed();
        let start = Instant::now();
        desk.answered(&table, "out.csv", |_| ());
        let written = start.elapsed();
        println!(
            "{size} bytes, {count} cells, {sum:x}: open {opened:?}, scan {scanned:?}, scan+hash {hashed:?}, scan+write {written:?}"
        );
    }
}
