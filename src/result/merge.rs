//! Result and error files from anywhere, in any number and order, indexed in one pass.
//!
//! Only the place of each row's line is kept. Two lines for one row are weighed against each other
//! when the second is met, so nothing but the rare double is decoded twice.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ResultError;
use super::artifacts::{Artifacts, Place};
use super::ids::{IdRule, Pattern, read_pattern, row_of};
use super::places::{MOST_FILES, Places};
use super::prefer::Weight;
use super::summary::{Summary, counted};
use super::write::{Join, Settled, write_rows};
use crate::answer::Wanted;
use crate::batch::decode_line;
use crate::table::Writer;

const BUFFER: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a merge reads its files.
#[derive(Debug, Default)]
pub struct MergeOptions<'a> {
    /// From id to row.
    pub ids: IdRule,
    /// What is wanted: of two answers the one that has it is better.
    pub wanted: Wanted<'a>,
    /// Only our ids of this job (its first six characters) count; all others are unknown.
    pub job6: Option<String>,
}

/// What the files held. Nothing of it stops a merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MergeCounts {
    /// Lines that are not blank.
    pub lines: u64,
    /// Surplus lines for a row: repeats, and those of other rounds.
    pub duplicates: u64,
    /// Lines whose id belongs to no row of this table.
    pub unknown_ids: u64,
    /// Lines that cannot be read.
    pub broken_lines: u64,
    /// Rows with a line that were not selected.
    pub outside: u64,
}

impl MergeCounts {
    /// One line for people for each thing that is not as it should be.
    pub(super) fn text(self) -> Vec<String> {
        let table = [
            (self.broken_lines, "broken line", "set aside"),
            (self.unknown_ids, "line", "with an id of no row here"),
            (self.duplicates, "surplus line", "for rows that have a better or equal one"),
            (self.outside, "answered row", "outside the selection"),
        ];
        let present = table.into_iter().filter(|(number, ..)| *number > 0);
        present
            .map(|(number, noun, what)| format!("Files     {} {what}", counted(number, noun)))
            .collect()
    }
}

/// The first id read by pattern: all others must be of its kind.
#[derive(Debug)]
struct FirstId {
    id: String,
    pattern: Pattern,
}

/// Result files with the best line of each row found.
#[derive(Debug)]
pub struct MergeIndex {
    places: Places,
    artifacts: Artifacts,
    counts: MergeCounts,
    ids: IdRule,
    job6: Option<String>,
    first: Option<FirstId>,
    /// An id that fits no row, for messages.
    stranger: Option<String>,
}

/// Where a line stands, for messages and for reading it again.
#[derive(Clone, Copy)]
struct Line<'a> {
    content: &'a [u8],
    place: Place,
    number: u64,
}

impl MergeIndex {
    /// Reads all files once.
    pub fn build(paths: &[PathBuf], options: MergeOptions<'_>) -> Result<Self, ResultError> {
        if paths.len() > MOST_FILES {
            return Err(ResultError::TooManyFiles(MOST_FILES));
        }
        let MergeOptions { ids, wanted, job6 } = options;
        let mut index = Self {
            places: Places::default(),
            artifacts: Artifacts::new(paths.to_vec()),
            counts: MergeCounts::default(),
            ids,
            job6,
            first: None,
            stranger: None,
        };
        for (artifact, path) in (0u32..).zip(paths) {
            index.add_file(artifact, path, wanted)?;
        }
        Ok(index)
    }

    /// What was read so far.
    pub fn counts(&self) -> MergeCounts {
        self.counts
    }

    /// The job whose ids these are, where they are ours.
    pub fn job6(&self) -> Option<&str> {
        match &self.first.as_ref()?.pattern {
            Pattern::Ours(job6) => Some(job6),
            Pattern::Row | Pattern::Request => None,
        }
    }

    /// Where the line of a row lies, and in which round it was asked.
    pub fn place_of(&self, row: u64) -> Option<(Place, u32)> {
        self.places.get(row)
    }

    /// Adds a file that is not searched for ids: its lines are found by the places of `known`
    /// rows. Returns its number.
    pub fn add_known_file(&mut self, path: PathBuf) -> u32 {
        self.artifacts.push(path)
    }

