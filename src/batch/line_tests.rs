use super::*;

fn decode(line: &str) -> ResultLine {
    decode_line(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn answer(line: &str) -> Reply {
    match decode(line).outcome {
        Outcome::Answered(reply) => reply,
        Outcome::Failed(failure) => panic!("failed with {failure:?}: {line}"),
    }
}

fn failure(line: &str) -> Failure {
    match decode(line).outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Answered(reply) => panic!("answered with {reply:?}: {line}"),
    }
}

fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn fixtures_of_both_shapes() {
    let openai = decode(&fixture("openai/output_line.json"));
    assert_eq!(openai.custom_id, "row-000001");
    let usage = openai.usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (9, 3));
    assert_eq!(answer(&fixture("openai/output_line.json")).finish_reason.as_deref(), Some("stop"));

    let refused = failure(&fixture("openai/error_line_refused.json"));
    assert_eq!(refused.kind, FailureKind::Invalid);
    assert_eq!(refused.status, Some(400));
    assert_eq!(refused.code.as_deref(), Some("context_length_exceeded"));
    let expired = failure(&fixture("openai/error_line_expired.json"));
    assert_eq!(expired.kind, FailureKind::Expired);

    let zhipu = decode(&fixture("zhipu/output_line.json"));
    assert_eq!(zhipu.custom_id, "row-000001", "never the request_id, which has a number in front");
    assert_eq!(zhipu.model.as_deref(), Some("glm-4-flash"));
    assert_eq!(answer(&fixture("zhipu/output_line.json")).created_at, Some(1_700_000_000));
}

