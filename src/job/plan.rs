//! Planning: one pass over the selected rows that measures and hashes every request, cuts them
//! into shards, and sets aside the rows that cannot become requests and those that need not be
//! sent. Nothing is sent here, and no request file is written.

use std::thread;

use super::by_tokens::{Most, Reserve, by_tokens};
use super::count::TokenCounter;
use super::unsent::{Reuse, Unsent, Way};
use super::{Event, JobError, JobFolder, Reporter, Spec, Tally};
use crate::cost::{Biller, Estimate, Part, Pricing, Tokenizer, image_tokens};
use crate::request::{Compiled, CustomId, Endpoint, Measure, Skip, SkipKind, Source};
use crate::shard::{Cut, Cutter, Limits, RowEntry, RowsWriter};
use crate::store::{CachedFile, EqualRow, NewShard};
use crate::table::{Position, Row, Selection, Table, Verdict};

/// Rows between two reports of progress.
pub(super) const REPORT_EVERY: u64 = 5_000;

/// Rows whose earlier answers are looked up together.
const TOGETHER: usize = 500;

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
}

impl Plan {
    fn empty(spec: &Spec, pricing: &Pricing) -> Self {
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

/// Plans a job over its own copy of the table; row lists and copies of earlier answers go into
/// the folder. Without `reuse` every row is sent. Shards are cut so that none is more than the
/// provider's queue or the limit on cost could ever take.
pub fn plan(
    (spec, pricing): (&Spec, &Pricing),
    table: &Table,
    (limits, most): (&Limits, Most),
    folder: &JobFolder,
    reuse: Option<Reuse<'_>>,
    reporter: &dyn Reporter,
) -> Result<Plan, JobError> {
    thread::scope(|scope| {
        let is_chat = spec.question.endpoint != Endpoint::Embeddings;
        let mut planner = Planner {
            spec,
            pricing,
            table,
            waiting: Vec::new(),
            ways: Vec::new(),
            of_images: Vec::new(),
            most,
            unsent: Unsent::begin(spec, reuse, folder)?,
            first: None,
            compiled: spec.question.compile(table.headers())?,
            cutter: Cutter::new(*limits),
            folder,
            open: None,
            digest: digest_of(spec),
            counter: Some(TokenCounter::start(scope, &spec.question, is_chat)),
            plan: Plan::empty(spec, pricing),
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
    let mut hasher = blake3::Hasher::new();
    hasher.update(fixed.to_string().as_bytes());
    hasher
}

/// A row that can be sent, until it is known whether it need be.
struct Waiting {
    entry: RowEntry,
    images: u64,
    image_tokens: Option<u64>,
}

struct Planner<'a> {
    spec: &'a Spec,
    pricing: &'a Pricing,
    table: &'a Table,
    waiting: Vec<Waiting>,
    /// What becomes of each request, in the order in which its tokens are counted.
    ways: Vec<Way>,
    /// Tokens of the images of each request, in the same order.
    of_images: Vec<u32>,
    most: Most,
    unsent: Option<Unsent<'a>>,
    /// The first row that is sent.
    first: Option<RowEntry>,
    compiled: Compiled,
    cutter: Cutter,
    folder: &'a JobFolder,
    open: Option<(NewShard, RowsWriter)>,
    digest: blake3::Hasher,
    /// Until all rows were read.
    counter: Option<TokenCounter<'a>>,
    plan: Plan,
}

impl Planner<'_> {
    fn take(&mut self, row: &Row) -> Result<(), JobError> {
        self.plan.tally.see(row);
        self.digest.update(&row.number().to_le_bytes());
        match self.fit(row) {
            Ok(measure) => self.wait(row, &measure),
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

    fn fit(&mut self, row: &Row) -> Result<Measure, Skip> {
        if let Some(fault) = row.fault() {
            return Err(Skip::new(SkipKind::Ragged, fault.to_string()));
        }
        let measure = self.compiled.measure(row, CustomId::length(row.number(), 1))?;
        self.cutter.check(measure.line_bytes)?;
        Ok(measure)
    }

    /// Takes a row that can be sent. Texts are counted as they would be sent, images by their
    /// size; base64 is never given to a tokenizer.
    fn wait(&mut self, row: &Row, measure: &Measure) -> Result<(), JobError> {
        self.digest.update(&measure.content_key);
        if let Some(counter) = &mut self.counter {
            counter.add(self.compiled.prompt_texts(row).unwrap_or_default());
        }
        let question = &self.spec.question;
        let detail = question.images.detail.into();
        let tokens = measure.image_headers.iter().map(|size| {
            size.and_then(|size| image_tokens(&question.model, size.width, size.height, detail))
        });
        let position = row.position();
        self.waiting.push(Waiting {
            entry: RowEntry {
                row: row.number(),
                line: row.line(),
                offset: position.offset,
                line_bytes: measure.line_bytes,
                row_hash: row.hash(),
                content_key: measure.content_key,
            },
            images: measure.image_headers.len() as u64,
            image_tokens: tokens.sum(),
        });
        if self.waiting.len() >= TOGETHER { self.part_ways() } else { Ok(()) }
    }

    /// Finds out which of the waiting rows need not be sent, and places the others.
    fn part_ways(&mut self) -> Result<(), JobError> {
        let waiting = std::mem::take(&mut self.waiting);
        let ways = match &mut self.unsent {
            Some(unsent) => unsent.ways(waiting.iter().map(|row| &row.entry))?,
            None => vec![Way::Sent; waiting.len()],
        };
        for (row, way) in waiting.iter().zip(&ways) {
            let part = part_of(&mut self.plan.estimate, *way);
            part.requests += 1;
            part.images += row.images;
            let of_images = row.image_tokens.unwrap_or(0);
            self.of_images.push(u32::try_from(of_images).unwrap_or(u32::MAX));
            part.image_tokens = part.image_tokens.zip(row.image_tokens).map(|(sum, n)| sum + n);
            if *way == Way::Sent {
                self.place(&row.entry)?;
            }
        }
        self.ways.extend(ways);
        Ok(())
    }

    fn place(&mut self, entry: &RowEntry) -> Result<(), JobError> {
        let cut = self.cutter.push(entry.line_bytes).expect("its length was checked");
        self.first.get_or_insert(*entry);
        if cut == Cut::New || self.open.is_none() {
            self.close()?;
            let number = self.plan.shards.len() as u64 + 1;
            let path = self.folder.rows_file(&format!("r1-s{number:04}"));
            let writer = RowsWriter::create(&path).map_err(JobError::file("write", &path))?;
            let shard = NewShard { round: 1, number, rows: 0, bytes: 0, tokens: 0, reserve: None };
            self.open = Some((shard, writer));
        }
        let (shard, writer) = self.open.as_mut().expect("opened above");
        shard.rows += 1;
        shard.bytes += entry.line_bytes;
        writer.write(entry).map_err(JobError::file("write", self.folder.root()))
    }

    /// The first line that is sent, as it will be.
    fn first_line(&mut self) -> Result<Option<String>, JobError> {
        let Some(RowEntry { row, line, offset, .. }) = self.first else { return Ok(None) };
        let mut rows = self.table.rows_from(Position { row, line, offset })?;
        let Some(row) = rows.next_row()? else { return Ok(None) };
        let mut line = Vec::new();
        let id = CustomId { job6: "000000".to_owned(), row: row.number(), round: 1 };
        let written = self.compiled.write_line(row, &id.to_string(), &mut line);
        Ok(written.is_ok().then(|| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    fn close(&mut self) -> Result<(), JobError> {
        if let Some((shard, writer)) = self.open.take() {
            writer.finish().map_err(JobError::file("write", self.folder.root()))?;
            self.plan.shards.push(shard);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Plan, JobError> {
        self.part_ways()?;
        self.close()?;
        if let Some(unsent) = self.unsent.take() {
            (self.plan.cached, self.plan.equal) = unsent.finish()?;
        }
        self.plan.first_request = self.first_line()?;
        self.plan.run_digest = self.digest.finalize().to_hex().to_string();
        self.plan.tally.finish(&self.compiled);
        if let Some(counter) = &self.counter {
            self.plan.estimate.exact &= !counter.has_beside();
        }
        let texts = self.counter.take().map_or_else(Vec::new, TokenCounter::finish);
        let sent = self.price(&texts);
        let shards = std::mem::take(&mut self.plan.shards);
        let estimate = &self.plan.estimate;
        let biller = Biller::new(self.pricing, estimate.sent.requests, estimate.exact);
        let is_known = estimate.sent.input_tokens().is_some();
        let reserve = |tokens| if is_known { biller.reserve(tokens) } else { None };
        let costs = (sent.as_slice(), &reserve as Reserve<'_>);
        let uncut = shards.len();
        self.plan.shards = by_tokens(shards, costs, self.most, self.folder)?;
        self.plan.estimate.bytes = self.plan.bytes();
        self.plan.estimate.shards = self.plan.shards.len() as u64;
        let reserves = self.plan.shards.iter().map(|shard| shard.reserve);
        let reserve: Option<u64> = reserves.sum();
        self.plan.estimate.reserve = reserve;
        let was_cut = self.plan.shards.len() > uncut;
        let below = self.most.cost.filter(|cost| was_cut && reserve > Some(*cost));
        self.plan.estimate.cut_below = below;
        Ok(self.plan)
    }

    /// Adds up tokens and costs of all requests, those in the order of the rows; returns the
    /// prompt tokens of those that are sent.
    fn price(&mut self, texts: &[u32]) -> Vec<u32> {
        let estimate = &mut self.plan.estimate;
        let biller = Biller::new(self.pricing, estimate.sent.requests, estimate.exact);
        estimate.bills = [biller.bill(), biller.bill(), biller.bill()];
        let mut sent = Vec::new();
        for ((text, of_images), way) in texts.iter().zip(&self.of_images).zip(&self.ways) {
            let (text, of_images) = (*text, *of_images);
            part_of(estimate, *way).text_tokens += u64::from(text);
            biller.add(&mut estimate.bills[*way as usize], u64::from(text), u64::from(of_images));
            if *way == Way::Sent {
                sent.push(text.saturating_add(of_images));
            }
        }
        let parts = [estimate.sent, estimate.answered, estimate.equal];
        for (part, bill) in parts.iter().zip(&mut estimate.bills) {
            if part.input_tokens().is_none() {
                bill.make_unknown();
            }
        }
        sent
    }
}

/// The part of the estimate that a row belongs to.
fn part_of(estimate: &mut Estimate, way: Way) -> &mut Part {
    match way {
        Way::Sent => &mut estimate.sent,
        Way::Answered => &mut estimate.answered,
        Way::Equal => &mut estimate.equal,
    }
}
