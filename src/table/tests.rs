//! Tables from bytes to bytes: cases people bring, and properties for any table.

mod any;
mod encodings;
mod odd;

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
