//! Result files that are not as they should be: what the rules of a batch make of its rows. Pure.

use serde_json::{Value, json};

use super::Family;
use super::faults::{Fate, ResultFault, RowFault, Share};
use super::refusal::Refusal;

/// Where the text of an answer stands, in chat and in responses.
const TEXTS: [&str; 2] =
    ["/response/body/choices/0/message/content", "/response/body/output/0/content/0/text"];
/// Ids that nobody sent: of nobody, and shaped like those of another job.
const FOREIGN: [&str; 2] = ["nobody-", "zzzzzz-000000"];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What happens to the results of one batch.
#[derive(Debug, Default)]
pub(super) struct Tamper {
    rows: Vec<(RowFault, Vec<u64>)>,
    pub(super) foreign: u64,
    pub(super) ordered: bool,
    pub(super) empty_error_file: bool,
    pub(super) style: Style,
}

/// How a result file is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Style {
    bom: bool,
    crlf: bool,
    no_newline: bool,
}

impl Style {
    /// What stands before the first line.
    pub(super) fn beginning(self) -> &'static [u8] {
        if self.bom { BYTE_ORDER_MARK } else { b"" }
    }

    /// What stands between two lines.
    pub(super) fn between(self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// What stands behind the last line.
    pub(super) fn end(self) -> &'static [u8] {
        if self.no_newline { b"" } else { self.between() }
    }
}

/// What becomes of a row: lines for each file, and whether it counts as billed and as failed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Written {
    pub(super) output: Vec<Vec<u8>>,
    pub(super) error: Vec<Vec<u8>>,
    pub(super) is_billed: bool,
    pub(super) is_failed: bool,
}

impl Tamper {
    /// Rows are handed out from the first line on: each fault takes those that are left. A fault
    /// that names its lines takes these.
    pub(super) fn new(fate: &Fate, total: u64) -> Self {
        let (mut tamper, mut next) = (Self::default(), 1);
        for fault in &fate.result {
            match fault {
                ResultFault::Rows(fault, Share::Lines(lines)) => {
                    tamper.rows.push((fault.clone(), lines.clone()));
                }
                ResultFault::Rows(fault, share) => {
                    let end = (next + share.of(total)).min(total + 1);
                    tamper.rows.push((fault.clone(), (next..end).collect()));
                    next = end;
                }
                ResultFault::Foreign(count) => tamper.foreign += count,
                ResultFault::Ordered => tamper.ordered = true,
                ResultFault::Bom => tamper.style.bom = true,
                ResultFault::Crlf => tamper.style.crlf = true,
                ResultFault::NoNewline => tamper.style.no_newline = true,
                ResultFault::EmptyErrorFile => tamper.empty_error_file = true,
                ResultFault::OutputId(_) | ResultFault::ErrorId(_) | ResultFault::Counts(_) => {}
            }
        }
        tamper
    }

    /// What happens to the row on this line of the input file (from 1).
    pub(super) fn of_line(&self, number: u64) -> Option<&RowFault> {
        self.rows.iter().find(|(_, lines)| lines.contains(&number)).map(|(fault, _)| fault)
    }

    /// Whether some row's body is to be the request.
    pub(super) fn wants_requests(&self) -> bool {
        self.rows.iter().any(|(fault, _)| *fault == RowFault::InputOnly)
    }
}

/// Lines with ids that nobody sent, made after a real one.
pub(super) fn foreign_lines(sample: &Value, count: u64) -> Vec<Vec<u8>> {
    let sample_id = sample["custom_id"].as_str().unwrap_or_default();
    let one = |number: u64| {
        let mut line = sample.clone();
        let id = match (number % 3, sample_id.strip_suffix("-r1")) {
            // The same row in a round that was never sent.
            (2, Some(start)) => format!("{start}-r9"),
            (1, _) => format!("{}{number}-r1", FOREIGN[1]),
            _ => format!("{}{number}", FOREIGN[0]),
        };
        line["custom_id"] = json!(id);
        bytes(&line)
    };
    (0..count).map(one).collect()
}

