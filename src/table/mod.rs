//! Tables in and out: finds out how a file is written, reads it record by record, and writes it
//! back with columns added, the user's own cells byte for byte as they were.
//!
//! Everything after [`Table::open`] is UTF-8; what was not is decoded once into a scratch file.
//! Nothing is held that grows with the rows. This room does not know what is asked about a row.

mod as_json;
mod cell;
#[cfg(test)]
mod corpus_tests;
mod decode;
mod emit;
mod encode;
mod encoding;
mod error;
mod fill;
mod half;
mod json;
mod json_fault;
mod open;
mod row;
mod row_set;
mod rows;
mod sample;
mod scan;
mod select;
mod shape;
mod sniff;
#[cfg(test)]
mod tests;
mod write;
mod xlsx;

pub use as_json::AsJson;
pub use cell::Cell;
pub use decode::read_text;
pub use encoding::Encoding;
pub use error::{Place, TableError};
pub use open::Table;
pub use row::{Position, Row, RowFault};
pub use row_set::RowSet;
pub use rows::Rows;
pub use select::{Condition, RowRange, Selection, Verdict, nearest};
pub use shape::{Format, Ragged, ReadOptions, Shape, Terminator};
pub use write::{Keeper, Target, WriteOptions, Writer, Written};
