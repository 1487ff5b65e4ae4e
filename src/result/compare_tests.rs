use std::convert::Infallible;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::answer::{Fields, Wanted};
use crate::result::{ColumnOptions, Columns};
use crate::table::{ReadOptions, Target, WriteOptions};

/// A table with one answer for each of its rows; `-` is a failed one.
struct Bench {
    folder: tempfile::TempDir,
    table: Table,
    settled: Vec<Settled>,
    fields: Option<Fields>,
    is_of_each: bool,
}

impl Bench {
    fn new(table: &str, fields: Option<&str>, answers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        std::fs::write(&path, table).unwrap();
        let table = Table::open(&path, &ReadOptions::default(), folder.path()).unwrap();
        let (mut text, mut settled) = (String::new(), Vec::new());
        for (row, answer) in (0..).zip(answers) {
            if *answer == "-" {
                settled.push(Settled::new(row, Some(RowStatus::Expired)));
                continue;
            }
            let line = json!({"custom_id": format!("row_{row}"), "response": {"status_code": 200,
                "body": {"choices": [{"message": {"content": answer}, "finish_reason": "stop"}]}}});
            let line = line.to_string();
            let length = u32::try_from(line.len()).unwrap();
            let place = Place { artifact: 0, offset: text.len() as u64, length };
            settled.push(Settled { place: Some(place), ..Settled::new(row, Some(RowStatus::Ok)) });
            text += &(line + "\n");
        }
        std::fs::write(folder.path().join("results.jsonl"), text).unwrap();
        let fields = fields.map(|fields| Fields::parse(fields).unwrap());
        Self { folder, table, settled, fields, is_of_each: false }
    }

    fn artifacts(&self) -> Artifacts {
        Artifacts::new(vec![self.folder.path().join("results.jsonl")])
    }

    fn wanted(&self) -> Wanted<'_> {
        if self.is_of_each {
            Wanted::of_each(self.fields.as_ref(), None)
        } else {
            self.fields.as_ref().into()
        }
    }

    fn settled(&self) -> impl Iterator<Item = Result<Settled, Infallible>> {
        self.settled.clone().into_iter().map(Ok)
    }
}

fn join<'a>(bench: &'a Bench, selection: &'a Selection, columns: &'a Columns) -> Join<'a> {
    Join {
        table: &bench.table,
        selection,
        columns,
        wanted: bench.wanted(),
        unsettled: RowStatus::Pending,
        all_rows: false,
        defaults: None,
        only: &[],
        provider: "",
    }
}

/// What was found, and the table of differences.
fn compared(
    (a, b): (&Bench, &Bench),
    fields: &[Compared],
    reference: Option<&Reference>,
) -> (Pairs, Comparison, String) {
    let all = Selection::default();
    let (of_a, of_b): (Vec<usize>, Vec<usize>) =
        common_columns(&a.table, &b.table).into_iter().unzip();
    let pairs = Pairs::find(
        &row_hashes(&a.table, &all, &of_a).unwrap(),
        &row_hashes(&b.table, &all, &of_b).unwrap(),
    );
    let columns = [a, b].map(|side| Columns::new(side.wanted(), &ColumnOptions::default()));
    let (mut from_a, mut from_b) = (a.artifacts(), b.artifacts());
    let path = a.folder.path().join("differences.csv");
    let names = difference_columns(fields, reference.is_some());
    let options = WriteOptions::like(&a.table, Some(Path::new("x.csv")));
    let target = Target::Path(path.clone());
    let mut writer = Writer::create(target, &a.table, &names, &options).unwrap();
    let found = compare(
        (Side { join: join(a, &all, &columns[0]), artifacts: &mut from_a }, a.settled()),
        (Side { join: join(b, &all, &columns[1]), artifacts: &mut from_b }, b.settled()),
        &pairs,
        (fields, reference),
        Some(&mut writer),
    );
    writer.finish().unwrap();
    (pairs, found.unwrap(), std::fs::read_to_string(path).unwrap())
}

const TABLE: &str = "id,text,truth\r\n1,one,good\r\n2,\"two, too\",bad\r\n3,three,\r\n4,four,good\r\n5,five,bad\r\n";

fn fields(places: &[(&str, usize, usize)]) -> Vec<Compared> {
    let compared = |(name, a, b): &(&str, usize, usize)| Compared {
        name: (*name).to_owned(),
        places: Some((*a, *b)),
    };
    places.iter().map(compared).collect()
}

