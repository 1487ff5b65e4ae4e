//! The words of faults of calls.

use super::error::Trouble;
use super::rule::{Answer, Body, Call, CallFault, Fault, Framing, Share, Span, Target, Words};
use super::token::{Tokens, plain, share};

/// What may follow `CALL:` besides an answer.
pub(super) const FAULTS: [&str; 9] = [
    "before-commit",
    "after-commit",
    "late",
    "slow",
    "cut",
    "stall",
    "set",
    "not-ready",
    "listing-lag",
];
/// Answers that are words.
pub(super) const ANSWERS: [&str; 8] = [
    "close",
    "reset",
    "hang",
    "token-limit",
    "rate-limit",
    "overloaded",
    "credit",
    "storage-quota",
];
/// What may follow a status.
pub(super) const MODIFIERS: [&str; 11] = [
    "code",
    "text",
    "body",
    "html",
    "empty",
    "escapes",
    "reset",
    "retry-after",
    "retry-date",
    "location",
    "header",
];

const HOUR: Span = Span::Millis(3_600_000);
/// The smallest limit that users of the service have reported.
pub(super) const TOKEN_LIMIT: u64 = 90_000;
/// What a hostile service might write: colours, a new window title, a bell, a cursor in the
/// wrong place, and an eight-bit escape.
const ESCAPES: &str =
    "\u{1b}[31mred\u{1b}[0m \u{1b}]0;owned\u{7} \u{1b}[2J\u{1b}[1;1Hhome \u{9b}31m \r over";

pub(super) fn fault(target: Target, text: &str) -> Result<Fault, Trouble> {
    let trimmed = text.trim();
    if let Some(rest) = trimmed.strip_prefix("set ") {
        return set(rest).map(Fault::Call);
    }
    let mut tokens = Tokens::of(trimmed)?;
    let first = tokens.next().ok_or_else(|| Trouble::new("the fault is missing after `:`"))?;
    let half = Share::Part(0.5);
    let fault = match plain(&first).as_str() {
        "before-commit" => CallFault::Before(answer(&mut tokens)?.unwrap_or_else(|| status(500))),
        "after-commit" => CallFault::After(answer(&mut tokens)?.unwrap_or(Answer::Close)),
        "late" => {
            let time = tokens.must_time()?;
            CallFault::Late(time, answer(&mut tokens)?.unwrap_or(Answer::Close))
        }
        "slow" => CallFault::Slow(tokens.must_time()?),
        "cut" => CallFault::Cut(tokens.share(half), framing(&mut tokens)),
        "stall" => {
            // A bare number could be either; a share of a body in bytes comes with a time.
            let part = tokens.take_if(share);
            let time = tokens.time().unwrap_or(HOUR);
            CallFault::Stall(part.unwrap_or(half), time)
        }
        "set" => return Err(Trouble::new("it is set NAME=JSON")),
        word @ ("not-ready" | "listing-lag") => {
            if target != Target::Call(Call::Upload) {
                return Err(Trouble::new(format!("{word} is for upload")));
            }
            let time = tokens.must_time()?;
            tokens.end()?;
            let is_lag = word == "listing-lag";
            return Ok(if is_lag { Fault::Unlisted(time) } else { Fault::NotReady(time) });
        }
        _ => {
            let found = answer_of(&first, &mut tokens)?;
            CallFault::Before(found.ok_or_else(|| {
                let known = FAULTS.into_iter().chain(ANSWERS);
                Trouble::unknown("fault", &first, known)
            })?)
        }
    };
    tokens.end()?;
    Ok(Fault::Call(fault))
}

fn set(text: &str) -> Result<CallFault, Trouble> {
    let (name, value) = text.split_once('=').ok_or_else(|| Trouble::new("it is set NAME=JSON"))?;
    let value = serde_json::from_str(value)
        .map_err(|error| Trouble::new(format!("`{value}` is not JSON: {error}")))?;
    Ok(CallFault::Set(name.trim().to_owned(), value))
}

fn framing(tokens: &mut Tokens) -> Framing {
    let found = tokens.take_if(|word| match plain(word).as_str() {
        "length" => Some(Framing::Length),
        "chunked" => Some(Framing::Chunked),
        "no-length" => Some(Framing::NoLength),
        _ => None,
    });
    found.unwrap_or(Framing::Length)
}

