mod keys;

use std::path::Path;

use crate::table::{Format, ReadOptions, Table};
use image::ImageFormat;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::image::tests::picture;
use super::super::{
    CustomId, Endpoint, ImageOptions, InputColumn, JsonSchema, Question, RequestError, SchemaWay,
    SkipKind, Source,
};
use super::*;

const ID: &str = "k7f2qd-0000007-r1";

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn prompt(template: &str) -> Question {
    Question {
        model: "gpt-4o-mini".to_owned(),
        source: Source::Prompt { template: template.to_owned(), jinja: false },
        ..Question::default()
    }
}

/// The line of a row, held against its measure.
fn line(question: &Question, headers: &[&str], cells: &[&str]) -> Result<String, Skip> {
    let mut compiled = question.compile(&strings(headers)).unwrap();
    line_of(&mut compiled, cells)
}

fn line_of(compiled: &mut Compiled, cells: &[&str]) -> Result<String, Skip> {
    line_of_row(compiled, &row(cells))
}

/// A row of a file of requests: what counts there is its raw text.
fn request_row(raw: &str) -> Row {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("requests.jsonl");
    std::fs::write(&path, raw).unwrap();
    let options = ReadOptions { format: Some(Format::Jsonl), ..ReadOptions::default() };
    let table = Table::open(path.to_str().unwrap().as_ref(), &options, folder.path()).unwrap();
    table.rows().unwrap().next_row().unwrap().unwrap().clone()
}

fn row(cells: &[&str]) -> Row {
    Row::from_cells(7, 9, cells)
}

fn line_of_row(compiled: &mut Compiled, row: &Row) -> Result<String, Skip> {
    let measure = compiled.measure(row, ID.len());
    let mut out = b"before".to_vec();
    let written = compiled.write_line(row, ID, &mut out);
    let line = String::from_utf8(out).unwrap();
    let line = line.strip_prefix("before").unwrap();
    let measure = measure.inspect_err(|skip| {
        assert_eq!(Err(skip), written.as_ref());
        assert_eq!(line, "", "a skip leaves nothing in the buffer");
    })?;
    written?;
    assert_eq!(measure.line_bytes, line.len() as u64);
    assert_eq!(line.matches('\n').count(), 1);
    serde_json::from_str::<Value>(line).unwrap();
    shown_is_sent(compiled, row, line);
    Ok(line.trim_end_matches('\n').to_owned())
}

