//! Where the answers of a job lie: its outcomes from the ledger, with the places of their lines in
//! its result files.

use std::collections::HashMap;
use std::path::PathBuf;

use super::jobs::Found;
use crate::batch::Batch;
use crate::result::{Artifacts, Place, Settled};
use crate::store::{ArtifactKind, OutcomeRecord, Store, StoreError};

/// Outcomes read from the ledger at a time.
const PAGE: usize = 10_000;

/// The result files of a job, by the numbers that places have.
pub(in crate::commands) struct Answers {
    paths: Vec<PathBuf>,
    /// The number of a file by its number in the ledger.
    numbers: HashMap<i64, u32>,
    origins: Vec<Option<Origin>>,
}

/// The batch that wrote a file; copies of earlier answers have none.
struct Origin {
    shard: i64,
    /// When it was made, in Unix seconds by the provider's clock.
    begun: Option<i64>,
}

impl Answers {
    /// Those of a job.
    pub(in crate::commands) fn of(store: &Store, found: &Found) -> Result<Self, StoreError> {
        let mut begun: HashMap<i64, Option<i64>> = HashMap::new();
        for create in store.creates(&found.job.key)? {
            let batch = create.reply.and_then(|reply| serde_json::from_str::<Batch>(&reply).ok());
            begun.insert(create.shard, batch.and_then(|batch| batch.created_at));
        }
        let (mut paths, mut numbers, mut origins) = (Vec::new(), HashMap::new(), Vec::new());
        for (number, artifact) in (0..).zip(store.artifacts(&found.job.key)?) {
            paths.push(found.folder.results().join(&artifact.name));
            numbers.insert(artifact.id, number);
            let begun = begun.get(&artifact.shard).copied().flatten();
            let is_copy = artifact.kind == ArtifactKind::Cached;
            origins.push((!is_copy).then_some(Origin { shard: artifact.shard, begun }));
        }
        Ok(Self { paths, numbers, origins })
    }

    /// The files, to be read from.
    pub(in crate::commands) fn artifacts(&self) -> Artifacts {
        Artifacts::new(self.paths.clone())
    }

    /// Where the line of an outcome lies.
    pub(in crate::commands) fn place(&self, record: &OutcomeRecord) -> Option<Place> {
        let (id, offset, length) = record.place?;
        let length = u32::try_from(length).ok()?;
        Some(Place { artifact: *self.numbers.get(&id)?, offset, length })
    }

    fn origin(&self, place: Place) -> Option<&Origin> {
        self.origins.get(place.artifact as usize)?.as_ref()
    }

    /// The shard whose batch wrote a line.
    pub(in crate::commands) fn shard_of(&self, place: Place) -> Option<i64> {
        self.origin(place).map(|origin| origin.shard)
    }

    /// How long an answer took from the making of its batch on, in seconds of the provider's
    /// clock, where both are told.
    pub(in crate::commands) fn seconds(&self, place: Place, answered: Option<i64>) -> Option<u64> {
        let begun = self.origin(place)?.begun?;
        u64::try_from(answered?.checked_sub(begun)?).ok()
    }

    /// An outcome as the table and its writers need it.
    pub(in crate::commands) fn settled(&self, record: OutcomeRecord) -> Settled {
        Settled {
            provider: None,
            place: self.place(&record),
            error: record.error,
            cost: record.cost,
            rounds: record.round,
            is_shared: record.usage.is_none(),
            ..Settled::new(record.row, Some(record.status))
        }
    }

    /// All of them in row order.
    pub(in crate::commands) fn all<'a>(
        &'a self,
        store: &'a Store,
        job: &'a str,
    ) -> impl Iterator<Item = Result<Settled, StoreError>> + 'a {
        Pages::new(store, job).map(|record| record.map(|record| self.settled(record)))
    }
}

/// The outcomes of a job, read page by page so that they are never all in memory.
pub(in crate::commands) struct Pages<'a> {
    store: &'a Store,
    job: &'a str,
    page: std::vec::IntoIter<OutcomeRecord>,
    next: u64,
}

impl<'a> Pages<'a> {
    /// From the first row on.
    pub(in crate::commands) fn new(store: &'a Store, job: &'a str) -> Self {
        Self { store, job, page: Vec::new().into_iter(), next: 0 }
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<OutcomeRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.page.next() {
            return Some(Ok(record));
        }
        match self.store.outcomes_from(self.job, self.next, PAGE) {
            Ok(page) => {
                self.next = page.last()?.row + 1;
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }
}