/// What a fault makes of the line of an answered row. `request` is what was asked, where it is
/// wanted.
pub(super) fn alter(
    fault: &RowFault,
    family: Family,
    line: &Value,
    request: Option<&Value>,
) -> Written {
    let answered = |output: Vec<Vec<u8>>| Written { output, is_billed: true, ..Written::default() };
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut line = line.clone();
        edit(&mut line);
        bytes(&line)
    };
    let body = |value: Value| edited(&|line| line["response"]["body"] = value.clone());
    match fault {
        RowFault::Missing => answered(Vec::new()),
        RowFault::Duplicate => answered(vec![bytes(line), bytes(line)]),
        RowFault::Conflict => {
            let other = edited(&|line| put_text(line, |_| "[sandbox] another answer".to_owned()));
            answered(vec![bytes(line), other])
        }
        RowFault::ConflictError => {
            let error = vec![bytes(&failed(family, line, 500, None, None))];
            Written { error, ..answered(vec![bytes(line)]) }
        }
        RowFault::Fails { status, code, text } => Written {
            error: vec![bytes(&failed(family, line, *status, code.as_deref(), text.as_deref()))],
            is_failed: true,
            ..Written::default()
        },
        RowFault::RefusedInside => {
            let output = vec![bytes(&failed(family, line, 400, Some("invalid_value"), None))];
            Written { output, ..Written::default() }
        }
        RowFault::StatusZero => {
            let error = edited(&|line| {
                line["response"]["status_code"] = json!(0);
                line["response"]["body"] = json!("");
            });
            Written { error: vec![error], ..Written::default() }
        }
        RowFault::BodyString => answered(vec![body(json!(line["response"]["body"].to_string()))]),
        RowFault::InputOnly => answered(vec![body(request.cloned().unwrap_or_default())]),
        RowFault::EmptyBody => answered(vec![body(json!({}))]),
        RowFault::Blocked => answered(vec![edited(&|line| {
            put_text(line, |_| String::new());
            put_reason(line, "content_filter");
        })]),
        RowFault::Truncated => answered(vec![edited(&|line| {
            put_text(line, |text| text.chars().take(text.chars().count() / 2).collect());
            put_reason(line, "length");
        })]),
        RowFault::Broken => {
            let mut half = bytes(line);
            half.truncate(half.len() / 2);
            answered(vec![half])
        }
        RowFault::BadUtf8 => answered(vec![with_bad_utf8(&bytes(line))]),
        RowFault::NoId => answered(vec![edited(&|line| {
            if let Some(object) = line.as_object_mut() {
                object.shift_remove("custom_id");
            }
        })]),
        RowFault::EmptyLine => answered(vec![Vec::new()]),
    }
}

fn bytes(line: &Value) -> Vec<u8> {
    line.to_string().into_bytes()
}

fn failed(
    family: Family,
    line: &Value,
    status: u16,
    code: Option<&str>,
    text: Option<&str>,
) -> Value {
    let usual = format!("The sandbox was told to fail with {status}.");
    let mut refusal = Refusal::new(status, text.map_or(usual, str::to_owned));
    let usual = if status >= 500 { "server_error" } else { "rate_limit_exceeded" };
    if let Some(code) = code.or((status >= 500 || status == 429).then_some(usual)) {
        refusal = refusal.code(code);
    }
    let mut line = line.clone();
    line["response"]["status_code"] = json!(status);
    line["response"]["body"] = refusal.body(family);
    line
}

/// Another text in place of the answer's; without one, another id, so that the line differs.
fn put_text(line: &mut Value, text: impl Fn(&str) -> String) {
    for place in TEXTS {
        if let Some(found) = line.pointer_mut(place) {
            *found = json!(text(found.as_str().unwrap_or_default()));
            return;
        }
    }
    line["response"]["body"]["id"] = json!("another");
}

fn put_reason(line: &mut Value, reason: &str) {
    if let Some(choice) = line.pointer_mut("/response/body/choices/0") {
        choice["finish_reason"] = json!(reason);
    }
}

/// Two bytes that are never part of UTF-8, within a string.
fn with_bad_utf8(line: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = br#""content":""#;
    let found = line.windows(BEFORE.len()).position(|piece| piece == BEFORE);
    let at = found.map_or(line.len() / 2, |at| at + BEFORE.len());
    [&line[..at], b"\xff\xfe", &line[at..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(rules: &[&str]) -> Fate {
        Fate::of(&rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn faults_take_rows_one_after_the_other() {
        let rules =
            ["result: missing 2", "result: duplicate 50%", "result: no-id lines=9", "result: bom"];
        let tamper = Tamper::new(&fate(&rules), 10);
        let words: Vec<Option<&RowFault>> = (1..=10).map(|line| tamper.of_line(line)).collect();
        assert_eq!(words[..2], [Some(&RowFault::Missing); 2]);
        assert_eq!(words[2..7], [Some(&RowFault::Duplicate); 5]);
        assert_eq!(words[7..], [None, Some(&RowFault::NoId), None]);
        assert!(!tamper.wants_requests() && tamper.style.bom);
        let all = Tamper::new(&fate(&["result: fails 100%", "result: missing 2"]), 3);
        assert!(all.of_line(3).is_some() && all.of_line(4).is_none());
    }

    #[test]
    fn foreign_ids_are_of_three_kinds() {
        let sample = json!({"custom_id": "k7f2qd-0000041-r1"});
        let lines = foreign_lines(&sample, 3);
        let ids: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_slice::<Value>(line).unwrap()["custom_id"].clone())
            .collect();
        assert_eq!(ids, ["nobody-0", "zzzzzz-0000001-r1", "k7f2qd-0000041-r9"]);
    }
}
