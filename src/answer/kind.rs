//! The types of wanted fields, and which values count for them.
//!
//! Only conversions that lose nothing are made (`"4"` for a number is 4); everything else is against
//! the type, because a guess in a column of numbers is found by nobody.

use std::fmt;

use jiff::civil::Date;
use serde_json::Value;

use super::fields::cell_text;
use super::numbers;

/// Of a value that does not fit, this many characters are quoted.
const LONGEST_QUOTE: usize = 40;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Any,
    /// Text; a number counts as its digits.
    Text,
    /// A number.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// An array.
    List,
    /// An object.
    Object,
    /// A calendar day, as `2026-11-21`.
    Date,
    /// One of these, as they were typed.
    Choice(Vec<String>),
}

/// The words for types, and which of them messages show.
const WORDS: [(&str, Kind); 14] = [
    ("text", Kind::Text),
    ("string", Kind::Text),
    ("str", Kind::Text),
    ("number", Kind::Number),
    ("float", Kind::Number),
    ("integer", Kind::Integer),
    ("int", Kind::Integer),
    ("boolean", Kind::Boolean),
    ("bool", Kind::Boolean),
    ("list", Kind::List),
    ("array", Kind::List),
    ("object", Kind::Object),
    ("date", Kind::Date),
    ("any", Kind::Any),
];

impl Kind {
    /// The type that a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| kind.clone())
    }

    /// All words.
    pub(super) fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(word, _)| *word)
    }

    /// The value as this type, and whether it had to be converted; `None` if it is none.
    pub fn take(&self, value: &Value) -> Option<(Value, bool)> {
        let same = || Some((value.clone(), false));
        match (self, value) {
            (Self::Any, _)
            | (Self::Text, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::List, Value::Array(_))
            | (Self::Object, Value::Object(_)) => same(),
            (Self::Text, Value::Number(number)) => Some((number.to_string().into(), true)),
            (Self::Integer, Value::Number(_)) => whole(value),
            (Self::Number, Value::String(text)) => number_in(text),
            (Self::Integer, Value::String(text)) => {
                let (number, _) = number_in(text)?;
                if number.is_string() { same() } else { whole(&number).map(|(n, _)| (n, true)) }
            }
            (Self::Boolean, Value::String(text)) => truth(text).map(|b| (b.into(), true)),
            (Self::List | Self::Object, Value::String(text)) => {
                let inner: Value = serde_json::from_str(text.trim()).ok()?;
                let fits = matches!(
                    (self, &inner),
                    (Self::List, Value::Array(_)) | (Self::Object, Value::Object(_))
                );
                fits.then_some((inner, true))
            }
            (Self::Date, Value::String(text)) => day(text),
            (Self::Choice(choices), value) => chosen(choices, value),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    /// As it reads after "wanted is".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any value"),
            Self::Text => f.write_str("text"),
            Self::Number => f.write_str("a number"),
            Self::Integer => f.write_str("a whole number"),
            Self::Boolean => f.write_str("true or false"),
            Self::List => f.write_str("a list"),
            Self::Object => f.write_str("an object"),
            Self::Date => f.write_str("a date such as 2026-11-21"),
            Self::Choice(choices) => write!(f, "one of {}", choices.join(", ")),
        }
    }
}

/// A value named for a message: its type and, if it is short, what it says.
pub(super) fn named(value: &Value) -> String {
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(truth) => return truth.to_string(),
        Value::Number(number) => return format!("the number {number}"),
        Value::String(text) if text.trim().is_empty() => return "an empty text".to_owned(),
        Value::String(_) => "the text",
        Value::Array(_) => "the list",
        Value::Object(_) => "the object",
    };
    let text = match value {
        Value::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST_QUOTE {
        return format!("{kind} {text}");
    }
    let start: String = text.chars().take(LONGEST_QUOTE).collect();
    format!("{kind} {start}…")
}

/// A number that was given as text. One too long for 64 bits stays the text of its digits.
fn number_in(text: &str) -> Option<(Value, bool)> {
    let half_width: String = text
        .trim()
        .chars()
        .map(|c| match c {
            '０'..='９' => char::from(b'0' + u8::try_from(c as u32 - '０' as u32).unwrap_or(0)),
            '．' => '.',
            '－' | '−' => '-',
            c => c,
        })
        .collect();
    let (number, _) = numbers::read(&half_width)?;
    let is_converted = number.is_number();
    Some((number, is_converted))
}

/// The number as an integer, if it is one; `4.0` is 4.
fn whole(value: &Value) -> Option<(Value, bool)> {
    if value.is_i64() || value.is_u64() {
        return Some((value.clone(), false));
    }
    let float = value.as_f64().filter(|float| float.fract() == 0.0)?;
    // Beyond this, not every whole number has its own 64-bit float.
    (float.abs() < 9_007_199_254_740_992.0).then_some(())?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    Some((Value::from(float as i64), true))
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "是" => Some(true),
        "false" | "no" | "否" => Some(false),
        _ => None,
    }
}

