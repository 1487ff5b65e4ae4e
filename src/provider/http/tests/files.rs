//! Files on their way there and back.

use super::*;

#[tokio::test]
async fn an_upload_is_a_form_with_a_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    std::fs::write(&path, "{\"custom_id\":\"row-000001\"}\n").unwrap();
    let server = Server::start(|_, _| reply(200, r#"{"id":"file-1","bytes":27}"#));
    let told = Mutex::new(0);
    let on_bytes = |bytes| *told.lock().unwrap() = bytes;
    let file = server.api().upload(&path, "bc1.jsonl", &on_bytes).await.unwrap();
    assert_eq!((file.id.as_str(), file.bytes), ("file-1", Some(27)));
    assert_eq!(*told.lock().unwrap(), 27);
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(header(&seen[0].head, "transfer-encoding"), None);
    for part in ["name=\"purpose\"\r\n\r\nbatch", "filename=\"bc1.jsonl\"", "row-000001"] {
        assert!(seen[0].body.contains(part), "{part}: {}", seen[0].body);
    }
    let missing = server.api().upload(&folder.path().join("none"), "x.jsonl", &|_| {}).await;
    let error = missing.unwrap_err();
    assert!(error.is_local() && server.seen().len() == 1, "{error}");
}

#[tokio::test]
async fn zhipu_refusals_at_upload_are_definite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    std::fs::write(&path, "x").unwrap();
    let body = r#"{"error":{"code":"1210","message":"use glm-4-flash"}}"#;
    for status in [200, 400] {
        let server = Server::start(move |_, _| reply(status, body));
        let settings = ProviderSettings { dialect: &ZHIPU, ..server.settings() };
        let api = open(&settings).unwrap();
        let error = api.upload(&path, "x.jsonl", &|_| {}).await.unwrap_err();
        assert_eq!((error.class, error.failure.kind), (CallClass::Rejected, FailureKind::Invalid));
        assert!(error.to_string().contains("use glm-4-flash"), "{error}");
    }
}

#[tokio::test]
async fn an_upload_that_stands_still_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    // More than the socket buffers take, so that the reader must block.
    std::fs::write(&path, vec![b'x'; 24 << 20]).unwrap();
    // Sixteen seconds of a server that reads only the head.
    let server = Server::start(|_, _| {
        std::thread::sleep(Duration::from_secs(16));
        Act::Early(String::new())
    });
    let start = Instant::now();
    let error = server.api().upload(&path, "x.jsonl", &|_| {}).await.unwrap_err();
    assert_eq!((error.class, error.failure.kind), (CallClass::Unknown, FailureKind::Network));
    assert!(error.to_string().contains("stands still"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_download_appears_only_whole() {
    let folder = tempfile::tempdir().unwrap();
    let line = "{\"custom_id\":\"row-000001\",\"error\":{\"code\":\"x\",\"message\":\"m\"}}\n";
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{line}");
    let cases: [(&str, Vec<Act>, bool); 6] = [
        ("whole", vec![reply(200, line)], true),
        ("empty", vec![reply(200, "")], true),
        ("cut, then whole", vec![Act::Bytes(cut.clone()), Act::Close, reply(200, line)], true),
        (
            "an error in place of a file",
            vec![reply(200, r#"{"error":{"code":"1220","message":"m"}}"#)],
            false,
        ),
        ("404", vec![reply(404, r#"{"error":{"message":"m"}}"#)], false),
        ("cut for ever", (0..5).map(|_| Act::Bytes(cut.clone())).collect(), false),
    ];
    for (name, acts, is_good) in cases {
        let times = acts.len();
        let acts = Mutex::new(acts.into_iter());
        let server = Server::start(move |_, _| acts.lock().unwrap().next().unwrap_or(Act::Close));
        let to = folder.path().join("out.jsonl");
        std::fs::write(&to, "old").unwrap();
        let outcome = server.api().download("file-2", &to, &|_| {}).await;
        assert_eq!(outcome.is_ok(), is_good, "{name}: {outcome:?}");
        assert_eq!(server.seen().len(), times, "{name}");
        assert!(server.seen()[0].head.starts_with("GET /v1/files/file-2/content "));
        let text = std::fs::read_to_string(&to).unwrap();
        if let Ok(bytes) = outcome {
            assert_eq!(bytes, text.len() as u64, "{name}");
        } else {
            assert_eq!(text, "old", "{name}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{name}: rubbish");
    }
}

#[tokio::test]
async fn what_is_gone_counts_as_deleted() {
    type Case = (fn() -> Act, Option<CallClass>);
    let cases: [Case; 6] = [
        (|| reply(200, r#"{"id":"file-1","deleted":true}"#), None),
        (|| reply(404, r#"{"error":{"message":"m"}}"#), None),
        (|| Act::Bytes("HTTP/1.1 204 X\r\n\r\n".to_owned()), None),
        (|| reply(200, r#"{"error":{"message":"m"}}"#), Some(CallClass::Rejected)),
        (|| reply(500, ""), Some(CallClass::Unknown)),
        (|| Act::Close, Some(CallClass::Unknown)),
    ];
    for (act, expected) in cases {
        let server = Server::start(move |_, _| act());
        let outcome = server.api().delete_file("file-1").await;
        assert_eq!(outcome.as_ref().err().map(|error| error.class), expected, "{outcome:?}");
        assert!(server.seen()[0].head.starts_with("DELETE /v1/files/file-1 "));
    }
}
