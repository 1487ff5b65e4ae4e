//! Answers back onto the table: which columns, which answer for which row, and the account.
//!
//! Two ways lead here. A job hands in its settled rows in row order, each with the place of its
//! answer. Result files from anywhere are first indexed ([`MergeIndex`]), which gives the same.
//! From there on both are one: the table is streamed, each answer line is read where it lies,
//! judged, and written beside its row. Answers are never held in memory, and nothing is printed.

mod analyze;
mod artifacts;
mod columns;
mod counts;
mod error;
mod group;
mod histogram;
mod ids;
mod job_lines;
mod line;
mod meaning;
mod merge;
mod onto;
mod places;
mod prefer;
mod row_map;
mod summary;
mod told;
mod write;

pub use analyze::{Analysis, ErrorGroup, Sample, Seen};
pub use artifacts::{Artifacts, Place};
pub use columns::{ColumnOptions, Columns};
pub use counts::{MergeCounts, Share};
pub use error::ResultError;
pub use group::{FirstId, Group, Span};
pub use histogram::{Histogram, Spread};
pub use ids::{IdKind, IdMap, IdRule};
pub use job_lines::{Lent, Whose};
pub use line::looks_like_results;
pub use merge::MergeIndex;
pub use onto::{Asked, Merged, Onto};
pub use row_map::{Hashed, Known, RowMap, pair};
pub use summary::Summary;
pub use told::Told;
pub use write::{Join, Settled, write_table};
