//! The error a command ends with: an exit code, the chain of causes, and what to do about it.

use super::ExitCode;

/// A command's failure. The chain is printed as `error:` and indented lines, the hints as `fix:`
/// lines; a hint that already begins with a word and a colon is printed as it is.
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

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl<E: Into<anyhow::Error>> From<E> for CommandError {
    /// An error nobody foresaw: exit 1.
    fn from(error: E) -> Self {
        Self::new(ExitCode::Unexpected, error)
    }
}
