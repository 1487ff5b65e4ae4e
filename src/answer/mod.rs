//! What an answer is worth: the JSON in a reply, the fields asked for, and the status of the row.
//!
//! Works on decoded result lines and never reads a file. Mending broken JSON and checking answers
//! against a schema are not done here yet.

mod extract;
mod fields;
mod judge;
mod numbers;
mod scan;
mod status;

pub use extract::{Extracted, ParseStatus, extract};
pub use fields::{Field, FieldError, Fields, Step, cell_text};
pub use judge::{Judged, failure_text, judge};
pub use status::RowStatus;
