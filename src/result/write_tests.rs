use std::path::Path;

use serde_json::Value;

use super::*;
use crate::answer::Fields;
use crate::result::{ColumnOptions, ResultError};
use crate::table::{Format, ReadOptions, RowRange, Target, WriteOptions};

const FIELDS: &str = "label,tags";

/// A folder with a table and a result file of one line for each of the given answers.
struct Bench {
    folder: tempfile::TempDir,
    table: Table,
    places: Vec<Place>,
}

impl Bench {
    fn new(table: &str, lines: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        std::fs::write(&path, table).unwrap();
        let table = Table::open(&path, &ReadOptions::default(), folder.path()).unwrap();
        let mut text = String::new();
        let mut places = Vec::new();
        for line in lines {
            let length = u32::try_from(line.len()).unwrap();
            places.push(Place { artifact: 0, offset: text.len() as u64, length });
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(folder.path().join("results.jsonl"), text).unwrap();
        Self { folder, table, places }
    }

    fn settled(&self, row: u64, status: RowStatus, place: Option<usize>) -> Settled {
        let place = place.map(|number| self.places[number]);
        Settled { rounds: 1, place, ..Settled::new(row, Some(status)) }
    }

    fn write(
        &self,
        selection: &Selection,
        settled: Vec<Settled>,
        look: Look<'_>,
    ) -> Result<(String, Summary), ResultError> {
        let fields = look.fields.map(|fields| Fields::parse(fields).unwrap());
        let wanted = Wanted::from(fields.as_ref());
        let options = ColumnOptions { details: look.details, response_column: None };
        let columns = Columns::new(wanted, &options);
        let join = Join {
            table: &self.table,
            selection,
            columns: &columns,
            wanted,
            unsettled: RowStatus::Pending,
            all_rows: look.all_rows,
            defaults: None,
            only: look.only,
            provider: "openai",
        };
        let path = self.folder.path().join("out");
        let mut options = WriteOptions::like(&self.table, None);
        options.format = look.format.unwrap_or(options.format);
        let mut writer =
            Writer::create(Target::Path(path.clone()), &self.table, columns.names(), &options)
                .unwrap();
        let mut artifacts = Artifacts::new(vec![self.folder.path().join("results.jsonl")]);
        let settled = settled.into_iter().map(Ok::<_, std::convert::Infallible>);
        let summary = write_table(join, settled, &mut artifacts, &mut writer)?;
        writer.finish().unwrap();
        Ok((read(&path), summary))
    }
}

/// What a test wants to see.
#[derive(Clone, Copy, Default)]
struct Look<'a> {
    fields: Option<&'a str>,
    format: Option<Format>,
    details: bool,
    all_rows: bool,
    only: &'a [RowStatus],
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn answer(id: &str, content: &str, finish_reason: &str) -> String {
    let content = Value::from(content);
    format!(
        r#"{{"custom_id":"{id}","response":{{"status_code":200,"body":{{"model":"m-1","created":5,"choices":[{{"message":{{"content":{content}}},"finish_reason":"{finish_reason}"}}],"usage":{{"prompt_tokens":10,"completion_tokens":2}}}}}},"error":null}}"#
    )
}

fn failure(id: &str, message: &str) -> String {
    format!(
        r#"{{"custom_id":"{id}","response":{{"status_code":400,"body":{{"error":{{"message":"{message}","code":"bad"}}}}}},"error":null}}"#
    )
}

const TABLE: &str = "id,text\r\na,\"one, 1\"\r\nb,two\r\nc,three\r\nd,four\r\ne,five\r\nf,six\r\n";

fn lines() -> Vec<String> {
    vec![
        answer("k7f2qd-0000000-r1", r#"{"label":"=good","tags":["x","y"]}"#, "stop"),
        answer("k7f2qd-0000001-r1", "no idea", "stop"),
        failure("k7f2qd-0000002-r1", "no such model"),
        answer("k7f2qd-0000003-r1", r#"{"label":1.50,"tags":null}"#, "length"),
        "{\"custom_id\": broken".to_owned(),
    ]
}

fn everything(bench: &Bench) -> Vec<Settled> {
    vec![
        bench.settled(0, RowStatus::Ok, Some(0)),
        bench.settled(1, RowStatus::Unparsed, Some(1)),
        bench.settled(2, RowStatus::Error, Some(2)),
        bench.settled(3, RowStatus::Truncated, Some(3)),
        bench.settled(4, RowStatus::Ok, Some(4)),
    ]
}

#[test]
fn s0_18_b05_every_selected_row_has_its_answer_and_status() {
    let bench = Bench::new(TABLE, &lines());
    let all = Selection::default();
    let settled = everything(&bench);
    let (text, summary) =
        bench.write(&all, settled, Look { fields: Some(FIELDS), ..Look::default() }).unwrap();
    insta::assert_snapshot!(text, @r#"
    id,text,label,tags,raw_response,parsing_success,status,error,model
    a,"one, 1",'=good,"[""x"",""y""]","{""label"":""=good"",""tags"":[""x"",""y""]}",True,ok,,m-1
    b,two,,,no idea,False,unparsed,no JSON with the wanted fields in the answer,m-1
    c,three,,,,False,error,no such model (code bad),
    d,four,1.5,,"{""label"":1.50,""tags"":null}",True,truncated,cut off at the token limit; raise --max-tokens,m-1
    e,five,,,,False,error,"its result line cannot be read: not a JSON object: expected value at line 1 column 15: {""custom_id"": broken",
    f,six,,,,False,pending,,
    "#);
    assert_eq!(summary.counts().map(|(_, count)| count).sum::<u64>(), 6);
    assert_eq!((summary.selected, summary.written, summary.table_rows), (6, 6, 6));
    assert_eq!(summary.parsed, Some(2));
    assert_eq!(summary.usage.prompt_tokens, 30);
    assert_eq!(summary.lines.broken_lines, 1);
    assert!(!summary.is_all_good());
}

#[test]
fn s0_18_details_and_json() {
    let bench = Bench::new(TABLE, &lines());
    let range = RowRange { start: 0, end: Some(3) };
    let selection = Selection::new(range, Vec::new(), None, bench.table.headers()).unwrap();
    let mut settled = everything(&bench);
    settled[0].status = Some(RowStatus::Cached);
    settled[0].seconds = Some(1.5);
    let format = Some(Format::Jsonl);
    let look = Look { fields: Some(FIELDS), format, details: true, ..Look::default() };
    let (text, summary) = bench.write(&selection, settled, look).unwrap();
    insta::assert_snapshot!(text, @r#"
    {"id":"a","text":"one, 1","label":"=good","tags":["x","y"],"raw_response":"{\"label\":\"=good\",\"tags\":[\"x\",\"y\"]}","parsing_success":"True","status":"cached","error":null,"model":"m-1","custom_id":"k7f2qd-0000000-r1","provider":"openai","finish_reason":"stop","parse_status":"direct","repairs":null,"rounds":1,"prompt_tokens":10,"completion_tokens":2,"cost":null,"seconds":1.5}
    {"id":"b","text":"two","label":null,"tags":null,"raw_response":"no idea","parsing_success":"False","status":"unparsed","error":"no JSON with the wanted fields in the answer","model":"m-1","custom_id":"k7f2qd-0000001-r1","provider":"openai","finish_reason":"stop","parse_status":"failed","repairs":null,"rounds":1,"prompt_tokens":10,"completion_tokens":2,"cost":null,"seconds":null}
    {"id":"c","text":"three","label":null,"tags":null,"raw_response":null,"parsing_success":"False","status":"error","error":"no such model (code bad)","model":null,"custom_id":"k7f2qd-0000002-r1","provider":"openai","finish_reason":null,"parse_status":null,"repairs":null,"rounds":1,"prompt_tokens":null,"completion_tokens":null,"cost":null,"seconds":null}
    "#);
    assert_eq!(summary.count(RowStatus::Cached), 1);
    assert_eq!(summary.usage.prompt_tokens, 10, "a cached answer is not paid again");
}

#[test]
fn rows_not_selected_are_written_only_when_asked_for() {
    let bench = Bench::new(TABLE, &lines());
    let range = RowRange { start: 1, end: Some(3) };
    let selection = Selection::new(range, Vec::new(), None, bench.table.headers()).unwrap();
    for (all_rows, written) in [(false, 2), (true, 6)] {
        let look = Look { all_rows, ..Look::default() };
        let (text, summary) = bench.write(&selection, everything(&bench), look).unwrap();
        assert_eq!((summary.selected, summary.written), (2, written));
        assert_eq!(text.lines().count() as u64, written + 1);
        assert_eq!(text.contains("a,\"one, 1\",,,,\r\n"), all_rows, "{text}");
        assert!(text.contains("b,two,no idea,ok,,m-1\r\n"), "{text}");
        // Of named statuses alone, whatever else; the account is of all selected rows.
        let look = Look { only: &[RowStatus::Error, RowStatus::Expired], ..look };
        let (text, summary) = bench.write(&selection, everything(&bench), look).unwrap();
        assert_eq!((summary.selected, summary.written), (2, 1));
        assert!(text.ends_with("c,three,,error,no such model (code bad),\r\n"), "{text}");
    }
}

#[test]
fn records_that_break_off_stop_the_merge() {
    let bench = Bench::new(TABLE, &lines());
    let columns = Columns::new(Wanted::default(), &ColumnOptions::default());
    let selection = Selection::default();
    let join = Join {
        only: &[],
        table: &bench.table,
        selection: &selection,
        columns: &columns,
        wanted: Wanted::default(),
        unsettled: RowStatus::Pending,
        all_rows: false,
        defaults: None,
        provider: "openai",
    };
    let target = Target::Path(bench.folder.path().join("out"));
    let options = WriteOptions::like(&bench.table, None);
    let mut writer = Writer::create(target, &bench.table, columns.names(), &options).unwrap();
    let mut artifacts = Artifacts::new(Vec::new());
    let result = write_table(join, [Err("the ledger is gone")], &mut artifacts, &mut writer);
    assert_eq!(result.unwrap_err().to_string(), "cannot read the settled rows: the ledger is gone");
}

/// A table in between asks for each row that is open: the account is not searched for each.
#[test]
fn what_is_at_its_end_is_not_asked_again() {
    let mut asked = 0;
    let settled = std::iter::from_fn(|| {
        asked += 1;
        (asked == 1).then(|| Ok::<_, String>(Settled::new(0, Some(RowStatus::Ok))))
    });
    let mut lookup = in_order(settled);
    let found: Vec<_> = (0..50).map(|row| lookup(row).unwrap().is_some()).collect();
    assert_eq!(found.iter().filter(|is_found| **is_found).count(), 1);
    drop(lookup);
    assert_eq!(asked, 2, "the row, and the end");
}
