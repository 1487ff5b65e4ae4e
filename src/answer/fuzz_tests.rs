//! Random changes to the corpus: whatever a model answers, reading it neither panics nor takes more
//! work than a small multiple of its length, and valid JSON comes out as it went in.
//!
//! `BATCHCTL_FUZZ_SECONDS` sets how long it runs; the changes depend only on the seed that is told.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::corpus_tests::cases;
use super::scan::scan;
use super::*;
use crate::batch::{Outcome, ResultLine, decode_line};

/// Without the variable it runs for this long, and at most for so many changes.
const SHORT: (Duration, u64) = (Duration::from_secs(2), 20_000);

/// Pieces that make or break JSON.
const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "“",
    "”",
    ",",
    "，",
    ":",
    "：",
    "｛",
    "｝",
    "、",
    "\\",
    "\\\"",
    "\\u",
    "\\ud83d",
    "```",
    "\n```json\n",
    "\n",
    " ",
    "\u{3000}",
    "//",
    "/*",
    "*/",
    "null",
    "None",
    "True",
    "1e9",
    "-",
    ".5",
    "</think>",
    "<think>",
    "\u{feff}",
    "\u{0}",
    "😀",
    "\"label\":",
    "{\"score\":",
];

/// Numbers that look random and are always the same for a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (below.max(1) as u64)).unwrap_or(0)
    }
}

/// Where characters begin, and the end.
fn place(text: &str, dice: &mut Dice) -> usize {
    let mut at = dice.next(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One change: a piece in, a stretch out or doubled, two texts crossed.
fn changed(text: &str, other: &str, dice: &mut Dice) -> String {
    let (a, b) = (place(text, dice), place(text, dice));
    let (from, to) = (a.min(b), a.max(b));
    match dice.next(6) {
        0 => format!("{}{}", &text[..from], &text[to..]),
        1 if to - from < 2_000 => format!("{}{}", &text[..to], &text[from..]),
        2 => format!("{}{}", &text[..a], &other[place(other, dice)..]),
        3 => {
            let piece = PIECES[dice.next(PIECES.len())].repeat(1 + dice.next(300));
            format!("{}{piece}{}", &text[..a], &text[a..])
        }
        _ => format!("{}{}{}", &text[..a], PIECES[dice.next(PIECES.len())], &text[a..]),
    }
}

fn check_answer(text: &str, wanted: Wanted<'_>, is_ended: bool) {
    let scan = scan(text, is_ended);
    assert!(scan.steps <= 32 * text.len() + (1 << 18), "{} steps: {text}", scan.steps);
    for candidate in &scan.candidates {
        let json = &text[candidate.span.clone()];
        if let Ok(value) = serde_json::from_str::<Value>(json) {
            assert_eq!(candidate.value, value, "valid JSON is not changed: {json}");
            assert!(candidate.repairs.is_empty(), "{:?}: {json}", candidate.repairs);
        }
    }
    let extracted = extract(text, wanted, is_ended);
    assert_eq!(extracted.values.len(), wanted.len());
    explode(text, wanted, is_ended);
}

/// A result line that holds the text as its answer, then broken a little.
fn check_line(text: &str, wanted: Wanted<'_>, dice: &mut Dice) {
    let body = serde_json::json!({"choices": [{"message": {"content": text},
        "finish_reason": "stop"}]});
    let whole = serde_json::json!({"custom_id": "row_0", "response": {"status_code": 200,
        "body": body}});
    let whole = whole.to_string();
    let line: ResultLine = decode_line(whole.as_bytes()).expect("it was just written");
    let Outcome::Answered(reply) = &line.outcome else { panic!("it holds an answer") };
    assert_eq!(reply.content, text);
    assert_eq!(judge(&line, wanted).content, text, "the raw answer is kept");
    let broken = changed(&whole, &whole, dice);
    if let Ok(line) = decode_line(broken.as_bytes()) {
        judge(&line, wanted);
    }
    let mut bytes = whole.into_bytes();
    let at = dice.next(bytes.len());
    bytes[at] = u8::try_from(dice.next(256)).unwrap_or(0);
    if let Ok(line) = decode_line(&bytes) {
        judge(&line, wanted);
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "who sets the time wants to know what was tried in it")]
fn s0_17_b07_fuzzed_answers_and_result_lines_are_read_or_refused() {
    let seconds = std::env::var("BATCHCTL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let (time, most) = match seconds {
        Some(seconds) => (Duration::from_secs(seconds), u64::MAX),
        None => SHORT,
    };
    let fields = Fields::parse("label:good|bad,score:number?,a.b[0],ok:bool").unwrap();
    let schema = Schema::compile(
        r#"{"type":"object","required":["label"],"properties":{"score":{"maximum":5}}}"#,
    )
    .unwrap();
    let wants =
        [Wanted::new(Some(&fields), None), Wanted::new(None, Some(&schema)), Wanted::default()];
    let corpus: Vec<String> = cases().map(|case| case.answer).collect();
    let (started, mut count) = (Instant::now(), 0u64);
    while count < most && started.elapsed() < time {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (count + 1).wrapping_mul(0xd129_42a5));
        let mut text = corpus[dice.next(corpus.len())].clone();
        for _ in 0..=dice.next(6) {
            let other = &corpus[dice.next(corpus.len())];
            text = changed(&text, other, &mut dice);
        }
        let wanted = wants[dice.next(wants.len())];
        check_answer(&text, wanted, dice.next(2) == 0);
        check_line(&text, wanted, &mut dice);
        count += 1;
    }
    assert!(count > 0, "nothing was tried");
    if seconds.is_some() {
        eprintln!("{count} answers and {} result lines in {:?}", count * 3, started.elapsed());
    }
}
