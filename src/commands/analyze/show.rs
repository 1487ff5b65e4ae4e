//! What was found, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Report;
use crate::batch::Usage;
use crate::cost::{Currency, labelled, shown, tokens_lines};
use crate::result::{ErrorGroup, FieldReport, NumberSpread, Sample, Spread, Statistics};
use crate::ui::{count, counted, duration, shorten};

/// Cells of a line.
const WIDTH: usize = 80;
/// Cells of an example's name.
const NAME: usize = 24;

/// The document of `--json`; `null` is unknown.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    schema_version: u32,
    files: &'a [String],
    jobs: &'a [String],
    /// Sources that were left out, as they are the same as another.
    same: Vec<SameSource<'a>>,
    /// Jobs that are not over: there may be more to say of them later.
    unfinished: Vec<&'a str>,
    #[serde(flatten)]
    statistics: Statistics<'a>,
    usage: Usage,
    usage_unknown: u64,
    /// One for each currency; empty where no price is known.
    costs: Vec<CostOf>,
    price_unknown: u64,
    samples: &'a [Sample],
}

#[derive(Debug, Serialize)]
struct SameSource<'a> {
    name: &'a str,
    same_as: &'a str,
}

#[derive(Debug, Serialize)]
struct CostOf {
    currency: Currency,
    /// What it cost, or would have cost where it was not charged.
    actual: f64,
    charged: bool,
}

/// For programs.
pub(super) fn document(report: &Report) -> Document<'_> {
    let analysis = &report.analysis;
    Document {
        schema_version: 1,
        files: &report.files,
        jobs: &report.jobs,
        same: report.same.iter().map(|(name, same_as)| SameSource { name, same_as }).collect(),
        unfinished: report.unfinished.iter().map(|(job, _)| job.as_str()).collect(),
        statistics: analysis.statistics(),
        usage: report.used.usage,
        usage_unknown: report.without_usage,
        costs: report
            .costs
            .iter()
            .map(|cost| CostOf {
                currency: cost.money.currency,
                actual: cost.money.units(),
                charged: cost.is_charged,
            })
            .collect(),
        price_unknown: report.used.unpriced,
        samples: analysis.samples(),
    }
}

/// For people.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let analysis = &report.analysis;
    let (total, good) = (analysis.total(), analysis.good());
    let sources = [(report.jobs.len(), "job"), (report.files.len(), "file")];
    let sources = sources.into_iter().filter(|(n, _)| *n > 0);
    let sources: Vec<_> = sources.map(|(n, word)| counted(n as u64, word)).collect();
    let mut lines = vec![format!("rows      {} in {}", count(total), sources.join(" and "))];
    for (name, same) in &report.same {
        lines.extend(labelled("", &[format!("{name} is left out: the same as {same}")]));
    }
    for (job, open) in &report.unfinished {
        let open = counted(*open, "row");
        lines.extend(labelled("", &[format!("job {job} is not over: {open} pending")]));
    }
    if let Some(tenths) = (good * 1000).checked_div(total) {
        lines.push(format!("good      {} ({}.{} %)", count(good), tenths / 10, tenths % 10));
    }
    lines.extend(listed("statuses", analysis.counts().iter().map(|(s, n)| (s.as_str(), *n))));
    if analysis.broken() > 0 {
        lines.push(format!("broken    {} cannot be read", counted(analysis.broken(), "line")));
    }
    lines.extend(errors(&analysis.errors()));
    let words = |words: &'_ BTreeMap<String, u64>, label: &str| {
        listed(label, words.iter().map(|(word, n)| (word.as_str(), *n)))
    };
    lines.extend(words(analysis.finish_reasons(), "finish"));
    lines.extend(words(analysis.models(), "models"));
    let parsed = analysis.parse_statuses().iter();
    lines.extend(listed("parsed", parsed.map(|(status, n)| (status.as_str(), *n))));
    lines.extend(fields(&analysis.fields()));
    lines.extend(tokens_lines(report.used.usage));
    lines.extend(analysis.prompts().map(|spread| length("prompts", spread)));
    lines.extend(analysis.completions().map(|spread| length("answers", spread)));
    lines.extend(analysis.seconds().map(waits));
    lines.extend(cost(report));
    for (number, sample) in analysis.samples().iter().enumerate() {
        let label = if number == 0 { "samples" } else { "" };
        let name = shorten(&sample.name, NAME);
        lines.push(shorten(&format!("{label:10}{name}: {}", sample.text), WIDTH));
    }
    lines
}

/// Words with their counts; none where there are none.
fn listed<'a>(label: &str, counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
    let pieces: Vec<_> =
        counts.map(|(word, n)| format!("{} {}", shorten(word, NAME), count(n))).collect();
    if pieces.is_empty() { Vec::new() } else { labelled(label, &pieces) }
}

fn errors(groups: &[ErrorGroup]) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let label = if number == 0 { "errors" } else { "" };
        let class = group.class.map(|class| format!(" ({class})")).unwrap_or_default();
        let example = shorten(&group.example, NAME);
        lines.push(format!(
            "{label:10}{} × {}{class}, such as {example}",
            count(group.rows),
            group.status
        ));
        if !group.message.is_empty() {
            lines.push(shorten(&format!("{:12}{}", "", group.message), WIDTH));
        }
    }
    lines
}

