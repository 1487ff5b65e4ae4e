//! A gate in front of a running sandbox: every call passes it, is written down, and can be held,
//! cut, replaced or edited on its way there or back. What an honest service does comes from the
//! sandbox; what can go wrong with it comes from here.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::server::{Asked, read_body, read_head};

/// What happens to one call.
pub(crate) enum Act {
    /// It goes through.
    Pass,
    /// It goes through after this long.
    Late(Duration),
    /// It is not passed on; these bytes are the answer.
    Say(Vec<u8>),
    /// It is passed on and done; these bytes are the answer.
    DoAndSay(Vec<u8>),
    /// It is passed on and done; no answer ever comes.
    DoAndHang,
    /// Its body is not read to the end, and no answer ever comes.
    Hang,
    /// It goes through, and the JSON that comes back is changed.
    Edit(fn(&mut Value)),
    /// It goes through, and the text that comes back is changed.
    Rewrite(fn(&str) -> String),
    /// It goes through, and the bytes that come back, head and all, are changed.
    Raw(fn(Vec<u8>) -> Vec<u8>),
    /// It goes through, and this share of the answer comes back.
    Cut(f64),
    /// It goes through, half of the answer comes back, then nothing for ever.
    Stall,
}

type Rule = Box<dyn FnMut(&str, usize) -> Act + Send>;

struct Shared {
    upstream: String,
    rule: Mutex<Rule>,
    calls: Mutex<Vec<String>>,
}

/// The gate.
pub(crate) struct Gate {
    address: String,
    shared: Arc<Shared>,
}

impl Gate {
    /// Opens one before this address. The rule is told each call, ids replaced by a star
    /// (`GET /v1/batches/*`), and how many of its kind there were, this one included.
    pub(crate) fn before(
        upstream: &str,
        rule: impl FnMut(&str, usize) -> Act + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            upstream: upstream.trim_start_matches("http://").to_owned(),
            rule: Mutex::new(Box::new(rule)),
            calls: Mutex::default(),
        });
        let keeper = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&keeper);
                // Broken connections are what these tests are about.
                thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        Self { address: format!("http://{address}"), shared }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How many calls of this kind came.
    pub(crate) fn count(&self, call: &str) -> usize {
        lock(&self.shared.calls).iter().filter(|known| *known == call).count()
    }

    /// From now on this rule holds; the counts go on.
    pub(crate) fn now(&self, rule: impl FnMut(&str, usize) -> Act + Send + 'static) {
        *lock(&self.shared.rule) = Box::new(rule);
    }

    /// Waits until so many calls of this kind came.
    #[track_caller]
    pub(crate) fn wait_for(&self, call: &str, count: usize) {
        for _ in 0..4000 {
            if self.count(call) >= count {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{call} did not come {count} times: {:?}", lock(&self.shared.calls));
    }
}

/// A whole answer in JSON.
pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    full(status, "", "application/json", body)
}

/// A whole answer with more headers (each with its line end).
pub(crate) fn full(status: u16, headers: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Reason\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{headers}\
         connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let Some(mut asked) = read_head(&mut reader)? else { return Ok(()) };
    let call = kind_of(&asked);
    let number = {
        let mut calls = lock(&shared.calls);
        calls.push(call.clone());
        calls.iter().filter(|known| **known == call).count()
    };
    let act = (lock(&shared.rule))(&call, number);
    if matches!(act, Act::Hang) {
        loop {
            thread::sleep(Duration::from_secs(60));
        }
    }
    read_body(&mut reader, &mut asked, None)?;
    if let Act::Late(wait) = act {
        thread::sleep(wait);
    }
    let answer = match act {
        Act::Say(bytes) => bytes,
        Act::DoAndSay(bytes) => {
            pass_on(&asked, &shared.upstream)?;
            bytes
        }
        Act::DoAndHang => {
            pass_on(&asked, &shared.upstream)?;
            loop {
                thread::sleep(Duration::from_secs(60));
            }
        }
        Act::Edit(edit) => rewritten(&pass_on(&asked, &shared.upstream)?, |text| {
            let mut value = serde_json::from_str(text).expect("the sandbox answers in JSON");
            edit(&mut value);
            value.to_string()
        }),
        Act::Rewrite(edit) => rewritten(&pass_on(&asked, &shared.upstream)?, edit),
        Act::Raw(edit) => edit(pass_on(&asked, &shared.upstream)?),
        Act::Cut(share) => {
            let mut bytes = pass_on(&asked, &shared.upstream)?;
            let head = head_length(&bytes);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
            #[expect(clippy::cast_sign_loss, reason = "a share of a small body")]
            let kept = ((bytes.len() - head) as f64 * share) as usize;
            bytes.truncate(head + kept);
            bytes
        }
        Act::Stall => {
            let bytes = pass_on(&asked, &shared.upstream)?;
            let mut writer = stream;
            writer.write_all(&bytes[..bytes.len() - bytes.len() / 4])?;
            loop {
                thread::sleep(Duration::from_secs(60));
            }
        }
        _ => pass_on(&asked, &shared.upstream)?,
    };
    let mut writer = stream;
    writer.write_all(&answer)?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut reader, &mut io::sink()).map(drop)
}

/// Method and path with ids replaced.
fn kind_of(asked: &Asked) -> String {
    let path = asked.target.split('?').next().unwrap_or_default();
    let parts: Vec<_> = path
        .split('/')
        .map(
            |part| if part.starts_with("batch_") || part.starts_with("file-") { "*" } else { part },
        )
        .collect();
    format!("{} {}", asked.method, parts.join("/"))
}

fn pass_on(asked: &Asked, upstream: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream)?;
    let mut head = format!("{} {} HTTP/1.1\r\n", asked.method, asked.target);
    for (name, value) in &asked.headers {
        if !["host", "connection", "content-length", "transfer-encoding"].contains(&name.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let length = asked.body.len();
    head.push_str(&format!(
        "host: {upstream}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    ));
    stream.write_all(head.as_bytes())?;
    stream.write_all(&asked.body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn head_length(answer: &[u8]) -> usize {
    answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4)
}

/// The answer with another body.
fn rewritten(answer: &[u8], edit: impl FnOnce(&str) -> String) -> Vec<u8> {
    let (head, body) = answer.split_at(head_length(answer));
    let head = String::from_utf8_lossy(head);
    let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        unchunked(body)
    } else {
        String::from_utf8_lossy(body).into_owned()
    };
    let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(200);
    full(status, "", "application/json", &edit(&body))
}

fn unchunked(mut body: &[u8]) -> String {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&body[..end]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
    String::from_utf8_lossy(&whole).into_owned()
}
