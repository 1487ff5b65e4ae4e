//! Cutting planned shards by their prompt tokens and by what they may cost: what no queue of the
//! provider could ever take whole, and what no limit of money would let through, is cut before
//! anything is sent. Tokens are known only after all rows were read, so this comes after the
//! cutting by requests and bytes.

use super::JobError;
use super::lists::Listing;
use crate::store::NewShard;

/// What a request with so many prompt tokens is counted as against budgets; `None` = unknown.
pub(super) type Reserve<'a> = &'a dyn Fn(u64) -> Option<u64>;

/// What is asked of all shards together, besides the limits of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Most {
    /// Prompt tokens that the provider's queue holds.
    pub tokens: Option<u64>,
    /// What the job may cost, in trillionths of its price's currency.
    pub cost: Option<u64>,
    /// Requests that the job may send: a shard ends there, so that as many are sent.
    pub requests: Option<u64>,
    /// Fewer requests than this, though at least one, are sent by calls.
    pub calls_below: Option<u64>,
}

impl Most {
    /// Whether shards that were cut by the limits of a file may be cut anew.
    pub(super) fn may_cut(&self) -> bool {
        self.tokens.or(self.cost).or(self.requests).is_some()
    }
}

/// Parts into which a limit on cost is divided. What has run costs less than it was counted as, so
/// the first parts make room for the others; a single shard above the limit would never be sent.
const PARTS: u64 = 4;

/// What one shard may hold.
#[derive(Debug, Clone, Copy)]
struct Fill {
    tokens: u64,
    cost: u64,
}

impl Fill {
    fn of(most: Most, shards: &[NewShard]) -> Self {
        let all = shards.iter().filter_map(|shard| shard.reserve).fold(0, u64::saturating_add);
        let cost = most.cost.filter(|cost| all > *cost).map(|cost| cost / PARTS);
        Self { tokens: most.tokens.unwrap_or(u64::MAX), cost: cost.unwrap_or(u64::MAX) }
    }

    fn holds(self, tokens: u64, cost: u64) -> bool {
        tokens <= self.tokens && cost <= self.cost
    }
}

