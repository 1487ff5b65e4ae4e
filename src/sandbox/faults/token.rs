//! The small pieces of a rule: words, texts in quotes, times, shares.

use std::collections::VecDeque;

use super::error::Trouble;
use super::rule::{Share, Span};

/// Cuts at each of these characters that stands outside quotes.
pub(super) fn split_outside_quotes<'a>(text: &'a str, at: &[char]) -> Vec<&'a str> {
    let (mut pieces, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (place, letter) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if quoted && letter == '\\' {
            escaped = true;
        } else if letter == '"' {
            quoted = !quoted;
        } else if !quoted && at.contains(&letter) {
            pieces.push(&text[start..place]);
            start = place + letter.len_utf8();
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// The words of a part of a rule, in their order.
pub(super) struct Tokens(VecDeque<String>);

impl Tokens {
    /// Cuts at blanks and takes the quotes off.
    pub(super) fn of(text: &str) -> Result<Self, Trouble> {
        let pieces = split_outside_quotes(text, &[' ', '\t', '\r']);
        let words = pieces.into_iter().filter(|piece| !piece.is_empty());
        Ok(Self(words.map(unquoted).collect::<Result<_, _>>()?))
    }

    pub(super) fn next(&mut self) -> Option<String> {
        self.0.pop_front()
    }

    /// Takes the next word if it can be read so; leaves it otherwise.
    pub(super) fn take_if<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let found = read(self.0.front()?)?;
        self.0.pop_front();
        Some(found)
    }

    /// The value of the next word if that is `name=value`.
    pub(super) fn value_of(&mut self, name: &str) -> Option<String> {
        self.take_if(|word| {
            let (given, value) = word.split_once('=')?;
            (plain(given) == name).then(|| value.to_owned())
        })
    }

    pub(super) fn time(&mut self) -> Option<Span> {
        self.take_if(span)
    }

    pub(super) fn must_time(&mut self) -> Result<Span, Trouble> {
        self.time().ok_or_else(|| Trouble::new("a time is missing, such as 5s or 2x"))
    }

    pub(super) fn share(&mut self, otherwise: Share) -> Share {
        self.take_if(share).unwrap_or(otherwise)
    }

    /// A plain number.
    pub(super) fn number(&mut self) -> Option<u64> {
        self.take_if(|word| word.parse().ok())
    }

    /// Nothing may be left over.
    pub(super) fn end(mut self) -> Result<(), Trouble> {
        match self.next() {
            None => Ok(()),
            Some(word) => Err(Trouble::new(format!("`{word}` has no meaning here"))),
        }
    }
}

/// How keywords are compared: `-` and `_` are the same.
pub(super) fn plain(word: &str) -> String {
    word.to_ascii_lowercase().replace('_', "-")
}

/// `5`, `5s`, `300ms`, `2m`, `1h`, `3x`.
pub(super) fn span(text: &str) -> Option<Span> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.parse().ok().filter(|number| (0.0..=1e9).contains(number))?;
    let millis = |factor: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4e15")]
        let millis = (number * factor).round() as u64;
        Some(Span::Millis(millis))
    };
    match &text[digits.len()..] {
        "" | "s" => millis(1e3),
        "ms" => millis(1.0),
        "m" => millis(60e3),
        "h" => millis(3600e3),
        "x" => Some(Span::Batches(number)),
        _ => None,
    }
}

/// `3`, `50%`, `all`, `lines=2,5`.
pub(super) fn share(text: &str) -> Option<Share> {
    if text == "all" {
        return Some(Share::Part(1.0));
    }
    if let Some(lines) = text.strip_prefix("lines=") {
        return lines_of(lines).map(Share::Lines);
    }
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f64 = percent.parse().ok().filter(|p| (0.0..=100.0).contains(p))?;
        return Some(Share::Part(percent / 100.0));
    }
    text.parse().ok().map(Share::Count)
}

/// `2,5`, counted from 1.
pub(super) fn lines_of(text: &str) -> Option<Vec<u64>> {
    text.split(',').map(|line| line.parse().ok().filter(|line| *line > 0)).collect()
}

fn unquoted(word: &str) -> Result<String, Trouble> {
    let (mut text, mut quoted, mut letters) = (String::new(), false, word.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' if quoted => text.push(escape(&mut letters)?),
            other => text.push(other),
        }
    }
    if quoted { Err(Trouble::new("a quotation mark is missing")) } else { Ok(text) }
}

fn escape(letters: &mut std::str::Chars<'_>) -> Result<char, Trouble> {
    let found = match letters.next() {
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('e') => Some('\u{1b}'),
        Some(letter @ ('"' | '\\')) => Some(letter),
        Some('u') => {
            let rest = letters.as_str();
            let inner = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            inner.and_then(|(digits, after)| {
                *letters = after.chars();
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)
            })
        }
        _ => None,
    };
    found.ok_or_else(|| Trouble::new(r#"after \ in quotes stand n r t e " \ or u{…}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_shares() {
        let times = [
            ("5", Some(Span::Millis(5000))),
            ("0.3s", Some(Span::Millis(300))),
            ("300ms", Some(Span::Millis(300))),
            ("2m", Some(Span::Millis(120_000))),
            ("1h", Some(Span::Millis(3_600_000))),
            ("3x", Some(Span::Batches(3.0))),
            ("-1", None),
            ("1d", None),
            ("x", None),
            ("NaN", None),
            ("inf", None),
        ];
        for (text, expected) in times {
            assert_eq!(span(text), expected, "{text}");
        }
        let shares = [
            ("3", Some(Share::Count(3))),
            ("50%", Some(Share::Part(0.5))),
            ("all", Some(Share::Part(1.0))),
            ("lines=2,5", Some(Share::Lines(vec![2, 5]))),
            ("lines=0", None),
            ("101%", None),
            ("half", None),
        ];
        for (text, expected) in shares {
            assert_eq!(share(text), expected, "{text}");
        }
        assert_eq!(Share::Part(0.5).of(5), 3);
        assert_eq!(Share::Count(9).of(5), 5);
        let batch = std::time::Duration::from_millis(200);
        assert_eq!(Span::Batches(2.5).millis(batch), 500);
        assert!(Span::Batches(1e9).millis(std::time::Duration::MAX) > 1 << 60);
    }

    #[test]
    fn quotes_hold_blanks_marks_and_escapes() {
        let pieces = split_outside_quotes(r#"a;b="x;\";y" ; c"#, &[';']);
        assert_eq!(pieces, ["a", r#"b="x;\";y" "#, " c"]);
        let mut tokens = Tokens::of(r#" 503  text="a b\n\e[31m\u{4e00}" x"#).unwrap();
        assert_eq!(tokens.number(), Some(503));
        assert_eq!(tokens.value_of("text").unwrap(), "a b\n\u{1b}[31m一");
        assert!(tokens.end().is_err());
        assert!(Tokens::of(r#"text="open"#).is_err());
        assert!(Tokens::of(r#"text="\q""#).is_err());
    }
}
