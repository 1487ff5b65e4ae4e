//! Calls that are answered at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::provider::{
    ANTHROPIC, Advice, Allowance, CallReply, CallRequest, ChatApi, ChatError, Dialect, GEMINI,
    OPENAI, open_chat,
};

const ANSWER: &str = r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#;
const MESSAGE: &str = r#"{"type":"message","content":[{"type":"text","text":"a"}]}"#;
const CANDIDATES: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
const LONG: Duration = Duration::from_secs(20);

fn question(endpoint: Endpoint) -> CallRequest {
    let body = r#"{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"q"}]}"#;
    CallRequest { endpoint, model: "some/model".to_owned(), body: body.into() }
}

fn chat_at(server: &Server, dialect: &'static Dialect) -> Box<dyn ChatApi> {
    open_chat(&ProviderSettings { dialect, ..server.settings() }).unwrap()
}

async fn asked(server: &Server, within: Duration) -> Result<CallReply, Box<ChatError>> {
    chat_at(server, &OPENAI).call(&question(Endpoint::Chat), within).await
}

/// `S3.01`: what each service is sent, where, and with its key in which header.
#[tokio::test]
async fn s3_01_each_shape_goes_its_own_way() {
    let openai = String::from_utf8(question(Endpoint::Chat).body.into()).unwrap();
    let anthropic =
        r#"{"model":"some/model","max_tokens":4096,"messages":[{"role":"user","content":"q"}]}"#;
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"q"}]}]}"#;
    let bearer = format!("Bearer {KEY}");
    let table = [
        (
            &OPENAI,
            Endpoint::Chat,
            "/v1/chat/completions",
            "authorization",
            bearer.as_str(),
            openai.as_str(),
            ANSWER,
        ),
        (
            &OPENAI,
            Endpoint::Embeddings,
            "/v1/embeddings",
            "authorization",
            &bearer,
            &openai,
            r#"{"data":[]}"#,
        ),
        (
            &OPENAI,
            Endpoint::Responses,
            "/v1/responses",
            "authorization",
            &bearer,
            &openai,
            r#"{"output":[]}"#,
        ),
        (&ANTHROPIC, Endpoint::Chat, "/v1/messages", "x-api-key", KEY, anthropic, MESSAGE),
        (
            &GEMINI,
            Endpoint::Chat,
            "/v1/v1beta/models/some%2Fmodel:generateContent",
            "x-goog-api-key",
            KEY,
            gemini,
            CANDIDATES,
        ),
    ];
    for (dialect, endpoint, path, key_header, key, body, answer) in table {
        let server = Server::start(move |_, _| reply(200, answer));
        let mut settings = ProviderSettings { dialect, ..server.settings() };
        if dialect.name == "gemini" {
            // Without a version in the address, the usual one is added.
            settings.base_url = Some(format!("http://127.0.0.1:{}/v1/", server.port));
            settings.base_url = settings.base_url.map(|url| url.replace("/v1/", ""));
        }
        let api = open_chat(&settings).unwrap();
        let got = api.call(&question(endpoint), LONG).await.unwrap();
        assert_eq!((got.status, got.body.as_slice()), (200, answer.as_bytes()), "{path}");
        let seen = &server.seen()[0];
        let path = path.replace("/v1/v1beta", "/v1beta");
        assert!(seen.head.starts_with(&format!("POST {path} ")), "{}", seen.head);
        assert_eq!(header(&seen.head, key_header), Some(key), "{}", seen.head);
        assert_eq!(
            seen.head.matches(KEY).count(),
            1,
            "the key stands in one header: {}",
            seen.head
        );
        assert_eq!(seen.body, body);
        let version = header(&seen.head, "anthropic-version");
        assert_eq!(version, (dialect.name == "anthropic").then_some("2023-06-01"));
    }
    let server = Server::start(|_, _| reply(200, MESSAGE));
    let api_version = Some("2026-10-21".to_owned());
    let settings = ProviderSettings { dialect: &ANTHROPIC, api_version, ..server.settings() };
    let api = open_chat(&settings).unwrap();
    api.call(&question(Endpoint::Chat), LONG).await.unwrap();
    assert_eq!(header(&server.seen()[0].head, "anthropic-version"), Some("2026-10-21"));
    let refused = api.call(&question(Endpoint::Embeddings), LONG).await.unwrap_err();
    assert_eq!(
        (refused.error.class, refused.advice),
        (CallClass::NotSent, Advice::NotThisProvider)
    );
    assert_eq!(server.seen().len(), 1, "nothing was sent");
}

