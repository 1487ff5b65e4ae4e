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

// The way of a row.
pub mod answer;
pub mod batch;
pub mod provider;
pub mod request;
pub mod result;
pub mod shard;
pub mod table;

// What drives it and remembers it.
pub mod cost;
pub mod job;
pub mod store;

// What a person sees and sets.
pub mod cli;
pub mod commands;
pub mod config;
pub mod ui;

// A Batch API of our own, and the ground everything stands on.
pub mod base;
pub mod sandbox;
