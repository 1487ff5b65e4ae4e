//! The most that may be spent, as settings say it: one amount for each currency. What is spent and
//! reserved so far is counted elsewhere.

use std::fmt;
use std::str::FromStr;

use super::money::{Currency, Money, MoneyError};

/// Amounts of money of which the one in the price's currency holds: `5USD`, `50 USD, 300 CNY`, or
/// a bare number, which is in the currency of the price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Amount(Money),
    Bare(String),
}

/// Why one set of caps may not stand over another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLower {
    /// This amount is above the other one.
    Above(Money, Money),
    /// Only one of the two names this currency, or a number names none.
    Elsewhere,
}

impl Caps {
    /// The amount that holds for prices in this currency; `None` if none does.
    pub fn of(&self, currency: Currency) -> Option<Money> {
        self.parts.iter().find_map(|part| match part {
            Part::Amount(money) => (money.currency == currency).then_some(*money),
            Part::Bare(number) => Money::parse(number, Some(currency)).ok(),
        })
    }

    /// The smaller amounts of both, if each of the new ones is at most the old one in its
    /// currency.
    pub fn lowered(&self, new: &Self) -> Result<Self, NotLower> {
        let mut lowered = self.clone();
        for part in &new.parts {
            let Part::Amount(new) = part else { return Err(NotLower::Elsewhere) };
            let old = lowered.parts.iter_mut().find_map(|part| match part {
                Part::Amount(old) if old.currency == new.currency => Some(old),
                _ => None,
            });
            let old = old.ok_or(NotLower::Elsewhere)?;
            if new.pico > old.pico {
                return Err(NotLower::Above(*new, *old));
            }
            *old = *new;
        }
        Ok(lowered)
    }
}

impl FromStr for Caps {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        // A comma is between thousands where that can be read, else between amounts; no text can
        // be read both ways, as amounts are of different currencies.
        let joined = without_thousands(text);
        Self::split(&joined).or_else(|error| {
            if joined == text { Err(error) } else { Self::split(text).map_err(|_| error) }
        })
    }
}

impl Caps {
    fn split(whole: &str) -> Result<Self, MoneyError> {
        let mut parts: Vec<Part> = Vec::new();
        let pieces: Vec<&str> = whole.split(',').map(str::trim).collect();
        for text in &pieces {
            let part = match Money::parse(text, None) {
                Ok(money) => Part::Amount(money),
                // What is half of a number with a comma is told as a whole.
                Err(MoneyError::Bare(_)) if pieces.len() > 1 => {
                    return Err(MoneyError::Amount(whole.to_owned()));
                }
                Err(MoneyError::Bare(number)) => Part::Bare(number),
                Err(error) => return Err(error),
            };
            let is_same = |known: &Part| match (known, &part) {
                (Part::Amount(a), Part::Amount(b)) => a.currency == b.currency,
                _ => true,
            };
            if parts.iter().any(is_same) {
                return Err(MoneyError::Amount(whole.to_owned()));
            }
            parts.push(part);
        }
        Ok(Self { parts })
    }
}

/// As one types it.
impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match part {
                Part::Amount(money) => f.write_str(&money.typed())?,
                Part::Bare(number) => f.write_str(number)?,
            }
        }
        Ok(())
    }
}

/// The text without commas that stand between a digit and exactly three digits: `5,000USD`.
fn without_thousands(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_kept = |at: usize, c: char| {
        let is_behind = at > 0 && digit(at - 1);
        let digits = (1..=4).take_while(|step| digit(at + step)).count();
        c != ',' || !is_behind || digits != 3
    };
    text.char_indices().filter(|(at, c)| is_kept(*at, *c)).map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USD: Currency = Currency::USD;
    const CNY: Currency = Currency::CNY;

    fn caps(text: &str) -> Caps {
        text.parse().unwrap()
    }

    #[test]
    fn the_amount_in_the_currency_of_the_price_holds() {
        let table = [
            ("5USD", USD, Some("5USD")),
            ("5USD", CNY, None),
            ("50 USD, ¥300", CNY, Some("300CNY")),
            ("0.05 usd,300CNY", USD, Some("0.05USD")),
            ("7.5", CNY, Some("7.5CNY")),
            ("5,000USD", USD, Some("5000USD")),
            ("$1,234,567.50", USD, Some("1234567.5USD")),
            ("5,000", CNY, Some("5000CNY")),
            ("1,000USD,7,000CNY", CNY, Some("7000CNY")),
            ("$50,300CNY", CNY, Some("300CNY")),
            ("$50,300CNY", USD, Some("50USD")),
        ];
        for (text, currency, expected) in table {
            let held = caps(text).of(currency).map(|money| money.typed());
            assert_eq!(held.as_deref(), expected, "{text} {currency}");
        }
        for text in ["", "five", "5USD,", "5USD, 6USD", "5, 6USD", "5USD 6CNY"] {
            assert!(text.parse::<Caps>().is_err(), "{text}");
        }
        // Half of what was typed is never named as if it were the whole.
        for text in ["5,00USD", "5,0000USD", "-1", "-5USD"] {
            assert_eq!(text.parse::<Caps>(), Err(MoneyError::Amount(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn caps_are_only_lowered() {
        let above = |new: &str, old: &str| {
            let money = |text| Money::parse(text, None).unwrap();
            Err(NotLower::Above(money(new), money(old)))
        };
        let table = [
            ("10USD", "5USD", Ok("5USD")),
            ("10USD", "10USD", Ok("10USD")),
            ("10USD", "10.01USD", above("10.01USD", "10USD")),
            ("10USD, 70CNY", "5CNY", Ok("10USD, 5CNY")),
            ("10USD", "5CNY", Err(NotLower::Elsewhere)),
            ("10USD", "5", Err(NotLower::Elsewhere)),
            ("10", "5USD", Err(NotLower::Elsewhere)),
        ];
        for (old, new, expected) in table {
            let lowered = caps(old).lowered(&caps(new)).map(|caps| caps.to_string());
            assert_eq!(lowered, expected.map(str::to_owned), "{old} by {new}");
        }
    }
}
