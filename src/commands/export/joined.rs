//! A job's table with its answers, as every form of export walks over it.

use crate::answer::{Defaults, Expected, RowStatus};
use crate::commands::steps::{Found, columns, defaults, expected};
use crate::result::{Columns, Join};
use crate::table::Table;
use crate::ui::CommandError;

/// What a [`Join`] of a job's table borrows.
pub(super) struct Joined {
    table: Table,
    columns: Columns,
    expected: Expected,
    defaults: Option<Defaults>,
}

impl Joined {
    /// Reads what the job wants of its answers. Rows of a job that goes on are not filled yet.
    pub(super) fn of(found: &Found) -> Result<Self, CommandError> {
        let spec = &found.spec;
        let expected = expected(&spec.form)?;
        let is_over = found.job.state.is_over();
        let defaults = defaults(expected.wanted(), &spec.output)?.filter(|_| is_over);
        let columns = columns(expected.wanted(), &spec.output);
        Ok(Self { table: found.written_table()?, columns, expected, defaults })
    }

    /// The selected rows, those that have no answer yet as `pending`.
    pub(super) fn join<'a>(&'a self, found: &'a Found) -> Join<'a> {
        Join {
            table: &self.table,
            selection: found.written_selection(),
            columns: &self.columns,
            wanted: self.expected.wanted(),
            unsettled: RowStatus::Pending,
            all_rows: false,
            defaults: self.defaults.as_ref(),
            only: &found.spec.output.only,
            provider: &found.spec.provider,
        }
    }
}
