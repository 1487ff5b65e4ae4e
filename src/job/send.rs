//! Which shards are sent now: those without a batch, a few at a time, as long as nothing stands in
//! the way.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt};

use super::JobError;
use super::agenda::Agenda;
use super::drive::{Driver, Ending};
use super::ending::worse;
use super::submit::Sent;
use crate::request::Mode;
use crate::store::{ShardRecord, ShardState};

/// Shards that are sent before running ones are asked after again, for each that may be on its
/// way at once.
const A_TURN: usize = 4;

/// Creates without a clear answer at which nothing more is sent: a provider that loses this many
/// answers would lose the next ones too.
const MANY_UNCLEAR: u64 = 3;

impl Driver<'_> {
    /// Sends what has no batch yet, a few at a time; the first one that cannot be sent ends it.
    /// Before the first one the provider's listing is looked through: what another home or an
    /// earlier life of this one has sent is not sent again.
    pub(super) async fn send_open(&self, agenda: &mut Agenda) -> Result<Option<Ending>, JobError> {
        if self.shards_to_send(agenda)?.is_empty() {
            agenda.is_first = false;
            return Ok(None);
        }
        if agenda.is_sweep_due(self.clock.instant())
            && let Some(ending) = self.sweep(agenda).await?
        {
            return Ok(Some(ending));
        }
        self.make_fit(agenda)?;
        let open = self.shards_to_send(agenda)?;
        agenda.is_first = false;
        let halted = AtomicBool::new(false);
        let mut sending = stream::iter(&open)
            .map(|shard| {
                let halted = &halted;
                async move { self.send(shard, halted).await }
            })
            .buffer_unordered(self.options.parallel_uploads.max(1));
        let mut ending = None;
        // Heard out to the end: a create that has begun must not be dropped in mid-air. What has
        // not begun sees the flag and stays.
        while let Some(sent) = sending.next().await {
            let bad = match sent {
                Ok(Sent::Created | Sent::Nothing | Sent::FileGone) => continue,
                Ok(Sent::NoRoom | Sent::OverBudget) => {
                    halted.store(true, Ordering::SeqCst);
                    continue;
                }
                Ok(Sent::Deferred) => {
                    self.hold(agenda)?;
                    halted.store(true, Ordering::SeqCst);
                    continue;
                }
                Ok(Sent::Unclear) => {
                    agenda.next_look = Some(self.clock.instant());
                    halted.store(true, Ordering::SeqCst);
                    continue;
                }
                Ok(Sent::Stopped) => self.stop.cause().map(|cause| Ok(Ending::Stopped(cause))),
                Ok(Sent::Refused(failure)) => Some(Ok(Ending::Refused(failure))),
                Ok(Sent::Unreachable(failure)) => Some(Ok(Ending::Unreachable(failure))),
                Err(error) => Some(Err(error)),
            };
            halted.store(true, Ordering::SeqCst);
            ending = worse(ending, bad);
        }
        ending.transpose()
    }

    /// The next shards to send. What was refused goes out again once per run, when it begins: a
    /// person may have mended it.
    pub(super) fn shards_to_send(&self, agenda: &Agenda) -> Result<Vec<ShardRecord>, JobError> {
        if self.is_halted()? {
            return Ok(Vec::new());
        }
        let unclear = self.count(ShardState::Creating)? + self.count(ShardState::Unknown)?;
        if unclear >= MANY_UNCLEAR {
            return Ok(Vec::new());
        }
        let mut states = vec![ShardState::Planned, ShardState::Uploaded, ShardState::Deferred];
        if agenda.is_first {
            states.push(ShardState::Rejected);
        }
        let turn = self.options.parallel_uploads.max(1) * A_TURN;
        let open = self.store.shards_of_mode(&self.job.key, Mode::Batch, &states, turn)?;
        self.within_budget(self.with_room(agenda, open)?)
    }
}
