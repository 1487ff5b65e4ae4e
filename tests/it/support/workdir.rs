//! A scratch folder of its own for each test: it writes tables from literals, runs the built
//! program there with a clean environment, and compares files, stdout, stderr and exit code.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::outcome::Cells;
use super::{repo, snapshot};

/// How long one run of the program may take before the test gives it up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder to work in and, beside it, a home that belongs to this test alone.
pub(crate) struct WorkDir {
    root: TempDir,
}

impl WorkDir {
    /// Makes both folders; they vanish with the value.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("the system has a temporary folder");
        for name in ["desk", "home"] {
            fs::create_dir(root.path().join(name)).expect("a fresh folder can be filled");
        }
        Self { root }
    }

    /// Where the program runs.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("desk")
    }

    /// The program's home (`BATCHCTL_HOME`).
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home/batchctl")
    }

    /// A path inside the working folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file, text or bytes, and the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a path inside the folder has a parent"))
            .and_then(|()| fs::write(&path, content))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Writes a CSV table from literals; cells are quoted where they must be.
    pub(crate) fn table(&self, name: &str, rows: &[&[&str]]) -> PathBuf {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in rows {
            writer.write_record(*row).expect("every row has as many cells as the header");
        }
        self.write(name, writer.into_inner().expect("writing to memory does not fail"))
    }

    /// Copies a file or a folder of `fixtures/` under its own last name.
    pub(crate) fn fixture(&self, relative: &str) -> PathBuf {
        let from = repo("fixtures").join(relative);
        let to = self.path(&from.file_name().expect("a fixture has a name").to_string_lossy());
        copy(&from, &to);
        to
    }

    /// Writes the user's configuration file.
    pub(crate) fn config(&self, text: &str) {
        let folder = self.root.path().join("home/.config/batchctl");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("config.toml"), text))
            .expect("a scratch home can be filled");
    }

    /// A CSV table that was written here.
    #[track_caller]
    pub(crate) fn cells(&self, name: &str) -> Cells {
        Cells::csv(&self.read(name))
    }

    /// A file's text.
    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap_or_else(|_| panic!("{name} is not UTF-8"))
    }

    /// A file's bytes.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Names in the working folder, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder())
            .expect("the working folder exists")
            .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into())
            .collect();
        names.sort();
        names
    }

    /// Prepares a run: `batchctl` with these arguments, split at spaces (no argument of such a
    /// line holds one; add others with [`Run::arg`]).
    pub(crate) fn batchctl(&self, line: &str) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchctl"));
        command
            .args(line.split_whitespace())
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path().join("home"))
            .env("BATCHCTL_HOME", self.home())
            .env("TERM", "dumb")
            .env("TZ", "UTC")
            // No list of prices grows old, and no model is retired, between two runs of a test.
            .env("BATCHCTL_TODAY", "2026-11-21")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Run { command, input: None, folder: self.folder(), home: self.home() }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a scratch folder can be filled");
        for entry in fs::read_dir(from).expect("a folder of fixtures can be listed") {
            let entry = entry.expect("a folder of fixtures can be listed");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if let Err(error) = fs::copy(from, to) {
        panic!("cannot copy {}: {error}", from.display());
    }
}

/// One run of the program, not started yet. The environment holds nothing but what is given.
pub(crate) struct Run {
    command: Command,
    input: Option<Vec<u8>>,
    folder: PathBuf,
    home: PathBuf,
}

impl Run {
    /// Adds one argument as it stands.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments as they stand.
    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Points the `OpenAI` provider at this address with a key the sandbox takes.
    pub(crate) fn openai_at(self, address: &str) -> Self {
        self.env("OPENAI_BASE_URL", format!("{address}/v1"))
            .env("OPENAI_API_KEY", "sandbox-integration-test")
    }

    /// Makes waiting short: five seconds between two questions become a tenth of one.
    pub(crate) fn hurried(self) -> Self {
        self.env("BATCHCTL_TIME_SCALE", "50")
    }

