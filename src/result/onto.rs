//! Indexed lines onto the table: which number is which row, which of several lines of a row counts,
//! and what became of every line.

use super::artifacts::Artifacts;
use super::group::weigh;
use super::merge::MergeIndex;
use super::places::{Sharing, Spot};
use super::row_map::RowMap;
use super::summary::Summary;
use super::told::Told;
use super::write::{Join, Settled, write_rows};
use super::{ResultError, Share};
use crate::answer::{RowStatus, Wanted};
use crate::table::{RowSet, Writer};

/// Lines of one kind of ids and the rows they mean.
#[derive(Debug)]
pub struct Onto {
    /// Which of [`MergeIndex::groups`].
    pub group: usize,
    /// From its numbers to rows.
    pub map: RowMap,
    /// What is known of its rows beyond their lines.
    pub told: Told,
}

/// Which rows anybody was asked about.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// All that are selected.
    All,
    /// These.
    Rows(&'a RowSet),
}

/// A table that was written.
#[derive(Debug)]
pub struct Merged {
    /// The account.
    pub summary: Summary,
    /// What came of each file, by its number.
    pub shares: Vec<Share>,
    /// What the answers cost by the accounts of their jobs, in trillionths; `None` where that of
    /// any is not known. Those of other rows and of earlier jobs cost nothing.
    pub cost: Option<u64>,
}

/// A line of a row.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    onto: usize,
    number: u64,
    spot: Spot,
}

impl MergeIndex {
    /// Writes the table with the answers found. Of several `ontos` that know why a row has no
    /// line, the last one counts.
    pub fn write(
        &self,
        join: Join<'_>,
        ontos: &[Onto],
        asked: Asked<'_>,
        writer: &mut Writer,
    ) -> Result<Merged, ResultError> {
        let mut own = OwnLines::default();
        let mut shares = self.shares.clone();
        let mut weighing = Artifacts::new(self.artifacts.paths().to_vec());
        let wanted = join.wanted;
        let mut cost = Some(0_u64);
        let mut lookup = |row: u64| {
            let mut best: Option<Candidate> = None;
            for candidate in self.candidates(ontos, row) {
                own.selected += u64::from(candidate.spot.sharing != Sharing::Equal);
                best = Some(match best {
                    Some(held) => better(held, candidate, &mut weighing, wanted)?,
                    None => candidate,
                });
            }
            if let Some(best) = &best {
                own.used += u64::from(best.spot.sharing != Sharing::Equal);
                shares[best.spot.place.artifact as usize].rows += 1;
            }
            let settled = self.settled(ontos, row, best, asked);
            if settled.as_ref().is_some_and(|s| s.place.is_some() && !s.is_shared) {
                let of_row = settled.as_ref().and_then(|settled| settled.cost);
                cost = cost.zip(of_row).map(|(sum, cost)| sum.saturating_add(cost));
            }
            Ok(settled)
        };
        let mut artifacts = Artifacts::new(self.artifacts.paths().to_vec());
        let mut summary = write_rows(join, &mut lookup, &mut artifacts, writer, true)?;
        self.account(ontos, &own, &mut summary);
        let lines = summary.lines;
        if lines.lines > 0 && own.used + lines.outside + lines.gone == 0 {
            return Err(self.nothing_matches());
        }
        Ok(Merged { summary, shares, cost })
    }

    /// The lines of a row.
    fn candidates<'a>(
        &'a self,
        ontos: &'a [Onto],
        row: u64,
    ) -> impl Iterator<Item = Candidate> + 'a {
        ontos.iter().enumerate().filter_map(move |(onto, at)| {
            let number = at.map.from(row)?;
            let spot = self.groups[at.group].places.get(number)?;
            Some(Candidate { onto, number, spot })
        })
    }

    /// What is on record about a row.
    fn settled(
        &self,
        ontos: &[Onto],
        row: u64,
        best: Option<Candidate>,
        asked: Asked<'_>,
    ) -> Option<Settled> {
        let said = |onto: &Onto, number| {
            let (status, reason) = onto.told.of(number)?;
            Some((Some(status), reason.map(str::to_owned)))
        };
        let Some(Candidate { onto, number, spot }) = best else {
            let of_row = |onto: &Onto| said(onto, onto.map.from(row)?);
            let Some((status, error)) = ontos.iter().rev().find_map(of_row) else {
                let is_asked = match asked {
                    Asked::All => true,
                    Asked::Rows(rows) => rows.contains(row),
                };
                return (!is_asked).then(|| Settled::new(row, Some(RowStatus::Unasked)));
            };
            let provider = ontos.iter().rev().find_map(|onto| {
                said(onto, onto.map.from(row)?)?;
                onto.told.provider()
            });
            return Some(Settled { error, provider, ..Settled::new(row, status) });
        };
        // What a job says of a line is not said of the lines of files.
        let is_of_job = spot.place.artifact < self.first_file;
        let (status, error) = said(&ontos[onto], number).filter(|_| is_of_job).unwrap_or_default();
        let told = &ontos[onto].told;
        let cached = (spot.sharing == Sharing::Cached).then_some(RowStatus::Cached);
        Some(Settled {
            place: Some(spot.place),
            rounds: spot.round,
            is_shared: spot.sharing != Sharing::Own,
            error,
            cost: told.cost_of(number).filter(|_| is_of_job && spot.sharing == Sharing::Own),
            provider: told.provider(),
            ..Settled::new(row, status.or(cached))
        })
    }

    /// What became of each line: every one is counted once.
    fn account(&self, ontos: &[Onto], own: &OwnLines, summary: &mut Summary) {
        let broken = std::mem::take(&mut summary.lines).broken_lines;
        let mut counts = self.counts;
        counts.broken_lines += broken;
        let mut outside = 0;
        for (at, group) in self.groups.iter().enumerate() {
            let onto = ontos.iter().find(|onto| onto.group == at);
            let counted =
                if onto.is_some() { &mut counts.duplicates } else { &mut counts.unknown_ids };
            *counted += group.surplus;
            for (number, _) in group.places.iter().filter(|(_, s)| s.sharing != Sharing::Equal) {
                match onto.map(|onto| onto.map.to(number)) {
                    Some(Some(row)) if row < summary.table_rows => outside += 1,
                    Some(None) if onto.is_some_and(|onto| onto.map.is_by_content()) => {
                        counts.gone += 1;
                    }
                    _ => counts.unknown_ids += 1,
                }
            }
        }
        counts.outside = outside - own.selected;
        counts.duplicates += own.selected - own.used;
        summary.lines = counts;
    }

    fn nothing_matches(&self) -> ResultError {
        let MergeIndex { counts, groups, .. } = self;
        if counts.lines == counts.broken_lines {
            return ResultError::NotResults { lines: counts.lines };
        }
        let first = groups.first().map(|group| group.first.id.clone());
        let example = self.strangers().first().cloned().or(first).unwrap_or_default();
        ResultError::NothingMatches { lines: counts.lines, example }
    }
}

/// Lines of selected rows that are no other row's.
#[derive(Debug, Default)]
struct OwnLines {
    selected: u64,
    used: u64,
}

/// The better of two lines of a row; of equal ones that of the later origin.
fn better(
    held: Candidate,
    found: Candidate,
    artifacts: &mut Artifacts,
    wanted: Wanted<'_>,
) -> Result<Candidate, ResultError> {
    let weight = weigh(held.spot, artifacts, wanted)?.merit();
    let is_better = weigh(found.spot, artifacts, wanted)?.merit() >= weight;
    Ok(if is_better { found } else { held })
}
