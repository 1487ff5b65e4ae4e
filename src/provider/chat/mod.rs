//! Calls that are answered at once: what is asked, what comes back, and what a failure advises.
//!
//! A call is worded in `OpenAI`'s shape, as a line of a batch is; a service of another shape is
//! given its own, and its answer is kept as it came. Nothing here waits, repeats or chooses: a
//! call is sent once, and what to do next is the caller's to decide by the [`Advice`].

mod advice;
mod anthropic;
mod api;
mod asked;
mod assembly;
mod events;
mod gemini;
mod gemini_schema;
mod judge;
mod look;
mod place;
mod rate;
mod service;

pub use api::{Advice, Allowance, CallReply, CallRequest, ChatApi, ChatError, RateSigns};
pub use service::open_chat;
