//! Workbooks in and out: one that `LibreOffice` wrote, and ones made here.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use calamine::{Data, Reader, Xlsx, open_workbook};
use proptest::prelude::*;
use rust_xlsxwriter::{Format as Look, Workbook};
use serde_json::json;

use super::write::write_up_to;
use crate::table::{
    Cell, Format, ReadOptions, Table, TableError, Target, WriteOptions, Writer, Written,
};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, name: &str, sheet: Option<&str>) -> Result<Table, TableError> {
        let options = ReadOptions { sheet: sheet.map(str::to_owned), ..ReadOptions::default() };
        Table::open(&self.path(name), &options, &self.path(&format!("scratch of {name}")))
    }

    fn make(&self, name: &str, fill: impl FnOnce(&mut Workbook)) -> PathBuf {
        let mut workbook = Workbook::new();
        fill(&mut workbook);
        workbook.save(self.path(name)).unwrap();
        self.path(name)
    }

    /// Writes the table again with the answers as one more column.
    fn write(&self, table: &Table, name: &str, answers: &[Cell<'_>]) -> Written {
        let path = self.path(name);
        let options = WriteOptions::like(table, Some(&path));
        let target = Target::Path(path);
        let mut writer = Writer::create(target, table, &["answer".into()], &options).unwrap();
        let mut rows = table.rows().unwrap();
        let mut answers = answers.iter();
        while let Some(row) = rows.next_row().unwrap() {
            writer.write(row, &[*answers.next().unwrap_or(&Cell::Empty)]).unwrap();
        }
        writer.finish().unwrap()
    }
}

fn text_of(table: &Table) -> String {
    fs::read_to_string(table.text_path()).unwrap()
}

/// All values of the first sheet that is not hidden, as another program sees them.
fn values(path: &Path) -> Vec<Vec<Data>> {
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
    let shown = |sheet: &&calamine::Sheet| sheet.visible == calamine::SheetVisible::Visible;
    let name = workbook.sheets_metadata().iter().find(shown).unwrap().name.clone();
    let range = workbook.worksheet_range(&name).unwrap();
    range.rows().map(<[Data]>::to_vec).collect()
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tables/workbook.xlsx")
}

const FIXTURE: &str = "\
\"id\",\"评论\",\"date\",\"when\",\"amount\",\"share\",\"zip\",\"phone\",\"ok\",\"sum\",\"time\",\"note\"
\"110101199003070012\",\"很好，下次再来\",2026-11-21,,12.5,12.34%,00042,13800138000,TRUE,25,,\"=not a formula\"
\"007\",\"line one\nline two\",2026-01-05,2026-01-05 13:45:30,1234567.89,7%,02134,8613800138000,FALSE,2469135.78,09:05:00,\"1e5\"
\"x\",\"😀 \"\"quoted\"\", comma\",1999-12-31,1999-12-31 00:00:01,-3,100%,99999,1,TRUE,-6,,\"  blanks  \"

\"last\",,,,0.1,,,,,\"#DIV/0!\",,\"+86 138\"
";

/// Dates, numbers, long ids, percentages, leading zeros, results of formulas: as they look.
#[test]
fn b13_a_workbook_of_libreoffice_reads_as_it_looks() {
    let desk = Desk::new();
    fs::copy(fixture(), desk.path("in.xlsx")).unwrap();
    let table = desk.open("in.xlsx", None).unwrap();
    assert_eq!(text_of(&table), FIXTURE);
    assert_eq!(table.shape().format, Format::Xlsx);
    let notes = table.notes().join("\n");
    for part in [
        "read sheet `评论 2026`",
        "--sheet NAME takes another: `other`",
        "1 cell holds an error such as #N/A",
        "1 merged area:",
    ] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    assert!(!notes.contains("hidden") && !notes.contains("stored result"), "{notes}");
    // The same before a spreadsheet has calculated it: another program wrote it.
    let unsaved = fixture().with_file_name("workbook-unsaved.xlsx");
    fs::copy(unsaved, desk.path("unsaved.xlsx")).unwrap();
    let unsaved = desk.open("unsaved.xlsx", None).unwrap();
    let notes = unsaved.notes().join("\n");
    assert!(notes.contains("4 formulas have no stored result"), "{notes}");
    for sheet in ["other", " OTHER ", "3"] {
        let other = desk.open("in.xlsx", Some(sheet)).unwrap();
        assert_eq!(text_of(&other), "\"q\"\n\"second sheet\"\n", "{sheet}");
    }
    let error = desk.open("in.xlsx", Some("nope")).unwrap_err().to_string();
    assert!(
        error.ends_with("has no sheet `nope`: it has `hidden`, `评论 2026`, `other`"),
        "{error}"
    );
}

