//! The fields asked for with `--json-fields`: how they are written, and how they are looked up.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::Kind;
use crate::base::nearest;

/// One step of a path into an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// An element of an array, from 0 (`[0]`).
    Index(usize),
    /// A key of an object; digits also name an element of an array (`d.0`).
    Key(String),
}

/// One wanted field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The column's name: the path as it was typed.
    pub column: String,
    /// Where the value stands in the answer.
    pub path: Vec<Step>,
    /// What it must hold.
    pub kind: Kind,
    /// Whether the answer may leave it out or say null: a `?` behind the type.
    pub is_optional: bool,
    /// What was typed behind the colon, if anything.
    typed: Option<String>,
}

/// The wanted fields in the order of their columns; at least one. Stored as the text that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fields(Vec<Field>);

/// Why a list of fields cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Nothing but commas.
    #[error("no field is named; write them with commas between, for example `label,score`")]
    Empty,
    /// The same column twice.
    #[error("field `{0}` is named twice")]
    Twice(String),
    /// `name:word` with a word that is no type.
    #[error("field `{field}`: `{word}` is no type; {remedy}")]
    Type {
        /// As it was typed.
        field: String,
        /// What stands behind the colon.
        word: String,
        /// What to write instead.
        remedy: String,
    },
    /// Choices that cannot be told apart, or an empty one.
    #[error("field `{field}`: {fault}; write each choice once, for example `mood:good|bad`")]
    Choices {
        /// As it was typed.
        field: String,
        /// What is wrong with them.
        fault: String,
    },
    /// Brackets or dots that make no path.
    #[error("field `{0}`: not a path; write `a`, `a.b`, `a[0]` or `a.0`")]
    Path(String),
}

impl Fields {
    /// Reads a list such as `a,b.c,d[0],d.0,score:number,mood:good|bad`; the full-width comma,
    /// colon and bar count too.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let mut fields: Vec<Field> = Vec::new();
        for item in text.split([',', '，']).map(str::trim).filter(|item| !item.is_empty()) {
            let field = Field::parse(item)?;
            if fields.iter().any(|known| known.column == field.column) {
                return Err(FieldError::Twice(field.column));
            }
            fields.push(field);
        }
        if fields.is_empty() { Err(FieldError::Empty) } else { Ok(Self(fields)) }
    }

    /// These fields, unless there are none.
    pub(super) fn of(fields: Vec<Field>) -> Option<Self> {
        (!fields.is_empty()).then_some(Self(fields))
    }

    /// The fields in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }

    /// How many there are, never 0.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names of their columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|field| field.column.as_str())
    }

    /// Each field as it was typed, with its type: what a hint to the model is worded from.
    pub fn typed(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// The keys an answer must have at its top, each once: what a hint to the model names.
    pub fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for field in &self.0 {
            if let Some(Step::Key(key)) = field.path.first()
                && !keys.contains(&key.as_str())
            {
                keys.push(key);
            }
        }
        keys
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed().join(","))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.typed {
            Some(typed) => write!(f, "{}:{typed}", self.column),
            None => f.write_str(&self.column),
        }
    }
}

impl std::str::FromStr for Fields {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Fields {
    type Error = FieldError;

    fn try_from(text: String) -> Result<Self, FieldError> {
        Self::parse(&text)
    }
}

impl From<Fields> for String {
    fn from(fields: Fields) -> Self {
        fields.to_string()
    }
}

impl Field {
    fn parse(item: &str) -> Result<Self, FieldError> {
        let (name, typed) = match item.split_once([':', '：']) {
            Some((name, typed)) => (name.trim(), Some(typed.trim())),
            None => (item, None),
        };
        let path = parse_path(name).ok_or_else(|| FieldError::Path(item.to_owned()))?;
        let (word, is_optional) = match typed.map(|typed| typed.trim_end_matches(['?', '？'])) {
            Some(word) => (Some(word.trim()), typed != Some(word)),
            None => (None, false),
        };
        let kind = word.map_or(Ok(Kind::Any), |word| parse_kind(item, name, word))?;
        let typed = typed.map(|typed| typed.replace('｜', "|").replace('？', "?"));
        Ok(Self { column: name.to_owned(), path, kind, is_optional, typed })
    }

    /// A field of any type for a key of a schema.
    pub(super) fn of_key(key: &str) -> Self {
        Self {
            column: key.to_owned(),
            path: vec![Step::Key(key.to_owned())],
            kind: Kind::Any,
            is_optional: false,
            typed: None,
        }
    }

