//! `[prices."model"]`: what a model costs where the list in the program does not know, or is to be
//! overruled. Only in the user's own file: a low price from a cloned folder could talk a budget
//! round.

use toml::Spanned;
use toml::de::DeValue;

use super::error::ConfigError;
use super::file::Reader;
use crate::base::nearest;
use crate::cost::{Currency, OwnPrice, Rates, first_day, per_million};

/// Keys of a `[prices."model"]` section.
const KEYS: [&str; 9] = [
    "input",
    "output",
    "cached_input",
    "currency",
    "batch_factor",
    "batch_input",
    "batch_output",
    "provider",
    "as_of",
];

/// A whole in millionths: a batch never costs more than calls.
const WHOLE: u64 = 1_000_000;

impl Reader<'_> {
    /// One section.
    pub(super) fn price(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<OwnPrice, ConfigError> {
        let start = name.span().start;
        let model = name.get_ref().as_ref();
        let DeValue::Table(table) = value.get_ref() else {
            let message = "a section [prices.\"MODEL\"] is wanted".to_owned();
            return Err(self.wrong(model, start, message));
        };
        if model.trim().is_empty() {
            return Err(self.wrong("prices", start, "the model's name is missing".into()));
        }
        let mut price = OwnPrice::of(model, self.place(start));
        let mut currency = None;
        for (name, value) in table {
            let key = name.get_ref().as_ref();
            let at = |message: String| self.wrong(key, value.span().start, message);
            let rate = || figure(value.get_ref()).map(Some).map_err(at);
            match key {
                "input" => price.realtime.input = rate()?,
                "output" => price.realtime.output = rate()?,
                "cached_input" => price.realtime.cached_input = rate()?,
                "batch_input" => price.batch_input = rate()?,
                "batch_output" => price.batch_output = rate()?,
                "batch_factor" => {
                    let message = || "a number from 0 to 1 is wanted, 0.5 for half".to_owned();
                    let factor = figure(value.get_ref()).ok().filter(|factor| *factor <= WHOLE);
                    price.batch_factor = Some(factor.ok_or_else(message).map_err(at)?);
                }
                "currency" => {
                    let read = text(value.get_ref()).and_then(|text| {
                        text.parse::<Currency>().map_err(|error| error.to_string())
                    });
                    currency = Some(read.map_err(at)?);
                }
                "provider" => price.provider = Some(text(value.get_ref()).map_err(at)?),
                "as_of" => price.as_of = Some(day(value.get_ref()).map_err(at)?),
                _ => return Err(self.unknown_of_price(model, name, value)),
            }
        }
        let missing = |what: &str| self.wrong(&format!("prices.\"{model}\""), start, what.into());
        price.currency =
            currency.ok_or_else(|| missing("currency is missing: \"USD\", \"CNY\", …"))?;
        if price.realtime == Rates::default() {
            return Err(missing("input is missing: the price of a million prompt tokens"));
        }
        Ok(price)
    }

    fn unknown_of_price(
        &self,
        model: &str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> ConfigError {
        let key = name.get_ref().as_ref();
        if value.get_ref().is_table() {
            // `[prices.gpt-4.1]` is `1` in `gpt-4`.
            let message = format!("write the model's name in quotes: [prices.\"{model}.{key}\"]");
            return self.wrong(&format!("prices.{model}.{key}"), name.span().start, message);
        }
        ConfigError::Unknown {
            place: self.place(name.span().start),
            what: "key of a price",
            name: key.to_owned(),
            nearest: nearest(key, KEYS).map(ToOwned::to_owned),
        }
    }
}

/// A price of a million tokens, from the very digits that were written.
fn figure(value: &DeValue<'_>) -> Result<u64, String> {
    let written = match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return Err("a number is wanted, without quotes, per million tokens".to_owned()),
    };
    per_million(written.strip_prefix('+').unwrap_or(written)).ok_or_else(|| {
        format!("`{written}` is no price: a number from 0 with at most six decimals is wanted, per million tokens")
    })
}

fn text(value: &DeValue<'_>) -> Result<String, String> {
    value.as_str().map(|text| text.trim().to_owned()).ok_or_else(|| "a text is wanted".to_owned())
}

/// A day as text or as TOML's own kind of value.
fn day(value: &DeValue<'_>) -> Result<String, String> {
    let text = match value {
        DeValue::Datetime(day) => day.to_string(),
        value => text(value)?,
    };
    match first_day(&text) {
        Some(_) => Ok(text),
        None => Err(format!("`{text}` is no day: write it as \"2026-05-01\"")),
    }
}
