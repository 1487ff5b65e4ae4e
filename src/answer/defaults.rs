//! What the user wants to stand in the cells of rows that have no good answer.

use serde_json::Value;

use super::fields::Fields;
use super::kind::Kind;
use super::status::RowStatus;
use super::wanted::Wanted;
use crate::base::nearest;

/// A value for some of the fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults(Vec<Rule>);

/// One of them.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    /// Which of the fields.
    position: usize,
    value: Value,
    /// Whether an answer may do without the field.
    is_optional: bool,
}

/// Why a default cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefaultError {
    /// Not of the form `field=value`.
    #[error("default `{0}`: write field=value, for example `score=0`")]
    Form(String),
    /// A field that is not wanted.
    #[error("default `{text}`: there is no field `{field}`; {remedy}")]
    Unknown {
        /// As it was typed.
        text: String,
        /// The field's name in it.
        field: String,
        /// The nearest field, or all of them.
        remedy: String,
    },
    /// A second default for a field.
    #[error("field `{0}` has two defaults")]
    Twice(String),
    /// A value that the schema refuses in an answer.
    #[error("default `{text}`: the schema has it that `{field}` {fault}")]
    Schema {
        /// As it was typed.
        text: String,
        /// The field's name in it.
        field: String,
        /// What is wrong with the value.
        fault: String,
    },
    /// A value that the field's own type refuses.
    #[error("default `{text}`: wanted is {kind}")]
    Type {
        /// As it was typed.
        text: String,
        /// What the field holds.
        kind: String,
    },
}

/// A row after its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    /// [`Defaulted`](RowStatus::Defaulted), always.
    pub status: RowStatus,
    /// The status it had, and what was wrong.
    pub error: String,
    /// The values, each default in its place.
    pub values: Vec<Option<Value>>,
}

impl Defaults {
    /// Reads `field=value` for each; a value that is no JSON is text. A field is named as its
    /// column is.
    ///
    /// Whether the schema takes the values is asked by [`Defaults::require_fit`]: what an earlier
    /// job was made with stays as it is.
    pub fn parse(items: &[String], wanted: Wanted<'_>) -> Result<Self, DefaultError> {
        let Some(fields) = wanted.fields() else { return Ok(Self(Vec::new())) };
        let mut defaults: Vec<Rule> = Vec::new();
        for text in items {
            let (name, value) =
                text.split_once('=').ok_or_else(|| DefaultError::Form(text.clone()))?;
            let name = name.trim();
            let (position, field) = fields
                .iter()
                .enumerate()
                .find(|(_, field)| field.column == name)
                .ok_or_else(|| unknown(text, name, fields))?;
            if defaults.iter().any(|known| known.position == position) {
                return Err(DefaultError::Twice(name.to_owned()));
            }
            let plain = || Value::String(value.to_owned());
            let value = match &field.kind {
                Kind::Text | Kind::Choice(_) => plain(),
                // Digits are a text where the schema wants one.
                _ => match serde_json::from_str(value) {
                    Ok(value)
                        if wanted.against(field, &value).is_none()
                            || wanted.against(field, &plain()).is_some() =>
                    {
                        value
                    }
                    _ => plain(),
                },
            };
            let fits = field.kind.take(&value).map(|(value, _)| value);
            let fits = fits.or_else(|| (field.is_optional && value.is_null()).then_some(value));
            let value = fits.ok_or_else(|| DefaultError::Type {
                text: text.clone(),
                kind: field.kind.to_string(),
            })?;
            defaults.push(Rule { position, value, is_optional: field.is_optional });
        }
        Ok(Self(defaults))
    }

    /// Returns if the schema, where there is one, would take each of the values in an answer.
    pub fn require_fit(&self, items: &[String], wanted: Wanted<'_>) -> Result<(), DefaultError> {
        for (text, rule) in items.iter().zip(&self.0) {
            let Some(field) = wanted.fields().and_then(|all| all.iter().nth(rule.position)) else {
                continue;
            };
            if let Some(fault) = wanted.against(field, &rule.value) {
                let (text, field) = (text.clone(), field.column.clone());
                return Err(DefaultError::Schema { text, field, fault });
            }
        }
        Ok(())
    }

