use serde_json::json;

use super::super::extract::extract;
use super::super::wanted::Wanted;
use super::*;

/// What is wrong with a schema is told with its place before anything is sent.
#[test]
fn schemas_that_cannot_be_used_name_place_and_remedy() {
    let object = |properties: &str| format!(r#"{{"type": "object", "properties": {properties}}}"#);
    let table = [
        ("{".to_owned(), "the schema is not JSON: EOF"),
        ("{\"type\": \"object\",}".to_owned(), "the schema is not JSON: trailing comma at line 1"),
        ("[]".to_owned(), "the schema describes the list []; it must describe an object"),
        ("{}".to_owned(), "the schema describes nothing; it must"),
        (r#"{"type": "array", "items": {}}"#.to_owned(), "the schema describes `array`; it must"),
        (
            r#"{"label": "good|bad"}"#.to_owned(),
            "the schema describes nothing by its keys (label); it must",
        ),
        (
            object(r#"{"score": {"type": "nubmer"}}"#),
            "the schema is wrong at `/properties/score/type`: \"nubmer\" is no type; did you mean \
             \"number\"?",
        ),
        (
            object(r#"{"score": {"type": "number", "minimum": "1"}}"#),
            "the schema is wrong at `/properties/score/minimum`: want number, but got string",
        ),
        (
            r#"{"type": "object", "required": "a"}"#.to_owned(),
            "the schema is wrong at `/required`: want array, but got string",
        ),
        (
            object(r#"{"a": {"type": "string", "pattern": "(?=x)"}}"#),
            "the schema is wrong at `/properties/a/pattern`: the pattern `(?=x)` cannot be used",
        ),
        (
            object(r##"{"a": {"$ref": "#/$defs/b"}}"##),
            "the schema is wrong at `/`: `$ref` to `/$defs/b` leads nowhere",
        ),
        (
            object(r#"{"a": {"$ref": "https://example.org/a.json"}}"#),
            "the schema refers to `https://example.org/a.json`, and nothing is fetched; copy it",
        ),
        (
            object(r#"{"a": {"$ref": "other.json"}}"#),
            "the schema refers to `other.json`, and nothing is fetched; copy it",
        ),
    ];
    for (text, expected) in table {
        let error = Schema::compile(&text).expect_err(&text).to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
}

#[test]
fn columns_and_name_come_from_the_schema() {
    let plain = r#"{"title": "My Job 1", "type": "object", "properties": {"b": {}, "a.c": {}}}"#;
    let wrapped = r##"{"type": "json_schema", "json_schema": {"name": "ad", "strict": true,
        "schema": {"$ref": "#/$defs/Ad", "$defs": {"Ad": {"properties": {"x": {}}}}}}}"##;
    let open = r#"{"type": "object", "additionalProperties": {"type": "number"}}"#;
    let named_schema = r#"{"type": "object", "properties": {"schema": {"type": "object"}}}"#;
    let table = [
        (plain, "My_Job_1", "b,a.c"),
        (wrapped, "ad", "x"),
        (open, "answer", ""),
        (named_schema, "answer", "schema"),
    ];
    for (text, name, columns) in table {
        let schema = Schema::compile(text).expect(text);
        let found = schema
            .fields()
            .map_or(String::new(), |fields| fields.columns().collect::<Vec<_>>().join(","));
        assert_eq!((schema.name(), found.as_str()), (name, columns));
    }
}

#[test]
fn a_wrapping_may_decline_strict_mode() {
    let schema = r#"{"type": "object", "properties": {"strict": {"const": false}}}"#;
    for (text, declines) in [
        (schema.to_owned(), false),
        (format!(r#"{{"name": "x", "strict": false, "schema": {schema}}}"#), true),
        (format!(r#"{{"name": "x", "strict": true, "schema": {schema}}}"#), false),
        (
            format!(
                r#"{{"type": "json_schema", "json_schema": {{"strict": false, "schema": {schema}}}}}"#
            ),
            true,
        ),
    ] {
        assert_eq!(Schema::compile(&text).unwrap().declines_strict(), declines, "{text}");
    }
}

/// The words of each difference, with a JSON pointer.
#[test]
fn differences_name_their_place() {
    let schema = Schema::compile(
        r##"{
        "type": "object", "required": ["label", "score"], "additionalProperties": false,
        "properties": {
            "label": {"enum": ["good", "bad"]},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "day": {"type": "string", "format": "date"},
            "tags": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/tag"}},
            "who": {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 2}]},
            "zip": {"type": "string", "pattern": "^[0-9]{5}$"}
        },
        "$defs": {"tag": {"type": "string"}}
    }"##,
    )
    .unwrap();
    // The values that are kept of an answer, as its columns: those that fit.
    let kept = |answer: &Value| -> String {
        let found = extract(&answer.to_string(), Wanted::new(None, Some(&schema)), true);
        let cell = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
        };
        found.values.iter().map(cell).collect::<Vec<_>>().join(" ")
    };
    let blanked = [
        (json!({"label": "bad", "score": 1}), "\"bad\" 1 - - - -"),
        (json!({"label": "fine", "score": 9, "day": "soon"}), "- - - - - -"),
        (json!({"label": "bad", "x": 1}), "\"bad\" - - - - -"),
        (
            json!([{"label": "bad", "score": 1, "tags": ["a", 1], "who": "x", "zip": "12345"}]),
            "\"bad\" 1 - - - \"12345\"",
        ),
    ];
    for (answer, expected) in blanked {
        assert_eq!(kept(&answer), expected, "{answer}");
    }
    let table = [
        (json!({"label": "good", "score": 1}), ""),
        (json!({"label": "good"}), "lacks `score`"),
        (json!({"label": "fine", "score": 1}), "/label: is not one of \"good\", \"bad\""),
        (json!({"label": "bad", "score": "1"}), "/score: is of type string, wanted is number"),
        (json!({"label": "bad", "score": 2}), "/score: is 2, at most 1 is wanted"),
        (json!({"label": "bad", "score": 0, "x": 1}), "has `x` too many"),
        (json!({"label": "bad", "score": 0, "day": "soon"}), "/day: \"soon\" is no date"),
        (
            json!({"label": "bad", "score": 0, "tags": ["a", 1, "c"]}),
            "/tags: has 3 elements, at most 2 are wanted; /tags/1: is of type number, wanted is \
             string",
        ),
        (
            json!({"label": "bad", "score": 0, "who": "x"}),
            "/who: it fits none of the schemas it may have (/who: is of type string, wanted is \
             null / /who: has 1 characters, at least 2 are wanted)",
        ),
        (
            json!({"label": "bad", "score": 0, "zip": "1"}),
            "/zip: \"1\" does not match the pattern ^[0-9]{5}$",
        ),
        (json!(["x"]), "is of type array, wanted is object"),
    ];
    for (answer, expected) in table {
        let found = schema.check(&answer).err().unwrap_or_default();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.join("; "), expected, "{answer}");
    }
}
