//! What was found, for people and for programs.

use serde::Serialize;

use crate::batch::Usage;
use crate::cost::{CostDocument, Spent, labelled, shown};
use crate::result::{Accuracy, Agreement, Comparison, Pairs, shown_share};
use crate::ui::{count, counted, shorten};

/// Cells of a line.
const WIDTH: usize = 80;
/// Cells of a value.
const VALUE: usize = 24;
/// What there is to say of jobs that are over and have no good answers in common.
const NONE: &str = "no row has a good answer of both";

/// What is told of one of the two jobs.
pub(super) struct SideView<'a> {
    pub(super) job: &'a str,
    pub(super) provider: &'a str,
    pub(super) model: &'a str,
    pub(super) rows: u64,
    pub(super) good: u64,
    /// Rows of which nothing is known yet.
    pub(super) open: u64,
    pub(super) spent: Spent,
}

/// The document of `--json`.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    schema_version: u32,
    a: SideDocument<'a>,
    b: SideDocument<'a>,
    rows: &'a Pairs,
    #[serde(flatten)]
    found: &'a Comparison,
    output: Option<String>,
}

#[derive(Serialize)]
struct SideDocument<'a> {
    job: &'a str,
    provider: &'a str,
    model: &'a str,
    rows: u64,
    good: u64,
    usage: Usage,
    cost: CostDocument,
}

impl<'a> Document<'a> {
    /// For programs.
    pub(super) fn of(
        (a, b): (&'a SideView<'a>, &'a SideView<'a>),
        rows: &'a Pairs,
        found: &'a Comparison,
        output: Option<String>,
    ) -> Self {
        let side = |side: &'a SideView<'a>| SideDocument {
            job: side.job,
            provider: side.provider,
            model: side.model,
            rows: side.rows,
            good: side.good,
            usage: side.spent.all.usage,
            cost: side.spent.document(),
        };
        Self { schema_version: 1, a: side(a), b: side(b), rows, found, output }
    }
}

/// For people.
pub(super) fn lines(
    (a, b): (&SideView<'_>, &SideView<'_>),
    pairs: &Pairs,
    found: &Comparison,
) -> Vec<String> {
    let mut lines = labelled("a", &side(a));
    lines.extend(labelled("b", &side(b)));
    lines.extend(labelled("rows", &matched(pairs)));
    let answers = [
        ("both", found.both_good),
        ("only a", found.only_a_good),
        ("only b", found.only_b_good),
        ("neither", found.neither_good),
    ];
    let answers: Vec<String> =
        answers.iter().map(|(who, rows)| format!("{who} {}", count(*rows))).collect();
    lines.extend(labelled("good", &answers));
    if found.both_good == 0 {
        let yet = if a.open + b.open > 0 { "no row has both answers yet" } else { NONE };
        lines.extend(labelled("same", &[yet.to_owned()]));
    } else {
        for (number, field) in found.fields.iter().enumerate() {
            agreement(number, field, &mut lines);
        }
    }
    lines.extend(found.accuracy.iter().flat_map(accuracy));
    if found.disagreements > 0 {
        lines.push(format!("differ    {}, such as", counted(found.disagreements, "row")));
    }
    for example in &found.examples {
        let (a, b) = (shorten(&example.a, VALUE), shorten(&example.b, VALUE));
        let text = format!("row {}: {} is {a} and {b}", example.row, example.field);
        lines.push(shorten(&format!("{:12}{text}", ""), WIDTH));
    }
    lines
}

fn side(side: &SideView<'_>) -> Vec<String> {
    let usage = side.spent.all.usage;
    if side.open == side.rows {
        return vec![
            format!("job {}", side.job),
            format!("{} {}", side.provider, side.model),
            counted(side.rows, "row"),
            "nothing is answered yet".to_owned(),
        ];
    }
    let cost = match (side.spent.actual(), side.spent.is_charged) {
        (None, _) => "cost unknown".to_owned(),
        (Some(cost), true) => shown(cost),
        (Some(cost), false) => format!("nothing charged, would be {}", shown(cost)),
    };
    vec![
        format!("job {}", side.job),
        format!("{} {}", side.provider, side.model),
        format!("{}, {} good", counted(side.rows, "row"), count(side.good)),
        cost,
        format!(
            "{} prompt, {} completion tokens",
            count(usage.prompt_tokens),
            count(usage.completion_tokens)
        ),
    ]
}

