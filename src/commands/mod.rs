//! The commands: each file holds the arguments of one and what it does. What they share, the
//! flag groups and the surroundings they run in, is here.

// Doc comments of arguments are their help on the screen: `<table>` and `[job]` are what they say,
// neither HTML nor links.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

pub mod flags;

pub mod analyze;
pub mod cache;
pub mod cancel;
pub mod chat;
pub mod compare;
pub mod completions;
pub mod config;
pub mod convert;
pub mod demo;
pub mod download;
pub mod estimate;
pub mod export;
pub mod help;
pub mod login;
pub mod logout;
pub mod logs;
pub mod merge;
pub mod prices;
pub mod providers;
pub mod prune;
pub mod resolve;
pub mod resume;
pub mod retry;
pub mod sandbox;
pub mod status;
pub mod submit;
pub mod trial;
pub mod watch;
pub mod workflow;

mod context;
mod errors;
mod files;
mod steps;

pub use context::Context;
use errors::is_storage;
pub use errors::{config_error, missing_key, refine};
