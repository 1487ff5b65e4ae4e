//! Virtual time: a wait is over at once, and the clock has gone on by it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use batchctl::base::Clock;

/// Where the virtual wall clock begins, in Unix seconds.
const BEGINNING: u64 = 1_800_000_000;

/// What happens to the clocks of a machine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Jump {
    /// It is suspended for so long.
    Suspended(Duration),
    /// Somebody sets the wall clock by so many seconds.
    Set(i64),
}

/// A clock that only waits and calls move on.
pub(crate) struct VirtualClock {
    start: Instant,
    millis: AtomicU64,
    /// Milliseconds that the machine slept, which its monotonic clock does not count.
    asleep: AtomicU64,
    /// How far the wall clock was set, in seconds.
    wall: AtomicI64,
    jumps: Mutex<Vec<(u64, Jump)>>,
    /// Every wait takes this many times longer than asked, as on a busy machine.
    drowsy: u32,
}

impl VirtualClock {
    pub(crate) fn new(drowsy: u32) -> Self {
        Self {
            start: Instant::now(),
            millis: AtomicU64::new(0),
            asleep: AtomicU64::new(0),
            wall: AtomicI64::new(0),
            jumps: Mutex::default(),
            drowsy,
        }
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        self.millis.load(Ordering::SeqCst)
    }

    /// Unix seconds of a moment given in milliseconds since the beginning.
    pub(crate) fn unix_at(millis: u64) -> i64 {
        i64::try_from(BEGINNING + millis / 1000).expect("a test does not run for ages")
    }

    /// Seconds that a process could have counted.
    pub(crate) fn awake(&self) -> u64 {
        (self.now() - self.asleep.load(Ordering::SeqCst)) / 1000
    }

    /// Lets something happen at a moment in seconds since the beginning.
    pub(crate) fn jumps(&self, at: u64, jump: Jump) {
        let mut jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
        jumps.push((at * 1000, jump));
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).expect("a test does not run for ages");
        self.millis.fetch_add(millis, Ordering::SeqCst);
        let mut jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, jump) in jumps.extract_if(.., |(at, _)| *at <= self.now()) {
            match jump {
                Jump::Suspended(by) => {
                    let by = u64::try_from(by.as_millis()).expect("a test does not run for ages");
                    self.asleep.fetch_add(by, Ordering::SeqCst);
                    self.millis.fetch_add(by, Ordering::SeqCst);
                }
                Jump::Set(by) => drop(self.wall.fetch_add(by, Ordering::SeqCst)),
            }
        }
    }
}

#[async_trait::async_trait]
impl Clock for VirtualClock {
    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now() - self.asleep.load(Ordering::SeqCst))
    }

    fn unix(&self) -> i64 {
        Self::unix_at(self.now()) + self.wall.load(Ordering::SeqCst)
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration * self.drowsy);
        tokio::task::yield_now().await;
    }
}
