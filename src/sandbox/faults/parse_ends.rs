//! The words of faults of batches and of their result files.

use super::error::Trouble;
use super::parse_calls::{TOKEN_LIMIT, credit_text, token_limit_text};
use super::rule::{BatchFault, CountsFault, Failing, IdFault, ResultFault, RowFault, Share};
use super::token::{Tokens, lines_of, plain};

/// What may follow `batch:`.
pub(super) const BATCH_FAULTS: [&str; 11] = [
    "listing-lag",
    "fail",
    "expire",
    "cancel",
    "lasts",
    "validating",
    "finalizing",
    "nameless",
    "status",
    "survives-deletion",
    "dies-with-file",
];

/// What may follow `result:` and take rows.
pub(super) const ROW_FAULTS: [(&str, RowFault); 16] = [
    ("missing", RowFault::Missing),
    ("duplicate", RowFault::Duplicate),
    ("conflict", RowFault::Conflict),
    ("conflict-error", RowFault::ConflictError),
    ("fails", RowFault::Fails { status: 500, code: None, text: None }),
    ("refused-inside", RowFault::RefusedInside),
    ("status-zero", RowFault::StatusZero),
    ("body-string", RowFault::BodyString),
    ("input-only", RowFault::InputOnly),
    ("blocked", RowFault::Blocked),
    ("truncated", RowFault::Truncated),
    ("broken", RowFault::Broken),
    ("bad-utf8", RowFault::BadUtf8),
    ("no-id", RowFault::NoId),
    ("empty-body", RowFault::EmptyBody),
    ("empty-line", RowFault::EmptyLine),
];

/// What else may follow `result:`.
pub(super) const FILE_FAULTS: [&str; 9] = [
    "foreign",
    "ordered",
    "bom",
    "crlf",
    "no-newline",
    "empty-error-file",
    "output-id",
    "error-id",
    "counts",
];

/// What an id may be.
pub(super) const IDS: [(&str, IdFault); 5] = [
    ("null", IdFault::Null),
    ("empty", IdFault::Empty),
    ("object", IdFault::Object),
    ("absent", IdFault::Absent),
    ("unknown", IdFault::Unknown),
];

/// What counts may be.
pub(super) const COUNTS: [(&str, CountsFault); 5] = [
    ("null", CountsFault::Null),
    ("absent", CountsFault::Absent),
    ("zero", CountsFault::Zero),
    ("wrong", CountsFault::Wrong),
    ("flat", CountsFault::Flat),
];

fn first_word(tokens: &mut Tokens) -> Result<String, Trouble> {
    tokens.next().ok_or_else(|| Trouble::new("the fault is missing after `:`"))
}

pub(super) fn batch_fault(mut tokens: Tokens) -> Result<BatchFault, Trouble> {
    let first = first_word(&mut tokens)?;
    let half = Share::Part(0.5);
    let fault = match plain(&first).as_str() {
        "listing-lag" => BatchFault::ListingLag(tokens.must_time()?),
        "fail" => BatchFault::Fail(failing(&mut tokens)?),
        "expire" => BatchFault::Expire(tokens.share(half)),
        "cancel" => BatchFault::Cancel(tokens.share(half)),
        "lasts" => BatchFault::Lasts(tokens.must_time()?),
        "validating" => BatchFault::Validating(tokens.must_time()?),
        "finalizing" => BatchFault::Finalizing(tokens.must_time()?),
        "nameless" => BatchFault::Nameless(tokens.must_time()?),
        "status" => {
            let word = tokens.next().ok_or_else(|| Trouble::new("the status word is missing"))?;
            BatchFault::Status(word, tokens.time())
        }
        "survives-deletion" => BatchFault::SurvivesDeletion,
        "dies-with-file" => BatchFault::DiesWithFile,
        _ => return Err(Trouble::unknown("fault of a batch", &first, BATCH_FAULTS)),
    };
    tokens.end()?;
    Ok(fault)
}

