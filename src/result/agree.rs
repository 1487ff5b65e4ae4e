//! How far two answers say the same for one field, over many rows, and how often each is right.
//!
//! Texts are the same that differ only in surrounding blanks and in upper and lower case; numbers
//! that are the same number, `"4"` and `4.0` too; lists and objects that hold the same. Nothing
//! that is alike in meaning only is taken for the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

/// Different values of a field for which chance can be reckoned with.
const MOST_VALUES: usize = 20;
/// Pairs of differing values that are named.
const SHOWN: usize = 5;
/// From so many digits on a number is more likely an id, and not read as one.
const MOST_DIGITS: usize = 15;
/// Characters of a value that are kept.
const VALUE_LENGTH: usize = 100;

/// What a value says, so that the same is said by the same text.
pub(super) fn meaning(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => {
            let text = text.trim();
            number_in(text).map_or_else(|| text.to_lowercase(), |number| number.to_string())
        }
        Some(Value::Number(number)) => {
            let written = number.to_string();
            let is_long = number.is_i64() || number.is_u64();
            match number.as_f64().filter(|_| !is_long || written.len() <= MOST_DIGITS) {
                Some(number) => (number + 0.0).to_string(),
                None => written,
            }
        }
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| meaning(Some(item))).collect();
            format!("[{}]", items.join(", "))
        }
        Some(Value::Object(members)) => {
            let members: BTreeMap<&String, String> =
                members.iter().map(|(key, value)| (key, meaning(Some(value)))).collect();
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// The number that a text is: sign, digits, one point. `007` and long rows of digits are names.
fn number_in(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_named = whole.len() > 1 && whole.starts_with('0');
    if !is_digits(whole) || !is_digits(rest) || is_named || digits.len() > MOST_DIGITS {
        return None;
    }
    text.parse::<f64>().ok().map(|number| number + 0.0)
}

/// One field of two jobs.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    rows: u64,
    same: u64,
    /// How often which value met which; empty once there are too many.
    met: BTreeMap<(String, String), u64>,
    values: BTreeSet<String>,
    is_free: bool,
    numbers: u64,
    apart: f64,
}

/// What is said of one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Its column.
    pub field: String,
    /// Rows in which both have a good answer.
    pub rows: u64,
    /// Those of them in which both say the same.
    pub same: u64,
    /// The share of them; `None` without rows.
    pub share: Option<f64>,
    /// Cohen's kappa: the share beyond what chance would give, 1 is full agreement. `None` for a
    /// field of more than 20 values, or of fewer than two rows a value.
    pub kappa: Option<f64>,
    /// How far numbers are apart in the mean, where both say numbers in all rows.
    pub mean_difference: Option<f64>,
    /// The commonest pairs of values that differ, of a field of few values.
    pub differing: Vec<Differing>,
}

/// Two values that met in a row and differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// What the first says.
    pub a: String,
    /// What the second says.
    pub b: String,
    /// In how many rows.
    pub rows: u64,
}

impl Tally {
    /// Takes a row in, by what each says; whether it is the same.
    pub(super) fn add(&mut self, a: &str, b: &str) -> bool {
        self.rows += 1;
        self.same += u64::from(a == b);
        if let (Some(one), Some(other)) = (number_in(a), number_in(b)) {
            self.numbers += 1;
            self.apart += (one - other).abs();
        }
        if !self.is_free {
            let short = |text: &str| text.chars().take(VALUE_LENGTH).collect::<String>();
            let (one, other) = (short(a), short(b));
            self.values.insert(one.clone());
            self.values.insert(other.clone());
            *self.met.entry((one, other)).or_default() += 1;
            if self.values.len() > MOST_VALUES {
                self.is_free = true;
                self.met.clear();
            }
        }
        a == b
    }

    /// What there is to say.
    pub(super) fn report(&self, field: &str) -> Agreement {
        let mut differing: Vec<Differing> = self
            .met
            .iter()
            .filter(|((a, b), _)| a != b)
            .map(|((a, b), rows)| Differing { a: a.clone(), b: b.clone(), rows: *rows })
            .collect();
        differing.sort_by_key(|pair| std::cmp::Reverse(pair.rows));
        differing.truncate(SHOWN);
        let all_numbers = self.numbers > 0 && self.numbers == self.rows;
        Agreement {
            field: field.to_owned(),
            rows: self.rows,
            same: self.same,
            share: (self.rows > 0).then(|| share(self.same, self.rows)),
            kappa: self.kappa(),
            mean_difference: all_numbers.then(|| self.apart / float(self.rows)),
            differing,
        }
    }

    /// (observed - expected) / (1 - expected), the expected share from how often each says what.
    fn kappa(&self) -> Option<f64> {
        if self.is_free || self.rows == 0 || self.rows < 2 * self.values.len() as u64 {
            return None;
        }
        let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for ((a, b), rows) in &self.met {
            sums.entry(a).or_default().0 += rows;
            sums.entry(b).or_default().1 += rows;
        }
        let chance = |(a, b): &(u64, u64)| share(*a, self.rows) * share(*b, self.rows);
        let expected: f64 = sums.values().map(chance).sum();
        // Both always say one thing: there is nothing to agree on.
        (expected < 1.0).then(|| (share(self.same, self.rows) - expected) / (1.0 - expected))
    }
}

