//! An entry of the cache as one line of JSON that can be carried to another home. A digest over all
//! of it says whether it is whole: an answer is never taken for another key than its own.

use serde::{Deserialize, Serialize};

use super::earlier::is_good;
use super::lines::MOST_BYTES;
use crate::answer::Expected;
use crate::batch::{ResultLine, decode_line};

/// The version of the form of a line.
const VERSION: u32 = 1;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The version of this form; says what the line is.
    pub(super) batchctl_cache: u32,
    /// The content key, 32 hex digits.
    pub(super) key: String,
    /// Who answered.
    pub(super) provider: String,
    /// The model that answered.
    pub(super) model: Option<String>,
    /// At which address.
    pub(super) address: String,
    /// When, in Unix seconds.
    pub(super) answered: i64,
    /// The currency of the cost.
    pub(super) currency: Option<String>,
    /// What it cost, in trillionths.
    pub(super) cost: Option<u64>,
    /// The answer's line, byte for byte as the provider sent it.
    pub(super) answer: String,
    /// Digest of all above, 32 hex digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) digest: String,
}

/// Why a line is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadEntry {
    #[error("it is no entry that cache export wrote")]
    NotOne,
    #[error("it is of form {0}, which this batchctl does not know")]
    Version(u32),
    #[error("its digest does not fit: it was changed or damaged")]
    Digest,
    #[error("its key is not 32 hex digits")]
    Key,
    #[error("its answer is not one line of at most {MOST_BYTES} bytes")]
    Line,
    #[error("it holds no good answer")]
    NotGood,
}

/// An entry that was read, with what its answer says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) entry: Entry,
    pub(super) key: [u8; 16],
    pub(super) line: ResultLine,
}

impl Entry {
    /// The entry as one line, with its digest.
    pub(super) fn to_line(&self) -> String {
        let mut whole = Self { digest: String::new(), ..self.clone() };
        whole.digest = short(whole.json().as_bytes());
        whole.json()
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers under text keys")
    }

    /// Reads a line and holds it against its digest.
    pub(super) fn read(line: &[u8]) -> Result<Read, BadEntry> {
        let mut entry: Self = serde_json::from_slice(line).map_err(|_| BadEntry::NotOne)?;
        if entry.batchctl_cache != VERSION {
            return Err(BadEntry::Version(entry.batchctl_cache));
        }
        let digest = std::mem::take(&mut entry.digest);
        if short(entry.json().as_bytes()) != digest {
            return Err(BadEntry::Digest);
        }
        let key = key_of(&entry.key).ok_or(BadEntry::Key)?;
        if entry.answer.contains('\n') || entry.answer.len() as u64 > MOST_BYTES {
            return Err(BadEntry::Line);
        }
        let line = decode_line(entry.answer.as_bytes()).map_err(|_| BadEntry::NotGood)?;
        // Whether it may be used, and for what, is decided where it is.
        if !is_good(&line, true, &Expected::default()) {
            return Err(BadEntry::NotGood);
        }
        Ok(Read { entry, key, line })
    }

    /// An entry of this form.
    pub(super) fn new(key: &[u8; 16], answer: String, answered: i64) -> Self {
        Self {
            batchctl_cache: VERSION,
            key: hex_of(key),
            provider: String::new(),
            model: None,
            address: String::new(),
            answered,
            currency: None,
            cost: None,
            answer,
            digest: String::new(),
        }
    }
}

/// What ties a line to its key in this home.
pub(super) fn digest_of(key: &[u8; 16], line: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key);
    hasher.update(line);
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

/// A key as it is shown.
pub(super) fn hex_of(key: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*key))
}

fn key_of(text: &str) -> Option<[u8; 16]> {
    let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
    Some(number.to_be_bytes())
}

fn short(bytes: &[u8]) -> String {
    let mut hex = crate::base::hex(bytes);
    hex.truncate(32);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let answer = r#"{"custom_id":"k7f2qd-0000001-r1","response":{"status_code":200,"body":{"model":"gpt-4o","choices":[{"finish_reason":"stop","message":{"content":"好 \"yes\""}}]}},"error":null}"#;
        Entry {
            provider: "openai".into(),
            model: Some("gpt-4o".into()),
            address: "https://api.openai.com/v1".into(),
            currency: Some("USD".into()),
            cost: Some(28),
            ..Entry::new(&[7; 16], answer.into(), 1_763_770_000)
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let read = Entry::read(entry().to_line().as_bytes()).unwrap();
        assert_eq!((read.entry, read.key), (entry(), [7; 16]));
        assert_eq!(read.line.model.as_deref(), Some("gpt-4o"));
    }

    /// Whatever is changed in a line, it is taken for nothing: least of all an answer for
    /// another key.
    #[test]
    fn a_changed_entry_is_refused_with_the_reason() {
        type Is = fn(&BadEntry) -> bool;
        let line = entry().to_line();
        let other_key = "08".repeat(16);
        let table: [(String, Is); 9] = [
            (line.replace(&"07".repeat(16), &other_key), |e| *e == BadEntry::Digest),
            (line.replace("yes", "no!"), |e| *e == BadEntry::Digest),
            (line.replace("1763770000", "1999999999"), |e| *e == BadEntry::Digest),
            (line.replace("api.openai", "api.opened"), |e| *e == BadEntry::Digest),
            (line[..line.len() / 2].to_owned(), |e| matches!(e, BadEntry::NotOne)),
            ("{}".to_owned(), |e| matches!(e, BadEntry::NotOne)),
            (line.replace("_cache\":1", "_cache\":2"), |e| *e == BadEntry::Version(2)),
            (Entry { key: "7".into(), ..entry() }.to_line(), |e| *e == BadEntry::Key),
            (
                Entry { answer: entry().answer.replace("stop", "length"), ..entry() }.to_line(),
                |e| *e == BadEntry::NotGood,
            ),
        ];
        for (line, is_expected) in table {
            let error = Entry::read(line.as_bytes()).unwrap_err();
            assert!(is_expected(&error), "{error:?}: {line}");
        }
    }
}
