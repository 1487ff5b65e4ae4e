//! Planning: one pass over the selected rows that measures and hashes every request, cuts them
//! into shards, and sets aside the rows that cannot become requests. Nothing is sent here, and
//! no request file is written.

use std::collections::BTreeMap;

use super::{Event, JobError, JobFolder, Reporter, Spec};
use crate::answer::RowStatus;
use crate::cost::{Counter, Tokens};
use crate::request::{Compiled, CustomId, Skip, SkipKind};
use crate::shard::{Cut, Cutter, Limits, RowEntry, RowsWriter};
use crate::store::{NewShard, OutcomeRecord};
use crate::table::{Row, Selection, Table, Verdict};

/// Rows between two reports of progress.
const REPORT_EVERY: u64 = 5_000;

/// What will be sent, counted.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Selected rows.
    pub rows: u64,
    /// Shards of the first round.
    pub shards: Vec<NewShard>,
    /// Rows without a request, with the reason.
    pub skipped: Vec<OutcomeRecord>,
    /// How many rows were skipped for which kind of reason.
    pub skip_kinds: BTreeMap<SkipKind, u64>,
    /// Prompt tokens of all requests.
    pub tokens: Tokens,
    /// Digest of all that the user asked for.
    pub run_digest: String,
    /// The first request's line, as it will be sent.
    pub first_request: Option<String>,
    /// What a person should know about the question.
    pub notes: Vec<String>,
}

impl Plan {
    /// Requests in all shards.
    pub fn requests(&self) -> u64 {
        self.shards.iter().map(|shard| shard.rows).sum()
    }

    /// Bytes of all shards.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }
}

/// Plans a job over its own copy of the table; row lists go into the folder.
pub fn plan(
    spec: &Spec,
    table: &Table,
    limits: &Limits,
    folder: &JobFolder,
    reporter: &dyn Reporter,
) -> Result<Plan, JobError> {
    let compiled = spec.question.compile(table.headers())?;
    let mut planner = Planner {
        counter: Counter::for_question(&spec.question.model),
        compiled,
        cutter: Cutter::new(limits),
        limits,
        folder,
        open: None,
        digest: digest_of(spec)?,
        plan: Plan {
            rows: 0,
            shards: Vec::new(),
            skipped: Vec::new(),
            skip_kinds: BTreeMap::new(),
            tokens: Tokens::default(),
            run_digest: String::new(),
            first_request: None,
            notes: Vec::new(),
        },
    };
    visit_selected(table, &spec.selection, |row| {
        planner.take(row)?;
        if planner.plan.rows.is_multiple_of(REPORT_EVERY) {
            reporter.report(&Event::Planning { rows: planner.plan.rows });
        }
        Ok(())
    })?;
    planner.finish()
}

/// Hands every selected row of a table to the visitor, in order.
pub fn visit_selected<E: From<crate::table::TableError>>(
    table: &Table,
    selection: &Selection,
    mut visit: impl FnMut(&Row) -> Result<(), E>,
) -> Result<(), E> {
    let mut selection = selection.clone();
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
fn digest_of(spec: &Spec) -> Result<blake3::Hasher, JobError> {
    let fixed = serde_json::json!({
        "rules": spec.rules,
        "provider": spec.provider,
        "base_url": spec.base_url,
        "question": spec.question.digest(),
        "fields": spec.fields,
        "selection": spec.selection,
    });
    let mut hasher = blake3::Hasher::new();
    hasher.update(fixed.to_string().as_bytes());
    Ok(hasher)
}

struct Planner<'a> {
    compiled: Compiled,
    counter: Counter,
    cutter: Cutter,
    limits: &'a Limits,
    folder: &'a JobFolder,
    open: Option<(NewShard, RowsWriter)>,
    digest: blake3::Hasher,
    plan: Plan,
}

impl Planner<'_> {
    fn take(&mut self, row: &Row) -> Result<(), JobError> {
        self.plan.rows += 1;
        self.digest.update(&row.number().to_le_bytes());
        match self.compiled.measure(row, CustomId::length_for(row.number())) {
            Ok(measure) => match self.limits.refusal_of_line(measure.line_bytes) {
                None => self.place(row, &measure),
                Some(reason) => {
                    self.skip(row, Skip { kind: SkipKind::TooLarge, reason });
                    Ok(())
                }
            },
            Err(skip) => {
                self.skip(row, skip);
                Ok(())
            }
        }
    }

    fn place(&mut self, row: &Row, measure: &crate::request::Measure) -> Result<(), JobError> {
        self.digest.update(&measure.content_key);
        self.plan.tokens += self.counter.count(&self.compiled, row, measure);
        if self.plan.first_request.is_none() {
            let mut line = Vec::new();
            let id = CustomId::new("000000", row.number(), 1).to_string();
            if self.compiled.write_line(row, &id, &mut line).is_ok() {
                self.plan.first_request = Some(String::from_utf8_lossy(&line).trim_end().into());
            }
        }
        if self.cutter.push(measure.line_bytes) == Cut::New || self.open.is_none() {
            self.close()?;
            let shard = NewShard {
                round: 1,
                number: self.plan.shards.len() as u64 + 1,
                rows: 0,
                bytes: 0,
            };
            let path = self.folder.rows_file(&format!("r1-s{:04}", shard.number));
            self.open = Some((shard, RowsWriter::create(&path)?));
        }
        let (shard, writer) = self.open.as_mut().expect("opened above");
        shard.rows += 1;
        shard.bytes += measure.line_bytes;
        writer.push(&RowEntry::new(row, measure))?;
        Ok(())
    }

    fn skip(&mut self, row: &Row, skip: Skip) {
        *self.plan.skip_kinds.entry(skip.kind).or_default() += 1;
        self.plan.skipped.push(OutcomeRecord {
            row: row.number(),
            round: 0,
            status: RowStatus::Skipped,
            place: None,
            content_key: None,
            usage: None,
            error: Some(skip.reason),
        });
    }

    fn close(&mut self) -> Result<(), JobError> {
        if let Some((shard, writer)) = self.open.take() {
            writer.finish()?;
            self.plan.shards.push(shard);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Plan, JobError> {
        self.close()?;
        self.plan.run_digest = self.digest.finalize().to_hex().to_string();
        self.plan.notes = self.compiled.notes().to_vec();
        Ok(self.plan)
    }
}