    /// Writes the table with the answers found. `known` are rows of which something is known
    /// without a line of their own (skipped ones, those with the line of another row), in row
    /// order.
    pub fn write(
        mut self,
        join: Join<'_>,
        known: Vec<Settled>,
        writer: &mut Writer,
    ) -> Result<Summary, ResultError> {
        let base = self.base(&join)?;
        let (places, artifacts) = (&self.places, &mut self.artifacts);
        let lookup = |row: u64| {
            let (place, round) = places.get(row.checked_add(base)?)?;
            Some(Settled { rounds: round, place: Some(place), ..Settled::new(row, None) })
        };
        let mut known = known.into_iter().peekable();
        let mut shared = 0;
        let mut next = |row: u64| {
            while known.next_if(|settled| settled.row < row).is_some() {}
            let known = known.next_if(|settled| settled.row == row);
            let own = lookup(row);
            let is_shared = own.is_none() && known.as_ref().is_some_and(|k| k.place.is_some());
            shared += u64::from(is_shared);
            Ok(own.or(known))
        };
        let mut summary = write_rows(join, &mut next, artifacts, writer, true)?;
        let used = summary.lines;
        let (past_the_end, _) = places.from(summary.table_rows.saturating_add(base));
        let before_the_start =
            (0..base).filter(|number| places.get(*number).is_some()).count() as u64;
        let strangers = past_the_end + before_the_start;
        summary.lines = self.counts;
        summary.lines.unknown_ids += strangers;
        summary.lines.broken_lines += used.broken_lines;
        summary.lines.outside = places.filled() - strangers - (used.lines - shared);
        if strangers == places.filled() && self.counts.lines > 0 {
            return Err(self.nothing_matches());
        }
        Ok(summary)
    }

    fn nothing_matches(self) -> ResultError {
        if self.counts.lines == self.counts.broken_lines {
            return ResultError::NotResults { lines: self.counts.lines };
        }
        let example = self.stranger.or(self.first.map(|first| first.id)).unwrap_or_default();
        ResultError::NothingMatches { lines: self.counts.lines, example }
    }

    /// What the numbers in the ids count from, if that is beyond doubt.
    fn base(&self, join: &Join<'_>) -> Result<u64, ResultError> {
        let pattern = match (&self.ids, &self.first) {
            (IdRule::Base(base), Some(first)) if !first.pattern.is_ours() => return Ok(*base),
            (IdRule::Pattern | IdRule::Base(_), Some(first)) => first,
            _ => return Ok(0),
        };
        let has_zero = self.places.get(0).is_some();
        let stem = pattern.id.trim_end_matches(|c: char| c.is_ascii_digit());
        match &pattern.pattern {
            Pattern::Request if has_zero => {
                let rows = count_rows(join)?;
                let example = format!("{stem}0");
                Err(ResultError::DoubtfulBase {
                    example,
                    rows,
                    likely: 0,
                    other: 1,
                    which: "first",
                })
            }
            Pattern::Row if !has_zero && self.places.filled() > 0 => {
                let rows = count_rows(join)?;
                if self.places.from(rows) == (1, Some(rows)) {
                    let example = format!("{stem}{rows}");
                    let (likely, other, which) = (1, 0, "last");
                    return Err(ResultError::DoubtfulBase { example, rows, likely, other, which });
                }
                Ok(0)
            }
            pattern => Ok(pattern.base()),
        }
    }

    fn add_file(
        &mut self,
        artifact: u32,
        path: &Path,
        wanted: Wanted<'_>,
    ) -> Result<(), ResultError> {
        let failed = |source| ResultError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let mut raw = Vec::new();
        let (mut offset, mut number) = (0u64, 0u64);
        loop {
            raw.clear();
            let read = reader.read_until(b'\n', &mut raw).map_err(failed)?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            let (skipped, content) = content_of(&raw);
            if !content.is_empty() {
                let too_long = |_| failed(io::Error::other("a line of more than 4 GiB"));
                let length = u32::try_from(content.len()).map_err(too_long)?;
                let place = Place { artifact, offset: offset + skipped, length };
                self.add_line(Line { content, place, number }, wanted)?;
            }
            offset += read as u64;
        }
    }