fn answer(tokens: &mut Tokens) -> Result<Option<Answer>, Trouble> {
    let Some(word) = tokens.next() else { return Ok(None) };
    match answer_of(&word, tokens)? {
        Some(answer) => Ok(Some(answer)),
        None => Err(Trouble::unknown("answer", &word, ANSWERS)),
    }
}

fn answer_of(word: &str, tokens: &mut Tokens) -> Result<Option<Answer>, Trouble> {
    Ok(Some(match plain(word).as_str() {
        "close" => Answer::Close,
        "reset" => Answer::Reset,
        "hang" => Answer::Hang(tokens.time().unwrap_or(HOUR)),
        "token-limit" => {
            let limit = tokens.number().unwrap_or(TOKEN_LIMIT);
            said(429, "token_limit_exceeded", &token_limit_text(limit))
        }
        "rate-limit" => {
            let Answer::Say(mut words) =
                said(429, "rate_limit_exceeded", "Rate limit reached for requests.")
            else {
                return Ok(None);
            };
            modifiers(&mut words, tokens)?;
            Answer::Say(words)
        }
        "overloaded" => {
            let Answer::Say(words) = status(529) else { return Ok(None) };
            let mut words = Words { body: Body::Overloaded, ..words };
            modifiers(&mut words, tokens)?;
            Answer::Say(words)
        }
        "credit" => said(429, "insufficient_quota", CREDIT_TEXT),
        "storage-quota" => said(400, "storage_quota_exceeded", STORAGE_TEXT),
        number => {
            let Ok(number) = number.parse() else { return Ok(None) };
            if !(200..600).contains(&number) {
                return Err(Trouble::new("a status is from 200 to 599"));
            }
            let Answer::Say(mut words) = status(number) else { return Ok(None) };
            modifiers(&mut words, tokens)?;
            Answer::Say(words)
        }
    }))
}

const CREDIT_TEXT: &str = "You exceeded your current quota, please check your plan and billing \
                           details.";
const STORAGE_TEXT: &str = "You have exceeded your file storage quota. Delete files that are no \
                            longer needed and try again.";

/// The service's words for a full queue.
pub(super) fn token_limit_text(limit: u64) -> String {
    format!(
        "Enqueued token limit reached for this model in organization org-sandbox. Limit: {limit} \
         enqueued tokens. Please try again once some in_progress batches have been completed."
    )
}

pub(super) fn credit_text() -> &'static str {
    CREDIT_TEXT
}

fn status(status: u16) -> Answer {
    Answer::Say(Words {
        status,
        code: None,
        text: None,
        body: Body::Error,
        retry_after: None,
        retry_date: None,
        location: None,
        headers: Vec::new(),
        reset: false,
    })
}

fn said(number: u16, code: &str, text: &str) -> Answer {
    let Answer::Say(words) = status(number) else { return Answer::Close };
    Answer::Say(Words { code: Some(code.to_owned()), text: Some(text.to_owned()), ..words })
}

fn modifiers(words: &mut Words, tokens: &mut Tokens) -> Result<(), Trouble> {
    while let Some(token) = tokens.next() {
        let (name, value) = match token.split_once('=') {
            Some((name, value)) => (plain(name), Some(value)),
            None => (plain(&token), None),
        };
        let time = || value.and_then(super::token::span);
        let wrong = || Trouble::new(format!("`{token}` has no value that can be read"));
        match (name.as_str(), value) {
            ("code", Some(value)) => words.code = Some(value.to_owned()),
            ("text", Some(value)) => words.text = Some(value.to_owned()),
            ("body", Some(value)) => words.body = Body::Given(value.to_owned()),
            ("html", None) => words.body = Body::Html,
            ("empty", None) => words.body = Body::Empty,
            ("escapes", None) => words.text = Some(ESCAPES.to_owned()),
            ("reset", None) => words.reset = true,
            ("retry-after", _) => words.retry_after = Some(time().ok_or_else(wrong)?),
            ("retry-date", _) => words.retry_date = Some(time().ok_or_else(wrong)?),
            ("location", Some(value)) => words.location = Some(value.to_owned()),
            ("header", Some(value)) => {
                let (name, value) = value.split_once(':').ok_or_else(wrong)?;
                words.headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            (name, _) if MODIFIERS.contains(&name) => return Err(wrong()),
            _ => return Err(Trouble::unknown("word of an answer", &token, MODIFIERS)),
        }
    }
    Ok(())
}
