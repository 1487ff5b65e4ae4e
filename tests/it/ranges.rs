//! B08: what a run over a few rows teaches about the rest. The answers' lengths are known: the
//! sandbox says the question back, so a table decides how long each answer is.

use std::thread;

use serde_json::Value;

use crate::support::memory::chance::Dice;
use crate::support::workdir::{Run, WorkDir};

/// Rows that are asked first.
const SAMPLE: usize = 20;
/// Rows of the table.
const ROWS: usize = 200;
/// Tables that are tried.
const SEEDS: u64 = 20;

/// From 0 to below 1.
fn share(dice: &mut Dice) -> f64 {
    f64::from(u32::try_from(dice.below(1 << 32)).expect("half of the bits")) / 4_294_967_296.0
}

/// Near 0, rarely beyond 3 to either side.
fn bell(dice: &mut Dice) -> f64 {
    (0..12).map(|_| share(dice)).sum::<f64>() - 6.0
}

/// How many words the answer to a row has: four kinds of tables in turn, even, bell-shaped,
/// skewed, and of two kinds of rows.
fn words(seed: u64, dice: &mut Dice) -> usize {
    let words = match seed % 4 {
        0 => 5.0 + 60.0 * share(dice),
        1 => 40.0 + 10.0 * bell(dice),
        2 => (3.0 + 0.8 * bell(dice)).exp(),
        _ if share(dice) < 0.7 => 6.0 + 4.0 * share(dice),
        _ => 90.0 + 20.0 * share(dice),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 400")]
    let whole = words.clamp(1.0, 400.0) as usize;
    whole
}

fn folder(seed: u64) -> WorkDir {
    let mut dice = Dice::new(seed);
    let mut table = "text\n".to_owned();
    for row in 0..ROWS {
        let words = words(seed, &mut dice);
        table.push_str(&format!("row {row}{}\n", " word".repeat(words)));
    }
    let dir = WorkDir::new();
    dir.write("in.csv", table);
    dir
}

fn asked(dir: &WorkDir, line: &str) -> Run {
    let line = format!("{line} --provider sandbox:gpt-4o --max-tokens 1000 --json");
    dir.batchctl(&line).args(&["--prompt", "{text}"]).hurried()
}

fn document(run: Run) -> Value {
    run.run().exits(0).json()
}

/// Plays one table; returns how wide the range was, as a share of the likely figure.
fn play(seed: u64) -> f64 {
    let dir = folder(seed);
    let before = document(asked(&dir, "estimate in.csv"));
    assert!(before["cost"]["high"].is_null(), "nothing is learned yet: {before}");
    asked(&dir, &format!("workflow in.csv out.csv --end-row {SAMPLE}")).run().exits(0);
    let shown = document(asked(&dir, "estimate in.csv"));
    let figure = |name: &str| shown["cost"][name].as_f64().expect("the price is known");
    assert_eq!(shown["learned_from"], SAMPLE, "{shown}");
    assert_eq!(shown["estimate"]["requests"], ROWS - SAMPLE, "the first rows are answered");
    let ran = document(asked(&dir, "workflow in.csv out.csv"));
    let actual = ran["cost"]["actual"].as_f64().unwrap_or_else(|| panic!("no cost in {ran}"));
    assert!(ran["cost"]["off_percent"].is_number(), "it tells how far off the figure was: {ran}");
    let (low, likely, high) = (figure("low"), figure("likely"), figure("high"));
    let worst = figure("worst");
    assert!(low < likely && likely < high && high < worst, "{shown}");
    assert!((low..=high).contains(&actual), "table {seed}: {actual} is not in {low}..{high}");
    (high - low) / likely
}

/// After a run over 20 rows, what the other 180 cost lies inside of the range that was shown for
/// them, for 20 of 20 tables, and the range says something: it is far below the worst case.
#[test]
fn b08_the_rest_costs_what_twenty_rows_foretell() {
    let widths: Vec<f64> = thread::scope(|scope| {
        let threads = [0, 1].map(|half| {
            scope.spawn(move || (half..SEEDS).step_by(2).map(play).collect::<Vec<_>>())
        });
        threads.into_iter().flat_map(|thread| thread.join().expect("no table fails")).collect()
    });
    assert_eq!(widths.len(), 20);
    let mean = widths.iter().sum::<f64>() / 20.0;
    assert!(mean < 1.5, "ranges {mean} times as wide as the likely figure say nothing");
}