    /// The value in an answer. A key spelled exactly like the whole path goes first; of an array
    /// with one element that element counts as the answer.
    pub fn find<'a>(&self, answer: &'a Value) -> Option<&'a Value> {
        if let Some(value) = answer.as_object().and_then(|object| object.get(&self.column)) {
            return Some(value);
        }
        walk(answer, &self.path).or_else(|| match answer {
            Value::Array(items) if items.len() == 1 => walk(&items[0], &self.path),
            _ => None,
        })
    }

    /// Whether what stands at that place of an answer is the field's value or a part of it. The
    /// only element of a list counts as the answer, in the place and in the path.
    pub(super) fn holds(&self, place: &[Step]) -> bool {
        let is_exact = |step: &Step| *step == Step::Key(self.column.clone());
        if place.first().is_some_and(is_exact) {
            return true;
        }
        let (place, path) = (of_only(place), of_only(&self.path));
        !path.is_empty()
            && place.len() >= path.len()
            && place.iter().zip(path).all(|(at, step)| match (at, step) {
                (Step::Index(index), Step::Key(key)) => key.parse() == Ok(*index),
                (at, step) => at == step,
            })
    }
}

fn of_only(path: &[Step]) -> &[Step] {
    path.strip_prefix(&[Step::Index(0)]).unwrap_or(path)
}

/// Reads what stands behind a colon: a word for a type, or choices.
fn parse_kind(item: &str, name: &str, word: &str) -> Result<Kind, FieldError> {
    let choices: Vec<&str> = word.split(['|', '｜']).map(str::trim).collect();
    let [only] = choices.as_slice() else { return parse_choices(item, &choices) };
    Kind::of_word(only).ok_or_else(|| {
        let remedy = match nearest(only, Kind::words()) {
            Some(near) if !only.is_empty() => format!("did you mean `{name}:{near}`?"),
            _ => "types are text, number, integer, boolean, list, object and date, choices \
                  have `|` between"
                .to_owned(),
        };
        FieldError::Type { field: item.to_owned(), word: (*only).to_owned(), remedy }
    })
}

fn parse_choices(item: &str, choices: &[&str]) -> Result<Kind, FieldError> {
    let fault = |fault: String| FieldError::Choices { field: item.to_owned(), fault };
    for (position, choice) in choices.iter().enumerate() {
        if choice.is_empty() {
            return Err(fault("a choice is empty".to_owned()));
        }
        let same = |other: &&&str| other.to_lowercase() == choice.to_lowercase();
        if let Some(other) = choices[..position].iter().find(same) {
            return Err(fault(format!("`{other}` and `{choice}` are the same choice")));
        }
    }
    if choices.iter().all(|choice| Kind::of_word(choice).is_some_and(|kind| kind != Kind::Any)) {
        return Err(fault("a field has one type".to_owned()));
    }
    Ok(Kind::Choice(choices.iter().map(ToString::to_string).collect()))
}

fn parse_path(item: &str) -> Option<Vec<Step>> {
    let mut path = Vec::new();
    for (position, part) in item.split('.').enumerate() {
        let (key, mut brackets) = match part.find('[') {
            Some(at) => part.split_at(at),
            None => (part, ""),
        };
        let key = key.trim();
        // Only the very first part may be brackets alone: `[0].a`.
        if !key.is_empty() {
            path.push(Step::Key(key.to_owned()));
        } else if position > 0 || brackets.is_empty() {
            return None;
        }
        while !brackets.is_empty() {
            let (index, rest) = brackets.strip_prefix('[')?.split_once(']')?;
            path.push(Step::Index(index.trim().parse().ok()?));
            brackets = rest;
        }
    }
    Some(path)
}

fn walk<'a>(answer: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(answer, |value, step| match (step, value) {
        (Step::Key(key), Value::Object(object)) => object.get(key),
        (Step::Key(key), Value::Array(items)) => items.get(key.parse::<usize>().ok()?),
        (Step::Index(index), Value::Array(items)) => items.get(*index),
        _ => None,
    })
}

