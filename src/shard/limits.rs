//! How much one file may hold, and where the next one begins.

use serde::{Deserialize, Serialize};

use crate::request::{Skip, SkipKind};

/// What a provider takes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in one file.
    pub max_requests: u64,
    /// Bytes of one file.
    pub max_bytes: u64,
    /// Bytes of one line, where the provider has such a limit.
    pub max_line_bytes: Option<u64>,
}

impl Limits {
    /// These limits with room left: 95 % of each, since a provider may count in another way than
    /// it publishes, and a refused file costs an upload.
    #[must_use]
    pub fn with_margin(self) -> Self {
        let most = |limit: u64| limit / 20 * 19 + limit % 20 * 19 / 20;
        Self {
            max_requests: most(self.max_requests),
            max_bytes: most(self.max_bytes),
            max_line_bytes: self.max_line_bytes.map(most),
        }
    }

    /// The tighter of both in every respect, for limits that a user sets.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        Self {
            max_requests: self.max_requests.min(other.max_requests),
            max_bytes: self.max_bytes.min(other.max_bytes),
            max_line_bytes: [self.max_line_bytes, other.max_line_bytes].into_iter().flatten().min(),
        }
    }
}

/// Where a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Into the file of the line before it; also said of the very first line.
    Same,
    /// Into a new file.
    New,
}

/// Cuts a stream of lines into files, each closed just before a limit would be crossed.
#[derive(Debug, Clone)]
pub struct Cutter {
    limits: Limits,
    requests: u64,
    bytes: u64,
}

impl Cutter {
    /// A cutter with nothing in its first file.
    pub fn new(limits: Limits) -> Self {
        Self { limits, requests: 0, bytes: 0 }
    }

    /// Refuses a line that fits into no file at all; nothing is counted.
    pub fn check(&self, line_bytes: u64) -> Result<(), Skip> {
        let most = self.limits.max_line_bytes.unwrap_or(u64::MAX).min(self.limits.max_bytes);
        if line_bytes > most {
            let reason = format!(
                "the request has {line_bytes} bytes, and one may have at most {most} here; \
                 shorten the cell or make its images smaller"
            );
            return Err(Skip::new(SkipKind::TooLong, reason));
        }
        Ok(())
    }

    /// Counts a line of so many bytes, its line feed included. A line that fits into no file at
    /// all is a skip and is not counted.
    pub fn push(&mut self, line_bytes: u64) -> Result<Cut, Skip> {
        self.check(line_bytes)?;
        let full = self.requests >= self.limits.max_requests
            || line_bytes > self.limits.max_bytes - self.bytes;
        if full && self.requests > 0 {
            (self.requests, self.bytes) = (1, line_bytes);
            return Ok(Cut::New);
        }
        self.requests += 1;
        self.bytes += line_bytes;
        Ok(Cut::Same)
    }

    /// Requests in the file that is open.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Bytes in the file that is open.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Cut::{New, Same};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn s1_21_the_margin_is_on_requests_and_bytes() {
        let limits =
            Limits { max_requests: 50_000, max_bytes: 200_000_000, max_line_bytes: Some(101) };
        let margin = limits.with_margin();
        assert_eq!(margin.max_requests, 47_500);
        assert_eq!(margin.max_bytes, 190_000_000);
        assert_eq!(margin.max_line_bytes, Some(95));
        let huge = Limits { max_bytes: u64::MAX, ..limits }.with_margin();
        assert_eq!(u128::from(huge.max_bytes), u128::from(u64::MAX) * 19 / 20);
        let own = Limits { max_requests: 10, max_bytes: u64::MAX, max_line_bytes: None };
        let both = Limits { max_requests: 10, ..limits };
        assert_eq!((limits.tighter(own), own.tighter(limits)), (both, both));
    }

    #[test]
    fn files_are_cut_by_requests_and_by_bytes() {
        let limits = Limits { max_requests: 3, max_bytes: 10, max_line_bytes: Some(9) };
        let mut cutter = Cutter::new(limits);
        let cuts: Vec<_> = [9, 1, 1, 1, 1, 1, 9, 2, 8]
            .into_iter()
            .map(|bytes| cutter.push(bytes).unwrap())
            .collect();
        assert_eq!(cuts, [Same, Same, New, Same, Same, New, Same, New, Same]);
        assert_eq!((cutter.requests(), cutter.bytes()), (2, 10));
        let skip = cutter.push(10).unwrap_err();
        assert_eq!(skip.kind, SkipKind::TooLong);
        assert!(skip.reason.contains("10 bytes, and one may have at most 9"), "{}", skip.reason);
        assert_eq!((cutter.requests(), cutter.bytes()), (2, 10));
    }

    proptest! {
        #[test]
        fn no_file_is_over_a_limit_and_none_is_empty(
            lines in prop::collection::vec(0_u64..60, 0..80),
            max_requests in 1_u64..6,
            max_bytes in 1_u64..50,
        ) {
            let limits = Limits { max_requests, max_bytes, max_line_bytes: None };
            let mut cutter = Cutter::new(limits);
            let mut files: Vec<Vec<u64>> = Vec::new();
            for line in lines {
                match cutter.push(line) {
                    Err(_) => prop_assert!(line > max_bytes),
                    Ok(Same) if !files.is_empty() => files.last_mut().unwrap().push(line),
                    Ok(_) => files.push(vec![line]),
                }
            }
            for pair in files.windows(2) {
                let bytes: u64 = pair[0].iter().sum();
                prop_assert!(
                    pair[0].len() as u64 == max_requests || bytes + pair[1][0] > max_bytes,
                    "cut too early"
                );
            }
            for file in files {
                prop_assert!(!file.is_empty() && file.len() as u64 <= max_requests);
                prop_assert!(file.iter().sum::<u64>() <= max_bytes);
            }
        }
    }
}