/// A day with the year first. Where day and month could be taken for each other, none is guessed.
fn day(text: &str) -> Option<(Value, bool)> {
    let trimmed = text.trim();
    let parts: Vec<&str> = match trimmed.strip_suffix('日') {
        Some(chinese) => {
            let (year, rest) = chinese.split_once('年')?;
            let (month, day) = rest.split_once('月')?;
            vec![year, month, day]
        }
        None => trimmed.split(['-', '/', '.']).collect(),
    };
    let [year, month, day] = parts.as_slice() else { return None };
    let is_short = |part: &str| matches!(part.trim().len(), 1 | 2);
    (year.trim().len() == 4 && is_short(month) && is_short(day)).then_some(())?;
    let number = |part: &str| part.trim().parse().ok();
    let date = Date::new(year.trim().parse().ok()?, number(month)?, number(day)?).ok()?;
    let plain = date.to_string();
    let is_converted = plain != text;
    Some((plain.into(), is_converted))
}

/// The choice that a value names; letter case and spaces around do not count.
fn chosen(choices: &[String], value: &Value) -> Option<(Value, bool)> {
    if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
        return None;
    }
    let said = cell_text(value);
    if choices.iter().any(|choice| *choice == said) {
        return Some((value.clone(), false));
    }
    let plain = |text: &str| text.trim().to_lowercase();
    let wanted = plain(&said);
    let found = choices.iter().find(|choice| plain(choice) == wanted)?;
    Some((found.clone().into(), true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_fit_a_type_and_those_that_do_not() {
        let mood = Kind::Choice(vec!["good".into(), "Bad".into(), "不好".into(), "3".into()]);
        let table = [
            (Kind::Any, json!(null), Some((json!(null), false))),
            (Kind::Text, json!("x"), Some((json!("x"), false))),
            (Kind::Text, json!(4), Some((json!("4"), true))),
            (Kind::Text, json!(true), None),
            (Kind::Text, json!(null), None),
            (Kind::Text, json!(["x"]), None),
            (Kind::Number, json!(4), Some((json!(4), false))),
            (Kind::Number, json!("4"), Some((json!(4), true))),
            (Kind::Number, json!(" -0.5 "), Some((json!(-0.5), true))),
            (Kind::Number, json!("４．５"), Some((json!(4.5), true))),
            (Kind::Number, json!("4 of 5"), None),
            (Kind::Number, json!("85%"), None),
            (Kind::Number, json!("1,000"), None),
            (Kind::Number, json!("high"), None),
            (Kind::Number, json!(""), None),
            (Kind::Number, json!([4]), None),
            (Kind::Number, json!(true), None),
            (
                Kind::Number,
                json!("123456789012345678901"),
                Some((json!("123456789012345678901"), false)),
            ),
            (Kind::Integer, json!(-4), Some((json!(-4), false))),
            (Kind::Integer, json!(4.0), Some((json!(4), true))),
            (Kind::Integer, json!(4.5), None),
            (Kind::Integer, json!(1e300), None),
            (Kind::Integer, json!("4"), Some((json!(4), true))),
            (Kind::Integer, json!("4.5"), None),
            (Kind::Boolean, json!(false), Some((json!(false), false))),
            (Kind::Boolean, json!("Yes "), Some((json!(true), true))),
            (Kind::Boolean, json!("否"), Some((json!(false), true))),
            (Kind::Boolean, json!(1), None),
            (Kind::Boolean, json!("maybe"), None),
            (Kind::List, json!([]), Some((json!([]), false))),
            (Kind::List, json!("[1, 2]"), Some((json!([1, 2]), true))),
            (Kind::List, json!("a, b"), None),
            (Kind::List, json!("{}"), None),
            (Kind::Object, json!({"a": 1}), Some((json!({"a": 1}), false))),
            (Kind::Object, json!("{\"a\":1}"), Some((json!({"a": 1}), true))),
            (Kind::Date, json!("2026-11-21"), Some((json!("2026-11-21"), false))),
            (Kind::Date, json!("2026年1月2日"), Some((json!("2026-01-02"), true))),
            (Kind::Date, json!("2026/1/2"), Some((json!("2026-01-02"), true))),
            (Kind::Date, json!("02.01.2026"), None),
            (Kind::Date, json!("2026-02-30"), None),
            (Kind::Date, json!("2026-11-21T10:00:00Z"), None),
            (Kind::Date, json!(20_261_121), None),
            (mood.clone(), json!("good"), Some((json!("good"), false))),
            (mood.clone(), json!(" GOOD"), Some((json!("good"), true))),
            (mood.clone(), json!("bad"), Some((json!("Bad"), true))),
            (mood.clone(), json!("不好 "), Some((json!("不好"), true))),
            (mood.clone(), json!(3), Some((json!(3), false))),
            (mood.clone(), json!("good or bad"), None),
            (mood.clone(), json!(null), None),
            (mood, json!(["good"]), None),
        ];
        for (kind, value, expected) in table {
            assert_eq!(kind.take(&value), expected, "{kind} of {value}");
        }
    }

    #[test]
    fn long_values_are_named_by_their_beginning() {
        assert_eq!(named(&json!("x")), "the text \"x\"");
        assert_eq!(named(&json!(" ")), "an empty text");
        assert_eq!(named(&json!([1, 2])), "the list [1,2]");
        let long = named(&json!("很".repeat(500)));
        assert!(long.ends_with('…') && long.chars().count() < 60, "{long}");
    }
}
