//! From the JSON of a reply to a batch, a file, a page. Loose, since services differ in what they
//! leave out, write as text, or nest elsewhere; only an id is insisted on.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base::redact;
use crate::batch::{Batch, BatchError, BatchStatus, RequestCounts};

use super::{Page, RemoteFile};

/// Times above this are in milliseconds: as seconds they would lie in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A batch, if the value is an object with an id.
pub fn decode_batch(value: &Value) -> Option<Batch> {
    let map = value.as_object()?;
    let status_word = text(map, "status").unwrap_or_default();
    Some(Batch {
        id: text(map, "id")?,
        status: BatchStatus::read(&status_word),
        status_word,
        input_file_id: text(map, "input_file_id"),
        output_file_id: text(map, "output_file_id"),
        error_file_id: text(map, "error_file_id"),
        counts: counts(map),
        errors: errors(map.get("errors")),
        metadata: metadata(map.get("metadata")),
        created_at: time(map, "created_at"),
        expires_at: time(map, "expires_at"),
        ended_at: ["completed_at", "failed_at", "expired_at", "cancelled_at"]
            .iter()
            .find_map(|key| time(map, key)),
    })
}

/// A file, if the value is an object with an id.
pub fn decode_file(value: &Value) -> Option<RemoteFile> {
    let map = value.as_object()?;
    Some(RemoteFile {
        id: text(map, "id")?,
        name: text(map, "filename").or_else(|| text(map, "name")),
        bytes: map.get("bytes").and_then(number).and_then(|bytes| u64::try_from(bytes).ok()),
        created_at: time(map, "created_at"),
    })
}

/// A page of a listing; `None` if the value is none or holds an item that cannot be read, for a
/// listing with holes would prove nothing about what does not exist.
pub(super) fn decode_page<T>(
    value: &Value,
    item: impl Fn(&Value) -> Option<T>,
    id: impl Fn(&T) -> &str,
) -> Option<Page<T>> {
    let items: Vec<T> = value.get("data")?.as_array()?.iter().map(item).collect::<Option<_>>()?;
    let has_more = match value.get("has_more") {
        Some(Value::Bool(more)) => *more,
        Some(Value::String(word)) => word.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let next = items.last().filter(|_| has_more).map(|last| id(last).to_owned());
    Some(Page { items, next })
}

/// Whether the value is an object with an id, the mark of a reply that did something.
pub(super) fn has_id(value: &Value) -> bool {
    value.as_object().and_then(|map| text(map, "id")).is_some()
}

/// A text that says something. Services write absent ids as `null`, `""` or `{}`.
fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    match map.get(key)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|n| n as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Unix seconds: from seconds, milliseconds, or a date.
fn time(map: &Map<String, Value>, key: &str) -> Option<i64> {
    let value = map.get(key)?;
    let seconds = number(value)
        .map(|time| if time >= MILLISECONDS_FROM { time / 1000 } else { time })
        .or_else(|| Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_second()));
    seconds.filter(|time| *time > 0)
}

/// Nested in `request_counts`, or flat.
fn counts(map: &Map<String, Value>) -> RequestCounts {
    let nested = map.get("request_counts").and_then(Value::as_object);
    let count = |key: &str| {
        let value = nested.and_then(|nested| nested.get(key)).or_else(|| map.get(key))?;
        u64::try_from(number(value)?).ok()
    };
    RequestCounts { total: count("total"), completed: count("completed"), failed: count("failed") }
}

/// A list, a list in `data`, a single object, or plain text.
fn errors(value: Option<&Value>) -> Vec<BatchError> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(error).collect(),
        Some(Value::Object(map)) => match map.get("data") {
            Some(Value::Array(items)) => items.iter().filter_map(error).collect(),
            Some(_) => Vec::new(),
            None => value.and_then(error).into_iter().collect(),
        },
        Some(other) => error(other).into_iter().collect(),
        None => Vec::new(),
    }
}

fn error(value: &Value) -> Option<BatchError> {
    match value {
        Value::String(words) if !words.trim().is_empty() => {
            Some(BatchError { message: redact(words).into_owned(), ..BatchError::default() })
        }
        Value::Object(map) if !map.is_empty() => Some(BatchError {
            code: text(map, "code"),
            message: redact(&text(map, "message").unwrap_or_else(|| value.to_string()))
                .into_owned(),
            line: map.get("line").and_then(number).and_then(|line| u64::try_from(line).ok()),
        }),
        _ => None,
    }
}