/// What counts as an answer, and what its text is.
#[test]
fn answers_in_all_their_shapes() {
    let table = [
        // absent status, absent error
        (r#"{"choices":[{"message":{"content":"a"}}]}"#, "a", None),
        (
            r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}"#,
            "ab",
            None,
        ),
        (r#"{"choices":[{"message":{"content":["a","b"]}}]}"#, "ab", None),
        (
            r#"{"choices":[{"message":{"content":[{"type":"thinking","text":"hm"},{"text":"b"}]}}]}"#,
            "b",
            None,
        ),
        (
            r#"{"choices":[{"message":{"content":null},"finish_reason":"length"}]}"#,
            "",
            Some("length"),
        ),
        (
            r#"{"choices":[{"message":{"content":""},"finish_reason":"sensitive"}]}"#,
            "",
            Some("sensitive"),
        ),
        (r#"{"choices":[{"text":"old","finish_reason":"stop"}]}"#, "old", Some("stop")),
        (
            r#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[0.10, 1e-7]}]}"#,
            "[[0.10, 1e-7],[2]]",
            None,
        ),
        (r#"{"data":[{"index":0,"embedding":[0.10, -1e-7]}],"model":"e"}"#, "[0.10, -1e-7]", None),
        (
            r#"{"status":"completed","output":[{"type":"reasoning","content":[]},{"type":"message","content":[{"type":"output_text","text":"r"}]}]}"#,
            "r",
            Some("stop"),
        ),
        (
            r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"message","content":[{"type":"output_text","text":"r"}]}]}"#,
            "r",
            Some("length"),
        ),
        (r#"{"error":null,"choices":[{"message":{"content":"a"}}]}"#, "a", None),
        (r#"{"error":{},"choices":[{"message":{"content":"a"}}]}"#, "a", None),
    ];
    for (body, content, finish) in table {
        for line in [
            format!(
                r#"{{"custom_id":"r","response":{{"status_code":200,"body":{body}}},"error":null}}"#
            ),
            format!(r#"{{"custom_id":"r","response":{{"status_code":"200","body":{body}}}}}"#),
            format!(r#"{{"response":{{"body":{}}},"custom_id":"r"}}"#, serde_json::json!(body)),
        ] {
            let reply = answer(&line);
            assert_eq!(reply.content, content, "{line}");
            assert_eq!(reply.finish_reason.as_deref(), finish, "{line}");
        }
    }
}

#[test]
fn refusals_stand_beside_the_content() {
    let apart = r#"{"custom_id":"r","response":{"body":{"choices":[{"message":{"content":null,"refusal":"no"}}]}}}"#;
    let part = r#"{"custom_id":"r","response":{"body":{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}}}"#;
    for line in [apart, part] {
        let reply = answer(line);
        assert_eq!((reply.content.as_str(), reply.refusal.as_deref()), ("", Some("no")), "{line}");
    }
}

/// `field_19`, `field_21`, `field_25`: what looks like success and is none.
#[test]
fn field_19_21_25_what_is_never_a_success() {
    let answered = r#"{"choices":[{"message":{"content":"a"}}]}"#;
    let table = [
        (format!(r#""response":{{"status_code":0,"body":{answered}}}"#), FailureKind::Server),
        (format!(r#""response":{{"status_code":429,"body":{answered}}}"#), FailureKind::RateLimited),
        (format!(r#""response":{{"status_code":200,"body":{answered}}},"error":{{"code":"x","message":"m"}}"#), FailureKind::Server),
        (r#""response":{"status_code":0,"body":{}},"error":null"#.to_owned(), FailureKind::Server),
        (r#""response":{"status_code":400,"body":{"error":{"message":"bad","code":null,"type":"invalid_request_error"}}},"error":null"#.to_owned(), FailureKind::Invalid),
        (r#""response":{"status_code":200,"body":{"error":{"code":1302,"message":"slow"}}}"#.to_owned(), FailureKind::RateLimited),
        (r#""response":{"status_code":200,"body":{"code":1301,"msg":"filtered"}}"#.to_owned(), FailureKind::Filtered),
        (r#""response":{"status_code":200,"body":{"messages":[{"role":"user","content":"q"}]}}"#.to_owned(), FailureKind::NoAnswer),
        (r#""response":{"status_code":200,"body":{"choices":[]}}"#.to_owned(), FailureKind::NoAnswer),
        (r#""response":{"status_code":200,"body":"oops"}"#.to_owned(), FailureKind::NoAnswer),
        (r#""response":{"status_code":200,"body":{"choices":[{"message":{"content":"hal"},"finish_reason":"network_error"}]}}"#.to_owned(), FailureKind::Server),
        (r#""response":{"status_code":200,"body":{"choices":[{"error":{"code":429,"message":"m"}}]}}"#.to_owned(), FailureKind::RateLimited),
        (r#""response":null,"error":{"code":"batch_cancelled","message":"m"}"#.to_owned(), FailureKind::Cancelled),
        (r#""response":{"error":{"code":"batch_expired","message":"m"}}"#.to_owned(), FailureKind::Expired),
        (r#""error":"something broke""#.to_owned(), FailureKind::Server),
        (r#""response":null"#.to_owned(), FailureKind::Server),
    ];
    for (rest, kind) in table {
        let line = format!(r#"{{"custom_id":"r",{rest}}}"#);
        let failure = failure(&line);
        assert_eq!(failure.kind, kind, "{line}");
        assert!(!failure.message.is_empty(), "{line}");
    }
}

#[test]
fn ids_of_other_types_and_none() {
    assert_eq!(decode(r#"{"custom_id":41,"error":"x"}"#).custom_id, "41");
    for line in
        [r#"{"error":"x"}"#, r#"{"custom_id":null}"#, r#"{"custom_id":""}"#, r#"{"custom_id":{}}"#]
    {
        assert_eq!(decode_line(line.as_bytes()), Err(BadLine::NoCustomId), "{line}");
    }
    for line in ["", "null", "[1]", "\"x\"", "{", "{\"custom_id\":\"r\"} x", "<html>"] {
        assert!(matches!(decode_line(line.as_bytes()), Err(BadLine::NotJson(_))), "{line}");
    }
    assert!(matches!(decode_line(b"{\"custom_id\":\"\xff\"}"), Err(BadLine::NotJson(_))));
}

#[test]
fn a_key_that_stands_twice_loses_no_answer() {
    let line = r#"{"custom_id":"a","custom_id":"b","response":{"body":{"choices":[{"message":{"content":"x"}}]}}}"#;
    assert_eq!(decode(line).custom_id, "b");
}

#[test]
fn usage_in_both_namings() {
    let chat = r#"{"prompt_tokens":10,"completion_tokens":"5","prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}"#;
    let responses = r#"{"input_tokens":10,"output_tokens":5,"input_tokens_details":{"cached_tokens":4},"output_tokens_details":{"reasoning_tokens":3}}"#;
    let expected =
        Usage { prompt_tokens: 10, completion_tokens: 5, cached_tokens: 4, reasoning_tokens: 3 };
    for usage in [chat, responses] {
        let line = format!(
            r#"{{"custom_id":"r","response":{{"status_code":500,"body":{{"usage":{usage}}}}}}}"#
        );
        assert_eq!(decode(&line).usage, Some(expected), "a failed request may be billed too");
    }
    let line = r#"{"custom_id":"r","response":{"body":{"usage":null}}}"#;
    assert_eq!(decode(line).usage, None);
}

proptest::proptest! {
    /// `P8`: no bytes make the reader panic, and what it takes has an id.
    #[test]
    fn any_text_is_read_or_set_aside(text in "\\PC*") {
        if let Ok(line) = decode_line(text.as_bytes()) {
            proptest::prop_assert!(!line.custom_id.is_empty());
        }
    }
}

/// Field reports 25 and 26: what stands where an answer should be.
#[test]
fn field_25_tools_and_thoughts_are_no_answers() {
    let tool = |name: &str| Some(Instead::ToolCall(name.to_owned()));
    let thoughts = Some(Instead::Thoughts);
    let table = [
        (r#""choices":[{"message":{"content":"a"}}]"#, "a", None),
        (
            r#""choices":[{"message":{"content":null,"tool_calls":[{"id":"1","type":"function",
                "function":{"name":"look","arguments":"{}"}}]},"finish_reason":"tool_calls"}]"#,
            "",
            tool("look"),
        ),
        (
            r#""choices":[{"message":{"content":null,"function_call":{"name":"old"}}}]"#,
            "",
            tool("old"),
        ),
        (r#""choices":[{"message":{"content":"","tool_calls":[{}]}}]"#, "", tool("")),
        (r#""choices":[{"message":{"content":"a","tool_calls":[]}}]"#, "a", None),
        (
            r#""choices":[{"message":{"content":"","reasoning_content":"hm"}}]"#,
            "",
            thoughts.clone(),
        ),
        (r#""choices":[{"message":{"content":null,"reasoning":"hm"}}]"#, "", thoughts.clone()),
        (r#""choices":[{"message":{"content":"a","reasoning_content":""}}]"#, "a", None),
        (
            r#""choices":[{"message":{"content":[{"type":"thinking","text":"hm"}]}}]"#,
            "",
            thoughts.clone(),
        ),
        (r#""output":[{"type":"reasoning","content":[]}],"status":"completed""#, "", thoughts),
        (
            r#""output":[{"type":"reasoning"},{"type":"function_call","name":"look"}]"#,
            "",
            tool("look"),
        ),
    ];
    for (body, content, instead) in table {
        let reply = answer(&format!(
            r#"{{"custom_id":"r","response":{{"status_code":200,"body":{{{body}}}}}}}"#
        ));
        assert_eq!((reply.content.as_str(), reply.instead), (content, instead), "{body}");
    }
}

fn called(body: &str) -> String {
    format!(
        r#"{{"custom_id":"k7f2qd-0000041-r1","response":{{"status_code":200,"request_id":null,"body":{}}},"error":null,"batchctl":{{"provider":"p","model":"m","ms":11819,"tries":2,"at":1763770000}}}}"#,
        body.trim()
    )
}

/// `S3.01`: the services' own bodies stand in the ledger's files as they came.
#[test]
fn s3_01_bodies_of_anthropic_and_gemini() {
    let anthropic = called(&fixture("anthropic/message.json"));
    let line = decode(&anthropic);
    assert_eq!(line.model.as_deref(), Some("claude-haiku-4-5-20251001"));
    let usage =
        Usage { prompt_tokens: 330, completion_tokens: 5, cached_tokens: 300, reasoning_tokens: 0 };
    assert_eq!(line.usage, Some(usage), "its input tokens do not hold the cached ones");
    let reply = answer(&anthropic);
    assert_eq!((reply.content.as_str(), reply.instead), ("positive", None));
    assert_eq!(reply.finish_reason.as_deref(), Some("stop"));

    let gemini = called(&fixture("gemini/answer.json"));
    let line = decode(&gemini);
    assert_eq!(line.model.as_deref(), Some("gemini-2.5-flash"));
    let usage =
        Usage { prompt_tokens: 10, completion_tokens: 12, cached_tokens: 4, reasoning_tokens: 7 };
    assert_eq!(line.usage, Some(usage), "thoughts are billed as output");
    let reply = answer(&gemini);
    assert_eq!((reply.content.as_str(), reply.instead), ("positive", None));
    assert_eq!(reply.finish_reason.as_deref(), Some("stop"));

    let by = By {
        provider: "p".to_owned(),
        model: "m".to_owned(),
        seconds: 11.819,
        tries: 2,
        at: Some(1_763_770_000),
    };
    assert_eq!(line.by, Some(by));
    assert_eq!(decode(&fixture("openai/output_line.json")).by, None);
}

/// How answers of the other shapes end, and what stands where an answer should be.
#[test]
fn s3_01_endings_of_anthropic_and_gemini() {
    let message = |content: &str, stop: &str| {
        format!(r#"{{"type":"message","content":[{content}],"stop_reason":"{stop}"}}"#)
    };
    let candidate = |parts: &str, finish: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{parts}]}},"finishReason":"{finish}"}}]}}"#
        )
    };
    let text = r#"{"type":"text","text":"a"}"#;
    let thinking = r#"{"type":"thinking","thinking":"hm"}"#;
    let tool = Some(Instead::ToolCall("look".to_owned()));
    let table = [
        (message(text, "max_tokens"), "a", "length", None),
        (message(text, "stop_sequence"), "a", "stop", None),
        (message(text, "refusal"), "a", "refusal", None),
        (
            message(text, "model_context_window_exceeded"),
            "a",
            "model_context_window_exceeded",
            None,
        ),
        (message("", "end_turn"), "", "stop", None),
        (message(thinking, "max_tokens"), "", "length", Some(Instead::Thoughts)),
        (
            message(r#"{"type":"tool_use","name":"look"}"#, "tool_use"),
            "",
            "tool_calls",
            tool.clone(),
        ),
        (candidate(r#"{"text":"a"}"#, "MAX_TOKENS"), "a", "length", None),
        (candidate("", "SAFETY"), "", "safety", None),
        (r#"{"candidates":[{"finishReason":"RECITATION"}]}"#.to_owned(), "", "recitation", None),
        (
            candidate(r#"{"text":"hm","thought":true}"#, "MAX_TOKENS"),
            "",
            "length",
            Some(Instead::Thoughts),
        ),
        (candidate(r#"{"functionCall":{"name":"look"}}"#, "STOP"), "", "stop", tool),
        (fixture("gemini/blocked.json"), "", "content_filter", None),
    ];
    for (body, content, finish, instead) in table {
        let reply = answer(&called(&body));
        assert_eq!((reply.content.as_str(), reply.instead), (content, instead), "{body}");
        assert_eq!(reply.finish_reason.as_deref(), Some(finish), "{body}");
    }
    let failures = [
        ("anthropic/reply_overloaded.json", FailureKind::Server),
        ("anthropic/reply_spend_limit.json", FailureKind::Account),
        ("gemini/reply_bad_key.json", FailureKind::Credentials),
        ("gemini/reply_quota.json", FailureKind::RateLimited),
    ];
    for (name, kind) in failures {
        assert_eq!(failure(&called(&fixture(name))).kind, kind, "{name}");
    }
    for body in
        ["{\"candidates\":[]}", "{\"promptFeedback\":{}}", "{\"content\":[{\"text\":\"a\"}]}"]
    {
        assert_eq!(failure(&called(body)).kind, FailureKind::NoAnswer, "{body}");
    }
}