/// The user's own cells keep value and type; what a model wrote is text, whatever it looks like.
#[test]
fn b13_a_workbook_comes_back_with_its_own_types_and_answers_as_text() {
    let desk = Desk::new();
    fs::copy(fixture(), desk.path("in.xlsx")).unwrap();
    let table = desk.open("in.xlsx", None).unwrap();
    let number = json!(4.5);
    let answers =
        [Cell::Model("=1+1"), Cell::Model("+86\n中"), Cell::Json(&number), Cell::Model("1e5")];
    let written = desk.write(&table, "out.xlsx", &answers);
    assert_eq!(written.notes, [""; 0]);
    let (before, mut after) = (values(&desk.path("in.xlsx")), values(&desk.path("out.xlsx")));
    let added: Vec<Data> = after.iter_mut().filter_map(Vec::pop).collect();
    let expected = ["answer", "=1+1", "+86\n中"].map(|text| Data::String(text.into()));
    assert_eq!(added[..3], expected);
    assert_eq!(added[3..5], [Data::Float(4.5), Data::String("1e5".into())]);
    let mut workbook: Xlsx<_> = open_workbook(desk.path("out.xlsx")).unwrap();
    assert_eq!(workbook.sheet_names(), ["评论 2026"]);
    assert!(workbook.worksheet_formula("评论 2026").unwrap().is_empty(), "nothing is a formula");
    let before: Vec<_> =
        before.into_iter().filter(|row| row.iter().any(|v| *v != Data::Empty)).collect();
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().flatten().zip(after.iter().flatten()) {
        match (before, after) {
            // An error cannot be written but as the text it shows.
            (Data::Error(error), Data::String(text)) => assert_eq!(error.to_string(), *text),
            (Data::DateTime(before), Data::DateTime(after)) => {
                assert!((before.as_f64() - after.as_f64()).abs() < 1e-9, "{before:?} {after:?}");
            }
            (before, after) => assert_eq!(before, after),
        }
    }
    // What comes out reads as what went in, and the same rows are the same bytes.
    let again = desk.open("out.xlsx", None).unwrap();
    let (mut own, mut back) = (table.rows().unwrap(), again.rows().unwrap());
    while let Some(own) = own.next_row().unwrap() {
        let back = back.next_row().unwrap().unwrap();
        assert_eq!(
            back.cells().take(own.len()).collect::<Vec<_>>(),
            own.cells().collect::<Vec<_>>()
        );
    }
    assert_eq!(desk.write(&table, "twice.xlsx", &answers).digest, written.digest);
}

/// The job keeps the text only; a table opened from it writes the same workbook.
#[test]
fn b13_the_text_alone_is_enough_to_write_the_workbook() {
    let desk = Desk::new();
    fs::copy(fixture(), desk.path("in.xlsx")).unwrap();
    let table = desk.open("in.xlsx", None).unwrap();
    let digest = desk.write(&table, "one.xlsx", &[]).digest;
    fs::copy(table.text_path(), desk.path("input.csv")).unwrap();
    let kept = Table::reopen(Path::new("in.xlsx"), &desk.path("input.csv"), table.shape()).unwrap();
    assert_eq!(desk.write(&kept, "two.xlsx", &[]).digest, digest);
}

