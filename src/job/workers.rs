//! The part of planning that takes longest, on threads of its own while further rows are read:
//! hashing rows and requests, and counting the tokens of prompts. Rows go there in batches and
//! come back in their order; never more than a few megabytes are under way, unless a single row
//! is larger.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

use super::count::Prompts;
use crate::base::short_hash;
use crate::cost::{Counter, Tokenizer};
use crate::request::{SkipKind, content_key};
use crate::shard::RowEntry;

/// Bytes of a batch: enough work to be worth a message to another thread, and so little that what
/// one thread wrote is near when another reads it.
const BATCH: usize = 1 << 17;
/// What a row is counted as besides its texts: batches of rows that are skipped end too.
const ROW: usize = 128;
/// Batches that two threads are done with in the milliseconds that a system gives to one before
/// it lets another on.
const AHEAD: usize = 20;
/// Threads: more wait for the rows.
const MOST_THREADS: usize = 8;

/// A row that was read.
#[derive(Debug)]
pub(super) enum Taken {
    /// It becomes a request.
    Asked(Request),
    /// It does not.
    Skipped {
        /// Its number in the table.
        row: u64,
        /// Why.
        kind: SkipKind,
    },
}

/// A request, until it is known whether it need be sent.
#[derive(Debug)]
pub(super) struct Request {
    /// Its hash and its key are zeros until its batch comes back.
    pub(super) entry: RowEntry,
    /// Tokens of its texts; 0 until its batch comes back.
    pub(super) text_tokens: u32,
    /// Its images.
    pub(super) images: u64,
    /// Their tokens; `None` = unknown.
    pub(super) image_tokens: Option<u64>,
    /// The keys of the same question to others that may have answered it before.
    pub(super) other_keys: Vec<[u8; 16]>,
}

/// Rows that follow each other, with what their requests are hashed and counted from.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The rows.
    pub(super) rows: Vec<Taken>,
    /// The cells of each request's row, as they are hashed; of none where nobody asks.
    pub(super) cells: Pieces,
    /// What decides the answer of each request, as it is hashed.
    pub(super) contents: Pieces,
    /// The texts of each request.
    pub(super) prompts: Prompts,
}

/// Pieces of bytes, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    /// Appends what is written as one piece.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Appends what is written as one piece; on an error nothing.
    pub(super) fn try_push<T, E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<T, E> {
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        match written {
            Ok(_) => self.ends.push(self.bytes.len()),
            Err(_) => self.bytes.truncate(start),
        }
        written
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

impl Batch {
    /// Whether it is time to hand it over.
    pub(super) fn is_full(&self) -> bool {
        self.bytes() >= BATCH
    }

    fn bytes(&self) -> usize {
        let texts = self.cells.bytes.len() + self.contents.bytes.len() + self.prompts.bytes();
        texts + ROW * self.rows.len()
    }

    fn work(&mut self, counter: &mut Counter) {
        let requests = self.rows.iter_mut().filter_map(|taken| match taken {
            Taken::Asked(request) => Some(request),
            Taken::Skipped { .. } => None,
        });
        let mut cells = self.cells.iter();
        let found = self.contents.iter().zip(self.prompts.count(counter));
        for (request, (content, tokens)) in requests.zip(found) {
            if let Some(cells) = cells.next() {
                request.entry.row_hash = short_hash(&blake3::hash(cells));
            }
            request.entry.content_key = content_key(content);
            request.text_tokens = tokens;
        }
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.cells.clear();
        self.contents.clear();
        self.prompts.clear();
    }
}

/// A batch with the way on which it comes back.
type Errand = (Batch, SyncSender<Batch>);

/// The threads, and what they have in hand.
pub(super) struct Workers {
    errands: Sender<Errand>,
    /// Batches in their order, with their bytes.
    under_way: VecDeque<(usize, Receiver<Batch>)>,
    bytes: usize,
    /// Bytes that may be under way: two batches for each thread, and what the threads do while
    /// the reader has no processor, which they share with it.
    most: usize,
    /// Batches whose memory is used again.
    spare: Vec<Batch>,
}

impl Workers {
    /// Starts the threads; they end when this is dropped.
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, model: &str) -> Self {
        let count = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        let (errands, to_do) = channel();
        let to_do = Arc::new(Mutex::new(to_do));
        let (tokenizer, _) = Tokenizer::for_model(model);
        for _ in 0..count {
            let to_do = Arc::clone(&to_do);
            scope.spawn(move || run_errands(tokenizer, &to_do));
        }
        let most = (2 * count + AHEAD) * BATCH;
        Self { errands, under_way: VecDeque::new(), bytes: 0, most, spare: Vec::new() }
    }

    /// An empty batch.
    pub(super) fn spare(&mut self) -> Batch {
        self.spare.pop().unwrap_or_default()
    }

    /// Hands a batch over.
    pub(super) fn give(&mut self, batch: Batch) {
        let bytes = batch.bytes();
        let (back, done) = sync_channel(1);
        self.errands.send((batch, back)).expect("the threads read until this end is dropped");
        self.under_way.push_back((bytes, done));
        self.bytes += bytes;
    }

    /// Waits for the oldest batch, if too much is under way for another one.
    pub(super) fn make_room(&mut self) -> Option<Batch> {
        if self.bytes > self.most { self.take_back() } else { None }
    }

    /// Waits for the oldest batch.
    pub(super) fn take_back(&mut self) -> Option<Batch> {
        let (bytes, done) = self.under_way.pop_front()?;
        self.bytes -= bytes;
        Some(done.recv().expect("hashing and counting do not panic"))
    }

    /// Takes the memory of a batch that is no longer needed; that of giant rows is given up.
    pub(super) fn keep(&mut self, mut batch: Batch) {
        if batch.bytes() < 2 * BATCH {
            batch.clear();
            self.spare.push(batch);
        }
    }
}

