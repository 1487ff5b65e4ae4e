//! The error a command ends with: an exit code, the chain of causes, and what to do about it.

use std::io;

use super::clean::clean;
use super::{ExitCode, Printer};

/// A command's failure. The chain is printed as `error:` and indented lines, the hints as `fix:`
/// lines; a hint that begins with a word of its own and a colon or question mark (`no key?`,
/// `needed for:`) stands as it is.
#[derive(Debug)]
pub struct CommandError {
    /// What the process ends with.
    pub exit: ExitCode,
    /// What failed, with its causes.
    pub error: anyhow::Error,
    /// What to do, most likely first.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error with an exit code of its own.
    pub fn new(exit: ExitCode, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    /// A sentence as an error.
    pub fn message(exit: ExitCode, text: impl Into<String>) -> Self {
        Self::new(exit, anyhow::Error::msg(text.into()))
    }

    /// Wrong usage or configuration, exit 2.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::message(ExitCode::Usage, text)
    }

    /// Says what failed above the cause.
    #[must_use]
    pub fn context(mut self, text: impl Into<String>) -> Self {
        self.error = self.error.context(text.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether it only says that nobody reads our output any more.
    pub fn is_broken_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            let error = cause.downcast_ref::<io::Error>();
            error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        })
    }

    /// The lines a person reads, without colour.
    pub fn lines(&self) -> Vec<String> {
        let mut chain = self.error.chain().map(|cause| clean(&cause.to_string()));
        let first = chain.next().unwrap_or_default();
        let mut lines = vec![format!("error: {first}")];
        let mut said = first;
        for cause in chain {
            // Many errors already hold their cause's text.
            if !cause.is_empty() && !said.contains(&cause) {
                lines.extend(cause.lines().map(|line| format!("  {line}")));
                said = cause;
            }
        }
        for hint in &self.hints {
            let hint = clean(hint);
            let fix = if has_own_word(&hint) { "" } else { "fix: " };
            lines.push(format!("  {fix}{hint}"));
        }
        lines
    }
}

fn has_own_word(hint: &str) -> bool {
    let start: String = hint.chars().take(24).take_while(|c| *c != ':' && *c != '?').collect();
    let next = hint[start.len()..].chars().next();
    let is_words = start.chars().all(|c| c.is_lowercase() || c == ' ');
    next.is_some()
        && is_words
        && hint[start.len()..].starts_with([':', '?'])
        && hint[start.len() + 1..].starts_with(' ')
}

impl<E: Into<anyhow::Error>> From<E> for CommandError {
    /// An error nobody foresaw: exit 1.
    fn from(error: E) -> Self {
        Self::new(ExitCode::Unexpected, error)
    }
}

/// A failure, as `--json` prints it.
#[derive(Debug, serde::Serialize)]
struct Document {
    schema_version: u32,
    error: Told,
    exit_code: u8,
}

/// What failed, why, and what to do about it.
#[derive(Debug, serde::Serialize)]
struct Told {
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Printer {
    /// Prints a command's failure as the one document on stdout that `--json` promises, unless
    /// the command printed one before it failed.
    pub fn error_document(&self, error: &CommandError) -> io::Result<()> {
        if self.has_document() {
            return Ok(());
        }
        let mut causes = error.error.chain().map(|cause| clean(&cause.to_string()));
        self.json(&Document {
            schema_version: 1,
            error: Told {
                message: causes.next().unwrap_or_default(),
                causes: causes.collect(),
                hints: error.hints.iter().map(|hint| clean(hint)).collect(),
            },
            exit_code: error.exit.code(),
        })
    }

    /// Prints a command's failure, also with `-q`.
    pub fn error(&self, error: &CommandError) {
        if self.is_json() {
            let causes: Vec<_> =
                error.error.chain().map(|cause| clean(&cause.to_string())).collect();
            let hints: Vec<_> = error.hints.iter().map(|hint| clean(hint)).collect();
            let line = serde_json::json!({
                "event": "error", "exit": error.exit.code(), "causes": causes, "hints": hints,
            });
            return self.line(&line.to_string());
        }
        for line in error.lines() {
            self.error_line(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_and_hints_read_as_in_the_document() {
        let error = CommandError::message(ExitCode::Credentials, "no key for openai")
            .hint("needed for: upload of shard 1")
            .hint("batchctl login openai      or   export OPENAI_API_KEY=…")
            .hint("no key? rehearse the whole run: batchctl workflow in.csv out.csv --provider sandbox");
        assert_eq!(
            error.lines().join("\n"),
            "error: no key for openai
  needed for: upload of shard 1
  fix: batchctl login openai      or   export OPENAI_API_KEY=…
  no key? rehearse the whole run: batchctl workflow in.csv out.csv --provider sandbox"
        );
    }

    #[test]
    fn causes_are_indented_once_and_cleaned() {
        let cause = io::Error::other("disk\u{1b}[31m full");
        let error = CommandError::from(anyhow::Error::new(cause).context("cannot write out.csv"));
        assert_eq!(error.lines(), ["error: cannot write out.csv", "  disk full"]);
        assert_eq!(error.exit, ExitCode::Unexpected);
        let repeated = anyhow::anyhow!("disk full").context("cannot write: disk full");
        assert_eq!(CommandError::from(repeated).lines().len(), 1);
    }

    #[test]
    fn a_closed_pipe_is_recognised_behind_any_context() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        let error = CommandError::from(anyhow::Error::new(pipe).context("cannot print"));
        assert!(error.is_broken_pipe());
        assert!(!CommandError::usage("x").is_broken_pipe());
    }
}
