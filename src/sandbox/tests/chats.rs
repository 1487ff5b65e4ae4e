//! Chat in the shapes of four families, whole and in pieces, with limits: S0, S3, B02-B04.

use std::time::Duration;

use serde_json::{Value, json};

use super::calls::{Bench, bench, options};
use super::shapes::same;
use crate::sandbox::{Answers, CallLimits, Family, Faults, SandboxOptions};

const TEXTS: [&str; 4] = [
    "/choices/0/message/content",
    "/choices/0/message/content",
    "/content/0/text",
    "/candidates/0/content/parts/0/text",
];

fn text_of(family: Family, body: &Value) -> &str {
    let place = Family::ALL.iter().position(|one| *one == family).unwrap();
    body.pointer(TEXTS[place]).and_then(Value::as_str).unwrap_or_else(|| panic!("{body}"))
}

async fn bench_of(family: Family, rules: &str) -> (Bench, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::parse(rules).unwrap();
    let options = SandboxOptions { faults, ..options(folder.path()) };
    (Bench::start(options, family).await, folder)
}

#[tokio::test]
async fn all_families_answer_with_the_same_text_in_their_documented_shapes() {
    let shapes = ["openai-chat", "zhipu-chat", "anthropic-message", "gemini-content"];
    for (family, shape) in Family::ALL.into_iter().zip(shapes) {
        let (bench, _folder) = bench(family).await;
        let (status, body) = bench.chat("hello").await;
        assert_eq!(status, 200, "{body}");
        same(shape, &body);
        assert_eq!(text_of(family, &body), "[sandbox] hello");
        let model = body.get("model").or(body.get("modelVersion")).unwrap();
        assert_eq!(model, &format!("sandbox-{}", bench.model()));
        let billed = bench.ledger("realtime").await;
        assert_eq!((billed.len(), &billed[0]["model"]), (1, &json!(bench.model())));
    }
}

/// Half a text by its limit, and refusals, in each family's words.
#[tokio::test]
async fn short_answers_and_refusals_speak_the_familys_language() {
    let (bench, _folder) = bench(Family::Anthropic).await;
    let mut body = bench.chat_body("one two three four five");
    body["max_tokens"] = json!(2);
    let (_, answer) = bench.post("/v1/messages", &body).await;
    assert_eq!(answer["stop_reason"], "max_tokens");
    let table = [
        ("[[fail:400]]", 400, "invalid_request_error"),
        ("[[fail:429]]", 429, "rate_limit_error"),
        ("[[fail:500]]", 500, "api_error"),
        ("[[fail:529]]", 529, "overloaded_error"),
    ];
    for (text, status, kind) in table {
        let (got, error) = bench.chat(text).await;
        assert_eq!((got, error["error"]["type"].as_str()), (status, Some(kind)));
        same("anthropic-error", &error);
    }
    let mut body = bench.chat_body("a");
    body["model"] = json!("gpt-4o");
    let (status, error) = bench.post("/v1/messages", &body).await;
    assert_eq!((status, &error["error"]["type"]), (404, &json!("not_found_error")));
    let bare = bench.client().post(bench.url("/v1/messages")).header("x-api-key", "sandbox-x");
    let refused: Value = bare.json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(refused["error"]["message"], "anthropic-version: header is required");

    let (bench, _folder) = super::calls::bench(Family::Gemini).await;
    let mut body = bench.chat_body("one two three four five");
    body["generationConfig"] = json!({"maxOutputTokens": 2});
    let (_, answer) = bench.post(&bench.chat_path(), &body).await;
    assert_eq!(answer["candidates"][0]["finishReason"], "MAX_TOKENS");
    let table = [
        ("[[fail:400]]", 400, "INVALID_ARGUMENT"),
        ("[[fail:429]]", 429, "RESOURCE_EXHAUSTED"),
        ("[[fail:503]]", 503, "UNAVAILABLE"),
    ];
    for (text, status, kind) in table {
        let (got, error) = bench.chat(text).await;
        assert_eq!((got, error["error"]["status"].as_str()), (status, Some(kind)));
    }
    same("gemini-error", &bench.chat("[[fail:400]]").await.1);
    let path = "/v1beta/models/claude-haiku-4-5:generateContent";
    assert_eq!(bench.post(path, &bench.chat_body("a")).await.0, 404);
}