fn run_errands(tokenizer: &'static Tokenizer, to_do: &Mutex<Receiver<Errand>>) {
    let next = || to_do.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let mut counter = Counter::new(tokenizer);
    while let Some((mut batch, back)) = next() {
        batch.work(&mut counter);
        // Planning may have stopped with an error; then nobody waits for the batch.
        let _ = back.send(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::text_tokens;
    use crate::request::Message;

    fn text(row: u64) -> String {
        // One is larger than all that may be under way.
        let times = if row == 700 { 2 * BATCH as u64 } else { row % 50 };
        (0..times).map(|_| format!("{row} 很好 good, ")).collect()
    }

    fn push(batch: &mut Batch, row: u64) {
        if row.is_multiple_of(9) {
            return batch.rows.push(Taken::Skipped { row, kind: SkipKind::Empty });
        }
        let text = text(row);
        batch.cells.push(|out| out.extend_from_slice(text.as_bytes()));
        let refused = batch.contents.try_push(|out| {
            out.push(b'x');
            Err::<(), _>(())
        });
        assert_eq!(refused, Err(()));
        let written = batch.contents.try_push(|out| {
            out.extend_from_slice(&row.to_le_bytes());
            Ok::<_, ()>(7)
        });
        assert_eq!(written, Ok(7));
        batch.prompts.push(&[Message::spoken("user", &text)], false);
        let (line, offset, line_bytes) = (0, 0, 0);
        let entry = RowEntry { row, line, offset, line_bytes, row_hash: 0, content_key: [0; 16] };
        batch.rows.push(Taken::Asked(Request {
            entry,
            text_tokens: 0,
            images: 0,
            image_tokens: None,
            other_keys: Vec::new(),
        }));
    }

    /// Whatever the threads do first, rows come back in their order, each with its own figures.
    #[test]
    fn rows_come_back_in_their_order_with_what_was_found() {
        const ROWS: u64 = 6_000;
        let mut back = Vec::new();
        thread::scope(|scope| {
            let mut workers = Workers::start(scope, "gpt-4o");
            let mut batch = workers.spare();
            for row in 0..ROWS {
                push(&mut batch, row);
                if batch.is_full() || row == ROWS - 1 {
                    let next = workers.spare();
                    workers.give(std::mem::replace(&mut batch, next));
                    while let Some(mut done) = workers.make_room() {
                        back.append(&mut done.rows);
                        workers.keep(done);
                    }
                    assert!(workers.bytes <= workers.most);
                }
            }
            while let Some(mut done) = workers.take_back() {
                back.append(&mut done.rows);
            }
        });
        assert_eq!(back.len() as u64, ROWS);
        for (row, taken) in (0..).zip(back) {
            match taken {
                Taken::Skipped { row: number, .. } => assert_eq!((number, row % 9), (row, 0)),
                Taken::Asked(request) => {
                    let entry = request.entry;
                    assert_eq!(entry.row, row);
                    let text = text(row);
                    assert_eq!(entry.row_hash, short_hash(&blake3::hash(text.as_bytes())));
                    assert_eq!(entry.content_key, content_key(&row.to_le_bytes()));
                    assert_eq!(u64::from(request.text_tokens), text_tokens("gpt-4o", &text));
                }
            }
        }
    }
}
