//! A model check of create and reconcile: every order of events of a small world is tried, and in
//! none of them do the same rows run in two billable batches.
//!
//! Two processes share one ledger and one provider. They may die at any moment, answers get lost,
//! a create may reach the provider at any later time or never, and a fresh batch may stay out of
//! the listings for the whole allowance. How far a search has come is kept in the ledger and added
//! to by the next process, as in `search.rs`; what follows from it is asked of the real
//! [`next_step`](super::next_step). Left out: how a batch ends and is collected, several
//! matches of one search, a restored ledger, and a provider that breaks the two properties on
//! which P1 rests (listed within the allowance; a file deleted first means no run).

mod moves;
mod search;
mod state;
mod tests;
