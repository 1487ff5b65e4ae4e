//! What can stop a merge. Lines and ids that make no sense are not here: they are counted.

use std::io;
use std::path::PathBuf;

use crate::table::TableError;

/// Why the answers could not be put onto the table.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// A result file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was to be written could not be.
    #[error("cannot write the rows")]
    Write(#[source] io::Error),
    /// The table could not be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The caller's list of settled rows broke off.
    #[error("cannot read the settled rows: {0}")]
    Settled(String),
    /// Two ways of numbering in one merge.
    #[error(
        "ids of two kinds: `{first}` and `{second}` ({}, line {line}): what rows they mean cannot \
         be told", path.display()
    )]
    MixedIds {
        /// The first id seen.
        first: String,
        /// The one that does not fit it.
        second: String,
        /// Where that stands.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
    },
    /// The numbers in the ids may count from 0 or from 1.
    #[error(
        "ids like `{example}` may count from 0 or from 1 (the table has {rows} rows): add \
         --id-base {likely} if `{example}` is the {which} row, else --id-base {other}"
    )]
    DoubtfulBase {
        /// The id that raises the doubt.
        example: String,
        /// Rows of the table.
        rows: u64,
        /// The base that would fit.
        likely: u64,
        /// The other one.
        other: u64,
        /// `first` or `last`.
        which: &'static str,
    },
    /// A foreign id has two different good answers.
    #[error(
        "`{id}` has different good answers in {} and {}: they are of different rows, or the same \
         row was asked twice", first.display(), second.display()
    )]
    TwoAnswers {
        /// The id.
        id: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// No line belongs to any row.
    #[error("none of the {lines} result lines belongs to a row (the first id is `{example}`)")]
    NothingMatches {
        /// Lines read.
        lines: u64,
        /// The first id.
        example: String,
    },
    /// Not one line can be read.
    #[error(
        "none of the {lines} lines is a line of a result file: give the files that the provider \
         returned, and the table with --original-csv"
    )]
    NotResults {
        /// Lines read.
        lines: u64,
    },
    /// The id column is of no use.
    #[error("the id column has `{id}` in row {first} and again in row {second}")]
    SameIdTwice {
        /// The id.
        id: String,
        /// One row, from 0.
        first: u64,
        /// The other row, from 0.
        second: u64,
    },
    /// More files than a place can name.
    #[error("more than {0} result files in one merge; join some of them first")]
    TooManyFiles(usize),
}
