//! What a refusal says beside its class: how much a queue holds, that a file is too large, that no
//! more files fit into the account's storage.

use super::{BatchError, ErrorWords, Failure, FailureKind};

/// What stands before the number in the words of services whose queue is full.
const LEADS: [&str; 6] =
    ["limit:", "limit of", "limit is", "maximum of", "maximum:", "limit for this model is"];

/// Words of a file that holds too much, in bytes or in requests.
const TOO_LARGE: [&str; 13] = [
    "too large",
    "too big",
    "too_large",
    "too many lines",
    "too many requests in",
    "maximum file size",
    "max file size",
    "file size limit",
    "file size exceeds",
    "maximum number of requests",
    "size limit",
    "过大",
    "大小超过",
];

/// How many tokens the queue holds, as `Enqueued token limit reached for gpt-4o in organization
/// org-1. Limit: 90,000 enqueued tokens.` tells; `None` where no number is told.
pub fn told_queue_limit(words: &str) -> Option<u64> {
    let words = words.to_ascii_lowercase();
    LEADS
        .iter()
        .flat_map(|lead| words.match_indices(lead).map(move |(at, _)| at + lead.len()))
        .find_map(|at| leading_number(words[at..].trim_start()))
}

/// The number a text begins with, its digits grouped or not; 0 is none.
fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, ',' | '_'));
    let digits: String = text[..end.unwrap_or(text.len())].replace([',', '_'], "");
    digits.parse().ok().filter(|number| *number > 0)
}

impl Failure {
    /// Whether a file was refused because it holds too much: a smaller one may be taken.
    pub fn is_too_large(&self) -> bool {
        let words = self.message.to_lowercase();
        let code = self.code.as_deref().unwrap_or_default().to_ascii_lowercase();
        let says_so = |text: &str| TOO_LARGE.iter().any(|word| text.contains(word));
        self.status == Some(413)
            || (self.kind == FailureKind::Invalid && (says_so(&words) || says_so(&code)))
    }

    /// Whether no more files fit into the account's storage.
    pub fn is_storage_full(&self) -> bool {
        is_storage_full(self.code.as_deref(), &self.message)
    }
}

/// Whether a refusal speaks of the storage for files, and that it is used up.
pub(super) fn is_storage_full(code: Option<&str>, message: &str) -> bool {
    let full = |text: &str| {
        let text = text.to_lowercase();
        let used_up = ["quota", "limit", "full", "exceed"].iter().any(|word| text.contains(word));
        (text.contains("storage") && used_up) || text.contains("存储空间")
    };
    code.is_some_and(full) || full(message)
}

/// The failure that the errors of a batch stand for, if they all say that the queue was full:
/// then nothing ran, and the same file may go again.
pub fn queue_refusal(errors: &[BatchError]) -> Option<Failure> {
    let failures = errors.iter().map(|error| {
        let words = ErrorWords { message: error.message.clone(), ..ErrorWords::default() };
        ErrorWords { code: error.code.clone(), ..words }.into_failure(None, None)
    });
    let failures: Vec<_> = failures.collect();
    let is_queue = failures.iter().all(|failure| failure.kind == FailureKind::QueueFull);
    failures.into_iter().next().filter(|_| is_queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: Option<&str>, message: &str) -> Failure {
        let words = ErrorWords {
            code: code.map(Into::into),
            error_type: None,
            message: message.to_owned(),
        };
        words.into_failure(Some(status), None)
    }

    /// Field reports 5 and 6: the limit stands in the refusal's words.
    #[test]
    fn field_05_the_limit_is_learned_from_the_words() {
        let table = [
            (
                "Enqueued token limit reached for gpt-4o in organization org-9. Limit: 90,000 \
                 enqueued tokens. Please try again once some in_progress batches have been \
                 completed.",
                Some(90_000),
            ),
            ("Enqueued token limit reached ... Limit: 90000 enqueued tokens", Some(90_000)),
            ("You have a limit of 2_000_000 enqueued tokens", Some(2_000_000)),
            ("the limit is 5,000,000.", Some(5_000_000)),
            ("Enqueued token limit reached for gpt-4o", None),
            ("Limit: none. maximum of 70 enqueued tokens", Some(70)),
            ("Limit: 0 enqueued tokens", None),
            ("limit: 99999999999999999999999", None),
            ("", None),
        ];
        for (words, expected) in table {
            assert_eq!(told_queue_limit(words), expected, "{words}");
        }
    }

    /// Field reports 42 and 63: what is used up, what is busy, and what is only a full queue.
    #[test]
    fn field_42_refusals_are_told_apart() {
        use FailureKind::{Account, Invalid, QueueFull, RateLimited};
        let table = [
            (429, Some("insufficient_quota"), "You exceeded your current quota", Account),
            (429, Some("rate_limit_exceeded"), "Rate limit reached", RateLimited),
            (429, None, "Enqueued token limit reached. Limit: 90,000 enqueued tokens", QueueFull),
            (400, Some("token_limit_exceeded"), "queue full", QueueFull),
            (403, None, "You have exceeded your file storage quota of 100 GB", Account),
            (400, Some("storage_limit_exceeded"), "no more files", Account),
            (413, None, "Request Entity Too Large", Invalid),
            (400, None, "File is too large. Maximum file size is 200 MB", Invalid),
        ];
        for (status, code, message, kind) in table {
            let failure = refused(status, code, message);
            assert_eq!(failure.kind, kind, "{message}");
            assert_eq!(failure.is_too_large(), kind == Invalid, "{message}");
            let is_storage = message.contains("storage quota") || message == "no more files";
            assert_eq!(failure.is_storage_full(), is_storage, "{message}");
        }
    }

    #[test]
    fn a_batch_is_deferred_only_where_all_its_errors_are_the_queue() {
        let error = |code: &str, message: &str| BatchError {
            code: Some(code.into()),
            message: message.into(),
            ..BatchError::default()
        };
        let full = error("token_limit_exceeded", "Limit: 7 enqueued tokens");
        let bad = error("invalid_json_line", "line 3 is not JSON");
        assert!(queue_refusal(&[]).is_none());
        assert!(queue_refusal(&[full.clone(), bad]).is_none());
        let failure = queue_refusal(&[full]).unwrap();
        assert_eq!(told_queue_limit(&failure.message), Some(7));
    }
}
