//! Entries from another home: each is checked, and those that are new here are kept in files of the
//! cache's own, so that no prune of a job takes them away.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::Path;

use super::entry::{Entry, Read, digest_of};
use super::lines::MOST_BYTES;
use super::{CacheError, FOLDER};
use crate::base::{AtomicFile, DiskFile, FileLock, private_dir, remove_file};
use crate::store::{ImportedAnswer, Store};

/// Entries that are kept in one file and recorded together.
const TOGETHER: usize = 20_000;
/// The bytes of lines after which a file is closed.
const FILE_BYTES: u64 = 256 << 20;
/// Longer lines hold no entry: every character of an answer may be escaped.
const LONGEST: u64 = 2 * MOST_BYTES;
/// Refused lines that are told one by one.
const MOST_TOLD: usize = 20;

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number in the file, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Entries that are new here.
    pub taken: u64,
    /// Entries whose key was here already; they stay as they are.
    pub known: u64,
    /// How many lines were refused.
    pub refused: u64,
    /// The first of them.
    pub told: Vec<Refused>,
}

/// Takes the entries of a file over. What was done before a kill stays; the same file once more
/// goes on from there.
pub fn import(store: &Store, path: &Path) -> Result<Imported, CacheError> {
    let failed = |error| CacheError::file("read", path)(error);
    let mut input = BufReader::with_capacity(1 << 20, DiskFile::open(path).map_err(failed)?);
    let _lock = lock(store)?;
    remove_rubbish(store)?;
    let (mut done, mut waiting, mut bytes) = (Imported::default(), Vec::new(), 0);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if (&mut input).take(LONGEST).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        if line.len() as u64 == LONGEST {
            input.skip_until(b'\n').map_err(failed)?;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match Entry::read(text) {
            Ok(read) => {
                bytes += read.entry.answer.len() as u64;
                waiting.push(read);
            }
            Err(why) => {
                done.refused += 1;
                if done.told.len() < MOST_TOLD {
                    done.told.push(Refused { line: number, why: why.to_string() });
                }
            }
        }
        if waiting.len() >= TOGETHER || bytes >= FILE_BYTES {
            keep(store, &std::mem::take(&mut waiting), &mut done)?;
            bytes = 0;
        }
    }
    keep(store, &waiting, &mut done)?;
    Ok(done)
}

/// Keeps those of some entries that are new here: first their file, complete and synced, then the
/// ledger.
fn keep(store: &Store, read: &[Read], done: &mut Imported) -> Result<(), CacheError> {
    let keys: Vec<_> = read.iter().map(|read| read.key).collect();
    let are_known = store.are_cached(&keys)?;
    let new = || read.iter().zip(&are_known).filter(|(_, known)| !**known).map(|(read, _)| read);
    done.known += are_known.iter().filter(|known| **known).count() as u64;
    if new().next().is_none() {
        return Ok(());
    }
    let folder = store.home().join(FOLDER);
    let name = next_name(store)?;
    let path = folder.join(&name);
    let failed = |error| CacheError::file("write", &path)(error);
    let mut file = AtomicFile::create(&path).map_err(failed)?;
    let (mut answers, mut offset) = (Vec::new(), 0);
    for Read { entry, key, line } in new() {
        let bytes = entry.answer.as_bytes();
        file.write_all(bytes).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
        answers.push(ImportedAnswer {
            key: *key,
            provider: entry.provider.clone(),
            address: entry.address.clone(),
            answered: entry.answered,
            digest: digest_of(key, bytes),
            offset,
            length: bytes.len() as u64,
            cost: entry.currency.clone().zip(entry.cost),
            tokens: line.usage.map(|usage| {
                [
                    usage.prompt_tokens,
                    usage.completion_tokens,
                    usage.cached_tokens,
                    usage.reasoning_tokens,
                ]
            }),
        });
        offset += bytes.len() as u64 + 1;
    }
    file.commit().map_err(failed)?;
    let taken = store.import_answers(&name, &answers)?;
    done.taken += taken;
    // The same key twice in what was read together.
    done.known += answers.len() as u64 - taken;
    Ok(())
}

/// Forgets what was answered before that moment, `None` all of it. The jobs keep their answers.
pub fn clean(store: &Store, before: Option<i64>) -> Result<(), CacheError> {
    let _lock = lock(store)?;
    match before {
        Some(before) => store.forget_before(before)?,
        None => store.forget_all()?,
    }
    remove_rubbish(store)
}

/// Held while files of the cache come and go; who only reads does not need it.
fn lock(store: &Store) -> Result<FileLock, CacheError> {
    let folder = store.home().join(FOLDER);
    private_dir(&folder).map_err(CacheError::file("make", &folder))?;
    Ok(FileLock::acquire_after(&folder.join("cache.lock"))?)
}

fn names(store: &Store) -> Result<Vec<String>, CacheError> {
    let folder = store.home().join(FOLDER);
    let failed = |error| CacheError::file("read", &folder)(error);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names.into_iter().filter(|name| name.starts_with("imported-")).collect())
}

fn next_name(store: &Store) -> Result<String, CacheError> {
    let number = |name: &String| -> Option<u64> {
        name.strip_prefix("imported-")?.split('.').next()?.parse().ok()
    };
    let newest = names(store)?.iter().filter_map(number).max().unwrap_or(0);
    Ok(format!("imported-{:06}.jsonl", newest + 1))
}

/// Removes files that hold no entry any more, and those of an import that was killed.
fn remove_rubbish(store: &Store) -> Result<(), CacheError> {
    let used = store.import_files()?;
    for name in names(store)?.into_iter().filter(|name| !used.contains(name)) {
        let path = store.home().join(FOLDER).join(&name);
        remove_file(&path).map_err(CacheError::file("remove", &path))?;
    }
    Ok(())
}
