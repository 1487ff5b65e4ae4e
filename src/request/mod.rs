//! From a row to a request: the question as the user put it, compiled against the headers of a
//! table, then one request line per row with its texts, images and id.
//!
//! Nothing here is sent, and nothing is fetched: an image that is an address stays an address.
//! Which rows are asked and how lines are gathered into files is for other rooms.

mod columns;
mod compile;
mod compiled;
mod content;
mod custom_id;
mod error;
mod escape;
mod foreign;
mod frame;
mod hint;
mod image;
mod infer;
mod jinja;
mod messages;
mod names;
mod question;
mod template;

pub use compiled::{Compiled, Measure};
pub use custom_id::CustomId;
pub use error::{RequestError, Skip, SkipKind};
pub use foreign::{ForeignRequest, read_foreign};
pub use hint::field_hint;
pub use image::ImageSize;
pub use infer::{Given, Inferred, infer};
pub use messages::Message;
pub use names::names_columns;
pub use question::{Detail, Endpoint, ImageOptions, InputColumn, Question, RULES, Source};

/// What building a request needs of a row; the rows of a table are it.
pub trait Cells {
    /// The row's number, from 0.
    fn number(&self) -> u64;
    /// The text of a cell, by the position of its column; empty where there is none.
    fn cell(&self, column: usize) -> &str;
    /// The record as it stands in the file.
    fn raw(&self) -> &str;
}

impl Cells for crate::table::Row {
    fn number(&self) -> u64 {
        Self::number(self)
    }

    fn cell(&self, column: usize) -> &str {
        Self::cell(self, column)
    }

    fn raw(&self) -> &str {
        Self::raw(self)
    }
}

#[cfg(test)]
impl Cells for [String] {
    fn number(&self) -> u64 {
        7
    }

    fn cell(&self, column: usize) -> &str {
        self.get(column).map_or("", String::as_str)
    }

    fn raw(&self) -> &str {
        self.first().map_or("", String::as_str)
    }
}
