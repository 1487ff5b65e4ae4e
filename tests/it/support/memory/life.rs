//! The life of a batch in memory: what becomes of it when, what its result files hold, and what
//! is billed for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use batchctl::batch::{Batch, BatchError, BatchStatus, RequestCounts};
use batchctl::provider::CreateBatch;
use serde_json::{Value, json};

use super::chance::{Dice, Fault, Faults};
use super::clock::VirtualClock;

const MINUTE: u64 = 60_000;

/// A batch as the provider knows it. Times are milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) id: String,
    pub(crate) request: CreateBatch,
    /// The input file's lines when the batch was made.
    pub(crate) lines: Vec<String>,
    pub(crate) made: u64,
    /// From when on it is listed.
    pub(crate) listed: u64,
    checked: u64,
    ends: u64,
    /// From when on it names its files.
    names_files: u64,
    fate: Fate,
    odd_counts: bool,
    output: Option<String>,
    errors: Option<String>,
    written: bool,
    answered: u64,
    failed: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Completes,
    /// Ends with only so many of its rows run.
    Expires(usize),
    IsCancelled(usize),
    /// Fails at the check, with these complaints.
    Fails(Vec<BatchError>),
}

/// What was billed, and what good answers were given for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bill {
    /// The runs of each `custom_id`, with the file that has a good answer on a line that reads.
    pub(crate) runs: BTreeMap<String, Vec<Option<String>>>,
    /// The batches that ran anything, by shard and round (`k7f2qd0000-r1-s0001`).
    pub(crate) batches: BTreeMap<String, BTreeSet<String>>,
    /// Files that were handed over uncut.
    pub(crate) handed_over: BTreeSet<String>,
}

impl Remote {
    /// A batch made now; how it will go is drawn.
    pub(crate) fn make(
        id: String,
        request: CreateBatch,
        lines: Vec<String>,
        now: u64,
        dice: &mut Dice,
        faults: &mut Faults,
    ) -> Self {
        let lag = if dice.percent(50) { 0 } else { dice.below(59 * MINUTE) };
        let checked = now + dice.below(2 * MINUTE);
        let fault = faults.at(
            dice,
            &[Fault::Expires, Fault::IsCancelled, Fault::FailsForTheQueue, Fault::FailsForLines],
        );
        let complaint = |line, code: &str, message: &str| BatchError {
            code: Some(code.to_owned()),
            message: message.to_owned(),
            line,
        };
        let fate = match fault {
            Some(Fault::Expires) => Fate::Expires(dice.index(lines.len() + 1)),
            Some(Fault::IsCancelled) => Fate::IsCancelled(dice.index(lines.len() + 1)),
            Some(Fault::FailsForTheQueue) => Fate::Fails(vec![complaint(
                None,
                "token_limit_exceeded",
                "Enqueued token limit reached for some-model in organization x. Limit: 1000.",
            )]),
            Some(Fault::FailsForLines) => {
                let line = dice.below(lines.len() as u64) + 1;
                Fate::Fails(vec![complaint(Some(line), "invalid_request", "the line is wrong")])
            }
            _ => Fate::Completes,
        };
        let ends = checked + dice.below(15 * MINUTE) + 1;
        let names_files = match faults.at(dice, &[Fault::LateFiles]) {
            Some(_) => ends + dice.below(5 * MINUTE),
            None => ends,
        };
        Self {
            id,
            request,
            lines,
            made: now,
            listed: now + lag,
            checked,
            ends,
            names_files,
            fate,
            odd_counts: faults.at(dice, &[Fault::OddCounts]).is_some(),
            output: None,
            errors: None,
            written: false,
            answered: 0,
            failed: 0,
        }
    }

    /// One whose input file was deleted before it was made: it fails at its check.
    pub(crate) fn stillborn(mut self) -> Self {
        self.fate = Fate::Fails(vec![BatchError {
            code: Some("invalid_input_file".to_owned()),
            message: format!("No such File object: {}", self.request.input_file_id),
            line: None,
        }]);
        self
    }

