//! What need not be paid for: rows of one table that ask the same, and rows that an earlier job of
//! this home answered well. This room decides which rows and which answers those are; it sends
//! nothing, and writes nothing down.

mod earlier;
mod equal;

pub use earlier::{Asked, Earlier};
pub use equal::EqualRequests;
