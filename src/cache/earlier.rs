//! Answers that were given before. Only one that still can be read where the ledger says it lies,
//! that carries an id of its own job, and that is good for what is asked now is taken.

use super::lines::Lines;
use super::rules::CacheRules;
use crate::answer::{Expected, RowStatus, judge};
use crate::batch::ResultLine;
use crate::store::{Store, StoreError};

/// How the model of every answer that a sandbox made up begins.
const SANDBOX_MODEL: &str = "sandbox-";

/// Where calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As it is stored and hashed into content keys.
    pub url: String,
    /// Whether a sandbox answers there. What a sandbox made up is used for nothing else.
    pub is_sandbox: bool,
}

/// For what an answer must be good.
#[derive(Debug)]
pub struct Asked {
    /// Who may be asked, the first one first: the same row has another key for each.
    pub addresses: Vec<Address>,
    /// What an answer is to hold: one without it is not good.
    pub expected: Expected,
    /// How old it may be.
    pub rules: CacheRules,
}

/// A good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its line, byte for byte as it came and without its line feed.
    pub line: Vec<u8>,
    /// When it was answered, in Unix seconds.
    pub answered: i64,
}

/// Looks up what was answered before.
#[derive(Debug)]
pub struct Earlier<'a> {
    store: &'a Store,
    asked: Asked,
    /// Of each address whether there may be answers from it.
    any: Vec<bool>,
    lines: Lines<'a>,
}

impl<'a> Earlier<'a> {
    /// `None` if there is nothing to look up: no answer from those addresses, or none is wanted.
    pub fn of(store: &'a Store, asked: Asked) -> Result<Option<Self>, StoreError> {
        if !asked.rules.is_read {
            return Ok(None);
        }
        let any = asked.addresses.iter().map(|address| store.has_answers(&address.url));
        let any = any.collect::<Result<Vec<_>, _>>()?;
        let lines = Lines::of(store);
        Ok(any.contains(&true).then(|| Self { store, asked, any, lines }))
    }

    /// Whether there may be answers from the address with this number.
    pub fn looks_at(&self, address: usize) -> bool {
        self.any.get(address) == Some(&true)
    }

    /// For each content key (of questions to the address with this number) a good answer; `None`
    /// where there is none that can be used.
    pub fn find(
        &mut self,
        address: usize,
        keys: &[[u8; 16]],
    ) -> Result<Vec<Option<Known>>, StoreError> {
        if !self.looks_at(address) {
            return Ok(vec![None; keys.len()]);
        }
        let found = self.store.earlier_answers(keys, self.asked.rules.since)?;
        let is_sandbox = self.asked.addresses[address].is_sandbox;
        let first_usable = |(key, answers): (&[u8; 16], Vec<_>)| {
            for answer in &answers {
                let Some((line, read)) = self.lines.read(key, answer)? else { continue };
                if is_good(&read, is_sandbox, &self.asked.expected) {
                    return Ok(Some(Known { line, answered: answer.answered }));
                }
            }
            Ok(None)
        };
        keys.iter().zip(found).map(first_usable).collect()
    }
}

/// Whether a sandbox made an answer up.
pub(super) fn is_made_up(line: &ResultLine) -> bool {
    line.model.as_deref().is_some_and(|model| model.starts_with(SANDBOX_MODEL))
}

/// Whether an answer is good for what is asked now.
pub(super) fn is_good(line: &ResultLine, is_sandbox: bool, expected: &Expected) -> bool {
    (is_sandbox || !is_made_up(line)) && judge(line, expected.wanted()).status == RowStatus::Ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Fields;
    use crate::batch::decode_line;

    /// What may be used for what is asked now: by the field list, by the finish reason, by who
    /// made it up.
    #[test]
    fn b04_s0_20_only_good_answers_are_used_and_a_sandbox_s_only_there() {
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
            let wanted = Expected::from(fields);
            let case = (model, content, finish, is_sandbox);
            let line = line(model, content, finish);
            assert_eq!(is_good(&line, is_sandbox, &wanted), expected, "{case:?}");
        }
    }
}
