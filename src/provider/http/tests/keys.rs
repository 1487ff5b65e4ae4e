//! Where a key may go.

use super::*;

/// Pitfall 12: links and redirects are followed, the key stays home.
#[tokio::test]
async fn s7_a_key_goes_only_to_its_own_host() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out.jsonl");
    let server = Server::start(|_, seen| {
        if seen.head.starts_with("GET /v1/files/moved/content") {
            reply_with(302, "Location: /stored\r\n", "")
        } else if seen.head.starts_with("GET /v1/files/away/content") {
            reply_with(302, "Location: http://127.0.0.1:1/x?sig=secret\r\n", "")
        } else {
            reply(200, "x\n")
        }
    });
    let api = server.api();
    for id in ["moved", "/stored", &format!("http://127.0.0.1:{}/stored", server.port)] {
        assert_eq!(api.download(id, &to, &|_| {}).await.unwrap(), 2, "{id}");
        let seen = server.seen();
        let last = &seen.last().unwrap().head;
        assert!(last.starts_with("GET /stored ") && last.contains(KEY), "{last}");
    }
    let before = server.seen().len();
    for id in ["away", "http://127.0.0.1:1/x?sig=secret", "..", "http://169.254.169.254/x"] {
        let error = api.download(id, &to, &|_| {}).await.unwrap_err();
        assert_eq!(error.class, CallClass::Rejected, "{id}: {error}");
        assert!(!hides_key(&error).contains("sig=secret"), "{error}");
    }
    assert_eq!(server.seen().len(), before + 1);
    // Another port is another server: the link of a provider there gets no key, if it is asked.
    let other = Server::start(|_, _| reply(200, "y\n"));
    let wire = super::super::Wire::new(&server.settings()).unwrap();
    let url = format!("http://127.0.0.1:{}/y", other.port).parse().unwrap();
    wire.fetch(url, false, &to, &|_| {}).await.unwrap();
    assert_eq!(header(&other.seen()[0].head, "authorization"), None);
}

#[tokio::test]
async fn ids_from_outside_stay_one_part_of_the_address() {
    let server = Server::start(|_, _| reply(200, BATCH));
    let api = server.api();
    api.retrieve("../files?x#y").await.unwrap();
    assert!(server.seen()[0].head.starts_with("GET /v1/batches/..%2Ffiles%3Fx%23y "));
    for id in ["", ".", ".."] {
        assert_eq!(api.cancel(id).await.unwrap_err().class, CallClass::Rejected);
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn s7_a_sandbox_key_goes_to_a_sandbox_only() {
    let sandbox = Server::start(|_, seen| {
        if seen.head.starts_with("GET / ") {
            reply(200, "batchctl-sandbox 0.1.0")
        } else {
            reply(200, BATCH)
        }
    });
    let other = Server::start(|_, _| reply(200, BATCH));
    assert!(probe_sandbox(&sandbox.base_url()).await);
    assert!(!probe_sandbox(&other.base_url()).await);
    assert!(!probe_sandbox("https://api.example.com/v1").await);

    let settings = |server: &Server| ProviderSettings {
        dialect: &SANDBOX,
        key: Secret::new("sandbox-http-tests"),
        ..server.settings()
    };
    let api = open(&settings(&sandbox)).unwrap();
    assert!(api.is_sandbox());
    api.retrieve("batch_1").await.unwrap();
    api.retrieve("batch_1").await.unwrap();
    let seen = sandbox.seen();
    assert_eq!(seen.len(), 4, "two probes, two calls: the client asks once");
    assert_eq!(header(&seen[1].head, "authorization"), None);
    assert_eq!(header(&seen[2].head, "authorization"), Some("Bearer sandbox-http-tests"));

    let error = open(&settings(&other)).unwrap().create(&create()).await.unwrap_err();
    assert_eq!(error.class, CallClass::NotSent, "{error}");
    assert!(other.seen().iter().all(|seen| header(&seen.head, "authorization").is_none()));
}

/// A proxy from the settings (and so from the environment, which the client reads the same way)
/// is not asked for calls to this machine.
#[tokio::test]
async fn a_proxy_is_not_used_for_loopback() {
    let server = Server::start(|_, _| reply(200, BATCH));
    let proxy = Server::start(|_, _| reply(502, ""));
    let settings = ProviderSettings {
        proxy: Proxy::Url(format!("http://127.0.0.1:{}", proxy.port)),
        ..server.settings()
    };
    open(&settings).unwrap().retrieve("batch_1").await.unwrap();
    assert!(proxy.seen().is_empty());
}

/// That the proxy is used elsewhere: the name cannot be resolved, so only the proxy can be reached.
#[tokio::test]
async fn a_proxy_is_used_elsewhere_and_its_refusal_means_not_sent() {
    let proxy = Server::start(|_, _| reply(403, ""));
    let settings = ProviderSettings {
        base_url: Some("https://batch.invalid/v1".to_owned()),
        proxy: format!("http://127.0.0.1:{}", proxy.port).parse().unwrap(),
        ..proxy.settings()
    };
    let error = open(&settings).unwrap().create(&create()).await.unwrap_err();
    assert_eq!(error.class, CallClass::NotSent, "{error}");
    assert!(proxy.seen()[0].head.starts_with("CONNECT batch.invalid:443 "));
    assert!(!proxy.seen()[0].head.contains(KEY));
}

#[test]
fn keys_that_cannot_stand_in_a_header_are_refused_without_showing_them() {
    let server = Server { port: 1, seen: Arc::default() };
    for key in ["sk-quoted\"key-0815", "sk-line\nend-0815", "sk-schlüssel-0815"] {
        let settings = ProviderSettings { key: Secret::new(key), ..server.settings() };
        let error = open(&settings).err().expect("a bad key").to_string();
        assert!(!error.contains("0815"), "{error}");
        assert!(!format!("{settings:?}").contains("0815"));
    }
}
