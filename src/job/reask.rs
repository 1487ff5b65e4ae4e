//! Rows that are asked again because their answer is not the JSON that was wanted: the same request
//! with that answer and what is wrong with it. Both are read from where the ledger says they lie,
//! so a request that is built anew after a crash is the same.

use std::collections::{BTreeMap, HashMap};

use super::build::{BuiltFile, build_shard};
use super::drive::Driver;
use super::rounds::Weighed;
use super::{JobError, JobFolder, Spec};
use crate::answer::Fields;
use crate::base::DiskFile;
use crate::batch::{Outcome, decode_line};
use crate::cost::{Biller, Lengths, Pricing, text_tokens};
use crate::request::{Endpoint, Mode, Objection, Question, field_hint};
use crate::store::{BadAnswer, NewShard, ShardRecord, Store};

/// Finished rows that the length of answers is learned from at most.
const LEARNED_ROWS: u32 = 10_000;
/// Prompt tokens that two more messages have besides those of their texts.
const OVERHEAD: u64 = 8;

/// What there is to object to the last answers of some rows.
pub struct Objections<'a> {
    folder: &'a JobFolder,
    bad: BTreeMap<u64, BadAnswer>,
    /// The line that names the wanted form.
    form: Option<String>,
    files: HashMap<String, DiskFile>,
}

impl<'a> Objections<'a> {
    /// What there was to object to the last answers that these rows of a job had before a round.
    pub fn before(
        store: &Store,
        (job, spec): (&str, &Spec),
        folder: &'a JobFolder,
        round: u32,
        range: (u64, u64),
    ) -> Result<Self, JobError> {
        Ok(Self {
            folder,
            bad: store.bad_answers(job, round, range)?,
            form: form_line(spec),
            files: HashMap::new(),
        })
    }

    /// The objection to the last answer of a row, or why there is none.
    pub fn of(&mut self, row: u64) -> Result<Objection, String> {
        let gone = || "the answer that it was to be asked about cannot be read any more".to_owned();
        let bad = self.bad.get(&row).ok_or_else(gone)?;
        let (_, offset, length) = bad.outcome.place.ok_or_else(gone)?;
        let path = self.folder.results().join(&bad.file);
        let file = match self.files.entry(bad.file.clone()) {
            std::collections::hash_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(DiskFile::open(&path).map_err(|_| gone())?)
            }
        };
        let mut line = vec![0; usize::try_from(length).map_err(|_| gone())?];
        file.read_exact_at(&mut line, offset).map_err(|_| gone())?;
        let Ok(line) = decode_line(&line) else { return Err(gone()) };
        let Outcome::Answered(reply) = &line.outcome else { return Err(gone()) };
        let fault = bad.outcome.error.as_deref().unwrap_or("it is not the JSON that is wanted");
        Ok(Objection::new(&reply.content, fault, self.form.as_deref()))
    }

    /// Prompt tokens that the provider counted when it gave the answer.
    fn prompt_tokens(&self, row: u64) -> Option<u64> {
        Some(self.bad.get(&row)?.outcome.usage?.prompt_tokens)
    }
}

/// The line that names the wanted keys; a schema is part of each request or held to apart from it.
pub fn form_line(spec: &Spec) -> Option<String> {
    if spec.form.schema.is_some() {
        return None;
    }
    let fields = spec.form.fields.as_deref()?;
    let fields = Fields::parse(fields).ok()?;
    field_hint(&fields.typed(), "", None)
}

impl Driver<'_> {
    /// Writes the request file of a shard.
    pub(super) fn build_file(&self, shard: &ShardRecord) -> Result<BuiltFile, JobError> {
        let spec = self.spec_of(shard)?;
        let mut objections = None;
        if shard.asks.is_reask {
            let entries = self.entries(shard)?;
            let rows = entries.iter().map(|entry| entry.row);
            let range = (rows.clone().min().unwrap_or(0), rows.max().unwrap_or(0));
            objections = Some(self.objections(shard.round, range)?);
        }
        let asked = (shard, objections.as_mut());
        build_shard(&spec, self.table, self.folder, &self.job.key, asked)
    }

    /// What there is to object to the last answers that these rows had before a round.
    pub(super) fn objections(
        &self,
        before: u32,
        range: (u64, u64),
    ) -> Result<Objections<'_>, JobError> {
        let job = (self.job.key.as_str(), self.spec);
        Objections::before(self.store, job, self.folder, before, range)
    }

    /// Makes rows, whose lines are as long as without it, as long as they are with an objection,
    /// in bytes and in prompt tokens.
    pub(super) fn with_objections(
        &self,
        round: u32,
        model: &str,
        entries: &mut [Weighed],
    ) -> Result<(), JobError> {
        let rows = entries.iter().map(|(entry, _)| entry.row);
        let (Some(first), Some(last)) = (rows.clone().min(), rows.max()) else { return Ok(()) };
        let mut objections = self.objections(round, (first, last))?;
        for (entry, tokens) in entries {
            // What cannot be read any more is found out, and told, when the file is built.
            let Ok(objection) = objections.of(entry.row) else { continue };
            let texts = objection.texts().map(|text| text_tokens(model, text));
            *tokens = objections.prompt_tokens(entry.row).unwrap_or(*tokens).max(*tokens)
                + texts.iter().sum::<u64>()
                + OVERHEAD;
            entry.line_bytes += objection.bytes();
        }
        Ok(())
    }

    /// What shards of such rows are counted as against budgets until they are settled; they hold
    /// these rows, in order.
    pub(super) fn reserve(
        &self,
        (ask, question, mode): (Option<i64>, &Question, Mode),
        shards: &mut [NewShard],
        entries: &[Weighed],
    ) -> Result<(), JobError> {
        let lengths = match &self.job.prompt {
            Some(prompt) => self.store.answer_lengths(prompt, LEARNED_ROWS)?,
            None => Vec::new(),
        };
        let pricing = Pricing {
            price: self.prices()?.of_ask(ask).cloned(),
            mode,
            max_tokens: question.most_output(),
            is_embedding: question.endpoint == Endpoint::Embeddings,
            lengths: Lengths::of(&lengths),
            ..Pricing::default()
        };
        let biller = Biller::new(&pricing, entries.len() as u64, true);
        let mut rest = entries;
        for shard in shards {
            let rows = usize::try_from(shard.rows).unwrap_or(usize::MAX).min(rest.len());
            let (mine, others) = rest.split_at(rows);
            let add = |sum: u64, tokens| Some(sum.saturating_add(biller.reserve(tokens)?));
            shard.reserve = mine.iter().try_fold(0, |sum, (_, tokens)| add(sum, *tokens));
            rest = others;
        }
        Ok(())
    }
}
