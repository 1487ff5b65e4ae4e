//! From a decoded result line to the status of its row.

use serde_json::Value;

use super::ending::Ending;
use super::explode::explode;
use super::extract::{Extracted, ParseStatus, extract};
use super::repair::Repair;
use super::status::RowStatus;
use super::wanted::Wanted;
use crate::base::redact;
use crate::batch::{Failure, FailureKind, Instead, Outcome, Reply, ResultLine};

/// What a result line means for its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged<'a> {
    /// The row's status.
    pub status: RowStatus,
    /// What is wrong, for the error column. A good row may name keys its answer lacks.
    pub error: Option<String>,
    /// What kind of failure an [`Error`](RowStatus::Error) is, where that is known.
    pub class: Option<FailureKind>,
    /// The answer as the model gave it; kept whatever the status (field report 39).
    pub content: &'a str,
    /// One value per wanted field; empty if none are wanted. Of several things the first one's.
    pub values: Vec<Option<Value>>,
    /// The values of the second thing and of each further one, where an answer may hold several.
    pub further: Vec<Vec<Option<Value>>>,
    /// Whether the answer is a list of no things: an answer that becomes empty cells.
    pub is_empty_list: bool,
    /// How the JSON was found; `None` if none is wanted or there is no answer.
    pub parse_status: Option<ParseStatus>,
    /// What was mended or converted to read the answer.
    pub repairs: Vec<Repair>,
}

/// Judges a line. The finish reason goes before the content: a cut or filtered answer is not good
/// even if it parses.
pub fn judge<'a, 'w>(line: &'a ResultLine, wanted: impl Into<Wanted<'w>>) -> Judged<'a> {
    let wanted = wanted.into();
    match &line.outcome {
        Outcome::Failed(failure) => Judged {
            status: status_of_failure(failure.kind),
            error: Some(failure_text(failure)),
            class: Some(failure.kind),
            content: "",
            values: no_values(wanted),
            further: Vec::new(),
            is_empty_list: false,
            parse_status: None,
            repairs: Vec::new(),
        },
        Outcome::Answered(reply) => judge_reply(reply, wanted),
    }
}

fn no_values(wanted: Wanted<'_>) -> Vec<Option<Value>> {
    vec![None; wanted.len()]
}

fn judge_reply<'a>(reply: &'a Reply, wanted: Wanted<'_>) -> Judged<'a> {
    let content = reply.content.as_str();
    let blank = content.trim().is_empty();
    let ending = Ending::of(reply.finish_reason.as_deref());
    let is_read = wanted.is_json() && !blank;
    let found = is_read.then(|| Found::read(content, wanted, ending == Ending::Natural));
    let (status, error) = verdict(reply, ending, blank, found.as_ref());
    // The provider lost the answer on the way; asked again, the model may well answer.
    let class =
        (ending == Ending::BrokenOff && status == RowStatus::Error).then_some(FailureKind::Server);
    let parse_status = found.as_ref().map(|found| found.status);
    let is_empty_list = found.as_ref().is_some_and(Found::is_empty_list);
    let (things, repairs) = found.map(|found| (found.things, found.repairs)).unwrap_or_default();
    let mut things = things.into_iter();
    let values = things.next().unwrap_or_else(|| no_values(wanted));
    let further = things.collect();
    Judged { status, error, class, content, values, further, is_empty_list, parse_status, repairs }
}

/// What was read of an answer: the values of each thing in it, and what is to say of all.
struct Found {
    things: Vec<Vec<Option<Value>>>,
    status: ParseStatus,
    absent: Vec<String>,
    repairs: Vec<Repair>,
    faults: Vec<String>,
}

impl Found {
    fn read(content: &str, wanted: Wanted<'_>, is_ended: bool) -> Self {
        if !wanted.is_of_each() {
            let Extracted { values, status, absent, repairs, faults } =
                extract(content, wanted, is_ended);
            return Self { things: vec![values], status, absent, repairs, faults };
        }
        let exploded = explode(content, wanted, is_ended);
        Self {
            status: exploded.status,
            absent: exploded.all_absent(),
            repairs: exploded.all_repairs(),
            faults: exploded.all_faults(),
            things: exploded.rows.into_iter().map(|row| row.values).collect(),
        }
    }

    fn is_empty_list(&self) -> bool {
        self.things.is_empty() && self.status != ParseStatus::Failed
    }
}

