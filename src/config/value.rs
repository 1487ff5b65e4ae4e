//! The value of a setting: read from text (flags, environment) or from TOML, always by the kind
//! that the setting has, so that a wrong one is found where it was written.

use std::fmt;
use std::time::Duration;

use super::units::{parse_duration, parse_size};
use crate::cost::{Caps, MoneyError};

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number, not negative.
    Whole,
    /// A whole number, 1 or more.
    Positive,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Texts; a flag that may be repeated, a list in TOML.
    List,
    /// Names joined by commas; a list in TOML is joined.
    Names,
    /// `key=json` pairs; a list of them or a table in TOML.
    Pairs,
    /// A time span.
    Duration,
    /// A time span that is not nothing.
    Wait,
    /// A number of bytes.
    Size,
    /// Amounts of money, one a currency.
    Amounts,
}

/// A value that fits its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Whole`] and, in bytes, [`Kind::Size`].
    Whole(u64),
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Text`], [`Kind::Choice`], [`Kind::Names`] and [`Kind::Amounts`].
    Text(String),
    /// Of [`Kind::List`] and [`Kind::Pairs`].
    List(Vec<String>),
    /// Of [`Kind::Duration`].
    Duration(Duration),
}

impl Kind {
    /// Reads a value from one piece of text, as flags and the environment give it.
    pub fn read(self, text: &str) -> Result<Value, String> {
        Ok(match self {
            Self::Flag => Value::Flag(read_flag(text)?),
            Self::Whole => Value::Whole(
                text.trim()
                    .parse()
                    .map_err(|_| format!("`{text}` is not a whole number, 0 or more"))?,
            ),
            Self::Positive => match text.trim().parse() {
                Ok(number @ 1..) => Value::Whole(number),
                _ => return Err(format!("`{text}` is not a whole number, 1 or more")),
            },
            Self::Number => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Number(number),
                _ => return Err(format!("`{text}` is not a number")),
            },
            Self::Text | Self::Names => Value::Text(text.to_owned()),
            Self::Choice(words) => Value::Text(read_choice(text, words)?),
            Self::List | Self::Pairs => Value::List(vec![text.to_owned()]),
            Self::Duration => Value::Duration(parse_duration(text)?),
            Self::Wait => match parse_duration(text)? {
                Duration::ZERO => return Err(format!("`{text}` is no time at all")),
                some => Value::Duration(some),
            },
            Self::Size => Value::Whole(parse_size(text)?),
            Self::Amounts => {
                let caps: Caps = text.parse().map_err(|error: MoneyError| error.to_string())?;
                Value::Text(caps.to_string())
            }
        })
    }

    /// What a person should write, for messages.
    pub fn describe(self) -> String {
        match self {
            Self::Flag => "true or false".into(),
            Self::Whole => "a whole number".into(),
            Self::Positive => "a whole number, 1 or more".into(),
            Self::Number => "a number".into(),
            Self::Text => "a text".into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::List => "a text or a list of texts".into(),
            Self::Names => "names joined by commas".into(),
            Self::Pairs => "key=json pairs".into(),
            Self::Duration | Self::Wait => "a duration (90s, 1h30m, 7d, plain seconds)".into(),
            Self::Size => "a size (200MB, 1.5GiB, plain bytes)".into(),
            Self::Amounts => "an amount (5USD, or one a currency: 50 USD, 300 CNY)".into(),
        }
    }
}

fn read_flag(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" | "" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

fn read_choice(text: &str, words: &[&str]) -> Result<String, String> {
    let word = text.trim().to_ascii_lowercase();
    if words.contains(&word.as_str()) {
        return Ok(word);
    }
    Err(format!("`{text}` is not one of {}", words.join(", ")))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => f.write_str(&values.join(", ")),
            Self::Duration(value) => write!(f, "{}s", value.as_secs_f64()),
        }
    }
}

/// A Rust type that a setting can be read as. A type other than an `Option` or a list needs a
/// default in the table of settings.
pub trait FromValue: Sized {
    /// Takes the value, if there is one.
    fn from_value(value: Option<&Value>) -> Option<Self>;
}

macro_rules! from_value {
    ($type:ty, $pattern:pat => $result:expr) => {
        impl FromValue for $type {
            fn from_value(value: Option<&Value>) -> Option<Self> {
                match value {
                    Some($pattern) => Some($result),
                    _ => None,
                }
            }
        }
    };
}

from_value!(bool, Value::Flag(value) => *value);
from_value!(u64, Value::Whole(value) => *value);
from_value!(f64, Value::Number(value) => *value);
from_value!(String, Value::Text(value) => value.clone());
from_value!(Duration, Value::Duration(value) => *value);

impl FromValue for Vec<String> {
    fn from_value(value: Option<&Value>) -> Option<Self> {
        match value {
            Some(Value::List(values)) => Some(values.clone()),
            None => Some(Vec::new()),
            Some(_) => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Option<&Value>) -> Option<Self> {
        value.map_or(Some(None), |_| T::from_value(value).map(Some))
    }
}
