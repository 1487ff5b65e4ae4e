//! What answers say for one field, over all of them: how often it is filled, its commonest values,
//! and of numbers the least, the middle and the largest. Values are seen once and not kept beyond
//! a bound, so any number of rows goes through in the same memory.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;

use crate::answer::cell_text;

/// Different values that are told apart; a field with more has no commonest ones worth showing.
const MOST_VALUES: usize = 1000;
/// Characters that tell a value from others.
const VALUE_LENGTH: usize = 100;
/// Values that are named.
const SHOWN: usize = 5;
/// Groups of near numbers that are kept before they are made coarser.
const MOST_GROUPS: usize = 20_000;
/// Bits of a number that do not tell it from its neighbours: whole numbers to 16,384 are exact.
const FINE: u32 = 52 - 13;

/// One field over many answers.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldValues {
    filled: u64,
    empty: u64,
    values: HashMap<String, u64>,
    /// Whether a value came that found no place among the counted ones.
    has_more: bool,
    numbers: Numbers,
}

/// What is said of one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldReport {
    /// Its column.
    pub name: String,
    /// Answers that say something for it.
    pub filled: u64,
    /// Answers that leave it out, or say null or nothing.
    pub empty: u64,
    /// Different values; `None` where they are too many to be counted.
    pub distinct: Option<u64>,
    /// The commonest values, the most frequent first; none where all are too different.
    pub commonest: Vec<ValueCount>,
    /// Of the values that are numbers.
    pub numbers: Option<NumberSpread>,
}

/// A value and how often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueCount {
    /// As it stands in a cell; of a long one the beginning.
    pub value: String,
    /// How often.
    pub rows: u64,
}

/// How numbers are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NumberSpread {
    /// How many there are.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// One in the middle, exact to a few thousandths of itself.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl FieldValues {
    /// Takes the value of one answer in.
    pub(super) fn add(&mut self, value: Option<&Value>) {
        let text = value.map(cell_text).unwrap_or_default();
        if text.trim().is_empty() {
            self.empty += 1;
            return;
        }
        self.filled += 1;
        if let Some(number) = value.and_then(Value::as_f64) {
            self.numbers.add(number);
        }
        let key: String = text.trim().chars().take(VALUE_LENGTH).collect();
        if let Some(count) = self.values.get_mut(&key) {
            *count += 1;
        } else if self.values.len() < MOST_VALUES {
            self.values.insert(key, 1);
        } else {
            self.has_more = true;
        }
    }

    /// What there is to say.
    pub(super) fn report(&self, name: &str) -> FieldReport {
        let mut commonest: Vec<ValueCount> = self
            .values
            .iter()
            .filter(|_| !self.has_more)
            .map(|(value, rows)| ValueCount { value: value.clone(), rows: *rows })
            .collect();
        commonest.sort_unstable_by(|a, b| b.rows.cmp(&a.rows).then(a.value.cmp(&b.value)));
        commonest.truncate(SHOWN);
        FieldReport {
            name: name.to_owned(),
            filled: self.filled,
            empty: self.empty,
            distinct: (!self.has_more).then_some(self.values.len() as u64),
            commonest,
            numbers: self.numbers.spread(),
        }
    }
}

/// Numbers in groups of near ones, each named by the first that came.
#[derive(Debug, Clone, Default)]
struct Numbers {
    groups: BTreeMap<i64, (u64, f64)>,
    coarser: u32,
    count: u64,
    range: Option<(f64, f64)>,
}

