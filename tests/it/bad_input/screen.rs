//! What reaches a pipe, a dumb terminal and one without colour.

use std::process::{Command, Stdio};

use super::folder;

/// The bytes an error leaves on a terminal, or `None` where no terminal can be made.
fn on_a_terminal(variables: &[(&str, &str)]) -> Option<String> {
    let dir = folder();
    let line =
        format!("{} workflow nothing.csv --provider sandbox", env!("CARGO_BIN_EXE_batchctl"));
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(dir.folder())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("BATCHCTL_HOME", dir.home())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.contains("error:").then_some(text).or_else(|| {
        assert!(!output.status.success(), "the error must be shown");
        None
    })
}

#[test]
fn a_pipe_gets_no_escapes_unless_they_are_forced() {
    let dir = folder();
    let run =
        || dir.batchctl("workflow nothing.csv --provider sandbox").env("TERM", "xterm-256color");
    run().run().exits(2).hides(&["\u{1b}"]);
    run().env("CLICOLOR_FORCE", "1").run().exits(2).says(&["\u{1b}["]);
    run().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").run().exits(2).hides(&["\u{1b}"]);
    run().arg("--color=always").run().exits(2).says(&["\u{1b}["]);
    run().arg("--color=never").env("CLICOLOR_FORCE", "1").run().exits(2).hides(&["\u{1b}"]);
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_terminal_gets_colour_and_a_dumb_one_none() {
    let Some(text) = on_a_terminal(&[("TERM", "xterm-256color")]) else {
        eprintln!("skipped: no terminal can be made here (the program `script` is missing)");
        return;
    };
    assert!(text.contains("\u{1b}["), "{text:?}");
    for variables in [&[("TERM", "dumb")][..], &[("TERM", "xterm-256color"), ("NO_COLOR", "1")]] {
        let text = on_a_terminal(variables).expect("it could be made just now");
        assert!(!text.contains('\u{1b}'), "{variables:?}: {text:?}");
    }
}
