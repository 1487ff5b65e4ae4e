//! A running `batchctl sandbox` of the built program, with its own state, for one test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long it may take to say where it listens.
const START: Duration = Duration::from_secs(20);

/// The child process; it is ended when the value is dropped.
pub(crate) struct Sandbox {
    child: Child,
    address: String,
    state: TempDir,
}

impl Sandbox {
    /// Batches pass through their states within 0.3 seconds.
    pub(crate) fn start() -> Self {
        Self::with(&["--batch-seconds", "0.3"])
    }

    /// With these flags besides `--port 0` and `--state`.
    pub(crate) fn with(flags: &[&str]) -> Self {
        let state = tempfile::tempdir().expect("the system has a temporary folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_batchctl"))
            .args(["sandbox", "--port", "0", "--state"])
            .arg(state.path())
            .args(flags)
            .env_clear()
            .env("HOME", state.path())
            .env("BATCHCTL_HOME", state.path().join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was just built");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (tell, told) = mpsc::channel();
        // Goes on reading to the end, so that the child never blocks on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = tell.send(address);
                }
            }
        });
        let Ok(address) = told.recv_timeout(START) else {
            let _ = child.kill();
            let status = child.wait();
            panic!("the sandbox did not say where it listens ({status:?})");
        };
        Self { child, address, state }
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The folder that holds its files, batches and billing ledger.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.path().to_owned()
    }

    /// Every entry of its billing ledger: what was created and what was executed.
    pub(crate) fn ledger(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.state().join("ledger.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("an entry is JSON")).collect()
    }

    /// One request to it; the body of its reply.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let host = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("the sandbox listens");
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer sandbox-x\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("the sandbox takes requests");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the sandbox answers");
        let (head, body) = reply.split_once("\r\n\r\n").expect("a reply has a head");
        assert!(head.contains(" 200 "), "{method} {path}: {reply}");
        body.to_owned()
    }

    /// Every call that answers at once, in the order in which they came.
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<Value> {
        let text = self.ask("GET", "/sandbox/calls", "");
        text.lines().map(|line| serde_json::from_str(line).expect("a call is JSON")).collect()
    }

    /// The sums of those calls.
    #[track_caller]
    pub(crate) fn seen(&self) -> Value {
        serde_json::from_str(&self.ask("GET", "/sandbox/calls?summary", "")).expect("JSON")
    }

    /// Only these rules from now on; none for none.
    #[track_caller]
    pub(crate) fn rules(&self, rules: &str) {
        self.ask("DELETE", "/sandbox/faults", "");
        if !rules.is_empty() {
            self.ask("POST", "/sandbox/faults", rules);
        }
    }

    /// How many batches were created, whatever became of them.
    pub(crate) fn created(&self) -> usize {
        self.ledger().iter().filter(|entry| entry["event"] == "created").count()
    }

    /// The request lines of every batch that was created, oldest batch first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let created = self.ledger().into_iter().filter(|entry| entry["event"] == "created");
        let mut lines = Vec::new();
        for entry in created {
            let name = |key: &str| entry[key].as_str().expect("a name").to_owned();
            let folder = self.state().join(name("family")).join("batches").join(name("batch"));
            let text = fs::read_to_string(folder.join("input.jsonl")).expect("its input is kept");
            lines.extend(
                text.lines().map(|line| {
                    serde_json::from_str::<Value>(line).expect("a request line is JSON")
                }),
            );
        }
        lines
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first loopback address in a line, up to its port.
fn address_in(line: &str) -> Option<String> {
    let at = line.find("http://127.0.0.1:")?;
    let host = "http://127.0.0.1:".len();
    let digits = line[at + host..].bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| line[at..at + host + digits].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::workdir::WorkDir;

    #[test]
    fn the_address_is_found_in_a_sentence() {
        let line = "listening on http://127.0.0.1:8080/v1 (key sandbox-…)";
        assert_eq!(address_in(line).as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(address_in("http://127.0.0.1:/v1"), None);
    }

    /// The whole way, through a server of its own.
    #[test]
    fn a_table_goes_through_a_running_sandbox() {
        let sandbox = Sandbox::start();
        assert!(sandbox.state().is_dir());
        let dir = WorkDir::new();
        dir.table("in.csv", &[&["id", "text"], &["1", "good"], &["2", "bad"]]);
        let child = dir
            .batchctl("workflow in.csv out.csv --check-interval 0.2")
            .openai_at(sandbox.address())
            .spawn();
        let output = child.wait_with_output().expect("the program ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(dir.read("out.csv").starts_with("id,text,response,"), "{}", dir.read("out.csv"));
    }
}
