//! Finds JSON records in text, and cells in JSON records.
//!
//! Values are not built: strings without escapes and all other values are taken as they stand in
//! the record. A record that is an array counts as `{"messages": …}`.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::row::Piece;
use super::scan::{Found, find};

/// The column that bare message arrays fill.
pub(super) const MESSAGES: &str = "messages";

/// The next line that is not blank.
pub(super) fn line(bytes: &[u8], last: bool) -> Found {
    let Some(start) = bytes.iter().position(|b| !b.is_ascii_whitespace()) else {
        return if last { Found::End } else { Found::More };
    };
    let (end, next) = match find(&bytes[start..], b'\n') {
        Some(length) => (start + length, start + length + 1),
        None if last => (bytes.len(), bytes.len()),
        None => return Found::More,
    };
    let end = start + bytes[start..end].trim_ascii_end().len();
    Found::Record { start, end, next, quoted: false }
}

/// Where in an array the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the bracket.
    Outside,
    /// After the bracket: an element or the end.
    Opened,
    /// At an element.
    Element,
    /// After an element: a comma or the end.
    After,
    /// After the closing bracket.
    Closed,
}

/// What was found in an array: a record or the end, or what is wrong at which byte.
pub(super) type ArrayFound = Result<Found, (usize, &'static str)>;

/// The next element of an array. `place` moves only when something was found.
pub(super) fn element(bytes: &[u8], last: bool, place: &mut Place) -> ArrayFound {
    let mut at = 0;
    let mut now = *place;
    loop {
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        let Some(&byte) = bytes.get(at) else {
            return match (last, now) {
                (false, _) => Ok(Found::More),
                (true, Place::Closed) => Ok(Found::End),
                (true, _) => Err((at, "the file ends before the closing `]`: is it complete?")),
            };
        };
        now = match (now, byte) {
            (Place::Outside, b'[') => Place::Opened,
            (Place::After, b',') => Place::Element,
            (Place::Opened | Place::After, b']') => Place::Closed,
            (Place::Opened | Place::Element, b'{' | b'[') => {
                let Some(length) = nested(&bytes[at..]) else {
                    let reason = "the file ends inside this element: is it complete?";
                    return if last { Err((at, reason)) } else { Ok(Found::More) };
                };
                *place = Place::After;
                let (end, next) = (at + length, at + length);
                return Ok(Found::Record { start: at, end, next, quoted: true });
            }
            (Place::Opened | Place::Element, _) => {
                return Err((at, "a table's elements are objects or arrays of messages"));
            }
            (Place::Outside, _) => return Err((at, "a JSON table starts with `[`")),
            (Place::After, _) => return Err((at, "a `,` or `]` should stand before this")),
            (Place::Closed, _) => return Err((at, "nothing may follow the closing `]`")),
        };
        at += 1;
    }
}

/// The length of the object or array that starts here.
fn nested(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => at += string(&bytes[at..])? - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The length of the string that starts here, quotes included.
fn string(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let quote = at + find(&bytes[at..], b'"')?;
        let slashes = bytes[1..quote].iter().rev().take_while(|b| **b == b'\\').count();
        if slashes % 2 == 0 {
            return Some(quote + 1);
        }
        at = quote + 1;
    }
}

/// The keys of a JSON table, and where each stands among the columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    pub(super) fn new(names: &[String]) -> Self {
        let mut columns = Self::default();
        for name in names {
            columns.add(name);
        }
        columns
    }

    /// The place of a key, which is added if it is new.
    pub(super) fn add(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a key; objects mostly repeat their keys in one order, so the guess is tried
    /// before the map.
    fn place(&self, name: &str, guess: usize) -> Option<usize> {
        match self.names.get(guess) {
            Some(expected) if expected == name => Some(guess),
            _ => self.places.get(name).copied(),
        }
    }
}

/// Adds the keys of a record to the columns.
pub(super) fn collect_keys(raw: &str, columns: &mut Columns) -> Result<(), serde_json::Error> {
    if raw.starts_with('[') {
        columns.add(MESSAGES);
        return serde_json::from_str::<IgnoredAny>(raw).map(drop);
    }
    whole(raw, KeyCollector { columns, guess: 0 })
}

/// Finds the cells of a record. Texts with escapes are rewritten into `text`.
pub(super) fn cells(
    raw: &str,
    columns: &Columns,
    pieces: &mut Vec<Piece>,
    text: &mut String,
) -> Result<(), serde_json::Error> {
    pieces.clear();
    pieces.resize(columns.names.len(), Piece::default());
    if raw.starts_with('[') {
        if let Some(&place) = columns.places.get(MESSAGES) {
            pieces[place] = Piece { start: 0, end: raw.len(), rewritten: false };
        }
        return serde_json::from_str::<IgnoredAny>(raw).map(drop);
    }
    whole(raw, CellFinder { raw, columns, pieces, text })
}

