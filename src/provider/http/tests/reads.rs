//! Reads are sent again, creates never.

use super::*;

#[tokio::test]
async fn reads_repeat_after_faults_that_pass_and_obey_the_wait() {
    let server = Server::start(|n, _| match n {
        0 => reply(500, "{}"),
        1 => Act::Close,
        2 => Act::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{BATCH}")),
        3 => reply_with(429, "Retry-After: 100\r\n", ""),
        _ => reply_with(200, "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n", BATCH),
    });
    let api = server.api();
    assert_eq!(api.server_time(), None);
    let start = Instant::now();
    assert_eq!(api.retrieve("batch_1").await.unwrap().id, "batch_1");
    assert_eq!(server.seen().len(), 5);
    // 100 s on a clock 2,000 times faster.
    assert!(start.elapsed() >= Duration::from_millis(50), "{:?}", start.elapsed());
    let provider_time = api.server_time().unwrap();
    assert!((1_700_000_000..1_700_000_060).contains(&provider_time), "{provider_time}");
}

#[tokio::test]
async fn reads_give_up_on_what_stays_wrong() {
    type Case = (&'static str, fn() -> Act, FailureKind, usize);
    let cases: [Case; 6] = [
        ("401", || reply(401, ""), FailureKind::Credentials, 1),
        ("404", || reply(404, ""), FailureKind::NotFound, 1),
        (
            "too long a wait",
            || reply_with(429, "Retry-After: 3600\r\n", ""),
            FailureKind::RateLimited,
            1,
        ),
        (
            "told not to",
            || reply_with(503, "X-Should-Retry: false\r\n", ""),
            FailureKind::Server,
            1,
        ),
        ("redirect", || reply_with(302, "Location: /elsewhere\r\n", ""), FailureKind::Invalid, 1),
        ("always 502", || reply(502, "<html>"), FailureKind::Server, 5),
    ];
    for (name, act, kind, times) in cases {
        let server = Server::start(move |_, _| act());
        let error = server.api().retrieve("batch_1").await.unwrap_err();
        assert_eq!((error.failure.kind, server.seen().len()), (kind, times), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_listing_is_paged_by_has_more() {
    let server = Server::start(|n, _| match n {
        0 => reply(200, r#"{"data":[{"id":"b"},{"id":"a"}],"has_more":true}"#),
        _ => reply(200, r#"{"data":[],"has_more":false}"#),
    });
    let api = server.api();
    let page = api.list(None, 2).await.unwrap();
    assert_eq!((page.items.len(), page.next.as_deref()), (2, Some("a")));
    assert_eq!(api.list(page.next.as_deref(), 2).await.unwrap().next, None);
    assert!(server.seen()[1].head.starts_with("GET /v1/batches?limit=2&after=a "));
}
