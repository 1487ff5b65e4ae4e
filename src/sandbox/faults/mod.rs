//! Faults on purpose: rules that say which call, batch or result file goes wrong, when, and how.
//!
//! Faults of calls stand around every call, after its key was accepted ([`around`]). Faults of
//! batches and of result files are decided when a batch is created and kept in its record, so
//! that a killed server changes nothing about them. Without rules every call passes untouched.
//! The grammar is in `help.txt`.

mod book;
mod calls;
mod control;
mod dice;
mod error;
mod life;
mod parse;
mod parse_calls;
mod parse_ends;
mod play;
mod rule;
mod seed;
mod token;
mod wire;

#[cfg(test)]
mod tests;

use std::path::Path;

pub(super) use book::{Book, Fate, Subject};
pub(super) use calls::{Fired, HeldBack, around, is_realtime};
pub(super) use control::routes;
pub(super) use dice::Dice;
pub use error::FaultError;
pub(super) use play::Broken;
pub(super) use rule::{ResultFault, RowFault, Share};
pub(super) use wire::{Wire, Wired};

/// The grammar and the words of all faults, for `help faults`.
pub const HELP: &str = include_str!("help.txt");

/// Rules, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults(Vec<rule::Rule>);

impl Faults {
    /// Reads rules. [`FaultError::Rule`] tells what is wrong and the nearest word.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        parse::rules(text).map(Self)
    }

    /// Reads rules, or with `@` in front the file that holds them, found from this folder.
    pub fn open(given: &str, folder: &Path) -> Result<Self, FaultError> {
        let Some(name) = given.strip_prefix('@') else { return Self::parse(given) };
        let path = folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text),
            Err(error) => Err(FaultError::File { path, reason: error.to_string() }),
        }
    }

    /// Each rule as it was written; a seed is shown as the rules that it stands for.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|rule| rule.text.as_str())
    }
}
