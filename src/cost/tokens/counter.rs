//! Counting the texts of many requests that are alike: the same system text in each, the same
//! words before and after the cell, cells that come again. Nothing of it is counted twice, and
//! every count is the one that [`Tokenizer::count`] gives.

use std::collections::HashMap;

use super::Tokenizer;
use super::cuts::{common_end, common_start, first_cut, last_cut, may_cut};

/// A common part that is shorter costs as much to find as to count.
const WORTH: usize = 48;
/// Bytes of cells that are remembered.
const MOST_BYTES: usize = 4 << 20;
/// After so many cells it is looked whether they come again at all.
const TRIAL: u32 = 4096;

/// Counts for one thread. A *place* is where a text stands in its request: texts of one place
/// are alike.
pub struct Counter {
    tokenizer: &'static Tokenizer,
    places: Vec<Place>,
    cells: Cells,
}

/// The text that stood at a place last, and what it began and ended with as the one before.
#[derive(Default)]
struct Place {
    last: String,
    tokens: u64,
    head: Known,
    tail: Known,
}

#[derive(Default)]
struct Known {
    text: String,
    tokens: u64,
}

impl Counter {
    /// A counter that knows nothing yet.
    pub fn new(tokenizer: &'static Tokenizer) -> Self {
        let cells = Cells { known: HashMap::new(), bytes: 0, asked: 0, found: 0 };
        Self { tokenizer, places: Vec::new(), cells }
    }

    /// Tokens of a text that stands at this place of its request.
    pub fn count(&mut self, place: usize, text: &str) -> u64 {
        if self.places.len() <= place {
            self.places.resize_with(place + 1, Place::default);
        }
        let mut memory = std::mem::take(&mut self.places[place]);
        if memory.last != text {
            self.learn(&mut memory, text);
            memory.tokens = self.sum(&memory, text);
            memory.last.clear();
            memory.last.push_str(text);
        }
        let tokens = memory.tokens;
        self.places[place] = memory;
        self.tokenizer.scaled(tokens)
    }

    /// Learns what this text and the last one have in common, where what was known does not fit.
    fn learn(&mut self, memory: &mut Place, text: &str) {
        if !memory.head.begins(text) {
            let common = common_start(&memory.last, text);
            let cut = if common < WORTH { None } else { last_cut(text, common) };
            self.know(&mut memory.head, &text[..cut.unwrap_or(0)]);
        }
        let rest = &text[memory.head.text.len()..];
        if !memory.tail.ends(rest) {
            let common = common_end(&memory.last, rest).min(rest.len());
            let cut = if common < WORTH { None } else { first_cut(rest, common) };
            self.know(&mut memory.tail, &rest[cut.unwrap_or(rest.len())..]);
        }
    }

    fn know(&mut self, known: &mut Known, text: &str) {
        let text = if text.len() < WORTH { "" } else { text };
        if known.text != text {
            text.clone_into(&mut known.text);
            known.tokens = self.tokenizer.vocabulary.count(text);
        }
    }

    fn sum(&mut self, memory: &Place, text: &str) -> u64 {
        let (head, tail) = (&memory.head, &memory.tail);
        let cell = &text[head.text.len()..text.len() - tail.text.len()];
        let vocabulary = self.tokenizer.vocabulary;
        let count = || vocabulary.count(cell);
        head.tokens + self.cells.get_or_count(cell, count) + tail.tokens
    }
}

impl Known {
    /// Whether a text begins with this and may be cut there.
    fn begins(&self, text: &str) -> bool {
        let at = self.text.len();
        at > 0 && text.starts_with(&self.text) && may_cut(text, at)
    }

    fn ends(&self, text: &str) -> bool {
        let length = self.text.len();
        length > 0 && text.ends_with(&self.text) && may_cut(text, text.len() - length)
    }
}

/// Cells that came before. Where they do not come again, they are not remembered any longer.
struct Cells {
    known: HashMap<Box<str>, u64>,
    bytes: usize,
    asked: u32,
    found: u32,
}

impl Cells {
    fn get_or_count(&mut self, cell: &str, count: impl FnOnce() -> u64) -> u64 {
        let hopeless = self.asked >= TRIAL && self.found < self.asked / 16;
        if cell.len() < WORTH || hopeless {
            return count();
        }
        self.asked = self.asked.saturating_add(1);
        if let Some(tokens) = self.known.get(cell) {
            self.found = self.found.saturating_add(1);
            return *tokens;
        }
        let tokens = count();
        if self.bytes + cell.len() <= MOST_BYTES {
            self.bytes += cell.len();
            self.known.insert(cell.into(), tokens);
        }
        tokens
    }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
