//! A job: one table sent through. Plans it, submits its shards, waits, fetches what came back,
//! and records every step in the store, so that a killed run goes on where it was.

mod event;

pub use event::{Event, NoReport, Reporter};
