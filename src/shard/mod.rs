//! Room `shard`.

use serde::{Deserialize, Serialize};

/// What a provider takes in one input file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests, that is lines.
    pub max_requests: u64,
    /// Bytes of the whole file.
    pub max_bytes: u64,
    /// Bytes of one line, where a provider has such a limit.
    pub max_line_bytes: Option<u64>,
}