    /// Somebody asks for it to be stopped.
    pub(crate) fn cancel(&mut self, now: u64, dice: &mut Dice) {
        if now < self.ends && !matches!(self.fate, Fate::Fails(_)) {
            self.fate = Fate::IsCancelled(dice.index(self.lines.len() + 1));
            self.ends = now + MINUTE;
            self.names_files = self.ends;
        }
    }

    /// How it will go, for the log.
    pub(crate) fn outlook(&self) -> String {
        let late = if self.names_files > self.ends { ", files named late" } else { "" };
        let counts = if self.odd_counts { ", no counts" } else { "" };
        format!("{:?}{late}{counts}", self.fate)
    }

    /// The key of the create that made it.
    pub(crate) fn key(&self) -> &str {
        self.request.metadata.get("batchctl").map_or("", String::as_str)
    }

    /// Writes its result files once it has ended, and bills what ran.
    pub(crate) fn turn(
        &mut self,
        now: u64,
        dice: &mut Dice,
        faults: &mut Faults,
        files: &mut BTreeMap<String, Arc<Vec<u8>>>,
        bill: &mut Bill,
    ) {
        if self.written || now < self.ends {
            return;
        }
        self.written = true;
        let (ran, word) = match self.fate {
            Fate::Completes => (self.lines.len(), ""),
            Fate::Expires(ran) => (ran, "batch_expired"),
            Fate::IsCancelled(ran) => (ran, "batch_cancelled"),
            Fate::Fails(_) => return,
        };
        if ran > 0 {
            let shard = self.key().rsplit_once("-c").map_or("", |(shard, _)| shard);
            bill.batches.entry(shard.to_owned()).or_default().insert(self.id.clone());
        }
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, dice.index(at + 1));
        }
        let mut sheets = Sheets::default();
        for at in &order[..ran] {
            sheets.write(&self.lines[*at], dice, faults);
        }
        if !word.is_empty() && dice.percent(50) {
            for at in &order[ran..] {
                let (id, _) = parts(&self.lines[*at]);
                let error = json!({"code": word, "message": "This request was not executed."});
                sheets.errors.push(json!({"custom_id": id, "error": error}).to_string());
            }
        }
        let output = file_id(&self.id, "output");
        for (id, is_good) in sheets.runs.drain(..) {
            bill.runs.entry(id).or_default().push(is_good.then(|| output.clone()));
        }
        (self.answered, self.failed) = (sheets.answered, sheets.errors.len() as u64);
        if sheets.answered > 0 {
            self.output = Some(store(files, &self.id, "output", &sheets.output));
        }
        if !sheets.errors.is_empty() {
            self.errors = Some(store(files, &self.id, "errors", &sheets.errors));
        }
    }

    /// What the provider says of it now.
    pub(crate) fn describe(&self, now: u64, skew: i64) -> Batch {
        let unix = |millis: u64| Some(VirtualClock::unix_at(millis) + skew);
        let (status, errors) = match &self.fate {
            _ if now < self.checked => (BatchStatus::Validating, Vec::new()),
            Fate::Fails(errors) => (BatchStatus::Failed, errors.clone()),
            _ if now < self.ends => (BatchStatus::InProgress, Vec::new()),
            Fate::Completes => (BatchStatus::Completed, Vec::new()),
            Fate::Expires(_) => (BatchStatus::Expired, Vec::new()),
            Fate::IsCancelled(_) => (BatchStatus::Cancelled, Vec::new()),
        };
        let shows = status.is_terminal() && now >= self.names_files;
        let count = |number| (!self.odd_counts).then_some(number);
        Batch {
            id: self.id.clone(),
            status: Some(status),
            status_word: status.as_str().to_owned(),
            input_file_id: Some(self.request.input_file_id.clone()),
            output_file_id: self.output.clone().filter(|_| shows),
            error_file_id: self.errors.clone().filter(|_| shows),
            counts: RequestCounts {
                total: count(self.lines.len() as u64),
                completed: count(self.answered),
                failed: count(self.failed),
            },
            errors,
            metadata: self.request.metadata.clone(),
            created_at: unix(self.made),
            expires_at: unix(self.made + 24 * 60 * MINUTE),
            ended_at: unix(self.ends).filter(|_| status.is_terminal()),
        }
    }
}

