//! Virtual time: a wait is over at once, and the clock has gone on by it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use batchctl::base::Clock;

/// Where the virtual wall clock begins, in Unix seconds.
const BEGINNING: u64 = 1_800_000_000;

/// A clock that only waits and calls move on.
pub(crate) struct VirtualClock {
    start: Instant,
    millis: AtomicU64,
    /// Every wait takes this many times longer than asked, as on a busy machine.
    drowsy: u32,
}

impl VirtualClock {
    pub(crate) fn new(drowsy: u32) -> Self {
        Self { start: Instant::now(), millis: AtomicU64::new(0), drowsy }
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        self.millis.load(Ordering::SeqCst)
    }

    /// Unix seconds of a moment given in milliseconds since the beginning.
    pub(crate) fn unix_at(millis: u64) -> i64 {
        i64::try_from(BEGINNING + millis / 1000).expect("a test does not run for ages")
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a test does not run for ages");
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Clock for VirtualClock {
    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now())
    }

    fn unix(&self) -> i64 {
        Self::unix_at(self.now())
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration * self.drowsy);
        tokio::task::yield_now().await;
    }
}
