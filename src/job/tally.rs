//! What became of the selected rows before anything is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::answer::RowStatus;
use crate::request::{Compiled, Skip, SkipKind};
use crate::store::OutcomeRecord;
use crate::table::Row;

/// The selected rows, those without a request apart, and what a person should know.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Selected rows.
    pub rows: u64,
    /// Rows without a request, with the reason.
    pub skipped: Vec<OutcomeRecord>,
    /// How many rows were skipped for which kind of reason.
    pub skip_kinds: BTreeMap<SkipKind, u64>,
    /// What a person should know about the question.
    pub notes: Vec<String>,
    /// The first row whose image cannot be sent: which, where it stands, and why.
    pub first_bad_image: Option<String>,
    /// The folder that would have to be allowed for images that lie outside of the roots.
    pub image_root: Option<PathBuf>,
    /// Rows with a cell of more than a mebibyte, and the place of the first.
    giants: u64,
    first_giant: Option<String>,
}

/// Cells above this many bytes are named: a question of a million characters is seldom meant.
const GIANT: usize = 1 << 20;

impl Tally {
    /// Counts a selected row.
    pub(super) fn see(&mut self, row: &Row) {
        self.rows += 1;
        // Images as text are large by nature.
        let is_giant = |cell: &str| cell.len() > GIANT && !cell.starts_with("data:");
        if row.raw().len() > GIANT && row.cells().any(is_giant) {
            self.giants += 1;
            let place = || format!("row {} (line {})", row.number(), row.line());
            self.first_giant.get_or_insert_with(place);
        }
    }

    pub(super) fn skip(&mut self, row: &Row, skip: Skip) {
        *self.skip_kinds.entry(skip.kind).or_default() += 1;
        if skip.kind.is_image() && self.first_bad_image.is_none() {
            let (number, line) = (row.number(), row.line());
            self.first_bad_image = Some(format!("row {number} (line {line}): {}", skip.reason));
        }
        self.skipped.push(OutcomeRecord {
            row: row.number(),
            round: 0,
            status: RowStatus::Skipped,
            place: None,
            content_key: None,
            usage: None,
            cost: None,
            error: Some(skip.reason),
            class: None,
        });
    }

    /// Takes over what the question learnt from the rows.
    pub(super) fn finish(&mut self, compiled: &Compiled) {
        self.notes = compiled.notes().to_vec();
        if let Some(first) = &self.first_giant {
            self.notes.push(match self.giants {
                1 => format!("{first} has a cell of more than 1 MiB"),
                giants => format!("{giants} rows have a cell of more than 1 MiB, first {first}"),
            });
        }
        self.image_root = compiled.folder_of_outside_images().map(Into::into);
    }
}
