//! How long the answers of finished rows were, for the forecast of rows that ask the same.

use rusqlite::params;

use super::{Store, StoreError};

impl Store {
    /// Completion tokens of finished rows of jobs with this prompt, those of the newest jobs
    /// first, at most so many. Rows that failed have no answer, copies were not paid, and rows
    /// that were asked otherwise, in a retry or because of an answer, say nothing about the job's
    /// own question.
    pub fn answer_lengths(&self, prompt: &str, most: u32) -> Result<Vec<u64>, StoreError> {
        self.read(|c| {
            c.prepare(
                "SELECT o.completion_tokens FROM job j JOIN outcome o ON o.job = j.key \
                 JOIN artifact a ON a.id = o.artifact JOIN shard s ON s.id = a.shard \
                 WHERE j.prompt = ?1 AND o.round > 0 AND o.completion_tokens IS NOT NULL \
                 AND o.status IN ('ok', 'truncated', 'unparsed', 'invalid', 'refused') \
                 AND s.ask IS NULL AND s.reask = 0 ORDER BY j.rowid DESC LIMIT ?2",
            )?
            .query_map(params![prompt, most], |row| row.get(0))?
            .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::RowStatus;
    use crate::batch::Usage;
    use crate::store::tests::outcome;
    use crate::store::{ArtifactKind, ArtifactRecord, NewJob, NewShard, OutcomeRecord};

    fn make(store: &Store, key: &str, prompt: &str, records: &[(RowStatus, Option<u64>)]) {
        let job = NewJob {
            key: key.to_owned(),
            run_digest: key.to_owned(),
            folder: "/".to_owned(),
            provider: "openai".to_owned(),
            base_url: "u".to_owned(),
            account: String::new(),
            spec: "{}".to_owned(),
            rows: 9,
            requests: 9,
            output_path: None,
            terms: None,
            prompt: Some(prompt.to_owned()),
            now: 1,
        };
        let shard = NewShard {
            round: 1,
            number: 1,
            rows: 9,
            bytes: 9,
            tokens: 9,
            reserve: None,
            mode: crate::request::Mode::Batch,
        };
        store.insert_job(&job, &[shard], &[]).unwrap();
        let shard = store.shards(key).unwrap()[0].id;
        let artifact = ArtifactRecord {
            id: 0,
            shard,
            kind: ArtifactKind::Output,
            name: "o".to_owned(),
            bytes: 9,
            digest: String::new(),
        };
        store.record_artifacts(shard, &[artifact]).unwrap();
        let artifact = store.artifacts_of(shard).unwrap()[0].id;
        let rows = records.iter().zip(0..).map(|((status, tokens), row)| OutcomeRecord {
            place: Some((artifact, 0, 9)),
            usage: tokens.map(|completion_tokens| Usage { completion_tokens, ..Usage::default() }),
            ..outcome(row, *status)
        });
        store.settle_shard(key, shard, &rows.collect::<Vec<_>>()).unwrap();
    }

    /// B08: only finished answers to the very same question tell how long the next ones will be.
    #[test]
    fn b08_lengths_are_of_finished_rows_of_the_same_prompt() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let records = [
            (RowStatus::Ok, Some(11)),
            (RowStatus::Truncated, Some(12)),
            (RowStatus::Unparsed, Some(13)),
            (RowStatus::Error, Some(14)),
            (RowStatus::Ok, None),
            (RowStatus::Expired, None),
        ];
        make(&store, "aaaaaa0000", "p", &records);
        make(&store, "bbbbbb0000", "other", &[(RowStatus::Ok, Some(99))]);
        make(
            &store,
            "cccccc0000",
            "p",
            &[(RowStatus::Invalid, Some(7)), (RowStatus::Refused, Some(8))],
        );
        assert_eq!(store.answer_lengths("p", 100).unwrap(), [7, 8, 11, 12, 13]);
        assert_eq!(store.answer_lengths("p", 3).unwrap(), [7, 8, 11], "the newest first");
        assert_eq!(store.answer_lengths("q", 3).unwrap(), Vec::<u64>::new());
        let asked = "INSERT INTO ask (id, job, question) VALUES (1, 'cccccc0000', '{}'); \
                     UPDATE shard SET ask = 1 WHERE job = 'cccccc0000'";
        let ledger = rusqlite::Connection::open(home.path().join("batchctl.db")).unwrap();
        ledger.execute_batch(asked).unwrap();
        assert_eq!(store.answer_lengths("p", 3).unwrap(), [11, 12, 13], "asked otherwise");
    }
}
