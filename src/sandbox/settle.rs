//! The end of a batch: its result files, its bill, its last state. Done once, by whichever server
//! is there when the time has come; a kill in the middle leaves nothing that the next one does
//! not write again, in the same words.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;

use serde::Deserialize;
use serde_json::Value;

use super::answer::answer;
use super::check::Problem;
use super::faults::Dice;
use super::lines::{self, Origin};
use super::results::{Results, bill};
use super::server::Desk;
use super::shelf::{Settled, StoredBatch};
use super::timeline::Moment;
use super::upstream::kept_answers;
use crate::base::{FileLock, LockError, short_hash};
use crate::batch::BatchStatus;

/// Rows answered between two writes.
const CHUNK: usize = 512;
/// Below this many rows a second thread is not worth starting.
const ROWS_PER_THREAD: usize = 64;

/// Where a line of the input file stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: usize,
    /// From 1.
    pub(super) number: u64,
}

/// A request line in full.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) custom_id: String,
    pub(super) url: String,
    pub(super) body: Value,
}

/// A line for a result file.
#[derive(Debug)]
pub(super) struct Made {
    /// The line of the input file, from 1.
    pub(super) number: u64,
    pub(super) custom_id: String,
    pub(super) line: Value,
    /// What the answer costs; `None` for a request that failed, which costs nothing.
    pub(super) bill: Option<Bill>,
    /// What was asked, where a fault wants it.
    pub(super) request: Option<Value>,
}

/// Tokens of one answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bill {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

/// Ends a batch whose time has come. False if another process is at it.
pub(super) fn settle(desk: &Desk, id: &str, finished: Option<Moment>) -> io::Result<bool> {
    let shelf = desk.shelf();
    let _lock = match FileLock::acquire(&shelf.batch_dir(id).join("settle.lock")) {
        Ok(lock) => lock,
        Err(LockError::Held(_)) => return Ok(false),
        Err(LockError::Io { source, .. }) => return Err(source),
    };
    let Some(batch) = shelf.batch(id)?.filter(|batch| batch.settled.is_none()) else {
        return Ok(true);
    };
    let clock = batch.record.plan.at(desk.now(), batch.cancelled);
    let moment = finished.unwrap_or(clock);
    let mut results = Results::new(desk, &batch.record);
    write_results(desk, &batch, moment, &mut results)?;
    bill(desk, &batch, moment, &results)?;
    let settled = results.finish(desk, &batch, moment)?;
    desk.shared.queue.leave(id);
    shelf.settle(id, &settled)?;
    if batch.record.delete_input {
        shelf.delete_file(&batch.record.input_file_id, false)?;
    }
    Ok(true)
}

fn write_results(
    desk: &Desk,
    batch: &StoredBatch,
    moment: Moment,
    results: &mut Results,
) -> io::Result<()> {
    let path = desk.shelf().input_path(&batch.record.id);
    let mut places = places(&path)?;
    let unrun = if batch.record.plan.upstream {
        let mut run = HashSet::new();
        kept_answers(desk, &batch.record.id, |made| {
            // A killed server may have kept an answer twice; the first counts.
            if run.insert(made.number) { results.take(&made) } else { Ok(()) }
        })?;
        places.retain(|place| !run.contains(&place.number));
        places
    } else {
        if !results.tamper().ordered {
            shuffle(&mut places, &batch.record.id);
        }
        let wants_requests = results.tamper().wants_requests();
        let done = usize::try_from(moment.done).unwrap_or(usize::MAX).min(places.len());
        let unrun = places.split_off(done);
        for chunk in places.chunks(CHUNK) {
            for made in answer_chunk(desk, batch, &path, chunk, wants_requests)? {
                results.take(&made)?;
            }
        }
        unrun
    };
    write_unrun(desk, batch, moment.status, &path, &unrun, results)
}

/// Answers some requests on as many threads as there are processors, keeping their order.
fn answer_chunk(
    desk: &Desk,
    batch: &StoredBatch,
    path: &Path,
    chunk: &[Place],
    wants_requests: bool,
) -> io::Result<Vec<Made>> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let threads = processors.min(chunk.len() / ROWS_PER_THREAD).max(1);
    let share = chunk.len().div_ceil(threads).max(1);
    let one = |places: &[Place]| {
        let mut file = File::open(path)?;
        let answered = places.iter().map(|place| {
            let (made, body) = answer_one(desk, batch, &mut file, *place)?;
            Ok(Made { request: wants_requests.then_some(body), ..made })
        });
        answered.collect()
    };
    let parts: Vec<io::Result<Vec<Made>>> = thread::scope(|scope| {
        let workers: Vec<_> =
            chunk.chunks(share).map(|places| scope.spawn(move || one(places))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a bug"))))
            .collect()
    });
    let mut made = Vec::with_capacity(chunk.len());
    for part in parts {
        made.extend(part?);
    }
    Ok(made)
}