    fn add_line(&mut self, line: Line<'_>, wanted: Wanted<'_>) -> Result<(), ResultError> {
        self.counts.lines += 1;
        let Some(id) = custom_id(line.content) else {
            self.counts.broken_lines += 1;
            return Ok(());
        };
        let Some((number, round)) = self.number(&id, line)? else {
            self.counts.unknown_ids += 1;
            self.stranger.get_or_insert_with(|| id.into_owned());
            return Ok(());
        };
        let Some((old, old_round)) = self.places.get(number) else {
            self.places.set(number, line.place, round);
            return Ok(());
        };
        self.counts.duplicates += 1;
        let old_line = self.artifacts.read(old)?;
        if old_line == line.content {
            return Ok(());
        }
        let held = Weight::of(old_line, old_round, wanted);
        let new = Weight::of(line.content, round, wanted);
        let ours = self.first.as_ref().is_some_and(|first| first.pattern.is_ours());
        if !ours && old.artifact != line.place.artifact && held.contradicts(&new) {
            return Err(ResultError::TwoAnswers {
                id: id.into_owned(),
                first: self.artifacts.path(old.artifact).to_owned(),
                second: self.artifacts.path(line.place.artifact).to_owned(),
            });
        }
        if new > held {
            self.places.set(number, line.place, round);
        }
        Ok(())
    }

    /// The number and round in an id; `None` if it can belong to no row.
    fn number(&mut self, id: &str, line: Line<'_>) -> Result<Option<(u64, u32)>, ResultError> {
        if let IdRule::Map(map) = &self.ids {
            return Ok(map.row(id).map(|row| (row, 1)));
        }
        let Some((pattern, number, round)) = read_pattern(id) else { return Ok(None) };
        if let Some(job6) = &self.job6
            && pattern != Pattern::Ours(job6.clone())
        {
            return Ok(None);
        }
        match &self.first {
            Some(first) if first.pattern != pattern => Err(ResultError::MixedIds {
                first: first.id.clone(),
                second: id.to_owned(),
                path: self.artifacts.path(line.place.artifact).to_owned(),
                line: line.number,
            }),
            Some(_) => Ok(row_of(number, 0).map(|number| (number, round))),
            None => {
                self.first = Some(FirstId { id: id.to_owned(), pattern });
                Ok(row_of(number, 0).map(|number| (number, round)))
            }
        }
    }
}

fn count_rows(join: &Join<'_>) -> Result<u64, ResultError> {
    let mut rows = join.table.rows()?;
    let mut count = 0;
    while rows.next_row()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// A line without byte order mark, surrounding blanks and line end, and how much stands before.
fn content_of(line: &[u8]) -> (u64, &[u8]) {
    let marked = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let content = marked.trim_ascii_start();
    ((line.len() - content.len()) as u64, content.trim_ascii_end())
}

/// The part of a line that is needed for its place. The rest is checked to be JSON and passed by.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    custom_id: Cow<'a, str>,
}

/// The id of a line; `None` if the line cannot be read at all.
fn custom_id(content: &[u8]) -> Option<Cow<'_, str>> {
    let head = std::str::from_utf8(content)
        .ok()
        .and_then(|text| serde_json::from_str::<Head<'_>>(text).ok().map(|head| head.custom_id));
    match head {
        Some(id) if !id.is_empty() => Some(id),
        // Numbers as ids and keys that stand twice are for the patient reader.
        _ => decode_line(content).ok().map(|line| Cow::Owned(line.custom_id)),
    }
}

/// Whether a line is one of a result file rather than a record of a table: people mix up the
/// arguments of `merge`.
pub fn looks_like_results(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Keys {
        #[serde(default)]
        custom_id: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        response: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        error: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        body: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Keys>(line.trim_start_matches('\u{feff}')).is_ok_and(|keys| {
        keys.custom_id.is_some()
            && keys.body.is_none()
            && (keys.response.is_some() || keys.error.is_some())
    })
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
