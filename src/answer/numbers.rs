//! Keeps numbers as the model wrote them. The JSON parser reads numbers into 64 bits, which would
//! silently change long ids and measurements; such numbers become text with the same digits.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// From here on a decimal number may not come back from 64 bits with the same digits.
const LONG: usize = 16;
/// This many significant digits always survive, if the reader rounds correctly.
const SURE: usize = 17;

/// Whether a JSON text may hold a number that a quick parse changes. May say yes wrongly.
pub(super) fn are_doubtful(json: &str) -> bool {
    let mut digits = 0;
    for byte in json.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => {}
            b'e' | b'E' if digits > 0 => return true,
            _ => digits = 0,
        }
        if digits >= LONG {
            return true;
        }
    }
    false
}

/// The value of a JSON text, with every number as written.
pub(super) fn faithful(json: &str) -> serde_json::Result<Value> {
    Ok(match json.trim_start().as_bytes().first() {
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(json)?;
            let mut object = Map::new();
            for (key, raw) in members.0 {
                object.insert(key, faithful(raw.get())?);
            }
            Value::Object(object)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json)?;
            Value::Array(
                items.into_iter().map(|raw| faithful(raw.get())).collect::<Result<_, _>>()?,
            )
        }
        Some(b'-' | b'0'..=b'9') => number(json.trim()),
        _ => serde_json::from_str(json)?,
    })
}

fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse::<i64>() {
        return Value::Number(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Value::Number(whole.into());
    }
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let is_fraction = text.len() > mantissa.len() || text.contains('.');
    let significant =
        mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|d| *d == b'0').count();
    // Rust reads decimals correctly rounded, the quick parse of the JSON library does not.
    let float = text.parse::<f64>().ok().and_then(Number::from_f64);
    match float {
        Some(float) if is_fraction && (significant <= SURE || float.to_string() == text) => {
            Value::Number(float)
        }
        _ => Value::String(text.to_owned()),
    }
}

/// A number that may be written a little otherwise than JSON wants, and whether it was:
/// `+1`, `.5`, `5.`.
pub(super) fn read(text: &str) -> Option<(Value, bool)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = digits.split_at(digits.find(['e', 'E']).unwrap_or(digits.len()));
    let zero = if mantissa.starts_with('.') { "0" } else { "" };
    let mantissa = mantissa.strip_suffix('.').unwrap_or(mantissa);
    let json = format!("{sign}{zero}{mantissa}{exponent}");
    let is_number = mantissa.contains(|c: char| c.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(&json).is_ok_and(|raw| raw.get() == json);
    is_number.then(|| (number(&json), json != text))
}

/// The members of an object in order, unparsed.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<'a>(std::marker::PhantomData<BTreeMap<String, &'a RawValue>>);
        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Visitor<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        let table = [
            ("5", Some(("5", false))),
            ("-0.5e3", Some(("-500.0", false))),
            ("+1", Some(("1", true))),
            (".5", Some(("0.5", true))),
            ("-.5", Some(("-0.5", true))),
            ("5.", Some(("5", true))),
            ("1e999", Some(("\"1e999\"", false))),
            (".", None),
            ("", None),
            ("-", None),
            ("007", None),
            ("1-2", None),
            ("1.2.3", None),
            ("e5", None),
        ];
        for (text, expected) in table {
            let found = read(text).map(|(value, is_mended)| (value.to_string(), is_mended));
            let expected = expected.map(|(json, is_mended)| (json.to_owned(), is_mended));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let table = [
            ("5", "5"),
            ("-3", "-3"),
            ("1.0", "1.0"),
            ("0.8500000000000001", "0.8500000000000001"),
            ("18446744073709551615", "18446744073709551615"),
            ("123456789012345678901234567890", "\"123456789012345678901234567890\""),
            ("3.14159265358979323846", "\"3.14159265358979323846\""),
            ("1e-30", "1e-30"),
            ("[1, {\"id\": 12345678901234567890123}]", "[1,{\"id\":\"12345678901234567890123\"}]"),
            ("{\"b\":\"你\\n好\",\"a\":[null,true]}", "{\"b\":\"你\\n好\",\"a\":[null,true]}"),
        ];
        for (text, expected) in table {
            assert_eq!(faithful(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["{\"a\":1,\"b\":0.5}", "[\"2026-11-21\"]", "{\"a\":123456789012345}"] {
            assert!(!are_doubtful(text), "{text}");
        }
        for text in ["12345678901234567890", "1.234567890123456789", "1e5"] {
            assert!(are_doubtful(text), "{text}");
        }
    }
}
