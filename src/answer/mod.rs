//! What an answer is worth: the JSON in a reply, the fields asked for, and the status of the row.
//!
//! Works on decoded result lines and never reads a file. JSON is taken as it is where it is JSON,
//! else mended in small ways that are marked; the raw answer always stays beside.

mod circular;
mod defaults;
mod ending;
mod expected;
mod explode;
mod extract;
mod fields;
mod judge;
mod kind;
mod mismatch;
mod numbers;
mod quotes;
mod reader;
mod repair;
mod scan;
mod schema;
mod spelling;
mod status;
mod strict;
mod wanted;
mod within;

pub use defaults::{DefaultError, Defaults, Filled};
pub use expected::{Expected, FormError};
pub use explode::{Exploded, explode};
pub use extract::{Extracted, ParseStatus, extract};
pub use fields::{Field, FieldError, Fields, Step, cell_text};
pub use judge::{Judged, failure_text, judge};
pub use kind::Kind;
pub use mismatch::Mismatch;
pub use repair::Repair;
pub use schema::{Schema, SchemaError};
pub use status::RowStatus;
pub use wanted::Wanted;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod fuzz_tests;
