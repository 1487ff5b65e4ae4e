use proptest::prelude::*;

use super::*;
use crate::answer::{Fields, RowStatus};
use crate::base::mutate::Mutator;
use crate::result::looks_like_results;
use crate::result::{Asked, ColumnOptions, Columns, IdMap, Join, MergeCounts, Onto, Summary, Told};
use crate::table::{ReadOptions, RowRange, RowSet, Selection, Table, Target, WriteOptions, Writer};

/// A folder with a table of so many rows: `id,text`, ids `id-N`.
struct Bench {
    folder: tempfile::TempDir,
    table: Table,
}

#[derive(Debug, PartialEq)]
struct Merged {
    table: String,
    summary: Summary,
    shares: Vec<Share>,
}

/// How a test reads its files.
#[derive(Default)]
struct Look<'a> {
    rule: IdRule,
    fields: Option<&'a Fields>,
    /// Jobs that are known, each with where its rows are.
    known: Vec<(&'a str, RowMap)>,
    /// What is known of rows of the first one.
    told: Vec<(u64, RowStatus, &'a str)>,
    range: RowRange,
    /// The rows that were asked, if not all.
    asked: Option<RowSet>,
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

    fn merge(&self, files: &[&[String]], look: Look<'_>) -> Result<Merged, ResultError> {
        let mut paths = Vec::new();
        for (number, lines) in files.iter().enumerate() {
            let path = self.folder.path().join(format!("r{number}.jsonl"));
            std::fs::write(&path, lines.join("\n")).unwrap();
            paths.push(path);
        }
        let index = MergeIndex::build(&paths, look.rule, look.fields.into())?;
        let known = |job6: &str| look.known.iter().find(|(known, _)| *known == job6);
        let mut told = Told::default();
        look.told.iter().for_each(|(row, status, why)| told.add(*row, *status, Some(why)));
        let mut told = Some(told.sorted());
        let mut ontos = Vec::new();
        for group in index.choose(|job6| known(job6).is_some())? {
            let map = match index.groups()[group].kind().job6().and_then(known) {
                Some((_, map)) => map.clone(),
                None => index.base_of(group, &self.table)?,
            };
            ontos.push(Onto { group, map, told: told.take().unwrap_or_default() });
        }
        let wanted = Wanted::from(look.fields);
        let columns = Columns::new(wanted, &ColumnOptions::default());
        let selection = Selection::new(look.range, Vec::new(), None, self.table.headers()).unwrap();
        let join = Join {
            table: &self.table,
            selection: &selection,
            columns: &columns,
            wanted,
            unsettled: if look.known.is_empty() { RowStatus::Unasked } else { RowStatus::Missing },
            all_rows: false,
            defaults: None,
            only: &[],
            provider: "",
        };
        let out = self.folder.path().join("out.csv");
        let write = WriteOptions::like(&self.table, None);
        let target = Target::Path(out.clone());
        let mut writer = Writer::create(target, &self.table, columns.names(), &write).unwrap();
        let asked = look.asked.as_ref().map_or(Asked::All, Asked::Rows);
        let written = index.write(join, &ontos, asked, &mut writer)?;
        writer.finish().unwrap();
        let table = std::fs::read_to_string(out).unwrap();
        Ok(Merged { table, summary: written.summary, shares: written.shares })
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
        let merged = bench.merge(&[&a, &b], Look::default()).unwrap();
        assert_eq!(Bench::statuses(&merged), ["a|ok", "b|ok", "c|ok"], "{what}");
        assert!(merged.summary.is_all_good());
        assert_eq!(merged.summary.lines, MergeCounts { lines: 3, ..MergeCounts::default() });
    }
}

#[test]
fn an_id_column_and_a_base_take_the_doubt_away() {
    let bench = Bench::new(3);
    let lines = [good("id-1", "b", 1), good("id-7", "?", 1)];
    let rule = || IdRule::Map(IdMap::of_column(&bench.table, 0).unwrap());
    let options = Look { rule: rule(), ..Look::default() };
    let merged = bench.merge(&[&lines], options).unwrap();
    assert_eq!(Bench::statuses(&merged), ["|unasked", "b|ok", "|unasked"]);
    assert_eq!(merged.summary.lines.unknown_ids, 1);

    let one = [good("row_1", "a", 1), good("row_3", "c", 1)];
    let with = |base: i64| Look { rule: IdRule::Base(vec![base]), ..Look::default() };
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
        let error = Bench::new(3).merge(&[first, second], Look::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
    }
    let past = [good("row_0", "a", 1), good("row_3", "d", 1)];
    let merged = Bench::new(3).merge(&[&past], Look::default()).unwrap();
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
    let told = vec![(2, RowStatus::Skipped, "image not found: a.png")];
    let look = Look { told, range, ..Look::default() };
    let merged = bench.merge(&[&first, &second], look).unwrap();
    let statuses = ["|unasked", "|skipped", "d|ok", "|expired"];
    assert_eq!(Bench::statuses(&merged), statuses);
    let expected = MergeCounts {
        lines: 11,
        duplicates: 3,
        unknown_ids: 3,
        broken_lines: 2,
        outside: 1,
        gone: 0,
    };
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
            let options = Look { fields, ..Look::default() };
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
    let options = Look { known: vec![("k7f2qd", RowMap::same())], ..Look::default() };
    let merged = Bench::new(1).merge(&[&lines], options).unwrap();
    assert_eq!(Bench::statuses(&merged), ["mine|ok"]);
    assert_eq!(merged.summary.lines.unknown_ids, 2);
}

#[test]
fn s1_13_each_file_may_count_from_its_own_number() {
    let first = [good("row_0", "a", 1), good("row_1", "b", 1)];
    let second = [good("row_0", "c", 1), good("row_1", "d", 1)];
    let bases = |bases: &[i64]| Look { rule: IdRule::Base(bases.to_vec()), ..Look::default() };
    let bench = Bench::new(4);
    let merged = bench.merge(&[&first, &second], bases(&[0, -2])).unwrap();
    assert_eq!(Bench::statuses(&merged), ["a|ok", "b|ok", "c|ok", "d|ok"]);
    let requests = [good("request-3", "c", 1), good("request-4", "d", 1)];
    let merged = bench.merge(&[&first, &requests], bases(&[0, 1])).unwrap();
    assert_eq!(Bench::statuses(&merged), ["a|ok", "b|ok", "c|ok", "d|ok"]);
    // One number for all does not say what two kinds mean, and none says it within a file.
    for (files, base) in [([&first[..], &requests[..]], &[0][..]), ([&first, &[]], &[0, 0])] {
        let mixed = [files[0], files[1], &requests[..1]].concat();
        let files = if base.len() == 1 { [files[0], files[1]] } else { [&mixed[..], &[]] };
        let error = bench.merge(&files, bases(base)).unwrap_err().to_string();
        assert!(error.contains("ids of two kinds: `row_0` and `request-3`"), "{error}");
    }
}

/// Several jobs: for each row the newest good answer of any, each on the row it was asked for.
#[test]
fn s1_13_several_jobs_come_onto_one_table() {
    let id = |job: &str, row: u64| format!("{job}-{row:07}-r1");
    let first = [
        good(&id("aaaaaa", 0), "a0", 10),
        good(&id("aaaaaa", 1), "a1", 30),
        good(&id("aaaaaa", 2), "a2", 10),
        good(&id("aaaaaa", 3), "gone", 10),
        bad(&id("zzzzzz", 0)),
    ];
    let second =
        [good(&id("bbbbbb", 0), "b0", 20), good(&id("bbbbbb", 1), "b1", 20), bad(&id("bbbbbb", 3))];
    // The rows of the first stand the other way round now, and its last one no more.
    let moved = RowMap::moved(&[(0, 2), (1, 1), (2, 0)]);
    let look = Look {
        known: vec![("aaaaaa", moved), ("bbbbbb", RowMap::same())],
        asked: Some((0..4).collect()),
        ..Look::default()
    };
    let merged = Bench::new(5).merge(&[&first, &second], look).unwrap();
    let expected = ["b0|ok", "a1|ok", "a0|ok", "|expired", "|unasked"];
    assert_eq!(Bench::statuses(&merged), expected);
    let lines =
        MergeCounts { lines: 8, duplicates: 2, unknown_ids: 1, gone: 1, ..MergeCounts::default() };
    assert_eq!(merged.summary.lines, lines);
    assert!(!merged.summary.is_all_good(), "an answer that was paid for is not in the table");
    let shares = [Share { lines: 5, rows: 2 }, Share { lines: 3, rows: 2 }];
    assert_eq!(merged.shares, shares);
    sums(&merged, 5);
}

#[test]
fn s1_13_files_of_other_ids_beside_those_of_a_job_are_refused() {
    let ours = [good(&ours(0, 1), "a", 1)];
    let known = || Look { known: vec![("k7f2qd", RowMap::same())], ..Look::default() };
    for other in ["row_1", "request-1", "aaaaaa-0000001-r1"] {
        let error = Bench::new(2).merge(&[&ours, &[good(other, "b", 1)]], known()).unwrap_err();
        assert!(error.to_string().contains("ids of two kinds"), "{other}: {error}");
    }
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

/// B05: statuses sum to the rows, and every line is counted once.
#[track_caller]
fn sums(merged: &Merged, rows: u64) {
    let summary = &merged.summary;
    assert_eq!(summary.counts().map(|(_, count)| count).sum::<u64>(), rows, "{summary:?}");
    let lines = summary.lines;
    let used: u64 = merged.shares.iter().map(|share| share.rows).sum();
    let others = lines.duplicates + lines.unknown_ids + lines.outside + lines.gone;
    assert_eq!(others + lines.broken_lines + used, lines.lines, "{merged:?}");
    assert_eq!(merged.shares.iter().map(|share| share.lines).sum::<u64>(), lines.lines);
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
        let ordered = bench.merge(&[&lines], Look::default()).unwrap();
        let mut state = seed | 1;
        for last in (1..lines.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            lines.swap(last, (state >> 33) as usize % (last + 1));
        }
        let (one, two) = lines.split_at(cut.min(lines.len()));
        let shuffled = bench.merge(&[one, two], Look::default()).unwrap();
        prop_assert_eq!(&ordered.table, &shuffled.table);
        prop_assert_eq!(&ordered.summary, &shuffled.summary);
        sums(&ordered, 10);
        sums(&shuffled, 10);
    }

    /// Any results, split into files in any way and shuffled, give the table back: each row has its
    /// own answer, whatever ids say it.
    #[test]
    fn s1_13_split_shuffled_and_merged_results_give_the_table_back(
        rows in 1u64..60, files in 1usize..6, kind in 0u8..5, seed in any::<u64>(),
    ) {
        let bench = Bench::new(rows);
        let id = |row: u64| match kind {
            0 => ours(row, 1 + u32::try_from(row % 3).unwrap()),
            1 => format!("row_{row}"),
            2 => format!("row-{row:06}"),
            3 => format!("request-{}", row + 1),
            _ => format!("id-{row}"),
        };
        let mut dice = Mutator::new(seed);
        let mut split = vec![Vec::new(); files];
        for row in 0..rows {
            split[dice.below(files)].push(good(&id(row), &format!("answer {row}"), 1));
        }
        for lines in &mut split {
            for last in (1..lines.len()).rev() {
                lines.swap(last, dice.below(last + 1));
            }
        }
        let rule = match kind {
            4 => IdRule::Map(IdMap::of_column(&bench.table, 0).unwrap()),
            _ => IdRule::Pattern,
        };
        let files: Vec<&[String]> = split.iter().map(Vec::as_slice).collect();
        let merged = bench.merge(&files, Look { rule, ..Look::default() }).unwrap();
        let expected: Vec<String> = (0..rows).map(|row| format!("answer {row}|ok")).collect();
        prop_assert_eq!(Bench::statuses(&merged), expected);
        sums(&merged, rows);
    }
}
