//! Planning: one pass over the selected rows that measures and hashes every request, cuts them
//! into shards, and sets aside the rows that cannot become requests. Nothing is sent here, and
//! no request file is written.

use std::thread;

use super::by_tokens::by_tokens;
use super::count::TokenCounter;
use super::{Event, JobError, JobFolder, Reporter, Spec, Tally};
use crate::cost::{Estimate, Tokenizer, image_tokens};
use crate::request::{Compiled, CustomId, Endpoint, Measure, Skip, SkipKind, Source};
use crate::shard::{Cut, Cutter, Limits, RowEntry, RowsWriter};
use crate::store::NewShard;
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
    /// Digest of all that the user asked for.
    pub run_digest: String,
    /// The first request's line, as it will be sent.
    pub first_request: Option<String>,
    /// The columns whose cells are part of the texts that are sent.
    pub columns: Vec<String>,
}

impl Plan {
    fn empty(spec: &Spec) -> Self {
        let (tokenizer, exact) = Tokenizer::for_model(&spec.question.model);
        Self {
            tally: Tally::default(),
            shards: Vec::new(),
            estimate: Estimate {
                max_tokens: spec.question.max_tokens.map(u64::from),
                image_tokens: Some(0),
                exact,
                tokenizer: tokenizer.name(),
                ..Estimate::default()
            },
            run_digest: String::new(),
            first_request: None,
            columns: Vec::new(),
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

/// Plans a job over its own copy of the table; row lists go into the folder.
pub fn plan(
    spec: &Spec,
    table: &Table,
    (limits, most_tokens): (&Limits, Option<u64>),
    folder: &JobFolder,
    reporter: &dyn Reporter,
) -> Result<Plan, JobError> {
    thread::scope(|scope| {
        let is_chat = spec.question.endpoint != Endpoint::Embeddings;
        let mut planner = Planner {
            spec,
            compiled: spec.question.compile(table.headers())?,
            cutter: Cutter::new(*limits),
            folder,
            open: None,
            digest: digest_of(spec),
            counter: TokenCounter::start(scope, &spec.question, is_chat),
            most_tokens,
            of_images: Vec::new(),
            plan: Plan::empty(spec),
        };
        let names = planner.compiled.columns().iter().filter_map(|at| table.headers().get(*at));
        planner.plan.columns = names.cloned().collect();
        visit_selected::<JobError>(table, &spec.selection, |row| {
            planner.take(row)?;
            if planner.plan.tally.rows.is_multiple_of(REPORT_EVERY) {
                reporter.report(&Event::Planning { rows: planner.plan.tally.rows });
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
    let fixed = serde_json::json!({
        "rules": spec.rules,
        "provider": spec.provider,
        "base_url": spec.base_url,
        "question": spec.question.digest(),
        "fields": spec.fields,
        "selection": spec.selection,
        // Finished requests are sent as they stand, ids included.
        "requests": (spec.question.source == Source::Foreign).then_some(&spec.source_digest),
    });
    let mut hasher = blake3::Hasher::new();
    hasher.update(fixed.to_string().as_bytes());
    hasher
}

struct Planner<'a> {
    spec: &'a Spec,
    compiled: Compiled,
    cutter: Cutter,
    folder: &'a JobFolder,
    open: Option<(NewShard, RowsWriter)>,
    digest: blake3::Hasher,
    counter: TokenCounter<'a>,
    /// The most prompt tokens of one shard, where the provider's queue has a known limit.
    most_tokens: Option<u64>,
    /// Tokens of the images of each request.
    of_images: Vec<u32>,
    plan: Plan,
}

impl Planner<'_> {
    fn take(&mut self, row: &Row) -> Result<(), JobError> {
        self.plan.tally.rows += 1;
        self.digest.update(&row.number().to_le_bytes());
        match self.fit(row) {
            Ok((measure, cut)) => self.place(row, &measure, cut),
            Err(skip) => {
                self.plan.estimate.skipped += 1;
                // That it is skipped is part of what was asked; the words of the reason are not: they
                // may hold paths, and a release that words them anew must not ask everything again.
                self.digest.update(format!("{:?}", skip.kind).as_bytes());
                self.plan.tally.skip(row, skip);
                Ok(())
            }
        }
    }

    fn fit(&mut self, row: &Row) -> Result<(Measure, Cut), Skip> {
        if let Some(fault) = row.fault() {
            return Err(Skip::new(SkipKind::Ragged, fault.to_string()));
        }
        let measure = self.compiled.measure(row, CustomId::length(row.number(), 1))?;
        let cut = self.cutter.push(measure.line_bytes)?;
        Ok((measure, cut))
    }

    fn place(&mut self, row: &Row, measure: &Measure, cut: Cut) -> Result<(), JobError> {
        self.digest.update(&measure.content_key);
        self.count(row, measure);
        if self.plan.first_request.is_none() {
            self.plan.first_request = self.line(row);
        }
        if cut == Cut::New || self.open.is_none() {
            self.close()?;
            let number = self.plan.shards.len() as u64 + 1;
            let path = self.folder.rows_file(&format!("r1-s{number:04}"));
            let writer = RowsWriter::create(&path).map_err(JobError::file("write", &path))?;
            let shard = NewShard { round: 1, number, rows: 0, bytes: 0, tokens: 0 };
            self.open = Some((shard, writer));
        }
        let (shard, writer) = self.open.as_mut().expect("opened above");
        shard.rows += 1;
        shard.bytes += measure.line_bytes;
        let position = row.position();
        let entry = RowEntry {
            row: row.number(),
            line: row.line(),
            offset: position.offset,
            line_bytes: measure.line_bytes,
            row_hash: row.hash(),
            content_key: measure.content_key,
        };
        writer.write(&entry).map_err(JobError::file("write", self.folder.root()))
    }

    /// Adds a request's prompt tokens. Texts are counted as they will be sent, images by their
    /// size; base64 is never given to a tokenizer.
    fn count(&mut self, row: &Row, measure: &Measure) {
        let question = &self.spec.question;
        let estimate = &mut self.plan.estimate;
        estimate.requests += 1;
        estimate.bytes += measure.line_bytes;
        self.counter.add(self.compiled.prompt_texts(row).unwrap_or(&[]));
        let mut of_images = 0;
        for size in &measure.image_headers {
            estimate.images += 1;
            let tokens = size.and_then(|size| {
                let detail = question.images.detail.into();
                image_tokens(&question.model, size.width, size.height, detail)
            });
            of_images += tokens.unwrap_or(0);
            estimate.image_tokens = estimate.image_tokens.zip(tokens).map(|(sum, n)| sum + n);
        }
        self.of_images.push(u32::try_from(of_images).unwrap_or(u32::MAX));
    }

    fn line(&mut self, row: &Row) -> Option<String> {
        let mut line = Vec::new();
        let id = CustomId { job6: "000000".to_owned(), row: row.number(), round: 1 };
        self.compiled.write_line(row, &id.to_string(), &mut line).ok()?;
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn close(&mut self) -> Result<(), JobError> {
        if let Some((shard, writer)) = self.open.take() {
            writer.finish().map_err(JobError::file("write", self.folder.root()))?;
            self.plan.shards.push(shard);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Plan, JobError> {
        self.close()?;
        self.plan.run_digest = self.digest.finalize().to_hex().to_string();
        self.plan.tally.finish(&self.compiled);
        let texts = self.counter.finish();
        self.plan.estimate.text_tokens = texts.iter().copied().map(u64::from).sum();
        let tokens: Vec<u64> = texts
            .iter()
            .zip(&self.of_images)
            .map(|(text, images)| u64::from(*text) + u64::from(*images))
            .collect();
        let shards = std::mem::take(&mut self.plan.shards);
        self.plan.shards = by_tokens(shards, &tokens, self.most_tokens, self.folder)?;
        self.plan.estimate.shards = self.plan.shards.len() as u64;
        Ok(self.plan)
    }
}
