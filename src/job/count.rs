//! Counts the tokens of prompts on threads of their own: of all that planning does it takes the
//! longest, ten times as long as reading and hashing the rows.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::cost::{Tokenizer, chat_overhead};
use crate::request::{Message, Question};

/// Bytes of text handed over at a time.
const BATCH: usize = 1 << 18;
/// Threads: more wait for the rows.
const MOST_THREADS: usize = 8;

/// Texts of several requests, one behind the other.
#[derive(Debug, Default)]
struct Batch {
    text: String,
    /// Where each text ends, its place within its request, and which request that is.
    ends: Vec<(usize, usize, u32)>,
    /// The first request of this batch; the others are counted from it.
    first: usize,
    /// How many requests it holds.
    requests: u32,
    /// Tokens that no text holds, those a chat adds to each message, by request.
    overheads: Vec<(u32, u64)>,
}

/// Tokens of requests that followed one another.
#[derive(Debug)]
struct Counted {
    /// The first of these requests, counted from 0 over all.
    first: usize,
    tokens: Vec<u32>,
}

/// Takes prompts and counts their tokens meanwhile.
pub(super) struct TokenCounter<'scope> {
    batch: Batch,
    to_threads: SyncSender<Batch>,
    threads: Vec<ScopedJoinHandle<'scope, Vec<Counted>>>,
    is_chat: bool,
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
        Self { batch: Batch::default(), to_threads, threads, is_chat }
    }

    /// Takes the texts of the next request.
    pub(super) fn add(&mut self, messages: &[Message]) {
        let request = self.batch.requests;
        self.batch.requests += 1;
        for (number, message) in messages.iter().enumerate() {
            if self.is_chat {
                self.batch.push(&message.role, number * 2, request);
            }
            self.batch.push(&message.text, number * 2 + 1, request);
        }
        if self.is_chat {
            self.batch.overheads.push((request, chat_overhead(messages.len())));
        }
        if self.batch.text.len() >= BATCH {
            self.send();
        }
    }

    fn send(&mut self) {
        let next = self.batch.first + self.batch.requests as usize;
        let batch = std::mem::replace(&mut self.batch, Batch { first: next, ..Batch::default() });
        self.to_threads.send(batch).expect("the threads read until this end is dropped");
    }

    /// Waits for the threads: the tokens of each request, in the order in which they came.
    pub(super) fn finish(mut self) -> Vec<u32> {
        self.send();
        let all = self.batch.first;
        drop(self.to_threads);
        let mut tokens = vec![0; all];
        for thread in self.threads {
            for Counted { first, tokens: counted } in thread.join().expect("counting does not panic")
            {
                tokens[first..first + counted.len()].copy_from_slice(&counted);
            }
        }
        tokens
    }
}

impl Batch {
    fn push(&mut self, text: &str, place: usize, request: u32) {
        self.text.push_str(text);
        self.ends.push((self.text.len(), place, request));
    }
}

fn count_batches(tokenizer: &Tokenizer, batches: &Mutex<Receiver<Batch>>) -> Vec<Counted> {
    let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let mut known: Vec<(String, u64)> = Vec::new();
    let mut all = Vec::new();
    while let Some(batch) = next() {
        let mut tokens = vec![0_u32; batch.requests as usize];
        let mut add = |request: u32, more: u64| {
            let sum = &mut tokens[request as usize];
            *sum = sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        };
        for (request, overhead) in &batch.overheads {
            add(*request, *overhead);
        }
        let mut start = 0;
        for (end, place, request) in &batch.ends {
            let text = &batch.text[start..*end];
            start = *end;
            // The roles and the system text are the same in every request.
            if known.len() <= *place {
                known.resize_with(place + 1, Default::default);
            }
            let (last, count) = &mut known[*place];
            if last != text {
                last.clear();
                last.push_str(text);
                *count = tokenizer.count(text);
            }
            add(*request, *count);
        }
        all.push(Counted { first: batch.first, tokens });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{ChatText, chat_tokens, text_tokens};

    /// The threads count what counting one request after the other gives.
    #[test]
    fn threads_count_as_one_does() {
        let question = Question { model: "gpt-4o".into(), ..Question::default() };
        let message = |role: &str, text: String| Message { role: role.to_owned(), text };
        let requests: Vec<Vec<Message>> = (0..3000)
            .map(|n| {
                let mut messages = vec![message("system", "回答一个词".to_owned())];
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
            let one = |messages: &Vec<Message>| -> u32 {
                let tokens = if is_chat {
                    let text = |m| -> ChatText<'_> {
                        let m: &Message = m;
                        ChatText { role: &m.role, name: None, content: &m.text }
                    };
                    chat_tokens("gpt-4o", messages.iter().map(text))
                } else {
                    messages.iter().map(|m| text_tokens("gpt-4o", &m.text)).sum()
                };
                u32::try_from(tokens).unwrap()
            };
            let each: Vec<u32> = requests.iter().map(one).collect();
            assert_eq!(counted, each, "chat: {is_chat}");
        }
    }
}
