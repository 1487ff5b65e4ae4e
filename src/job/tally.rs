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
}

impl Tally {
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
        self.image_root = compiled.folder_of_outside_images().map(Into::into);
    }
}
