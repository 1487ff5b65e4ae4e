//! The statuses a row can have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of one selected row; each has exactly one, so that they sum to the selected rows.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum RowStatus {
    /// A good answer.
    Ok,
    /// A good answer of an earlier job was taken.
    Cached,
    /// The model stopped at the token limit.
    Truncated,
    /// The model or a content filter refused.
    Refused,
    /// The wanted JSON was not found in the answer.
    Unparsed,
    /// JSON was found but is against the schema.
    Invalid,
    /// The request failed.
    Error,
    /// The batch expired before the request ran.
    Expired,
    /// The batch was cancelled before the request ran.
    Cancelled,
    /// Sent, its batch completed, and in neither file.
    Missing,
    /// No request could be made of it, or its line was refused at validation.
    Skipped,
    /// Filled by the user's rule; the original status stays in the error column.
    Defaulted,
    /// Not settled yet.
    #[default]
    Pending,
    /// Never sent, as far as foreign result files tell.
    Unasked,
}

impl RowStatus {
    /// All statuses in the order in which summaries show them.
    pub const ALL: [Self; 14] = [
        Self::Ok,
        Self::Cached,
        Self::Truncated,
        Self::Refused,
        Self::Unparsed,
        Self::Invalid,
        Self::Error,
        Self::Expired,
        Self::Cancelled,
        Self::Missing,
        Self::Skipped,
        Self::Defaulted,
        Self::Pending,
        Self::Unasked,
    ];

    /// The word in the status column and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cached => "cached",
            Self::Truncated => "truncated",
            Self::Refused => "refused",
            Self::Unparsed => "unparsed",
            Self::Invalid => "invalid",
            Self::Error => "error",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Missing => "missing",
            Self::Skipped => "skipped",
            Self::Defaulted => "defaulted",
            Self::Pending => "pending",
            Self::Unasked => "unasked",
        }
    }

    /// The status a word of ours stands for.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the row has an answer that can be used as it is.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::Cached)
    }

    /// Of several outcomes of a row the one of the most worth counts, and of equals the newest: an
    /// answer that a later question did not better is not given up for none.
    pub fn worth(self) -> u8 {
        match self {
            Self::Ok | Self::Cached => 4,
            Self::Invalid => 3,
            Self::Unparsed => 2,
            Self::Truncated | Self::Refused => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for RowStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_word_and_its_place_b05() {
        for (position, status) in RowStatus::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, position, "the order of ALL is the order of the enum");
            assert_eq!(RowStatus::read(status.as_str()), Some(status));
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
        }
        assert_eq!(RowStatus::read("done"), None);
        let good: Vec<_> = RowStatus::ALL.into_iter().filter(|s| s.is_good()).collect();
        assert_eq!(good, [RowStatus::Ok, RowStatus::Cached]);
    }
}
