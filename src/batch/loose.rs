//! Readers for JSON whose types cannot be relied on: a number may be text, an object may be `null`,
//! absent, a string that holds JSON, or `{}`. They never fail on a type; what cannot be used reads
//! as absent. Typed, so that a result line is read in one pass and what is not kept is skipped.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess};
use serde::de::{Error, Visitor};
use serde_json::Value;

use super::ErrorWords;

/// Visitor methods that read a type of no use as absent; for arrays and objects the rest is skipped.
macro_rules! absent {
    ($($kind:ident)*) => { $(absent!(@$kind);)* };
    (@unit) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> { Ok(Self::Value::default()) }
    };
    (@bool) => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> { Ok(Self::Value::default()) }
    };
    (@number) => {
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> { Ok(Self::Value::default()) }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> { Ok(Self::Value::default()) }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> { Ok(Self::Value::default()) }
    };
    (@text) => {
        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> { Ok(Self::Value::default()) }
    };
    (@seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (@map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

fn anything(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("any JSON value")
}

/// A string; numbers and booleans as their text.
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                anything(f)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Some(text.to_owned())))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(Some(text)))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }
            fn visit_bool<E: Error>(self, truth: bool) -> Result<Text, E> {
                Ok(Text(Some(truth.to_string())))
            }
            absent!(unit seq map);
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A whole number; text that holds one counts.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Number(pub(super) Option<i64>);

impl Number {
    /// The number as a count, 0 where it is absent or negative.
    pub(super) fn count(self) -> u64 {
        self.0.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                anything(f)
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(i64::try_from(number).ok()))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                // Saturating is right: nothing that large is a count or a time.
                #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                Ok(Number(number.is_finite().then_some(number as i64)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.trim().parse().ok()))
            }
            absent!(unit bool seq map);
        }
        deserializer.deserialize_any(Reader)
    }
}

/// An object, or a string that holds one.
#[derive(Debug)]
pub(super) struct Loose<T>(pub(super) Option<T>);

impl<T> Default for Loose<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Reader<T> {
            type Value = Loose<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                anything(f)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Loose<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|value| Loose(Some(value)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Loose<T>, E> {
                let is_object = text.trim_start().starts_with('{');
                Ok(Loose(is_object.then(|| serde_json::from_str(text).ok()).flatten()))
            }
            absent!(unit bool number seq);
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// An array; anything else is an empty one.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Reader<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                anything(f)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<Loose<T>>()? {
                    items.extend(item.0);
                }
                Ok(List(items))
            }
            absent!(unit bool number text map);
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// An `error` key of any type; `null`, `{}`, `""` and `false` are no error.
#[derive(Debug, Default)]
pub(super) struct Fault(pub(super) Option<ErrorWords>);

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Errors are few, so a tree is no burden here.
        Value::deserialize(deserializer).map(|value| Self(ErrorWords::read(&value)))
    }
}

/// The content of a message: text, or an array of parts, each text or an object.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    /// Whether parts of it are what the model thought.
    pub(super) has_thoughts: bool,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Part {
    r#type: Text,
    text: Text,
    refusal: Text,
}

impl Content {
    fn add(&mut self, part: Part) {
        // Some services send the model's thoughts as parts beside the answer.
        let is_thought =
            part.r#type.0.is_some_and(|kind| kind == "thinking" || kind == "reasoning");
        self.has_thoughts |= is_thought;
        if let Some(text) = part.text.0
            && !is_thought
        {
            self.text.get_or_insert_default().push_str(&text);
        }
        if let Some(refusal) = part.refusal.0 {
            self.refusal.get_or_insert_default().push_str(&refusal);
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                anything(f)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content { text: Some(text.to_owned()), ..Content::default() })
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Content, E> {
                Ok(Content { text: Some(text), ..Content::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content, A::Error> {
                let mut content = Content::default();
                content.add(Part::deserialize(MapAccessDeserializer::new(map))?);
                Ok(content)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut content = Content::default();
                while let Some(part) = seq.next_element::<Content>()? {
                    content.has_thoughts |= part.has_thoughts;
                    if let Some(text) = part.text {
                        content.text.get_or_insert_default().push_str(&text);
                    }
                    if let Some(refusal) = part.refusal {
                        content.refusal.get_or_insert_default().push_str(&refusal);
                    }
                }
                Ok(content)
            }
            absent!(unit bool number);
        }
        deserializer.deserialize_any(Reader)
    }
}
