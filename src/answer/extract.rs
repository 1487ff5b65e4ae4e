//! Takes the wanted fields out of a model's answer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::numbers;
use super::repair::{Repair, Repairs};
use super::scan::{Candidate, scan};
use super::wanted::{Wanted, take};

/// How the JSON was found in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParseStatus {
    /// The answer is JSON and nothing else.
    Direct,
    /// In a block between three backticks.
    Fenced,
    /// Somewhere in prose.
    Embedded,
    /// Not as it was meant to be: it was mended, a value was converted to its type, or it is one
    /// of several answers that say different things.
    Repaired,
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
            Self::Repaired => "repaired",
            Self::Failed => "failed",
        }
    }
}

/// What an answer says about the wanted fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// One value per field, in their order; `None` where the answer has none of its type.
    pub values: Vec<Option<Value>>,
    /// How it was found. `Failed` if no JSON in the answer can be the wanted one.
    pub status: ParseStatus,
    /// Wanted top-level keys that the chosen JSON lacks.
    pub absent: Vec<String>,
    /// What was mended or converted.
    pub repairs: Vec<Repair>,
    /// What is against the types of the fields, or the schema.
    pub faults: Vec<String>,
}

impl Extracted {
    /// The same, marked as one of several answers that say different things.
    fn chosen(mut self) -> Self {
        self.repairs.push(Repair::Chosen);
        self.status = ParseStatus::Repaired;
        self
    }
}

/// Finds what is wanted in an answer: the whole text, a fenced block, or JSON inside prose. Of
/// several, the one that fits the schema counts, then the one with most of the wanted fields; among
/// equals one that needs no mending, then a fenced one, then the last, because models think aloud
/// before they conclude; where another one that is worth as much says something else, that is
/// marked. `is_ended` says that the model ended its answer by itself: only then may
/// a missing end be a slip.
pub fn extract(content: &str, wanted: Wanted<'_>, is_ended: bool) -> Extracted {
    let text = content.trim_start_matches('\u{feff}').trim();
    if let Some((json, value)) = whole(text)
        && let value = wanted.respelt(value)
        && wanted.worth(&value).is_some()
    {
        return found(&json, value, Vec::new(), ParseStatus::Direct, wanted);
    }
    let answer = after_thoughts(text);
    let searched = searched(answer, wanted, is_ended);
    // Without an opening tag the closing one may stand in the answer itself.
    let elsewhere = || {
        let is_part = answer.len() < text.len() && !text.starts_with(THOUGHTS.0);
        is_part.then(|| self::searched(text, wanted, is_ended)).flatten()
    };
    searched.or_else(elsewhere).unwrap_or_else(|| Extracted {
        values: vec![None; wanted.len()],
        status: ParseStatus::Failed,
        absent: Vec::new(),
        repairs: Vec::new(),
        faults: Vec::new(),
    })
}

/// The tags some models write around what they think before they answer.
const THOUGHTS: (&str, &str) = ("<think>", "</think>");

/// The answer without the thoughts before it: what is only thought is not said.
pub(super) fn after_thoughts(text: &str) -> &str {
    match text.split_once(THOUGHTS.1) {
        Some((_, answer)) => answer.trim(),
        None if text.starts_with(THOUGHTS.0) => "",
        None => text,
    }
}

/// The answer as JSON and nothing else. Some services encode it once more as a string.
pub(super) fn whole(text: &str) -> Option<(Cow<'_, str>, Value)> {
    if !text.starts_with(['{', '[', '"']) {
        return None;
    }
    match serde_json::from_str::<Value>(text).ok()? {
        Value::String(inner) => {
            let inner = inner.trim();
            let value = inner.starts_with(['{', '[']).then(|| serde_json::from_str(inner).ok());
            Some((Cow::Owned(inner.to_owned()), value.flatten()?))
        }
        value => Some((Cow::Borrowed(text), value)),
    }
}

