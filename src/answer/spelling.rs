//! Names that are the same to the eye and not in bytes: `é` is one character or two, as it was
//! typed. An answer that spells a key in the other way is found all the same.
//!
//! Only names are compared so; what stands in the values is never touched.

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

/// Whether two names are the same but for how their accents are put together.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || (!(one.is_ascii() && other.is_ascii()) && one.nfc().eq(other.nfc()))
}

/// Whether any key in a value could be spelled in another way.
pub(super) fn has_accents(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            object.iter().any(|(key, value)| !key.is_ascii() || has_accents(value))
        }
        Value::Array(items) => items.iter().any(has_accents),
        _ => false,
    }
}

/// The value with each key that is one of these names in another spelling under that name. A key
/// whose object has the name itself too stays.
pub(super) fn respelt(value: Value, names: &[&str]) -> Value {
    match value {
        Value::Object(object) => {
            let mut respelt_object = Map::with_capacity(object.len());
            let own: Vec<Option<String>> =
                object.keys().map(|key| other_name(key, &object, names)).collect();
            for ((key, value), other) in object.into_iter().zip(own) {
                let key = other.filter(|name| !respelt_object.contains_key(name)).unwrap_or(key);
                respelt_object.insert(key, respelt(value, names));
            }
            Value::Object(respelt_object)
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| respelt(item, names)).collect())
        }
        other => other,
    }
}

fn other_name(key: &str, object: &Map<String, Value>, names: &[&str]) -> Option<String> {
    if key.is_ascii() || names.contains(&key) {
        return None;
    }
    let name = names.iter().find(|name| is_same(name, key) && !object.contains_key(**name))?;
    Some((*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Fields, Schema, Wanted, explode, extract};

    /// Field report 68: the wanted field and the answer's key in composed and in separate letters,
    /// each way round; by fields, by a schema, alone and of several things.
    #[test]
    fn keys_are_found_in_either_spelling() {
        let (one, two) = ("pr\u{e9}nom", "pre\u{301}nom");
        let hangul = ("\u{d55c}", "\u{1112}\u{1161}\u{11ab}");
        for (wanted, came) in
            [(one, two), (two, one), (one, one), (hangul.0, hangul.1), (hangul.1, hangul.0)]
        {
            let fields = Fields::parse(&format!("{wanted},in.{wanted}")).unwrap();
            let schema = format!(
                r#"{{"type":"object","properties":{{"{wanted}":{{"type":"string"}},"in":{{"type":
                "object","properties":{{"{wanted}":{{}}}},"required":["{wanted}"]}}}},
                "required":["{wanted}"],"additionalProperties":false}}"#
            );
            let schema = Schema::compile(&schema).unwrap();
            let json = format!(r#"{{"{came}":"Zoe\u0301","in":{{"{came}":7}}}}"#);
            for content in [json.clone(), format!("so: {json}."), format!("[{json}]")] {
                let some = [Some("Zoe\u{301}".into()), Some(7.into())];
                let found = extract(&content, Some(&fields).into(), true);
                assert_eq!((found.values, found.absent), (some.to_vec(), vec![]), "{content}");
                let both = Wanted::new(Some(&fields), Some(&schema));
                let found = extract(&content, both, true);
                assert_eq!((found.values, found.faults), (some.to_vec(), vec![]), "{content}");
                let found = explode(&content, Wanted::of_each(Some(&fields), None), true);
                assert_eq!(found.rows[0].values, some, "{content}");
            }
        }
    }

    #[test]
    fn what_is_there_as_it_is_wanted_stays() {
        let table = [
            // The exact name goes first, wherever it stands.
            (r#"{"e\u0301":1,"\u00e9":2}"#, r#"{"é":2}"#),
            (r#"{"\u00e9":2,"e\u0301":1}"#, r#"{"é":2}"#),
            (r#"{"e\u0301":1}"#, r#"{"é":1}"#),
            // Other accents are other names.
            (r#"{"e\u0300":1,"e":3}"#, "{}"),
        ];
        for (came, expected) in table {
            let value: Value = serde_json::from_str(came).unwrap();
            let keys = value.as_object().unwrap().len();
            let respelt = respelt(value, &["\u{e9}"]);
            assert_eq!(respelt.as_object().unwrap().len(), keys, "nothing is lost: {came}");
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(respelt.get("\u{e9}"), expected.get("\u{e9}"), "{came}");
        }
    }
}
