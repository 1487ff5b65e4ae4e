//! The user's own records as JSON, for documents that hold more than the table.

use super::emit::Emit;
use super::{Row, Table};

/// Makes JSON objects of the records of one table.
#[derive(Debug)]
pub struct AsJson(Emit);

impl AsJson {
    /// For the records of this table.
    pub fn new(table: &Table) -> Self {
        Self(Emit::of_lines(table.layout()))
    }

    /// Appends a record on one line: as it stands in a JSON table, else its cells by the names of
    /// their columns, all of them strings. An array of messages is an object that holds it.
    pub fn push(&mut self, row: &Row, out: &mut Vec<u8>) {
        self.0.record(row, &[], out);
        while out.ends_with(b"\n") || out.ends_with(b"\r") {
            out.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::ReadOptions;

    /// S2.20: whatever the table was, a record of it is one JSON object.
    #[test]
    fn s2_20_records_of_all_tables_are_objects() {
        let table = [
            ("in.csv", "a,,a\r\n1,\"x\n=y\",你\r\n", r#"{"a":"1","column_2":"x\n=y","a_3":"你"}"#),
            ("in.jsonl", "{\"a\": 1.50, \"b\": [1, 2]}\r\n", r#"{"a": 1.50, "b": [1, 2]}"#),
            ("in.json", "[\n  {\n    \"a\": 1\n  }\n]\n", r#"{"a": 1}"#),
            ("in.json", r#"[[{"role":"user"}]]"#, r#"{"messages": [{"role":"user"}]}"#),
        ];
        for (name, text, expected) in table {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let table = Table::open(&path, &ReadOptions::default(), folder.path()).unwrap();
            let mut out = Vec::new();
            let mut rows = table.rows().unwrap();
            AsJson::new(&table).push(rows.next_row().unwrap().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{name}");
        }
    }
}
