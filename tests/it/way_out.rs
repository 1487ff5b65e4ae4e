//! The way to a service that is not on this machine: TLS that the system's certificates vouch for,
//! straight or through a proxy of any kind. The service is a real one behind a certificate of its
//! own; its name exists nowhere, so that only a proxy leads to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::repo;
use crate::support::workdir::{Run, WorkDir};

const HOST: &str = "api.batchctl.test";
const ANSWER: &str = r#"{"choices":[{"message":{"content":"through"},"finish_reason":"stop"}]}"#;

/// What a proxy saw of one connection: `CONNECT`, or the words of SOCKS.
type Seen = Arc<Mutex<Vec<String>>>;

/// A proxy that speaks HTTP and SOCKS and leads every connection to the service itself.
struct Proxy {
    at: String,
    seen: Seen,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let at = listener.local_addr().expect("a bound socket has an address").to_string();
        let (seen, tls) = (Seen::default(), tls());
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (tls, seen) = (Arc::clone(&tls), Arc::clone(&shared));
                std::thread::spawn(move || lead(stream.expect("accepted"), tls, &seen));
            }
        });
        Self { at, seen }
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().expect("nobody panics with it"))
    }
}

fn tls() -> Arc<ServerConfig> {
    let folder = repo("fixtures/tls");
    let chain = CertificateDer::from_pem_file(folder.join("cert.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("its key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions that ring has").with_no_client_auth();
    Arc::new(config.with_single_cert(vec![chain], key).expect("a key that fits"))
}

fn byte(stream: &mut TcpStream) -> u8 {
    let mut byte = [0];
    stream.read_exact(&mut byte).map_or(0, |()| byte[0])
}

fn text(stream: &mut TcpStream) -> String {
    let mut text = vec![0; usize::from(byte(stream))];
    stream.read_exact(&mut text).expect("as many bytes as were named");
    String::from_utf8(text).expect("words")
}

fn lead(mut stream: TcpStream, tls: Arc<ServerConfig>, seen: &Mutex<Vec<String>>) {
    let told = match byte(&mut stream) {
        5 => socks5(&mut stream),
        4 => socks4(&mut stream),
        b'C' => tunnel(&mut stream),
        _ => return,
    };
    seen.lock().expect("nobody panics with it").push(told);
    serve(StreamOwned::new(ServerConnection::new(tls).expect("a sound configuration"), stream));
}

fn tunnel(stream: &mut TcpStream) -> String {
    let mut head = vec![b'C'];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(stream));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("the client listens");
    String::from_utf8(head).expect("a head is text").to_ascii_lowercase()
}

fn socks5(stream: &mut TcpStream) -> String {
    let methods = text(stream).into_bytes();
    let mut told = "socks5 ".to_owned();
    if methods.contains(&2) {
        stream.write_all(&[5, 2]).expect("the client listens");
        assert_eq!(byte(stream), 1, "the version of names and passwords");
        told += &format!("{}:{}@", text(stream), text(stream));
        stream.write_all(&[1, 0]).expect("the client listens");
    } else {
        stream.write_all(&[5, 0]).expect("the client listens");
    }
    let mut asked = [0; 4];
    stream.read_exact(&mut asked).expect("a request");
    assert_eq!(asked, [5, 1, 0, 3], "a connection to a name");
    told += &text(stream);
    told += &format!(":{}", u16::from_be_bytes([byte(stream), byte(stream)]));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).expect("the client listens");
    told
}

fn socks4(stream: &mut TcpStream) -> String {
    assert_eq!(byte(stream), 1, "a connection");
    let port = u16::from_be_bytes([byte(stream), byte(stream)]);
    for _ in 0..4 {
        byte(stream);
    }
    let mut words =
        || std::iter::from_fn(|| Some(byte(stream)).filter(|byte| *byte != 0)).collect();
    let (_, host): (Vec<u8>, Vec<u8>) = (words(), words());
    stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).expect("the client listens");
    format!("socks4 {}:{port}", String::from_utf8(host).expect("a name"))
}

/// Answers chat requests.
fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>) {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    // A client that trusts nobody leaves in the middle.
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        heard.extend_from_slice(&buffer[..read]);
        if heard.ends_with(b"}") {
            let said = String::from_utf8_lossy(&heard).to_ascii_lowercase();
            assert!(said.starts_with("post /v1/chat/completions http/1.1\r\n"), "{said}");
            assert!(said.contains(&format!("\r\nhost: {HOST}\r\n")), "{said}");
            heard.clear();
            let length = ANSWER.len();
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{ANSWER}");
            stream.write_all(reply.as_bytes()).expect("the client listens");
        }
    }
}

/// One question to the service.
fn asks(dir: &WorkDir, at: &str) -> Run {
    dir.batchctl("chat hello --provider openai --model gpt-4o --json")
        .env("OPENAI_API_KEY", "sk-integration-test-1")
        .env("OPENAI_BASE_URL", at)
        .env("BATCHCTL_TIME_SCALE", "1000")
}

fn trusting(run: Run) -> Run {
    run.env("SSL_CERT_FILE", repo("fixtures/tls/cert.pem"))
}

/// Each kind of proxy, from the environment and from `--proxy`, with and without a name and a
/// password; what must not go through one; and that the service behind it must be vouched for.
#[test]
fn calls_go_through_every_kind_of_proxy() {
    let dir = WorkDir::new();
    let proxy = Proxy::start();
    let (at, service) = (&proxy.at, format!("https://{HOST}/v1"));
    let table = [
        ("HTTPS_PROXY", format!("http://{at}"), format!("connect {HOST}:443 ")),
        ("https_proxy", at.clone(), format!("connect {HOST}:443 ")),
        (
            "ALL_PROXY",
            format!("http://me:pw@{at}"),
            "proxy-authorization: basic bwu6chc=".to_owned(),
        ),
        ("ALL_PROXY", format!("socks5h://{at}"), format!("socks5 {HOST}:443")),
        ("all_proxy", format!("socks5h://me:p%40w@{at}"), format!("socks5 me:p@w@{HOST}:443")),
        ("ALL_PROXY", format!("socks4a://{at}"), format!("socks4 {HOST}:443")),
        ("--proxy", format!("http://{at}"), "user-agent: batchctl/".to_owned()),
        ("--proxy", format!("socks5h://me:pw@{at}"), format!("socks5 me:pw@{HOST}:443")),
    ];
    for (place, text, expected) in table {
        let run = trusting(asks(&dir, &service));
        let run = match place {
            "--proxy" => run.arg(format!("--proxy={text}")),
            name => run.env(name, &text),
        };
        let run = run.run().exits(0);
        assert!(run.stdout.contains("through"), "{run}");
        let seen = proxy.seen();
        assert!(seen.len() == 1 && seen[0].contains(&expected), "{place}={text}: {seen:?}");
    }
    let all = format!("http://{at}");
    let (no, connection) = ("NO_PROXY", format!("no connection to {HOST}"));
    let excepted = trusting(asks(&dir, &service)).env("ALL_PROXY", &all).env(no, ".batchctl.test");
    assert_ne!(excepted.run().says(&[&connection]).code, Some(0));
    assert_eq!(proxy.seen(), Vec::<String>::new(), "{no} keeps it out");
    // Names that the proxy is to be told as numbers must be found here.
    let here = trusting(asks(&dir, &service)).env("ALL_PROXY", format!("socks5://{at}"));
    assert_ne!(here.run().says(&[&connection]).code, Some(0));
    let doubted = asks(&dir, &service).env("ALL_PROXY", &all).run().says(&["certificate"]);
    assert_ne!(doubted.code, Some(0));
}
