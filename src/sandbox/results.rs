//! The result files of a batch and its bill, being written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Family;
use super::server::Desk;
use super::settle::{Bill, Made};
use super::shelf::{BatchRecord, FileRecord, Settled, StoredBatch, write_whole};
use super::tamper::{Style, Tamper, alter, foreign_lines};
use super::timeline::Moment;
use crate::base::short_hash;
use crate::batch::Usage;

/// Files are kept for thirty days, as the services do (seconds).
const KEPT_FOR: i64 = 30 * 24 * 3600;

/// The two result files being written.
pub(super) struct Results {
    output: Part,
    error: Part,
    /// The rows of the bill as JSON objects with commas between.
    bill: Vec<u8>,
    completed: u64,
    failed: u64,
    usage: Usage,
    family: Family,
    tamper: Tamper,
    /// A line as it should be, for those that are made after it.
    sample: Option<Value>,
}

/// A file that is made with its first line.
struct Part {
    path: PathBuf,
    writer: Option<BufWriter<File>>,
    bytes: u64,
    has_lines: bool,
    style: Style,
}

impl Results {
    pub(super) fn new(desk: &Desk, record: &BatchRecord) -> Self {
        let id = &record.id;
        let tamper = Tamper::new(&record.fate(), record.plan.total);
        let part = |kind: &str| Part {
            path: desk.shelf().scratch(&format!("{id}.{kind}")),
            writer: None,
            bytes: 0,
            has_lines: false,
            style: tamper.style,
        };
        Self {
            output: part("output"),
            error: part("error"),
            bill: Vec::new(),
            completed: 0,
            failed: 0,
            usage: Usage::default(),
            family: desk.family,
            tamper,
            sample: None,
        }
    }

    /// What happens to the files.
    pub(super) fn tamper(&self) -> &Tamper {
        &self.tamper
    }

    pub(super) fn take(&mut self, made: &Made) -> io::Result<()> {
        let Some(bill) = made.bill else {
            return self.write_error(&made.line);
        };
        if self.sample.is_none() && self.tamper.foreign > 0 {
            self.sample = Some(made.line.clone());
        }
        let Some(fault) = self.tamper.of_line(made.number) else {
            self.completed += 1;
            self.add_to_bill(made, bill)?;
            return self.output.write(&made.line);
        };
        let written = alter(fault, self.family, &made.line, made.request.as_ref());
        *(if written.is_failed { &mut self.failed } else { &mut self.completed }) += 1;
        if written.is_billed {
            self.add_to_bill(made, bill)?;
        }
        written.error.iter().try_for_each(|line| self.error.write_bytes(line))?;
        written.output.iter().try_for_each(|line| self.output.write_bytes(line))
    }

    fn add_to_bill(&mut self, made: &Made, bill: Bill) -> io::Result<()> {
        if !self.bill.is_empty() {
            self.bill.push(b',');
        }
        let row = json!({
            "custom_id": made.custom_id,
            "prompt_tokens": bill.prompt_tokens,
            "completion_tokens": bill.completion_tokens,
        });
        serde_json::to_writer(&mut self.bill, &row)?;
        self.usage.prompt_tokens += bill.prompt_tokens;
        self.usage.completion_tokens += bill.completion_tokens;
        Ok(())
    }

    pub(super) fn write_error(&mut self, line: &Value) -> io::Result<()> {
        self.failed += 1;
        self.error.write(line)
    }

    pub(super) fn finish(
        mut self,
        desk: &Desk,
        batch: &StoredBatch,
        moment: Moment,
    ) -> io::Result<Settled> {
        if let Some(sample) = &self.sample {
            let foreign = foreign_lines(sample, self.tamper.foreign);
            foreign.iter().try_for_each(|line| self.output.write_bytes(line))?;
        }
        if self.tamper.empty_error_file {
            self.error.begin()?;
        }
        let record = &batch.record;
        Ok(Settled {
            status: moment.status,
            ended: moment.end,
            output_file_id: self.output.finish(desk, record, "output", moment.end)?,
            error_file_id: self.error.finish(desk, record, "error", moment.end)?,
            completed: self.completed,
            failed: self.failed,
            usage: self.usage,
            problems: Vec::new(),
        })
    }
}

impl Part {
    fn begin(&mut self) -> io::Result<&mut BufWriter<File>> {
        if self.writer.is_none() {
            self.writer = Some(BufWriter::with_capacity(1 << 18, File::create(&self.path)?));
        }
        Ok(self.writer.as_mut().expect("made above"))
    }

    fn write(&mut self, line: &Value) -> io::Result<()> {
        self.write_bytes(&serde_json::to_vec(line)?)
    }

    fn write_bytes(&mut self, line: &[u8]) -> io::Result<()> {
        let before = if self.has_lines { self.style.between() } else { self.style.beginning() };
        self.has_lines = true;
        self.put(before)?;
        self.put(line)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.begin()?.write_all(bytes)
    }

    /// Puts the file on the shelf and tells its id; `None` if nothing was written.
    fn finish(
        mut self,
        desk: &Desk,
        record: &BatchRecord,
        kind: &str,
        end: i64,
    ) -> io::Result<Option<String>> {
        if self.has_lines {
            self.put(self.style.end())?;
        }
        let Some(mut writer) = self.writer else { return Ok(None) };
        let batch = &record.id;
        writer.flush()?;
        // The id follows from the batch, so that a second try replaces what a killed one left.
        let salt = short_hash(&blake3::hash(format!("{batch} {kind}").as_bytes()));
        let stamp = u64::try_from(end).unwrap_or(0).saturating_mul(1000);
        let id = desk.family.file_id(stamp, salt);
        let file = FileRecord {
            id: id.clone(),
            filename: format!("{batch}_{kind}.jsonl"),
            purpose: "batch_output".to_owned(),
            bytes: self.bytes,
            created_at: end / 1000,
            expires_at: Some(end / 1000 + KEPT_FOR),
            account: record.account.clone(),
            ready_at: None,
            listed_at: None,
        };
        desk.shelf().add_file(&file, &self.path)?;
        Ok(Some(id))
    }
}

/// Appends the bill, once: a marker says that an earlier try may have got as far.
pub(super) fn bill(
    desk: &Desk,
    batch: &StoredBatch,
    moment: Moment,
    results: &Results,
) -> io::Result<()> {
    let id = &batch.record.id;
    let start =
        format!(r#"{{"event":"executed","family":"{}","batch":"{id}","#, desk.family.name());
    let marker = desk.shelf().batch_dir(id).join("billing");
    if marker.exists() {
        if desk.shared.ledger.has(&start)? {
            return Ok(());
        }
    } else {
        write_whole(&marker, b"")?;
    }
    let mut line = start.into_bytes();
    write!(
        line,
        r#""at":{},"account":{},"status":"{}","prompt_tokens":{},"completion_tokens":{},"rows":["#,
        moment.end / 1000,
        json!(batch.record.account),
        moment.status,
        results.usage.prompt_tokens,
        results.usage.completion_tokens
    )?;
    line.extend_from_slice(&results.bill);
    line.extend_from_slice(b"]}");
    desk.shared.ledger.append(&line)
}
