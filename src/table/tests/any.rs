//! Any table at all.

use super::*;

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

/// An encoding, whether a mark comes first, and cells that it has characters for; some of them end
/// in a byte that is a delimiter.
fn any_encoded() -> impl Strategy<Value = (&'static str, bool, Vec<Vec<String>>)> {
    let kinds: Vec<(&str, bool, &str)> = vec![
        ("utf-8", false, "[a-z|,;\"\n\r\t 中é\u{a0}😀＝]{0,8}"),
        ("utf-8", true, "[a-z|,;\"\n\r\t 中é\u{a0}😀＝]{0,8}"),
        ("utf-16le", true, "[a-z|,;\"\n\r\t 中é⠊਀，😀]{0,8}"),
        ("utf-16be", true, "[a-z|,;\"\n\r\t 中é⠊਀，😀]{0,8}"),
        ("utf-16le", false, "[a-z|,;\"\n\r\t 中é⠊਀，😀]{0,8}"),
        ("gb18030", false, "[a-z|,;\"\n\r\t 中文亅亅莬丂€é😀\u{20087}]{0,8}"),
        ("gbk", false, "[a-z|,;\"\n\r\t 中文亅莬丂€]{0,8}"),
        ("big5", false, "[a-z|,;\"\n\r\t 中文功許蓋]{0,8}"),
        ("shift_jis", false, "[a-z|,;\"\n\r\t 中文ソ表ボ]{0,8}"),
        ("latin1", false, "[a-z|,;\"\n\r\t éÿ€\u{a0}]{0,8}"),
    ];
    (prop::sample::select(kinds), 1_usize..4).prop_flat_map(
        |((label, is_marked, cell), columns)| {
            let rows = prop::collection::vec(prop::collection::vec(cell, columns), 2..6);
            (Just(label), Just(is_marked), rows)
        },
    )
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

    /// Whatever encoding, mark, delimiter and line end: the output is the input, each record byte
    /// for byte, with the answer behind it.
    #[test]
    fn b13_any_table_in_any_encoding_keeps_its_bytes(
        (label, is_marked, cells) in any_encoded(),
        delimiter in prop::sample::select(vec![',', ';', '\t', '|']),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        last_ends in any::<bool>(),
    ) {
        let record = |cells: &[String], answer: Option<&str>| {
            let mut record = Vec::new();
            for (place, cell) in cells.iter().enumerate() {
                if place > 0 { record.push(delimiter as u8); }
                cell::push_delimited(cell, delimiter as u8, cells.len() == 1, &mut record);
            }
            let record = String::from_utf8(record).unwrap();
            answer.map_or(record.clone(), |answer| format!("{record}{delimiter}{answer}"))
        };
        let records: Vec<String> = cells.iter().map(|cells| record(cells, None)).collect();
        let text = records.join(end) + if last_ends { end } else { "" };
        prop_assume!(sniff::sep_line(&text).is_none() && !records[0].trim().is_empty());
        prop_assume!(!cells[0].contains(&"answer".to_owned()));
        let put = |text: &str| if is_marked { marked(text, label) } else { encode(text, label) };
        let desk = Desk::new();
        let options = ReadOptions {
            encoding: Some(label.to_owned()),
            delimiter: Some(delimiter),
            format: Some(Format::Csv),
            ..ReadOptions::default()
        };
        let given = put(&text);
        prop_assume!(encoding::foreign(&given).is_none());
        let table = desk.open_with("in.csv", given, &options).unwrap();
        prop_assert_eq!(table.headers(), &cells[0][..]);
        prop_assert_eq!(&read(&table).unwrap()[..], &cells[1..]);
        let answered = |(row, cells): (usize, &Vec<String>)| {
            let answer = if row == 0 { "answer".to_owned() } else { format!("n:{}", row - 1) };
            record(cells, Some(&answer)) + end
        };
        let expected: String = cells.iter().enumerate().map(answered).collect();
        let output = desk.answered(&table, "out.csv", |_| ());
        prop_assert_eq!(output.bytes, put(&expected), "{} {:?}", label, text);
        prop_assert_eq!(output.notes, [""; 0]);
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