/// What the headers tell, and a body of many lines on one.
#[tokio::test]
async fn s3_01_a_reply_keeps_what_its_headers_told() {
    let headers = "x-request-id: req_1\r\nx-ratelimit-limit-requests: 500\r\nx-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 6m0s\r\n";
    let body = "{\n  \"choices\": [\n    {\"message\": {\"content\": \"a  b\"}}\n  ]\n}\n";
    let server = Server::start(move |_, _| reply_with(200, headers, body));
    let got = asked(&server, LONG).await.unwrap();
    assert_eq!(got.request_id.as_deref(), Some("req_1"));
    let reset = Some(Duration::from_secs(360));
    assert_eq!(got.rate.requests, Some(Allowance { limit: 500, remaining: Some(0), reset }));
    let line = r#"{"choices": [{"message": {"content": "a  b"}}]}"#;
    assert_eq!(String::from_utf8(got.body).unwrap(), line);
}

/// `S3.06`, defect 15: each way to fail, what is known of its effect, and what it advises.
#[tokio::test]
async fn s3_06_failures_on_the_wire() {
    type Case = (&'static str, fn() -> Act, CallClass, Advice, bool);
    let after = |seconds| Some(Duration::from_secs(seconds));
    let (unknown, rejected) = (CallClass::Unknown, CallClass::Rejected);
    let cases: [Case; 9] = [
        ("closed", || Act::Close, unknown, Advice::Again(None), false),
        ("hang", || Act::Hang, unknown, Advice::Again(None), false),
        (
            "cut",
            || Act::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{ANSWER}")),
            unknown,
            Advice::Again(None),
            false,
        ),
        (
            "cut in the head",
            || Act::Bytes("HTTP/1.1 200 O".to_owned()),
            unknown,
            Advice::Again(None),
            false,
        ),
        ("half JSON", || reply(200, &ANSWER[..20]), unknown, Advice::Again(None), true),
        (
            "rate limit",
            || reply_with(429, "Retry-After: 7\r\n", r#"{"error":{"message":"m"}}"#),
            rejected,
            Advice::SlowDown(after(7)),
            true,
        ),
        (
            "no money",
            || reply(429, r#"{"error":{"message":"m","code":"insufficient_quota"}}"#),
            rejected,
            Advice::NotThisProvider,
            true,
        ),
        (
            "error in a success",
            || reply(200, r#"{"error":{"code":"1302","message":"m"}}"#),
            rejected,
            Advice::SlowDown(None),
            true,
        ),
        (
            "redirect",
            || reply_with(302, "Location: /elsewhere\r\n", ""),
            rejected,
            Advice::NotThisProvider,
            true,
        ),
    ];
    for (name, act, class, advice, has_reply) in cases {
        let server = Server::start(move |_, _| act());
        let error = asked(&server, Duration::from_millis(300)).await.unwrap_err();
        assert_eq!((error.error.class, error.advice), (class, advice), "{name}: {}", error.error);
        assert_eq!(error.reply.is_some(), has_reply, "{name}");
        assert!(hides_key(&error.error).contains("double"), "{name}");
        assert_eq!(server.seen().len(), 1, "{name}: a call is sent once");
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server { port: gone.port(), seen: Arc::default() };
    let error = asked(&server, LONG).await.unwrap_err();
    assert_eq!((error.error.class, error.advice), (CallClass::NotSent, Advice::Again(None)));
}

/// Defect 15: a call that is given up is over for the service too, which sees its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_a_call_that_is_given_up_closes_its_connection() {
    for is_dropped in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            let mut buffer = [0; 1 << 12];
            while stream.read(&mut buffer).expect("the end comes before the patience") > 0 {}
        });
        let server = Server { port, seen: Arc::default() };
        if is_dropped {
            let call = asked(&server, LONG);
            assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err());
        } else {
            let error = asked(&server, Duration::from_millis(200)).await.unwrap_err();
            assert!(error.error.to_string().contains("within 200ms"), "{}", error.error);
        }
        tokio::task::spawn_blocking(move || ended.join().unwrap()).await.unwrap();
    }
}

