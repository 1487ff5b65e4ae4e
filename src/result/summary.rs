//! The account of a written table.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::counts::MergeCounts;
use crate::answer::RowStatus;
use crate::batch::Usage;
use crate::cost::grouped;

/// Different messages that are counted; further ones are only in the table.
const MOST_MESSAGES: usize = 1000;
/// Characters of a message that tell it from others.
const MESSAGE_LENGTH: usize = 200;
/// Messages shown to people.
const SHOWN_MESSAGES: usize = 3;

/// What became of the rows. The statuses sum to the selected rows (B05).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows of the table that were read.
    pub table_rows: u64,
    /// Selected rows.
    pub selected: u64,
    /// Rows written.
    pub written: u64,
    /// Rows that the selected rows became: more of them where answers hold several things.
    pub rows_out: u64,
    /// Whether an answer could become several rows.
    #[serde(skip)]
    pub is_exploded: bool,
    /// What the rows were that were filled by the user's rule, in the order of
    /// [`RowStatus::ALL`].
    #[serde(skip)]
    filled: [u64; RowStatus::ALL.len()],
    /// Selected rows by status, in the order of [`RowStatus::ALL`].
    #[serde(serialize_with = "by_name")]
    counts: [u64; RowStatus::ALL.len()],
    /// Rows whose wanted fields were found; `None` if no fields are wanted.
    pub parsed: Option<u64>,
    /// Tokens of the lines used, failed ones included, cached ones not.
    pub usage: Usage,
    /// What of it is of calls, by the provider and the model that answered.
    #[serde(skip)]
    pub called: BTreeMap<(String, String), Usage>,
    /// What the result files held besides.
    pub lines: MergeCounts,
    /// How often each error text occurs among rows that are not good.
    #[serde(skip)]
    messages: HashMap<String, u64>,
}

fn by_name<S: serde::Serializer>(
    counts: &[u64; RowStatus::ALL.len()],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        RowStatus::ALL.iter().zip(counts).filter(|(_, n)| **n > 0).map(|(s, n)| (s.as_str(), n)),
    )
}

impl Summary {
    /// Takes one selected row into the account.
    pub fn add(&mut self, status: RowStatus, error: Option<&str>, usage: Option<Usage>) {
        self.selected += 1;
        self.counts[status as usize] += 1;
        if let Some(usage) = usage
            && status != RowStatus::Cached
        {
            self.usage += usage;
        }
        if let Some(error) = error.filter(|_| !status.is_good()) {
            let short: String = error.chars().take(MESSAGE_LENGTH).collect();
            if let Some(count) = self.messages.get_mut(&short) {
                *count += 1;
            } else if self.messages.len() < MOST_MESSAGES {
                self.messages.insert(short, 1);
            }
        }
    }

    /// Counts a row that was filled by the user's rule, by the status it had.
    pub fn count_filled(&mut self, was: RowStatus) {
        self.filled[was as usize] += 1;
    }

    /// The statuses that the filled rows had, with their numbers.
    pub fn filled(&self) -> impl Iterator<Item = (RowStatus, u64)> {
        RowStatus::ALL.into_iter().zip(self.filled).filter(|(_, count)| *count > 0)
    }

    /// Selected rows of this status.
    pub fn count(&self, status: RowStatus) -> u64 {
        self.counts[status as usize]
    }

    /// Statuses that occur, with their numbers, in the order of the list.
    pub fn counts(&self) -> impl Iterator<Item = (RowStatus, u64)> {
        RowStatus::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// Rows with a good answer.
    pub fn good(&self) -> u64 {
        self.counts().filter(|(status, _)| status.is_good()).map(|(_, count)| count).sum()
    }

    /// Whether the run may end with exit code 0: every row is good, or was never sent at all. A
    /// broken line may be the answer of a row that seems never sent.
    pub fn is_all_good(&self) -> bool {
        if self.lines.broken_lines > 0 && self.good() < self.selected {
            return false;
        }
        // Answers that were paid for and are not in the table.
        if self.lines.gone + self.lines.unknown_ids > 0 {
            return false;
        }
        self.good() + self.count(RowStatus::Unasked) == self.selected
    }

    /// In how many answers the wanted fields were found, of how many; `None` if no fields are
    /// wanted. Rows that were filled by the user's rule count by the status they had.
    pub fn parsed_of(&self) -> Option<(u64, u64)> {
        self.parsed?;
        Some(parsed_of(|status| self.count(status) + self.filled[status as usize]))
    }

    /// The commonest error messages, the most frequent first.
    pub fn commonest_messages(&self) -> Vec<(&str, u64)> {
        let mut messages: Vec<(&str, u64)> =
            self.messages.iter().map(|(text, count)| (text.as_str(), *count)).collect();
        messages.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        messages.truncate(SHOWN_MESSAGES);
        messages
    }

    /// The account for people. Texts from outside are in it as they came.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "Rows      {}: {}",
            counted(self.selected, "row"),
            shown_counts(self.counts(), self.filled())
        )];
        if self.is_exploded {
            let rows = shown_rows_out(self.selected, self.rows_out);
            lines.push(format!("Exploded  {rows}"));
        }
        if let Some((parsed, answers)) = self.parsed_of().filter(|(_, answers)| *answers > 0) {
            let share = shown_share(parsed, answers);
            let answers = counted(answers, "answer");
            lines.push(format!("Parsed    {} of {answers} ({share})", grouped(parsed)));
        }
        if self.usage != Usage::default() {
            let (prompt, completion) = (self.usage.prompt_tokens, self.usage.completion_tokens);
            lines.push(format!(
                "Tokens    {} prompt, {} completion",
                grouped(prompt),
                grouped(completion)
            ));
        }
        lines.extend(self.lines.text());
        for (message, count) in self.commonest_messages() {
            lines.push(format!("  {} x {message}", grouped(count)));
        }
        let more = self.messages.len().saturating_sub(SHOWN_MESSAGES);
        if more > 0 {
            lines.push(format!("  and {} more: the column error has them", grouped(more as u64)));
        }
        lines
    }
}

