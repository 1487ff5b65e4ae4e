//! Content keys: what decides whether two rows ask the same.

use super::*;

/// Field report 62: answers replayed because the key left out temperature, the limit, or even the
/// model. The key moves with whatever decides the answer, and with nothing else (design section 4).
#[test]
fn field_62_content_keys_follow_what_decides_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, width| {
        std::fs::write(folder.path().join(name), picture(width, 5, ImageFormat::Png)).unwrap();
    };
    put("a.png", 5);
    put("same.png", 5);
    put("other.png", 6);
    let images = |side| ImageOptions {
        columns: strings(&["photo"]),
        roots: vec![folder.path().to_owned()],
        max_side: side,
        ..ImageOptions::default()
    };
    let question = Question { images: images(None), ..prompt("{text}") };
    let key = |question: &Question, cells: &[&str], id: usize| {
        let headers = strings(&["text", "photo", "private"]);
        question.compile(&headers).unwrap().measure(&row(cells), id).unwrap().content_key
    };
    let with_detail =
        |detail| Question { images: ImageOptions { detail, ..images(None) }, ..question.clone() };
    let with_parameter = |name: &str, value: Value| Question {
        parameters: vec![(name.to_owned(), value)],
        ..question.clone()
    };
    let first = key(&question, &["t", "a.png", "1"], 17);
    assert_eq!(key(&question, &["t", "same.png", "2"], 99), first, "same bytes, other name and id");
    let mut seen = vec![first];
    for (question, cells) in [
        (question.clone(), ["u", "a.png", ""]),
        (question.clone(), ["t", "other.png", ""]),
        (question.clone(), ["t", "", ""]),
        (question.clone(), ["t", "https://x.org/a.png", ""]),
        (Question { images: images(Some(64)), ..question.clone() }, ["t", "a.png", ""]),
        (Question { model: "m2".into(), ..question.clone() }, ["t", "a.png", ""]),
        (Question { base_url: "http://b".into(), ..question.clone() }, ["t", "a.png", ""]),
        (Question { system: Some("s".into()), ..question.clone() }, ["t", "a.png", ""]),
        (Question { max_tokens: Some(5), ..question.clone() }, ["t", "a.png", ""]),
        (Question { max_tokens: Some(6), ..question.clone() }, ["t", "a.png", ""]),
        (Question { temperature: Some(0.0), ..question.clone() }, ["t", "a.png", ""]),
        (Question { temperature: Some(0.5), ..question.clone() }, ["t", "a.png", ""]),
        (with_detail(crate::request::Detail::Low), ["t", "a.png", ""]),
        (with_detail(crate::request::Detail::Auto), ["t", "a.png", ""]),
        (Question { json_hint: Some("keys: a".into()), ..question.clone() }, ["t", "a.png", ""]),
        (Question { json_hint: Some("keys: b".into()), ..question.clone() }, ["t", "a.png", ""]),
        (Question { json_mode: true, ..question.clone() }, ["t", "a.png", ""]),
        (with_parameter("top_p", json!(0.9)), ["t", "a.png", ""]),
        (with_parameter("top_p", json!(0.8)), ["t", "a.png", ""]),
        (with_parameter("response_format", json!({"schema": {"a": 1}})), ["t", "a.png", ""]),
        (with_parameter("response_format", json!({"schema": {"a": 2}})), ["t", "a.png", ""]),
        (Question { endpoint: Endpoint::Responses, ..question.clone() }, ["t", "a.png", ""]),
    ] {
        let other = key(&question, &cells, 17);
        assert!(!seen.contains(&other), "{cells:?}");
        seen.push(other);
    }
    let split = key(&prompt("{text}{private}"), &["a", "", "bc"], 17);
    assert_eq!(key(&prompt("{text}{private}"), &["ab", "", "c"], 17), split, "one rendered text");
}

/// The rules of version 1, as bytes: a change here makes people pay for the same rows again.
#[test]
fn content_keys_of_rules_1_do_not_move() {
    let question =
        Question { base_url: "https://api.example/v1".into(), ..prompt("Mood of {text}?") };
    let mut compiled = question.compile(&strings(&["text"])).unwrap();
    let key = compiled.measure(&row(&["很好"]), 17).unwrap().content_key;
    let hex = format!("{:032x}", u128::from_be_bytes(key));
    assert_eq!(hex, "6aa075a177a47f76bff5462d93f75726");
}
