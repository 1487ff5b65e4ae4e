//! Planning: one pass over the selected rows that measures and hashes every request, cuts them
//! into shards, and sets aside the rows that cannot become requests and those that need not be
//! sent. Nothing is sent here, and no request file is written.

use std::thread;

use super::planner::Planner;
use super::{Event, JobError, Lists, Most, Reporter, Reuse, Spec, Tally};
use crate::cost::{Estimate, Pricing, Tokenizer};
use crate::request::{Mode, Source};
use crate::shard::Limits;
use crate::store::{CachedFile, EqualRow, NewShard};
use crate::table::{Row, Selection, Table, Verdict};

/// Rows between two reports of progress.
pub(super) const REPORT_EVERY: u64 = 5_000;

/// What will be sent, counted.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What became of the rows.
    pub tally: Tally,
    /// Shards of the first round.
    pub shards: Vec<NewShard>,
    /// Requests, bytes and prompt tokens.
    pub estimate: Estimate,
    /// Rows that an earlier job answered, if any; their answers lie in the folder.
    pub cached: Option<CachedFile>,
    /// Rows that ask the same as an earlier row and get its outcome.
    pub equal: Vec<EqualRow>,
    /// Digest of all that the user asked for, whatever of it was answered before.
    pub run_digest: String,
    /// The first request's line, as it will be sent.
    pub first_request: Option<String>,
    /// The columns whose cells are part of the texts that are sent.
    pub columns: Vec<String>,
    /// How its requests are sent: as the request says, or by calls where they are few.
    pub mode: Mode,
}

impl Plan {
    pub(super) fn empty(spec: &Spec, pricing: &Pricing) -> Self {
        let (tokenizer, exact) = Tokenizer::for_model(&spec.question.model);
        Self {
            tally: Tally::default(),
            shards: Vec::new(),
            cached: None,
            equal: Vec::new(),
            estimate: Estimate {
                max_tokens: pricing.max_tokens,
                learned_from: pricing.lengths.count(),
                price: pricing.price.clone(),
                is_embedding: pricing.is_embedding,
                exact,
                mode: pricing.mode,
                finish: pricing.finish,
                tokenizer: tokenizer.name(),
                ..Estimate::default()
            },
            run_digest: String::new(),
            first_request: None,
            columns: Vec::new(),
            mode: spec.mode,
        }
    }

    /// Requests in all shards.
    pub fn requests(&self) -> u64 {
        self.shards.iter().map(|shard| shard.rows).sum()
    }

    /// Bytes of all shards.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }
}

/// Plans a job over its own copy of the table; row lists and copies of earlier answers go where
/// `lists` says. Without `reuse` every row is sent. Shards are cut so that none is more than the
/// provider's queue or the limit on cost could ever take.
pub fn plan(
    (spec, pricing): (&Spec, &Pricing),
    table: &Table,
    (limits, most): (&Limits, Most),
    lists: Lists<'_>,
    reuse: Option<Reuse<'_>>,
    reporter: &dyn Reporter,
) -> Result<Plan, JobError> {
    thread::scope(|scope| {
        let mut planner =
            Planner::new(scope, (spec, pricing), table, (limits, most), lists, reuse)?;
        visit_selected::<JobError>(table, &spec.selection, |row| {
            planner.take(row)?;
            let rows = planner.rows();
            if rows.is_multiple_of(REPORT_EVERY) {
                reporter.report(&Event::Planning { rows });
            }
            Ok(())
        })?;
        planner.finish()
    })
}

/// Hands every selected row of a table to the visitor, in order.
pub fn visit_selected<E: From<crate::table::TableError>>(
    table: &Table,
    selection: &Selection,
    mut visit: impl FnMut(&Row) -> Result<(), E>,
) -> Result<(), E> {
    let mut selection = selection.fresh();
    let mut rows = table.rows()?;
    while let Some(row) = rows.next_row()? {
        match selection.takes(row) {
            Verdict::Take => visit(row)?,
            Verdict::Pass => {}
            Verdict::Stop => break,
        }
    }
    Ok(())
}

/// Everything but the rows that decides what is sent and to whom. Not in it: paths, dates, the
/// account, and where the answers go.
pub(super) fn digest_of(spec: &Spec) -> blake3::Hasher {
    let mut fixed = serde_json::json!({
        "rules": spec.rules,
        "provider": spec.provider,
        "base_url": spec.base_url,
        "question": spec.question.digest(),
        "fields": spec.form.fields,
        "selection": spec.selection,
        // Finished requests are sent as they stand, ids included.
        "requests": (spec.question.source == Source::Foreign).then_some(&spec.source_digest),
    });
    // Only where there is one: jobs of before there were schemas keep their digest.
    if let Some(schema) = &spec.form.schema {
        fixed["schema"] = schema.as_str().into();
    }
    if spec.form.explode {
        fixed["explode"] = true.into();
    }
    // Who else may answer is part of what was asked; how it is sent is not: the same line goes on
    // with the same job in either mode.
    if !spec.others.is_empty() {
        let others = spec.others.iter();
        let others = others.map(|other| (&other.provider, other.question.digest()));
        fixed["others"] = others.map(|(name, digest)| serde_json::json!([name, digest])).collect();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(fixed.to_string().as_bytes());
    hasher
}
