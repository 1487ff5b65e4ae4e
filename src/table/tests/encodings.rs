//! Encodings, read and written back.

use super::*;

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
