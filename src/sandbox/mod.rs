//! A Batch API on loopback, in the same binary: files, batches, states, error files, usage and
//! bills like the real services, with answers that are made up and say so.
//!
//! It serves a first run without a key, a rehearsal of a real job, and every integration test;
//! with `--upstream` it is a Batch API for any OpenAI-compatible server. Its limits and shapes
//! are its own and on purpose not shared with the client, so that a mistake there shows here.
//! It never listens on anything but loopback and never accepts a real key.
//!
//! ```text
//! front (host) ─> routes (key) ─> faults ─> files, batches, realtime ─> shelf (plain files)
//!                                  :           │ create (check, queue)    ▲
//!                                  :           ▼                          │
//!                                  : .......> engine (when) ─> timeline  settle ─> answer ─> lines ─> tamper
//! ```
//!
//! Faults are rules that a user or a test gives; without any, everything is as it should be, and
//! chats that are answered at once go straight from the front to realtime.
//!
//! A batch is a folder of files that are each written once. Where it stands is a function of the
//! clock, and an answer a function of the request, so a killed server loses nothing and another
//! may go on in its place.

mod family;
mod options;
mod refusal;

mod answer;
mod asked;
mod form;
mod schema;
mod script;
mod strict;
mod tokens;
mod wanted;

mod check;
mod ledger;
mod lines;
mod shelf;
mod timeline;

mod engine;
mod queue;
mod results;
mod settle;
mod tamper;
mod upstream;

mod batch_shape;
mod batches;
mod create;
mod faults;
mod files;
mod front;
mod guard;
mod realtime;
mod routes;
mod server;

#[cfg(test)]
mod tests;

pub use family::{Family, Limits};
pub use faults::{FaultError, Faults, HELP as FAULTS_HELP};
pub use options::{Answers, EnqueuedTokens, Families, SandboxError, SandboxOptions, Time};
pub use realtime::CallLimits;
pub use script::{Rule, Script};
pub use server::{Running, serve};
pub use upstream::Upstream;
