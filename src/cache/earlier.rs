//! Answers of earlier jobs. Only one that still can be read where the ledger says it lies, that
//! carries an id of its own job, and that is good for what is asked now is taken.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::answer::{Expected, RowStatus, judge};
use crate::base::DiskFile;
use crate::batch::{ResultLine, decode_line};
use crate::request::CustomId;
use crate::store::{EarlierAnswer, Store, StoreError};

/// How the model of every answer that a sandbox made up begins.
const SANDBOX_MODEL: &str = "sandbox-";
/// Result files that are held open: a job of thousands of shards has more than a process may.
const MOST_OPEN: usize = 64;
/// Longer lines are not taken: nothing that we sent was answered by so much.
const MOST_BYTES: u64 = 64 << 20;

/// For what an answer must be good.
#[derive(Debug)]
pub struct Asked {
    /// Where the new job's calls go, as it is stored: answers from elsewhere are not looked at.
    pub base_url: String,
    /// Whether that is a sandbox. What a sandbox made up is used for nothing else.
    pub is_sandbox: bool,
    /// What an answer is to hold: one without it is not good.
    pub expected: Expected,
}

/// Looks up what earlier jobs of this home were answered.
#[derive(Debug)]
pub struct Earlier<'a> {
    store: &'a Store,
    asked: Asked,
    open: HashMap<PathBuf, Option<DiskFile>>,
}

impl<'a> Earlier<'a> {
    /// `None` if no job of this home has a good answer from there: then nothing need be looked up.
    pub fn of(store: &'a Store, asked: Asked) -> Result<Option<Self>, StoreError> {
        let any = store.has_answers(&asked.base_url)?;
        Ok(any.then(|| Self { store, asked, open: HashMap::new() }))
    }

    /// For each content key the line of a good answer, byte for byte as it came and without its
    /// line feed; `None` where there is none that can be used.
    pub fn find(&mut self, keys: &[[u8; 16]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let found = self.store.earlier_answers(&self.asked.base_url, keys)?;
        found.iter().map(|answers| self.first_usable(answers)).collect()
    }

    fn first_usable(&mut self, answers: &[EarlierAnswer]) -> Result<Option<Vec<u8>>, StoreError> {
        for answer in answers {
            let Some(bytes) = self.read(answer) else { continue };
            let Ok(line) = decode_line(&bytes) else { continue };
            if self.is_of(answer, &line)? && is_good(&line, &self.asked) {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The line of an answer, if it is still there.
    fn read(&mut self, answer: &EarlierAnswer) -> Option<Vec<u8>> {
        let path = self.store.home().join("jobs").join(&answer.job).join("results");
        let path = path.join(&answer.name);
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&path) {
            self.open.clear();
        }
        // A file that cannot be opened is remembered too: a pruned job has one for all its rows.
        let file = self.open.entry(path).or_insert_with_key(|path| DiskFile::open(path).ok());
        let length = usize::try_from(answer.length).ok().filter(|_| answer.length <= MOST_BYTES)?;
        let mut bytes = vec![0; length];
        file.as_ref()?.read_exact_at(&mut bytes, answer.offset).ok()?;
        (!bytes.contains(&b'\n')).then_some(bytes)
    }

    /// Whether a line is the one that was recorded: its id says which job and row it was sent for.
    /// One that was copied carries the id of the job that paid for it.
    fn is_of(&self, answer: &EarlierAnswer, line: &ResultLine) -> Result<bool, StoreError> {
        let Some(id) = CustomId::parse(&line.custom_id) else { return Ok(false) };
        if answer.is_copy {
            return Ok(true);
        }
        if !answer.job.starts_with(&id.job6) {
            return Ok(false);
        }
        Ok(id.row == answer.row || self.store.is_equal_row(&answer.job, id.row, answer.row)?)
    }
}

/// Whether an answer is good for what is asked now.
fn is_good(line: &ResultLine, asked: &Asked) -> bool {
    let made_up = line.model.as_deref().is_some_and(|model| model.starts_with(SANDBOX_MODEL));
    (asked.is_sandbox || !made_up) && judge(line, asked.expected.wanted()).status == RowStatus::Ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Fields;

    /// What may be used for what is asked now: by the field list, by the finish reason, by who
    /// made it up.
    #[test]
    fn b04_only_good_answers_are_used_and_a_sandbox_s_only_there() {
        let line = |model: &str, content: &str, finish: &str| {
            let line = format!(
                r#"{{"custom_id":"k7f2qd-0000001-r1","response":{{"status_code":200,"body":
                {{"model":"{model}","choices":[{{"finish_reason":"{finish}","message":
                {{"content":{content}}}}}]}}}},"error":null}}"#
            );
            decode_line(line.as_bytes()).unwrap()
        };
        let json = r#""{\"mood\": \"good\"}""#;
        let table = [
            ("gpt-4o", r#""fine""#, "stop", None, false, true),
            ("gpt-4o", json, "stop", Some("mood"), false, true),
            ("gpt-4o", r#""fine""#, "stop", Some("mood"), false, false),
            ("gpt-4o", r#""fine""#, "length", None, false, false),
            ("gpt-4o", r#""""#, "stop", None, false, false),
            ("sandbox-gpt-4o", r#""fine""#, "stop", None, false, false),
            ("sandbox-gpt-4o", r#""fine""#, "stop", None, true, true),
        ];
        for (model, content, finish, fields, is_sandbox, expected) in table {
            let fields = fields.map(|fields| Fields::parse(fields).unwrap());
            let expected_of = Expected::from(fields);
            let asked = Asked { base_url: String::new(), is_sandbox, expected: expected_of };
            let case = (model, content, finish, is_sandbox);
            assert_eq!(is_good(&line(model, content, finish), &asked), expected, "{case:?}");
        }
    }
}