    /// Fills the empty places of a row that has no good answer, and those that a good answer left
    /// out; `None` if there is nothing to fill. What the model did say stays. Rows that are still
    /// open or were never asked are left alone.
    pub fn fill(
        &self,
        status: RowStatus,
        error: Option<&str>,
        values: &[Option<Value>],
    ) -> Option<Filled> {
        if matches!(status, RowStatus::Pending | RowStatus::Unasked | RowStatus::Defaulted) {
            return None;
        }
        let mut filled = values.to_vec();
        let mut count = 0;
        for default in &self.0 {
            let place = filled.get_mut(default.position)?;
            // Said by a good answer, null is an answer; so is silence about what need not be told.
            let is_empty = match place {
                None => !(default.is_optional && status.is_good()),
                Some(value) => value.is_null() && !status.is_good(),
            };
            if is_empty {
                *place = Some(default.value.clone());
                count += 1;
            }
        }
        if count == 0 && (status.is_good() || self.0.is_empty()) {
            return None;
        }
        let error = match error {
            Some(error) => format!("{status}: {error}"),
            None => status.to_string(),
        };
        Some(Filled { status: RowStatus::Defaulted, error, values: filled })
    }
}

fn unknown(text: &str, name: &str, fields: &Fields) -> DefaultError {
    let remedy = match nearest(name, fields.columns()) {
        Some(near) if !name.is_empty() => format!("did you mean `{near}`?"),
        _ => format!("there are {}", fields.columns().collect::<Vec<_>>().join(", ")),
    };
    DefaultError::Unknown { text: text.to_owned(), field: name.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::Schema;

    fn fields() -> Fields {
        Fields::parse("label:good|bad,score:number,why,zip:text").unwrap()
    }

    fn parse(items: &[&str]) -> Result<Defaults, DefaultError> {
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        Defaults::parse(&items, Some(&fields()).into())
    }

    #[test]
    fn defaults_are_checked_before_they_are_needed() {
        let found = parse(&["label=BAD", "score=0.5", "why=not known", "zip=007"]).unwrap();
        let values: Vec<Value> = found.0.into_iter().map(|default| default.value).collect();
        assert_eq!(values, [json!("bad"), json!(0.5), json!("not known"), json!("007")]);
        let table: [(&[&str], &str); 6] = [
            (&["label"], "default `label`: write field=value, for example `score=0`"),
            (
                &["lable=bad"],
                "default `lable=bad`: there is no field `lable`; did you mean `label`?",
            ),
            (&["=1"], "default `=1`: there is no field ``; there are label, score, why, zip"),
            (&["score=1", "score=2"], "field `score` has two defaults"),
            (&["score=high"], "default `score=high`: wanted is a number"),
            (&["label=fine"], "default `label=fine`: wanted is one of good, bad"),
        ];
        for (items, expected) in table {
            assert_eq!(parse(items).unwrap_err().to_string(), expected);
        }
    }

    /// S4.14: what no answer may say is no default either, and that is known before money is spent.
    #[test]
    fn s4_14_defaults_are_held_against_the_schema() {
        let item = r##"{"type": "object", "required": ["label", "score", "zip", "deep"], "properties": {
            "label": {"enum": ["good", "bad"]},
            "score": {"$ref": "#/$defs/score"},
            "zip": {"type": "string", "pattern": "^[0-9]+$"},
            "none": {"type": ["integer", "null"]},
            "deep": {"type": "object", "properties": {
                "list": {"type": "array", "items": {"type": "integer", "maximum": 5}}}},
            "either": {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 3}]}
        }}"##;
        let defs = r#""$defs": {"score": {"type": "number", "minimum": 1, "maximum": 5}}"#;
        let one = format!("{},{defs}}}", item.strip_suffix('}').unwrap());
        let list = format!(
            r#"{{"type": "object", "properties": {{"all": {{"type": "array", "items": {item}}}}}, {defs}}}"#
        );
        let table = [
            ("label=good", ""),
            ("label=none", "`label` is not one of \"good\", \"bad\""),
            ("score=5", ""),
            ("score=5.5", "`score` is 5.5, at most 5 is wanted"),
            ("score=0", "`score` is 0, at least 1 is wanted"),
            ("score=", "`score` is of type string, wanted is number"),
            ("score=null", "`score` is of type null, wanted is number"),
            ("zip=00501", ""),
            ("zip=90210", ""),
            ("zip=x", "`zip` \"x\" does not match the pattern ^[0-9]+$"),
            ("none=null", ""),
            ("none=7.5", "`none` is of type number, wanted is"),
            ("deep.list[1]=5", ""),
            ("deep.list[1]=6", "`deep.list[1]` is 6, at most 5 is wanted"),
            ("either=2", "`either` it fits none of the schemas it may have"),
            ("either=true", ""),
        ];
        let fields = Fields::parse("label,score,zip,none,deep.list[1],either").unwrap();
        for (schema, explode) in [(&one, false), (&list, true)] {
            let schema = Schema::compile(schema).unwrap();
            let of = if explode { Wanted::of_each } else { Wanted::new };
            let wanted = of(Some(&fields), Some(&schema));
            for (text, expected) in table {
                let items = [text.to_owned()];
                let defaults = Defaults::parse(&items, wanted).unwrap();
                let fault = defaults.require_fit(&items, wanted).err();
                let fault = fault.map(|error| error.to_string()).unwrap_or_default();
                assert!(fault.contains(expected), "{text}: {fault}");
                assert_eq!(fault.is_empty(), expected.is_empty(), "{text}: {fault}");
                if text == "zip=90210" {
                    assert_eq!(defaults.0[0].value, json!("90210"), "digits are a text here");
                }
            }
        }
        // A schema's own fields, and none to fill.
        let schema = Schema::compile(&one).unwrap();
        let far = Fields::parse("deep.list[99999999999]").unwrap();
        let items = ["deep.list[99999999999]=6".to_owned()];
        let wanted = Wanted::new(Some(&far), Some(&schema));
        let defaults = Defaults::parse(&items, wanted).unwrap();
        assert_eq!(defaults.require_fit(&items, wanted), Ok(()), "no list as long as that is made");
        let items = ["score=9".to_owned()];
        let wanted = Wanted::new(None, Some(&schema));
        assert!(Defaults::parse(&items, wanted).unwrap().require_fit(&items, wanted).is_err());
    }

    /// S4.14, S4.16: failed rows take their defaults and are told apart from answered ones.
    #[test]
    fn s4_14_s4_16_failed_rows_take_defaults() {
        use RowStatus::{Cached, Defaulted, Error, Invalid, Ok, Pending, Unasked};
        let defaults = parse(&["label=bad", "score=0.5"]).unwrap();
        let none = || vec![None, None, None, None];
        let with = |label: Option<Value>, score: Option<Value>| vec![label, score, None, None];
        let full = with(Some(json!("bad")), Some(json!(0.5)));
        let table = [
            (Error, Some("timed out"), none(), Some(("error: timed out", full.clone()))),
            (RowStatus::Missing, None, none(), Some(("missing", full.clone()))),
            (
                Invalid,
                Some("`score` is null"),
                with(Some(json!("good")), None),
                Some(("invalid: `score` is null", with(Some(json!("good")), Some(json!(0.5))))),
            ),
            (
                Ok,
                Some("not in the answer: score"),
                with(Some(json!("good")), None),
                Some(("ok: not in the answer: score", with(Some(json!("good")), Some(json!(0.5))))),
            ),
            (Ok, None, with(Some(json!("good")), Some(json!(null))), None),
            (Cached, None, full.clone(), None),
            (Pending, None, none(), None),
            (Unasked, None, none(), None),
            (Defaulted, Some("error"), full.clone(), None),
            // It failed, whatever it holds.
            (RowStatus::Truncated, Some("cut"), full.clone(), Some(("truncated: cut", full))),
        ];
        for (status, error, values, expected) in table {
            let filled = defaults.fill(status, error, &values);
            let expected = expected.map(|(error, values)| Filled {
                status: Defaulted,
                error: error.to_owned(),
                values,
            });
            assert_eq!(filled, expected, "{status}");
        }
        // A good answer may leave out what is optional, whether it says null or nothing.
        let fields = Fields::parse("n:number?,m").unwrap();
        let defaults = Defaults::parse(&["n=5".to_owned()], Some(&fields).into()).unwrap();
        let said = |n: Option<Value>| [n, Some(json!(1))];
        assert_eq!(defaults.fill(Ok, None, &said(None)), None);
        assert_eq!(defaults.fill(Ok, None, &said(Some(json!(null)))), None);
        let filled = defaults.fill(Invalid, None, &said(None)).unwrap();
        assert_eq!(filled.values, said(Some(json!(5))));
        assert_eq!(Defaults(Vec::new()).fill(Error, None, &none()), None);
    }
}
