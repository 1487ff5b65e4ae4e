use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::answer::reader::Reader;
use crate::answer::{Fields, cell_text};

fn cells(content: &str, fields: &str) -> (Vec<Option<String>>, ParseStatus) {
    let fields = Fields::parse(fields).unwrap();
    let extracted = extract(content, Some(&fields).into(), true);
    let cells = extracted.values.iter().map(|v| v.as_ref().map(|v| cell_text(v).into_owned()));
    (cells.collect(), extracted.status)
}

/// S0.17, S4.16: bare, fenced and embedded, in English and Chinese.
#[test]
fn s0_17_json_is_found_wherever_it_stands() {
    use ParseStatus::{Direct, Embedded, Failed, Fenced, Repaired};
    let table = [
        (r#"{"label":"a"}"#, Direct, Some("a")),
        ("\u{feff}\n {\"label\": \"a\"}\n", Direct, Some("a")),
        (r#"[{"label":"a"}]"#, Direct, Some("a")),
        (r#""{\"label\":\"a\"}""#, Direct, Some("a")),
        ("```json\n{\"label\":\"a\"}\n```", Fenced, Some("a")),
        ("```\n{\"label\":\"a\"}\n```", Fenced, Some("a")),
        ("Here:\n```JSON\n{\"label\":\"a\"}\n```\nDone.", Fenced, Some("a")),
        ("好的：\n```json\r\n{\"label\":\"a ``` b\"}\r\n```", Fenced, Some("a ``` b")),
        ("```json\n{\"label\":\"a\"}", Fenced, Some("a")),
        (r#"The answer is {"label":"a"}."#, Embedded, Some("a")),
        (r#"经过分析，结果为：{"label":"正面"}。希望有帮助！"#, Embedded, Some("正面")),
        (r#"根据【要求】，"label" 的值：{"label":"“引号”"}"#, Embedded, Some("“引号”")),
        (r#"see [1] and {"x":1}; final {"label":"a"} [2]"#, Embedded, Some("a")),
        // Of two that say different things one is taken, and that is marked.
        (r#"first {"label":"draft"} then {"label":"final"}"#, Repaired, Some("final")),
        (r#"first {"label":"a","n":1} then {"label":"a","n":2}"#, Embedded, Some("a")),
        (r#"first {"label":"a","score":1} then {"label":"b"}"#, Embedded, Some("a")),
        (
            "{\"label\":\"prose\"}\n```json\n{\"label\":\"fence\"}\n```\n{\"label\":\"tail\"}",
            Repaired,
            Some("fence"),
        ),
        (r#"{"label":"a"} {"label":"b","score":1} {"label":"c"}"#, Embedded, Some("b")),
        (r#"{"other":1}"#, Failed, None),
        ("positive", Failed, None),
        ("5", Failed, None),
        ("", Failed, None),
        (r#"{"label":"cut of"#, Failed, None),
        (r#"{"label":"outer","sub":{"label":"inner"},"score":"#, Failed, None),
        (r#"{"label":"outer","sub":{"label":"inner"},}"#, Repaired, Some("outer")),
        (r#"{"label":null}"#, Direct, Some("")),
    ];
    for (content, status, label) in table {
        let (values, found) = cells(content, "label,score");
        assert_eq!((found, values[0].as_deref()), (status, label), "{content}");
    }
}

#[test]
fn keys_that_are_not_there_are_named() {
    let fields = Fields::parse("a,b.c,d[1],e").unwrap();
    let extracted = extract(r#"{"a":1,"d":["only one"]}"#, Some(&fields).into(), true);
    assert_eq!(extracted.absent, ["b", "e"]);
    assert_eq!(extracted.values, [Some(json!(1)), None, None, None]);
}

#[test]
fn long_numbers_keep_their_digits() {
    let (values, _) = cells(r#"Id: {"id": 123456789012345678901, "p": 0.1}"#, "id,p");
    assert_eq!(values, [Some("123456789012345678901".to_owned()), Some("0.1".to_owned())]);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        "[{}\\[\\]\"\\\\`:,\n\t 你好]*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,8}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Prose as models write it: brackets and quotes may be there, in balance or not, but not the
/// wanted key.
fn prose() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "The result is ",
        "结果如下：",
        "（见下文）",
        "[1] ",
        "{x} ",
        "it's ",
        "”好“ ",
        "\n\n",
        "1. ",
        "{} ",
        "**Answer** ",
        "Note: ",
        "`code` ",
        "「引用」",
        "\\ ",
        "e.g. [a, b] ",
        "}",
        "] ",
        "，",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn json_put_into_prose_is_found_again(
        value in json_value(), before in prose(), after in prose(), shape in 0..4usize,
    ) {
        let answer = json!({"wanted_key": value});
        let pretty = serde_json::to_string_pretty(&answer).unwrap();
        let content = match shape {
            0 => answer.to_string(),
            1 => pretty,
            2 => format!("{before}\n```json\n{pretty}\n```\n{after}"),
            _ => format!("{before}{answer}{after}"),
        };
        let fields = Fields::parse("wanted_key").unwrap();
        let extracted = extract(&content, Some(&fields).into(), true);
        prop_assert_eq!(extracted.values, vec![Some(value)]);
        let expected = [ParseStatus::Direct, ParseStatus::Direct, ParseStatus::Fenced];
        if let Some(expected) = expected.get(shape) {
            prop_assert_eq!(extracted.status, *expected);
        }
    }

    #[test]
    fn any_text_at_all_gives_an_answer_of_the_right_shape(content in "\\PC*|[\\[\\]{}\":,a1 \\\\]*") {
        let fields = Fields::parse("a,b").unwrap();
        let extracted = extract(&content, Some(&fields).into(), true);
        prop_assert_eq!(extracted.values.len(), 2);
        let any = extracted.values.iter().any(Option::is_some);
        prop_assert_eq!(any, extracted.status != ParseStatus::Failed);
    }

    /// Strict JSON goes first: the mending reader never sees it, and if it did, it would read the
    /// same.
    #[test]
    fn valid_json_is_never_changed(value in json_value(), is_pretty: bool) {
        let answer = json!({"wanted_key": value});
        let text = if is_pretty {
            serde_json::to_string_pretty(&answer).unwrap()
        } else {
            answer.to_string()
        };
        let mut reader = Reader::new(&text, false, usize::MAX);
        let read = reader.value().expect("valid JSON is read");
        prop_assert_eq!(reader.at, text.len());
        prop_assert!(reader.repairs.0.is_empty(), "{:?}", reader.repairs);
        prop_assert_eq!(numbers::faithful(&text).unwrap(), read);
    }

    /// One slip of each kind between values leaves all texts as they were.
    #[test]
    fn texts_survive_mending(texts in prop::collection::vec("[^\"\\\\\\p{C}]{0,12}", 1..5), slip in 0..5usize) {
        let members: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| match slip {
                0 => format!("\"k{n}\": \"{text}\","),
                1 => format!("\"k{n}\"：\"{text}\"，"),
                2 => format!("k{n}: \"{text}\", // note\n"),
                3 => format!("\"k{n}\": \"{text}\"\n"),
                _ => format!("\"k{n}\": \"{text}\", \"none\": None,"),
            })
            .collect();
        let content = format!("结果：{{{}}}。", members.concat());
        let names: Vec<String> = (0..texts.len()).map(|n| format!("k{n}")).collect();
        let fields = Fields::parse(&names.join(",")).unwrap();
        let extracted = extract(&content, Some(&fields).into(), true);
        let values: Vec<Option<Value>> = texts.into_iter().map(|text| Some(text.into())).collect();
        prop_assert_eq!(extracted.values, values);
        prop_assert!(matches!(extracted.status, ParseStatus::Repaired | ParseStatus::Embedded));
    }
}