fn verdict(
    reply: &Reply,
    ending: Ending,
    blank: bool,
    found: Option<&Found>,
) -> (RowStatus, Option<String>) {
    let reason = reply.finish_reason.as_deref().unwrap_or_default().trim().to_ascii_lowercase();
    if let Some(refusal) = reply.refusal.as_deref().filter(|text| !text.trim().is_empty()) {
        return (RowStatus::Refused, Some(format!("refused: {}", redact(refusal.trim()))));
    }
    match ending {
        Ending::Filtered => {
            return (RowStatus::Refused, Some(format!("refused (finish reason {reason})")));
        }
        Ending::Cut => {
            let what = if blank {
                "no answer before the token limit was reached; raise --max-tokens"
            } else {
                "cut off at the token limit; raise --max-tokens"
            };
            return (RowStatus::Truncated, Some(what.to_owned()));
        }
        Ending::BrokenOff => {
            return (RowStatus::Error, Some(format!("broke off (finish reason {reason})")));
        }
        Ending::Natural | Ending::Unknown => {}
    }
    if blank {
        return (RowStatus::Error, Some(empty(reply, &reason)));
    }
    match found {
        Some(found) if found.status == ParseStatus::Failed => {
            (RowStatus::Unparsed, Some("no JSON with the wanted fields in the answer".to_owned()))
        }
        Some(found) if !found.faults.is_empty() => {
            (RowStatus::Invalid, Some(found.faults.join("; ")))
        }
        Some(found) if !found.absent.is_empty() => {
            (RowStatus::Ok, Some(format!("not in the answer: {}", found.absent.join(", "))))
        }
        _ => (RowStatus::Ok, None),
    }
}

/// Why there is no text, as far as the reply tells.
fn empty(reply: &Reply, reason: &str) -> String {
    let why = match &reply.instead {
        Some(Instead::ToolCall(name)) => format!(": the model called the tool `{name}` instead"),
        Some(Instead::Thoughts) => ": the model has only thought; raise --max-tokens, or turn \
                                    its thinking off with --param"
            .to_owned(),
        None => String::new(),
    };
    let reason =
        if reason.is_empty() { String::new() } else { format!(" (finish reason {reason})") };
    redact(&format!("the answer is empty{reason}{why}")).into_owned()
}

fn status_of_failure(kind: FailureKind) -> RowStatus {
    match kind {
        FailureKind::Expired => RowStatus::Expired,
        FailureKind::Cancelled => RowStatus::Cancelled,
        FailureKind::Filtered => RowStatus::Refused,
        FailureKind::Network
        | FailureKind::RateLimited
        | FailureKind::Server
        | FailureKind::NoAnswer
        | FailureKind::Credentials
        | FailureKind::Account
        | FailureKind::Invalid
        | FailureKind::QueueFull
        | FailureKind::NotFound => RowStatus::Error,
    }
}