fn metadata(value: Option<&Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(map)) = value else { return BTreeMap::new() };
    let as_text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    map.iter().map(|(key, value)| (key.clone(), as_text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fixture(name: &str) -> Value {
        let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
    }

    #[test]
    fn batches_of_the_fixtures() {
        let done = decode_batch(&fixture("openai/batch_completed.json")).unwrap();
        assert_eq!(done.status, Some(BatchStatus::Completed));
        assert_eq!(done.output_file_id.as_deref(), Some("file-2"));
        assert_eq!(done.counts.failed, Some(1));
        assert_eq!(done.ended_at, Some(1_700_000_300));
        assert_eq!(done.metadata["batchctl"], "bc1-k7f2qd1234-r1-s0001-c1");

        let full = decode_batch(&fixture("openai/batch_queue_full.json")).unwrap();
        assert_eq!(full.status, Some(BatchStatus::Failed));
        assert_eq!(full.errors[0].code.as_deref(), Some("token_limit_exceeded"));
        assert_eq!(full.errors[0].line, None);
        let bad = decode_batch(&fixture("openai/batch_bad_file.json")).unwrap();
        assert_eq!(bad.errors[0].line, Some(2));

        let minimal = decode_batch(&fixture("openai/batch_minimal.json")).unwrap();
        assert_eq!(minimal.counts, RequestCounts::default());
        let flat = decode_batch(&fixture("zhipu/batch_flat_counts.json")).unwrap();
        assert_eq!(flat.status, Some(BatchStatus::InProgress));
        assert_eq!((flat.counts.total, flat.counts.completed), (Some(3), Some(2)));
        assert_eq!((flat.output_file_id, flat.error_file_id), (None, None), "empty text is no id");

        let file = decode_file(&fixture("openai/file.json")).unwrap();
        assert_eq!((file.id.as_str(), file.bytes), ("file-1", Some(2048)));
    }

    /// `field_20` and the pitfalls of providers.md: what services write instead of nothing.
    #[test]
    fn field_20_absent_in_every_spelling() {
        for absent in [json!(null), json!(""), json!({}), json!([]), json!(false)] {
            let value = json!({
                "id": "b", "status": "PROGRESS", "error_file_id": absent, "output_file_id": absent,
                "request_counts": absent, "errors": absent, "metadata": absent, "created_at": absent,
            });
            let batch = decode_batch(&value).unwrap();
            assert_eq!(batch.error_file_id, None, "{absent}");
            assert_eq!(batch.output_file_id, None, "{absent}");
            assert_eq!(batch.counts, RequestCounts::default(), "{absent}");
            assert_eq!((batch.errors.len(), batch.created_at), (0, None), "{absent}");
            assert_eq!(decode_batch(&json!({"id": absent, "status": "failed"})), None, "{absent}");
        }
        let word = decode_batch(&json!({"id": "b", "status": "paused_for_tea"})).unwrap();
        assert_eq!((word.status, word.status_word.as_str()), (None, "paused_for_tea"));
        assert!(decode_batch(&json!({"id": "b"})).unwrap().status.is_none());
    }

    #[test]
    fn times_and_errors_in_other_shapes() {
        for created_at in [
            json!(1_700_000_000),
            json!("1700000000"),
            json!(1_700_000_000_000_i64),
            json!("2023-11-14T22:13:20Z"),
            json!(1.7e9),
        ] {
            let batch = decode_batch(&json!({"id": "b", "created_at": created_at})).unwrap();
            assert_eq!(batch.created_at, Some(1_700_000_000), "{created_at}");
        }
        for errors in [
            json!("bad file"),
            json!(["bad file"]),
            json!([{"message": "bad file"}]),
            json!({"data": [{"message": "bad file"}]}),
            json!({"message": "bad file"}),
        ] {
            let batch = decode_batch(&json!({"id": "b", "errors": errors})).unwrap();
            assert_eq!(batch.errors[0].message, "bad file", "{errors}");
        }
    }

    #[test]
    fn pages_go_by_has_more_and_the_last_id_and_have_no_holes() {
        let page = |value: &Value| decode_page(value, decode_batch, |batch| &batch.id);
        let two = json!({"data": [{"id": "a"}, {"id": "b"}], "has_more": true});
        assert_eq!(page(&two).unwrap().next.as_deref(), Some("b"));
        let last = json!({"data": [{"id": "a"}], "has_more": false, "last_id": "a"});
        assert_eq!(page(&last).unwrap().next, None);
        let empty = json!({"data": [], "has_more": true});
        assert_eq!(page(&empty).unwrap().next, None, "an empty page has no last id");
        assert!(page(&json!({"data": [{"id": "a"}, {"id": ""}]})).is_none());
        assert!(page(&json!({"object": "list"})).is_none());
    }
}
