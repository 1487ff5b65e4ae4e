//! Waiting for a turn: how much may be in the provider's queue, what of it is taken, and which
//! shards stay at home meanwhile. A file that could only wait at the provider is not uploaded.

use super::agenda::Agenda;
use super::drive::Driver;
use super::{Event, JobError};
use crate::answer::RowStatus;
use crate::base::redact;
use crate::batch::{FailureKind, told_queue_limit};
use crate::store::{JobState, OutcomeRecord, Queue, ShardRecord, ShardState, has_room};

/// How long a limit that a refusal told is believed, in seconds: accounts grow into other tiers.
pub const LEARNED_FOR: i64 = 30 * 24 * 60 * 60;

/// Shards of which nothing runs and that will be sent.
const UNSENT: [ShardState; 4] =
    [ShardState::Planned, ShardState::Uploaded, ShardState::Deferred, ShardState::Calling];

/// Refusals of a shard by a queue in which nothing else of ours was, after which the shard is
/// taken to be too large for it.
const LONELY_REFUSALS: u32 = 3;

impl Driver<'_> {
    fn queue(&self) -> Queue {
        Queue {
            base_url: self.job.base_url.clone(),
            account: self.job.account.clone(),
            model: self.spec.question.model.clone(),
        }
    }

    /// The tokens that may be queued: what the user set, else what a refusal told, else what is
    /// published; `None` where nobody knows.
    pub(super) fn queue_limit(&self) -> Result<Option<u64>, JobError> {
        if self.options.max_enqueued_tokens.is_some() {
            return Ok(self.options.max_enqueued_tokens);
        }
        let since = self.clock.unix() - LEARNED_FOR;
        let learned = self.store.learned_limit(&self.queue(), since)?;
        Ok(learned.or(self.options.published_enqueued_tokens))
    }

    /// The first of these shards, as many as the queue has room for; none while a refusal is
    /// waited out.
    pub(super) fn with_room(
        &self,
        agenda: &Agenda,
        mut open: Vec<ShardRecord>,
    ) -> Result<Vec<ShardRecord>, JobError> {
        let mut queued = self.store.queued(&self.queue())?;
        if agenda.is_held(self.clock.instant(), queued) {
            return Ok(Vec::new());
        }
        let limit = self.queue_limit()?;
        let mut room = 0;
        for shard in &open {
            if !has_room(queued, shard.tokens, limit) {
                break;
            }
            queued = queued.saturating_add(shard.tokens);
            room += 1;
        }
        open.truncate(room);
        Ok(open)
    }

    /// Takes note that the provider's queue had no room for a shard: nothing ran, nothing is
    /// billed, and the same file goes again.
    pub(super) fn defer(&self, shard: &ShardRecord, words: &str) -> Result<(), JobError> {
        let limit = told_queue_limit(words);
        self.store.defer_shard(shard.id, &redact(words), limit, self.clock.unix())?;
        Ok(())
    }

    /// Lets everything wait after a refusal by a full queue.
    pub(super) fn hold(&self, agenda: &mut Agenda) -> Result<(), JobError> {
        let queued = self.store.queued(&self.queue())?;
        agenda.hold(self.clock.instant(), queued);
        Ok(())
    }

    /// Before anything is sent: a hold that is over is lifted, and shards that no queue can take
    /// whole are cut.
    pub(super) fn make_fit(&self, agenda: &mut Agenda) -> Result<(), JobError> {
        let queued = self.store.queued(&self.queue())?;
        if !agenda.is_held(self.clock.instant(), queued) {
            agenda.lift_hold();
        }
        let limit = self.queue_limit()?;
        if let Some(limit) = limit.filter(|_| agenda.cut_for != limit) {
            for shard in self.store.shards_over(&self.job.key, limit)? {
                let share = u128::from(shard.bytes) * u128::from(limit) / u128::from(shard.tokens);
                let most = u64::try_from(share).unwrap_or(u64::MAX).max(1);
                let why = format!("more tokens than the {limit} that may be queued");
                self.repack(&shard, most, shard.cuts, &why)?;
            }
            agenda.cut_for = Some(limit);
        }
        if agenda.lonely >= LONELY_REFUSALS {
            agenda.lonely = 0;
            let first = self.store.shards_in(&self.job.key, &[ShardState::Deferred], 1)?;
            match first.first() {
                Some(shard) if shard.rows > 1 => {
                    let why = "the queue refused it again and again with nothing else in it";
                    self.repack(shard, shard.bytes.div_ceil(2), shard.cuts, why)?;
                }
                Some(shard) => self.set_aside(shard)?,
                None => {}
            }
        }
        Ok(())
    }

    /// A row that the queue does not take by itself will never be taken.
    fn set_aside(&self, shard: &ShardRecord) -> Result<(), JobError> {
        let words = shard.detail.as_deref().unwrap_or("no reason given");
        let entries = self.entries(shard)?;
        let known = self.settled_before(shard, &entries)?;
        let records: Vec<_> = entries
            .iter()
            .filter(|entry| !known.contains_key(&entry.row))
            .map(|entry| OutcomeRecord {
                row: entry.row,
                round: shard.round,
                status: RowStatus::Skipped,
                place: None,
                content_key: Some(entry.content_key),
                usage: None,
                cost: None,
                error: Some(format!(
                    "too large for the queue of {}, which refused it with nothing else in it: \
                     {words}",
                    self.api.name()
                )),
                class: Some(FailureKind::Invalid),
            })
            .collect();
        self.warn(&format!(
            "{} holds one row that the queue of {} never takes; it is set aside",
            shard.title(),
            self.api.name()
        ));
        Ok(self.store.settle_shard(&self.job.key, shard.id, &records)?)
    }

    /// What the shards that are not sent wait for; `None` if nothing keeps them.
    pub(super) fn waits_for_turn(&self, agenda: &Agenda) -> Result<Option<String>, JobError> {
        let shards = self.unsent()?;
        if shards == 0 || !self.options.submit {
            return Ok(None);
        }
        let waiting = if shards == 1 { "shard waits" } else { "shards wait" };
        if let Some(over) = self.over_budget()? {
            return Ok(Some(format!(
                "{shards} {waiting} for what runs to be settled: {}",
                over.why
            )));
        }
        let queued = self.store.queued(&self.queue())?;
        let (model, provider) = (&self.spec.question.model, self.api.name());
        let now = self.clock.instant();
        if agenda.is_held(now, queued) {
            let until = agenda.next_turn.unwrap_or(now).saturating_duration_since(now);
            let minutes = until.as_secs().div_ceil(60);
            return Ok(Some(format!(
                "{shards} {waiting}: the queue of {model} at {provider} is full; tried again when \
                 one of our batches ends, or in {minutes} min"
            )));
        }
        let Some(limit) = self.queue_limit()? else { return Ok(None) };
        Ok((queued > 0).then(|| {
            format!(
                "{shards} {waiting} for a turn: {queued} of {limit} prompt tokens that may be \
                 queued for {model} at {provider} are taken"
            )
        }))
    }

    /// The shards of which nothing runs and that will be sent, in the order in which they are.
    pub(super) fn unsent_shards(&self) -> Result<Vec<ShardRecord>, JobError> {
        Ok(self.store.shards_in(&self.job.key, &UNSENT, usize::MAX)?)
    }

    /// How many these are.
    pub(super) fn unsent(&self) -> Result<u64, JobError> {
        UNSENT.iter().map(|state| self.count(*state)).sum()
    }

    /// Tells once that shards wait, and keeps in the ledger what for.
    pub(super) fn tell_waiting(&self, agenda: &mut Agenda) -> Result<(), JobError> {
        let words = self.waits_for_turn(agenda)?;
        if agenda.waits_for == words {
            return Ok(());
        }
        if let Some(text) = words.as_ref().filter(|_| agenda.waits_for.is_none()) {
            self.reporter.report(&Event::Note { text: text.clone() });
        }
        let now = self.clock.unix();
        self.store.set_job_state(&self.job.key, JobState::Running, words.as_deref(), now)?;
        agenda.waits_for = words;
        Ok(())
    }
}