/// A failure for people: the provider's words with its code, without keys.
pub fn failure_text(failure: &Failure) -> String {
    let message = failure.message.trim();
    let code = failure.code.as_deref().filter(|code| !code.is_empty() && *code != message);
    let text = match (message, code, failure.status) {
        ("", None, None) => "failed without a message".to_owned(),
        ("", None, Some(status)) => format!("failed with HTTP {status} and no message"),
        ("", Some(code), _) => format!("failed with code {code} and no message"),
        (message, Some(code), _) => format!("{message} (code {code})"),
        (message, None, Some(status)) if status != 200 => format!("{message} (HTTP {status})"),
        (message, None, _) => message.to_owned(),
    };
    redact(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Fields;
    use crate::base::Secret;

    fn answered(content: &str, finish_reason: &str, refusal: Option<&str>) -> ResultLine {
        line(Outcome::Answered(Reply {
            content: content.to_owned(),
            refusal: refusal.map(str::to_owned),
            finish_reason: (!finish_reason.is_empty()).then(|| finish_reason.to_owned()),
            ..Reply::default()
        }))
    }

    fn failed(
        kind: FailureKind,
        status: Option<u16>,
        code: Option<&str>,
        message: &str,
    ) -> ResultLine {
        let code = code.map(str::to_owned);
        let message = message.to_owned();
        line(Outcome::Failed(Failure { kind, status, code, message, retry_after: None }))
    }

    fn line(outcome: Outcome) -> ResultLine {
        ResultLine { custom_id: "row_0".to_owned(), model: None, usage: None, outcome, by: None }
    }

    /// Field reports 18 to 26: what looks like an answer and is none.
    #[test]
    fn field_21_25_26_answers_are_judged_by_reason_then_content() {
        use RowStatus::{Error, Ok, Refused, Truncated, Unparsed};
        let json = "{\"a\":1}";
        let table = [
            ("fine", "stop", None, None, Ok, ""),
            ("fine", "", None, None, Ok, ""),
            (json, "stop", None, Some("a"), Ok, ""),
            (json, "stop", None, Some("a,b"), Ok, "not in the answer: b"),
            ("fine", "stop", None, Some("a"), Unparsed, "no JSON with the wanted fields"),
            (json, "length", None, Some("a"), Truncated, "--max-tokens"),
            ("", "length", None, None, Truncated, "no answer before the token limit"),
            ("half", "MAX_TOKENS", None, None, Truncated, "cut off"),
            ("", "content_filter", None, None, Refused, "content_filter"),
            (json, "sensitive", None, Some("a"), Refused, "sensitive"),
            ("", "stop", Some("I can't help with that."), None, Refused, "I can't help"),
            ("fine", "stop", Some("  "), None, Ok, ""),
            ("", "stop", None, None, Error, "the answer is empty (finish reason stop)"),
            (" \n", "", None, Some("a"), Error, "the answer is empty"),
            ("half", "network_error", None, None, Error, "broke off"),
        ];
        for (content, reason, refusal, fields, status, error) in table {
            let fields = fields.map(|text| Fields::parse(text).unwrap());
            let line = answered(content, reason, refusal);
            let judged = judge(&line, fields.as_ref());
            assert_eq!(judged.status, status, "{content:?} {reason:?}");
            let said = judged.error.unwrap_or_default();
            assert!(said.contains(error) && said.is_empty() == error.is_empty(), "{said}");
            assert_eq!(judged.content, content, "the raw answer stays (field 39)");
            assert_eq!(judged.values.len(), fields.map_or(0, |fields| fields.len()));
        }
    }

    /// S0.32: of an answer that may hold several things, one that is wrong spoils the row, and a
    /// list of none is an answer.
    #[test]
    fn s0_32_answers_of_several_things_have_one_status() {
        use RowStatus::{Invalid, Ok, Truncated, Unparsed};
        let table: [(&str, &str, RowStatus, usize, &str); 8] = [
            (r#"[{"a":1,"b":2},{"a":3,"b":4}]"#, "stop", Ok, 2, ""),
            (r#"{"a":1,"b":2}"#, "stop", Ok, 1, ""),
            (r#"[{"a":1,"b":2},{"a":3}]"#, "stop", Ok, 2, "not in the answer: b (item 2)"),
            ("[]", "stop", Ok, 0, ""),
            (r#"[{"a":1},{"a":"x"}]"#, "stop", Invalid, 2, "item 2: `a` is the text \"x\""),
            (r#"[{"a":1,"b":2},"and"]"#, "stop", Invalid, 1, "element 2 is the text \"and\""),
            ("nothing found", "stop", Unparsed, 1, "no JSON"),
            (r#"[{"a":1,"b":2},{"a":3"#, "length", Truncated, 1, "cut off"),
        ];
        let form = crate::request::Form {
            fields: Some("a:number,b".to_owned()),
            schema: None,
            explode: true,
        };
        let expected = crate::answer::Expected::read(&form).unwrap();
        for (content, reason, status, things, error) in table {
            let line = answered(content, reason, None);
            let judged = judge(&line, expected.wanted());
            assert_eq!(judged.status, status, "{content}");
            let said = judged.error.unwrap_or_default();
            assert!(said.contains(error) && said.is_empty() == error.is_empty(), "{said}");
            let found = 1 + judged.further.len() - usize::from(judged.is_empty_list);
            assert_eq!(found, things, "{content}");
            assert_eq!(judged.values.len(), 2, "{content}");
        }
    }

    /// S0.32, S4.14: what is against the schema leaves its own cell empty, and no other.
    #[test]
    fn values_against_the_schema_leave_their_cells_empty() {
        let one = r#"{"type": "object", "properties": {
            "m": {"enum": ["good", "bad"]}, "n": {"type": "integer", "maximum": 5}}}"#;
        let list = format!(r#"{{"type": "array", "items": {one}}}"#);
        let within = format!(r#"{{"type": "object", "properties": {{"all": {list}}}}}"#);
        let table = [
            (one, false, r#"{"m": "awful", "n": 9}"#, "--"),
            (one, false, r#"{"m": "good", "n": 9}"#, "m-"),
            (one, true, r#"[{"m": "good", "n": 9}]"#, "m-"),
            (one, true, "{\"m\": \"good\", \"n\": 9}\n{\"m\": \"awful\", \"n\": 5}", "m- -n"),
            (&within, true, r#"{"all": [{"m": "good", "n": 5}, {"m": "bad", "n": 6}]}"#, "mn m-"),
        ];
        for (schema, explode, content, expected) in table {
            let form =
                crate::request::Form { fields: None, schema: Some(schema.to_owned()), explode };
            let wants = crate::answer::Expected::read(&form).unwrap();
            let line = answered(content, "stop", None);
            let judged = judge(&line, wants.wanted());
            let shown = |values: &Vec<Option<Value>>| -> String {
                values.iter().zip(["m", "n"]).map(|(v, n)| v.as_ref().map_or("-", |_| n)).collect()
            };
            let things: Vec<String> =
                std::iter::once(&judged.values).chain(&judged.further).map(shown).collect();
            assert_eq!(things.join(" "), expected, "{content}");
            assert_eq!(judged.status == RowStatus::Invalid, expected.contains('-'), "{content}");
            assert_eq!(judged.content, content, "the raw answer stays");
        }
    }

    /// Field report 25: an empty answer says why it is empty, if that can be told.
    #[test]
    fn field_25_empty_answers_say_what_came_instead() {
        let table = [
            (None, "the answer is empty (finish reason stop)"),
            (
                Some(Instead::ToolCall("look".to_owned())),
                "the answer is empty (finish reason stop): the model called the tool `look` instead",
            ),
            (
                Some(Instead::Thoughts),
                "the answer is empty (finish reason stop): the model has only thought; raise \
                 --max-tokens, or turn its thinking off with --param",
            ),
        ];
        for (instead, expected) in table {
            let reply = Reply {
                finish_reason: Some("stop".to_owned()),
                instead: instead.clone(),
                ..Reply::default()
            };
            let line = line(Outcome::Answered(reply.clone()));
            let judged = judge(&line, Wanted::default());
            assert_eq!(
                (judged.status, judged.error.as_deref()),
                (RowStatus::Error, Some(expected))
            );
            let spoken = Reply { content: "fine".to_owned(), ..reply };
            let line = self::line(Outcome::Answered(spoken));
            assert_eq!(judge(&line, Wanted::default()).status, RowStatus::Ok, "{instead:?}");
        }
    }

    #[test]
    fn field_18_failures_keep_the_providers_words() {
        use FailureKind::{Cancelled, Expired, Filtered, Invalid, Network, Server};
        let table = [
            (
                Expired,
                None,
                Some("batch_expired"),
                "Not run.",
                RowStatus::Expired,
                "Not run. (code batch_expired)",
            ),
            (Cancelled, None, None, "stopped", RowStatus::Cancelled, "stopped"),
            (
                Filtered,
                Some(400),
                Some("1301"),
                "敏感内容",
                RowStatus::Refused,
                "敏感内容 (code 1301)",
            ),
            (Invalid, Some(400), None, "bad field", RowStatus::Error, "bad field (HTTP 400)"),
            (Server, Some(500), None, "", RowStatus::Error, "failed with HTTP 500 and no message"),
            (Server, Some(0), Some("x"), "", RowStatus::Error, "failed with code x and no message"),
            (Network, None, None, " ", RowStatus::Error, "failed without a message"),
        ];
        for (kind, status, code, message, expected, text) in table {
            let line = failed(kind, status, code, message);
            let judged = judge(&line, Wanted::default());
            assert_eq!((judged.status, judged.error.as_deref()), (expected, Some(text)));
        }
    }

    #[test]
    fn keys_in_a_providers_words_are_not_repeated() {
        let key = Secret::new("sk-judge-secret-test-0001");
        let line =
            failed(FailureKind::Credentials, Some(401), None, &format!("bad {}", key.expose()));
        assert_eq!(judge(&line, Wanted::default()).error.as_deref(), Some("bad [key] (HTTP 401)"));
    }
}