/// Statuses with their numbers, the defaulted ones with what they were:
/// `ok 988, defaulted 12 (error 7, refused 5)`.
pub fn shown_counts(
    counts: impl Iterator<Item = (RowStatus, u64)>,
    filled: impl Iterator<Item = (RowStatus, u64)>,
) -> String {
    let said = |(status, count): (RowStatus, u64)| format!("{status} {}", grouped(count));
    let filled: Vec<String> = filled.map(said).collect();
    let counts = counts.map(|(status, count)| match status {
        RowStatus::Defaulted if !filled.is_empty() => {
            format!("{} ({})", said((status, count)), filled.join(", "))
        }
        _ => said((status, count)),
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// In how many answers JSON was found, and of how many, by the numbers of rows of each status.
pub fn parsed_of(rows: impl Fn(RowStatus) -> u64) -> (u64, u64) {
    use RowStatus::{Cached, Invalid, Ok, Refused, Truncated, Unparsed};
    let sum = |kinds: &[RowStatus]| -> u64 { kinds.iter().map(|kind| rows(*kind)).sum() };
    let found = sum(&[Ok, Cached, Invalid]);
    (found, found + sum(&[Truncated, Refused, Unparsed]))
}

/// A part of a whole that is not 0, rounded to a tenth of a percent: `99.7 %`. It is 100.0 only
/// where nothing is lacking.
pub fn shown_share(part: u64, all: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(all.max(1)));
    let rounded = (part * 1000 + whole / 2) / whole;
    let tenths = if part < whole { rounded.min(999) } else { rounded };
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// How many rows the selected rows became: `10 rows in, 23 rows out`.
pub fn shown_rows_out(rows_in: u64, rows_out: u64) -> String {
    format!("{} in, {} out", counted(rows_in, "row"), counted(rows_out, "row"))
}

/// A number with its noun.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field report 18: when all rows fail, the commonest messages are shown.
    #[test]
    fn b05_field_18_the_account_closes() {
        let mut summary = Summary { parsed: Some(1), ..Summary::default() };
        let usage = Usage { prompt_tokens: 1000, completion_tokens: 7, ..Usage::default() };
        summary.add(RowStatus::Ok, Some("not in the answer: b"), Some(usage));
        summary.add(RowStatus::Cached, None, Some(usage));
        for _ in 0..3 {
            summary.add(RowStatus::Error, Some("model not found (code 1211)"), Some(usage));
        }
        summary.add(RowStatus::Error, Some("too long"), None);
        let mut many = summary.clone();
        for text in ["a", "b", "c"] {
            many.add(RowStatus::Error, Some(text), None);
        }
        assert!(many.lines().contains(&"  and 2 more: the column error has them".to_owned()));
        summary.add(RowStatus::Unasked, None, None);
        assert_eq!(summary.counts().map(|(_, n)| n).sum::<u64>(), summary.selected);
        assert_eq!((summary.good(), summary.is_all_good()), (2, false));
        assert_eq!(summary.commonest_messages()[0], ("model not found (code 1211)", 3));
        summary.lines =
            MergeCounts { lines: 9, duplicates: 1, broken_lines: 2, ..MergeCounts::default() };
        insta::assert_snapshot!(summary.lines().join("\n"), @r#"
    Rows      7 rows: ok 1, cached 1, error 4, unasked 1
    Parsed    2 of 2 answers (100.0 %)
    Tokens    4,000 prompt, 28 completion
    Files     2 broken lines set aside
    Files     1 surplus line for rows that have a better or equal one
      3 x model not found (code 1211)
      1 x too long
    "#);
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["counts"]["error"], 4);
    }

    #[test]
    fn shares_are_rounded_and_whole_only_where_nothing_lacks() {
        for (part, all, expected) in [
            (1, 7, "14.3 %"),
            (1198, 1202, "99.7 %"),
            (1118, 1122, "99.6 %"),
            (99_999, 100_000, "99.9 %"),
            (3, 3, "100.0 %"),
            (0, 3, "0.0 %"),
            (u64::MAX - 1, u64::MAX, "99.9 %"),
        ] {
            assert_eq!(shown_share(part, all), expected, "{part} of {all}");
        }
        let mut summary = Summary { parsed: Some(0), ..Summary::default() };
        summary.add(RowStatus::Defaulted, None, None);
        summary.count_filled(RowStatus::Unparsed);
        summary.add(RowStatus::Error, None, None);
        summary.add(RowStatus::Invalid, None, None);
        assert_eq!(summary.parsed_of(), Some((1, 2)));
    }

    #[test]
    fn what_was_never_sent_does_not_spoil_the_ending() {
        let mut summary = Summary::default();
        summary.add(RowStatus::Ok, None, None);
        summary.add(RowStatus::Unasked, None, None);
        assert!(summary.is_all_good());
        let broken = MergeCounts { broken_lines: 1, ..MergeCounts::default() };
        assert!(!Summary { lines: broken, ..summary.clone() }.is_all_good());
        // Answers that no row of the table has are lost with it.
        let unknown = MergeCounts { unknown_ids: 1, ..MergeCounts::default() };
        assert!(!Summary { lines: unknown, ..summary.clone() }.is_all_good());
        summary.add(RowStatus::Pending, None, None);
        assert!(!summary.is_all_good());
    }
}