/// Reads one value and makes sure that nothing follows it.
fn whole<'de, S: DeserializeSeed<'de>>(
    raw: &'de str,
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct KeyCollector<'a> {
    columns: &'a mut Columns,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for KeyCollector<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for KeyCollector<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(known) =
            map.next_key_seed(KeyPlace { columns: self.columns, guess: self.guess })?
        {
            self.guess = 1 + match known {
                Ok(place) => place,
                Err(name) => self.columns.add(&name),
            };
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Turns a key into its place, or hands it back if it has none.
struct KeyPlace<'a> {
    columns: &'a Columns,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for KeyPlace<'_> {
    type Value = Result<usize, String>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyPlace<'_> {
    type Value = Result<usize, String>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.columns.place(key, self.guess).ok_or_else(|| key.to_owned()))
    }
}

struct CellFinder<'a> {
    raw: &'a str,
    columns: &'a Columns,
    pieces: &'a mut [Piece],
    text: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for CellFinder<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for CellFinder<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut guess = 0;
        while let Some(known) = map.next_key_seed(KeyPlace { columns: self.columns, guess })? {
            let value = map.next_value::<&'de RawValue>()?.get();
            if let Ok(place) = known {
                guess = place + 1;
                let start = value.as_ptr().addr() - self.raw.as_ptr().addr();
                self.pieces[place] = piece(value, start, self.text);
            }
        }
        Ok(())
    }
}

/// The place of a value's text; `start` is where the value starts in its record.
fn piece(value: &str, start: usize, text: &mut String) -> Piece {
    let end = start + value.len();
    if !value.starts_with('"') {
        let end = if value == "null" { start } else { end };
        return Piece { start, end, rewritten: false };
    }
    if !value.contains('\\') {
        return Piece { start: start + 1, end: end - 1, rewritten: false };
    }
    let start = text.len();
    match serde_json::from_str::<String>(value) {
        Ok(string) => text.push_str(&string),
        // Half a surrogate pair is no character; JavaScript writes such strings all the same.
        Err(_) => match serde_json::from_str::<Bytes>(value) {
            Ok(Bytes(bytes)) => text.push_str(&String::from_utf8_lossy(&bytes)),
            Err(_) => text.push_str(&value[1..value.len() - 1]),
        },
    }
    Piece { start, end: text.len(), rewritten: true }
}

/// A string read as bytes, in which half a surrogate pair is allowed.
struct Bytes(Vec<u8>);

impl<'de> serde::Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_07_elements_are_found_and_wrong_arrays_are_named() {
        let table: &[(&str, &[&str], Option<&str>)] = &[
            ("[]", &[], None),
            (" [ {\"a\":1} , [ {} ] ] \n", &["{\"a\":1}", "[ {} ]"], None),
            ("[{\"a\":\"]}\\\"\\\\\"}]", &["{\"a\":\"]}\\\"\\\\\"}"], None),
            ("[{},]", &["{}"], Some("objects or arrays")),
            ("[{} {}]", &["{}"], Some("should stand before")),
            ("[{}] x", &["{}"], Some("nothing may follow")),
            ("[1]", &[], Some("objects or arrays")),
            ("[{}", &["{}"], Some("before the closing")),
            ("[{\"a\":[", &[], Some("inside this element")),
            ("{}", &[], Some("starts with")),
        ];
        for (text, expected, wrong) in table {
            let (mut rest, mut place, mut seen) = (text.as_bytes(), Place::Outside, Vec::new());
            let error = loop {
                match element(rest, true, &mut place) {
                    Ok(Found::Record { start, end, next, .. }) => {
                        seen.push(str::from_utf8(&rest[start..end]).unwrap());
                        rest = &rest[next..];
                    }
                    Ok(_) => break None,
                    Err((_, reason)) => break Some(reason),
                }
            };
            assert_eq!(seen, *expected, "{text}");
            match wrong {
                Some(part) => assert!(error.unwrap().contains(part), "{text}: {error:?}"),
                None => assert_eq!(error, None, "{text}"),
            }
        }
    }

    #[test]
    fn cells_of_an_object_are_bare_strings_or_json() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let columns = Columns::new(&names);
        let table: &[(&str, [&str; 3])] = &[
            (r#"{"a":"x","b":2,"c":null}"#, ["x", "2", ""]),
            (r#"{ "c" : [1, "y"], "a": "\u4e2d\n\"" }"#, ["中\n\"", "", r#"[1, "y"]"#]),
            (r#"{"\u0061":true,"z":"other"}"#, ["true", "", ""]),
            (r#"{"b":"1","b":"2"}"#, ["", "2", ""]),
            (r#"{"a":"x\ud800y"}"#, ["x\u{fffd}\u{fffd}\u{fffd}y", "", ""]),
        ];
        let (mut pieces, mut text) = (Vec::new(), String::new());
        for (raw, expected) in table {
            text.clear();
            cells(raw, &columns, &mut pieces, &mut text).unwrap();
            let read =
                |p: &Piece| if p.rewritten { &text[p.start..p.end] } else { &raw[p.start..p.end] };
            assert_eq!(pieces.iter().map(read).collect::<Vec<_>>(), expected, "{raw}");
        }
        for raw in ["{\"a\":1", "{\"a\":1} x", "3", "{\"a\":[1,}"] {
            assert!(cells(raw, &columns, &mut pieces, &mut text).is_err(), "{raw}");
        }
    }
}
