//! Surplus batches: their shard has another one, but they run and are billed all the same. They
//! are asked after like any other, their files are kept beside those of the shard, and what they
//! answer counts for rows that have no good answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::agenda::Agenda;
use super::drive::Driver;
use super::poll::as_json;
use super::price::{larger, used};
use super::{Event, JobError};
use crate::answer::{RowStatus, judge};
use crate::base::hex_of_file;
use crate::batch::{Batch, BatchStatus, FailureKind, ResultFile, Usage, Used};
use crate::provider::{CallClass, CallError};
use crate::request::CustomId;
use crate::store::{
    ArtifactKind, ArtifactRecord, CallEnd, CallKind, OutcomeRecord, SPARE, ShardState,
    SurplusRecord, SurplusState,
};

/// What a surplus batch says of one request.
struct Spare {
    place: (i64, u64, u64),
    status: RowStatus,
    usage: Option<Usage>,
    error: Option<String>,
    class: Option<FailureKind>,
}

impl Driver<'_> {
    /// Takes every surplus batch as far as it goes now. A call that fails is made again with the
    /// next round of questions.
    pub(super) async fn see_to_surplus(&self, agenda: &mut Agenda) -> Result<(), JobError> {
        let open = self.store.surplus(&self.job.key)?;
        for surplus in open.iter().filter(|surplus| surplus.state != SurplusState::Settled) {
            if let Err(error) = self.see_to_one(surplus).await? {
                let text = format!("batch {}, one too many: {error}", surplus.batch);
                self.complain(agenda, &text);
            }
        }
        Ok(())
    }

    async fn see_to_one(&self, surplus: &SurplusRecord) -> Result<Result<(), CallError>, JobError> {
        let is_wished = self.store.is_cancel_wished(&self.job.key)?
            && surplus.state == SurplusState::Running
            && !self.store.has_cancelled_surplus(surplus)?;
        if surplus.state == SurplusState::Unwanted || is_wished {
            self.stop_surplus(surplus).await?;
        }
        if surplus.state != SurplusState::Stored {
            let batch = match self.api.retrieve(&surplus.batch).await {
                Ok(batch) => batch,
                Err(error) => {
                    self.log_failure(CallKind::Poll, Some(surplus.create), &error)?;
                    return Ok(Err(error));
                }
            };
            self.store.surplus_seen(&surplus.batch, &as_json(&batch))?;
            if !batch.status.is_some_and(BatchStatus::is_terminal) {
                return Ok(Ok(()));
            }
            match self.fetch_surplus(surplus, &batch).await? {
                Ok(files) => self.store.record_spares(surplus, &files)?,
                Err(error) => return Ok(Err(error)),
            }
        }
        // Its own batch comes first; what that lacks is known when it is settled.
        let shards = self.store.shards(&self.job.key)?;
        let holder = shards.iter().find(|shard| shard.id == surplus.shard);
        if holder.is_none_or(|shard| shard.state == ShardState::Settled) {
            self.settle_surplus(surplus)?;
        }
        Ok(Ok(()))
    }

    async fn stop_surplus(&self, surplus: &SurplusRecord) -> Result<(), JobError> {
        let call = self.store.begin_surplus_cancel(&self.job.key, surplus, self.clock.unix())?;
        let ended = match self.api.cancel(&surplus.batch).await {
            Ok(_) => CallEnd { class: "ok", now: self.clock.unix(), ..CallEnd::default() },
            Err(error) if error.class == CallClass::Rejected => self.ended_badly(&error),
            Err(error) => {
                // It is asked again in the next round.
                let ended = self.ended_badly(&error);
                return Ok(self.store.end_call(call, &ended)?);
            }
        };
        Ok(self.store.end_surplus_cancel(call, &surplus.batch, &ended)?)
    }

    /// Fetches both files. One that the provider no longer has is done without.
    async fn fetch_surplus(
        &self,
        surplus: &SurplusRecord,
        batch: &Batch,
    ) -> Result<Result<Vec<ArtifactRecord>, CallError>, JobError> {
        let files = [
            (ArtifactKind::Output, batch.output_file_id.as_deref()),
            (ArtifactKind::Error, batch.error_file_id.as_deref()),
        ];
        let mut artifacts = Vec::new();
        for (kind, file) in files {
            let Some(file) = file else { continue };
            let name = self.spare_name(surplus, kind)?;
            let path = self.folder.results().join(&name);
            let bytes = match self.api.download(file, &path, &|_| {}).await {
                Ok(bytes) => bytes,
                Err(error)
                    if error.class == CallClass::Rejected && !error.failure.stops_the_account() =>
                {
                    self.log_failure(CallKind::Download, Some(surplus.create), &error)?;
                    self.warn(&format!("batch {}, one too many: {error}", surplus.batch));
                    continue;
                }
                Err(error) => {
                    self.log_failure(CallKind::Download, Some(surplus.create), &error)?;
                    return Ok(Err(error));
                }
            };
            let digest = hex_of_file(&path).map_err(JobError::file("read", &path))?;
            artifacts.push(ArtifactRecord {
                id: 0,
                shard: surplus.shard,
                kind,
                name,
                bytes,
                digest,
            });
        }
        Ok(Ok(artifacts))
    }

    /// `r1-s0001-spare1-output.jsonl`.
    fn spare_name(&self, surplus: &SurplusRecord, kind: ArtifactKind) -> Result<String, JobError> {
        let shards = self.store.shards(&self.job.key)?;
        let shard = shards.into_iter().find(|shard| shard.id == surplus.shard);
        let stem = shard.expect("its create is of a shard").stem();
        Ok(format!("{stem}{SPARE}{}-{kind}.jsonl", surplus.number))
    }

    /// What the files of a surplus batch hold, by id: of two lines for one id the good one, else
    /// the first, and the larger count of tokens.
    fn spare_lines(&self, surplus: &SurplusRecord) -> Result<HashMap<String, Spare>, JobError> {
        let expected = self.expected()?;
        let start = self.spare_name(surplus, ArtifactKind::Output)?;
        let start = start.trim_end_matches("output.jsonl");
        let mut lines: HashMap<String, Spare> = HashMap::new();
        let artifacts = self.store.artifacts(&self.job.key)?;
        for artifact in artifacts.iter().filter(|artifact| artifact.name.starts_with(start)) {
            let path = self.folder.results().join(&artifact.name);
            for line in ResultFile::open(&path).map_err(JobError::file("read", &path))? {
                let (offset, length, line) = line.map_err(JobError::file("read", &path))?;
                let Ok(line) = line else { continue };
                let judged = judge(&line, expected.wanted());
                let mut spare = Spare {
                    place: (artifact.id, offset, length),
                    status: judged.status,
                    usage: used(&line),
                    error: judged.error,
                    class: judged.class,
                };
                match lines.entry(line.custom_id) {
                    Entry::Occupied(mut known) => {
                        let known = known.get_mut();
                        spare.usage = larger(known.usage, spare.usage);
                        known.usage = spare.usage;
                        if spare.status.is_good() && !known.status.is_good() {
                            *known = spare;
                        }
                    }
                    Entry::Vacant(place) => {
                        place.insert(spare);
                    }
                }
            }
        }
        Ok(lines)
    }

    /// Gives its answers to rows without a good one, and counts the tokens of the others.
    fn settle_surplus(&self, surplus: &SurplusRecord) -> Result<(), JobError> {
        let lines = self.spare_lines(surplus)?;
        let (prices, ask) = (self.prices()?, self.ask_of(surplus.shard)?);
        let answered = lines.values().filter(|line| line.status.is_good()).count();
        let (mut records, mut spent) = (Vec::new(), Used::default());
        for (id, line) in lines {
            let cost = prices.cost(ask, crate::request::Mode::Batch, line.usage);
            let id = CustomId::parse(&id).filter(|id| id.job6 == self.job.short());
            let known = match &id {
                Some(id) => self.store.outcomes_between(&self.job.key, id.row, id.row)?.pop(),
                None => None,
            };
            match (id, known) {
                (Some(id), Some(known)) if line.status.is_good() && !known.status.is_good() => {
                    let round = known.round.max(id.round);
                    // The bad answer in whose place it stands was paid for too.
                    let place = (id.row, id.row);
                    let before = self.store.outcomes_of_round(&self.job.key, round, place)?;
                    for replaced in before {
                        spent.add(replaced.usage, replaced.cost);
                    }
                    records.push(OutcomeRecord {
                        row: id.row,
                        round,
                        status: line.status,
                        place: Some(line.place),
                        content_key: known.content_key,
                        usage: line.usage,
                        cost,
                        error: line.error,
                        class: line.class,
                    });
                }
                _ => spent.add(line.usage, cost),
            }
        }
        self.store.settle_surplus(&self.job.key, &surplus.batch, &records, &spent)?;
        self.reporter.report(&Event::Warning {
            text: format!(
                "batch {}, one too many, has ended with {answered} answers: {} of them were \
                 wanted, {} tokens were used for the others",
                surplus.batch,
                records.len(),
                spent.usage.total()
            ),
        });
        Ok(())
    }
}
