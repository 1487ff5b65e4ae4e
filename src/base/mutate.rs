//! For tests: makes wrong inputs out of right ones, the same for the same seed.

use std::time::Duration;

/// How long a fuzz loop runs: `BATCHCTL_FUZZ_SECONDS`, else a moment.
pub(crate) fn fuzz_time(otherwise: Duration) -> Duration {
    let seconds = std::env::var("BATCHCTL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    seconds.map_or(otherwise, Duration::from_secs)
}

/// What parsers stumble over.
const TOKENS: [&[u8]; 24] = [
    b"\"",
    b"\"\"",
    b",",
    b";",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"'",
    b"=",
    b"#",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x80",
    b"\xe4\xb8",
    b"\0",
    b"null",
    b"sep=;\n",
];

/// A generator of numbers (splitmix64) that changes bytes.
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below the limit, 0 if that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit as u64).max(1)).unwrap_or(0)
    }

    /// One of the seeds after one to six changes.
    pub(crate) fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            let length = self.below(8).min(bytes.len() - at);
            match self.below(5) {
                0 => drop(bytes.drain(at..at + length)),
                1 => drop(bytes.splice(at..at, TOKENS[self.below(TOKENS.len())].iter().copied())),
                2 => {
                    let piece = bytes[at..at + length].to_vec();
                    let to = self.below(bytes.len() + 1);
                    drop(bytes.splice(to..to, piece));
                }
                3 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap_or(0),
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    let to = (from + self.below(24)).min(other.len());
                    drop(bytes.splice(at..at, other[from..to].iter().copied()));
                }
            }
        }
        bytes
    }
}
