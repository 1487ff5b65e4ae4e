//! The thread that keeps answers: appends their lines, makes them durable, judges them, and puts
//! them into the account in groups; a shard whose last row came is settled.

mod rescue;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::chain::Chain;
use super::judge::{Judge, Placed};
use super::kept::Kept;
use super::line::{By, compose};
use super::resume::outcomes;
use super::room::{Room, room_for};
use super::shared::{Done, Message, Opened, Shared};
use crate::answer::RowStatus;
use crate::base::{crash_point, hex_of_file};
use crate::batch::{BadLine, decode_line};
use crate::job::drive::Driver;
use crate::job::halt::Halt;
use crate::job::{Event, JobError};
use crate::shard::RowEntry;
use crate::store::{AskedRecord, CalledGroup, OutcomeRecord};

/// Messages that are taken together before what they bring is written.
const TOGETHER: usize = 200;
/// How often progress is told, and what was not written is tried again.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Keeps what comes.
pub(super) struct Writer<'d> {
    driver: &'d Driver<'d>,
    chain: &'d Chain<'d>,
    shared: &'d Shared,
    judge: Judge,
    shards: HashMap<i64, Kept>,
    /// Outcomes that are on disk and not in the account.
    pending: Vec<(i64, OutcomeRecord)>,
    line: Vec<u8>,
    /// Lines that came in this run, and their bytes.
    came: (u64, u64),
    room: Room,
    settled: Sender<()>,
    progress: Progress,
}

/// How far the rows of this run are.
#[derive(Debug)]
struct Progress {
    total: u64,
    done: u64,
    failed: u64,
    told: Instant,
    told_done: u64,
}

impl<'d> Writer<'d> {
    /// One that has kept nothing; so many rows are to come.
    pub(super) fn new(
        driver: &'d Driver<'d>,
        chain: &'d Chain<'d>,
        shared: &'d Shared,
        (settled, total): (Sender<()>, u64),
    ) -> Result<Self, JobError> {
        let now = Instant::now();
        let progress = Progress { total, done: 0, failed: 0, told: now, told_done: 0 };
        let mut writer = Self {
            judge: Judge::of(driver)?,
            driver,
            chain,
            shared,
            shards: HashMap::new(),
            pending: Vec::new(),
            line: Vec::new(),
            came: (0, 0),
            room: Room::at(driver.folder.spare_file()),
            settled,
            progress,
        };
        writer.hold_room()?;
        Ok(writer)
    }