/// What is said for each field: two lines, the second of them of its values.
fn fields(reports: &[FieldReport]) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, field) in reports.iter().enumerate() {
        let label = if number == 0 { "fields" } else { "" };
        let empty = match field.empty {
            0 => String::new(),
            empty => format!(", empty in {}", count(empty)),
        };
        let name = shorten(&field.name, NAME);
        lines.push(format!("{label:10}{name}: filled in {}{empty}", count(field.filled)));
        let values = values(field);
        if !values.is_empty() {
            lines.push(shorten(&format!("{:12}{}", "", values.join("   ")), WIDTH));
        }
    }
    lines
}

/// Of numbers their spread, of other values the commonest.
fn values(field: &FieldReport) -> Vec<String> {
    let mut pieces = Vec::new();
    if let Some(numbers) = field.numbers.filter(|numbers| numbers.count == field.filled) {
        let NumberSpread { min, median, max, .. } = numbers;
        pieces.push(format!("least {min}, median {median}, most {max}"));
    }
    match field.distinct {
        None if pieces.is_empty() => pieces.push("more different values than are counted".into()),
        Some(distinct) if distinct == field.filled && distinct > 1 => {
            if pieces.is_empty() {
                pieces.push("all different".to_owned());
            }
        }
        _ => pieces.extend(
            field
                .commonest
                .iter()
                .map(|value| format!("{} × {}", count(value.rows), shorten(&value.value, NAME))),
        ),
    }
    pieces
}

/// How long answers took, from the making of their batch on.
fn waits(spread: Spread) -> String {
    let time = |seconds: u64| duration(Duration::from_secs(seconds));
    format!(
        "time      half within {}   95 % within {}   longest {}",
        time(spread.p50),
        time(spread.p95),
        time(spread.max)
    )
}

fn length(label: &str, spread: Spread) -> String {
    format!(
        "{label:10}mean {:.1}   half up to {}   95 % up to {}   most {}",
        spread.mean,
        count(spread.p50),
        count(spread.p95),
        count(spread.max)
    )
}