const FIRST: [&str; 5] = [
    r#"{"mood":"good","score":4}"#,
    r#"{"mood":"Bad ","score":"2"}"#,
    r#"{"mood":"=good","score":3}"#,
    "-",
    r#"{"mood":"good","score":1}"#,
];
const SECOND: [&str; 5] = [
    r#"{"score":4.0,"mood":"GOOD"}"#,
    r#"{"score":2,"mood":"bad"}"#,
    r#"{"score":5,"mood":"bad"}"#,
    r#"{"score":4,"mood":"good"}"#,
    "no idea",
];

#[test]
fn two_jobs_over_one_table() {
    let a = Bench::new(TABLE, Some("mood,score"), &FIRST);
    let b = Bench::new(TABLE, Some("score,mood"), &SECOND);
    let both = fields(&[("mood", 0, 1), ("score", 1, 0)]);
    let (pairs, found, table) = compared((&a, &b), &both, Some(&Reference { column: 2, field: 0 }));
    assert_eq!((pairs.matched, pairs.moved, pairs.only_a, pairs.only_b), (5, 0, 0, 0));
    let Comparison { both_good, only_a_good, only_b_good, neither_good, .. } = found;
    assert_eq!((both_good, only_a_good, only_b_good, neither_good), (3, 1, 1, 0));
    assert_eq!(found.disagreements, 1);
    let said: Vec<_> = found.fields.iter().map(|f| (&*f.field, f.rows, f.same)).collect();
    assert_eq!(said, [("mood", 3, 2), ("score", 3, 2)]);
    assert_eq!(found.fields[1].mean_difference.map(|mean| mean * 3.0), Some(2.0));
    let named: Vec<_> = found.examples.iter().map(|d| (d.row, &*d.field, &*d.a, &*d.b)).collect();
    assert_eq!(named, [(2, "mood", "=good", "bad"), (2, "score", "3", "5")]);
    let accuracy = found.accuracy.unwrap();
    assert_eq!((accuracy.rows, accuracy.a.right, accuracy.b.right), (4, 2, 3));
    assert_eq!((accuracy.a.wrong, accuracy.a.not_good, accuracy.b.not_good), (1, 1, 1));
    // The user's cells as they were; what a model wrote is no formula.
    insta::assert_snapshot!(table, @r"
    id,text,truth,mood_a,mood_b,score_a,score_b,reference
    3,three,,'=good,bad,3,5,
    ");
}

/// A table that was sorted anew and has a column more is the same table; one row of it was edited.
#[test]
fn a_table_sorted_anew_is_matched_by_its_rows() {
    let a = Bench::new(TABLE, Some("mood,score"), &FIRST);
    let sorted = "note,text,id,truth\n,five,5,bad\n,four,4,good\n,three!,3,\n,\"two, too\",2,bad\n,one,1,good\n";
    let mut answers = SECOND;
    answers.reverse();
    let b = Bench::new(sorted, Some("score,mood"), &answers);
    let (pairs, found, _) = compared((&a, &b), &fields(&[("mood", 0, 1)]), None);
    assert_eq!((pairs.matched, pairs.moved, pairs.only_a, pairs.only_b), (4, 4, 1, 1));
    assert_eq!((found.both_good, found.only_a_good, found.only_b_good), (2, 1, 1));
    assert_eq!((found.fields[0].same, found.disagreements), (2, 0));
}

/// Without fields the texts of the answers are compared.
#[test]
fn answers_without_fields() {
    let a = Bench::new(TABLE, None, &["Yes", "no", "yes ", "-", "4.0"]);
    let b = Bench::new(TABLE, None, &["yes", "No!", "yes", "x", "4"]);
    let text = [Compared { name: "response".to_owned(), places: None }];
    let (_, found, table) = compared((&a, &b), &text, None);
    assert_eq!((found.both_good, found.only_b_good, found.fields[0].same), (4, 1, 3));
    assert!(table.ends_with("2,\"two, too\",bad,no,No!\r\n"), "{table}");
}

/// Of an answer of several things all are compared, not the first alone.
#[test]
fn answers_of_several_things() {
    let all = |other: &str| format!("[{{\"mood\":\"a\"}},{{\"mood\":\"{other}\"}}]");
    let (one, other) = (all("b"), all("c"));
    let mut a = Bench::new(TABLE, Some("mood"), &[one.as_str(); 5]);
    let mut b = Bench::new(TABLE, Some("mood"), &[one.as_str(), &other, &other, &other, "-"]);
    (a.is_of_each, b.is_of_each) = (true, true);
    let (_, found, table) = compared((&a, &b), &fields(&[("mood", 0, 0)]), None);
    assert_eq!((found.both_good, found.fields[0].same, found.disagreements), (4, 1, 3));
    assert!(table.contains(r#""[""a"",""b""]","[""a"",""c""]""#), "{table}");
}
