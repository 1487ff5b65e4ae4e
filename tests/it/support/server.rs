//! A server for the faults that no honest service gives: it answers on 127.0.0.1 from a queue,
//! byte for byte, cuts, stalls and closes where told, records what was asked, and fails the test
//! if what was expected was never asked or something was asked that nobody expected.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET`, `POST`, `DELETE`.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body as far as it was read.
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// The first header of this name (lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    /// Bytes of the request body to read before answering; all of it if `None`.
    read: Option<usize>,
    wait: Duration,
    /// So many of the last bytes are held back for a long time.
    held: usize,
}

impl Reply {
    /// A whole JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::full(status, &[("content-type", "application/json")], body.as_bytes())
    }

    /// A whole answer with these headers.
    pub(crate) fn full(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut head = format!("HTTP/1.1 {status} Reason\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self::raw(bytes)
    }

    /// These bytes and nothing else, then the connection is closed.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), read: None, wait: Duration::ZERO, held: 0 }
    }

    /// The request is read to its end, then the connection is closed without a word: whoever
    /// asked cannot know whether it was done.
    pub(crate) fn silence() -> Self {
        Self::raw(Vec::new())
    }

    /// Only so many bytes of the answer leave: the connection breaks in the middle.
    pub(crate) fn cut_to(mut self, bytes: usize) -> Self {
        self.bytes.truncate(bytes);
        self
    }

    /// Answers after so many bytes of the request's body, as a server does that has seen enough.
    pub(crate) fn after_reading(mut self, bytes: usize) -> Self {
        self.read = Some(bytes);
        self
    }

    /// Stalls before the last bytes of the answer, as many as these.
    pub(crate) fn stalled_before_last(mut self, bytes: usize) -> Self {
        self.held = bytes;
        self
    }

    /// Waits before it answers.
    pub(crate) fn delayed(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<(String, Reply)>,
    asked: Vec<Asked>,
    surprises: Vec<String>,
}

/// The server; dropping it checks that everything expected was asked.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Starts it with the replies in the order in which the requests must come. An expectation
    /// is `METHOD /path`, compared with the start of what is asked, so that queries may be left
    /// out.
    pub(crate) fn start(expected: Vec<(&str, Reply)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let queue = expected.into_iter().map(|(ask, reply)| (ask.to_owned(), reply)).collect();
        let state = Arc::new(Mutex::new(State { queue, ..State::default() }));
        let shared = Arc::clone(&state);
        // Ends with the process: a blocking accept has no better end, and tests are short.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A broken connection is what these tests are about, not a failure of them.
                thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        Self { address, state }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.state).asked.clone()
    }

    /// What is wrong so far: things expected and not asked, asked and not expected.
    fn complaints(&self) -> Vec<String> {
        let state = lock(&self.state);
        let never = state.queue.iter().map(|(ask, _)| format!("never asked: {ask}"));
        never.chain(state.surprises.iter().cloned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty() || thread::panicking(), "{}", complaints.join("\n"));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let Some(mut asked) = read_head(&mut reader)? else { return Ok(()) };
    let reply = next_reply(&asked, state);
    read_body(&mut reader, &mut asked, reply.read)?;
    lock(state).asked.push(asked);
    thread::sleep(reply.wait);
    let mut writer = stream;
    let (now, later) = reply.bytes.split_at(reply.bytes.len() - reply.held);
    writer.write_all(now)?;
    if !later.is_empty() {
        thread::sleep(Duration::from_secs(60));
        writer.write_all(later)?;
    }
    stream.shutdown(Shutdown::Write)?;
    if reply.read.is_some() {
        return Ok(()); // what the client still sends meets a closed socket, on purpose
    }
    io::copy(&mut reader, &mut io::sink()).map(drop)
}

fn next_reply(asked: &Asked, state: &Mutex<State>) -> Reply {
    let mut state = lock(state);
    let line = format!("{} {}", asked.method, asked.target);
    match state.queue.front() {
        Some((wanted, _)) if line.starts_with(wanted.as_str()) => {
            state.queue.pop_front().expect("it was just looked at").1
        }
        // Whoever is about to send looks through the batches first; here there are none.
        _ if line.starts_with("GET /v1/batches?") => {
            Reply::json(200, r#"{"object":"list","data":[],"has_more":false}"#)
        }
        // Whoever has the key of a sandbox asks first whether this is one.
        _ if line == "GET /" => Reply::json(200, r#"{"name":"batchctl-sandbox"}"#),
        front => {
            let wanted = front.map_or("nothing more", |(wanted, _)| wanted.as_str());
            let surprise = format!("asked {line}, expected {wanted}");
            state.surprises.push(surprise.clone());
            Reply::full(501, &[], surprise.as_bytes())
        }
    }
}

/// The request line and headers; `None` if the peer only knocked.
pub(super) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut asked = Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(asked))
}

pub(super) fn read_body(
    reader: &mut impl BufRead,
    asked: &mut Asked,
    most: Option<usize>,
) -> io::Result<()> {
    let most = most.map_or(u64::MAX, |n| n as u64);
    let chunked = asked.header("transfer-encoding").is_some_and(|v| v.contains("chunked"));
    if !chunked {
        let length = asked.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        return reader.take(most.min(length)).read_to_end(&mut asked.body).map(drop);
    }
    while (asked.body.len() as u64) < most {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        reader.take(size).read_to_end(&mut asked.body)?;
        reader.read_line(&mut String::new())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &Server, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn it_answers_from_its_queue_and_remembers_what_was_asked() {
        let server = Server::start(vec![
            ("POST /v1/files", Reply::json(200, "{}").delayed(Duration::from_millis(1))),
            ("GET /v1/batches", Reply::json(429, "busy").cut_to(12)),
            ("GET /v1/batches", Reply::silence()),
            ("POST /v1/batches", Reply::full(413, &[("retry-after", "1")], b"").after_reading(2)),
        ]);
        assert!(server.address().starts_with("http://127.0.0.1:"));
        let answer = ask(&server, "POST /v1/files HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n{}"), "{answer}");
        assert_eq!(ask(&server, "GET /v1/batches?limit=1 HTTP/1.1\r\n\r\n"), "HTTP/1.1 429");
        assert_eq!(ask(&server, "GET /v1/batches HTTP/1.1\r\n\r\n"), "");
        let chunked = "POST /v1/batches HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
        assert!(ask(&server, chunked).contains("retry-after: 1"));
        let asked = server.asked();
        assert_eq!((asked[0].method.as_str(), asked[0].body.as_slice()), ("POST", &b"abc"[..]));
        assert_eq!(asked[1].target, "/v1/batches?limit=1");
        assert_eq!((asked[3].body.as_slice(), asked[3].header("x")), (&b"hi"[..], None));
    }

    #[test]
    fn it_complains_of_what_was_never_asked_and_of_what_nobody_expected() {
        let server = Server::start(vec![("GET /a", Reply::json(200, "1"))]);
        assert!(ask(&server, "GET /b HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 501"));
        let complaints = server.complaints();
        assert_eq!(complaints, ["never asked: GET /a", "asked GET /b, expected GET /a"]);
        assert!(std::panic::catch_unwind(move || drop(server)).is_err(), "dropping it must fail");
    }
}