/// Keys stand where each family's clients put them; foreign ones are refused and not repeated.
#[tokio::test]
async fn keys_are_looked_for_where_the_family_has_them() {
    let (bench, _folder) = bench(Family::Gemini).await;
    let post = |key: &str, path: String| {
        let request = bench.client().post(bench.url(&path)).json(&bench.chat_body("a"));
        if key.is_empty() { request } else { request.header("x-goog-api-key", key) }
    };
    let path = bench.chat_path();
    assert_eq!(post("", format!("{path}?key=sandbox-a@b")).send().await.unwrap().status(), 200);
    let refused = post("AIza-real", path.clone()).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let error: Value = refused.json().await.unwrap();
    same("gemini-wrong-key", &error);
    assert!(!error.to_string().contains("AIza"));
    assert_eq!(post("", path).send().await.unwrap().status(), 400);
    assert_eq!(bench.calls().await[0]["account"], "b");

    let (bench, _folder) = super::calls::bench(Family::Anthropic).await;
    let url = bench.url("/v1/messages");
    let refused = bench.client().post(url).header("x-api-key", "sk-ant-real").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let error: Value = refused.json().await.unwrap();
    assert_eq!(error["error"]["type"], "authentication_error");
    assert!(!error.to_string().contains("sk-ant"));
    for family in [Family::OpenAi, Family::Anthropic, Family::Gemini] {
        let (bench, _folder) = super::calls::bench(family).await;
        let url = format!("http://{}/v1/models", bench.running.address());
        let list = bench.with_key(bench.client().get(url)).send().await.unwrap();
        let list: Value = list.json().await.unwrap();
        let kind = [("data", "object"), ("data", "type"), ("models", "displayName")];
        let found = kind.map(|(list_name, name)| list[list_name][0].get(name).is_some());
        let at = Family::ALL.iter().filter(|one| **one != Family::Zhipu);
        let expected: Vec<bool> = at.map(|one| *one == family).collect();
        assert_eq!(found.to_vec(), expected, "{family:?}: {list}");
    }
}

fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// The pieces together say what the whole answer says.
#[tokio::test]
async fn streams_say_the_same_in_pieces() {
    let pieces = ["/choices/0/delta/content", "/choices/0/delta/content", "/delta/text", TEXTS[3]];
    for (family, place) in Family::ALL.into_iter().zip(pieces) {
        let (bench, _folder) = bench(family).await;
        let said = "a rather long text, 一二三, that comes in pieces";
        let mut body = bench.chat_body(said);
        let path = if family == Family::Gemini {
            format!("/v1beta/models/{}:streamGenerateContent?alt=sse", bench.model())
        } else {
            body["stream"] = json!(true);
            body["stream_options"] = json!({"include_usage": true});
            bench.chat_path()
        };
        let request = bench.with_key(bench.client().post(bench.url(&path)).json(&body));
        let response = request.send().await.unwrap();
        assert!(
            response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream")
        );
        let text = response.text().await.unwrap();
        let events = events(&text);
        let whole: String =
            events.iter().filter_map(|event| event.pointer(place)?.as_str()).collect();
        assert_eq!(whole, format!("[sandbox] {said}"), "{family:?}");
        let last = events.last().unwrap().to_string();
        let (_, wanted) = bench.chat(said).await;
        match family {
            Family::OpenAi => {
                assert!(text.ends_with("data: [DONE]\n\n"));
                let last = events.last().unwrap();
                assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &wanted["usage"]));
                assert_eq!(events[0]["usage"], Value::Null);
            }
            Family::Zhipu => assert!(last.contains(&wanted["usage"].to_string())),
            Family::Anthropic => {
                let kinds: Vec<&str> =
                    events.iter().map(|event| event["type"].as_str().unwrap()).collect();
                assert_eq!(kinds[..3], ["message_start", "content_block_start", "ping"]);
                let end = ["content_block_stop", "message_delta", "message_stop"];
                assert_eq!(kinds[kinds.len() - 3..], end);
                let usage = &events[events.len() - 2]["usage"]["output_tokens"];
                assert_eq!(usage, &wanted["usage"]["output_tokens"]);
            }
            Family::Gemini => {
                assert!(
                    last.contains("\"finishReason\":\"STOP\"") && last.contains("usageMetadata")
                );
                let url = bench.url(path.trim_end_matches("?alt=sse"));
                let request = bench.with_key(bench.client().post(url).json(&body));
                let all: Vec<Value> = request.send().await.unwrap().json().await.unwrap();
                assert_eq!(all.len(), events.len());
            }
        }
        let calls = bench.calls().await;
        assert!(calls.iter().all(|call| call["end"] == "answered"), "{calls:?}");
    }
}

