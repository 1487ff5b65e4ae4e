//! Files with something wrong or unusual in them.

use super::*;

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
            "in.csv: row 1 (line 5) has 1 cell where the header has 2",
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
            assert_eq!(*first, (0, "1 cell where the header has 3".to_owned()));
        }
        assert_eq!(desk.answered(&table, "out.csv", |_| ()).text(), expected);
    }
}
