//! The lines of answers that are recorded: read again, and taken only where they still are what was
//! recorded.

use std::collections::HashMap;

use super::entry::digest_of;
use crate::base::DiskFile;
use crate::batch::{ResultLine, decode_line};
use crate::request::CustomId;
use crate::store::{EarlierAnswer, Origin, Store, StoreError};

/// Files that are held open: a job of thousands of shards has more than a process may.
const MOST_OPEN: usize = 64;
/// Longer lines are not taken: nothing that we sent was answered by so much.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// Reads recorded answers.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    store: &'a Store,
    open: HashMap<String, Option<DiskFile>>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(store: &'a Store) -> Self {
        Self { store, open: HashMap::new() }
    }

    /// The line of an answer, byte for byte as it came and without its line feed, and what it says;
    /// `None` where it is not there any more.
    pub(super) fn read(
        &mut self,
        key: &[u8; 16],
        answer: &EarlierAnswer,
    ) -> Result<Option<(Vec<u8>, ResultLine)>, StoreError> {
        let Some(bytes) = self.bytes(answer) else { return Ok(None) };
        let Ok(line) = decode_line(&bytes) else { return Ok(None) };
        let is_it = match &answer.origin {
            Origin::Import { digest } => digest_of(key, &bytes) == *digest,
            // One that was copied carries the id of the job that paid for it.
            Origin::Job { is_copy: true, .. } => CustomId::parse(&line.custom_id).is_some(),
            Origin::Job { job, row, .. } => self.is_of(job, *row, &line)?,
        };
        Ok(is_it.then_some((bytes, line)))
    }

    fn bytes(&mut self, answer: &EarlierAnswer) -> Option<Vec<u8>> {
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&answer.file) {
            self.open.clear();
        }
        let file = if let Some(file) = self.open.get(&answer.file) {
            file
        } else {
            let path = self.store.home().join(&answer.file);
            // A file that cannot be opened is remembered too: a job has one for all its rows.
            self.open.entry(answer.file.clone()).or_insert(DiskFile::open(&path).ok())
        };
        let length = usize::try_from(answer.length).ok().filter(|_| answer.length <= MOST_BYTES)?;
        let mut bytes = vec![0; length];
        file.as_ref()?.read_exact_at(&mut bytes, answer.offset).ok()?;
        (!bytes.contains(&b'\n')).then_some(bytes)
    }

    /// Whether a line is the one that was recorded: its id says which job and row it was sent for.
    fn is_of(&self, job: &str, row: u64, line: &ResultLine) -> Result<bool, StoreError> {
        let Some(id) = CustomId::parse(&line.custom_id) else { return Ok(false) };
        if !job.starts_with(&id.job6) {
            return Ok(false);
        }
        Ok(id.row == row || self.store.is_equal_row(job, id.row, row)?)
    }
}
