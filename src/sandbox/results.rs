//! The result files of a batch and its bill, being written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::server::Desk;
use super::settle::Made;
use super::shelf::{FileRecord, Settled, StoredBatch, write_whole};
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
}

/// A file that is made with its first line.
struct Part {
    path: PathBuf,
    writer: Option<BufWriter<File>>,
    bytes: u64,
}

impl Results {
    pub(super) fn new(desk: &Desk, id: &str) -> Self {
        let part = |kind: &str| Part {
            path: desk.shelf().scratch(&format!("{id}.{kind}")),
            writer: None,
            bytes: 0,
        };
        Self {
            output: part("output"),
            error: part("error"),
            bill: Vec::new(),
            completed: 0,
            failed: 0,
            usage: Usage::default(),
        }
    }

    pub(super) fn take(&mut self, made: &Made) -> io::Result<()> {
        let Some(bill) = made.bill else {
            return self.write_error(&made.line);
        };
        if !self.bill.is_empty() {
            self.bill.push(b',');
        }
        let row = json!({
            "custom_id": made.custom_id,
            "prompt_tokens": bill.prompt_tokens,
            "completion_tokens": bill.completion_tokens,
        });
        serde_json::to_writer(&mut self.bill, &row)?;
        self.completed += 1;
        self.usage.prompt_tokens += bill.prompt_tokens;
        self.usage.completion_tokens += bill.completion_tokens;
        self.output.write(&made.line)
    }

    pub(super) fn write_error(&mut self, line: &Value) -> io::Result<()> {
        self.failed += 1;
        self.error.write(line)
    }

    pub(super) fn finish(
        self,
        desk: &Desk,
        batch: &StoredBatch,
        moment: Moment,
    ) -> io::Result<Settled> {
        Ok(Settled {
            status: moment.status,
            ended: moment.end,
            output_file_id: self.output.finish(desk, &batch.record.id, "output", moment.end)?,
            error_file_id: self.error.finish(desk, &batch.record.id, "error", moment.end)?,
            completed: self.completed,
            failed: self.failed,
            usage: self.usage,
        })
    }
}

impl Part {
    fn write(&mut self, line: &Value) -> io::Result<()> {
        if self.writer.is_none() {
            self.writer = Some(BufWriter::with_capacity(1 << 18, File::create(&self.path)?));
        }
        let writer = self.writer.as_mut().expect("made above");
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.bytes += bytes.len() as u64;
        writer.write_all(&bytes)
    }

    /// Puts the file on the shelf and tells its id; `None` if nothing was written.
    fn finish(self, desk: &Desk, batch: &str, kind: &str, end: i64) -> io::Result<Option<String>> {
        let Some(mut writer) = self.writer else { return Ok(None) };
        writer.flush()?;
        // The id follows from the batch, so that a second try replaces what a killed one left.
        let salt = short_hash(&blake3::hash(format!("{batch} {kind}").as_bytes()));
        let stamp = u64::try_from(end).unwrap_or(0).saturating_mul(1000);
        let id = desk.family.file_id(stamp, salt);
        let record = FileRecord {
            id: id.clone(),
            filename: format!("{batch}_{kind}.jsonl"),
            purpose: "batch_output".to_owned(),
            bytes: self.bytes,
            created_at: end / 1000,
            expires_at: Some(end / 1000 + KEPT_FOR),
        };
        desk.shelf().add_file(&record, &self.path)?;
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
        r#""at":{},"status":"{}","prompt_tokens":{},"completion_tokens":{},"rows":["#,
        moment.end / 1000,
        moment.status,
        results.usage.prompt_tokens,
        results.usage.completion_tokens
    )?;
    line.extend_from_slice(&results.bill);
    line.extend_from_slice(b"]}");
    desk.shared.ledger.append(&line)
}