/// A value as it stands in a cell: strings bare, null empty, everything else as JSON text (S0.19).
pub fn cell_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s0_15_lists_of_fields_as_people_type_them() {
        let key = |text: &str| Step::Key(text.to_owned());
        let fields = Fields::parse(" a, b.c，d[0] ,d.0,,情感, [0].x, m[1][2].k ").unwrap();
        let columns: Vec<&str> = fields.columns().collect();
        assert_eq!(columns, ["a", "b.c", "d[0]", "d.0", "情感", "[0].x", "m[1][2].k"]);
        let paths: Vec<_> = fields.iter().map(|field| field.path.clone()).collect();
        assert_eq!(paths[1], [key("b"), key("c")]);
        assert_eq!(paths[2], [key("d"), Step::Index(0)]);
        assert_eq!(paths[3], [key("d"), key("0")]);
        assert_eq!(paths[5], [Step::Index(0), key("x")]);
        assert_eq!(paths[6], [key("m"), Step::Index(1), Step::Index(2), key("k")]);
        assert_eq!(fields.keys(), ["a", "b", "d", "情感", "m"]);
        let stored = serde_json::to_string(&fields).unwrap();
        assert_eq!(serde_json::from_str::<Fields>(&stored).unwrap(), fields);
    }

    #[test]
    fn lists_that_cannot_be_used_say_what_to_write() {
        let table = [
            (" , ，", FieldError::Empty),
            ("a,b,a", FieldError::Twice("a".into())),
            (":number", FieldError::Path(":number".into())),
            ("a..b", FieldError::Path("a..b".into())),
            ("a[x]", FieldError::Path("a[x]".into())),
            ("a[0", FieldError::Path("a[0".into())),
            ("a[0]b", FieldError::Path("a[0]b".into())),
            (".a", FieldError::Path(".a".into())),
        ];
        for (text, expected) in table {
            assert_eq!(Fields::parse(text), Err(expected), "{text}");
        }
    }

    /// S0.15: types behind a colon, as people type them.
    #[test]
    fn s0_15_typed_fields() {
        let choice =
            |words: &[&str]| Kind::Choice(words.iter().map(|word| (*word).to_owned()).collect());
        let table = [
            ("score:number", "score", Kind::Number, false, "score:number"),
            ("a.b[0] : Integer", "a.b[0]", Kind::Integer, false, "a.b[0]:Integer"),
            ("ok：bool?", "ok", Kind::Boolean, true, "ok:bool?"),
            ("mood:good|bad", "mood", choice(&["good", "bad"]), false, "mood:good|bad"),
            ("情感：正面｜负面？", "情感", choice(&["正面", "负面"]), true, "情感:正面|负面?"),
            ("at:10:00|11:00", "at", choice(&["10:00", "11:00"]), false, "at:10:00|11:00"),
            ("size:number|big", "size", choice(&["number", "big"]), false, "size:number|big"),
            ("plain", "plain", Kind::Any, false, "plain"),
        ];
        for (text, column, kind, is_optional, shown) in table {
            let fields = Fields::parse(text).unwrap();
            let field = fields.iter().next().unwrap();
            assert_eq!((field.column.as_str(), &field.kind), (column, &kind), "{text}");
            assert_eq!((field.is_optional, field.to_string().as_str()), (is_optional, shown));
            assert_eq!(Fields::parse(&fields.to_string()), Ok(fields), "it reads what it shows");
        }
        let several = Fields::parse("a:number,mood:good|bad，b").unwrap();
        assert_eq!(several.to_string(), "a:number,mood:good|bad,b");
        assert_eq!(several.columns().collect::<Vec<_>>(), ["a", "mood", "b"]);
        let faults = [
            ("a:nmber", "field `a:nmber`: `nmber` is no type; did you mean `a:number`?"),
            (
                "a:percentage",
                "field `a:percentage`: `percentage` is no type; types are text, number, integer, \
                 boolean, list, object and date, choices have `|` between",
            ),
            ("a:", "field `a:`: `` is no type; types are text"),
            ("a:x|", "field `a:x|`: a choice is empty; write each choice once"),
            ("a:Yes|yes", "field `a:Yes|yes`: `Yes` and `yes` are the same choice; write"),
            ("a:number|text", "field `a:number|text`: a field has one type; write"),
            ("a:number,a:text", "field `a` is named twice"),
        ];
        for (text, expected) in faults {
            let error = Fields::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn values_are_found_by_path_and_written_as_cells_s0_19() {
        let answer = json!({"a": "plain \"text\"", "b": {"c": 1.5}, "d": ["x", {"y": 2}], "n": null,
            "t": true, "p.q": "exact key", "p": {"q": "path"}, "e": "", "list": ["红", "blue"]});
        let table = [
            ("a", Some("plain \"text\"")),
            ("b.c", Some("1.5")),
            ("b", Some("{\"c\":1.5}")),
            ("d[0]", Some("x")),
            ("d.0", Some("x")),
            ("d.1.y", Some("2")),
            ("d[5]", None),
            ("a.b", None),
            ("n", Some("")),
            ("t", Some("true")),
            ("p.q", Some("exact key")),
            ("e", Some("")),
            ("list", Some("[\"红\",\"blue\"]")),
            ("zzz", None),
        ];
        for (path, expected) in table {
            let fields = Fields::parse(path).unwrap();
            let found = fields.iter().next().unwrap().find(&answer).map(cell_text);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        let one = json!([{"a": 1}]);
        let two = json!([{"a": 1}, {"a": 2}]);
        let field = Field::parse("a").unwrap();
        assert_eq!(field.find(&one), Some(&json!(1)), "an array of one is its element");
        assert_eq!(field.find(&two), None, "which of several is not guessed");
    }
}
