use proptest::prelude::*;

use super::*;
use crate::answer::Fields;
use crate::answer::RowStatus;
use crate::result::{ColumnOptions, Columns, IdMap};
use crate::table::{ReadOptions, RowRange, Selection, Table, Target, WriteOptions};

/// A folder with a table of so many rows: `id,text`, ids `id-N`.
struct Bench {
    folder: tempfile::TempDir,
    table: Table,
}

#[derive(Debug, PartialEq)]
struct Merged {
    table: String,
    summary: Summary,
}

impl Bench {
    fn new(rows: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        let mut text = "id,text\n".to_owned();
        for row in 0..rows {
            text.extend(["id-", &row.to_string(), ",t", &row.to_string(), "\n"]);
        }
        std::fs::write(&path, text).unwrap();
        let table = Table::open(&path, &ReadOptions::default(), folder.path()).unwrap();
        Self { folder, table }
    }

    fn merge(&self, files: &[&[String]], options: MergeOptions<'_>) -> Result<Merged, ResultError> {
        self.merge_rows(files, options, RowRange::default(), Vec::new())
    }

    fn merge_rows(
        &self,
        files: &[&[String]],
        options: MergeOptions<'_>,
        range: RowRange,
        known: Vec<Settled>,
    ) -> Result<Merged, ResultError> {
        let mut paths = Vec::new();
        for (number, lines) in files.iter().enumerate() {
            let path = self.folder.path().join(format!("r{number}.jsonl"));
            std::fs::write(&path, lines.join("\n")).unwrap();
            paths.push(path);
        }
        let wanted = options.wanted;
        let columns = Columns::new(wanted, &ColumnOptions::default());
        let selection = Selection::new(range, Vec::new(), None, self.table.headers()).unwrap();
        let join = Join {
            table: &self.table,
            selection: &selection,
            columns: &columns,
            wanted,
            unsettled: RowStatus::Unasked,
            all_rows: false,
            defaults: None,
            provider: "",
            is_same_row: None,
        };
        let out = self.folder.path().join("out.csv");
        let write = WriteOptions::like(&self.table, None);
        let index = MergeIndex::build(&paths, options)?;
        let target = Target::Path(out.clone());
        let mut writer = Writer::create(target, &self.table, columns.names(), &write).unwrap();
        let summary = index.write(join, known, &mut writer)?;
        writer.finish().unwrap();
        Ok(Merged { table: std::fs::read_to_string(out).unwrap(), summary })
    }

    fn statuses(merged: &Merged) -> Vec<String> {
        merged
            .table
            .lines()
            .skip(1)
            .map(|line| line.split(',').skip(2).take(2).collect::<Vec<_>>().join("|"))
            .collect()
    }
}

fn good(id: &str, content: &str, created: i64) -> String {
    format!(
        r#"{{"custom_id":"{id}","response":{{"status_code":200,"body":{{"model":"m","created":{created},"choices":[{{"message":{{"content":"{content}"}},"finish_reason":"stop"}}]}}}}}}"#
    )
}

fn bad(id: &str) -> String {
    format!(
        r#"{{"custom_id":"{id}","response":null,"error":{{"code":"batch_expired","message":"m"}}}}"#
    )
}

fn ours(row: u64, round: u32) -> String {
    format!("k7f2qd-{row:07}-r{round}")
}

#[test]
fn s1_13_ids_of_each_kind_find_their_rows() {
    let ids: [(&str, [&str; 3]); 5] = [
        ("row_N counts from 0", ["row_2", "row_0", "row_1"]),
        ("row-N too", ["row-000002", "row-0", "row-01"]),
        ("request-N counts from 1", ["request-3", "request-1", "request-2"]),
        ("ours", ["k7f2qd-0000002-r1", "k7f2qd-0000000-r1", "k7f2qd-0000001-r2"]),
        ("any order", ["row_2", "row_0", "row_1"]),
    ];
    for (what, [third, first, second]) in ids {
        let bench = Bench::new(3);
        let a = [good(third, "c", 1)];
        let b = [good(first, "a", 1), good(second, "b", 1)];
        let merged = bench.merge(&[&a, &b], MergeOptions::default()).unwrap();
        assert_eq!(Bench::statuses(&merged), ["a|ok", "b|ok", "c|ok"], "{what}");
        assert!(merged.summary.is_all_good());
        assert_eq!(merged.summary.lines, MergeCounts { lines: 3, ..MergeCounts::default() });
    }
}

