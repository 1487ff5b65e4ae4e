//! Counts the tokens of prompts on threads of their own: of all that planning does it takes the
//! longest, ten times as long as reading and hashing the rows.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::cost::{Counter, Tokenizer, chat_overhead};
use crate::request::{Message, Question};

/// Bytes of text handed over at a time.
const BATCH: usize = 1 << 18;
/// Threads: more wait for the rows.
const MOST_THREADS: usize = 8;

/// Texts of several requests, one behind the other.
#[derive(Debug, Default)]
struct Batch {
    /// The number of its first request.
    start: usize,
    text: String,
    /// Where each text ends, and its place within its request.
    ends: Vec<(usize, usize)>,
    /// For each request how many texts stand before its end, and the tokens that no text holds:
    /// those a chat adds to each message.
    requests: Vec<(usize, u32)>,
}

/// Takes prompts and counts their tokens meanwhile.
pub(super) struct TokenCounter<'scope> {
    batch: Batch,
    to_threads: SyncSender<Batch>,
    threads: Vec<ScopedJoinHandle<'scope, Vec<Counted>>>,
    is_chat: bool,
    has_beside: bool,
}

/// Tokens of requests that follow each other.
struct Counted {
    start: usize,
    tokens: Vec<u32>,
}

impl<'scope> TokenCounter<'scope> {
    /// Starts the threads.
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        question: &Question,
        is_chat: bool,
    ) -> Self {
        let count = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        let (to_threads, batches) = sync_channel(count);
        let batches = Arc::new(Mutex::new(batches));
        let (tokenizer, _) = Tokenizer::for_model(&question.model);
        let thread = |_| {
            let batches = Arc::clone(&batches);
            scope.spawn(move || count_batches(tokenizer, &batches))
        };
        let threads = (0..count).map(thread).collect();
        Self { batch: Batch::default(), to_threads, threads, is_chat, has_beside: false }
    }

    /// Takes the texts of one request.
    pub(super) fn add(&mut self, messages: &[Message]) {
        let (mut spoken, mut names) = (0, 0);
        for (place, message) in (0..).step_by(3).zip(messages) {
            if message.is_beside() {
                self.has_beside = true;
            } else if self.is_chat {
                spoken += 1;
                self.batch.push(&message.role, place);
                if let Some(name) = &message.name {
                    names += 1;
                    self.batch.push(name, place + 1);
                }
            }
            self.batch.push(&message.text, place + 2);
        }
        let overhead = if spoken > 0 { chat_overhead(spoken) + names } else { 0 };
        let overhead = u32::try_from(overhead).unwrap_or(u32::MAX);
        self.batch.requests.push((self.batch.ends.len(), overhead));
        if self.batch.text.len() >= BATCH {
            self.send();
        }
    }

    /// Whether a request has tools, a schema or the like, whose form in the prompt is not known.
    pub(super) fn has_beside(&self) -> bool {
        self.has_beside
    }

    fn send(&mut self) {
        let start = self.batch.start + self.batch.requests.len();
        let next = Batch { start, ..Batch::default() };
        let batch = std::mem::replace(&mut self.batch, next);
        self.to_threads.send(batch).expect("the threads read until this end is dropped");
    }

    /// Waits for the threads: the tokens of each request, in the order in which they were added.
    pub(super) fn finish(mut self) -> Vec<u32> {
        self.send();
        drop(self.to_threads);
        let threads = self.threads.into_iter();
        let mut counted: Vec<Counted> =
            threads.flat_map(|thread| thread.join().expect("counting does not panic")).collect();
        counted.sort_unstable_by_key(|counted| counted.start);
        counted.into_iter().flat_map(|counted| counted.tokens).collect()
    }
}

impl Batch {
    fn push(&mut self, text: &str, place: usize) {
        self.text.push_str(text);
        self.ends.push((self.text.len(), place));
    }
}

fn count_batches(tokenizer: &'static Tokenizer, batches: &Mutex<Receiver<Batch>>) -> Vec<Counted> {
    let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let mut counter = Counter::new(tokenizer);
    let mut results = Vec::new();
    while let Some(batch) = next() {
        let mut start = 0;
        let mut texts = batch.ends.iter();
        let mut done = 0;
        let mut tokens = Vec::with_capacity(batch.requests.len());
        for (last_text, overhead) in &batch.requests {
            let mut sum = u64::from(*overhead);
            for (end, place) in texts.by_ref().take(last_text - done) {
                sum += counter.count(*place, &batch.text[start..*end]);
                start = *end;
            }
            done = *last_text;
            tokens.push(u32::try_from(sum).unwrap_or(u32::MAX));
        }
        results.push(Counted { start: batch.start, tokens });
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{ChatText, chat_tokens, text_tokens};

    /// The threads count what counting one request after the other gives.
    #[test]
    fn threads_count_as_one_does() {
        let question = Question { model: "gpt-4o".into(), ..Question::default() };
        let message = |role: &str, text: String| Message::spoken(role, &text);
        let requests: Vec<Vec<Message>> = (0..3000)
            .map(|n| {
                let mut messages = vec![message("system", "回答一个词".to_owned())];
                messages[0].name = (n % 7 == 0).then(|| "ada".to_owned());
                messages.extend(
                    (0..n % 3)
                        .map(|m| message("user", format!("row {n} {m} 很好 ").repeat(n % 40))),
                );
                messages
            })
            .collect();
        for is_chat in [true, false] {
            let counted = thread::scope(|scope| {
                let mut counter = TokenCounter::start(scope, &question, is_chat);
                for messages in &requests {
                    counter.add(messages);
                }
                counter.finish()
            });
            let one = |messages: &Vec<Message>| -> u64 {
                if is_chat {
                    let text = |m| -> ChatText<'_> {
                        let m: &Message = m;
                        ChatText { role: &m.role, name: m.name.as_deref(), content: &m.text }
                    };
                    chat_tokens("gpt-4o", messages.iter().map(text))
                } else {
                    messages.iter().map(|m| text_tokens("gpt-4o", &m.text)).sum()
                }
            };
            let counted: Vec<u64> = counted.into_iter().map(u64::from).collect();
            let expected: Vec<u64> = requests.iter().map(one).collect();
            assert_eq!(counted, expected, "chat: {is_chat}");
        }
    }
}