/// Gives planned shards the tokens of their requests, which are told in the order of the rows,
/// and what they are counted as against budgets, and cuts those with too much anew, numbers
/// included.
pub(super) fn by_tokens(
    mut shards: Vec<NewShard>,
    (tokens, reserve): (&[u32], Reserve<'_>),
    most: Most,
    lists: &Listing<'_>,
) -> Result<Vec<NewShard>, JobError> {
    let mut rest = tokens;
    for shard in &mut shards {
        let rows = usize::try_from(shard.rows).unwrap_or(usize::MAX).min(rest.len());
        let (mine, others) = rest.split_at(rows);
        shard.tokens = sum(mine);
        shard.reserve = reserved(mine, reserve);
        rest = others;
    }
    let fill = Fill::of(most, &shards);
    let is_over = |shard: &NewShard| !fill.holds(shard.tokens, shard.reserve.unwrap_or(0));
    let ends_at = most.requests.filter(|last| is_within(*last, &shards));
    if ends_at.is_some() || shards.iter().any(|shard| shard.rows > 1 && is_over(shard)) {
        return recut(&shards, (tokens, reserve), (fill, ends_at), lists);
    }
    Ok(shards)
}

/// Whether so many requests end in the middle of a shard.
fn is_within(requests: u64, shards: &[NewShard]) -> bool {
    let mut sum = 0_u64;
    shards.iter().any(|shard| {
        let before = sum;
        sum = sum.saturating_add(shard.rows);
        before < requests && requests < sum
    })
}

/// Lists all rows anew beside the old lists, then puts the new ones in their place.
fn recut(
    shards: &[NewShard],
    (tokens, reserve): (&[u32], Reserve<'_>),
    (fill, ends_at): (Fill, Option<u64>),
    lists: &Listing<'_>,
) -> Result<Vec<NewShard>, JobError> {
    let mut ends_at = ends_at.and_then(|at| usize::try_from(at).ok());
    let mut rest = tokens;
    let mut parts: Vec<NewShard> = Vec::new();
    for shard in shards {
        let listed = lists.of(shard, tokens.len() - rest.len())?;
        let (mine, others) = rest.split_at(listed.len().min(rest.len()));
        rest = others;
        let mut from = 0;
        let inside = ends_at.filter(|at| (1..mine.len()).contains(at));
        ends_at = ends_at.and_then(|at| at.checked_sub(mine.len()));
        for to in with_end(ends(mine, reserve, fill), inside) {
            let part = NewShard {
                round: 1,
                number: parts.len() as u64 + 1,
                rows: (to - from) as u64,
                bytes: listed.bytes(from..to),
                tokens: sum(&mine[from..to]),
                reserve: reserved(&mine[from..to], reserve),
                mode: shard.mode,
            };
            listed.set_aside(from..to, &part)?;
            parts.push(part);
            from = to;
        }
    }
    lists.replace(&parts)?;
    Ok(parts)
}

fn sum(tokens: &[u32]) -> u64 {
    tokens.iter().copied().map(u64::from).sum()
}

fn reserved(tokens: &[u32], reserve: Reserve<'_>) -> Option<u64> {
    tokens
        .iter()
        .try_fold(0_u64, |sum, tokens| Some(sum.saturating_add(reserve(u64::from(*tokens))?)))
}

/// Where parts that hold no more end; a request that is too much by itself stays alone.
fn ends(tokens: &[u32], reserve: Reserve<'_>, fill: Fill) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let (mut sum, mut cost) = (0, 0);
    for (at, tokens) in tokens.iter().enumerate() {
        let tokens = u64::from(*tokens);
        let reserved = reserve(tokens).unwrap_or(0);
        (sum, cost) = (sum + tokens, reserved.saturating_add(cost));
        if !fill.holds(sum, cost) && at > ends.last().copied().unwrap_or(0) {
            ends.push(at);
            (sum, cost) = (tokens, reserved);
        }
    }
    if !tokens.is_empty() {
        ends.push(tokens.len());
    }
    ends
}

/// The same with a further end, which leaves parts that are smaller.
fn with_end(mut ends: Vec<usize>, at: Option<usize>) -> Vec<usize> {
    if let Some(at) = at
        && let Err(place) = ends.binary_search(&at)
    {
        ends.insert(place, at);
    }
    ends
}

/// How many times a queue of this size fills up with these shards, in their order.
pub fn waves(shards: &[NewShard], limit: u64) -> u64 {
    let (mut waves, mut sum) = (0, u64::MAX);
    for shard in shards {
        sum = sum.saturating_add(shard.tokens);
        if sum > limit || waves == 0 {
            waves += 1;
            sum = shard.tokens;
        }
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobFolder, Lists};
    use crate::shard::{RowEntry, RowsReader};

    fn entry(row: u64) -> RowEntry {
        let (line, offset) = (row + 2, row * 10);
        RowEntry { row, line, offset, line_bytes: 10, row_hash: row, content_key: [0; 16] }
    }

    /// The first shard has two rows, the second three.
    fn filled<'a>(mut lists: Listing<'a>, shards: &[NewShard]) -> Listing<'a> {
        for (shard, rows) in shards.iter().zip([0..2, 2..5]) {
            lists.open(shard).unwrap();
            rows.for_each(|row| lists.add(&entry(row)).unwrap());
            lists.close().unwrap();
        }
        lists.wait().unwrap();
        lists
    }

    #[test]
    fn parts_end_before_the_limit_is_passed() {
        let fill = |tokens| Fill { tokens, cost: u64::MAX };
        let table: [(&[u32], u64, &[usize]); 6] = [
            (&[], 10, &[]),
            (&[4, 4, 4], 10, &[2, 3]),
            (&[10, 10], 10, &[1, 2]),
            (&[11, 1, 11], 10, &[1, 2, 3]),
            (&[1, 99], 10, &[1, 2]),
            (&[0, 0, 0], 0, &[3]),
        ];
        for (tokens, most, expected) in table {
            assert_eq!(ends(tokens, &|_| None, fill(most)), expected, "{tokens:?}");
        }
        let dear = Fill { tokens: 100, cost: 25 };
        assert_eq!(ends(&[1, 1, 1, 3, 1], &|tokens| Some(tokens * 10), dear), [2, 3, 4, 5]);
    }

    /// B10: a job whose worst case is above its limit goes in parts that fit below it.
    #[test]
    fn parts_fit_below_a_limit_of_cost() {
        let shard = |reserve| NewShard {
            round: 1,
            number: 1,
            rows: 8,
            bytes: 1,
            tokens: 40,
            reserve,
            mode: crate::request::Mode::Batch,
        };
        let fill =
            |cost, reserve| Fill::of(Most { cost, ..Most::default() }, &[shard(reserve)]).cost;
        assert_eq!(fill(Some(400), Some(1_000)), 100);
        assert_eq!(fill(Some(1_000), Some(1_000)), u64::MAX, "what fits stays whole");
        assert_eq!(fill(Some(400), None), u64::MAX, "nothing is known of its cost");
        assert_eq!(fill(None, Some(1_000)), u64::MAX);
    }

    #[test]
    fn waves_of_a_plan() {
        let shard = |tokens| NewShard {
            round: 1,
            number: 1,
            rows: 1,
            bytes: 1,
            tokens,
            reserve: None,
            mode: crate::request::Mode::Batch,
        };
        let table: [(&[u64], u64, u64); 5] = [
            (&[], 10, 0),
            (&[8], 10, 1),
            (&[8, 2, 1], 10, 2),
            (&[8, 8, 8], 10, 3),
            (&[30, 1], 10, 2),
        ];
        for (tokens, limit, expected) in table {
            let shards: Vec<_> = tokens.iter().copied().map(shard).collect();
            assert_eq!(waves(&shards, limit), expected, "{tokens:?}");
        }
    }

    /// The rows stay whole and in order, and the numbers have no gaps; where nothing is listed,
    /// the parts are the same.
    #[test]
    fn a_shard_over_the_limit_is_cut() {
        let home = tempfile::tempdir().unwrap();
        let (folder, _lock) = JobFolder::scratch(home.path()).unwrap();
        let shard = |number, rows| NewShard {
            round: 1,
            number,
            rows,
            bytes: rows * 10,
            tokens: 0,
            reserve: None,
            mode: crate::request::Mode::Batch,
        };
        let shards = vec![shard(1, 2), shard(2, 3)];
        let limited = Most { tokens: Some(12), ..Most::default() };
        let lists = filled(Listing::begin(Lists::In(&folder), limited), &shards);
        let unlisted = filled(Listing::begin(Lists::Nowhere, limited), &shards);
        let tokens = [1, 1, 6, 6, 6];
        let reserve = |tokens| Some(tokens * 10 + 1);
        let cut = |shards: Vec<NewShard>, most| {
            let parts = by_tokens(shards.clone(), (&tokens, &reserve), most, &lists).unwrap();
            let same = by_tokens(shards, (&tokens, &reserve), most, &unlisted).unwrap();
            assert_eq!(parts, same, "{most:?}");
            parts
        };
        let whole =
            by_tokens(shards.clone(), (&tokens, &|_| None), Most::default(), &lists).unwrap();
        assert!(whole.iter().all(|shard| shard.reserve.is_none()), "unknown is not 0");
        assert_eq!(whole.iter().map(|s| s.tokens).collect::<Vec<_>>(), [2, 18]);
        let parts = cut(shards, limited);
        let reserves: Vec<_> = parts.iter().map(|shard| shard.reserve).collect();
        assert_eq!(reserves, [Some(22), Some(122), Some(61)], "B10");
        assert_eq!(parts.iter().map(|s| s.tokens).collect::<Vec<_>>(), [2, 12, 6]);
        let most = Most { requests: Some(4), ..Most::default() };
        let parts = cut(parts, most);
        assert_eq!(parts.iter().map(|s| s.rows).collect::<Vec<_>>(), [2, 2, 1], "it stood so");
        let most = Most { requests: Some(3), ..Most::default() };
        let parts = cut(parts, most);
        assert_eq!(parts.iter().map(|s| s.rows).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert_eq!(parts.iter().map(|s| s.tokens).collect::<Vec<_>>(), [2, 6, 6, 6]);
        let mut rows = Vec::new();
        for part in &parts {
            let list = RowsReader::open(&folder.rows_file(&part.as_record().stem())).unwrap();
            rows.extend(list.map(|entry| entry.unwrap().row));
        }
        assert_eq!(rows, [0, 1, 2, 3, 4]);
    }
}
