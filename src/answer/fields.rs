//! The fields asked for with `--json-fields`: how they are written, and how they are looked up.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// `name:type`.
    #[error("field `{0}`: types of fields are not supported yet; write `{1}`")]
    Typed(String, String),
    /// Brackets or dots that make no path.
    #[error("field `{0}`: not a path; write `a`, `a.b`, `a[0]` or `a.0`")]
    Path(String),
}

impl Fields {
    /// Reads a list such as `a,b.c,d[0],d.0`; the full-width comma separates too.
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
        let columns: Vec<&str> = self.columns().collect();
        f.write_str(&columns.join(","))
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
        if let Some((name, _)) = item.split_once([':', '：']) {
            return Err(FieldError::Typed(item.to_owned(), name.trim().to_owned()));
        }
        let path = parse_path(item).ok_or_else(|| FieldError::Path(item.to_owned()))?;
        Ok(Self { column: item.to_owned(), path })
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
            ("score:number", FieldError::Typed("score:number".into(), "score".into())),
            ("mood：good|bad", FieldError::Typed("mood：good|bad".into(), "mood".into())),
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