#[test]
fn b13_a_workbook_becomes_other_formats_and_other_formats_workbooks() {
    let desk = Desk::new();
    fs::copy(fixture(), desk.path("in.xlsx")).unwrap();
    let table = desk.open("in.xlsx", None).unwrap();
    desk.write(&table, "out.csv", &[Cell::Model("=1")]);
    let csv = fs::read_to_string(desk.path("out.csv")).unwrap();
    assert!(csv.starts_with("\u{feff}id,评论,date,"), "{csv}");
    assert!(csv.contains("\n110101199003070012,很好，下次再来,2026-11-21,,12.5,12.34%,00042,13800138000,TRUE,25,,=not a formula,'=1\n"), "{csv}");
    desk.write(&table, "out.jsonl", &[]);
    let jsonl = fs::read_to_string(desk.path("out.jsonl")).unwrap();
    assert!(jsonl.starts_with("{\"id\":\"110101199003070012\",\"评论\":"), "{jsonl}");

    let csv = "id,n,note\n007,12,=1+1\n110101199003070012,-3.5,1e5\n,1.50,\"a\nb\"\n";
    fs::write(desk.path("t.csv"), csv).unwrap();
    desk.write(&desk.open("t.csv", None).unwrap(), "t.xlsx", &[]);
    let string = |text: &str| Data::String(text.into());
    let rows = values(&desk.path("t.xlsx"));
    assert_eq!(rows[1][..3], [string("007"), Data::Float(12.0), string("=1+1")]);
    assert_eq!(rows[2][..3], [string("110101199003070012"), Data::Float(-3.5), string("1e5")]);
    assert_eq!(rows[3][..3], [Data::Empty, string("1.50"), string("a\nb")]);

    fs::write(desk.path("t.jsonl"), "{\"a\":12,\"b\":\"12\",\"c\":true,\"d\":[1],\"e\":null}\n")
        .unwrap();
    desk.write(&desk.open("t.jsonl", None).unwrap(), "j.xlsx", &[]);
    let rows = values(&desk.path("j.xlsx"));
    assert_eq!(
        rows[1][..5],
        [Data::Float(12.0), string("12"), Data::Bool(true), string("[1]"), Data::Empty]
    );
}

