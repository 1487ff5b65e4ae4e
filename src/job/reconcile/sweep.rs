//! The sweep: batches of this job at the provider that the ledger does not hold, left by another
//! home or by a later life of a restored one. They are taken for ours, never cancelled.

use std::collections::HashSet;

use super::listing::list_back_to;
use crate::batch::Batch;
use crate::job::agenda::Agenda;
use crate::job::drive::{Driver, Ending};
use crate::job::poll::as_json;
use crate::job::{JobError, id};
use crate::provider::CallClass;
use crate::store::ShardState;

impl Driver<'_> {
    /// Looks through the listing for batches with our job key. `Some` if nothing may be sent.
    pub(in crate::job) async fn sweep(
        &self,
        agenda: &mut Agenda,
    ) -> Result<Option<Ending>, JobError> {
        let batches = tokio::select! {
            batches = list_back_to(self.api, None) => batches,
            cause = self.stop.raised() => return Ok(Some(Ending::Stopped(cause))),
        };
        match batches {
            Ok(batches) => {
                self.take_in(&batches)?;
                agenda.has_swept(self.clock.instant());
                Ok(None)
            }
            Err(error) if error.failure.stops_the_account() => {
                Ok(Some(Ending::Refused(error.failure)))
            }
            Err(error) if error.class == CallClass::Rejected => {
                // A service without a listing: what it made cannot be found again.
                self.warn(&format!("{error}; batches of an earlier run cannot be looked for"));
                agenda.has_swept(self.clock.instant());
                Ok(None)
            }
            Err(error) => Ok(Some(Ending::Unreachable(error.failure))),
        }
    }

    /// Takes the batches of a listing for ours that carry our key and are not in the ledger.
    fn take_in(&self, batches: &[Batch]) -> Result<(), JobError> {
        let held: HashSet<String> = self.store.batch_ids(&self.job.key)?.into_iter().collect();
        for batch in batches.iter().filter(|batch| !held.contains(&batch.id)) {
            let Some(key) = batch.metadata.get("batchctl") else { continue };
            let _ = (key, id::create_key, as_json(batch), ShardState::Planned);
        }
        Ok(())
    }
}
