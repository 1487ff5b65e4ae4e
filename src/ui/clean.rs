//! The one function through which text from outside reaches a screen.

use crate::base::redact;

/// The text without terminal escapes, control characters, direction overrides and loaded keys.
/// Tabs and line breaks stay.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            // The one-character forms of ESC [ and of the string openers.
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => out.push(' '),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_hidden(c) => {}
            c => out.push(c),
        }
    }
    redact(&out).into_owned()
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC: a control sequence, a string up to its end, or a short escape.
fn skip_escape(rest: &mut Rest<'_>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='/') => {
            while rest.next_if(|c| (' '..='/').contains(c)).is_some() {}
            rest.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

/// Parameters and the final letter of `ESC [`; stops at anything that cannot belong to it, so
/// that a broken sequence does not swallow the text after it.
fn skip_control_sequence(rest: &mut Rest<'_>) {
    while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
    rest.next_if(|c| ('@'..='~').contains(c));
}

/// A title or link: up to BEL or the string terminator, and at most to the end of the line.
fn skip_string(rest: &mut Rest<'_>) {
    while let Some(c) = rest.next_if(|&c| c != '\n') {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if(|&c| c == '\\');
                return;
            }
            _ => {}
        }
    }
}

/// Characters that reorder or hide the text around them.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_reaches_the_screen_as_plain_text() {
        let table = [
            ("plain 中文 ok\tand\nlines", "plain 中文 ok\tand\nlines"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}[2J\u{1b}[1;1Hb", "ab"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]52;c;Zm9v\u{7}clip", "clip"),
            ("\u{1b}Pq#0\u{1b}\\sixel", "sixel"),
            ("\u{9b}31mred", "red"),
            ("\u{9d}0;title\u{9c}text", "text"),
            ("\u{1b}(0charset", "charset"),
            ("\u{1b}cfull reset", "full reset"),
            ("over\rwritten", "over written"),
            ("back\u{8}\u{8}space\u{7f}", "backspace"),
            ("dos\r\nline", "dos\nline"),
            ("\u{202e}desrever", "desrever"),
            ("unfinished \u{1b}[31", "unfinished "),
            ("unfinished \u{1b}]0;title\nnext", "unfinished \nnext"),
            ("cut \u{1b}[31中文", "cut 中文"),
            ("nul\0", "nul"),
        ];
        for (text, expected) in table {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_key_hidden_by_an_escape_is_still_taken_out() {
        Secret::new("sk-ui-clean-test-0001");
        assert_eq!(clean("bad key sk-ui-clean-\u{1b}[0mtest-0001"), "bad key [key]");
    }

    proptest! {
        #[test]
        fn no_control_character_survives(text in "[\u{0}-\u{ff}中文]*") {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert_eq!(clean(&cleaned), cleaned);
        }
    }
}
