//! Rows that need not be sent, as planning finds them: an earlier job answered them, or an
//! earlier row of the table asks the same. Copies of earlier answers go into a file of the job.

use std::io::Write;

use super::{JobError, JobFolder, Lists, Spec};
use crate::answer::{Expected, FormError};
use crate::base::AtomicFile;
use crate::cache::{Asked, Earlier, EqualRequests};
use crate::request::Source;
use crate::shard::RowEntry;
use crate::store::{CachedAnswer, CachedFile, EqualRow, Store};

/// The file of copied answers below a job's results.
const FILE: &str = "cached.jsonl";

/// What planning may make use of.
#[derive(Debug, Clone, Copy)]
pub struct Reuse<'a> {
    /// The ledger of the earlier jobs.
    pub store: &'a Store,
    /// Whether a sandbox is asked: only there its made-up answers are used again.
    pub is_sandbox: bool,
    /// Whether a job may follow, which needs copies of the answers.
    pub is_for_job: bool,
}

/// Why a row need not be sent, if so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is sent.
    Sent,
    /// An earlier job answered it.
    Answered,
    /// It gets the outcome of an earlier row.
    Equal,
}

/// Takes rows in their order and finds out which need not be sent.
pub(super) struct Unsent<'a> {
    equal: EqualRequests,
    earlier: Option<Earlier<'a>>,
    copies: Copies<'a>,
    followers: Vec<EqualRow>,
}

impl<'a> Unsent<'a> {
    /// `None` where every row is sent: finished requests are sent as they stand.
    pub(super) fn begin(
        spec: &Spec,
        reuse: Option<Reuse<'a>>,
        lists: Lists<'a>,
    ) -> Result<Option<Self>, JobError> {
        let Some(reuse) = reuse.filter(|_| spec.question.source != Source::Foreign) else {
            return Ok(None);
        };
        let bad_form = |error: FormError| JobError::Spec {
            job: "that is planned".to_owned(),
            detail: error.to_string(),
        };
        let asked = Asked {
            base_url: spec.base_url.clone(),
            is_sandbox: reuse.is_sandbox,
            expected: Expected::read(&spec.form).map_err(bad_form)?,
        };
        Ok(Some(Self {
            equal: EqualRequests::default(),
            earlier: Earlier::of(reuse.store, asked)?,
            copies: Copies::begin(lists.folder().filter(|_| reuse.is_for_job)),
            followers: Vec::new(),
        }))
    }

    /// What becomes of the next rows of the table.
    pub(super) fn ways<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r RowEntry>,
    ) -> Result<Vec<Way>, JobError> {
        let rows: Vec<_> =
            rows.map(|entry| (entry, self.equal.leader_of(entry.row, entry.content_key))).collect();
        let firsts = rows.iter().filter(|(_, leader)| leader.is_none());
        let keys: Vec<_> = firsts.map(|(entry, _)| entry.content_key).collect();
        let found = match &mut self.earlier {
            Some(earlier) => earlier.find(&keys)?,
            None => vec![None; keys.len()],
        };
        let mut found = found.into_iter();
        let mut ways = Vec::with_capacity(rows.len());
        for (entry, leader) in rows {
            let answered = match leader {
                Some(leader) => self.copies.share(leader, entry),
                None => match found.next().expect("one for each first row") {
                    Some(line) => self.copies.add(&line, entry).map(|()| true)?,
                    None => false,
                },
            };
            ways.push(match leader {
                _ if answered => Way::Answered,
                Some(leader) => {
                    self.followers.push(EqualRow { leader, row: entry.row });
                    Way::Equal
                }
                None => Way::Sent,
            });
        }
        Ok(ways)
    }

    /// The copied answers, complete and synced, and the rows that follow others.
    pub(super) fn finish(self) -> Result<(Option<CachedFile>, Vec<EqualRow>), JobError> {
        let mut followers = self.followers;
        followers.sort_unstable_by_key(|equal| (equal.leader, equal.row));
        Ok((self.copies.finish()?, followers))
    }
}

/// The file of copied answers as it grows; it is begun by the first of them.
struct Copies<'a> {
    /// Where the file lies; without it none is kept.
    folder: Option<&'a JobFolder>,
    file: Option<AtomicFile>,
    digest: blake3::Hasher,
    bytes: u64,
    answers: Vec<CachedAnswer>,
}

impl<'a> Copies<'a> {
    fn begin(folder: Option<&'a JobFolder>) -> Self {
        Self { folder, file: None, digest: blake3::Hasher::new(), bytes: 0, answers: Vec::new() }
    }

    /// Copies a line for a row.
    fn add(&mut self, line: &[u8], entry: &RowEntry) -> Result<(), JobError> {
        let length = u32::try_from(line.len()).expect("longer lines are not taken");
        self.answers.push(CachedAnswer {
            row: entry.row,
            content_key: entry.content_key,
            offset: self.bytes,
            length,
        });
        self.bytes += u64::from(length) + 1;
        let Some(folder) = self.folder else { return Ok(()) };
        let path = folder.results().join(FILE);
        let failed = JobError::file("write", &path);
        let file = match &mut self.file {
            Some(file) => file,
            None => match AtomicFile::create(&path) {
                Ok(file) => self.file.insert(file),
                Err(error) => return Err(failed(error)),
            },
        };
        self.digest.update(line);
        self.digest.update(b"\n");
        file.write_all(line).and_then(|()| file.write_all(b"\n")).map_err(failed)
    }

    /// Gives a row the line of an earlier row that asks the same, if that one has a line.
    fn share(&mut self, leader: u64, entry: &RowEntry) -> bool {
        let Ok(at) = self.answers.binary_search_by_key(&leader, |answer| answer.row) else {
            return false;
        };
        self.answers.push(CachedAnswer { row: entry.row, ..self.answers[at] });
        true
    }

    fn finish(self) -> Result<Option<CachedFile>, JobError> {
        let (Some(file), Some(folder)) = (self.file, self.folder) else { return Ok(None) };
        let path = folder.results().join(FILE);
        file.commit().map_err(JobError::file("write", &path))?;
        Ok(Some(CachedFile {
            name: FILE.to_owned(),
            bytes: self.bytes,
            digest: self.digest.finalize().to_hex().to_string(),
            answers: self.answers,
        }))
    }
}
