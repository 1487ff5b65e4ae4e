//! What can be wrong with a configuration.

use std::io;
use std::path::PathBuf;

use crate::provider::ProviderError;

/// A configuration that cannot be used. Nothing has been sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read or written.
    #[error("cannot access {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// File and line.
        place: String,
        /// What the parser said.
        message: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown {what} `{name}`{}", did_you_mean(nearest.as_deref()))]
    Unknown {
        /// File and line, or the flag.
        place: String,
        /// `setting`, `section`, `provider`, …
        what: &'static str,
        /// As it was written.
        name: String,
        /// What was meant, probably.
        nearest: Option<String>,
    },
    /// A key that exists, with a value that does not fit.
    #[error("{place}: {name}: {message}")]
    Value {
        /// File and line, or the flag.
        place: String,
        /// The setting.
        name: String,
        /// What is wrong and what is wanted.
        message: String,
    },
    /// A key that this file may not hold.
    #[error("{place}: `{name}` may not be set here: {why}")]
    Banned {
        /// File and line.
        place: String,
        /// The setting.
        name: String,
        /// The reason, and where it may be set.
        why: String,
    },
    /// `--set` without a `=`.
    #[error("--set {0}: write --set key=value")]
    Assignment(String),
    /// An address or proxy that cannot be used.
    #[error("{place}: {source}")]
    Provider {
        /// Where it came from.
        place: String,
        /// What is wrong with it.
        source: ProviderError,
    },
    /// No provider of this name.
    #[error("no provider is called `{name}`{}", did_you_mean(nearest.as_deref()))]
    NoProvider {
        /// As it was written.
        name: String,
        /// What was meant, probably.
        nearest: Option<String>,
        /// Those that there are.
        names: Vec<String>,
    },
    /// The provider's key is nowhere.
    #[error("no key for {provider}")]
    NoKey {
        /// Whose key is missing.
        provider: String,
        /// The variable it could stand in.
        variable: Option<String>,
        /// Providers whose keys are present.
        present: Vec<String>,
    },
    /// A kept key belongs to another address.
    #[error(
        "the key that login kept for {provider} belongs to {kept}, and the address now is {now}"
    )]
    KeyElsewhere {
        /// Whose key it is.
        provider: String,
        /// The address at the time of login.
        kept: String,
        /// The address now.
        now: String,
    },
    /// The key file can be read by others.
    #[error("{path} can be read by others, so no key is taken from it")]
    OpenKeyFile {
        /// The key file.
        path: PathBuf,
    },
    /// There is no place for the home folder.
    #[error("there is no home folder: set BATCHCTL_HOME")]
    NoHome,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