#[tokio::test]
async fn geminis_embeddings_and_models() {
    let (bench, _folder) = bench(Family::Gemini).await;
    let one = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 3});
    let path = |method: &str| format!("/v1beta/models/gemini-embedding-001:{method}");
    let (_, single) = bench.post(&path("embedContent"), &one).await;
    assert_eq!(single["embedding"]["values"].as_array().unwrap().len(), 3);
    let (_, both) = bench.post(&path("batchEmbedContents"), &json!({"requests": [one, one]})).await;
    assert_eq!(both["embeddings"], json!([single["embedding"], single["embedding"]]));
    let (_, models) = bench.get("/v1beta/models").await;
    assert_eq!(models["models"][0]["name"], "models/gemini-2.5-flash");
    assert_eq!(bench.post(&path("sing"), &one).await.0, 404);
    let counted = super::calls::bench(Family::Anthropic).await;
    let body = counted.0.chat_body("hello");
    let (_, count) = counted.0.post("/v1/messages/count_tokens", &body).await;
    let (_, answer) = counted.0.post("/v1/messages", &body).await;
    assert_eq!(count["input_tokens"], answer["usage"]["input_tokens"]);
}

/// What a rule of a call says in each family: status, and a piece of the body or of a header.
#[tokio::test]
async fn faults_of_calls_speak_the_familys_language() {
    use Family::{Anthropic, Gemini, OpenAi, Zhipu};
    let table = [
        (OpenAi, "rate-limit retry-after=2", 429, "retry-after: 2"),
        (OpenAi, "rate-limit", 429, "rate_limit_exceeded"),
        (OpenAi, "credit", 429, "insufficient_quota"),
        (OpenAi, "overloaded", 503, "server_error"),
        (OpenAi, "429 header=\"x-should-retry: false\"", 429, "x-should-retry: false"),
        (Zhipu, "200 code=1302", 200, r#""code":"1302""#),
        (Zhipu, "credit", 429, r#""code":"1113""#),
        (Zhipu, "overloaded", 429, r#""code":"1305""#),
        (Anthropic, "rate-limit retry-after=2", 429, "retry-after: 2"),
        (Anthropic, "overloaded", 529, "overloaded_error"),
        (Anthropic, "402", 402, "billing_error"),
        (Anthropic, "credit", 429, "enforced_spend_limit_reached"),
        (Gemini, "rate-limit retry-after=34", 429, r#""retryDelay":"34s""#),
        (Gemini, "overloaded", 503, "UNAVAILABLE"),
        (Gemini, "credit", 429, "PerDay"),
    ];
    for (family, answer, status, expected) in table {
        let (bench, _folder) = bench_of(family, &format!("realtime: {answer}")).await;
        let request = bench.client().post(bench.url(&bench.chat_path()));
        let request = bench.with_key(request).json(&bench.chat_body("a"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{answer}");
        let headers = response.headers().iter();
        let mut seen: String =
            headers.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
        if family == Gemini {
            assert!(!seen.contains("retry-after"), "{seen}");
        }
        seen += &response.text().await.unwrap();
        assert!(seen.contains(expected), "{family:?} {answer}: {seen}");
        assert!(bench.ledger("realtime").await.is_empty(), "refused calls cost nothing");
    }
    let (bench, _folder) = bench_of(Gemini, "realtime: rate-limit retry-after=34").await;
    same("gemini-quota", &bench.chat("a").await.1);
}

/// S4.04: the story of a provider that is limited, dead, slow and back, told by the clock; and
/// faults for one row, one model, one family.
#[tokio::test]
async fn rules_pick_calls_by_time_row_model_and_family() {
    let story = "realtime until=5s: rate-limit; realtime after=5s until=9s: 503; \
                 realtime after=9s until=10s: 500";
    let (bench, _folder) = bench_of(Family::OpenAi, story).await;
    for (passes, status) in [(0, 429), (4_999, 429), (1, 503), (3_999, 503), (1, 500), (1_000, 200)]
    {
        bench.pass(passes);
        assert_eq!(bench.chat("a").await.0, status);
    }
    let rules = "realtime key=row-7: 500; realtime key=gpt-4o-mini: 503; \
                 realtime family=gemini key=pro: 502; realtime family=anthropic: 501";
    let table = [
        (Family::OpenAi, "row-7", 500),
        (Family::OpenAi, "row-8", 503),
        (Family::Zhipu, "row-7", 500),
        (Family::Zhipu, "row-8", 200),
        (Family::Anthropic, "row-8", 501),
        (Family::Gemini, "row-8", 200),
        (Family::Gemini, "a pro", 502),
    ];
    for (family, text, status) in table {
        let (bench, _folder) = bench_of(family, rules).await;
        assert_eq!(bench.chat(text).await.0, status, "{family:?} {text}");
    }
}

/// S3: limits refuse what is over them, say how they stand, and let it through later.
#[tokio::test]
async fn limits_refuse_and_tell_how_they_stand() {
    let limited = |family, calls| async move {
        let folder = tempfile::tempdir().unwrap();
        let options = SandboxOptions { calls, ..options(folder.path()) };
        (Bench::start(options, family).await, folder)
    };
    let rpm = CallLimits { rpm: Some(2), tpm: Some(6_000), at_once: None };
    let headers = [
        (Family::OpenAi, "x-ratelimit-remaining-requests", Some("1")),
        (Family::OpenAi, "x-ratelimit-limit-tokens", Some("6000")),
        (Family::Anthropic, "anthropic-ratelimit-requests-remaining", Some("1")),
        (Family::Zhipu, "x-ratelimit-remaining-requests", None),
        (Family::Gemini, "x-ratelimit-remaining-requests", None),
    ];
    for (family, name, expected) in headers {
        let (bench, _folder) = limited(family, rpm).await;
        let request = bench.client().post(bench.url(&bench.chat_path()));
        let request = bench.with_key(request).json(&bench.chat_body("a"));
        let response = request.send().await.unwrap();
        let found = response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), found), (200, expected), "{family:?} {name}");
        assert_eq!(bench.chat("b").await.0, 200);
        let (status, refused) = bench.chat("c").await;
        assert_eq!(status, 429, "{refused}");
        if family == Family::Gemini {
            assert_eq!(refused["error"]["details"][1]["retryDelay"], "30s");
        }
        bench.pass(30_000);
        assert_eq!(bench.chat("c").await.0, 200);
        assert_eq!(bench.ledger("realtime").await.len(), 3);
    }
}

/// All get the same text, whatever they ask for.
#[tokio::test]
async fn a_fixed_answer_is_the_same_to_all() {
    let folder = tempfile::tempdir().unwrap();
    let answers = Answers::Fixed("[sandbox] yes".to_owned());
    let options = SandboxOptions { answers, ..options(folder.path()) };
    let bench = Bench::start(options, Family::OpenAi).await;
    let (_, body) = bench.chat("12345678").await;
    assert_eq!(text_of(Family::OpenAi, &body), "[sandbox] yes");
    assert_eq!(body["usage"]["prompt_tokens"], 3);
}

/// Each call takes as long as the sandbox was told.
#[tokio::test]
async fn calls_take_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let latency = Duration::from_millis(60);
    let options = SandboxOptions { latency, ..options(folder.path()) };
    let bench = Bench::start(options, Family::Gemini).await;
    let start = std::time::Instant::now();
    assert_eq!(bench.chat("a").await.0, 200);
    assert!(start.elapsed() >= latency);
}