/// Answers a request, and gives its body back.
fn answer_one(
    desk: &Desk,
    batch: &StoredBatch,
    file: &mut File,
    place: Place,
) -> io::Result<(Made, Value)> {
    let request = read_request(file, place)?;
    let origin = origin(desk, batch, &request)?;
    let said = answer(desk.family, origin.endpoint, &request.body, &desk.shared.options.answers);
    let (line, bill) = match said {
        Ok(said) => {
            let bill = Bill {
                prompt_tokens: said.prompt_tokens,
                completion_tokens: said.completion_tokens,
            };
            (lines::line(&origin, 200, &lines::body(&origin, &said).value()), Some(bill))
        }
        Err(refusal) => (lines::refused(&origin, &refusal), None),
    };
    let Request { custom_id, body, .. } = request;
    Ok((Made { number: place.number, custom_id, line, bill, request: None }, body))
}

/// Requests that were never run stand in the error file at OpenAI and nowhere at Zhipu.
fn write_unrun(
    desk: &Desk,
    batch: &StoredBatch,
    status: BatchStatus,
    path: &Path,
    unrun: &[Place],
    results: &mut Results,
) -> io::Result<()> {
    let (code, message) = match status {
        BatchStatus::Cancelled => {
            ("batch_cancelled", "This request was not run: the batch was cancelled.")
        }
        _ => ("batch_expired", "This request was not run before the batch expired."),
    };
    let mut file = File::open(path)?;
    for place in unrun {
        let request = read_request(&mut file, *place)?;
        let origin = origin(desk, batch, &request)?;
        if let Some(line) = lines::unrun(&origin, code, message) {
            results.write_error(&line)?;
        }
    }
    Ok(())
}

/// Whose answer a line will hold.
pub(super) fn origin<'a>(
    desk: &Desk,
    batch: &'a StoredBatch,
    request: &'a Request,
) -> io::Result<Origin<'a>> {
    let endpoint = desk.family.endpoint(&request.url);
    Ok(Origin {
        family: desk.family,
        endpoint: endpoint.ok_or_else(|| io::Error::other("an unchecked input file"))?,
        batch: &batch.record.id,
        custom_id: &request.custom_id,
        created: batch.record.plan.answered() / 1000,
        realtime: false,
    })
}

/// Where the lines of an input file stand, blank ones left out.
pub(super) fn places(path: &Path) -> io::Result<Vec<Place>> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
    let (mut places, mut line, mut offset) = (Vec::new(), Vec::new(), 0);
    for number in 1.. {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if !line.trim_ascii().is_empty() {
            places.push(Place { offset, length, number });
        }
        offset += length as u64;
    }
    Ok(places)
}

/// Reads one request line again.
pub(super) fn read_request(file: &mut File, place: Place) -> io::Result<Request> {
    let mut bytes = vec![0; place.length];
    file.seek(SeekFrom::Start(place.offset))?;
    file.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Fisher and Yates, seeded by the batch: results come in an order of their own, and in the same
/// one when they are written again.
fn shuffle(places: &mut [Place], batch: &str) {
    let mut dice = Dice::new(short_hash(&blake3::hash(batch.as_bytes())));
    for last in (1..places.len()).rev() {
        places.swap(last, dice.below(last + 1));
    }
}

/// Ends the batches that die with this input file, which is gone. They cost nothing.
pub(super) fn end_with_file(desk: &Desk, file: &str) -> io::Result<()> {
    for id in desk.shared.mortals_of(file) {
        let _lock = match FileLock::acquire(&desk.shelf().batch_dir(&id).join("settle.lock")) {
            Ok(lock) => lock,
            // It is just ending.
            Err(LockError::Held(_)) => continue,
            Err(LockError::Io { source, .. }) => return Err(source),
        };
        let open = desk.shelf().batch(&id)?.filter(|batch| batch.settled.is_none());
        if open.is_none_or(|batch| desk.now() >= batch.record.plan.at(desk.now(), None).end) {
            continue;
        }
        let problem = Problem {
            code: "input_file_deleted".to_owned(),
            message: format!("The input file '{file}' was deleted while the batch was running."),
            param: Some("input_file_id".to_owned()),
            line: None,
        };
        desk.shared.queue.leave(&id);
        let settled = Settled::failed(desk.now(), problem);
        desk.shelf().settle(&id, &settled)?;
        desk.shared.wake(&id);
    }
    Ok(())
}
