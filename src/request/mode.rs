//! How a request is sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a request is sent, which decides its price and not its bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As a line of a batch.
    #[default]
    Batch,
    /// As a call of its own.
    Realtime,
}

impl Mode {
    /// The word of `--mode`, and of the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Realtime => "realtime",
        }
    }

    /// Reads such a word.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Batch, Self::Realtime].into_iter().find(|mode| mode.as_str() == word)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