fn failing(tokens: &mut Tokens) -> Result<Failing, Trouble> {
    let known = |code: &str, text: &str| Failing {
        code: code.to_owned(),
        text: text.to_owned(),
        lines: Vec::new(),
    };
    if tokens.take_if(|word| (plain(word) == "token-limit").then_some(())).is_some() {
        let limit = tokens.number().unwrap_or(TOKEN_LIMIT);
        return Ok(known("token_limit_exceeded", &token_limit_text(limit)));
    }
    if tokens.take_if(|word| (plain(word) == "credit").then_some(())).is_some() {
        return Ok(known("billing_hard_limit_reached", credit_text()));
    }
    let (mut failing, mut given) = (known("invalid_request", "The sandbox was told to."), false);
    loop {
        if let Some(lines) = tokens.value_of("lines") {
            let lines = lines_of(&lines).ok_or_else(|| Trouble::new("it is lines=2,5"))?;
            failing.lines = lines;
        } else if let Some(code) = tokens.value_of("code") {
            failing.code = code;
        } else if let Some(text) = tokens.value_of("text") {
            failing.text = text;
        } else {
            break;
        }
        given = true;
    }
    if given {
        Ok(failing)
    } else {
        Err(Trouble::new("it is fail token-limit, fail credit, fail lines=2,5 or fail code=TEXT"))
    }
}

pub(super) fn result_fault(mut tokens: Tokens) -> Result<ResultFault, Trouble> {
    let first = first_word(&mut tokens)?;
    let word = plain(&first);
    if let Some((_, fault)) = ROW_FAULTS.iter().find(|(known, _)| *known == word) {
        let share = tokens.share(Share::Count(1));
        let fault = rows_that_fail(fault.clone(), &mut tokens)?;
        tokens.end()?;
        return Ok(ResultFault::Rows(fault, share));
    }
    let fault = match word.as_str() {
        "foreign" => ResultFault::Foreign(tokens.number().unwrap_or(1)),
        "ordered" => ResultFault::Ordered,
        "bom" => ResultFault::Bom,
        "crlf" => ResultFault::Crlf,
        "no-newline" => ResultFault::NoNewline,
        "empty-error-file" => ResultFault::EmptyErrorFile,
        "output-id" => ResultFault::OutputId(one_of(&mut tokens, &IDS)?),
        "error-id" => ResultFault::ErrorId(one_of(&mut tokens, &IDS)?),
        "counts" => ResultFault::Counts(one_of(&mut tokens, &COUNTS)?),
        _ => {
            let rows = ROW_FAULTS.iter().map(|(known, _)| *known);
            let known = rows.chain(FILE_FAULTS);
            return Err(Trouble::unknown("fault of results", &first, known));
        }
    };
    tokens.end()?;
    Ok(fault)
}

fn rows_that_fail(fault: RowFault, tokens: &mut Tokens) -> Result<RowFault, Trouble> {
    let RowFault::Fails { mut status, mut code, mut text } = fault else { return Ok(fault) };
    loop {
        if let Some(given) = tokens.value_of("status") {
            let number = given.parse().ok().filter(|status| (400..600).contains(status));
            status = number.ok_or_else(|| Trouble::new("a failure has a status of 400 to 599"))?;
        } else if let Some(given) = tokens.value_of("code") {
            code = Some(given);
        } else if let Some(given) = tokens.value_of("text") {
            text = Some(given);
        } else {
            return Ok(RowFault::Fails { status, code, text });
        }
    }
}

fn one_of<T: Copy>(tokens: &mut Tokens, known: &[(&str, T)]) -> Result<T, Trouble> {
    let word = tokens.next().unwrap_or_default();
    let found = known.iter().find(|(name, _)| *name == plain(&word)).map(|(_, value)| *value);
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    found.ok_or_else(|| Trouble::unknown("value", &word, names))
}
