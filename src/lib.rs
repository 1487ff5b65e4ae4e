//! batchctl takes a table, asks a language model one question per row through a provider's
//! half-price Batch API, and gives the table back with the answers in new columns.
//!
//! The rooms stand in the order in which a row passes through them:
//!
//! ```text
//! table ──> request ──> shard ──> provider ──> batch ──> answer ──> result ──> table
//! CSV row   prompt +    JSONL     upload,      status,   JSON       merge by   CSV row +
//!           images      within    create,      outcome   found,     custom_id  answer columns
//!                       limits    poll, fetch            checked
//!                         └────────── job: plans, drives, records in store ──────────┘
//! ```
//!
//! Each room may use only the rooms before it that `tests/it/architecture.rs` lists.

// The way of a row, in its order (each line apart, so that the formatter leaves it so).

// Rows come in, and go out again with their answers.
pub mod table;

// A row becomes a request: prompt, images, id.
pub mod request;

// Requests become files within a provider's limits.
pub mod shard;

// Files are sent, batches made, results fetched.
pub mod provider;

// The words for what comes back.
pub mod batch;

// What an answer holds, and whether it is good.
pub mod answer;

// Answers go back to their rows.
pub mod result;

// What drives a row along, what remembers it, what it costs.

pub mod job;

pub mod store;

pub mod cache;

pub mod cost;

// What a person sees and sets.

pub mod commands;

pub mod cli;

pub mod config;

pub mod ui;

// A Batch API of our own, and the ground everything stands on.

pub mod sandbox;

pub mod base;
