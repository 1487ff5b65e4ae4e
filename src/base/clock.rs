//! Time as a thing that is handed in, so that a day of polls can be tested in milliseconds.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The three things the program asks of time. Correctness uses `instant` and the providers' own
/// times; `unix` is for display and for records.
#[async_trait::async_trait]
pub trait Clock: Send + Sync {
    /// A monotonic reading.
    fn instant(&self) -> Instant;
    /// Seconds since 1970 by the local wall clock.
    fn unix(&self) -> i64;
    /// Waits that long.
    async fn sleep(&self, duration: Duration);
}

/// The machine's own clock. Every wait is divided by a factor, and `instant` runs faster by it, so
/// that tests run the real code in seconds. `unix` is the real time: it says when, not how long.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    speed: f64,
    start: Instant,
}

impl SystemClock {
    /// A clock whose waits are as long as asked.
    pub fn new() -> Self {
        Self::with_speed(1.0)
    }

    /// A clock whose waits are `speed` times shorter; anything not above zero counts as 1.
    pub fn with_speed(speed: f64) -> Self {
        let speed = if speed > 0.0 { speed } else { 1.0 };
        Self { speed, start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait::async_trait]
impl Clock for SystemClock {
    fn instant(&self) -> Instant {
        self.start + self.start.elapsed().mul_f64(self.speed)
    }

    fn unix(&self) -> i64 {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(seconds).unwrap_or(i64::MAX)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed)).await;
    }
}
