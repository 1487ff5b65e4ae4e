//! Cutting a shard that was not run into smaller ones of the next round: its rows get new ids, and
//! none is in two shards or in none.

use super::JobError;
use super::drive::Driver;
use super::submit::Sent;
use crate::batch::{Failure, FailureKind};
use crate::shard::RowEntry;
use crate::store::{NewShard, ShardRecord};

/// How often the rows of a shard are cut because a file was found too large: limits are known
/// before anything is sent, so a provider that still refuses half a file means something else.
const MOST_CUTS: u32 = 1;

impl Driver<'_> {
    /// Replaces a shard by ones of at most so many bytes each.
    pub(super) fn repack(
        &self,
        shard: &ShardRecord,
        most_bytes: u64,
        cuts: u32,
        why: &str,
    ) -> Result<(), JobError> {
        let entries = self.entries(shard)?;
        let known = self.settled_before(shard, &entries)?;
        let rest: Vec<_> =
            entries.iter().filter(|entry| !known.contains_key(&entry.row)).copied().collect();
        let round = shard.round + 1;
        let first = self.store.last_number(&self.job.key, round)? + 1;
        let mut parts = Vec::new();
        for (part, number) in cut(&rest, most_bytes).zip(first..) {
            let listed = self.list_rows(round, number, part)?;
            let tokens = share(shard.tokens, listed.bytes, shard.bytes);
            parts.push(NewShard { tokens, ..listed });
        }
        let words = format!("sent in {} files instead: {why}", parts.len());
        self.store.split_shard(&self.job.key, shard.id, &parts, (cuts, &words))?;
        self.forget_request_file(shard);
        self.warn(&format!("{}: {words}", shard.title()));
        Ok(())
    }

    /// A file that the provider found too large is halved once; what is refused then is refused.
    pub(super) fn halve(&self, shard: &ShardRecord, failure: Failure) -> Result<Sent, JobError> {
        if shard.rows > 1 && shard.cuts < MOST_CUTS {
            let why = format!("{} found it too large: {}", self.api.name(), failure.message);
            self.repack(shard, shard.bytes.div_ceil(2), shard.cuts + 1, &why)?;
            return Ok(Sent::Nothing);
        }
        let bytes = shard.bytes;
        let rows = shard.rows;
        let message = format!(
            "{} (a file of {rows} requests, {bytes} bytes; smaller ones: set max_shard_bytes or \
             max_shard_requests)",
            failure.message
        );
        Ok(Sent::Refused(Failure { message, kind: FailureKind::Invalid, ..failure }))
    }
}

/// The part of some tokens that falls to some of the bytes.
pub(super) fn share(tokens: u64, bytes: u64, of: u64) -> u64 {
    let part = u128::from(tokens) * u128::from(bytes) / u128::from(of.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Cuts a list into parts of at most so many bytes; what is larger by itself stays alone.
fn cut(entries: &[RowEntry], most: u64) -> impl Iterator<Item = &[RowEntry]> {
    let mut rest = entries;
    std::iter::from_fn(move || {
        let mut bytes = 0_u64;
        let fits = |entry: &&RowEntry| {
            bytes = bytes.saturating_add(entry.line_bytes);
            bytes <= most
        };
        let length = rest.iter().take_while(fits).count().max(1);
        let (part, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(lines: &[u64]) -> Vec<RowEntry> {
        let entry = |(row, bytes): (u64, &u64)| RowEntry {
            row,
            line: row + 2,
            offset: 0,
            line_bytes: *bytes,
            row_hash: 0,
            content_key: [0; 16],
        };
        (0..).zip(lines).map(entry).collect()
    }

    proptest! {
        /// Every row is in exactly one part, in order, and no part that could be smaller is over.
        #[test]
        fn re_packing_keeps_every_row_once(
            lines in prop::collection::vec(1_u64..50, 0..60),
            most in 1_u64..80,
        ) {
            let entries = entries(&lines);
            let parts: Vec<_> = cut(&entries, most).collect();
            let again: Vec<_> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            prop_assert_eq!(&again, &entries);
            for part in parts {
                let bytes: u64 = part.iter().map(|entry| entry.line_bytes).sum();
                prop_assert!(part.len() == 1 || bytes <= most);
                prop_assert!(!part.is_empty());
            }
        }
    }

    #[test]
    fn a_half_is_two_parts() {
        let halves = |lines: &[u64]| {
            let sum: u64 = lines.iter().sum();
            cut(&entries(lines), sum.div_ceil(2)).map(<[RowEntry]>::len).collect::<Vec<_>>()
        };
        assert_eq!(halves(&[10, 10]), [1, 1]);
        assert_eq!(halves(&[90, 10]), [1, 1]);
        assert_eq!(halves(&[5, 5, 5, 5]), [2, 2]);
        assert_eq!((share(100, 50, 100), share(7, 1, 0), share(u64::MAX, 9, 9)), (50, 7, u64::MAX));
    }
}
