//! How a plan grows row by row. Rows are read and measured in their order, then hashed and counted
//! by the workers, and once they are back they are placed into shards, again in their order.

use std::thread::Scope;

use super::by_tokens::{Reserve, by_tokens};
use super::lists::Listing;
use super::plan::digest_of;
use super::unsent::{Keys, Unsent, Way};
use super::workers::{Batch, Request, Taken, Workers};
use super::{JobError, Lists, Most, Plan, Reuse, Spec};
use crate::cost::{Biller, Estimate, OtherBill, Part, Pricing, ReaskBills, image_tokens};
use crate::request::{Compiled, CustomId, Endpoint, Message, Mode, Outline, Skip, SkipKind};
use crate::shard::{Cut, Cutter, Limits, RowEntry};
use crate::store::NewShard;
use crate::table::{Position, Row, Table};

/// Rows whose earlier answers are looked up together.
const TOGETHER: usize = 500;

/// What is known of the rows read so far.
pub(super) struct Planner<'a> {
    spec: &'a Spec,
    pricing: Pricing,
    table: &'a Table,
    workers: Workers,
    /// Rows that go to the workers next.
    batch: Batch,
    /// Rows that came back and wait for their ways.
    waiting: Vec<Request>,
    /// What becomes of each request, in the order of the rows.
    ways: Vec<Way>,
    /// Tokens of the texts of each request, in the same order.
    of_texts: Vec<u32>,
    /// Tokens of the images of each request, in the same order.
    of_images: Vec<u32>,
    most: Most,
    unsent: Option<Unsent<'a>>,
    /// Of the others that may be asked those that may have answered before, and their questions.
    others: Vec<usize>,
    other_questions: Vec<Compiled>,
    /// The first row that is sent.
    first: Option<RowEntry>,
    compiled: Compiled,
    cutter: Cutter,
    lists: Listing<'a>,
    /// Whether rows are hashed: nothing but their lists says the hash.
    is_listed: bool,
    /// The shard that grows.
    open: Option<NewShard>,
    digest: blake3::Hasher,
    /// What of a batch goes into the digest: many small pieces took longer.
    digested: Vec<u8>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// A planner that has seen no row; its threads end when it is dropped.
    pub(super) fn new(
        scope: &'a Scope<'a, '_>,
        (spec, pricing): (&'a Spec, &'a Pricing),
        table: &'a Table,
        (limits, most): (&Limits, Most),
        lists: Lists<'a>,
        reuse: Option<Reuse<'a>>,
    ) -> Result<Self, JobError> {
        let mut planner = Self {
            spec,
            pricing: pricing.clone(),
            table,
            workers: Workers::start(scope, &spec.question.model),
            batch: Batch::default(),
            waiting: Vec::new(),
            ways: Vec::new(),
            of_texts: Vec::new(),
            of_images: Vec::new(),
            most,
            unsent: Unsent::begin(spec, reuse, lists)?,
            others: Vec::new(),
            other_questions: Vec::new(),
            first: None,
            compiled: spec.question.compile(table.headers())?,
            cutter: Cutter::new(*limits),
            lists: Listing::begin(lists, most),
            is_listed: lists.folder().is_some(),
            open: None,
            digest: digest_of(spec),
            digested: Vec::new(),
            plan: Plan::empty(spec, pricing),
        };
        planner.others = planner.unsent.as_ref().map_or(Vec::new(), |unsent| unsent.others(spec));
        for other in &planner.others {
            let question = &spec.others[*other].question;
            planner.other_questions.push(question.compile(table.headers())?);
        }
        let names = planner.compiled.columns().iter().filter_map(|at| table.headers().get(*at));
        planner.plan.columns = names.cloned().collect();
        Ok(planner)
    }

    /// Rows that were taken.
    pub(super) fn rows(&self) -> u64 {
        self.plan.tally.rows
    }

    /// Takes the next row.
    pub(super) fn take(&mut self, row: &Row) -> Result<(), JobError> {
        self.plan.tally.see(row);
        let taken = match self.ask(row) {
            Ok(request) => Taken::Asked(request),
            Err(skip) => {
                self.plan.estimate.skipped += 1;
                let (row_number, kind) = (row.number(), skip.kind);
                self.plan.tally.skip(row, skip);
                Taken::Skipped { row: row_number, kind }
            }
        };
        self.batch.rows.push(taken);
        if self.batch.is_full() { self.hand_over() } else { Ok(()) }
    }

    /// Takes a row that can be sent. Texts are counted as they would be sent, images by their
    /// size; base64 is never given to a tokenizer.
    fn ask(&mut self, row: &Row) -> Result<Request, Skip> {
        let Outline { line_bytes, image_headers } = self.fit(row)?;
        if self.is_listed {
            self.batch.cells.push(|out| row.push_hashed(out));
        }
        let texts = self.compiled.prompt_texts(row).unwrap_or_default();
        let question = &self.spec.question;
        self.batch.prompts.push(texts, question.endpoint != Endpoint::Embeddings);
        // The form that tools, a schema and the like have in the prompt is not known.
        self.plan.estimate.exact &= !texts.iter().any(Message::is_beside);
        let detail = question.images.detail.into();
        let tokens = image_headers.iter().map(|size| {
            size.and_then(|size| image_tokens(&question.model, size.width, size.height, detail))
        });
        let Position { row: number, line, offset } = row.position();
        let entry =
            RowEntry { row: number, line, offset, line_bytes, row_hash: 0, content_key: [0; 16] };
        Ok(Request {
            entry,
            text_tokens: 0,
            images: image_headers.len() as u64,
            image_tokens: tokens.sum(),
            other_keys: self.other_keys(row),
        })
    }

    /// What the same row is found by where another was asked.
    fn other_keys(&mut self, row: &Row) -> Vec<[u8; 16]> {
        let length = CustomId::length(row.number(), 1);
        let measures = self.other_questions.iter_mut().map(|other| other.measure(row, length));
        // What cannot be asked there was not answered there: no question has the key 0.
        measures.map(|measure| measure.map_or([0; 16], |measure| measure.content_key)).collect()
    }

    fn fit(&mut self, row: &Row) -> Result<Outline, Skip> {
        if let Some(fault) = row.fault() {
            return Err(Skip::new(SkipKind::Ragged, fault.to_string()));
        }
        let Self { batch, compiled, cutter, .. } = self;
        batch.contents.try_push(|out| {
            let outline = compiled.outline(row, CustomId::length(row.number(), 1), out)?;
            cutter.check(outline.line_bytes)?;
            Ok(outline)
        })
    }

    /// Hands the batch to the workers, and goes on with what they are done with.
    fn hand_over(&mut self) -> Result<(), JobError> {
        let next = self.workers.spare();
        self.workers.give(std::mem::replace(&mut self.batch, next));
        while let Some(batch) = self.workers.make_room() {
            self.go_on(batch)?;
        }
        Ok(())
    }

    /// Goes on with rows whose hashes and tokens are known.
    fn go_on(&mut self, mut batch: Batch) -> Result<(), JobError> {
        self.digested.clear();
        for taken in batch.rows.drain(..) {
            match taken {
                Taken::Asked(request) => {
                    self.digested.extend_from_slice(&request.entry.row.to_le_bytes());
                    self.digested.extend_from_slice(&request.entry.content_key);
                    self.waiting.push(request);
                }
                Taken::Skipped { row, kind } => {
                    self.digested.extend_from_slice(&row.to_le_bytes());
                    // That it is skipped is part of what was asked; the words of the reason are
                    // not: they may hold paths, and a release that words them anew must not ask
                    // everything again.
                    self.digested.extend_from_slice(format!("{kind:?}").as_bytes());
                }
            }
            if self.waiting.len() >= TOGETHER {
                self.part_ways()?;
            }
        }
        self.digest.update(&self.digested);
        self.workers.keep(batch);
        Ok(())
    }

    /// Finds out which of the waiting rows need not be sent, and places the others.
    fn part_ways(&mut self) -> Result<(), JobError> {
        let waiting = std::mem::take(&mut self.waiting);
        let ways = match &mut self.unsent {
            Some(unsent) => {
                let keys =
                    waiting.iter().map(|row| Keys { entry: &row.entry, others: &row.other_keys });
                unsent.ways(keys, &self.others)?
            }
            None => vec![Way::Sent; waiting.len()],
        };
        for (row, way) in waiting.iter().zip(&ways) {
            let part = part_of(&mut self.plan.estimate, *way);
            part.requests += 1;
            part.images += row.images;
            self.of_texts.push(row.text_tokens);
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
            let shard = NewShard {
                round: 1,
                number,
                rows: 0,
                bytes: 0,
                tokens: 0,
                reserve: None,
                mode: self.spec.mode,
            };
            self.lists.open(&shard)?;
            self.open = Some(shard);
        }
        let shard = self.open.as_mut().expect("opened above");
        shard.rows += 1;
        shard.bytes += entry.line_bytes;
        self.lists.add(entry)
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
        self.lists.close()?;
        self.plan.shards.extend(self.open.take());
        Ok(())
    }

    /// The plan of all rows that were taken.
    pub(super) fn finish(mut self) -> Result<Plan, JobError> {
        self.hand_over()?;
        while let Some(batch) = self.workers.take_back() {
            self.go_on(batch)?;
        }
        self.part_ways()?;
        self.close()?;
        self.lists.wait()?;
        if let Some(unsent) = self.unsent.take() {
            (self.plan.cached, self.plan.equal) = unsent.finish()?;
        }
        self.plan.first_request = self.first_line()?;
        self.plan.run_digest = self.digest.finalize().to_hex().to_string();
        self.plan.tally.finish(&self.compiled);
        self.decide_mode();
        let sent = self.price();
        let shards = std::mem::take(&mut self.plan.shards);
        let estimate = &self.plan.estimate;
        let biller = Biller::new(&self.pricing, estimate.sent.requests, estimate.exact);
        let is_known = estimate.sent.input_tokens().is_some();
        let reserve = |tokens| if is_known { biller.reserve(tokens) } else { None };
        let costs = (sent.as_slice(), &reserve as Reserve<'_>);
        let uncut = shards.len();
        self.plan.shards = by_tokens(shards, costs, self.most, &self.lists)?;
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

    /// A few requests are not worth a day of waiting: where it was left open, they are sent by
    /// calls. Only now is it known how many there are.
    fn decide_mode(&mut self) {
        let requests = self.plan.estimate.sent.requests;
        if requests > 0 && self.most.calls_below.is_some_and(|below| requests < below) {
            self.plan.mode = Mode::Realtime;
            self.pricing.mode = Mode::Realtime;
            // A batch's queue does not count for calls.
            self.most.tokens = None;
            self.plan.estimate.mode = Mode::Realtime;
            self.plan.shards.iter_mut().for_each(|shard| shard.mode = Mode::Realtime);
        }
    }

    /// Adds up tokens and costs of all requests, those in the order of the rows; returns the
    /// prompt tokens of those that are sent.
    fn price(&mut self) -> Vec<u32> {
        let estimate = &mut self.plan.estimate;
        let biller = Biller::new(&self.pricing, estimate.sent.requests, estimate.exact);
        let mut others = biller.other_bills();
        estimate.bills = [biller.bill(), biller.bill(), biller.bill()];
        let may_reask = self.pricing.reasking.times > 0;
        let mut reasks = may_reask.then(|| ReaskBills::new(&biller));
        let mut sent = Vec::new();
        for ((text, of_images), way) in self.of_texts.iter().zip(&self.of_images).zip(&self.ways) {
            let (text, of_images) = (*text, *of_images);
            part_of(estimate, *way).text_tokens += u64::from(text);
            biller.add(&mut estimate.bills[*way as usize], u64::from(text), u64::from(of_images));
            if *way == Way::Sent {
                sent.push(text.saturating_add(of_images));
                biller.add_others(&mut others, u64::from(text), u64::from(of_images));
                if let Some(reasks) = &mut reasks {
                    reasks.add(&biller, (u64::from(text), u64::from(of_images)));
                }
            }
        }
        let parts = [estimate.sent, estimate.answered, estimate.equal];
        for (part, bill) in parts.iter().zip(&mut estimate.bills) {
            if part.input_tokens().is_none() {
                bill.make_unknown();
            }
        }
        let is_known = estimate.sent.input_tokens().is_some();
        let others = self.pricing.others.iter().zip(others).map(|(other, mut bill)| {
            if !is_known {
                bill.make_unknown();
            }
            OtherBill { who: other.who.clone(), price: other.pricing.price.clone(), bill }
        });
        estimate.others = others.collect();
        let reasks = reasks.filter(|_| estimate.sent.requests > 0 && is_known);
        estimate.reasks = reasks.map(|reasks| reasks.finish(&biller));
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

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