#[test]
fn an_id_column_and_a_base_take_the_doubt_away() {
    let bench = Bench::new(3);
    let lines = [good("id-1", "b", 1), good("id-7", "?", 1)];
    let options = MergeOptions {
        ids: IdRule::Map(IdMap::of_column(&bench.table, 0).unwrap()),
        ..MergeOptions::default()
    };
    let merged = bench.merge(&[&lines], options).unwrap();
    assert_eq!(Bench::statuses(&merged), ["|unasked", "b|ok", "|unasked"]);
    assert_eq!(merged.summary.lines.unknown_ids, 1);

    let one = [good("row_1", "a", 1), good("row_3", "c", 1)];
    let with = |base| MergeOptions { ids: IdRule::Base(base), ..MergeOptions::default() };
    let merged = bench.merge(&[&one], with(1)).unwrap();
    assert_eq!(Bench::statuses(&merged), ["a|ok", "|unasked", "c|ok"]);
    let merged = bench.merge(&[&one], with(0)).unwrap();
    assert_eq!(Bench::statuses(&merged), ["|unasked", "a|ok", "|unasked"]);
    assert_eq!(merged.summary.lines.unknown_ids, 1);
}

#[test]
fn doubtful_ids_are_an_error_that_says_what_to_add() {
    let table: [(&str, &[String], &[String], &str); 7] = [
        (
            "one past the end",
            &[good("row_1", "a", 1)],
            &[good("row_3", "c", 1)],
            "--id-base 1 if `row_3` is the last row",
        ),
        (
            "request-0",
            &[good("request-0", "a", 1)],
            &[],
            "--id-base 0 if `request-0` is the first row",
        ),
        (
            "two kinds",
            &[good("row_1", "a", 1)],
            &[good("request-1", "c", 1)],
            "ids of two kinds: `row_1` and `request-1`",
        ),
        (
            "two jobs",
            &[good(&ours(0, 1), "a", 1)],
            &[good("k7f2qe-0000001-r1", "c", 1)],
            "ids of two kinds",
        ),
        (
            "two answers",
            &[good("row_1", "a", 1)],
            &[good("row_1", "b", 1)],
            "`row_1` has different good answers in",
        ),
        (
            "no results",
            &["id,text".to_owned()],
            &["1,a".to_owned()],
            "none of the 2 lines is a line",
        ),
        ("nothing fits", &[good("abc", "a", 1)], &[good("abd", "b", 1)], "(the first id is `abc`)"),
    ];
    for (what, first, second, expected) in table {
        let error = Bench::new(3).merge(&[first, second], MergeOptions::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
    }
    let past = [good("row_0", "a", 1), good("row_3", "d", 1)];
    let merged = Bench::new(3).merge(&[&past], MergeOptions::default()).unwrap();
    assert_eq!(merged.summary.lines.unknown_ids, 1, "with a row_0 there is no doubt");
}

/// Field reports 22 to 24 and 44: nothing odd in a file is fatal, and everything is counted.
#[test]
fn field_22_23_24_44_odd_lines_are_counted_and_the_rest_is_merged() {
    let bench = Bench::new(5);
    let first = [
        good("row_3", "d", 1),
        "{\"custom_id\":\"row_1\",".to_owned(),
        String::new(),
        "{\"response\":{}}".to_owned(),
        good("stranger", "x", 1),
        good("row_99", "y", 1),
        good("row_3", "d", 1),
        good("row_3", "d", 2),
        good("row_0", "a", 1),
    ];
    let second = [
        bad("row_3"),
        bad("row_4"),
        "{\"custom_id\":2,\"response\":{\"status_code\":0,\"body\":{}}}".to_owned(),
    ];
    let range = RowRange { start: 1, end: None };
    let skipped = Settled {
        error: Some("image not found: a.png".to_owned()),
        ..Settled::new(2, Some(RowStatus::Skipped))
    };
    let merged = bench
        .merge_rows(&[&first, &second], MergeOptions::default(), range, vec![skipped])
        .unwrap();
    let statuses = ["|unasked", "|skipped", "d|ok", "|expired"];
    assert_eq!(Bench::statuses(&merged), statuses);
    let expected =
        MergeCounts { lines: 11, duplicates: 3, unknown_ids: 3, broken_lines: 2, outside: 1 };
    assert_eq!(merged.summary.lines, expected);
    assert_eq!(merged.summary.selected, 4);
    assert!(!merged.summary.is_all_good());
}

#[test]
fn the_newest_good_answer_counts_and_a_later_bad_one_never_does() {
    let two = Fields::parse("a").unwrap();
    let json = |id: &str, created| good(id, "{\\\"a\\\":1}", created);
    let table: [(&str, Vec<String>, Option<&Fields>, &str); 6] = [
        (
            "newest by the provider's clock",
            vec![good(&ours(0, 1), "old", 10), good(&ours(0, 2), "new", 20)],
            None,
            "new|ok",
        ),
        (
            "not by the round",
            vec![good(&ours(0, 2), "r2", 10), good(&ours(0, 1), "r1", 20)],
            None,
            "r1|ok",
        ),
        ("good before bad", vec![good(&ours(0, 1), "good", 10), bad(&ours(0, 2))], None, "good|ok"),
        (
            "empty is bad",
            vec![good(&ours(0, 1), "good", 10), good(&ours(0, 2), "", 20)],
            None,
            "good|ok",
        ),
        (
            "parsed before unparsed",
            vec![json(&ours(0, 1), 10), good(&ours(0, 2), "prose", 20)],
            Some(&two),
            "1|\"{\"\"a\"\":1}\"",
        ),
        (
            "broken never",
            vec![good(&ours(0, 1), "good", 10), "{\"custom_id\":\"k7f2qd-0000000-r2\"}".to_owned()],
            None,
            "good|ok",
        ),
    ];
    for (what, mut lines, fields, expected) in table {
        for _ in 0..2 {
            let bench = Bench::new(1);
            let options = MergeOptions { wanted: fields.into(), ..MergeOptions::default() };
            let merged = bench.merge(&[&lines], options).unwrap();
            assert_eq!(Bench::statuses(&merged), [expected], "{what}");
            lines.reverse();
        }
    }
}

#[test]
fn only_the_wanted_job_counts_when_it_is_named() {
    let lines = [
        good("k7f2qe-0000000-r1", "other", 1),
        good(&ours(0, 1), "mine", 1),
        good("row_0", "x", 1),
    ];
    let options = MergeOptions { job6: Some("k7f2qd".to_owned()), ..MergeOptions::default() };
    let merged = Bench::new(1).merge(&[&lines], options).unwrap();
    assert_eq!(Bench::statuses(&merged), ["mine|ok"]);
    assert_eq!(merged.summary.lines.unknown_ids, 2);
}

#[test]
fn a_result_file_given_as_the_table_is_recognised() {
    let table = [
        (good("row_0", "a", 1), true),
        (bad("row_0"), true),
        (r#"{"custom_id":"row_0","method":"POST","url":"/v1/x","body":{}}"#.to_owned(), false),
        (r#"{"text":"hello"}"#.to_owned(), false),
        ("id,text".to_owned(), false),
    ];
    for (line, expected) in table {
        assert_eq!(looks_like_results(&line), expected, "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Any order of lines and any cut into files gives the same table and the same account.
    #[test]
    fn shuffled_lines_give_the_same_table(
        kinds in prop::collection::vec((0u64..12, 1u32..4, 0u8..5, 0i64..4), 1..40),
        seed in any::<u64>(), cut in 0usize..40,
    ) {
        let mut lines: Vec<String> = kinds.iter().map(|(row, round, kind, created)| {
            let id = ours(*row, *round);
            match kind {
                0 => bad(&id),
                1 => good(&id, "", *created),
                2 => "{broken".to_owned(),
                kind => good(&id, &format!("answer {kind}"), *created),
            }
        }).collect();
        lines.push(good(&ours(0, 1), "anchor", 0));
        let bench = Bench::new(10);
        let ordered = bench.merge(&[&lines], MergeOptions::default()).unwrap();
        let mut state = seed | 1;
        for last in (1..lines.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            lines.swap(last, (state >> 33) as usize % (last + 1));
        }
        let (one, two) = lines.split_at(cut.min(lines.len()));
        let shuffled = bench.merge(&[one, two], MergeOptions::default()).unwrap();
        prop_assert_eq!(&ordered.table, &shuffled.table);
        prop_assert_eq!(&ordered.summary, &shuffled.summary);
        let sum: u64 = ordered.summary.counts().map(|(_, count)| count).sum();
        prop_assert_eq!(sum, 10);
    }
}
