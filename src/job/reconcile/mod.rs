//! Finding out what became of a create whose answer was not clear: the one question on which
//! money hangs twice.

#[cfg(test)]
mod model;
mod step;

pub use step::{LISTING_ALLOWANCE, Search, Step, next_step};
