//! Answers back onto the table: which columns, which answer for which row, and the account.
//!
//! Two ways lead here. A job hands in its settled rows in row order, each with the place of its
//! answer. Result files from anywhere are first indexed ([`MergeIndex`]), which gives the same.
//! From there on both are one: the table is streamed, each answer line is read where it lies,
//! judged, and written beside its row. Answers are never held in memory, and nothing is printed.

mod analyze;
mod artifacts;
mod cells;
mod columns;
mod error;
mod histogram;
mod ids;
mod merge;
mod places;
mod prefer;
mod summary;
mod write;

pub use analyze::{Analysis, ErrorGroup, Sample, Seen};
pub use artifacts::{Artifacts, Place};
pub use columns::{ColumnOptions, Columns};
pub use error::ResultError;
pub use histogram::{Histogram, Spread};
pub use ids::{IdMap, IdRule};
pub use merge::{MergeCounts, MergeIndex, MergeOptions, looks_like_results};
pub use summary::{Summary, shown_counts, shown_rows_out};
pub use write::{Join, Settled, write_table};
