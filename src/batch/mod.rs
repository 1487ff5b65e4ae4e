//! The field's words for what comes back from a provider: the batch and its status, the outcome
//! of one request, usage, failures. Words and pure functions only; nothing here makes a call.

mod failure;
mod line;
mod status;

pub use failure::{Failure, FailureKind};
pub use line::{BadLine, Outcome, Reply, ResultLine, decode_line};
pub use status::{Batch, BatchError, BatchStatus, RequestCounts, Usage};
