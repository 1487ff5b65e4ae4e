//! Entries as they are shown and carried away. What cannot be read any more, or was damaged, is left
//! out and counted.

use std::io::Write;
use std::path::Path;

use serde::Deserialize;

use super::CacheError;
use super::earlier::{is_good, is_made_up};
use super::entry::{Entry, hex_of};
use super::lines::Lines;
use super::rules::CacheRules;
use crate::answer::Expected;
use crate::batch::{Outcome, ResultLine, Usage};
use crate::store::{EntryNotes, Origin, Store, StoreError};

/// Entries that are looked up together.
const PAGE: usize = 500;

/// What an export did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Entries that were written.
    pub written: u64,
    /// Entries whose line is not there as it was recorded.
    pub unreadable: u64,
}

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its content key, 32 hex digits.
    pub key: String,
    /// Who answered.
    pub provider: String,
    /// The model, as it names itself.
    pub model: Option<String>,
    /// At which address.
    pub address: String,
    /// When, in Unix seconds.
    pub answered: i64,
    /// The bytes of its line.
    pub bytes: u64,
    /// Tokens, where given.
    pub usage: Option<Usage>,
    /// What it cost, in trillionths of the currency.
    pub cost: Option<(String, u64)>,
    /// Rows that got it since.
    pub hits: u64,
    /// When the newest job of those was made, in Unix seconds.
    pub last_hit: Option<i64>,
    /// The key of the job that holds it; `None` for one from another home.
    pub job: Option<String>,
    /// Whether a sandbox made it up.
    pub is_sandbox: bool,
    /// The text of the answer; `None` where its line cannot be read any more.
    pub text: Option<String>,
}

/// Writes every entry that the rules do not find too old, in the order of the keys.
pub fn export(
    store: &Store,
    rules: CacheRules,
    path: &Path,
    out: &mut dyn Write,
) -> Result<Exported, CacheError> {
    let mut lines = Lines::of(store);
    let (mut exported, mut last) = (Exported::default(), None);
    loop {
        let keys = store.cache_keys(last, PAGE)?;
        let Some(newest) = keys.last() else { return Ok(exported) };
        last = Some(*newest);
        let found = store.earlier_answers(&keys, rules.since)?;
        for (key, answers) in keys.iter().zip(found).filter(|(_, answers)| !answers.is_empty()) {
            let Some(entry) = entry_of(store, &mut lines, key, &answers)? else {
                exported.unreadable += 1;
                continue;
            };
            writeln!(out, "{}", entry.to_line()).map_err(CacheError::file("write", path))?;
            exported.written += 1;
        }
    }
}

fn entry_of(
    store: &Store,
    lines: &mut Lines<'_>,
    key: &[u8; 16],
    answers: &[crate::store::EarlierAnswer],
) -> Result<Option<Entry>, StoreError> {
    for answer in answers {
        let Some((bytes, line)) = lines.read(key, answer)? else { continue };
        if !is_good(&line, true, &Expected::default()) {
            continue;
        }
        let notes = store.entry_notes(key, &answer.origin)?;
        let who = Who::of(&notes, &bytes, &line);
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let (currency, cost) = notes.cost.unzip();
        return Ok(Some(Entry {
            provider: who.provider,
            model: who.model,
            address: who.address,
            currency,
            cost,
            ..Entry::new(key, text, answer.answered)
        }));
    }
    Ok(None)
}

/// The entries that were answered last, the newest first.
pub fn newest(store: &Store, limit: usize) -> Result<Vec<Shown>, CacheError> {
    let mut lines = Lines::of(store);
    let keys = store.newest_cache_keys(limit)?;
    let found = store.earlier_answers(&keys, i64::MIN)?;
    let mut shown = Vec::new();
    for (key, answers) in keys.iter().zip(found) {
        let Some(answer) = answers.first() else { continue };
        let notes = store.entry_notes(key, &answer.origin)?;
        let read = lines.read(key, answer)?;
        let who = match &read {
            Some((bytes, line)) => Who::of(&notes, bytes, line),
            None => Who::of_job(&notes),
        };
        let line = read.map(|(_, line)| line);
        shown.push(Shown {
            key: hex_of(key),
            provider: who.provider,
            model: who.model,
            address: who.address,
            answered: answer.answered,
            bytes: answer.length,
            usage: line.as_ref().and_then(|line| line.usage),
            cost: notes.cost,
            hits: notes.hits,
            last_hit: notes.last_hit,
            job: match &answer.origin {
                Origin::Job { job, .. } => Some(job.clone()),
                Origin::Import { .. } => None,
            },
            is_sandbox: line.as_ref().is_some_and(is_made_up),
            text: line.and_then(|line| match line.outcome {
                Outcome::Answered(reply) => Some(reply.content),
                Outcome::Failed(_) => None,
            }),
        });
    }
    Ok(shown)
}

/// Who gave an answer: the line of a call says so itself, one of a batch is its job's provider's.
struct Who {
    provider: String,
    model: Option<String>,
    address: String,
}

/// What a line says of who was called.
#[derive(Deserialize)]
struct Called {
    batchctl: Option<By>,
}

#[derive(Deserialize)]
struct By {
    provider: String,
}

/// Of a job's request, who else may have been asked.
#[derive(Deserialize)]
struct Chain {
    #[serde(default)]
    others: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    provider: String,
    question: At,
}

#[derive(Deserialize)]
struct At {
    base_url: String,
}

impl Who {
    fn of_job(notes: &EntryNotes) -> Self {
        let (provider, address) = (notes.provider.clone(), notes.address.clone());
        Self { provider, model: None, address }
    }

    fn of(notes: &EntryNotes, bytes: &[u8], line: &ResultLine) -> Self {
        let mut who = Self { model: line.model.clone(), ..Self::of_job(notes) };
        let called: Option<Called> = serde_json::from_slice(bytes).ok();
        let Some(by) = called.and_then(|called| called.batchctl) else { return who };
        if by.provider == who.provider {
            return who;
        }
        let chain = notes.spec.as_deref().and_then(|spec| serde_json::from_str(spec).ok());
        let member = chain.and_then(|Chain { others }| {
            others.into_iter().find(|member| member.provider == by.provider)
        });
        if let Some(member) = member {
            (who.provider, who.address) = (by.provider, member.question.base_url);
        }
        who
    }
}
