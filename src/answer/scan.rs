//! Finds the places in a text where a JSON object or array stands.
//!
//! What parses as it is is never changed; only what does not goes to the tolerant reader.

use std::ops::Range;

use serde_json::Value;

use super::reader::Reader;
use super::repair::Repair;

/// One object or array found in a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
    /// What it says.
    pub(super) value: Value,
    /// What had to be mended to read it.
    pub(super) repairs: Vec<Repair>,
}

/// All candidates of a text, and what finding them took.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) candidates: Vec<Candidate>,
    /// Characters looked at, each as often as it was.
    pub(super) steps: usize,
}

/// Every outermost object and array in the text, in order. What lies inside JSON that is cut off or
/// broken is not taken: an inner object would pass for the whole answer. `is_ended` says that the
/// model ended the text by itself. The work is bounded by a small multiple of the length, whatever
/// the text: a model may answer with a megabyte of brackets.
pub(super) fn scan(text: &str, is_ended: bool) -> Scan {
    let most = most_steps(text);
    let mut all = Scan::default();
    let mut at = 0;
    while let Some(start) = next_opening(text, at)
        && all.steps < most
    {
        let rest = &text[start..];
        let (found, is_json) = all.read(rest, is_ended, most);
        at = match found {
            Some((length, value, repairs)) => {
                let end = start + length;
                all.candidates.push(Candidate { span: start..end, value, repairs });
                end
            }
            None if is_json => {
                let (length, is_closed) = balanced_length(rest);
                all.steps += length;
                match rest.find("\n```") {
                    _ if is_closed => start + length,
                    // Cut off: only a new fenced block can hold something whole again.
                    Some(fence) => start + fence,
                    None => break,
                }
            }
            None => start + rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    all
}

/// The most characters that are looked at in a text.
fn most_steps(text: &str) -> usize {
    text.len().saturating_mul(16).saturating_add(1 << 16)
}

type Found = (usize, Value, Vec<Repair>);

impl Scan {
    /// Reads what begins at the start of a text: as it is, else mended. Also says whether it is
    /// JSON beyond doubt, even if nobody can read it.
    fn read(&mut self, text: &str, is_ended: bool, most: usize) -> (Option<Found>, bool) {
        let mut strict = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        if let Some(Ok(value)) = strict.next() {
            let length = strict.byte_offset();
            self.steps += length;
            return (Some((length, value, Vec::new())), true);
        }
        let mut reader = Reader::new(text, is_ended, most.saturating_sub(self.steps));
        let value = reader.value();
        // The strict reader has not come further than the tolerant one.
        self.steps += 2 * reader.steps;
        match value {
            Some(value) => (Some((reader.at, value, reader.repairs.0)), true),
            None => match escaped(text, &mut self.steps) {
                Some((length, value)) => (Some((length, value, vec![Repair::Escaped])), true),
                None => (None, reader.is_json),
            },
        }
    }
}

/// Reads `{\"a\": 1}`, JSON that was escaped as if it stood in a text.
fn escaped(text: &str, steps: &mut usize) -> Option<(usize, Value)> {
    let is_escaped = text.chars().take(4).collect::<String>().contains("\\\"");
    is_escaped.then_some(())?;
    *steps += 2 * text.len();
    let length = text.rfind(['}', ']'])? + 1;
    let plain: String = serde_json::from_str(&format!("\"{}\"", &text[..length])).ok()?;
    Some((length, serde_json::from_str(&plain).ok()?))
}

fn next_opening(text: &str, from: usize) -> Option<usize> {
    text.get(from..)?.find(['{', '[', '｛', '［']).map(|offset| from + offset)
}

/// How many bytes from the opening bracket at 0 to the one that closes it, brackets inside JSON
/// strings left out; `false` if the text ends before.
fn balanced_length(text: &str) -> (usize, bool) {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut characters = text.char_indices();
    while let Some((position, c)) = characters.next() {
        match c {
            '\\' if in_string => {
                characters.next();
            }
            '"' => in_string = !in_string,
            '{' | '[' | '｛' | '［' if !in_string => depth += 1,
            '}' | ']' | '｝' | '］' if !in_string => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (position + c.len_utf8(), true);
                }
            }
            _ => {}
        }
    }
    (text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_objects_and_arrays_in_any_text() {
        let table: [(&str, &[&str]); 17] = [
            ("nothing here", &[]),
            ("结果是：{\"情感\":\"正面\"}。", &["{\"情感\":\"正面\"}"]),
            ("{\"a\":\"}\"} and [1, 2]", &["{\"a\":\"}\"}", "[1, 2]"]),
            ("the set {x | x > 0} is {\"a\":1}", &["{\"a\":1}"]),
            ("{ {\"a\":1} }", &["{\"a\":1}"]),
            ("{\"a\": {\"b\": [1]}} tail }", &["{\"a\": {\"b\": [1]}}"]),
            ("he said \" and {\"a\":1}", &["{\"a\":1}"]),
            ("open { \" forever {\"a\":1}", &["{\"a\":1}"]),
            ("{\"a\":\"\\\"}\"}", &["{\"a\":\"\\\"}\"}"]),
            ("{\"a\":1", &[]),
            ("{\"a\": {\"b\":1}, \"c", &[]),
            ("[{\"a\":1}, {\"a\":2}, {\"a", &[]),
            ("{\"a\": {\"b\":1},} or {\"c\":2}", &["{\"a\": {\"b\":1},}", "{\"c\":2}"]),
            ("like {\"a\": ...}: {\"a\":1}", &["{\"a\":1}"]),
            ("{\"a\": {\"b\":1},\n```json\n{\"a\":2}\n```", &["{\"a\":2}"]),
            ("[0, 1) and [0, x), so {\"a\":1}", &["{\"a\":1}"]),
            ("｛“a”：1｝ or {'b': 2}", &["｛“a”：1｝", "{'b': 2}"]),
        ];
        for (text, expected) in table {
            let found: Vec<&str> = scan(text, false)
                .candidates
                .into_iter()
                .map(|candidate| &text[candidate.span])
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    /// Counted, not timed: every text takes steps in proportion to its length.
    #[test]
    fn hostile_brackets_take_bounded_work() {
        let units = [
            "[",
            "{",
            "｛",
            "{\"a\":",
            "[\"",
            "[1,",
            "{\"",
            "[]\"[",
            "{'",
            "{a:",
            "[{'a':",
            "{“",
            "{\\\"",
            "{\"a\":\"b\"c\"",
            "{\"a\":1,//",
            "[/*",
            "{\"a\":1\n```\n",
            "[\"a\" ",
            "{'a':'",
            "[[\"]\"",
        ];
        for unit in units {
            let few = scan(&unit.repeat(2_000), true).steps;
            let text = unit.repeat(20_000);
            let many = scan(&text, true).steps;
            assert!(many <= few.max(1) * 11 + 100, "{unit}: {few}, then {many}");
            assert!(many <= 24 * text.len() + (1 << 17), "{unit}: {many} of {}", text.len());
        }
    }
}
