//! Amounts of money, exactly: whole numbers of a trillionth of a currency's unit.
//!
//! Prices are told per million tokens, so one of them is a million trillionths a token and every
//! price with up to six decimals is a whole number. Currencies are never added to each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::numbers::grouped;

/// Trillionths in one unit of a currency.
pub const PICO: u64 = 1_000_000_000_000;

/// A currency by its three letters of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// US dollar.
    pub const USD: Self = Self(*b"USD");
    /// Chinese yuan.
    pub const CNY: Self = Self(*b"CNY");

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only made of ASCII letters")
    }

    /// What stands before an amount.
    pub fn sign(&self) -> String {
        match *self {
            Self::USD => "$".to_owned(),
            Self::CNY => "¥".to_owned(),
            other => format!("{} ", other.code()),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A text that is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three letters.
    #[error("'{0}' is no currency: three letters are wanted, as in USD or CNY")]
    Currency(String),
    /// Not a number with at most six decimals.
    #[error("'{0}' is no amount: write it as 5USD, 0.50 USD or 30CNY")]
    Amount(String),
    /// Digits alone, where several currencies are possible.
    #[error("'{0}' names no currency: write {0}USD or {0}CNY")]
    Bare(String),
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let upper = text.trim().to_ascii_uppercase();
        match upper.as_str() {
            "$" => return Ok(Self::USD),
            "¥" | "￥" | "RMB" | "元" => return Ok(Self::CNY),
            _ => {}
        }
        match upper.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(MoneyError::Currency(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The currency.
    pub currency: Currency,
    /// Trillionths of its unit.
    pub pico: u64,
}

impl Money {
    /// Reads `5USD`, `0.5 usd`, `$5`, `30CNY`, `¥30`; a bare number only where `only` says which
    /// currency is meant.
    pub fn parse(text: &str, only: Option<Currency>) -> Result<Self, MoneyError> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(MoneyError::Amount(text.to_owned()));
        }
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let Some(start) = text.find(is_number) else {
            return Err(MoneyError::Amount(text.to_owned()));
        };
        let end = text.rfind(is_number).map_or(text.len(), |last| last + 1);
        let number = &text[start..end];
        let pico = pico_of(number).ok_or_else(|| MoneyError::Amount(text.to_owned()))?;
        let currency = match (text[..start].trim(), text[end..].trim()) {
            ("", "") => only.ok_or_else(|| MoneyError::Bare(number.to_owned()))?,
            (before, "") => before.parse()?,
            ("", behind) => behind.parse()?,
            _ => return Err(MoneyError::Amount(text.to_owned())),
        };
        Ok(Self { currency, pico })
    }

    /// The amount as people read it: `$0.028`, `$1.71`, `¥1,234`; what is not 0 is never shown as
    /// 0, so very little is `<$0.0001`.
    pub fn show(&self) -> String {
        // Up to which amount so many decimals are shown: one that would be rounded up to the next
        // step is already shown as that, `$0.010` and not `$0.0100`.
        const DECIMALS: [(u64, u32); 3] = [
            (PICO / 100 - PICO / 20_000, 4),
            (PICO / 10 - PICO / 2_000, 3),
            (1_000 * PICO - PICO / 200, 2),
        ];
        let sign = self.currency.sign();
        if self.pico == 0 {
            return format!("{sign}0");
        }
        if self.pico < PICO / 10_000 {
            return format!("<{sign}0.0001");
        }
        let decimals = DECIMALS.iter().find(|(below, _)| self.pico < *below);
        let decimals = decimals.map_or(0, |(_, decimals)| *decimals);
        let unit = PICO / 10_u64.pow(decimals);
        let rounded = self.pico / unit + u64::from(self.pico % unit >= unit / 2);
        let whole = grouped(rounded / 10_u64.pow(decimals));
        match decimals {
            0 => format!("{sign}{whole}"),
            decimals => {
                let part = rounded % 10_u64.pow(decimals);
                format!("{sign}{whole}.{part:0width$}", width = decimals as usize)
            }
        }
    }

    /// A round amount that is not less, for a limit: cents, from ten units on whole units.
    #[must_use]
    pub fn rounded_up(&self) -> Self {
        let unit = if self.pico >= 10 * PICO { PICO } else { PICO / 100 };
        Self { pico: self.pico.div_ceil(unit).saturating_mul(unit), ..*self }
    }

    /// The amount as one types it after a flag, exactly: `8USD`, `0.05CNY`.
    pub fn typed(&self) -> String {
        let (whole, part) = (self.pico / PICO, self.pico % PICO);
        let part = format!("{part:012}");
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        format!("{whole}{point}{part}{}", self.currency)
    }

    /// The amount as a number of units, for programs.
    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are doubles")]
    pub fn units(&self) -> f64 {
        self.pico as f64 / PICO as f64
    }
}

/// A decimal number as trillionths; `None` where it is none, has more than twelve decimals, or is
/// too large.
pub(super) fn pico_of(number: &str) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole)
        || !is_digits(part)
        || part.len() > 12
        || (whole.is_empty() && part.is_empty())
    {
        return None;
    }
    let units: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u64 = format!("{part:0<12}").parse().ok()?;
    units.checked_mul(PICO)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_type_them() {
        let usd = |pico| Ok(Money { currency: Currency::USD, pico });
        let cny = |pico| Ok(Money { currency: Currency::CNY, pico });
        let table = [
            ("5USD", None, usd(5 * PICO)),
            ("0.50 usd", None, usd(PICO / 2)),
            ("$5", None, usd(5 * PICO)),
            (".5$", None, usd(PICO / 2)),
            ("30CNY", None, cny(30 * PICO)),
            ("¥30", None, cny(30 * PICO)),
            ("30元", None, cny(30 * PICO)),
            ("7", Some(Currency::CNY), cny(7 * PICO)),
            ("7", None, Err(MoneyError::Bare("7".into()))),
            ("", None, Err(MoneyError::Amount(String::new()))),
            ("five", None, Err(MoneyError::Amount("five".into()))),
            ("-5USD", None, Err(MoneyError::Amount("-5USD".into()))),
            ("-5", None, Err(MoneyError::Amount("-5".into()))),
            ("5 dollars", None, Err(MoneyError::Currency("dollars".into()))),
            ("1.2.3USD", None, Err(MoneyError::Amount("1.2.3USD".into()))),
            ("99999999999USD", None, Err(MoneyError::Amount("99999999999USD".into()))),
        ];
        for (text, only, expected) in table {
            assert_eq!(Money::parse(text, only), expected, "{text}");
        }
    }

    /// Field report 52: what is not 0 is never shown as 0.
    #[test]
    fn field_52_amounts_as_people_read_them() {
        let table = [
            (0, "$0"),
            (1, "<$0.0001"),
            (PICO / 10_000, "$0.0001"),
            (4_249_000_000, "$0.0042"),
            (28_400_000_000, "$0.028"),
            (9_949_000_000, "$0.0099"),
            (9_951_000_000, "$0.010"),
            (PICO / 100, "$0.010"),
            (99_400_000_000, "$0.099"),
            (99_990_000_000, "$0.10"),
            (PICO / 10, "$0.10"),
            (999_996_000_000_000, "$1,000"),
            (500_000_000_000, "$0.50"),
            (1_709_999_000_000, "$1.71"),
            (999_994_000_000_000, "$999.99"),
            (1_234_400_000_000_000, "$1,234"),
        ];
        for (pico, expected) in table {
            assert_eq!(Money { currency: Currency::USD, pico }.show(), expected, "{pico}");
        }
        let eur = "EUR".parse().unwrap();
        assert_eq!(Money { currency: eur, pico: PICO }.show(), "EUR 1.00");
        assert_eq!(Money { currency: Currency::CNY, pico: 4_200_000_000 }.show(), "¥0.0042");
    }

    #[test]
    fn amounts_to_be_typed_are_enough() {
        let table = [
            (1, "0.01USD"),
            (PICO / 2, "0.5USD"),
            (PICO, "1USD"),
            (PICO + 1, "1.01USD"),
            (10 * PICO + 1, "11USD"),
        ];
        for (pico, expected) in table {
            let money = Money { currency: Currency::USD, pico };
            assert_eq!(money.rounded_up().typed(), expected);
        }
    }

    #[test]
    fn what_is_printed_to_be_typed_is_read_back() {
        for (pico, text) in
            [(0, "0USD"), (8 * PICO, "8USD"), (PICO / 20, "0.05USD"), (1, "0.000000000001USD")]
        {
            let money = Money { currency: Currency::USD, pico };
            assert_eq!(money.typed(), text);
            assert_eq!(Money::parse(text, None), Ok(money));
        }
    }
}
