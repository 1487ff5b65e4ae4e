//! Rows by calls of their own: the same request line, the same result line, the same account as in
//! batches. Who is asked and how often is decided by values (gates, breakers, retries); one thread
//! makes the calls, one makes their requests ahead, one keeps what comes.
//!
//! What a service answers is the provider room's business, and what an answer is worth the answer
//! room's.

mod ask;
mod breaker;
mod bucket;
mod build;
mod chain;
mod feed;
mod flight;
mod journal;
mod judge;
mod kept;
mod later;
mod limits;
mod line;
mod open;
mod resume;
mod retry;
mod room;
mod run;
mod shared;
mod tallies;
mod write;

pub use ask::{Answered, AskFailed};
pub use chain::{CallOptions, Chain, Member, Standing};
pub use limits::CallLimits;
