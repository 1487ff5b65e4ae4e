//! What a merge read, line by line: nothing of it stops a merge, and all of it is told.

use serde::Serialize;

use super::summary::counted;

/// What the files held. Each line is counted once: it is broken, of no row here, surplus, of a
/// row that stands here no more, outside the selection, or the answer of its row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MergeCounts {
    /// Lines that are not blank.
    pub lines: u64,
    /// Surplus lines for a row: repeats, and those of other rounds, files and jobs.
    pub duplicates: u64,
    /// Lines whose id belongs to no row of this table.
    pub unknown_ids: u64,
    /// Lines that cannot be read.
    pub broken_lines: u64,
    /// Lines of rows that are not selected.
    pub outside: u64,
    /// Lines of rows that were asked and that the table has no more: edited or removed since.
    pub gone: u64,
}

impl MergeCounts {
    /// One line for people for each thing that is not as it should be.
    pub(super) fn text(self) -> Vec<String> {
        let table = [
            (self.broken_lines, "broken line", "set aside"),
            (self.unknown_ids, "line", "with an id of no row of this table, left out"),
            (self.duplicates, "surplus line", "for rows that have a better or equal one"),
            (self.outside, "answered row", "outside the selection"),
            (self.gone, "answer", "of rows that were edited or removed since, left out"),
        ];
        let present = table.into_iter().filter(|(number, ..)| *number > 0);
        present
            .map(|(number, noun, what)| format!("Files     {} {what}", counted(number, noun)))
            .collect()
    }
}

/// What came of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Its lines that are not blank.
    pub lines: u64,
    /// Rows that have their answer from it.
    pub rows: u64,
}
