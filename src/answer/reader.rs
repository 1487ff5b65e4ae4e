//! A tolerant reader for JSON as models misspell it. It is asked only where the strict one has
//! failed. It mends marks between values and never a text: what stands between quotes comes out
//! as it was written. Where two readings are possible it gives up, because a row without an answer
//! is seen and a wrong one is not.

use serde_json::{Map, Value};

use super::numbers;
use super::quotes::{Place, is_quote, read_text};
use super::repair::{Repair, Repairs};

/// Nested deeper than this nothing is read, as with the strict reader.
const DEPTH: usize = 128;

/// Reads one object or array from the start of a text.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    /// How far it has read, in bytes.
    pub(super) at: usize,
    /// What it mended on the way.
    pub(super) repairs: Repairs,
    /// Whether the model ended its answer by itself, so that the end of the text cuts nothing off.
    is_ended: bool,
    /// Whether a quoted key and its colon were read: this is JSON, not a remark in brackets.
    pub(super) is_json: bool,
    /// Characters looked at.
    pub(super) steps: usize,
    /// More than this are not looked at.
    most: usize,
    objects: usize,
    arrays: usize,
}

/// The two kinds of brackets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Object,
    Array,
}

/// What stands after a value.
enum After {
    Next,
    End,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, is_ended: bool, most: usize) -> Self {
        Self {
            text,
            at: 0,
            repairs: Repairs::default(),
            is_ended,
            is_json: false,
            steps: 0,
            most,
            objects: 0,
            arrays: 0,
        }
    }

    /// The value at the start of the text, `None` if there is none that can be read safely.
    pub(super) fn value(&mut self) -> Option<Value> {
        self.space()?;
        match self.peek()? {
            '{' | '｛' => self.object(),
            '[' | '［' => self.array(),
            c if is_quote(c) => read_text(self, Place::Value).map(Value::String),
            '0'..='9' | '-' | '+' | '.' => self.number(),
            _ => self.literal(),
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.open()?;
        self.objects += 1;
        let mut object = Map::new();
        let mut has_more = true;
        while has_more {
            self.space()?;
            if object.is_empty() && self.closes(Bracket::Object) {
                self.next()?;
                break;
            }
            let is_quoted = is_quote(self.peek()?);
            let key = if is_quoted { read_text(self, Place::Key)? } else { self.bare_key()? };
            self.space()?;
            match self.next()? {
                ':' => {}
                '：' => self.repairs.note(Repair::FullWidth),
                _ => return None,
            }
            self.is_json |= is_quoted;
            let value = self.value()?;
            object.insert(key, value);
            has_more = matches!(self.after_value(Bracket::Object)?, After::Next);
        }
        self.objects -= 1;
        Some(Value::Object(object))
    }

    fn array(&mut self) -> Option<Value> {
        self.open()?;
        self.arrays += 1;
        let mut items = Vec::new();
        let mut has_more = true;
        while has_more {
            self.space()?;
            if items.is_empty() && self.closes(Bracket::Array) {
                self.next()?;
                break;
            }
            items.push(self.value()?);
            has_more = matches!(self.after_value(Bracket::Array)?, After::Next);
        }
        self.arrays -= 1;
        Some(Value::Array(items))
    }

    fn open(&mut self) -> Option<()> {
        if self.objects + self.arrays >= DEPTH {
            return None;
        }
        if !self.next()?.is_ascii() {
            self.repairs.note(Repair::FullWidth);
        }
        Some(())
    }

    /// Reads what stands between a value and the next, or the end of their object or array.
    fn after_value(&mut self, inside: Bracket) -> Option<After> {
        let has_line_break = self.space()?;
        let Some(next) = self.peek().filter(|_| !self.is_at_fence()) else {
            // Cut off, unless the model says that it had ended, by its finish reason or by closing
            // the fenced block.
            return self.left_open(self.is_ended || self.is_at_fence());
        };
        match next {
            ',' | '，' | '、' => {
                if next != ',' {
                    self.repairs.note(Repair::FullWidth);
                }
                self.next()?;
                self.space()?;
                if self.closes(inside) {
                    self.repairs.note(Repair::TrailingComma);
                    return self.after_value_closed();
                }
                Some(After::Next)
            }
            _ if self.closes(inside) => self.after_value_closed(),
            // `{"a": [1, 2}`: the bracket of something further out closes what is inside.
            ']' | '］' if inside == Bracket::Object && self.arrays > 0 => self.left_open(true),
            '}' | '｝' if inside == Bracket::Array && self.objects > 0 => self.left_open(true),
            // Only where a line ends: on one line it may be a text with quotes inside.
            _ if has_line_break && (is_quote(next) || matches!(next, '{' | '[')) => {
                self.repairs.note(Repair::MissingComma);
                Some(After::Next)
            }
            _ => None,
        }
    }

    fn after_value_closed(&mut self) -> Option<After> {
        if !self.next()?.is_ascii() {
            self.repairs.note(Repair::FullWidth);
        }
        Some(After::End)
    }

    /// Closes what was left open, if that is safe.
    fn left_open(&mut self, is_safe: bool) -> Option<After> {
        is_safe.then(|| {
            self.repairs.note(Repair::Closed);
            After::End
        })
    }

    /// Whether the bracket that closes this stands here.
    fn closes(&self, inside: Bracket) -> bool {
        matches!(
            (inside, self.peek()),
            (Bracket::Object, Some('}' | '｝')) | (Bracket::Array, Some(']' | '］'))
        )
    }

    /// A key without quotes: one word, in any script.
    fn bare_key(&mut self) -> Option<String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$')) {
            self.next()?;
        }
        let key = &self.text[start..self.at];
        (!key.is_empty()).then_some(())?;
        self.repairs.note(Repair::BareKey);
        Some(key.to_owned())
    }

    fn number(&mut self) -> Option<Value> {
        let start = self.at;
        while matches!(self.peek(), Some('0'..='9' | '-' | '+' | '.' | 'e' | 'E')) {
            self.next()?;
        }
        let (value, is_mended) = numbers::read(&self.text[start..self.at])?;
        if is_mended {
            self.repairs.note(Repair::Number);
        }
        Some(value)
    }

    fn literal(&mut self) -> Option<Value> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            self.next()?;
        }
        let word = &self.text[start..self.at];
        let (value, is_mended) = match word {
            "true" => (true.into(), false),
            "false" => (false.into(), false),
            "null" => (Value::Null, false),
            _ => match word.to_ascii_lowercase().as_str() {
                "true" => (true.into(), true),
                "false" => (false.into(), true),
                "null" | "none" | "nan" | "undefined" => (Value::Null, true),
                _ => return None,
            },
        };
        if is_mended {
            self.repairs.note(Repair::Literal);
        }
        Some(value)
    }

    /// Passes by spaces and comments; says whether a line ended there.
    fn space(&mut self) -> Option<bool> {
        let mut has_line_break = false;
        loop {
            match self.peek() {
                Some(c @ (' ' | '\t' | '\n' | '\r')) => {
                    has_line_break |= c == '\n';
                    self.next()?;
                }
                Some(c) if c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}') => {
                    self.repairs.note(Repair::Spaces);
                    self.next()?;
                }
                Some('/') => {
                    has_line_break |= self.comment()?;
                    self.repairs.note(Repair::Comment);
                }
                _ => return Some(has_line_break),
            }
        }
    }

    /// Passes by a comment, to the end of its line or to `*/`; says whether it ended a line.
    fn comment(&mut self) -> Option<bool> {
        self.next()?;
        match self.next()? {
            '/' => {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.next()?;
                }
                Some(true)
            }
            '*' => {
                let mut before = ' ';
                loop {
                    let c = self.next()?;
                    if (before, c) == ('*', '/') {
                        return Some(false);
                    }
                    before = c;
                }
            }
            _ => None,
        }
    }

    fn is_at_fence(&self) -> bool {
        self.text[self.at..].starts_with("```")
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// The next character, counted; `None` at the end of the text or of the patience.
    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.steps += 1;
        if self.steps > self.most {
            return None;
        }
        self.at += c.len_utf8();
        Some(c)
    }
}
