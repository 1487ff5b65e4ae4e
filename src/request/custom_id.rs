//! The id of one request: which job, which row, which round. It fits every provider's rule
//! (letters, digits, dashes; 6 to 64 of them) and is never used twice.

use std::fmt::{self, Write as _};

/// The digits and letters of job ids: Crockford's base32, which has no `i`, `l`, `o`, `u`.
const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";
const JOB_LENGTH: usize = 6;
const ROW_DIGITS: usize = 7;

/// The id of one request, written as `k7f2qd-0000041-r1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomId {
    /// The first six characters of the job's id.
    pub job6: String,
    /// The row in the table, from 0.
    pub row: u64,
    /// The round, from 1.
    pub round: u32,
}

impl CustomId {
    /// Reads an id by its exact pattern; `None` for every other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (job6, row, round) = (parts.next()?, parts.next()?, parts.next()?);
        let is_job = job6.len() == JOB_LENGTH && job6.chars().all(|c| ALPHABET.contains(c));
        let is_row = row.len() == ROW_DIGITS || (row.len() > ROW_DIGITS && !row.starts_with('0'));
        let round = round.strip_prefix('r').filter(|digits| !digits.starts_with('0'))?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if parts.next().is_some() || !is_job || !is_row || !digits(row) || !digits(round) {
            return None;
        }
        Some(Self { job6: job6.to_owned(), row: row.parse().ok()?, round: round.parse().ok()? })
    }

    /// Appends the id of a row, without a value for it: there is one for every line.
    pub fn write(job6: &str, row: u64, round: u32, out: &mut String) {
        write!(out, "{job6}-{row:0ROW_DIGITS$}-r{round}")
            .expect("memory takes all that is written");
    }

    /// How many bytes the id of a row takes, for planning lines before they are written.
    pub fn length(row: u64, round: u32) -> usize {
        let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
        JOB_LENGTH + digits(row).max(ROW_DIGITS) + digits(u64::from(round)) + "--r".len()
    }
}

impl fmt::Display for CustomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        Self::write(&self.job6, self.row, self.round, &mut text);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_have_the_length_that_was_planned() {
        for (row, round) in [(0, 1), (41, 1), (9_999_999, 9), (10_000_000, 10), (123_456_789, 120)]
        {
            let id = CustomId { job6: "k7f2qd".into(), row, round };
            let text = id.to_string();
            assert_eq!(CustomId::parse(&text), Some(id), "{text}");
            assert_eq!(CustomId::length(row, round), text.len(), "{text}");
        }
        let id = CustomId { job6: "k7f2qd".into(), row: 41, round: 1 };
        assert_eq!(id.to_string(), "k7f2qd-0000041-r1");
    }

    #[test]
    fn only_the_exact_pattern_is_ours() {
        for text in [
            "",
            "k7f2qd-0000041",
            "k7f2qd-0000041-r1-x",
            "k7f2qd-41-r1",
            "k7f2qd-00000041-r1",
            "k7f2qd-0000041-r0",
            "k7f2qd-0000041-r01",
            "k7f2qd-0000041-1",
            "k7f2qd-0000041-r",
            "k7f2qd-+000041-r1",
            "k7f2qd-0000041-r+1",
            "K7F2QD-0000041-r1",
            "k7f2qu-0000041-r1",
            "k7f2q-0000041-r1",
            "k7f2qd-99999999999999999999-r1",
            "row_41",
        ] {
            assert_eq!(CustomId::parse(text), None, "{text}");
        }
    }
}
