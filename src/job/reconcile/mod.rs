//! Finding out what became of a create whose answer was not clear: the one question on which
//! money hangs twice. Batches are looked for in the provider's listing, taken for ours where they
//! are found, and declared absent only after a fence. Nothing is ever cancelled on a guess.

mod late;
mod listing;
#[cfg(test)]
mod model;
mod place;
mod search;
mod step;
mod sweep;

pub use late::{LateJob, find_late, may_have_late_batches};
pub(super) use listing::list_kept;
pub(super) use search::{Lost, is_stillborn};
pub use step::{LISTING_ALLOWANCE, Search, Step, next_step};
