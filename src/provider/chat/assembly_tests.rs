use super::*;

fn assembled(shape: Shape, endpoint: Endpoint, events: &[&str]) -> (Option<Value>, String) {
    let mut assembly = Assembly::new(shape, endpoint);
    let mut told = String::new();
    for event in events {
        assembly.take(event, &mut |text| told.push_str(text)).expect(event);
    }
    (assembly.whole(), told)
}

/// `S3.01`: a stream gives the body that the unstreamed call would have had, usage included.
#[test]
fn s3_01_streams_of_every_shape_become_bodies() {
    let chat = [
        r#"{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
        r#"{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"po"},"finish_reason":null}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"s"},"finish_reason":"stop"}]}"#,
        r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#,
        "[DONE]",
    ];
    let body = json!({
        "id": "c1", "created": 7, "model": "m", "object": "chat.completion",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": "pos", "reasoning_content": "hm" },
            "finish_reason": "stop",
        }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 3 },
    });
    let told = || "pos".to_owned();
    assert_eq!(assembled(Shape::OpenAi, Endpoint::Chat, &chat), (Some(body), told()));
    assert_eq!(assembled(Shape::OpenAi, Endpoint::Chat, &chat[..3]).0, None, "it was cut");

    let responses = [
        r#"{"type":"response.created","response":{"id":"r1","error":null}}"#,
        r#"{"type":"response.output_text.delta","delta":"pos"}"#,
        r#"{"type":"response.completed","response":{"id":"r1","status":"completed","output":[]}}"#,
    ];
    let body = json!({ "id": "r1", "status": "completed", "output": [] });
    assert_eq!(assembled(Shape::OpenAi, Endpoint::Responses, &responses), (Some(body), told()));
    assert_eq!(assembled(Shape::OpenAi, Endpoint::Responses, &responses[..2]).0, None);

    let anthropic = [
        r#"{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"po"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"s"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let body = json!({
        "id": "m1", "type": "message", "role": "assistant", "model": "m",
        "content": [{ "type": "thinking", "thinking": "hm" }, { "type": "text", "text": "pos" }],
        "stop_reason": "end_turn", "usage": { "input_tokens": 10, "output_tokens": 5 },
        "stop_sequence": null,
    });
    assert_eq!(assembled(Shape::Anthropic, Endpoint::Chat, &anthropic), (Some(body), told()));
    assert_eq!(assembled(Shape::Anthropic, Endpoint::Chat, &anthropic[..7]).0, None);

    let gemini = [
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"}}],"modelVersion":"m"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"po"}],"role":"model"}}],"usageMetadata":{"promptTokenCount":1}}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"s"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}"#,
    ];
    let body = json!({
        "modelVersion": "m",
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 2 },
        "candidates": [{
            "content": { "parts": [{ "text": "hm", "thought": true }, { "text": "pos" }], "role": "model" },
            "finishReason": "STOP", "index": 0,
        }],
    });
    assert_eq!(assembled(Shape::Gemini, Endpoint::Chat, &gemini), (Some(body), told()));
    assert_eq!(assembled(Shape::Gemini, Endpoint::Chat, &gemini[..2]).0, None);
    let blocked = r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#;
    let body = serde_json::from_str(blocked).unwrap();
    assert_eq!(assembled(Shape::Gemini, Endpoint::Chat, &[blocked]).0, Some(body));
}

#[test]
fn errors_in_a_stream_are_complaints() {
    for (shape, data) in [
        (Shape::OpenAi, r#"{"error":{"message":"m"}}"#),
        (Shape::Anthropic, r#"{"type":"error","error":{"type":"overloaded_error"}}"#),
        (Shape::Gemini, r#"{"error":{"code":429}}"#),
    ] {
        let mut assembly = Assembly::new(shape, Endpoint::Chat);
        assert_eq!(assembly.take(data, &mut |_| {}), Err(Complaint(data.to_owned())));
    }
    let mut assembly = Assembly::new(Shape::OpenAi, Endpoint::Responses);
    let failed = r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#;
    let complaint = assembly.take(failed, &mut |_| {}).unwrap_err();
    assert_eq!(complaint.0, r#"{"error":{"code":"server_error"}}"#);
}