#[test]
fn b13_odd_sheets_are_read_or_refused_with_a_reason() {
    let desk = Desk::new();
    let percent = Look::new().set_num_format("0%");
    desk.make("odd.xlsx", |workbook| {
        let sheet = workbook.add_worksheet();
        // Two empty rows first, a header with a gap, a row wider than the header.
        sheet.write_string(2, 0, "id").unwrap();
        sheet.write_string(2, 2, "id").unwrap();
        sheet.write_number_with_format(3, 1, 0.5, &percent).unwrap();
        sheet.write_number(4, 0, 123_456_789_012_345_680.0).unwrap();
        sheet.write_string(4, 4, "beyond").unwrap();
        sheet.write_blank(900, 9, &percent).unwrap();
    });
    let table = desk.open("odd.xlsx", None).unwrap();
    assert_eq!(table.headers(), ["id", "", "id", "", ""]);
    assert_eq!(
        text_of(&table),
        "\n\n\"id\",,\"id\",,\n,50%,,,\n123456789012345680,,,,\"beyond\"\n"
    );
    let mut rows = table.rows().unwrap();
    assert_eq!(rows.next_row().unwrap().unwrap().line(), 4, "lines are the sheet's rows");
    let notes = table.notes().join("\n");
    assert!(notes.contains("more than 15 digits"), "{notes}");

    desk.make("empty.xlsx", |workbook| {
        workbook.add_worksheet();
    });
    let whole = fs::read(fixture()).unwrap();
    fs::write(desk.path("cut.xlsx"), &whole[..whole.len() / 2]).unwrap();
    fs::write(desk.path("zip.xlsx"), b"PK\x03\x04 whatever").unwrap();
    fs::write(desk.path("nothing.xlsx"), [&b"PK\x05\x06"[..], &[0; 18]].concat()).unwrap();
    fs::write(desk.path("locked.xlsx"), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1........").unwrap();
    fs::write(desk.path("text.xlsx"), "a,b\n1,2\n").unwrap();
    for (name, part) in [
        ("empty.xlsx", "sheet `Sheet1` is empty: a table starts with a header row"),
        ("cut.xlsx", "cannot be read as a workbook: "),
        ("zip.xlsx", "a zip archive but no Excel workbook"),
        ("nothing.xlsx", "an empty zip archive, no Excel workbook"),
        ("locked.xlsx", "a workbook with a password also looks like this"),
    ] {
        let error = desk.open(name, None).unwrap_err().to_string();
        assert!(error.contains(part), "{name}: {error}");
    }
    assert_eq!(desk.open("text.xlsx", None).unwrap().shape().format, Format::Csv);
    let beyond = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tables/beyond.xlsx");
    fs::copy(beyond, desk.path("beyond.xlsx")).unwrap();
    for sheet in ["letters", "digits"] {
        let error = desk.open("beyond.xlsx", Some(sheet)).unwrap_err().to_string();
        let said = format!("sheet `{sheet}`: the cell after AB1 lies beyond XFD1048576");
        assert!(error.contains(&said), "{error}");
    }
}

/// Nothing is cut without a place where it is whole.
#[test]
fn b13_texts_too_long_for_a_cell_are_whole_in_a_file_beside() {
    let desk = Desk::new();
    fs::write(desk.path("in.csv"), "id\n1\n2\n").unwrap();
    let table = desk.open("in.csv", None).unwrap();
    let fits = "字".repeat(32_767);
    let long = "😀".repeat(16_384);
    let written = desk.write(&table, "out.xlsx", &[Cell::Model(&fits), Cell::Model(&long)]);
    assert!(written.notes[0].contains("out.long-cells.jsonl"), "{:?}", written.notes);
    let rows = values(&desk.path("out.xlsx"));
    assert_eq!(rows[1][1], Data::String(fits));
    let Data::String(cut) = &rows[2][1] else { panic!("a text") };
    assert!(cut.ends_with("😀 … [32768 characters: the whole text is in out.long-cells.jsonl]"));
    let beside = fs::read_to_string(desk.path("out.long-cells.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(&beside).unwrap();
    assert_eq!(line, json!({"sheet": 1, "row": 3, "column": "answer", "text": long}));
}

#[test]
fn b13_more_rows_than_a_sheet_holds_go_on_in_the_next_with_the_header() {
    let desk = Desk::new();
    let mut text = tempfile::tempfile().unwrap();
    text.write_all(b"\"a\"\n1\n2\n3\n4\n5\n").unwrap();
    let mut out = File::create(desk.path("out.xlsx")).unwrap();
    let names = ("rows", Path::new("x"));
    let made = write_up_to(3, &mut text, names, (&mut out, &mut Vec::new())).unwrap();
    assert_eq!(made.sheets, 3);
    let mut workbook: Xlsx<_> = open_workbook(desk.path("out.xlsx")).unwrap();
    assert_eq!(workbook.sheet_names(), ["rows", "rows 2", "rows 3"]);
    let last = workbook.worksheet_range_at(2).unwrap().unwrap();
    let cells: Vec<_> = last.rows().flatten().cloned().collect();
    assert_eq!(cells, [Data::String("a".into()), Data::Float(5.0)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Any table goes through a workbook and comes out with the same cells.
    #[test]
    fn b13_any_table_survives_a_workbook(
        rows in prop::collection::vec(
            prop::collection::vec("[a,;\"\n\r\t 中😀=_xD0-9.%:\u{1}-]{0,10}", 2), 0..8),
        number in -1e16_f64..1e16,
    ) {
        let desk = Desk::new();
        let mut lines = String::new();
        for (index, row) in rows.iter().enumerate() {
            lines.push_str(&json!({"key": index + 1, "a": row[0], "b": row[1], "n": number}).to_string());
            lines.push('\n');
        }
        lines.push_str(&json!({"key": "last", "a": "_x000D_", "b": "&lt;", "n": number / 3.0}).to_string());
        fs::write(desk.path("in.jsonl"), lines).unwrap();
        let table = desk.open("in.jsonl", None).unwrap();
        desk.write(&table, "out.xlsx", &[]);
        let back = desk.open("out.xlsx", None).unwrap();
        let (mut given, mut read) = (table.rows().unwrap(), back.rows().unwrap());
        while let Some(given) = given.next_row().unwrap() {
            let read = read.next_row().unwrap().unwrap();
            prop_assert_eq!(
                read.cells().take(3).collect::<Vec<_>>(),
                given.cells().take(3).collect::<Vec<_>>()
            );
        }
    }
}