/// How often each is right, by a column that says what is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Accuracy {
    /// The column.
    pub column: String,
    /// The field that it is held against.
    pub field: String,
    /// Matched rows in which the column says something: all shares are of these.
    pub rows: u64,
    /// The first.
    pub a: Right,
    /// The second.
    pub b: Right,
    /// Rows in which both are right.
    pub both_right: u64,
    /// Rows in which only the first is.
    pub only_a_right: u64,
    /// Rows in which only the second is.
    pub only_b_right: u64,
}

/// How often one is right. A row without a good answer is not right.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Right {
    /// Rows in which it says what the column says.
    pub right: u64,
    /// Rows in which it says something else.
    pub wrong: u64,
    /// Rows without a good answer.
    pub not_good: u64,
    /// The share of all these rows in which it is right; `None` without rows.
    pub share: Option<f64>,
}

impl Accuracy {
    /// Takes a row in: what is right, and what each says, `None` where it has no good answer.
    pub(super) fn add(&mut self, truth: &str, a: Option<&str>, b: Option<&str>) {
        let truth = meaning(Some(&Value::String(truth.to_owned())));
        if truth.is_empty() {
            return;
        }
        self.rows += 1;
        let (is_a, is_b) = (self.a.add(&truth, a), self.b.add(&truth, b));
        match (is_a, is_b) {
            (true, true) => self.both_right += 1,
            (true, false) => self.only_a_right += 1,
            (false, true) => self.only_b_right += 1,
            (false, false) => {}
        }
        self.a.share = Some(share(self.a.right, self.rows));
        self.b.share = Some(share(self.b.right, self.rows));
    }
}

impl Right {
    fn add(&mut self, truth: &str, said: Option<&str>) -> bool {
        match said {
            None => self.not_good += 1,
            Some(said) if said == truth => self.right += 1,
            Some(_) => self.wrong += 1,
        }
        said == Some(truth)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is no exact number")]
fn float(number: u64) -> f64 {
    number as f64
}

fn share(part: u64, all: u64) -> f64 {
    float(part) / float(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_the_same() {
        let table = [
            (json!("Good "), json!("good"), true),
            (json!("ÄRGER"), json!("ärger"), true),
            (json!(4), json!(4.0), true),
            (json!("4"), json!(4), true),
            (json!("4.50"), json!(4.5), true),
            (json!("-0"), json!(0), true),
            (json!("007"), json!("7"), false),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), false),
            (json!("9007199254740993"), json!(9_007_199_254_740_993_u64), true),
            (json!(true), json!("TRUE"), true),
            (json!(null), json!(""), true),
            (json!(0), json!(""), false),
            (json!([1, "A"]), json!(["1", "a"]), true),
            (json!([1, 2]), json!([2, 1]), false),
            (json!({"a": 1, "b": 2}), json!({"b": 2.0, "a": 1}), true),
            (json!("inf"), json!("infinity"), false),
            (json!("1e3"), json!(1000), false),
            (json!("好"), json!(" 好"), true),
        ];
        for (a, b, expected) in table {
            assert_eq!(meaning(Some(&a)) == meaning(Some(&b)), expected, "{a} {b}");
        }
        assert_eq!(meaning(None), "");
        let nothing = Tally::default().report("mood");
        assert_eq!((nothing.share, nothing.kappa), (None, None), "of no rows nothing is said");
    }

    /// Cohen's own way of counting, on a table whose kappa is known: 50 rows, 35 of them equal,
    /// 0.4.
    #[test]
    fn kappa_is_the_share_beyond_chance() {
        let mut tally = Tally::default();
        for (a, b, rows) in
            [("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15)]
        {
            for _ in 0..rows {
                tally.add(a, b);
            }
        }
        let said = tally.report("f");
        assert_eq!((said.rows, said.same, said.share), (50, 35, Some(0.7)));
        assert!((said.kappa.unwrap() - 0.4).abs() < 1e-9, "{said:?}");
        let named: Vec<_> = said.differing.iter().map(|d| (&*d.a, &*d.b, d.rows)).collect();
        assert_eq!(named, [("no", "yes", 10), ("yes", "no", 5)]);
        assert_eq!(said.mean_difference, None);

        let mut one = Tally::default();
        assert!((0..9).all(|_| one.add("1", "1")));
        assert_eq!((one.report("f").kappa, one.report("f").mean_difference), (None, Some(0.0)));
        let mut free = Tally::default();
        assert!((0..300_000).all(|n| !free.add(&format!("text {n}"), "other")));
        let said = free.report("f");
        assert_eq!(
            (said.rows, said.kappa, said.differing.len(), free.met.len()),
            (300_000, None, 0, 0)
        );
        assert_eq!(Tally::default().report("f").share, None);
    }

    #[test]
    fn who_is_right() {
        let mut accuracy = Accuracy::default();
        for (truth, a, b) in [
            ("Good", Some("good"), Some("good")),
            ("bad", Some("bad"), Some("good")),
            ("bad", None, Some("bad")),
            ("4", Some("5"), None),
            (" ", Some("good"), Some("bad")),
        ] {
            accuracy.add(truth, a, b);
        }
        let Accuracy { rows, both_right, only_a_right, only_b_right, .. } = accuracy;
        assert_eq!((rows, both_right, only_a_right, only_b_right), (4, 1, 1, 1));
        let right = |right: u64, wrong: u64| Right { right, wrong, not_good: 1, share: Some(0.5) };
        assert_eq!((accuracy.a, accuracy.b), (right(2, 1), right(2, 1)));
    }
}
