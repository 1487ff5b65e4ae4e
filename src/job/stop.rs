//! The wish to stop, seen by everything that waits: a signal, or a person in another terminal.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// Why new work is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// Ctrl-C.
    Interrupt,
    /// A request to end, from the system or `kill`.
    Terminate,
}

/// A flag that can be waited for. The first cause counts.
#[derive(Debug, Default)]
pub struct Stop {
    cause: AtomicU8,
    changed: Notify,
}

impl Stop {
    /// Raises the flag.
    pub fn raise(&self, cause: StopCause) {
        let value = match cause {
            StopCause::Interrupt => 1,
            StopCause::Terminate => 2,
        };
        let _ = self.cause.compare_exchange(0, value, Ordering::SeqCst, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Why to stop, if at all.
    pub fn cause(&self) -> Option<StopCause> {
        match self.cause.load(Ordering::SeqCst) {
            1 => Some(StopCause::Interrupt),
            2 => Some(StopCause::Terminate),
            _ => None,
        }
    }

    /// Ends when the flag is raised.
    pub async fn raised(&self) -> StopCause {
        loop {
            // Registered before the flag is read, so that a raise in between is not missed.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(cause) = self.cause() {
                return cause;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_cause_counts_and_waiters_wake() {
        let stop = std::sync::Arc::new(Stop::default());
        let waiter = tokio::spawn({
            let stop = stop.clone();
            async move { stop.raised().await }
        });
        tokio::task::yield_now().await;
        stop.raise(StopCause::Terminate);
        stop.raise(StopCause::Interrupt);
        assert_eq!(waiter.await.unwrap(), StopCause::Terminate);
        assert_eq!(stop.raised().await, StopCause::Terminate);
    }
}