    /// Puts a program in front that runs the rest of the line (`nohup`).
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        let (program, arguments) = wrapper.split_first().expect("a wrapper has a name");
        let mut command = Command::new(program);
        command.args(arguments).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().current_dir(&self.folder);
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command = command;
        self
    }

    /// Feeds stdin; otherwise it is closed.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Starts it and leaves it running; stdout and stderr are pipes.
    pub(crate) fn spawn(mut self) -> Child {
        self.command.stdin(Stdio::null()).spawn().expect("the program was just built")
    }

    /// Starts it in the background, to be waited for, signalled or killed.
    pub(crate) fn start(mut self) -> Running {
        let line = shown(&self.command);
        let child = self.command.stdin(Stdio::null()).spawn();
        let mut child = child.expect("the program was just built");
        Running {
            line,
            stdout: Some(collect(child.stdout.take().expect("stdout is a pipe"))),
            stderr: Some(collect(child.stderr.take().expect("stderr is a pipe"))),
            child,
            folder: self.folder,
            home: self.home,
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Output {
        self.command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        let line = shown(&self.command);
        let mut child = self.command.spawn().expect("the program was just built");
        if let (Some(input), Some(mut pipe)) = (self.input.take(), child.stdin.take()) {
            // A program that ends before it has read everything closes the pipe: no failure here.
            thread::spawn(move || drop(pipe.write_all(&input)));
        }
        let stdout = collect(child.stdout.take().expect("stdout is a pipe"));
        let stderr = collect(child.stderr.take().expect("stderr is a pipe"));
        let code = wait(&mut child);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let stdout_bytes = stdout.join().expect("reading a pipe does not panic");
        let output = Output {
            line,
            code,
            stdout: text(stdout_bytes.clone()),
            stdout_bytes,
            stderr: text(stderr.join().expect("reading a pipe does not panic")),
            folder: self.folder,
            home: self.home,
        };
        assert!(code.is_some(), "gave up after {PATIENCE:?}, or killed by a signal\n{output}");
        output
    }
}

/// A run that goes on in the background.
pub(crate) struct Running {
    line: String,
    /// The process.
    pub(crate) child: Child,
    stdout: Option<thread::JoinHandle<Vec<u8>>>,
    stderr: Option<thread::JoinHandle<Vec<u8>>>,
    folder: PathBuf,
    home: PathBuf,
}

impl Running {
    /// Waits for its end; the code is `None` if a signal killed it.
    pub(crate) fn end(mut self) -> Output {
        let code = wait(&mut self.child);
        let read = |pipe: Option<thread::JoinHandle<Vec<u8>>>| {
            pipe.and_then(|pipe| pipe.join().ok()).unwrap_or_default()
        };
        let stdout_bytes = read(self.stdout.take());
        let stderr = read(self.stderr.take());
        Output {
            line: self.line.clone(),
            code,
            stdout: String::from_utf8_lossy(&stdout_bytes).into_owned(),
            stdout_bytes,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            folder: self.folder.clone(),
            home: self.home.clone(),
        }
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

fn shown(command: &Command) -> String {
    let arguments: Vec<OsString> = command.get_args().map(OsStr::to_owned).collect();
    format!("batchctl {}", arguments.join(OsStr::new(" ")).to_string_lossy())
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until an error still tells more than nothing.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// The exit code, `None` if it was killed or had to be.
fn wait(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status.code();
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a run left behind.
pub(crate) struct Output {
    line: String,
    /// The exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// Everything on stdout, as text.
    pub(crate) stdout: String,
    /// Everything on stdout, as it came.
    pub(crate) stdout_bytes: Vec<u8>,
    /// Everything on stderr, as text.
    pub(crate) stderr: String,
    folder: PathBuf,
    home: PathBuf,
}

impl Output {
    /// Fails the test, with both streams, unless the program ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "wanted exit code {code}\n{self}");
        self
    }

    /// Fails the test unless stderr holds each of these texts; several spaces count as one, so
    /// that columns may be as wide as they like.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        // Columns are aligned with spaces; how many is not what a test is about.
        let squeezed = |text: &str| {
            text.split(' ')
                .filter(|word| !word.is_empty())
                .fold(String::new(), |line, word| line + word + " ")
        };
        let said = squeezed(&self.stderr);
        for text in texts {
            let is_said = self.stderr.contains(text) || said.contains(squeezed(text).trim_end());
            assert!(is_said, "stderr does not say {text:?}\n{self}");
        }
        self
    }

    /// Fails the test if a panic shows, or anything of this list, on either stream: for keys.
    #[track_caller]
    pub(crate) fn hides(self, texts: &[&str]) -> Self {
        for text in texts.iter().copied().chain(["panicked at"]) {
            let seen = self.stdout.contains(text) || self.stderr.contains(text);
            assert!(!seen, "{text:?} must not be shown\n{self}");
        }
        self
    }

    /// stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not one JSON document: {error}\n{self}"))
    }

    /// Exit code, stdout and stderr in one text with everything that changes from run to run
    /// replaced, for a snapshot.
    pub(crate) fn snapshot(&self) -> String {
        let mut text = format!(
            "exit: {}\n--- stdout\n{}--- stderr\n{}",
            self.code.map_or("none".to_owned(), |code| code.to_string()),
            self.stdout,
            self.stderr
        );
        // One id in ten has no digit and looks like a word.
        for entry in fs::read_dir(self.home.join("jobs")).into_iter().flatten().flatten() {
            if let Some(short) = entry.file_name().to_string_lossy().get(..6) {
                text = text.replace(short, "[JOB]");
            }
        }
        snapshot::steady(&text, &[(&self.home, "[HOME]"), (&self.folder, "[DIR]")])
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "$ {}\nexit code: {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.stdout, self.stderr
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_written_from_literals_and_fixtures_copied() {
        let dir = WorkDir::new();
        dir.table("in.csv", &[&["id", "text"], &["1", "a, b"], &["2", "你好"]]);
        assert_eq!(dir.read("in.csv"), "id,text\n1,\"a, b\"\n2,你好\n");
        dir.write("deep/bytes.bin", b"\xff\x00");
        assert_eq!(dir.bytes("deep/bytes.bin"), b"\xff\x00");
        assert!(dir.fixture("images").join("cat.png").is_file());
        assert_eq!(dir.files(), ["deep", "images", "in.csv"]);
    }

    #[test]
    fn the_program_runs_with_nothing_of_our_environment() {
        let dir = WorkDir::new();
        let output = dir.batchctl("--version").stdin("ignored").run().exits(0).hides(&["sk-"]);
        assert!(output.stdout.starts_with("batchctl "), "{output}");
        assert_eq!(output.stdout_bytes, output.stdout.as_bytes());
        dir.batchctl("no-such-command").arg("a b").run().exits(2).says(&["no-such-command"]);
    }

    #[test]
    fn json_and_snapshots_are_taken_from_what_was_printed() {
        let dir = WorkDir::new();
        let output = Output {
            line: String::new(),
            code: Some(3),
            stdout: "{\"schema_version\":1}\n".to_owned(),
            stdout_bytes: Vec::new(),
            stderr: format!("written {}\n", dir.path("out.csv").display()),
            folder: dir.folder(),
            home: dir.home(),
        };
        assert_eq!(output.json()["schema_version"], 1);
        assert_eq!(
            output.snapshot(),
            "exit: 3\n--- stdout\n{\"schema_version\":1}\n--- stderr\nwritten [DIR]/out.csv\n"
        );
    }
}
