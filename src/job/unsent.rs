//! Rows that need not be sent, as planning finds them: an earlier job answered them, or an
//! earlier row of the table asks the same. Copies of earlier answers go into a file of the job.

use std::io::Write;

use super::{JobError, JobFolder, Lists, Spec};
use crate::answer::{Expected, FormError};
use crate::base::AtomicFile;
use crate::cache::{Address, Asked, CacheRules, Earlier, EqualRequests, Known};
use crate::provider;
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
    /// Which earlier answers may be used.
    pub rules: CacheRules,
}

/// A request with what its earlier answers are found by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'r> {
    /// The row; its key is that of the first provider's question.
    pub(super) entry: &'r RowEntry,
    /// The keys of the questions to the others that are looked up, in their order.
    pub(super) others: &'r [[u8; 16]],
}

/// An earlier answer, with the key that it was found by.
type Found = ([u8; 16], Known);

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
            addresses: addresses(spec, reuse.is_sandbox),
            expected: Expected::read(&spec.form).map_err(bad_form)?,
            rules: reuse.rules,
        };
        Ok(Some(Self {
            equal: EqualRequests::default(),
            earlier: Earlier::of(reuse.store, asked)?,
            copies: Copies::begin(lists.folder().filter(|_| reuse.is_for_job)),
            followers: Vec::new(),
        }))
    }

    /// Which of the other providers may have answered before, by their number in the request's list:
    /// keys of their questions are to be handed over with each row.
    pub(super) fn others(&self, spec: &Spec) -> Vec<usize> {
        let Some(earlier) = &self.earlier else { return Vec::new() };
        (0..spec.others.len()).filter(|other| earlier.looks_at(other + 1)).collect()
    }

    /// What becomes of the next rows of the table.
    pub(super) fn ways<'r>(
        &mut self,
        rows: impl Iterator<Item = Keys<'r>>,
        others: &[usize],
    ) -> Result<Vec<Way>, JobError> {
        let rows: Vec<_> = rows
            .map(|row| (row, self.equal.leader_of(row.entry.row, row.entry.content_key)))
            .collect();
        let firsts: Vec<_> =
            rows.iter().filter(|(_, leader)| leader.is_none()).map(|(row, _)| *row).collect();
        let mut found = self.find(&firsts, others)?.into_iter();
        let mut ways = Vec::with_capacity(rows.len());
        for (Keys { entry, .. }, leader) in rows {
            let answered = match leader {
                Some(leader) => self.copies.share(leader, entry),
                None => match found.next().expect("one for each first row") {
                    Some((key, known)) => self.copies.add((key, &known), entry).map(|()| true)?,
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

    /// Earlier answers of rows with the keys they have: those of the first provider go before those
    /// of another that may be asked in its place.
    fn find(
        &mut self,
        rows: &[Keys<'_>],
        others: &[usize],
    ) -> Result<Vec<Option<Found>>, JobError> {
        let Some(earlier) = &mut self.earlier else { return Ok(vec![None; rows.len()]) };
        let keys: Vec<_> = rows.iter().map(|row| row.entry.content_key).collect();
        let found = earlier.find(0, &keys)?.into_iter().zip(keys);
        let mut found: Vec<_> = found.map(|(known, key)| Some((key, known?))).collect();
        for (at, other) in others.iter().enumerate() {
            let open: Vec<_> = (0..rows.len())
                .filter(|n| found[*n].is_none() && at < rows[*n].others.len())
                .collect();
            let keys: Vec<_> = open.iter().map(|n| rows[*n].others[at]).collect();
            let more = earlier.find(other + 1, &keys)?;
            for ((n, key), known) in open.into_iter().zip(keys).zip(more) {
                found[n] = known.map(|known| (key, known));
            }
        }
        Ok(found)
    }

    /// The copied answers, complete and synced, and the rows that follow others.
    pub(super) fn finish(self) -> Result<(Option<CachedFile>, Vec<EqualRow>), JobError> {
        let mut followers = self.followers;
        followers.sort_unstable_by_key(|equal| (equal.leader, equal.row));
        Ok((self.copies.finish()?, followers))
    }
}

/// Who may be asked, the first one first. Whether a sandbox answers is known of the first; another
/// at an address of this machine is taken for one where that is.
fn addresses(spec: &Spec, is_sandbox: bool) -> Vec<Address> {
    let others = spec.others.iter().map(|other| {
        let url = other.question.base_url.clone();
        let is_local = provider::Address::parse(&url).is_ok_and(|address| address.is_loopback());
        Address { is_sandbox: url.starts_with("sandbox:") || (is_sandbox && is_local), url }
    });
    let first = Address { url: spec.base_url.clone(), is_sandbox };
    std::iter::once(first).chain(others).collect()
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

    /// Copies a line for a row, with the key that it was found by.
    fn add(
        &mut self,
        (content_key, known): ([u8; 16], &Known),
        entry: &RowEntry,
    ) -> Result<(), JobError> {
        let line = known.line.as_slice();
        let length = u32::try_from(line.len()).expect("longer lines are not taken");
        self.answers.push(CachedAnswer {
            row: entry.row,
            content_key,
            offset: self.bytes,
            length,
            answered: u32::try_from(known.answered).unwrap_or(0),
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
