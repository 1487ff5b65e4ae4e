//! What becomes of answers that come when something could not be written: a full disk, mostly.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{TELL_EVERY, Writer};
use crate::job::JobError;
use crate::job::drive::Driver;
use crate::job::realtime::shared::{Message, Shared};

/// How long what the disk does not take is tried again once no answers come any more.
const GRACE: Duration = Duration::from_secs(5);

impl Writer<'_> {
    /// Something was not written. Calls that are out are waited for, and their answers are written
    /// into the room that was set aside, or once there is room again. The next run puts into the
    /// account what is on disk.
    pub(super) fn rescue(&mut self, failure: JobError, messages: &Receiver<Message>) {
        self.driver.tell_failure(&failure, self.shared);
        self.shared.fail(failure);
        self.room.give_up();
        let mut lost = 0;
        loop {
            let _ = self.write_lines();
            match messages.recv_timeout(TELL_EVERY) {
                Ok(Message::Opened(opened)) => drop(self.open(*opened)),
                Ok(Message::Done(all)) => {
                    lost += all.iter().filter(|done| self.take(done).is_err()).count() as u64;
                }
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let until = Instant::now() + GRACE;
        while self.write_lines().is_err() && Instant::now() < until {
            std::thread::sleep(TELL_EVERY);
        }
        for kept in self.shards.values_mut() {
            // What is not on disk after a power loss is asked again.
            let _ = kept.sync();
            lost += kept.unwritten();
        }
        self.shared.lose(lost);
    }
}

impl Driver<'_> {
    /// Says that something could not be written, where calls are out that are waited for.
    pub(in crate::job::realtime) fn tell_failure(&self, failure: &JobError, shared: &Shared) {
        let out = shared.out.load(Ordering::Relaxed);
        if out > 0 && !shared.is_over() {
            self.warn(&format!(
                "{failure}: no more calls are made; what the {out} that are out bring is kept"
            ));
        }
    }
}
