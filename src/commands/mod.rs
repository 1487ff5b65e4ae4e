//! The commands: each file holds the arguments of one and what it does. What they share, the
//! flag groups and the surroundings they run in, is here.

pub mod flags;

pub mod cancel;
pub mod completions;
pub mod config;
pub mod convert;
pub mod demo;
pub mod download;
pub mod estimate;
pub mod help;
pub mod login;
pub mod logout;
pub mod merge;
pub mod resume;
pub mod sandbox;
pub mod status;
pub mod submit;
pub mod watch;
pub mod workflow;

mod context;
mod errors;
mod files;
mod steps;

pub use context::Context;
use errors::is_storage;
pub use errors::{config_error, missing_key, refine};
