//! Schemas of every shape through a rehearsal: what the client takes for fit for strict mode the
//! sandbox takes too, and what the sandbox answers fits the schema. The two know the rules of strict
//! mode each by itself.

use batchctl::answer::Schema;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::support::runs::at;
use crate::support::sandbox::Sandbox;
use crate::support::workdir::WorkDir;

const SCHEMAS: usize = 400;
const NAMES: [&str; 6] = ["a", "b c", "情感", "d", "e.f", "g/h"];

fn leaf() -> impl Strategy<Value = Value> {
    let types = prop::sample::select(vec![
        json!({"type": "string"}),
        json!({"type": "string", "enum": ["x", "y z", "好"]}),
        json!({"type": "string", "format": "date"}),
        json!({"type": "string", "format": "uri"}),
        json!({"type": "string", "minLength": 40, "maxLength": 50}),
        json!({"type": "integer", "minimum": -2, "exclusiveMaximum": 1}),
        json!({"type": "integer", "enum": [1, 2, 3]}),
        json!({"type": "number", "exclusiveMinimum": 0, "maximum": 0.01}),
        json!({"type": "number", "minimum": 5}),
        json!({"type": "boolean", "description": "whether"}),
        json!({"type": "null"}),
        json!({"type": ["string", "null"]}),
        json!({"type": ["integer", "null"], "title": "Count"}),
        json!({"const": 7}),
        json!({"enum": ["p", null]}),
        json!({"type": "string", "const": "fixed"}),
        json!({}),
        json!({"$ref": "#/$defs/tag"}),
    ]);
    // Half of all schemas are to have a chance in strict mode, so most leaves are plain.
    prop_oneof![3 => Just(json!({"type": "string"})), 3 => Just(json!({"$ref": "#/$defs/tag"})),
        4 => types]
}

fn object(inner: impl Strategy<Value = Value>, is_closed: bool) -> impl Strategy<Value = Value> {
    let required = vec(any::<bool>(), NAMES.len());
    (vec(inner, 0..4), required, any::<bool>()).prop_map(move |(inner, needs, adds)| {
        let named = || NAMES.iter().zip(&inner);
        let properties: Map<String, Value> =
            named().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
        let needed = named().zip(&needs).filter(|(_, need)| is_closed || **need);
        let required: Vec<&str> = needed.map(|((name, _), _)| *name).collect();
        let mut object = json!({"type": "object", "properties": properties, "required": required});
        if is_closed || adds {
            object["additionalProperties"] = false.into();
        }
        object
    })
}

fn schema() -> impl Strategy<Value = Value> {
    any::<bool>().prop_flat_map(|is_closed| {
        let inner = leaf().prop_recursive(3, 20, 4, move |inner| {
            prop_oneof![
                object(inner.clone(), is_closed),
                (inner.clone(), 0..3_u8).prop_map(|(items, least)| {
                    json!({"type": "array", "items": items, "minItems": least, "maxItems": 4})
                }),
                vec(inner, 1..3).prop_map(|choices| json!({"anyOf": choices})),
            ]
        });
        object(inner, is_closed).prop_map(|mut top| {
            top["$defs"] = json!({"tag": {"type": "object", "additionalProperties": false,
                "required": ["id"], "properties": {"id": {"type": "integer"}}}});
            top
        })
    })
}

/// B07, B11, field 38.
#[test]
fn b07_b11_field_38_what_fits_strict_mode_is_taken_and_answers_fit() {
    let mut runner = TestRunner::deterministic();
    let schemas: Vec<Schema> = (0..SCHEMAS)
        .map(|_| schema().new_tree(&mut runner).expect("a schema").current())
        .map(|value| Schema::compile(&value.to_string()).expect("it is a schema"))
        .collect();
    let lines = schemas.iter().enumerate().map(|(row, schema)| {
        let is_strict = schema.strict_faults(false).is_empty();
        let format = json!({"name": "x", "strict": is_strict, "schema": schema.value()});
        json!({"custom_id": format!("row_{row}"), "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": format!("number {row}")}],
                "response_format": {"type": "json_schema", "json_schema": format}}})
    });
    let strict = schemas.iter().filter(|schema| schema.strict_faults(false).is_empty()).count();
    assert!((SCHEMAS / 10..SCHEMAS * 9 / 10).contains(&strict), "{strict} fit strict mode");
    let dir = WorkDir::new();
    dir.write("in.jsonl", lines.map(|line| format!("{line}\n")).collect::<String>());
    let sandbox = Sandbox::start();
    let ran = at(&sandbox, dir.batchctl("workflow in.jsonl out.csv --yes")).run();
    let cells = dir.cells("out.csv");
    let bad: Vec<&str> =
        cells.column("error").into_iter().filter(|error| !error.is_empty()).collect();
    assert!(bad.is_empty(), "{} of {SCHEMAS} refused, the first: {}", bad.len(), bad[0]);
    ran.exits(0);
    for (schema, answer) in schemas.iter().zip(cells.column("response")) {
        let answer: Value = serde_json::from_str(answer).expect("an answer in JSON");
        assert_eq!(schema.check(&answer), Ok(()), "{answer} against {}", schema.value());
    }
}
