//! A rule as it is understood: which calls or batches, when, and what happens.

use std::time::Duration;

use super::dice::Dice;

/// One rule with the words it was given in.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Rule {
    /// As it was written, blanks at the ends cut off.
    pub(in crate::sandbox) text: String,
    pub(super) target: Target,
    pub(super) which: Which,
    pub(super) when: When,
    pub(super) fault: Fault,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Call(Call),
    AnyCall,
    Batch,
    Result,
}

/// The calls that can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Upload,
    ListFiles,
    File,
    Download,
    Delete,
    Create,
    Retrieve,
    List,
    Cancel,
    Realtime,
    Models,
}

/// Which of the calls or batches that fit, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// From this one to that one, or without an end.
    Range(u64, Option<u64>),
    /// Every so many.
    Every(u64),
}

impl Which {
    /// Whether this one of those that fit is meant.
    pub(super) fn takes(self, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::Range(from, to) => number >= from && to.is_none_or(|to| number <= to),
            Self::Every(step) => number.is_multiple_of(step),
        }
    }
}

/// What else must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct When {
    pub(super) key: Option<String>,
    pub(super) account: Option<String>,
    pub(super) family: Option<String>,
    pub(super) after: Option<Span>,
    pub(super) until: Option<Span>,
    pub(super) chance: Option<f64>,
    pub(super) seed: u64,
}

impl When {
    /// Whether the dice says so for this one of those that fit; the same each time.
    pub(super) fn is_lucky(&self, text: &str, number: u64) -> bool {
        let Some(chance) = self.chance else { return true };
        // By its words too: two rules of the same chance do not fire together.
        let words = crate::base::short_hash(&blake3::hash(text.as_bytes()));
        let mut dice = Dice::new(self.seed ^ words);
        let mut dice = Dice::new(dice.roll().wrapping_add(number));
        dice.share() < chance
    }
}

/// A longer time than anybody waits, with room to be added to a clock (milliseconds).
const LONGEST: i64 = i64::MAX / 4;

/// A time: so long, or so many times as long as a batch takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sandbox) enum Span {
    Millis(u64),
    Batches(f64),
}

impl Span {
    /// In milliseconds, where a batch takes this long.
    pub(in crate::sandbox) fn millis(self, batch: Duration) -> i64 {
        let millis = match self {
            Self::Millis(millis) => i64::try_from(millis).ok(),
            Self::Batches(times) => {
                let all = Duration::try_from_secs_f64(times * batch.as_secs_f64());
                all.ok().and_then(|all| i64::try_from(all.as_millis()).ok())
            }
        };
        millis.unwrap_or(LONGEST).min(LONGEST)
    }
}

/// A part of something.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) enum Share {
    /// So many rows, or bytes.
    Count(u64),
    /// From 0 to 1.
    Part(f64),
    /// Rows on these lines of the input file, from 1.
    Lines(Vec<u64>),
}

impl Share {
    /// How many of so many; lines count as themselves.
    pub(in crate::sandbox) fn of(&self, total: u64) -> u64 {
        match self {
            Self::Count(count) => (*count).min(total),
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
            #[expect(clippy::cast_sign_loss, reason = "a part of a number of rows or bytes")]
            Self::Part(part) => ((total as f64 * part).round() as u64).min(total),
            Self::Lines(lines) => lines.len() as u64,
        }
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    Call(CallFault),
    /// Creates of an uploaded file are refused so long.
    NotReady(Span),
    /// An uploaded file is not listed so long.
    Unlisted(Span),
    Batch(BatchFault),
    Result(ResultFault),
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CallFault {
    Before(Answer),
    After(Answer),
    Late(Span, Answer),
    Slow(Span),
    Cut(Share, Framing),
    Stall(Share, Span),
    Set(String, serde_json::Value),
}

/// How the end of a body that is cut was to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
    NoLength,
}

/// What comes in place of a reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Close,
    Reset,
    Hang(Span),
    Say(Words),
}

/// A made-up reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Words {
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) text: Option<String>,
    pub(super) body: Body,
    pub(super) retry_after: Option<Span>,
    pub(super) retry_date: Option<Span>,
    pub(super) location: Option<String>,
    /// Names and values.
    pub(super) headers: Vec<(String, String)>,
    pub(super) reset: bool,
}

/// What a made-up reply holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// An error in the family's shape.
    Error,
    /// What the family says when it has too much to do, with its own status.
    Overloaded,
    Given(String),
    Html,
    Empty,
}

/// What happens to a batch.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) enum BatchFault {
    ListingLag(Span),
    Fail(Failing),
    Expire(Share),
    Cancel(Share),
    Lasts(Span),
    Validating(Span),
    Finalizing(Span),
    Nameless(Span),
    Status(String, Option<Span>),
    SurvivesDeletion,
    DiesWithFile,
}

/// Why a batch fails at its validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct Failing {
    pub(in crate::sandbox) code: String,
    pub(in crate::sandbox) text: String,
    /// Empty where it is not about lines.
    pub(in crate::sandbox) lines: Vec<u64>,
}

/// What happens to the result files of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) enum ResultFault {
    Rows(RowFault, Share),
    Foreign(u64),
    Ordered,
    Bom,
    Crlf,
    NoNewline,
    EmptyErrorFile,
    OutputId(IdFault),
    ErrorId(IdFault),
    Counts(CountsFault),
}

/// What happens to some rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) enum RowFault {
    Missing,
    Duplicate,
    Conflict,
    ConflictError,
    Fails { status: u16, code: Option<String>, text: Option<String> },
    RefusedInside,
    StatusZero,
    BodyString,
    InputOnly,
    Blocked,
    Truncated,
    Broken,
    BadUtf8,
    NoId,
    EmptyBody,
    EmptyLine,
}

/// What stands in the place of a file's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum IdFault {
    Null,
    Empty,
    Object,
    Absent,
    Unknown,
}

/// What stands in the place of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum CountsFault {
    Null,
    Absent,
    Zero,
    Wrong,
    Flat,
}
