//! How jobs and shards came to where they stand: each state with the time it was reached, how the
//! last drive ended, whether the finished table was written. The ledger's triggers write the
//! transitions, in the transaction that changes a state; this file reads them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

/// A state and when it was reached.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Transition {
    /// The state's word.
    pub state: String,
    /// Why, where something is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Unix seconds by this machine's clock; for display only.
    pub at: i64,
}

/// What is kept of a job beside its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobHistory {
    /// The exit code of the last drive.
    pub exit: Option<u8>,
    /// When its table was written after its end, in Unix seconds.
    pub written: Option<i64>,
    /// When its local files were removed, in Unix seconds.
    pub pruned: Option<i64>,
}

impl Store {
    /// The states a job has been in, oldest first.
    pub fn transitions(&self, job: &str) -> Result<Vec<Transition>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT state, detail, at FROM transition WHERE job = ?1 AND shard IS NULL \
                 ORDER BY id",
            )?
            .query_map([job], |row| {
                Ok(Transition { state: row.get(0)?, detail: row.get(1)?, at: row.get(2)? })
            })?
            .collect()
        })
    }

    /// The states each shard of a job has been in, oldest first, by the shard's number in the
    /// ledger.
    pub fn shard_transitions(
        &self,
        job: &str,
    ) -> Result<BTreeMap<i64, Vec<Transition>>, StoreError> {
        self.read(|c| {
            let mut ways: BTreeMap<i64, Vec<Transition>> = BTreeMap::new();
            let mut statement = c.prepare(
                "SELECT shard, state, detail, at FROM transition WHERE job = ?1 AND \
                 shard IS NOT NULL ORDER BY id",
            )?;
            let mut rows = statement.query([job])?;
            while let Some(row) = rows.next()? {
                let step = Transition { state: row.get(1)?, detail: row.get(2)?, at: row.get(3)? };
                ways.entry(row.get(0)?).or_default().push(step);
            }
            Ok(ways)
        })
    }

    /// How the last drive ended, whether the finished table was written, whether files are gone.
    pub fn job_history(&self, job: &str) -> Result<JobHistory, StoreError> {
        self.read(|c| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(JobHistory { exit: row.get(0)?, written: row.get(1)?, pruned: row.get(2)? })
            };
            let found = c
                .query_row("SELECT exit, written, pruned FROM job WHERE key = ?1", [job], read)
                .optional()?;
            Ok(found.unwrap_or_default())
        })
    }

    /// Records with which code a drive of the job ended, for those who ask later.
    pub fn set_exit(&self, job: &str, exit: u8) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET exit = ?2 WHERE key = ?1", params![job, exit])?;
            Ok(())
        })
    }

    /// Records that the table of a finished job is written: from now on its files may go.
    pub fn set_written(&self, job: &str, now: i64) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET written = ?2 WHERE key = ?1", params![job, now])?;
            Ok(())
        })
    }

    /// Records what only the newest table of a job can tell, as JSON.
    pub fn tell_of_table(&self, job: &str, told: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("UPDATE job SET told = ?2 WHERE key = ?1", params![job, told])?;
            Ok(())
        })
    }

    /// What the newest table of a job told.
    pub fn told_of_table(&self, job: &str) -> Result<Option<String>, StoreError> {
        self.read(|c| {
            let told = c.query_row("SELECT told FROM job WHERE key = ?1", [job], |row| row.get(0));
            Ok(told.optional()?.flatten())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store_with_job;
    use crate::store::{JobState, ShardState};

    const JOB: &str = "k7f2qd0000";

    fn words(steps: &[Transition]) -> Vec<&str> {
        steps.iter().map(|step| step.state.as_str()).collect()
    }

    /// Whoever changes a state, by whatever statement: the way is written down.
    #[test]
    fn each_change_of_a_state_is_kept_once() {
        let (_home, store) = store_with_job();
        for (state, reason) in [
            (JobState::Running, None),
            (JobState::Running, None),
            (JobState::Waiting, Some("stopped by a signal")),
        ] {
            store.set_job_state(JOB, state, reason, 2000).unwrap();
        }
        let way = store.transitions(JOB).unwrap();
        assert_eq!(words(&way), ["prepared", "running", "waiting"]);
        assert_eq!((way[0].at, way[1].at), (1000, 2000));
        assert_eq!(way[2].detail.as_deref(), Some("stopped by a signal"));

        let shard = store.shards(JOB).unwrap()[0].id;
        store.set_shard_state(shard, ShardState::Rejected, Some("too large")).unwrap();
        store.set_shard_state(shard, ShardState::Rejected, Some("too large")).unwrap();
        store.settle_shard(JOB, shard, &[]).unwrap();
        let ways = store.shard_transitions(JOB).unwrap();
        assert_eq!(words(&ways[&shard]), ["planned", "rejected", "settled"]);
        assert_eq!(ways[&shard][1].detail.as_deref(), Some("too large"));
        assert_eq!(ways[&shard][2].detail, None, "the words belong to the state before");
    }

    #[test]
    fn ends_are_remembered() {
        let (home, store) = store_with_job();
        assert_eq!(store.job_history(JOB).unwrap(), JobHistory::default());
        store.set_exit(JOB, 5).unwrap();
        store.set_written(JOB, 7).unwrap();
        let store = Store::open(home.path()).unwrap();
        let expected = JobHistory { exit: Some(5), written: Some(7), pruned: None };
        assert_eq!(store.job_history(JOB).unwrap(), expected);
    }
}
