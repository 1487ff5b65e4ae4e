//! What is wrong with a rule.

use crate::base::nearest;

/// A rule that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Its words.
    #[error("fault rule `{rule}`: {reason}; see batchctl help faults")]
    Rule {
        /// The rule as it was given.
        rule: String,
        /// What is wrong with it, with the nearest word where one is near.
        reason: String,
    },
    /// The file that was to hold the rules.
    #[error("cannot read the fault rules in {path}: {reason}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        reason: String,
    },
}

/// What is wrong, before it is known with which rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble(pub(super) String);

impl Trouble {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// A word that is none of these.
    pub(super) fn unknown<'a>(
        what: &str,
        word: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        if let Some(meant) = nearest(word, known.clone()) {
            return Self(format!("unknown {what} `{word}` (did you mean `{meant}`?)"));
        }
        let known: Vec<&str> = known.into_iter().collect();
        Self(format!("unknown {what} `{word}`; known are {}", known.join(", ")))
    }
}