fn matched(pairs: &Pairs) -> Vec<String> {
    let moved = match pairs.moved {
        0 => String::new(),
        moved => format!(", {} of them at another place", count(moved)),
    };
    let mut pieces = vec![format!("{} in both{moved}", count(pairs.matched))];
    let others = [
        (pairs.only_a, "only in a"),
        (pairs.only_b, "only in b"),
        (pairs.ambiguous, "of these the same as others, so not matched"),
    ];
    let others = others.into_iter().filter(|(rows, _)| *rows > 0);
    pieces.extend(others.map(|(rows, what)| format!("{} {what}", count(rows))));
    pieces
}

fn agreement(number: usize, field: &Agreement, lines: &mut Vec<String>) {
    let label = if number == 0 { "same" } else { "" };
    let name = shorten(&field.field, VALUE);
    let mut pieces =
        vec![format!("{name}: {}{}", of(field.same, field.rows), percent(field.same, field.rows))];
    // Rounded first, or a little less than nothing is shown as -0.00.
    let most = if field.same < field.rows { 0.99 } else { 1.0 };
    let kappa = field.kappa.map(|kappa| ((kappa * 100.0).round() / 100.0 + 0.0).min(most));
    pieces.extend(kappa.map(|kappa| format!("kappa {kappa:.2}")));
    let apart = field.mean_difference.filter(|mean| *mean > 0.0);
    pieces.extend(apart.map(|mean| format!("{mean:.2} apart in the mean")));
    lines.extend(labelled(label, &pieces));
    if !field.differing.is_empty() {
        let value = |text: &str| match text {
            "" => "(empty)".to_owned(),
            text => shorten(text, VALUE),
        };
        let met = field.differing.iter().map(|pair| {
            format!("{} × {} and {}", count(pair.rows), value(&pair.a), value(&pair.b))
        });
        let met: Vec<String> = met.collect();
        lines.push(shorten(&format!("{:12}{}", "", met.join("   ")), WIDTH));
    }
}

fn accuracy(accuracy: &Accuracy) -> Vec<String> {
    let right = |who: &str, right: &crate::result::Right| {
        let missing = match right.not_good {
            0 => String::new(),
            rows => format!(", no good answer in {}", count(rows)),
        };
        let share = percent(right.right, accuracy.rows);
        format!("{who} {}{share}{missing}", of(right.right, accuracy.rows))
    };
    let pieces = [
        format!("{} by column {}", accuracy.field, accuracy.column),
        right("a", &accuracy.a),
        right("b", &accuracy.b),
        format!("both {}", count(accuracy.both_right)),
        format!("only a {}", count(accuracy.only_a_right)),
        format!("only b {}", count(accuracy.only_b_right)),
    ];
    labelled("right", &pieces)
}

fn of(part: u64, all: u64) -> String {
    format!("{} of {}", count(part), count(all))
}

/// A share of the rows; 100 % is said only of all of them.
fn percent(part: u64, all: u64) -> String {
    if all == 0 { String::new() } else { format!(" ({})", shown_share(part, all)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_agreement_is_said_only_where_all_agree() {
        let table = [
            ((0, 0), "rate: 0 of 0"),
            ((9, 9), "rate: 9 of 9 (100.0 %)   kappa 1.00"),
            ((9_999, 10_000), "rate: 9,999 of 10,000 (99.9 %)   kappa 0.99"),
            ((2, 3), "rate: 2 of 3 (66.7 %)   kappa 0.99"),
        ];
        for ((same, rows), expected) in table {
            let kappa = (rows > 0).then_some(if same == rows { 1.0 } else { 0.9999 });
            let field = Agreement {
                field: "rate".to_owned(),
                rows,
                same,
                share: None,
                kappa,
                mean_difference: None,
                differing: Vec::new(),
            };
            let mut lines = Vec::new();
            agreement(1, &field, &mut lines);
            assert_eq!(lines.join("\n").trim(), expected);
        }
    }
}