fn file_id(batch: &str, kind: &str) -> String {
    format!("file-{kind}-{batch}")
}

fn store(
    files: &mut BTreeMap<String, Arc<Vec<u8>>>,
    batch: &str,
    kind: &str,
    lines: &[String],
) -> String {
    let id = file_id(batch, kind);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    files.insert(id.clone(), Arc::new(text.into_bytes()));
    id
}

/// The two result files of a batch as they are written.
#[derive(Default)]
struct Sheets {
    output: Vec<String>,
    errors: Vec<String>,
    answered: u64,
    /// Rows that ran, and whether a good answer of theirs can be read.
    runs: Vec<(String, bool)>,
}

impl Sheets {
    /// One row runs; what is written of it is drawn.
    fn write(&mut self, line: &str, dice: &mut Dice, faults: &mut Faults) {
        let (id, body) = parts(line);
        let fault = faults.at(
            dice,
            &[
                Fault::MissingLine,
                Fault::BrokenLine,
                Fault::BadRequest,
                Fault::Twice,
                Fault::GoodThenBad,
                Fault::BadThenGood,
                Fault::ForeignLine,
                Fault::Garbage,
            ],
        );
        let good = answer_line(&id, &body);
        if fault == Some(Fault::BadRequest) {
            self.errors.push(refusal(&id));
            return;
        }
        self.answered += 1;
        let is_good = !matches!(fault, Some(Fault::MissingLine | Fault::BrokenLine));
        self.runs.push((id.clone(), is_good));
        match fault {
            Some(Fault::MissingLine) => {}
            Some(Fault::BrokenLine) => {
                let cut = good.len() * 2 / 3;
                self.output.push(good[..cut].to_owned());
            }
            Some(Fault::Twice) => self.output.extend([good.clone(), good]),
            Some(Fault::GoodThenBad) => self.output.extend([good, refusal(&id)]),
            Some(Fault::BadThenGood) => self.output.extend([refusal(&id), good]),
            Some(Fault::ForeignLine) => {
                let foreign = answer_line("zzzzzz-0000003-r1", &body);
                self.output.extend([foreign, good, answer_line(&id.replace("-r", "-r9"), &body)]);
            }
            Some(Fault::Garbage) => self.output.extend(["<html>502</html>".to_owned(), good]),
            _ => self.output.push(good),
        }
    }
}

/// The id and the text of a request line.
fn parts(line: &str) -> (String, String) {
    let line: Value = serde_json::from_str(line).expect("we wrote the line");
    let messages = line["body"]["messages"].as_array().expect("a chat has messages");
    let text = messages.last().and_then(|message| message["content"].as_str());
    let id = line["custom_id"].as_str().expect("a line has its id");
    (id.to_owned(), text.expect("the last message has a text").to_owned())
}

/// The answer to a text: always the same.
pub(crate) fn answer(text: &str) -> String {
    format!("answer to {text}, {} characters", text.chars().count())
}

fn answer_line(id: &str, text: &str) -> String {
    let message = json!({"role": "assistant", "content": answer(text)});
    let body = json!({
        "model": "some-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
    });
    json!({"custom_id": id, "response": {"status_code": 200, "body": body}, "error": null})
        .to_string()
}

fn refusal(id: &str) -> String {
    let error = json!({"code": "invalid_value", "message": "bad", "type": "invalid_request_error"});
    let response = json!({"status_code": 400, "body": {"error": error}});
    json!({"custom_id": id, "response": response, "error": null}).to_string()
}
