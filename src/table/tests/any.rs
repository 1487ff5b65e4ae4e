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