/// The best of the objects and arrays that stand in a text.
fn searched(text: &str, wanted: Wanted<'_>, is_ended: bool) -> Option<Extracted> {
    let fences = Fences::of(text);
    let mut all: Vec<_> = scan(text, is_ended)
        .candidates
        .into_iter()
        .filter_map(|candidate| {
            let value = wanted.respelt(candidate.value);
            let candidate = Candidate { value, ..candidate };
            let is_fenced = fences.hold(&candidate);
            Some((wanted.worth(&candidate.value)?, is_fenced, candidate))
        })
        .collect();
    let order = |(worth, is_fenced, candidate): &(_, bool, Candidate)| {
        (*worth, candidate.repairs.is_empty(), *is_fenced, candidate.span.start)
    };
    let last = (0..all.len()).max_by_key(|position| order(&all[*position]))?;
    let (worth, is_fenced, best) = all.swap_remove(last);
    let rivals = all.iter().filter(|(other, ..)| *other == worth).map(|(.., other)| other);
    let taken = wanted.said(&best.value);
    let is_chosen = rivals
        .filter(|rival| is_complete(&rival.repairs))
        .any(|rival| wanted.said(&rival.value) != taken);
    let status = standing(text, &best, is_fenced);
    let found = found(&text[best.span], best.value, best.repairs, status, wanted);
    Some(if is_chosen { found.chosen() } else { found })
}

/// Whether an answer with these repairs has its end.
pub(super) fn is_complete(repairs: &[Repair]) -> bool {
    !repairs.contains(&Repair::Closed)
}

/// How a candidate stands in its text.
pub(super) fn standing(text: &str, candidate: &Candidate, is_fenced: bool) -> ParseStatus {
    match is_fenced {
        _ if candidate.span == (0..text.len()) => ParseStatus::Direct,
        true => ParseStatus::Fenced,
        false => ParseStatus::Embedded,
    }
}

fn found(
    json: &str,
    value: Value,
    repairs: Vec<Repair>,
    status: ParseStatus,
    wanted: Wanted<'_>,
) -> Extracted {
    let against_schema = wanted.against_schema(&value);
    let misfits = wanted.misfits(&value);
    let value = with_all_digits(json, value, &repairs, wanted);
    let mut found = taken(&value, repairs, status, wanted, against_schema);
    wanted.blank(&mut found.values, &misfits);
    found
}

/// The value with every number as written. What was mended has been read with care already.
pub(super) fn with_all_digits(
    json: &str,
    value: Value,
    repairs: &[Repair],
    wanted: Wanted<'_>,
) -> Value {
    if repairs.is_empty() && numbers::are_doubtful(json) {
        return numbers::faithful(json).map_or(value, |value| wanted.respelt(value));
    }
    value
}

/// Takes the fields out of a value that was found.
pub(super) fn taken(
    value: &Value,
    repairs: Vec<Repair>,
    status: ParseStatus,
    wanted: Wanted<'_>,
    against_schema: Vec<String>,
) -> Extracted {
    let mut repairs = Repairs(repairs);
    let taken = take(wanted, value, &mut repairs);
    let status = if repairs.0.is_empty() { status } else { ParseStatus::Repaired };
    let faults = taken.faults.into_iter().chain(against_schema).collect();
    let (values, absent) = (taken.values, taken.absent);
    Extracted { values, status, absent, repairs: repairs.0, faults }
}

/// The lines of a text that are fences, found once: a text may hold very many candidates.
pub(super) struct Fences<'a> {
    text: &'a str,
    /// Where such lines begin.
    lines: Vec<usize>,
}

impl<'a> Fences<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            if line.trim_start().starts_with("```") {
                lines.push(start);
            }
            start += line.len();
        }
        Self { text, lines }
    }

    /// Whether a fence opens right before and nothing but a fence, or the end, follows.
    pub(super) fn hold(&self, candidate: &Candidate) -> bool {
        let before = self.text[..candidate.span.start].trim_end();
        let word = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        let Some(prose) = word.trim_end_matches([' ', '\t']).strip_suffix("```") else {
            return false;
        };
        let after = self.text[candidate.span.end..].trim_start();
        // A fence at the start of a line opens only if those before it are in pairs. JSON strings
        // hold no line breaks, so a fence quoted in an answer is never counted.
        let line_start = prose.rfind('\n').map_or(0, |end| end + 1);
        let opens = !prose[line_start..].trim().is_empty()
            || self.lines.partition_point(|line| *line < line_start).is_multiple_of(2);
        opens && (after.is_empty() || after.starts_with("```"))
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
