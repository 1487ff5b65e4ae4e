//! Prompt tokens that wait: a limit by account and model, given back when batches end.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::asked::Asked;
use super::check::each_line;
use super::options::EnqueuedTokens;
use super::server::Desk;
use super::settle::Request;
use super::shelf::BatchRecord;
use super::{Family, tokens};

/// All batches that have not ended. One that another server has created on the same state counts
/// from the next start on.
#[derive(Debug)]
pub(super) struct Queue {
    limit: Option<EnqueuedTokens>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_batch: HashMap<String, (Lane, u64)>,
    sums: HashMap<Lane, u64>,
}

/// Whose tokens, and for which model.
type Lane = (Family, String, String);

impl Queue {
    pub(super) fn new(limit: Option<EnqueuedTokens>) -> Self {
        Self { limit, waiting: Mutex::default() }
    }

    /// The limit, if there is one.
    pub(super) fn limit(&self) -> Option<EnqueuedTokens> {
        self.limit
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a batch into the queue; false if it does not fit in.
    pub(super) fn enter(&self, family: Family, record: &BatchRecord) -> bool {
        let Some(EnqueuedTokens { limit, .. }) = self.limit else { return true };
        let model = record.model.clone().unwrap_or_default();
        let lane = (family, record.account.clone(), model);
        let mut waiting = self.waiting();
        let sum = waiting.sums.get(&lane).copied().unwrap_or(0) + record.prompt_tokens;
        if sum > limit {
            return false;
        }
        waiting.put(&record.id, lane, record.prompt_tokens);
        true
    }

    /// Puts a batch that a former server has left unfinished back into the queue.
    pub(super) fn count_again(&self, family: Family, record: &BatchRecord) {
        if self.limit.is_some() && record.plan.valid {
            let model = record.model.clone().unwrap_or_default();
            let lane = (family, record.account.clone(), model);
            self.waiting().put(&record.id, lane, record.prompt_tokens);
        }
    }

    /// Gives a batch's tokens back, once.
    pub(super) fn leave(&self, id: &str) {
        let mut waiting = self.waiting();
        if let Some((lane, tokens)) = waiting.by_batch.remove(id)
            && let Some(sum) = waiting.sums.get_mut(&lane)
        {
            *sum = sum.saturating_sub(tokens);
        }
    }
}

impl Waiting {
    fn put(&mut self, id: &str, lane: Lane, tokens: u64) {
        *self.sums.entry(lane.clone()).or_default() += tokens;
        self.by_batch.insert(id.to_owned(), (lane, tokens));
    }
}

/// Prompt tokens of all requests of a file; of lines that cannot be read, none.
pub(super) fn prompt_tokens(desk: &Desk, path: &Path) -> io::Result<u64> {
    let mut sum = 0;
    each_line(path, |_, bytes| {
        sum += tokens_of(desk.family, bytes).unwrap_or(0);
        true
    })?;
    Ok(sum)
}

fn tokens_of(family: Family, line: &[u8]) -> Option<u64> {
    let request: Request = serde_json::from_slice(line).ok()?;
    let endpoint = family.endpoint(&request.url)?;
    let asked = Asked::read(family, endpoint, &request.body).ok()?;
    Some(tokens::of_prompt(&asked))
}

/// The service's words for a full queue.
pub(super) fn full_text(model: &str, limit: u64) -> String {
    format!(
        "Enqueued token limit reached for {model} in organization org-sandbox. Limit: {} enqueued \
         tokens. Please try again once some in_progress batches have been completed.",
        grouped(limit)
    )
}

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [(7, "7"), (900, "900"), (90_000, "90,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
