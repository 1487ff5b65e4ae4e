//! The field's words for what comes back from a provider: the batch and its status, the outcome
//! of one request, usage, failures. Words and pure functions only; nothing here makes a call.

mod classify;
mod failure;
mod line;
mod loose;
mod other_shapes;
mod refusal;
mod result_file;
mod status;
mod used;
mod wire;

pub use classify::Signs;
pub use failure::{ErrorWords, Failure, FailureKind};
pub use line::{BadLine, By, Instead, Outcome, Reply, ResultLine, decode_line};
pub use refusal::{queue_refusal, told_queue_limit};
pub use result_file::{PlacedLine, ResultFile};
pub use status::{Batch, BatchError, BatchStatus, RequestCounts, Usage};
pub use used::Used;

#[cfg(test)]
mod fuzz_tests;
