//! Answers back onto the table: which columns, which answer for which row, and the account.
//!
//! Two ways lead here. A job hands in its settled rows in row order, each with the place of its
//! answer. Result files from anywhere are first indexed ([`MergeIndex`]), which gives the same.
//! From there on both are one: the table is streamed, each answer line is read where it lies,
//! judged, and written beside its row. Answers are never held in memory, and nothing is printed.

mod agree;
mod analyze;
mod artifacts;
mod cells;
mod columns;
mod compare;
mod counts;
mod error;
mod export;
mod group;
mod histogram;
mod ids;
mod job_lines;
mod line;
mod meaning;
mod merge;
mod onto;
mod pairs;
mod places;
mod prefer;
mod row_map;
mod summary;
mod told;
mod values;
mod write;

pub use agree::{Accuracy, Agreement, Differing, Right};
pub use analyze::{Analysis, ErrorGroup, Sample, Seen, Statistics};
pub use artifacts::{Artifacts, Place};
pub use columns::{ColumnOptions, Columns};
pub use compare::{
    Compared, Comparison, Difference, Reference, Side, common_columns, compare, difference_columns,
    row_hashes,
};
pub use counts::{MergeCounts, Share};
pub use error::ResultError;
pub use export::{AsSent, Exported, each_status, export_rows};
pub use group::{FirstId, Group, Span};
pub use histogram::{Histogram, Spread};
pub use ids::{IdKind, IdMap, IdRule, plain_number};
pub use job_lines::{Lent, Whose};
pub use line::looks_like_results;
pub use merge::MergeIndex;
pub use onto::{Asked, Merged, Onto};
pub use pairs::{Pairs, RowHash};
pub use row_map::{Hashed, Known, RowMap, pair};
pub use summary::{Summary, parsed_of, shown_counts, shown_rows_out, shown_share};
pub use told::Told;
pub use values::{FieldReport, NumberSpread, ValueCount};
pub use write::{Join, Settled, write_table};
