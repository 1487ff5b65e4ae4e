//! Takes the wanted fields out of a model's answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{Fields, Step};
use super::numbers;
use super::scan::{Candidate, candidates};

/// How the JSON was found in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParseStatus {
    /// The answer is JSON and nothing else.
    Direct,
    /// In a block between three backticks.
    Fenced,
    /// Somewhere in prose.
    Embedded,
    /// Not at all.
    Failed,
}

impl ParseStatus {
    /// The word in the `parse_status` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fenced => "fenced",
            Self::Embedded => "embedded",
            Self::Failed => "failed",
        }
    }
}

/// What an answer says about the wanted fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// One value per field, in their order; `None` where the answer has none.
    pub values: Vec<Option<Value>>,
    /// How it was found. `Failed` if no JSON in the answer has any of the wanted fields.
    pub status: ParseStatus,
    /// Wanted top-level keys that the chosen JSON lacks.
    pub absent: Vec<String>,
}

/// Finds the wanted fields in an answer: the whole text, a fenced block, or JSON inside prose.
/// Of several, the one with most of the wanted fields counts; among equals a fenced one, then the
/// last, because models think aloud before they conclude.
pub fn extract(content: &str, fields: &Fields) -> Extracted {
    let text = content.trim_start_matches('\u{feff}').trim();
    if let Some(found) = direct(text, fields) {
        return found;
    }
    let best = candidates(text)
        .into_iter()
        .map(|candidate| {
            let fenced = is_fenced(text, &candidate);
            (hits(&candidate.value, fields), fenced, candidate)
        })
        .filter(|(hits, ..)| *hits > 0)
        .max_by_key(|(hits, fenced, candidate)| (*hits, *fenced, candidate.span.start));
    match best {
        Some((_, fenced, candidate)) => {
            let status = if fenced { ParseStatus::Fenced } else { ParseStatus::Embedded };
            let json = &text[candidate.span];
            found(json, candidate.value, fields, status)
        }
        None => Extracted {
            values: vec![None; fields.len()],
            status: ParseStatus::Failed,
            absent: Vec::new(),
        },
    }
}

/// The answer as JSON and nothing else. Some services encode it once more as a string.
fn direct(text: &str, fields: &Fields) -> Option<Extracted> {
    if !text.starts_with(['{', '[', '"']) {
        return None;
    }
    match serde_json::from_str::<Value>(text).ok()? {
        Value::String(inner) if inner.trim_start().starts_with(['{', '[']) => {
            direct(inner.trim(), fields)
        }
        value if hits(&value, fields) > 0 => Some(found(text, value, fields, ParseStatus::Direct)),
        _ => None,
    }
}

fn hits(value: &Value, fields: &Fields) -> usize {
    fields.iter().filter(|field| field.find(value).is_some()).count()
}

fn found(json: &str, value: Value, fields: &Fields, status: ParseStatus) -> Extracted {
    let value =
        if numbers::are_doubtful(json) { numbers::faithful(json).unwrap_or(value) } else { value };
    let values: Vec<Option<Value>> =
        fields.iter().map(|field| field.find(&value).cloned()).collect();
    Extracted { absent: absent_keys(&value, fields, &values), values, status }
}

/// Names keys that are not there at all. A path that ends early below an existing key is no
/// complaint: lists are of different lengths.
fn absent_keys(value: &Value, fields: &Fields, values: &[Option<Value>]) -> Vec<String> {
    let mut absent = Vec::new();
    for (field, _) in fields.iter().zip(values).filter(|(_, value)| value.is_none()) {
        if let (Some(Step::Key(key)), Value::Object(object)) = (field.path.first(), value)
            && !object.contains_key(key)
            && !absent.contains(key)
        {
            absent.push(key.clone());
        }
    }
    absent
}

/// Whether a fence opens right before and nothing but a fence, or the end, follows.
fn is_fenced(text: &str, candidate: &Candidate) -> bool {
    let before = text[..candidate.span.start].trim_end();
    let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
    let Some(prose) = word.trim_end_matches([' ', '\t']).strip_suffix("```") else {
        return false;
    };
    let after = text[candidate.span.end..].trim_start();
    let is_fence_line = |line: &&str| line.trim_start().starts_with("```");
    // A fence at the start of a line opens only if those before it are in pairs. JSON strings
    // hold no line breaks, so a fence quoted in an answer is never counted.
    let opens = match prose.rsplit('\n').next() {
        Some(line) if line.trim().is_empty() => {
            prose.lines().filter(is_fence_line).count().is_multiple_of(2)
        }
        _ => true,
    };
    opens && (after.is_empty() || after.starts_with("```"))
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
