//! Bad input of every kind: what is printed and how the program ends. Each case is a line as a
//! person types it, with a snapshot of exit code and message: what failed, where, what to do.

mod configuration;
pub(crate) mod disk;
mod image;
mod line;
mod merging;
mod network;
mod output;
mod provider;
mod question;
mod screen;
mod table;

use crate::support::workdir::{Output, Run, WorkDir};

/// Three rows to ask about.
const ROWS: &[&[&str]] = &[&["id", "text"], &["1", "good"], &["2", "bad"], &["3", "so so"]];

/// A folder with one good table, `in.csv`.
fn folder() -> WorkDir {
    let dir = WorkDir::new();
    dir.table("in.csv", ROWS);
    dir
}

/// Runs a line (split at spaces) and gives back what it said.
fn say(dir: &WorkDir, line: &str) -> String {
    said(dir.batchctl(line))
}

/// Runs and gives back exit code and message; stdout only where there is any. Whatever the case,
/// nothing panics and no escape reaches a pipe.
fn said(run: Run) -> String {
    let output = run.run().hides(&["\u{1b}", "RUST_BACKTRACE"]);
    text_of(&output)
}

fn text_of(output: &Output) -> String {
    let text = output.snapshot();
    let text = text.replacen("exit: ", "exit ", 1);
    text.replacen("\n--- stdout\n--- stderr\n", "\n", 1)
}

/// `--provider sandbox` and a fast clock, so that runs that go through take no time.
fn sandboxed(dir: &WorkDir, line: &str) -> Run {
    dir.batchctl(line).arg("--provider").arg("sandbox").arg("--progress").arg("none")
}
