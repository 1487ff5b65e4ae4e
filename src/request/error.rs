//! What can be wrong with a question (an error, before anything is built) and with one row (a
//! skip, which becomes the row's status).

use serde::{Deserialize, Serialize};

/// Why a question cannot be put to this table. Each is found before the first row is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A name that no column has.
    #[error("{place} names the column `{name}`, which the table does not have{}; columns: {columns}", nearest_text(.nearest.as_deref()))]
    UnknownColumn {
        /// Where the name was written: `the prompt`, `--image-column`, …
        place: &'static str,
        /// The name.
        name: String,
        /// The column whose name is most like it.
        nearest: Option<String>,
        /// The columns there are.
        columns: String,
    },
    /// A name that several columns have.
    #[error(
        "{place} names the column `{name}`, but columns {first} and {second} both have that name; rename one of them"
    )]
    DuplicateColumn {
        /// Where the name was written.
        place: &'static str,
        /// The name.
        name: String,
        /// The first such column, from 1.
        first: usize,
        /// The second such column, from 1.
        second: usize,
    },
    /// A `{` that never ends.
    #[error(
        "the prompt opens `{{{text}` and never closes it; write `{{{{` for a brace that is only text"
    )]
    Unclosed {
        /// What follows the brace.
        text: String,
    },
    /// `{input_text}` without a column for it.
    #[error(
        "the prompt uses {{input_text}}, but no input column is chosen; add --input-column; columns: {columns}"
    )]
    NoInputColumn {
        /// The columns there are.
        columns: String,
    },
    /// Nothing of the row would be sent.
    #[error(
        "the prompt names no column, so every row would ask the same; put a {{column}} into it or add --input-column or --image-column; columns: {columns}"
    )]
    SameForEveryRow {
        /// The columns there are.
        columns: String,
    },
    /// A Jinja template that does not compile or does not hold with this table.
    #[error("the Jinja prompt, line {line}: {message}")]
    Jinja {
        /// The line, from 1; 0 where unknown.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Nothing was said about what to ask and the table does not show it.
    #[error(
        "no column looks like a question; add --input-column, --image-column or a prompt with {{column}}; columns: {columns}"
    )]
    NothingToAsk {
        /// The columns there are.
        columns: String,
    },
    /// A part that this endpoint or source cannot carry.
    #[error("{what} take no {part}")]
    NotTogether {
        /// `embeddings`, `message columns`, …
        what: &'static str,
        /// The part that has no place there.
        part: &'static str,
    },
    /// A parameter that the program itself writes.
    #[error("the parameter `{name}` cannot be set: {reason}")]
    ReservedParameter {
        /// Its name.
        name: String,
        /// Who writes it, or why it has no place.
        reason: &'static str,
    },
}

fn nearest_text(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (nearest: `{name}`)")).unwrap_or_default()
}

/// Why one row makes no request. The row's status is `skipped`; nothing is sent for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}")]
pub struct Skip {
    /// The words for the `error` column, with the cell in question.
    pub reason: String,
    /// Its class.
    pub kind: SkipKind,
}

impl Skip {
    /// A skip with these words.
    pub fn new(kind: SkipKind, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind }
    }
}

/// The classes of skips: the image ones are counted together for the rule on missing images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipKind {
    /// The image is not there or outside of the allowed folders.
    ImageNotFound,
    /// The image is there but cannot be sent.
    ImageUnfit,
    /// The record does not fit the header.
    Ragged,
    /// The row has nothing to ask about.
    Empty,
    /// The Jinja prompt failed for this row.
    Template,
    /// The message array is not one.
    Messages,
    /// The foreign request line is not one, or is meant for another endpoint.
    Foreign,
    /// The line is longer than the provider takes.
    TooLong,
}

impl SkipKind {
    /// Whether an image is the reason.
    pub fn is_image(self) -> bool {
        matches!(self, Self::ImageNotFound | Self::ImageUnfit)
    }
}