    /// Keeps what comes until the end is told. Where something cannot be written no more calls are
    /// made, and what those that are out bring is kept as far as the disk takes it.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        if let Err(error) = self.keep(messages) {
            self.rescue(error, messages);
        }
    }

    /// Sets room aside for the answers of the calls that are out: a disk that has none is full
    /// before an answer is lost.
    fn hold_room(&mut self) -> Result<(), JobError> {
        let calls = self.shared.out.load(Ordering::Relaxed);
        let waiting = self.shared.backlog.load(Ordering::Relaxed) as u64;
        let wanted = room_for(calls + waiting, self.came);
        let spare = self.driver.folder.spare_file();
        self.room.hold(wanted).map_err(JobError::file("write", &spare))
    }

    fn keep(&mut self, messages: &Receiver<Message>) -> Result<(), JobError> {
        loop {
            let first = match messages.recv_timeout(TELL_EVERY) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    self.tell(false);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let mut group = None;
            let mut is_over = false;
            let rest = std::iter::from_fn(|| messages.try_recv().ok()).take(TOGETHER);
            for message in std::iter::once(first).chain(rest) {
                match message {
                    Message::Opened(opened) => self.open(*opened)?,
                    Message::Skipped { shard, entry, reason } => self.skip(shard, &entry, reason),
                    Message::Done(all) => self.take_all(&all)?,
                    Message::Group { asked, counted } => {
                        let group = group.get_or_insert_with(Group::default);
                        group.add(asked, counted, self.pending.len());
                    }
                    Message::Health(health) => self.driver.store.put_health(&health)?,
                    Message::End => is_over = true,
                }
            }
            self.write_lines()?;
            self.halt_early()?;
            self.hold_room()?;
            if let Some(group) = group {
                self.record(group)?;
            }
            self.tell(is_over);
            if is_over {
                return Ok(());
            }
        }
    }

    fn open(&mut self, opened: Opened) -> Result<(), JobError> {
        self.progress.done += opened.done.0;
        self.progress.failed += opened.done.1;
        let kept = Kept::new(opened, &self.driver.folder.results());
        let kept = self.shards.entry(kept.opened.shard.id).or_insert(kept);
        let opened = kept.open().map(drop);
        opened.map_err(JobError::file("write", kept.path()))
    }

    fn skip(&mut self, shard: i64, entry: &RowEntry, reason: String) {
        let Some(kept) = self.shards.get_mut(&shard) else { return };
        kept.to_come = kept.to_come.saturating_sub(1);
        let record = OutcomeRecord {
            row: entry.row,
            round: kept.opened.shard.round,
            status: RowStatus::Skipped,
            place: None,
            content_key: None,
            usage: None,
            cost: None,
            error: Some(reason),
            class: None,
        };
        self.count(&record);
        self.pending.push((shard, record));
    }

    fn count(&mut self, record: &OutcomeRecord) {
        self.progress.done += 1;
        self.progress.failed += u64::from(!record.status.is_good());
    }

    fn take_all(&mut self, all: &[Done]) -> Result<(), JobError> {
        self.shared.backlog.fetch_sub(all.len(), Ordering::Relaxed);
        // One that cannot be kept takes none of the others along.
        let mut result = Ok(());
        for done in all {
            result = result.and(self.take(done));
        }
        result
    }

    /// Appends the line of a row to those that are written next, and judges it.
    fn take(&mut self, done: &Done) -> Result<(), JobError> {
        let Some(kept) = self.shards.get_mut(&done.shard) else { return Ok(()) };
        let member = &self.chain.members()[done.member];
        let by = By {
            provider: member.name.as_str().into(),
            model: done.model.as_str().into(),
            ms: u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
            tries: done.tries,
            at: self.driver.clock.unix(),
        };
        self.line.clear();
        compose(&done.custom_id, &done.end, &by, true, &mut self.line);
        let mut read = decode_line(self.line.trim_ascii_end());
        if let Err(BadLine::NotJson(_)) = read {
            self.line.clear();
            compose(&done.custom_id, &done.end, &by, false, &mut self.line);
            read = decode_line(self.line.trim_ascii_end());
        }
        let read = read.map_err(|why| JobError::Spec {
            job: self.driver.job.short().to_owned(),
            detail: format!("the line of row {} does not read: {why}", done.row),
        })?;
        let placed = Placed {
            row: done.row,
            key: done.key,
            artifact: kept.opened.artifact,
            offset: kept.bytes,
            length: self.line.len() as u64 - 1,
        };
        kept.bytes += self.line.len() as u64;
        self.came = (self.came.0 + 1, self.came.1 + self.line.len() as u64);
        kept.lines.extend_from_slice(&self.line);
        let record =
            self.judge.outcome(&kept.opened.shard, placed, &read, (&member.name, &done.model));
        if done.tokens > 0
            && let Some(usage) = record.usage
        {
            #[expect(clippy::cast_precision_loss, reason = "tokens of one call")]
            let difference = done.tokens as f64 - usage.total() as f64;
            self.chain.settle_tokens(done.member, difference);
        }
        kept.failures.add(&record, self.driver.options.reasks > 0);
        kept.to_come = kept.to_come.saturating_sub(1);
        self.count(&record);
        self.pending.push((done.shard, record));
        Ok(())
    }

    /// Writes the lines; a kill from now on loses none of them.
    fn write_lines(&mut self) -> Result<(), JobError> {
        self.shards.values_mut().try_for_each(|kept| {
            let written = kept.write_lines();
            written.map_err(JobError::file("write", kept.path()))
        })
    }

    /// Makes everything up to the last group durable and puts it into the account.
    fn record(&mut self, group: Group) -> Result<(), JobError> {
        for kept in self.shards.values_mut() {
            let synced = kept.sync();
            synced.map_err(JobError::file("sync", kept.path()))?;
        }
        let told: Vec<_> = self.pending.drain(..group.rows).collect();
        let mut called = CalledGroup { asked: group.asked, ..CalledGroup::default() };
        let mut ends: HashMap<i64, u64> = HashMap::new();
        let mut shards = Vec::with_capacity(told.len());
        for (shard, record) in told {
            shards.push(shard);
            if let Some((_, offset, length)) = record.place {
                ends.insert(shard, offset + length + 1);
            }
            if let Some(kept) = self.shards.get_mut(&shard) {
                kept.left = kept.left.saturating_sub(1);
            }
            called.records.push(record);
        }
        for kept in self.shards.values() {
            let id = kept.opened.shard.id;
            let counted = group.counted.get(&id).copied().unwrap_or(0);
            let bytes = ends.get(&id).copied();
            if bytes.is_some() || counted > 0 {
                // Its bytes as they were, where no line of it came.
                let known = kept.opened.file.1;
                let bytes = bytes.unwrap_or(known);
                called.files.push((id, kept.opened.artifact, bytes, counted));
            }
        }
        for (shard, _, bytes, _) in &called.files {
            if let Some(kept) = self.shards.get_mut(shard) {
                kept.opened.file.1 = *bytes;
            }
        }
        crash_point!("group", called.records.len());
        self.driver.store.record_called(&self.driver.job.key, &called)?;
        for (shard, record) in shards.into_iter().zip(called.records) {
            if let Some(known) = self.shards.get_mut(&shard).and_then(|kept| kept.records.as_mut())
            {
                known.push(record);
            }
        }
        self.shared.grouped.fetch_add(group.groups, Ordering::SeqCst);
        self.shared.wake.notify_one();
        let through: Vec<i64> =
            self.shards.iter().filter(|(_, kept)| kept.left == 0).map(|(id, _)| *id).collect();
        through.into_iter().try_for_each(|shard| self.settle(shard))
    }

    /// Stops the job where too many of a shard's rows failed that came until now: whoever sees
    /// that a prompt is broken would not pay for the rest. Rows that a person let go on after that
    /// are counted anew.
    fn halt_early(&self) -> Result<(), JobError> {
        if self.shared.is_halted.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Second questions are judged when all of them are answered.
        let firsts = self.shards.values().filter(|kept| !kept.opened.shard.asks.is_reask);
        let most = self.driver.options.abort_share;
        let halts = firsts.filter(|kept| kept.to_come > 0);
        let mut halts =
            halts.filter_map(|kept| kept.failures.halt(&kept.opened.shard.title(), most));
        let Some(halt) = halts.next() else { return Ok(()) };
        // The calls stop before it is written: a busy disk takes its time.
        self.shared.is_halted.store(true, Ordering::SeqCst);
        self.driver.store.put_halt(&self.driver.job.key, &halt.as_json())?;
        self.driver.tell_halt(&halt)
    }

    /// Settles a shard all of whose rows have their outcome in the account.
    fn settle(&mut self, shard: i64) -> Result<(), JobError> {
        let Some(kept) = self.shards.remove(&shard) else { return Ok(()) };
        let path = kept.path().to_owned();
        let (driver, shard) = (self.driver, &kept.opened.shard);
        let records = match kept.records {
            Some(mut records) => {
                records.sort_unstable_by_key(|record| record.row);
                records
            }
            None => outcomes(driver, shard, &driver.entries(shard)?)?,
        };
        let digest = hex_of_file(&path).map_err(JobError::file("read", &path))?;
        let halt = driver.halt_of_shard(shard, &records, 0)?;
        let json = halt.as_ref().map(Halt::as_json);
        let file = Some((kept.opened.artifact, digest.as_str()));
        let of = (driver.job.key.as_str(), shard.id);
        driver.store.finish_calling(of, &records, file, json.as_deref())?;
        if let Some(halt) = halt
            && !self.shared.is_halted.swap(true, Ordering::SeqCst)
        {
            driver.tell_halt(&halt)?;
        }
        self.shared.has_settled();
        let _ = self.settled.send(());
        Ok(())
    }

    /// Who has the most calls out now.
    fn busiest(&self) -> String {
        let standings = self.chain.standings().into_iter().filter(|one| one.out > 0);
        standings.max_by_key(|one| one.out).map(|one| one.title).unwrap_or_default()
    }

    fn tell(&mut self, is_last: bool) {
        let progress = &mut self.progress;
        let passed = progress.told.elapsed();
        if (passed < TELL_EVERY && !is_last) || progress.done == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "rows of a moment")]
        let per_second =
            (progress.done - progress.told_done) as f64 / passed.as_secs_f64().max(0.001);
        (progress.told, progress.told_done) = (Instant::now(), progress.done);
        self.driver.reporter.report(&Event::Called {
            job: self.driver.job.short().to_owned(),
            done: progress.done.min(progress.total),
            failed: progress.failed,
            total: progress.total,
            out: self.shared.out.load(Ordering::Relaxed),
            per_second,
            asked: self.busiest(),
        });
    }
}

/// Groups that were told one after the other, and came together.
#[derive(Debug, Default)]
struct Group {
    asked: Vec<AskedRecord>,
    counted: HashMap<i64, u64>,
    rows: usize,
    groups: u64,
}

impl Group {
    fn add(&mut self, asked: Vec<AskedRecord>, counted: Vec<(i64, u64)>, rows: usize) {
        self.asked.extend(asked);
        self.counted.extend(counted);
        self.rows = rows;
        self.groups += 1;
    }
}