impl Numbers {
    fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        // No group of its own for the zero below zero.
        let number = if number == 0.0 { 0.0 } else { number };
        self.count += 1;
        let (min, max) = self.range.unwrap_or((number, number));
        self.range = Some((min.min(number), max.max(number)));
        let group = self.groups.entry(order(number) >> (FINE + self.coarser)).or_default();
        if group.0 == 0 {
            group.1 = number;
        }
        group.0 += 1;
        if self.groups.len() > MOST_GROUPS {
            self.coarsen();
        }
    }

    /// Joins neighbours, so that memory stays bounded whatever comes.
    fn coarsen(&mut self) {
        self.coarser += 1;
        let mut joined: BTreeMap<i64, (u64, f64)> = BTreeMap::new();
        for (key, (count, first)) in std::mem::take(&mut self.groups) {
            joined.entry(key >> 1).or_insert((0, first)).0 += count;
        }
        self.groups = joined;
    }

    fn spread(&self) -> Option<NumberSpread> {
        let (min, max) = self.range?;
        let mut seen = 0;
        let middle = self.groups.values().find(|(count, _)| {
            seen += count;
            seen * 2 >= self.count
        });
        let median = middle.map_or(min, |(_, first)| *first);
        Some(NumberSpread { count: self.count, min, median, max })
    }
}

/// A whole number that orders as the number does, its low bits telling neighbours apart.
fn order(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(values: &[Value]) -> FieldReport {
        let mut field = FieldValues::default();
        for value in values {
            field.add(Some(value));
        }
        field.report("f")
    }

    type Case<'a> = (&'a [f64], (f64, f64, f64));

    /// S1.14: filled and empty answers, the commonest values, the spread of numbers.
    #[test]
    fn s1_14_what_a_field_holds() {
        let words = report(&[json!("a"), json!(" b"), json!("b"), json!(""), json!(null)]);
        assert_eq!((words.filled, words.empty, words.distinct), (3, 2, Some(2)));
        let named: Vec<_> = words.commonest.iter().map(|v| (v.value.as_str(), v.rows)).collect();
        assert_eq!(named, [("b", 2), ("a", 1)]);
        assert_eq!(words.numbers, None);
        let table: [Case<'_>; 6] = [
            (&[4.0], (4.0, 4.0, 4.0)),
            (&[5.0, 1.0, 3.0], (1.0, 3.0, 5.0)),
            (&[1.0, 2.0, 3.0, 4.0], (1.0, 2.0, 4.0)),
            (&[-0.0, 0.0, -3.5, -1e300, 7.25], (-1e300, 0.0, 7.25)),
            (&[0.85, 0.8501, 0.9], (0.85, 0.8501, 0.9)),
            (&[12_345.0, 12_346.0, 12_347.0], (12_345.0, 12_346.0, 12_347.0)),
        ];
        for (numbers, expected) in table {
            let values: Vec<Value> = numbers.iter().map(|number| json!(number)).collect();
            let spread = report(&values).numbers.unwrap();
            assert_eq!((spread.min, spread.median, spread.max), expected, "{numbers:?}");
            assert_eq!(spread.count, numbers.len() as u64);
        }
        let mixed = report(&[json!(2), json!("2"), json!(true), json!([1])]);
        assert_eq!((mixed.filled, mixed.numbers.map(|n| n.count)), (4, Some(1)));
    }

    /// Whatever a column of 300,000 rows holds, its account stays small.
    #[test]
    fn memory_is_bounded() {
        let mut field = FieldValues::default();
        for number in 0..300_000_u32 {
            field.add(Some(&json!(f64::from(number) * 1.37 - 9e4)));
        }
        assert_eq!((field.values.len(), field.report("f").distinct), (MOST_VALUES, None));
        assert!(field.numbers.groups.len() <= MOST_GROUPS);
        assert!(field.report("f").commonest.is_empty());
        let spread = field.report("f").numbers.unwrap();
        let middle = 149_999.0 * 1.37 - 9e4;
        assert!((spread.median - middle).abs() < middle.abs() * 0.01, "{spread:?}");
        let mut wild = Numbers::default();
        let mut bits = 1_u64;
        for _ in 0..300_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            wild.add(f64::from_bits(bits));
        }
        assert!(wild.groups.len() <= MOST_GROUPS && wild.spread().is_some());
    }
}
