//! Stopping a job because a person asked for it: what was not sent is settled, what runs is asked
//! to stop, and what had finished is collected like any other result.

use super::JobError;
use super::drive::Driver;
use crate::answer::RowStatus;
use crate::store::{CallEnd, OutcomeRecord, ShardRecord, ShardState};

impl Driver<'_> {
    /// Asks every running batch to stop, once, and settles what was never sent.
    pub(super) async fn cancel_all(&self) -> Result<(), JobError> {
        for shard in self.store.shards(&self.job.key)? {
            if matches!(
                shard.state,
                ShardState::Planned | ShardState::Uploaded | ShardState::Rejected
            ) {
                self.settle_unsent(&shard)?;
            }
        }
        for (shard, create) in self.with_creates(&[ShardState::Running])? {
            if self.stop.cause().is_some() {
                break;
            }
            if self.store.has_cancelled(create.id)? {
                continue;
            }
            let call = self.store.begin_cancel(&self.job.key, create.id, self.clock.unix())?;
            let id = create.batch_id.clone().unwrap_or_default();
            let reply = tokio::select! {
                reply = self.api.cancel(&id) => reply,
                // The wish is recorded and the call may be repeated: the next run does.
                _ = self.stop.raised() => break,
            };
            let ended = match reply {
                Ok(_) => CallEnd { class: "ok", now: self.clock.unix(), ..CallEnd::default() },
                Err(error) => {
                    // A batch that ended meanwhile cannot be cancelled; the next question tells.
                    self.warn(&format!("cancel of shard {}: {error}", shard.number));
                    self.ended_badly(&error)
                }
            };
            self.store.end_call(call, &ended)?;
        }
        Ok(())
    }

    /// Rows of a shard that was never sent.
    fn settle_unsent(&self, shard: &ShardRecord) -> Result<(), JobError> {
        let entries = self.entries(shard)?;
        let known = self.settled_before(shard, &entries)?;
        let records: Vec<_> = entries
            .iter()
            .filter(|entry| !known.contains_key(&entry.row))
            .map(|entry| OutcomeRecord {
                row: entry.row,
                round: shard.round,
                status: RowStatus::Cancelled,
                place: None,
                content_key: Some(entry.content_key),
                usage: None,
                error: Some("cancelled before it was sent".to_owned()),
                class: None,
            })
            .collect();
        Ok(self.store.settle_shard(&self.job.key, shard.id, &records)?)
    }
}
