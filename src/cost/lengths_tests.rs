use super::*;

/// Numbers between 0 and 1 (splitmix64): the same for the same seed everywhere.
struct Dice(u64);

impl Dice {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.next().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.next()).cos()
    }
}

type Draw = fn(&mut Dice) -> f64;

/// Answers of a few words, or of a page.
fn either(dice: &mut Dice, short: f64) -> f64 {
    if dice.next() < short { 20.0 + 4.0 * dice.normal() } else { 300.0 + 40.0 * dice.normal() }
}

const KINDS: [(&str, Draw); 7] = [
    ("uniform", |dice| 50.0 + 100.0 * dice.next()),
    ("normal, cv 0.3", |dice| 100.0 + 30.0 * dice.normal()),
    ("lognormal 0.3", |dice| 100.0 * (0.3 * dice.normal()).exp()),
    ("lognormal 0.5", |dice| 100.0 * (0.5 * dice.normal()).exp()),
    ("lognormal 0.8", |dice| 100.0 * (0.8 * dice.normal()).exp()),
    ("bimodal 1:1", |dice| either(dice, 0.5)),
    ("bimodal 7:3", |dice| either(dice, 0.7)),
];

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths of answers")]
fn length(draw: Draw, dice: &mut Dice) -> u64 {
    draw(dice).round().max(1.0) as u64
}

/// Over so many seeds: the share of those whose rows to come lie in the range, and how far its
/// ends are from the likely figure, in the middle seed and in the worst of twenty.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn coverage(draw: Draw, rows: u64, seeds: u64) -> (f64, f64, f64) {
    let (mut inside, mut widths) = (0_u64, Vec::new());
    for seed in 0..seeds {
        let mut dice = Dice(seed * 7_919 + rows);
        let seen: Vec<u64> = (0..20).map(|_| length(draw, &mut dice)).collect();
        let range = Lengths::of(&seen).per_row(rows, None);
        let total: u64 = (0..rows).map(|_| length(draw, &mut dice)).sum();
        let mean = total as f64 / rows as f64;
        let (low, high) = (range.low.unwrap(), range.high.unwrap());
        inside += u64::from((low..=high).contains(&mean));
        widths.push((high - range.likely).max(range.likely - low) / range.likely);
    }
    widths.sort_by(f64::total_cmp);
    let at = |share: usize| widths[widths.len() * share / 100];
    (inside as f64 / seeds as f64, at(50), at(95))
}

/// B08: after 20 rows the range holds what the rest has, whatever shape the lengths have, and
/// is of use where they are well-behaved.
#[test]
fn b08_the_range_holds_for_all_shapes_of_lengths() {
    for (name, draw) in KINDS {
        for (rows, seeds) in [(100, 800), (1_000, 400), (10_000, 300)] {
            let (inside, middle, wide) = coverage(draw, rows, seeds);
            assert!(inside >= 0.99, "{name}, {rows} rows: {inside}, ±{middle:.2}, ±{wide:.2}");
            if matches!(name, "uniform" | "normal, cv 0.3" | "lognormal 0.3") {
                assert!(middle <= 0.45 && wide <= 0.6, "{name}: ±{middle}, ±{wide}");
            }
        }
    }
}

/// More rows seen make the range narrower, and it never leaves what is possible.
#[test]
fn the_range_narrows_and_stays_possible() {
    let lengths = |n: u64| Lengths::of(&(0..n).map(|k| 80 + k % 41).collect::<Vec<_>>());
    let width = |n| {
        let range = lengths(n).per_row(1_000_000, None);
        range.high.unwrap() - range.low.unwrap()
    };
    assert!(width(5) > width(20) && width(20) > width(200));
    let few = Lengths::of(&[3, 400, 3, 3, 3]).per_row(100, Some(512));
    assert_eq!((few.low, few.high), (Some(0.0), Some(400.0)));
    let same = Lengths::of(&[12; 500]).per_row(100, Some(12));
    assert!(same.low.unwrap() < 12.0);
    assert_eq!(same.high, Some(12.0));
}

/// B08: a few rows give a likely figure and no range, and the first range is one that can be
/// planned with: one row gave the model's own maximum for an upper end.
#[test]
fn b08_few_rows_foretell_no_absurd_range() {
    let own_maximum = Some(16_384);
    let seen = [40, 55, 31, 90, 12, 47, 38, 61, 25, 70];
    for count in 1..=seen.len() {
        let lengths = Lengths::of(&seen[..count]);
        let range = lengths.per_row(199, own_maximum);
        assert!((12.0..=90.0).contains(&range.likely), "{count}: {range:?}");
        if count < 5 {
            assert_eq!((range.low, range.high), (None, None), "{count}");
        } else {
            let high = range.high.unwrap();
            assert!(range.low.unwrap() < range.likely && range.likely < high, "{count}");
            assert!(high <= 3.0 * range.likely, "{count}: {range:?}");
        }
    }
    // Heavy tails too: twenty tables of lengths from a few words to a page.
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let draw: Draw = |dice| 100.0 * (1.5 * dice.normal()).exp();
        let seen: Vec<u64> = (0..5).map(|_| length(draw, &mut dice)).collect();
        let range = Lengths::of(&seen).per_row(1_000, own_maximum);
        let most = seen.iter().copied().max().unwrap().max(3 * seen.iter().sum::<u64>() / 5 + 1);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let most = most as f64;
        assert!(range.high.unwrap() <= most, "{seen:?}: {range:?}");
    }
}

#[test]
fn without_finished_rows_a_length_is_assumed() {
    let nothing = Lengths::default();
    for (limit, likely) in [(None, 300.0), (Some(512), 300.0), (Some(64), 64.0)] {
        let expected = PerRow { low: None, likely, high: None };
        assert_eq!(nothing.per_row(10, limit), expected, "{limit:?}");
    }
}

/// Against tables of the distribution.
#[test]
fn students_quantiles() {
    for (degrees, expected) in [(1, 636.619), (9, 4.781), (10, 4.587), (19, 3.883), (120, 3.373)] {
        assert!((student(degrees) - expected).abs() < 0.015, "{degrees}: {}", student(degrees));
    }
}
