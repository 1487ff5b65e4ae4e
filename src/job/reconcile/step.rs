//! What follows from what has been seen of a create whose answer was not clear. Pure: the world
//! is looked at elsewhere, and the model check drives this very function.

use std::time::Duration;

/// How long a created batch may stay away from the listing before its absence counts. A batch
/// takes hours anyway, so patience costs little and a second batch costs the whole shard.
pub const LISTING_ALLOWANCE: Duration = Duration::from_secs(60 * 60);

/// The pauses before the second, third … listing; the last one repeats.
const PAUSES: [u64; 6] = [15, 60, 120, 240, 480, 600];

/// What has been seen so far of a create whose answer was not clear, and no batch of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Search {
    /// Complete listings without a match since the search, or since the fence, began.
    pub listings: u32,
    /// Time from that beginning to the newest complete listing.
    pub searched: Duration,
    /// Whether the input file was deleted, so that a create that comes late cannot run.
    pub is_fenced: bool,
    /// Whether the provider is known not to run a batch whose input file was deleted first.
    pub fence_trusted: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Look through the provider's batches, this long after the last look.
    Look {
        /// The pause before it.
        after: Duration,
    },
    /// Delete the input file, then search anew.
    Fence,
    /// The batch does not exist and never will: its rows may be sent again.
    Absent,
    /// Nothing we can do shows absence; a person must decide.
    AskPerson,
}

/// The next step of the search. A match ends it at once and never comes here.
///
/// After the fence the whole allowance is waited once more: a create that arrived just before the
/// file was deleted runs, and may be listed as late as any other.
pub fn next_step(search: &Search) -> Step {
    if search.listings == 0 || search.searched < LISTING_ALLOWANCE {
        return Step::Look { after: pause_before(search.listings) };
    }
    match (search.is_fenced, search.fence_trusted) {
        (true, _) => Step::Absent,
        (false, true) => Step::Fence,
        (false, false) => Step::AskPerson,
    }
}

fn pause_before(listings: u32) -> Duration {
    let Some(nth) = listings.checked_sub(1) else { return Duration::ZERO };
    let nth = usize::try_from(nth).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
    Duration::from_secs(PAUSES[nth])
}
