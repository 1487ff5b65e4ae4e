//! Finds the places in a text where a JSON object or array stands.
//!
//! The text itself is never changed: every span handed out is a piece of it that parses as it is.

use std::ops::Range;

use serde_json::Value;

/// One object or array found in a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
    /// What it says.
    pub(super) value: Value,
}

/// Every outermost object and array in the text, in order. What lies inside JSON that is cut off or
/// broken is not taken: an inner object would pass for the whole answer. The work is bounded by a small
/// multiple of the length, whatever the text: a model may answer with a megabyte of brackets.
pub(super) fn candidates(text: &str) -> Vec<Candidate> {
    let bytes = text.as_bytes();
    let mut budget = bytes.len().saturating_mul(16).saturating_add(1 << 16);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = next_opening(bytes, at) {
        let (length, closed) = balanced_length(&bytes[start..]);
        let span = start..start + length;
        // Brackets are ASCII, so a span never cuts a character.
        let value = if closed { serde_json::from_str(&text[span.clone()]).ok() } else { None };
        if let Some(value) = value {
            at = span.end;
            found.push(Candidate { span, value });
        } else {
            at = match (opens_json(&bytes[start..]), closed) {
                (false, _) => start + 1,
                (true, true) => span.end,
                // Cut off: only a new fenced block can hold something whole again.
                (true, false) => match text[start..].find("\n```") {
                    Some(fence) => start + fence,
                    None => break,
                },
            };
            if budget < length {
                break;
            }
            budget -= length;
        }
    }
    found
}

/// Whether the bracket at 0 begins JSON rather than a remark in brackets: an object with a first
/// key, or an array of such.
fn opens_json(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(inner) = rest.strip_prefix(b"[") {
        rest = inner.trim_ascii_start();
    }
    let Some(inner) = rest.strip_prefix(b"{") else { return false };
    let Some(key) = inner.trim_ascii_start().strip_prefix(b"\"") else { return false };
    let Some(end) = key.iter().position(|byte| *byte == b'"') else { return false };
    key[end + 1..].trim_ascii_start().starts_with(b":")
}

fn next_opening(bytes: &[u8], from: usize) -> Option<usize> {
    bytes[from..].iter().position(|byte| matches!(byte, b'{' | b'[')).map(|offset| from + offset)
}

/// How many bytes from the opening bracket at 0 to the one that closes it, brackets inside JSON
/// strings left out; `false` if the text ends before.
fn balanced_length(bytes: &[u8]) -> (usize, bool) {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut position = 0;
    while position < bytes.len() {
        match bytes[position] {
            b'\\' if in_string => position += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return (position + 1, true);
                }
            }
            _ => {}
        }
        position += 1;
    }
    (bytes.len(), false)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn spans_of_objects_and_arrays_in_any_text() {
        let table: [(&str, &[&str]); 15] = [
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
            ("{\"a\": {\"b\":1},} or {\"c\":2}", &["{\"c\":2}"]),
            ("like {\"a\": ...}: {\"a\":1}", &["{\"a\":1}"]),
            ("{\"a\": {\"b\":1},\n```json\n{\"a\":2}\n```", &["{\"a\":2}"]),
        ];
        for (text, expected) in table {
            let found: Vec<&str> =
                candidates(text).into_iter().map(|candidate| &text[candidate.span]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn hostile_brackets_take_bounded_time() {
        let started = Instant::now();
        for unit in ["[", "{\"a\":", "[\"", "[1,", "{\"", "[]\"["] {
            candidates(&unit.repeat(300_000));
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}
