//! Collecting what ended: the files of every batch in a final state, whatever the others do.

use super::JobError;
use super::agenda::Agenda;
use super::drive::{Driver, Ending};
use super::ending::worse;
use super::fetch::Fetched;
use super::poll::last_seen;
use crate::provider::{CallClass, CallError};
use crate::store::{CallKind, ShardState};

impl Driver<'_> {
    /// Fetches and settles what has ended. Returns how the run ends, if it does, and whether
    /// anything was settled.
    pub(super) async fn fetch_ended(
        &self,
        agenda: &mut Agenda,
    ) -> Result<(Option<Ending>, bool), JobError> {
        let ended = self.with_creates(&[ShardState::Stored, ShardState::Ended])?;
        let mut settled = false;
        let mut bad = None;
        for (shard, create) in ended {
            let Some(batch) = last_seen(&create) else { continue };
            if !agenda.is_fetch_due(shard.id, self.clock.instant()) {
                continue;
            }
            let new = match self.collect(&shard, &create, batch).await {
                Ok(Fetched::Settled) => {
                    settled = true;
                    continue;
                }
                Ok(Fetched::Later) => continue,
                Ok(Fetched::Odd(why)) => Some(Ok(Ending::NeedsOperator(why))),
                Ok(Fetched::Failed(error)) if error.is_local() => Some(Err(error.into())),
                Ok(Fetched::Failed(error)) => {
                    self.log_failure(CallKind::Download, Some(create.id), &error)?;
                    let asked = error.failure.retry_after;
                    agenda.fetch_failed(shard.id, self.clock.instant(), asked);
                    self.complain(agenda, &format!("results of {}: {error}", shard.title()));
                    self.gives_up(error)?.map(Ok)
                }
                Ok(Fetched::Stopped) => self.stop.cause().map(|cause| Ok(Ending::Stopped(cause))),
                Err(error) => Some(Err(error)),
            };
            bad = worse(bad, new);
            if matches!(bad, Some(Err(_) | Ok(Ending::Stopped(_)))) {
                break;
            }
        }
        if settled && self.ending()?.is_none() {
            (self.on_settled)();
        }
        Ok((bad.transpose()?, settled))
    }

    /// Whether a failed download ends the run: a refusal does once nothing else runs, any other
    /// failure passes and is waited out.
    fn gives_up(&self, error: CallError) -> Result<Option<Ending>, JobError> {
        let others_run = self.options.wait && self.count(ShardState::Running)? > 0;
        Ok(match error.class {
            _ if error.failure.stops_the_account() => Some(Ending::Refused(error.failure)),
            // Busy is no refusal, however long it lasts.
            CallClass::Rejected if !others_run && !error.failure.is_repeatable() => {
                Some(Ending::Refused(error.failure))
            }
            _ if !self.options.wait => Some(Ending::Unreachable(error.failure)),
            _ => None,
        })
    }
}
