//! What ids mean: which kinds of them count in a merge, and what their numbers count from. Where
//! that is in doubt it is an error; nothing is guessed.

use super::group::Group;
use super::ids::IdKind;
use super::merge::MergeIndex;
use super::{ResultError, RowMap};
use crate::table::Table;

impl MergeIndex {
    /// The groups that count. Those of known jobs do; lines of others in their files are of no row
    /// here. Without any, all ids must be of one kind. What the user said of ids holds in any case.
    pub fn choose(&self, is_known: impl Fn(&str) -> bool) -> Result<Vec<usize>, ResultError> {
        let is_sure = |group: &Group| match &group.kind {
            IdKind::Ours(job6) => is_known(job6),
            kind => matches!(kind, IdKind::Numbered | IdKind::Listed),
        };
        let (sure, others): (Vec<usize>, Vec<usize>) =
            (0..self.groups.len()).partition(|at| is_sure(&self.groups[*at]));
        let has_lines_of =
            |file: &u32| sure.iter().any(|at| self.groups[*at].files.contains_key(file));
        let Some(first) = sure.first().or(others.first()) else { return Ok(Vec::new()) };
        let stray = others
            .iter()
            .find(|at| **at != *first && !self.groups[**at].files.keys().all(has_lines_of));
        if let Some(stray) = stray {
            let (first, second) = (&self.groups[*first].first, &self.groups[*stray].first);
            return Err(self.mixed(first.clone(), second.clone()));
        }
        Ok(if sure.is_empty() { vec![*first] } else { sure })
    }

    /// What the numbers of a group count from, if that is beyond doubt.
    pub fn base_of(&self, group: usize, table: &Table) -> Result<RowMap, ResultError> {
        let group = &self.groups[group];
        let base = match group.kind {
            IdKind::Row => 0,
            IdKind::Request => 1,
            IdKind::Ours(_) | IdKind::Number | IdKind::Numbered | IdKind::Listed => {
                return Ok(RowMap::same());
            }
        };
        let least = group.files.values().map(|span| span.least).min().unwrap_or(base);
        let most = group.files.values().map(|span| span.most).max().unwrap_or(base);
        // Rows from 0 without a row 0, rows from 1 with one.
        if least != 1 - base {
            let rows = if base == 0 && least > 0 { count_rows(table)? } else { u64::MAX };
            if most != rows {
                return Ok(RowMap::From(i64::from(base == 1)));
            }
        }
        let rows = count_rows(table)?;
        let stem = group.first.id.trim_end_matches(|c: char| c.is_ascii_digit());
        let at_end = base == 0 && most == rows;
        Err(ResultError::DoubtfulBase {
            example: format!("{stem}{}", if at_end { rows } else { 1 - base }),
            rows,
            likely: 1 - base,
            other: base,
            which: if at_end { "last" } else { "first" },
        })
    }
}

fn count_rows(table: &Table) -> Result<u64, ResultError> {
    let mut rows = table.rows()?;
    let mut count = 0;
    while rows.next_row()?.is_some() {
        count += 1;
    }
    Ok(count)
}