/// Answers every request on every connection with this body; counts the connections.
fn endless(answer: &'static str, connections: Arc<AtomicUsize>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            connections.fetch_add(1, Ordering::Relaxed);
            let (mut stream, whole) = (stream.unwrap(), whole.clone());
            std::thread::spawn(move || {
                let (mut buffer, mut heard) = ([0; 1 << 14], Vec::new());
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    heard.extend_from_slice(&buffer[..read]);
                    // Requests end in their body, which is a JSON object.
                    if heard.ends_with(b"}") {
                        heard.clear();
                        stream.write_all(whole.as_bytes()).unwrap();
                    }
                }
            });
        }
    });
    Server { port, seen: Arc::default() }
}

#[tokio::test]
async fn s3_connections_are_kept_for_the_next_call() {
    let connections = Arc::new(AtomicUsize::new(0));
    let server = endless(ANSWER, Arc::clone(&connections));
    let api = chat_at(&server, &OPENAI);
    for _ in 0..5 {
        api.call(&question(Endpoint::Chat), LONG).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

/// `S7`: as for batches, a sandbox key goes to no server that does not greet.
#[tokio::test]
async fn s7_a_sandbox_key_is_not_sent_in_a_call_to_others() {
    for (greeting, is_sent) in [("batchctl-sandbox 0.1.0", true), ("nginx", false)] {
        let server = Server::start(move |_, seen| {
            reply(200, if seen.head.starts_with("GET / ") { greeting } else { ANSWER })
        });
        let key = Secret::new("sandbox-calls-0815");
        let settings = ProviderSettings { key, ..server.settings() };
        let api = open_chat(&settings).unwrap();
        assert!(api.is_sandbox());
        let called = api.call(&question(Endpoint::Chat), LONG).await;
        assert_eq!(called.is_ok(), is_sent, "{greeting}");
        let heads: String = server.seen().iter().map(|seen| seen.head.clone()).collect();
        assert_eq!(heads.contains("sandbox-calls-0815"), is_sent, "{heads}");
        if let Err(error) = called {
            assert_eq!(error.error.class, CallClass::NotSent);
        }
    }
}

/// `S3.01`: streamed answers, told piece by piece, and streams that end badly.
#[tokio::test]
async fn s3_01_streams_on_the_wire() {
    fn stream(events: &str) -> Act {
        Act::Bytes(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n{events}"
        ))
    }
    type Case = (&'static str, fn() -> Act, &'static str, Result<&'static str, Advice>);
    let cases: [Case; 5] = [
        (
            "whole",
            || {
                stream(
                    "data: {\"choices\":[{\"delta\":{\"content\":\"po\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"s\"},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n",
                )
            },
            "pos",
            Ok(
                r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"pos"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
            ),
        ),
        (
            "cut",
            || stream("data: {\"choices\":[{\"delta\":{\"content\":\"po\"}}]}\n\n"),
            "po",
            Err(Advice::Again(None)),
        ),
        (
            "error",
            || stream("data: {\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}}\n\n"),
            "",
            Err(Advice::SlowDown(None)),
        ),
        ("not streamed", || reply(200, ANSWER), "a", Ok(ANSWER)),
        ("refused", || reply(401, ""), "", Err(Advice::NotThisProvider)),
    ];
    for (name, act, text, expected) in cases {
        let server = Server::start(move |_, _| act());
        let mut told = String::new();
        let mut on_text = |piece: &str| told.push_str(piece);
        let api = chat_at(&server, &OPENAI);
        let got = api.stream(&question(Endpoint::Chat), LONG, &mut on_text).await;
        assert_eq!(told, text, "{name}");
        let got = got.map(|reply| String::from_utf8(reply.body).unwrap());
        assert_eq!(got.map_err(|error| error.advice), expected.map(str::to_owned), "{name}");
        let body = &server.seen()[0].body;
        let wish = r#"{"stream":true,"stream_options":{"include_usage":true},"model""#;
        assert!(body.starts_with(wish), "{body}");
    }
}

/// Sends each event after a wait of so many milliseconds, then says nothing more.
fn dripping(events: Vec<(u64, &'static str)>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 1 << 14];
        let _ = stream.read(&mut buffer);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        let mut sent = stream.write_all(head.as_bytes());
        for (wait, event) in events {
            std::thread::sleep(Duration::from_millis(wait));
            sent = sent.and_then(|()| write!(stream, "data: {event}\n\n"));
        }
        // Until the other side has left.
        while sent.is_ok() && stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
    Server { port, seen: Arc::default() }
}

/// A streamed answer may take longer than a call while it goes on; one that stops, or of which
/// nothing but signs of life comes, is given up.
#[tokio::test]
async fn s3_a_streamed_answer_is_given_up_only_where_it_stops() {
    const PIECE: &str = r#"{"choices":[{"delta":{"content":"p"}}]}"#;
    const PING: &str = r#"{"type": "ping"}"#;
    type Case = (&'static str, Vec<(u64, &'static str)>, &'static str, Option<&'static str>);
    let mut goes_on = vec![(500, PIECE); 5];
    goes_on.push((0, "[DONE]"));
    let cases: [Case; 3] = [
        ("goes on", goes_on, "ppppp", None),
        ("stops", vec![(0, PIECE)], "p", Some("sent no more of its answer for 2s")),
        ("only pings", vec![(500, PING); 8], "", Some("sent no more of its answer")),
    ];
    let within = Duration::from_secs(2);
    let all = cases.map(async |(name, events, text, expected)| {
        let server = dripping(events);
        let mut told = String::new();
        let mut on_text = |piece: &str| told.push_str(piece);
        let api = chat_at(&server, &OPENAI);
        let got = api.stream(&question(Endpoint::Chat), within, &mut on_text).await;
        assert_eq!(told, text, "{name}");
        match (got, expected) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => {
                let told = error.error.to_string();
                assert!(told.contains(words), "{name}: {told}");
                assert_eq!(error.error.class, CallClass::Unknown, "{name}");
            }
            (got, _) => panic!("{name}: {got:?}"),
        }
    });
    futures_util::future::join_all(all).await;
}

/// What a call costs this process, in microseconds of CPU: run it alone, in a release build.
#[tokio::test]
#[ignore = "measures"]
async fn cpu_of_a_call() {
    const CALLS: u32 = 20_000;
    let server = endless(ANSWER, Arc::default());
    let api = chat_at(&server, &OPENAI);
    let request = question(Endpoint::Chat);
    let busy = || -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    for width in [1, 16, 64] {
        let before = busy();
        let all = (0..width).map(async |_| {
            for _ in 0..CALLS / width {
                api.call(&request, LONG).await.unwrap();
            }
        });
        futures_util::future::join_all(all).await;
        let each = (busy() - before) / u64::from(CALLS);
        std::fs::write("/dev/stderr", format!("{width} at once: {each} ns a call\n")).unwrap();
    }
}