/// What is shown of a request is its body, and of an image its name alone (S2.20).
fn shown_is_sent(compiled: &Compiled, row: &Row, line: &str) {
    let mut shown = Vec::new();
    compiled.write_shown(row, None, &mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    serde_json::from_str::<Value>(&shown).unwrap();
    if line.contains(";base64,") {
        assert!(!shown.contains(";base64,") && shown.len() < line.len(), "{shown}");
    } else {
        assert!(line.ends_with(&format!("{shown}}}\n")), "{shown}\n{line}");
    }
}

fn body(line: &str) -> Value {
    serde_json::from_str::<Value>(line).unwrap()["body"].clone()
}

#[test]
fn golden_chat_line() {
    let question = Question {
        system: Some("Be \"brief\".\n你好".to_owned()),
        max_tokens: Some(200),
        temperature: Some(0.1),
        json_mode: true,
        json_hint: Some("Answer in JSON: mood".to_owned()),
        parameters: vec![("seed".to_owned(), json!(7)), ("temperature".to_owned(), json!(1))],
        ..prompt("Mood of {text}?")
    };
    let line = line(&question, &["id", "text"], &["1", "很\t\"好\""]).unwrap();
    assert_eq!(
        line,
        concat!(
            r#"{"custom_id":"k7f2qd-0000007-r1","method":"POST","url":"/v1/chat/completions","body":"#,
            r#"{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Be \"brief\".\n你好"},"#,
            r#"{"role":"user","content":"Mood of 很\t\"好\"?\n\nAnswer in JSON: mood"}],"#,
            r#""max_tokens":200,"temperature":1,"response_format":{"type":"json_object"},"seed":7}}"#,
        )
    );
}

#[test]
fn golden_lines_of_the_other_endpoints() {
    let embeddings = Question {
        endpoint: Endpoint::Embeddings,
        line_url: "/v1/embeddings".to_owned(),
        input_column: Some(InputColumn::read("text")),
        parameters: vec![("dimensions".to_owned(), json!(256))],
        ..prompt("")
    };
    assert_eq!(
        line(&embeddings, &["text"], &["a\\b"]).unwrap(),
        concat!(
            r#"{"custom_id":"k7f2qd-0000007-r1","method":"POST","url":"/v1/embeddings","#,
            r#""body":{"model":"gpt-4o-mini","input":"a\\b","dimensions":256}}"#
        )
    );
    let responses = Question {
        endpoint: Endpoint::Responses,
        line_url: "/v1/responses".to_owned(),
        system: Some("S".to_owned()),
        max_tokens: Some(9),
        json_mode: true,
        ..prompt("{text}")
    };
    assert_eq!(
        line(&responses, &["text"], &["hi"]).unwrap(),
        concat!(
            r#"{"custom_id":"k7f2qd-0000007-r1","method":"POST","url":"/v1/responses","#,
            r#""body":{"model":"gpt-4o-mini","instructions":"S","input":"hi","#,
            r#""max_output_tokens":9,"text":{"format":{"type":"json_object"}}}}"#
        )
    );
}

/// A schema goes to each service in its own way; a question without one is stored as before.
#[test]
fn schemas_are_sent_in_the_services_own_way() {
    let schema = json!({"type": "object"});
    let format = json!({"name": "ad", "strict": true, "schema": schema});
    let loose = json!({"name": "ad", "strict": false, "schema": schema});
    let object = json!({"type": "json_object"});
    let table = [
        (SchemaWay::Strict, json!({"type": "json_schema", "json_schema": format}), false),
        (SchemaWay::Loose, json!({"type": "json_schema", "json_schema": loose}), false),
        (SchemaWay::Object, object, true),
        (SchemaWay::Prompt, Value::Null, true),
    ];
    for (way, expected, is_hinted) in table {
        let wanted = JsonSchema { name: "ad".to_owned(), schema: schema.clone(), way };
        let hint = wanted.hint();
        assert_eq!(hint.is_some(), is_hinted, "{way:?}");
        let json_schema = Some(wanted);
        let question = Question { json_hint: hint, json_schema, ..prompt("{text}") };
        let body = body(&line(&question, &["text"], &["hi"]).unwrap());
        assert_eq!(body["response_format"], expected, "{way:?}");
        let text = body["messages"][0]["content"].as_str().unwrap();
        assert_eq!(text.contains(r#"JSON schema and nothing else: {"type":"object"}"#), is_hinted);
    }
    let wanted = JsonSchema { name: "ad".to_owned(), schema, way: SchemaWay::Strict };
    let responses = Question {
        endpoint: Endpoint::Responses,
        line_url: "/v1/responses".to_owned(),
        json_schema: Some(wanted),
        ..prompt("{text}")
    };
    let body = body(&line(&responses, &["text"], &["hi"]).unwrap());
    assert_eq!(
        body["text"]["format"],
        json!({"name": "ad", "strict": true, "schema": {"type": "object"}, "type": "json_schema"})
    );
    let stored = serde_json::to_string(&prompt("{text}")).unwrap();
    assert!(!stored.contains("json_schema"), "the digests of older jobs stay what they were");
}

/// B01: several image columns, their order, and rows that have only some of them.
#[test]
fn images_stand_beside_the_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.png"), picture(8, 6, ImageFormat::Png)).unwrap();
    let images = ImageOptions {
        columns: strings(&["photo", "back"]),
        roots: vec![folder.path().to_owned()],
        ..ImageOptions::default()
    };
    let mut question = Question { images, input_column: Some(InputColumn::All), ..prompt("") };
    let headers = ["text", "photo", "back"];
    let both = body(&line(&question, &headers, &["t", "a.png", " https://x.org/b.jpg "]).unwrap());
    let content = &both["messages"][0]["content"];
    assert_eq!(content[0], json!({"type": "text", "text": "text: t"}));
    assert_eq!(content[1]["type"], "image_url");
    let url = content[1]["image_url"]["url"].as_str().unwrap();
    assert!(url.starts_with("data:image/png;base64,iVBOR"), "{url}");
    assert_eq!(content[1]["image_url"]["detail"], "high");
    assert_eq!(content[2]["image_url"]["url"], "https://x.org/b.jpg");
    assert_eq!(content.as_array().unwrap().len(), 3);

    let none = body(&line(&question, &headers, &["t", "", " "]).unwrap());
    assert_eq!(none["messages"][0]["content"], "text: t");
    let skip = line(&question, &headers, &[" ", "", ""]).unwrap_err();
    assert_eq!(skip.reason, "nothing to ask: `text`, `photo`, `back` are empty");
    let skip = line(&question, &headers, &["t", "gone.png", ""]).unwrap_err();
    assert_eq!(skip.reason, "image not found: gone.png");

    question.input_column = Some(InputColumn::read("text"));
    let only = body(&line(&question, &headers, &["", "a.png", ""]).unwrap());
    assert_eq!(only["messages"][0]["content"][0]["type"], "image_url", "no empty text part");

    question.endpoint = Endpoint::Responses;
    let made = body(&line(&question, &headers, &["t", "a.png", "https://x.org/b"]).unwrap());
    let content = &made["input"][0]["content"];
    assert_eq!(content[0], json!({"type": "input_text", "text": "t"}));
    let second = json!({"type": "input_image", "image_url": "https://x.org/b", "detail": "high"});
    assert_eq!(content[2], second);

    let mut compiled = question.compile(&strings(&headers)).unwrap();
    let sizes = compiled.measure(&row(&["t", "a.png", "https://x.org/b"]), 1).unwrap();
    assert_eq!(sizes.image_headers, [Some(ImageSize { width: 8, height: 6 }), None]);
}

/// S2.07, S2.08: conversations from cells, with a system text and at two endpoints.
#[test]
fn message_columns_are_sent_as_they_are() {
    let mut question = Question {
        source: Source::Messages { column: "m".to_owned() },
        system: Some("S".to_owned()),
        json_hint: Some("H".to_owned()),
        ..prompt("")
    };
    let cell = "[{\"role\": \"user\",\r\n \"content\": \"a\\nb\"}, {\"role\":\"assistant\",\"content\":\"c\"}]";
    let made = line(&question, &["m"], &[cell]).unwrap();
    assert_eq!(
        body(&made)["messages"],
        json!([
            {"role": "system", "content": "S\n\nH"},
            {"role": "user", "content": "a\nb"},
            {"role": "assistant", "content": "c"}
        ])
    );
    question.endpoint = Endpoint::Responses;
    let made = body(&line(&question, &["m"], &[cell]).unwrap());
    assert_eq!(
        (made["instructions"].as_str(), made["input"][1]["content"].as_str()),
        (Some("S\n\nH"), Some("c"))
    );
    let skip = line(&question, &["m"], &["[{\"role\":\"user\"}]"]).unwrap_err();
    assert_eq!(skip.reason, "messages of row 7: message 1 has no content");
    assert_eq!(line(&question, &["m"], &[""]).unwrap_err().kind, SkipKind::Empty);
    let mut compiled = question.compile(&strings(&["m"])).unwrap();
    let texts = compiled.prompt_texts(&row(&[cell])).unwrap();
    assert_eq!(texts.len(), 3);
    assert_eq!(texts[1], Message::spoken("user", "a\nb"));
}

#[test]
fn foreign_lines_keep_their_id_and_body() {
    let question = Question {
        source: Source::Foreign,
        line_url: "/v4/chat/completions".to_owned(),
        model: "fallback".to_owned(),
        ..Question::default()
    };
    let given = r#"{"custom_id":"my \"7\"","url":"/v1/chat/completions","body": {"model":"m","messages":[{"role":"user","content":"x"}], "n": 1}}"#;
    let mut compiled = question.compile(&[]).unwrap();
    let mut line = |raw: &str| line_of_row(&mut compiled, &request_row(raw));
    assert_eq!(
        line(given).unwrap(),
        concat!(
            r#"{"custom_id":"my \"7\"","method":"POST","url":"/v4/chat/completions","#,
            r#""body":{"model":"m","messages":[{"role":"user","content":"x"}], "n": 1}}"#
        )
    );
    let made = line(r#"{"custom_id":5,"body":{ }}"#).unwrap();
    assert_eq!(body(&made), json!({"model": "fallback"}));
    let made = line(r#"{"custom_id":5,"body":{"n":1}}"#).unwrap();
    assert_eq!(body(&made), json!({"model": "fallback", "n": 1}));
    assert_eq!(line("{}").unwrap_err().kind, SkipKind::Foreign);

    let mut compiled = question.compile(&[]).unwrap();
    let row = request_row(given);
    assert_eq!(compiled.custom_id(&row, ID).unwrap(), "my \"7\"");
    assert_eq!(compiled.model(&row).unwrap(), "m");
    assert_eq!(compiled.prompt_texts(&row).unwrap()[0].text, "x");
}

/// S0.14: a prompt that names no column gets the input column, and that is said.
#[test]
fn a_prompt_without_names_gets_the_input_column() {
    for (template, expected) in [
        ("", "cell"),
        ("Sum up:", "Sum up:\n\ncell"),
        ("Sum up:\n", "Sum up:\n\ncell"),
        ("Sum up:\n\n", "Sum up:\n\ncell"),
        ("Sum up {{this}}", "Sum up {this}\n\ncell"),
        ("Sum up {other}", "Sum up x"),
        ("Sum up {input_text}!", "Sum up cell!"),
    ] {
        for jinja in [false, true] {
            if jinja && template.contains('{') {
                continue;
            }
            let source = Source::Prompt { template: template.to_owned(), jinja };
            let question =
                Question { source, input_column: Some(InputColumn::read("text")), ..prompt("") };
            let mut compiled = question.compile(&strings(&["text", "other"])).unwrap();
            let made = line_of(&mut compiled, &["cell", "x"]).unwrap();
            assert_eq!(body(&made)["messages"][0]["content"], expected, "{template}");
            let said = compiled.notes().iter().any(|note| note.contains("`text` is appended"));
            assert_eq!(said, expected.ends_with("\n\ncell"), "{template}");
        }
    }
    let error = prompt("the same").compile(&strings(&["a"])).unwrap_err();
    assert!(matches!(error, RequestError::SameForEveryRow { .. }), "{error}");
}

#[test]
fn a_prompt_tells_whether_it_leaves_the_text_to_be_found() {
    for (template, jinja, expected) in [
        ("", false, true),
        ("Sum up:", false, true),
        ("Sum up {a}", false, false),
        ("Sum up {a}: {input_text}", false, true),
        ("{{ a }}", true, false),
        ("{{ a }} {{ input_text }}", true, true),
    ] {
        let source = Source::Prompt { template: template.to_owned(), jinja };
        let question = Question { source, ..Question::default() };
        assert_eq!(question.wants_input_column(&strings(&["a"])), Ok(expected), "{template}");
    }
}

#[test]
fn parts_that_have_no_place_are_refused_before_anything_is_built() {
    let headers = strings(&["a", "m"]);
    let refused = |question: Question| question.compile(&headers).unwrap_err().to_string();
    let embeddings = Question { endpoint: Endpoint::Embeddings, ..prompt("{a}") };
    let with = |name: &str| vec![(name.to_owned(), json!(true))];
    let messages = Source::Messages { column: "m".to_owned() };
    let image = ImageOptions { columns: strings(&["a"]), ..ImageOptions::default() };
    for (question, expected) in [
        (Question { system: Some("s".into()), ..embeddings.clone() }, "embeddings take no system"),
        (Question { max_tokens: Some(1), ..embeddings.clone() }, "embeddings take no limit"),
        (Question { images: image.clone(), ..embeddings.clone() }, "embeddings take no images"),
        (Question { source: messages.clone(), ..embeddings }, "embeddings take no messages"),
        (Question { source: messages, images: image, ..prompt("") }, "message columns take no im"),
        (Question { parameters: with("stream"), ..prompt("{a}") }, "the parameter `stream` cannot"),
        (Question { parameters: with("model"), ..prompt("{a}") }, "the parameter `model` cannot"),
        (prompt("{b}"), "the prompt names the column `b`"),
        (
            Question { input_column: Some(InputColumn::read("A")), ..prompt("") },
            "--input-column names",
        ),
    ] {
        let error = refused(question);
        assert!(error.starts_with(expected), "{expected}: {error}");
    }
}

#[test]
fn compiled_questions_go_to_threads() {
    fn assert_sendable<T: Send + Clone>() {}
    assert_sendable::<Compiled>();
    assert!(Path::new("/").is_absolute());
}

proptest! {
    /// Any cell, in any of the texts, comes back exactly from the JSON of its line.
    #[test]
    fn lines_hold_cells_exactly(
        cell in "(?s).{0,40}",
        other in "[\\\\\"{}\u{0}-\u{1f}a-c中😀]{1,20}",
        system in "(?s).{1,20}",
        row in 0_u64..20_000_000,
        jinja: bool,
    ) {
        let template = if jinja { "<{{ a }}|{{ b }}>" } else { "<{a}|{b}>" };
        let source = Source::Prompt { template: template.to_owned(), jinja };
        let question = Question { source, system: Some(format!("x{system}")), ..prompt("") };
        let mut compiled = question.compile(&strings(&["a", "b"])).unwrap();
        let id = CustomId { job6: "k7f2qd".into(), row, round: 1 }.to_string();
        let cells = Row::from_cells(row, 1, &[&cell, &other]);
        prop_assume!(!(cell.trim().is_empty() && other.trim().is_empty()));
        let measure = compiled.measure(&cells, CustomId::length(row, 1)).unwrap();
        let mut out = Vec::new();
        compiled.write_line(&cells, &id, &mut out).unwrap();
        prop_assert_eq!(measure.line_bytes, out.len() as u64);
        prop_assert_eq!(out.iter().position(|byte| *byte == b'\n'), Some(out.len() - 1));
        let line: Value = serde_json::from_slice(&out).unwrap();
        let text = format!("<{cell}|{other}>");
        prop_assert_eq!(line["body"]["messages"][1]["content"].as_str(), Some(text.as_str()));
        prop_assert_eq!(line["custom_id"].as_str(), Some(id.as_str()));
        let texts = compiled.prompt_texts(&cells).unwrap();
        prop_assert_eq!(&texts[1].text, &text);
    }
}