fn cost(report: &Report) -> Vec<String> {
    if report.used.rows == 0 && report.without_usage == 0 {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    let is_least = report.used.unpriced > 0 || report.without_usage > 0;
    let least = if is_least { "at least " } else { "" };
    let sums = |is_charged: bool| {
        let costs = report.costs.iter().filter(|cost| cost.is_charged == is_charged);
        let costs: Vec<String> = costs.map(|cost| shown(cost.money)).collect();
        (!costs.is_empty()).then(|| format!("{least}{}", costs.join(" and ")))
    };
    let (charged, rehearsed) = (sums(true), sums(false));
    if charged.is_none() && rehearsed.is_none() {
        pieces.push("unknown".to_owned());
    } else {
        let how = match report.called {
            0 => "in batch",
            called if called == report.used.rows => "by calls",
            _ => "in batch and by calls",
        };
        pieces.extend(charged.as_ref().map(|costs| format!("{costs} {how}")));
        pieces.extend(rehearsed.map(|costs| match charged {
            None => format!("nothing was charged; would be {costs}"),
            Some(_) => format!("of a sandbox, not charged: would be {costs}"),
        }));
        if report.used.unpriced > 0 {
            pieces.push(format!("price of {} unknown", counted(report.used.unpriced, "answer")));
        }
    }
    if !report.without_price.is_empty() {
        let models: Vec<&str> = report.without_price.iter().map(String::as_str).collect();
        let models = models.join(", ");
        pieces.push(format!("no price is known of {models}: --model and --provider name one"));
    }
    if report.without_usage > 0 {
        pieces.push(format!("usage of {} unknown", counted(report.without_usage, "answer")));
    }
    labelled("cost", &pieces)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::{Fields, ParseStatus, RowStatus};
    use crate::batch::{FailureKind, Used};
    use crate::result::Seen;

    fn seen<'a>(name: &'a str, status: RowStatus, text: &'a str) -> Seen<'a> {
        let usage = Usage { prompt_tokens: 10, completion_tokens: 400, ..Usage::default() };
        let is_good = status.is_good();
        Seen {
            name,
            status,
            class: (status == RowStatus::Error).then_some(FailureKind::Server),
            error: (!is_good).then_some(text),
            usage: Some(usage),
            text: is_good.then_some(text),
            finish_reason: Some(if is_good { "stop" } else { "length" }),
            model: Some("gpt-4o-2024-08-06"),
            seconds: Some(75),
            ..Seen::default()
        }
    }

    /// S1.14: what people see, at 80 columns, free of terminal escapes.
    #[test]
    fn s1_14_the_report_people_see() {
        let mut report = Report {
            files: vec!["output.jsonl".into(), "errors.jsonl".into()],
            jobs: vec!["k7f2qd".into()],
            same: vec![("copy.jsonl".into(), "output.jsonl".into())],
            ..Report::default()
        };
        let long = "a long answer ".repeat(20);
        for (name, status, text) in [
            ("k7f2qd-0000001-r1", RowStatus::Ok, "good"),
            ("k7f2qd-0000002-r1", RowStatus::Ok, &long),
            ("row 3", RowStatus::Ok, "\u{1b}[31mred\u{1b}[0m\nand a second line"),
            ("row 4", RowStatus::Truncated, "cut off at the token limit; raise --max-tokens"),
            ("row 5", RowStatus::Error, &long),
            ("row 6", RowStatus::Error, &long),
        ] {
            report.analysis.add(&seen(name, status, text));
        }
        let fields = Fields::parse("mood,score,why").unwrap();
        for (parse_status, values) in [
            (ParseStatus::Direct, [Some(json!("good")), Some(json!(4)), Some(json!(long))]),
            (ParseStatus::Repaired, [Some(json!("\u{1b}[1mgood")), Some(json!(1.5)), None]),
            (ParseStatus::Failed, [None, None, None]),
        ] {
            report.analysis.add(&Seen {
                parse_status: Some(parse_status),
                values: Some((&fields, &values)),
                ..seen("row 7", RowStatus::Invalid, "`score` is missing where a number is wanted")
            });
        }
        report.analysis.add_broken();
        let usage = Usage { prompt_tokens: 60, completion_tokens: 2_400, ..Usage::default() };
        let used = Used { rows: 6, usage, known: 25_000_000_000, unpriced: 2 };
        report.pay(used, Some(Currency::USD), true);
        let text: Vec<String> = lines(&report).iter().map(|line| crate::ui::clean(line)).collect();
        assert!(text.iter().all(|line| line.chars().count() <= WIDTH), "{text:#?}");
        insta::assert_snapshot!(text.join("\n"), @"
        rows      9 in 1 job and 2 files
                  copy.jsonl is left out: the same as output.jsonl
        good      3 (33.3 %)
        statuses  ok 3   truncated 1   invalid 3   error 2
        broken    1 line cannot be read
        errors    3 × invalid, such as row 7
                    `score` is missing where a number is wanted
                  2 × error (server), such as row 5
                    a long answer a long answer a long answer a long answer a long answ…
                  1 × truncated, such as row 4
                    cut off at the token limit; raise --max-tokens
        finish    length 6   stop 3
        models    gpt-4o-2024-08-06 9
        parsed    direct 1   repaired 1   failed 1
        fields    mood: filled in 2
                    all different
                  score: filled in 2
                    least 1.5, median 1.5, most 4
                  why: filled in 1, empty in 1
                    1 × a long answer a long an…
        tokens    60 prompt, 2,400 completion
        prompts   mean 10.0   half up to 10   95 % up to 10   most 10
        answers   mean 400.0   half up to 400   95 % up to 400   most 400
        time      half within 1m 15s   95 % within 1m 15s   longest 1m 15s
        cost      at least $0.025 in batch   price of 2 answers unknown
        samples   k7f2qd-0000001-r1: good
                  k7f2qd-0000002-r1: a long answer a long answer a long answer a long a…
                  row 3: red and a second line
        ");
        let document = serde_json::to_value(document(&report)).unwrap();
        assert_eq!((&document["rows"], &document["good"]), (&9.into(), &3.into()));
        assert_eq!(document["parse_statuses"], json!({"direct": 1, "repaired": 1, "failed": 1}));
        assert_eq!(document["fields"][1]["numbers"]["median"], 1.5);
        assert_eq!(document["seconds"]["p50"], 75);
        assert_eq!(document["costs"][0]["actual"], 0.025);
        assert_eq!(document["costs"][0]["charged"], true);
        assert_eq!(document["same"][0]["same_as"], "output.jsonl");
    }

    /// What a sandbox answered is never shown as spent, beside real costs neither.
    #[test]
    fn rehearsals_are_not_charged() {
        let used = Used { rows: 2, known: 25_000_000_000, ..Used::default() };
        let mut report = Report::default();
        report.pay(used, Some(Currency::USD), false);
        report.pay(used, Some(Currency::USD), false);
        assert_eq!(cost(&report), ["cost      nothing was charged; would be $0.050"]);
        report.pay(used, Some(Currency::CNY), true);
        assert_eq!(
            cost(&report),
            ["cost      ¥0.025 in batch   of a sandbox, not charged: would be $0.050"]
        );
        let document = serde_json::to_value(document(&report)).unwrap();
        let charged: Vec<_> = [0, 1].map(|at| &document["costs"][at]["charged"]).to_vec();
        assert_eq!(charged, [false, true]);
    }

    /// A name of any length is there as a whole, with the reason.
    #[test]
    fn why_a_source_is_left_out_is_never_cut() {
        let name = format!("results/{}.jsonl", "batch_0123456789".repeat(5));
        let same = vec![(name.clone(), "job k7f2qd".to_owned())];
        let text = lines(&Report { same, ..Report::default() }).join(" ");
        assert!(
            text.contains(&name) && text.contains("is left out: the same as job k7f2qd"),
            "{text}"
        );
    }
}
